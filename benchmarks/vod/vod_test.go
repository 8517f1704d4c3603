package vod

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

func aPlan(t *testing.T, ladder string, rate int64) *plan {
	t.Helper()
	l, err := ladders.Load(ladder)
	if err != nil {
		t.Fatal(err)
	}
	source := ladders.Source{
		Video: &ladders.SourceVideo{Width: 1280, Height: 720, Rate: timeline.Rate{Num: rate, Den: 1}, BitDepth: 8},
		Audio: []ladders.SourceAudio{{Channels: 2, SampleRate: 48000, Language: "und"}},
	}
	r, err := ladders.Resolve(l, source, ladders.VOD)
	if err != nil {
		t.Fatal(err)
	}
	return &plan{clip: "/clip.mp4", ladder: ladder, Resolved: r}
}

// What follows a flag on ffmpeg's command line.
func after(t *testing.T, args []string, flag string) string {
	t.Helper()
	i := slices.Index(args, flag)
	if i < 0 {
		t.Fatalf("no %s in %q", flag, args)
	}
	return args[i+1]
}

func TestPeerIsToldWhatTheEngineTellsItsEncoders(t *testing.T) {
	args, err := aPlan(t, "mini", 25).peerArgs("/out")
	if err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{
		"-c:v:0": "libx264", "-threads:v:0": "1", "-b:v:1": "550000", "-preset:v:2": "superfast", "-force_key_frames:v:0": "expr:not(mod(n,50))",
		"-b:a:0": "96000", "-hls_time": "6.000000",
	} {
		if got := after(t, args, flag); got != want {
			t.Errorf("%s is %q, want %q", flag, got, want)
		}
	}
	if p := after(t, args, "-x264-params:v:0"); !strings.Contains(p, "scenecut=0:open-gop=0") {
		t.Errorf("the engine's own x264 parameters are missing: %s", p)
	}
}

func TestPeerThinsAsTheGridDoes(t *testing.T) {
	p := aPlan(t, "mini", 50)
	if g := p.graph(p.video()); !strings.Contains(g, `[s0]select=not(mod(n\,2)),zscale=w=854:h=480:filter=lanczos`) {
		t.Errorf("a 25 fps rung of a 50 fps source is %q", g)
	}
	args, err := p.peerArgs("/out")
	if err != nil {
		t.Fatal(err)
	}
	if got := after(t, args, "-g:v:0"); got != "50" {
		t.Errorf("GOP of %s frames, want 50", got)
	}
}

func TestPeerScalesFromTheLargerRungs(t *testing.T) {
	p := aPlan(t, "hd", 25)
	v := p.video()
	g := p.graph(v)
	if strings.Count(g, ",split=2[") != 1 || !strings.HasPrefix(g, fmt.Sprintf("[0:v:0]split=%d[", len(v)-1)) {
		t.Errorf("of %d renditions one, 234p, is scaled from another, the graph is %q", len(v), g)
	}
	for _, r := range v {
		if one := p.graph([]ladders.Rendition{r}); strings.Count(one, "zscale") != 1 {
			t.Errorf("a process of its own for %s scales more than once: %q", r.Name, one)
		}
	}
}

// The comparison itself: both sides make the same pictures, bit for bit, those of
// the small rung from the larger one's.
func TestWorkerAndPeerMakeTheSamePictures(t *testing.T) {
	build, err := filepath.Abs("../../build")
	if err != nil {
		t.Fatal(err)
	}
	bin, err := harness.FindBinaries(build)
	if err != nil {
		t.Skipf("nothing to compare: %v", err)
	}
	dir := t.TempDir()
	clip := filepath.Join(dir, "clip.mp4")
	// It says which colours it has: of a small clip that does not, the engine
	// takes those of standard definition, and converts them.
	out, err := exec.Command(bin.FFmpeg, "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=3,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv",
		"-f", "lavfi", "-i", "sine=sample_rate=48000:duration=3", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-ac", "2", clip).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r, err := Run(context.Background(), Options{Clip: clip, Ladder: "mini", Pairs: 1, Binaries: bin, Dir: filepath.Join(dir, "work"), Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	got := r.Raw.(raw)
	if len(got.Ours) == 0 {
		t.Fatal("no video rendition was compared")
	}
	for i, ours := range got.Ours {
		if ours.MD5 != got.Peer[i].MD5 || ours.Frames != 75 {
			t.Errorf("%s: %+v against %+v", ours.Rendition, ours, got.Peer[i])
		}
	}
}
