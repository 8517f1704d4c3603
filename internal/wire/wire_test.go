package wire

import (
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// overTheWire is what a peer reads of message p.
func overTheWire[M proto.Message](t *rapid.T, p M) M {
	raw, err := proto.Marshal(p)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	back := p.ProtoReflect().New().Interface().(M)
	if err := proto.Unmarshal(raw, back); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	return back
}

func same(t *rapid.T, got, want any, err error) {
	if err != nil {
		t.Fatalf("read back: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("read back differs (-want +got):\n%s", diff)
	}
}

func TestGridReadsBackEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyGrid(t)
		got, err := Grid(overTheWire(t, GridProto(want)))
		same(t, got, want, err)
	})
}

func TestAnchorReadsBackEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyAnchor(t)
		got, err := Anchor(overTheWire(t, AnchorProto(want)))
		same(t, got, want, err)
	})
}

func TestRenditionsReadBackEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(anyRendition), 1, 6).Draw(t, "ladder")
		for i, p := range RenditionProtos(want) {
			got, err := Rendition(overTheWire(t, p))
			same(t, got, want[i], err)
		}
	})
}

func anyGrid(t *rapid.T) timeline.Grid {
	rate, err := timeline.NewRate(rapid.Int64Range(1, 240000).Draw(t, "num"), rapid.Int64Range(1, 1001).Draw(t, "den"))
	if err != nil {
		t.Fatal(err)
	}
	return timeline.Grid{
		Rate:           rate,
		FramesPerGOP:   rapid.Int64Range(1, 1000).Draw(t, "gop"),
		GOPsPerSegment: rapid.Int64Range(1, 10).Draw(t, "gops"),
		Timescale:      rate.Num * rapid.Int64Range(1, 8).Draw(t, "factor"),
	}
}

func anyAnchor(t *rapid.T) timeline.Anchor {
	return timeline.Anchor{
		Generation: rapid.Uint32().Draw(t, "generation"),
		Source:     rapid.Int64().Draw(t, "source"),
		Base:       timeline.Timebase{Num: rapid.Int64Range(1, 1<<40).Draw(t, "num"), Den: rapid.Int64Range(1, 1<<40).Draw(t, "den")},
		Frame:      rapid.Int64().Draw(t, "frame"),
	}
}

func anyRendition(t *rapid.T) ladders.Rendition {
	r := ladders.Rendition{
		Name:             rapid.StringMatching(`[a-z0-9]{1,8}`).Draw(t, "name"),
		Codecs:           rapid.StringMatching(`[a-z0-9.]{0,12}`).Draw(t, "codecs"),
		Bandwidth:        rapid.Int64Min(0).Draw(t, "bandwidth"),
		AverageBandwidth: rapid.Int64Min(0).Draw(t, "average"),
	}
	if rapid.Bool().Draw(t, "is video") {
		r.Video = anyVideo(t)
	} else {
		r.Audio = anyAudio(t)
	}
	return r
}

func anyVideo(t *rapid.T) *ladders.Video {
	words := rapid.StringMatching(`[a-z0-9_.]{0,8}`)
	return &ladders.Video{
		Width: rapid.IntRange(2, 16384).Draw(t, "width"), Height: rapid.IntRange(2, 16384).Draw(t, "height"),
		Divisor: rapid.Int64Range(1, 8).Draw(t, "divisor"),
		Codec:   words.Draw(t, "codec"), Profile: words.Draw(t, "profile"), Level: words.Draw(t, "level"),
		Bitrate: rapid.Int64().Draw(t, "bitrate"), Maxrate: rapid.Int64().Draw(t, "maxrate"), Bufsize: rapid.Int64().Draw(t, "bufsize"),
		Preset: words.Draw(t, "preset"), Encoder: words.Draw(t, "encoder"),
		Depth: rapid.IntRange(0, 12).Draw(t, "depth"), Range: rapid.SampledFrom([]ladders.Range{"", ladders.SDR, ladders.PQ, ladders.HLG}).Draw(t, "range"),
		Scaler:     rapid.SampledFrom([]ladders.Scaler{"", ladders.Bicubic, ladders.Lanczos}).Draw(t, "scaler"),
		ScaledFrom: rapid.SampledFrom([]ladders.Size{{}, {W: 1280, H: 720}}).Draw(t, "scaled from"),
		Picture: rapid.SampledFrom([]*ladders.Picture{nil, {}, {Fields: true, Pad: ladders.Aspect{W: 16, H: 9}, Denoise: ladders.DenoiseStrong},
			{Overlays: []ladders.Overlay{{Logo: "a.png", At: "top-right", Width: 1200, Margin: 500, Opacity: 8000}, {Text: "{timecode}", At: "bottom", Height: 525, Opacity: 10000}}},
			{Crop: &ladders.Rect{W: 640, H: 360, X: 2, Y: 4}}}).Draw(t, "picture"),
	}
}

func anyAudio(t *rapid.T) *ladders.Audio {
	words := rapid.StringMatching(`[a-z0-9-]{0,8}`)
	return &ladders.Audio{
		Codec: words.Draw(t, "codec"), Language: words.Draw(t, "language"), Label: words.Draw(t, "label"),
		Channels: rapid.IntRange(1, 16).Draw(t, "channels"), SampleRate: rapid.IntRange(8000, 96000).Draw(t, "rate"),
		Bitrate: rapid.Int64().Draw(t, "bitrate"), Track: rapid.IntRange(0, 31).Draw(t, "track"), Default: rapid.Bool().Draw(t, "default"),
		Passthrough: rapid.Bool().Draw(t, "passthrough"),
	}
}
