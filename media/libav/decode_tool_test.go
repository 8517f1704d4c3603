package libav

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/media/publish"
	"github.com/galafarm/gala/timeline"
)

// treeOf runs a clip through pipeline and packager and returns the folder of
// its tree.
func treeOf(t *testing.T, spec media.Spec) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "job")
	url := "file://" + dir
	sink, err := publish.Open(url, 1)
	if err != nil {
		t.Fatal(err)
	}
	spec.Outputs = []string{url}
	spec.WritesManifest = true
	pack, err := packager.New(packager.Options{Spec: spec, Sinks: []media.Sink{sink}, Log: quiet, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, Options{Spec: spec, Output: pack})
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := pack.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// stream is a rendition's init and media segments, one after the other.
func stream(t *testing.T, tree, rendition string) []byte {
	t.Helper()
	var names []string
	for _, pattern := range []string{"init-*.mp4", "[0-9].m4s", "[0-9][0-9].m4s"} {
		found, err := filepath.Glob(filepath.Join(tree, rendition, pattern))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(found)
		names = append(names, found...)
	}
	var all []byte
	for _, n := range names {
		all = append(all, read(t, n)...)
	}
	return all
}

// decoded runs the tool and reads what it prints.
func decoded(t *testing.T, run func(io.Writer) error) ([]DecodedFrame, DecodeSummary) {
	t.Helper()
	var out bytes.Buffer
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	var frames []DecodedFrame
	var sum DecodeSummary
	for line := range strings.Lines(out.String()) {
		var f DecodedFrame
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if f.Type != "" {
			frames = append(frames, f)
		} else if err := json.Unmarshal([]byte(line), &sum); err != nil || !sum.Summary {
			t.Fatalf("line %q: %v", line, err)
		}
	}
	return frames, sum
}

func decodedStream(t *testing.T, b []byte, frames bool) ([]DecodedFrame, DecodeSummary) {
	t.Helper()
	return decoded(t, func(w io.Writer) error { return DecodeStream(t.Context(), bytes.NewReader(b), w, frames) })
}

// The tree of a card, read back by the tool: every frame with its number and
// its time, flashes and beeps where they belong, nothing damaged.
func TestDecodeTree(t *testing.T) {
	r := timeline.Rate{Num: 30000, Den: 1001}
	rich := small("rich")
	rich.Video.Preset, rich.Video.Profile = "balanced", "high" // B frames
	spec := cardSpec5(t, r, small("v"), rich, sound("a"))
	tree := treeOf(t, spec)
	for _, name := range []string{"v", "rich"} {
		frames, sum := decodedStream(t, stream(t, tree, name), true)
		if len(frames) != 150 || sum.Frames != 150 || sum.Errors != 0 || len(sum.Messages) != 0 {
			t.Fatalf("%s: %d lines, %+v", name, len(frames), sum)
		}
		for i, f := range frames {
			if f.Type != "video" || f.Card != int64(i) || f.PTS*f.Base[0]*30000 != int64(i)*1001*f.Base[1] || f.Width != 320 || f.Height != 180 || len(f.MD5) != 32 {
				t.Fatalf("%s: line %d is %+v", name, i, f)
			}
			if key := spec.Grid.IDR(int64(i)); f.Key != key || key != (f.Pict == "I") {
				t.Fatalf("%s: line %d says key %v, picture %s", name, i, f.Key, f.Pict)
			}
			if lit := int64(i)%30 < 2; lit != (f.Luma > 128) {
				t.Fatalf("%s: line %d says luma %d", name, i, f.Luma)
			}
		}
	}
	frames, sum := decodedStream(t, stream(t, tree, "a"), true)
	if sum.Errors != 0 || int64(len(frames)) != sum.Frames || len(frames) != 235 {
		t.Fatalf("sound: %d lines, %+v", len(frames), sum)
	}
	for i, f := range frames {
		if f.Type != "audio" || f.Samples != 1024 || f.PTS != int64(i)*1024 || f.Base != [2]int64{1, 48000} {
			t.Fatalf("sound: line %d is %+v", i, f)
		}
	}
	if loud := slices.IndexFunc(frames[10:], func(f DecodedFrame) bool { return f.Peak > 0.2 }); loud+10 < 46 || loud+10 > 48 {
		t.Errorf("the beep after the first second is in line %d", loud+10)
	}
	if lines, sum := decodedStream(t, stream(t, tree, "v"), false); len(lines) != 0 || sum.Frames != 150 {
		t.Errorf("without frames: %d lines, %+v", len(lines), sum)
	}
}

// Damage is counted and told; it never stops the tool, or this process.
func TestDecodeDamage(t *testing.T) {
	tree := treeOf(t, cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, small("v")))
	whole := stream(t, tree, "v")
	for name, b := range map[string][]byte{
		"nothing":      nil,
		"no init":      whole[2000:],
		"junk":         bytes.Repeat([]byte("junk"), 1000),
		"a playlist":   []byte("#EXTM3U\nfile:///etc/passwd\n"),
		"cut":          whole[:len(whole)*2/3],
		"bits flipped": flipped(whole),
	} {
		_, sum := decodedStream(t, b, true)
		if !sum.Summary || sum.Errors == 0 && sum.Frames >= 125 || sum.Errors > 0 && len(sum.Messages) == 0 {
			t.Errorf("%s: %+v", name, sum)
		}
	}
}

func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	for i := 3000; i < len(b); i += 997 {
		b[i] ^= 0x55
	}
	return b
}

func TestDecodeStreamCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, sum := decoded(t, func(w io.Writer) error { return DecodeStream(ctx, bytes.NewReader(make([]byte, 1000)), w, true) })
	if sum.Errors == 0 {
		t.Errorf("%+v", sum)
	}
}

// A source is decoded as a job would take it.
func TestDecodeFile(t *testing.T) {
	name := filepath.Join(mediaDir(t), waveFile)
	frames, sum := decoded(t, func(w io.Writer) error { return DecodeFile(t.Context(), name, w, true) })
	pictures, sounds := 0, 0
	for _, f := range frames {
		if f.Type == "video" {
			pictures++
		} else {
			sounds++
		}
	}
	if pictures != waveFrames || sounds != 93 || sum.Errors != 0 {
		t.Errorf("%d pictures, %d sounds, %+v", pictures, sounds, sum)
	}
	err := DecodeFile(t.Context(), "/no/such/file", io.Discard, true)
	if me := (*media.Error)(nil); !errors.As(err, &me) || me.Advice == "" {
		t.Errorf("a missing file: %v", err)
	}
}
