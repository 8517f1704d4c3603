package ladders

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scaledFrom lists a ladder's renditions that are scaled from another's pictures.
func scaledFrom(t *testing.T, l *Ladder, v SourceVideo) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, r := range resolve(t, l, Source{Video: &v}, VOD).Renditions {
		if r.Video.ScaledFrom != (Size{}) {
			got[r.Name] = r.Video.ScaledFrom.String()
		}
	}
	return got
}

func TestRungsAreScaledFromLargerOnes(t *testing.T) {
	load := func(name string) *Ladder {
		l, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	rungs := func(head string, sizes ...string) *Ladder {
		var b strings.Builder
		b.WriteString(head + "\nname: t\nvideo:\n")
		for _, s := range sizes {
			name, _, _ := strings.Cut(s, ",")
			b.WriteString("  - {name: v" + name + ", codec: h264, bitrate: 1M, size: " + s + "}\n")
		}
		return parse(t, b.String())
	}
	for _, c := range []struct {
		name   string
		ladder *Ladder
		source SourceVideo
		want   map[string]string
	}{
		{"hd of 1080p25", load("hd"), SourceVideo{Width: 1920, Height: 1080, Rate: whole(25)}, map[string]string{"360p": "1280x720", "234p": "768x432"}},
		{"hd of 1080p50: 720p-high shows twice the frames", load("hd"), SourceVideo{Width: 1920, Height: 1080, Rate: whole(50)}, map[string]string{"360p": "1280x720", "234p": "768x432"}},
		{"hd of 2160p25", load("hd"), SourceVideo{Width: 3840, Height: 2160, Rate: whole(25)}, map[string]string{"540p": "1920x1080", "360p": "1280x720", "234p": "768x432"}},
		{"hd of 720p: only the small ones lie far below the source", load("hd"), SourceVideo{Width: 1280, Height: 720, Rate: whole(25)}, map[string]string{"234p": "768x432"}},
		{"mini of 1080p", load("mini"), SourceVideo{Width: 1920, Height: 1080, Rate: whole(25)}, map[string]string{"240p": "854x480"}},
		{"10 bits", load("hd"), SourceVideo{Width: 1920, Height: 1080, BitDepth: 10, Rate: whole(25)}, map[string]string{}},
		{"HDR", load("hd"), SourceVideo{Width: 1920, Height: 1080, BitDepth: 10, Range: HLG, Rate: whole(25)}, map[string]string{}},
		{"upright", load("hd"), SourceVideo{Width: 1920, Height: 1080, Rotation: 90, Rate: whole(25)}, map[string]string{"360p": "720x1280", "234p": "432x768"}},
		{"authored from the source", rungs("scale_from: source", "1280x720", "640x360"), SourceVideo{Width: 1920, Height: 1080, Rate: whole(25)}, map[string]string{}},
		{"one step deep", rungs("", "320x180", "160x90", "640x360", "1280x720"), SourceVideo{Width: 1920, Height: 1080, Rate: whole(25)}, map[string]string{"v640x360": "1280x720", "v160x90": "320x180"}},
		{"another scaler", rungs("scaler: bicubic", "1280x720", "640x360"), SourceVideo{Width: 1920, Height: 1080, Rate: whole(25)}, map[string]string{}},
		{"the larger one is softer", rungs("", "1280x720, scaler: bilinear", "640x360"), SourceVideo{Width: 1920, Height: 1080, Rate: whole(25)}, map[string]string{}},
		{"another rate", rungs("", "1280x720", "640x360, fps: source/2"), SourceVideo{Width: 1920, Height: 1080, Rate: whole(50)}, map[string]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, scaledFrom(t, c.ladder, c.source)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
