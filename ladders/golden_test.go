package ladders

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/timeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

type namedSource struct {
	name   string
	source Source
}

// sources are what a farm meets, and two that it hopes not to.
func sources() []namedSource {
	en, de := SourceAudio{Channels: 2, SampleRate: 48000, Language: "eng"}, SourceAudio{Channels: 6, SampleRate: 48000, Language: "ger"}
	video := func(w, h int, num, den int64, edit func(*SourceVideo)) *SourceVideo {
		v := &SourceVideo{Width: w, Height: h, Rate: timeline.Rate{Num: num, Den: den}, BitDepth: 8}
		if edit != nil {
			edit(v)
		}
		return v
	}
	interlaced := func(v *SourceVideo) {
		v.Interlaced, v.SampleAspectNum, v.SampleAspectDen = true, 8, 9
	}
	return []namedSource{
		{"1080p50, English stereo and German 5.1", Source{Video: video(1920, 1080, 50, 1, nil), Audio: []SourceAudio{en, de}}},
		{"720p25, mono", Source{Video: video(1280, 720, 25, 1, nil), Audio: []SourceAudio{{Channels: 1, SampleRate: 44100, Language: ""}}}},
		{"480i29.97, pixels 8:9", Source{Video: video(720, 480, 30000, 1001, interlaced), Audio: []SourceAudio{en}}},
		{"portrait by rotation, 29.97", Source{Video: video(1920, 1080, 2997, 100, func(v *SourceVideo) { v.Rotation = 90 }), Audio: []SourceAudio{en}}},
		{"2160p59.94 HDR", Source{Video: video(3840, 2160, 60000, 1001, func(v *SourceVideo) { v.Range, v.BitDepth = PQ, 10 }), Audio: []SourceAudio{en}}},
		{"audio only", Source{Audio: []SourceAudio{en, de}}},
		{"16x4000, silent", Source{Video: video(16, 4000, 90000, 1, nil)}},
		{"1x1, one picture a second", Source{Video: video(1, 1, 1, 1, nil)}},
	}
}

func TestGolden(t *testing.T) {
	for _, l := range Presets() {
		t.Run(l.Name, func(t *testing.T) {
			var b strings.Builder
			b.WriteString(Describe(l))
			for _, s := range sources() {
				for _, kind := range []Kind{Live, VOD} {
					fmt.Fprintf(&b, "\n== %s, %s\n%s", s.name, kind, resolvedText(l, s.source, kind))
				}
			}
			golden(t, l.Name, b.String())
		})
	}
	golden(t, "list", List())
}

func resolvedText(l *Ladder, src Source, kind Kind) string {
	r, err := Resolve(l, src, kind)
	if err != nil {
		return err.Error() + "\n"
	}
	return r.Describe()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; look at it, then run with -update if it is right\n%s", file, diff)
	}
}
