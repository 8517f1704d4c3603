package libav

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/galafarm/gala/media"
)

// made makes a clip for a test by a command line of ffmpeg, file last.
func made(t *testing.T, name, args string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command(ffmpegTool(t), append(append([]string{"-v", "error"}, strings.Fields(args)...), file)...).CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v: %s", name, err, out)
	}
	return file
}

// Sound of any layout becomes the two or six channels that a rung has, all of
// it: none is silent, even where the layout is not known.
func TestChannelLayouts(t *testing.T) {
	for layout, name := range map[string]string{"mono": "a.wav", "3.0": "a.wav", "5.0": "a.mkv", "5.0(side)": "a.mkv", "6.1": "a.mkv", "7.1": "a.mkv", "quad": "a.wav", "3 channels": "u.wav", "5 channels": "u.wav"} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			source := "aevalsrc=exprs=" + strings.TrimSuffix(strings.Repeat("0.2*sin(880*PI*t)|", channelsOf(layout)), "|") + ":d=1:s=48000"
			if name != "u.wav" {
				source += ":c=" + layout
			}
			file := made(t, name, "-f lavfi -i "+source+" -c:a pcm_s16le")
			facts, err := Probe(t.Context(), file, anything)
			if err != nil {
				t.Fatal(err)
			}
			for _, channels := range []int{1, 2, 6} {
				spec := clipSpec(t, file, facts)
				spec.Renditions[0].Audio.Channels = channels
				out, st := play(t, Options{Spec: spec})
				if n := len(out.packets["a"]); n < 47 || n > 48 || len(st.Notes) != 1 {
					t.Errorf("%d channels: %d frames, notes %q", channels, n, st.Notes)
				}
				bytes := 0
				for _, p := range out.packets["a"] {
					bytes += len(p.Data)
				}
				if bytes < 3000 {
					t.Errorf("%d channels: %d bytes, which is silence", channels, bytes)
				}
			}
		})
	}
}

func channelsOf(layout string) int {
	return map[string]int{"mono": 1, "3.0": 3, "5.0": 5, "5.0(side)": 5, "6.1": 7, "7.1": 8, "quad": 4, "3 channels": 3, "5 channels": 5}[layout]
}

// A file with several programmes is one of them: that of the largest picture,
// or the one that its address asks for.
func TestProgrammesOfAFile(t *testing.T) {
	dir := mediaDir(t)
	file := made(t, "two.ts", "-i "+dir+"/sintel_cea608_170p24.ts -i "+dir+"/train_360p30.ts -map 0:v -map 0:a -map 1:v -map 1:a -c copy "+
		"-program program_num=5:st=0:st=1 -program program_num=7:st=2:st=3 -t 2")
	for address, want := range map[string]string{file: "7: 640x360, 48000", "file://" + file + "#program=5": "5: 400x170, 22050", "file://" + file + "#growing=1s&program=7": "7: 640x360, 48000"} {
		facts, err := Probe(t.Context(), address, anything)
		if err != nil {
			t.Fatal(err)
		}
		v := facts.BestVideo()
		if len(facts.Video) != 1 || len(facts.Audio) != 1 {
			t.Fatalf("%s: %d pictures and %d sounds", address, len(facts.Video), len(facts.Audio))
		}
		if got := fmt.Sprintf("%dx%d, %d", v.Width, v.Height, facts.Audio[0].SampleRate); got != want[3:] {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
		if note := strings.Join(facts.Notes, "; "); strings.Contains(note, "of the programmes 5, 7 number 7 is encoded") != (address == file) {
			t.Errorf("%s: notes %q", address, note)
		}
	}
	_, err := Probe(t.Context(), "file://"+file+"#program=6", anything)
	wantError(t, err, media.SourceError, "has no programme 6", "it has 5, 7")
}
