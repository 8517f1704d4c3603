package libav

import (
	"bytes"
	"math"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/ac3"
	"github.com/galafarm/gala/timeline"
)

// dolbyClip is a clip with sound in AC-3 or E-AC-3, and that sound's bytes.
func dolbyClip(t *testing.T, container, encoder string, args ...string) (clip string, frames [][]byte) {
	t.Helper()
	tool := ffmpegTool(t)
	dir := t.TempDir()
	clip, raw := filepath.Join(dir, "clip."+container), filepath.Join(dir, "sound."+encoder)
	make := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=4", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", encoder}, append(args, clip)...)
	for _, a := range [][]string{make, {"-v", "error", "-i", clip, "-map", "0:a", "-c", "copy", raw}} {
		if out, err := exec.Command(tool, a...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for data := read(t, raw); len(data) > 0; {
		u, err := ac3.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		frames, data = append(frames, u.Data), data[len(u.Data):]
	}
	return clip, frames
}

func passing(codec string, channels int) ladders.Rendition {
	return ladders.Rendition{Name: "a", Audio: &ladders.Audio{Codec: codec, Channels: channels, SampleRate: 48000, Bitrate: 384_000, Passthrough: true}}
}

// Every frame of the source comes out as it was, in order, within half a frame of
// its time.
func TestSoundIsPassedOnAsItIs(t *testing.T) {
	for _, c := range []struct {
		name, container, encoder, codec string
		channels                        int
		args                            []string
	}{
		{"AC-3 5.1 in TS", "ts", "ac3", "ac-3", 6, []string{"-ac", "6", "-b:a", "384k"}},
		{"E-AC-3 5.1 in MP4", "mp4", "eac3", "ec-3", 6, []string{"-ac", "6", "-b:a", "384k"}},
		{"AC-3 stereo in Matroska", "mkv", "ac3", "ac-3", 2, []string{"-ac", "2", "-b:a", "192k"}},
		{"AC-3 that starts late", "ts", "ac3", "ac-3", 2, []string{"-ac", "2", "-b:a", "192k", "-af", "adelay=0,asetpts=PTS+1.01/TB"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			clip, frames := dolbyClip(t, c.container, c.encoder, c.args...)
			rate := timeline.Rate{Num: 25, Den: 1}
			out, status := play(t, Options{Spec: media.Spec{Job: "t", Input: clip, Grid: newGrid(t, rate, 2*time.Second, 3), Renditions: []ladders.Rendition{small("v"), passing(c.codec, c.channels)}}})
			got := out.packets["a"]
			first := findFrame(got, frames[0])
			if first < 0 || len(got) < first+len(frames) {
				t.Fatalf("%d frames of %d, the source's first at %d; %q", len(got), len(frames), first, status.Notes)
			}
			for i, want := range frames {
				p := got[first+i]
				if !bytes.Equal(p.Data, want) || p.Index != int64(first+i) {
					t.Fatalf("frame %d has index %d and %d bytes, want index %d and %d bytes", i, p.Index, len(p.Data), first+i, len(want))
				}
			}
			if late := c.args[len(c.args)-1]; strings.Contains(late, "1.01") {
				const begins = 1.01 - 256.0/48000 // the encoder's delay before it
				if at := float64(first) * 1536 / 48000; math.Abs(at-begins) > 0.016 {
					t.Errorf("the sound starts at %.4f s, want %.4f s within half a frame", at, begins)
				}
			} else if first > 1 {
				t.Errorf("the sound starts with frame %d", first)
			}
			u, err := ac3.Parse(frames[0])
			if err != nil || u.Channels() != c.channels || !bytes.Equal(out.configs["a"].Extradata, u.Box()) || out.configs["a"].FrameSize != 1536 {
				t.Errorf("announced as %x, the frames are %+v: %v", out.configs["a"].Extradata, u.Frame, err)
			}
		})
	}
}

func findFrame(packets []media.Packet, data []byte) int {
	for i, p := range packets {
		if bytes.Equal(p.Data, data) {
			return i
		}
	}
	return -1
}

// A broadcast with losses: what is damaged is a hole of silence, and the frames
// after it are where they belong.
func TestPassedSoundWithLosses(t *testing.T) {
	clip := filepath.Join(mediaDir(t), "dvb_576i25_h264_eac3_losses_cut.ts")
	out, status := play(t, Options{Spec: media.Spec{Job: "t", Input: clip, Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, 2*time.Second, 3), Renditions: []ladders.Rendition{small("v"), passing("ec-3", 2)}}})
	got := out.packets["a"]
	// 5.44 s of pictures are 170 frames of 32 ms.
	if len(got) < 168 || len(got) > 172 {
		t.Errorf("%d frames of sound beside %d of picture", len(got), len(out.packets["v"]))
	}
	silent := 0
	for i, p := range got {
		if p.Index != int64(i) {
			t.Fatalf("frame %d has index %d", i, p.Index)
		}
		if u, err := ac3.Parse(p.Data); err != nil {
			t.Errorf("frame %d: %v", i, err)
		} else if u.Size != mustParse(t, got[len(got)/2].Data).Size {
			silent++
		}
	}
	if silent == 0 || !strings.Contains(strings.Join(status.Notes, "; "), "filled with silence") {
		t.Errorf("%d frames of silence, notes %q", silent, status.Notes)
	}
	framesOf(t, astiav.CodecIDEac3, media.CodecConfig{}, got, func(*astiav.Frame) {})
}

func mustParse(t *testing.T, b []byte) ac3.Unit {
	t.Helper()
	u, err := ac3.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A rendition that cannot be built is a typed error, also to who asks how far it is.
func TestPassedSoundThatCannotBeBuilt(t *testing.T) {
	clip, _ := dolbyClip(t, "mkv", "ac3", "-ac", "2", "-b:a", "192k")
	r := passing("ac-3", 2)
	r.Audio.SampleRate = 24000 // no rate of AC-3
	p := open(t, Options{Spec: media.Spec{Job: "t", Input: clip, Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, 2*time.Second, 3), Renditions: []ladders.Rendition{small("v"), r}}, Output: newCollector()})
	wantError(t, p.Run(t.Context()), media.EncoderError, "rendition a", "passthrough")
	if s := p.Status(); len(s.Renditions) != 0 {
		t.Errorf("%+v", s.Renditions)
	}
}

// A track of another kind than its rendition was promised gives silence and says
// so, never a stream that no decoder takes.
func TestPassedSoundOfAnotherCodec(t *testing.T) {
	clip, _ := dolbyClip(t, "mkv", "ac3", "-ac", "2", "-b:a", "192k")
	out, status := play(t, Options{Spec: media.Spec{Job: "t", Input: clip, Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, 2*time.Second, 3), Renditions: []ladders.Rendition{small("v"), passing("ec-3", 2)}}})
	if len(out.packets["a"]) < 120 || !mustParse(t, out.packets["a"][0].Data).Enhanced {
		t.Errorf("%d frames", len(out.packets["a"]))
	}
	if !strings.Contains(strings.Join(status.Notes, "; "), "damaged frames") {
		t.Errorf("the notes say nothing: %q", status.Notes)
	}
}

// Live sound that pauses while the picture goes on is filled when the pause has
// lasted, not when it is over: its segments do not wait.
func TestAPauseOfPassedSoundIsFilledAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clip.ts")
	if out, err := exec.Command(ffmpegTool(t), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=16",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=16", "-af", "aselect='lt(t,2)+gt(t,14)'",
		"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "ac3", "-pes_payload_size", "0", file).CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v: %s", file, err, out)
	}
	facts, err := Probe(t.Context(), file, anything)
	if err != nil {
		t.Fatal(err)
	}
	// The server sends what comes after the pause when the pause has been filled.
	filled, requests := make(chan struct{}), 0
	server := &slow{body: read(t, file), goOn: func(r *http.Request) bool {
		if requests++; requests > 1 {
			select {
			case <-filled:
			case <-time.After(20 * time.Second):
				t.Error("nothing filled the pause while it lasted")
			}
		}
		return true
	}}
	s := httptest.NewServer(server)
	defer s.Close()
	spec := clipSpec(t, s.URL+"/clip.ts", facts)
	a := passing("ac-3", 1)
	spec.Renditions = append(spec.Renditions[:1], a)
	out := newCollector()
	tell := sync.OnceFunc(func() { close(filled) })
	out.on = func(name string, p media.Packet) error {
		if name == "a" && p.Index*ac3.Samples > 3*48000 {
			tell()
		}
		return nil
	}
	p := open(t, Options{Spec: spec, Output: out})
	p.src.(*fileSource).hush = true // as for a live source
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(out.packets["a"]); got != 500 {
		t.Errorf("%d frames, want 500 of 16 s", got)
	}
	for i, q := range out.packets["a"] {
		second := float64(i) * ac3.Samples / 48000
		if silent := bytes.Equal(q.Data, out.packets["a"][200].Data); q.Index != int64(i) || silent != (second > 2.1 && second < 13.9) && (second < 1.9 || second > 2.1 && second < 13.9 || second > 14.1) {
			t.Errorf("frame %d at %.2f s has number %d, silent: %t", i, second, q.Index, silent)
		}
	}
}
