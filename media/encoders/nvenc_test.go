package encoders

import (
	"strings"
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// nvencRung is a live 1080p25 rung of HEVC, changed as a test wants it.
func nvencRung(change func(*Rung)) Rung {
	r := Rung{Video: ladders.Video{Width: 1920, Height: 1080, Codec: "hevc", Profile: "main", Bitrate: 4_000_000, Maxrate: 5_000_000, Bufsize: 5_000_000, Preset: "balanced", Encoder: "hevc_nvenc"},
		Rate: timeline.Rate{Num: 25, Den: 1}, GOP: 50, Live: true, CPUs: 2}
	if change != nil {
		change(&r)
	}
	return r
}

func uhd60(r *Rung) {
	r.Width, r.Height, r.Rate, r.Preset = 3840, 2160, timeline.Rate{Num: 60, Den: 1}, "quality"
}

// What of NVENC's options depends on the rung, the card and the load.
func TestNVENCOptions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Rung)
		want   string
	}{
		"on air": {nil, "rc=vbr rc-lookahead=8 bf=3 b_ref_mode=middle temporal-aq=1 surfaces=17 delay=16 split_encode_mode=disabled"},
		// libavcodec enables lookahead only where delay-(bf+1)-4 is at least as much.
		"a file":                          {func(r *Rung) { r.Live, r.Preset = false, "quality" }, "rc-lookahead=32 surfaces=41 delay=40"},
		"on air, fastest":                 {func(r *Rung) { r.Preset = "fastest" }, "preset=p1 rc-lookahead=0 surfaces=16 delay=1"},
		"on air, eased":                   {func(r *Rung) { r.Ease = NoLookahead }, "preset=p5 rc-lookahead=0 delay=1 multipass=disabled"},
		"on air, eased further":           {func(r *Rung) { r.Ease = Quickest }, "preset=p1 rc-lookahead=0 delay=1"},
		"no room above the average":       {func(r *Rung) { r.Maxrate = r.Bitrate }, "rc=cbr temporal-aq=0"},
		"baseline":                        {func(r *Rung) { r.Codec, r.Profile, r.Encoder = "h264", "baseline", "h264_nvenc" }, "bf=0 b_ref_mode=disabled coder=cavlc"},
		"a card without B pictures":       {func(r *Rung) { r.Card = &Card{Encodes: true, TemporalAQ: true, Lookahead: true} }, "bf=0 b_ref_mode=disabled temporal-aq=1 rc-lookahead=8 surfaces=14 delay=13"},
		"a card that refers to none":      {func(r *Rung) { r.Card = &Card{Encodes: true, BFrames: 4} }, "bf=3 b_ref_mode=disabled temporal-aq=0 rc-lookahead=0 delay=1"},
		"a card with two B pictures":      {func(r *Rung) { r.Card = &Card{Encodes: true, BFrames: 2, BReference: true} }, "bf=2 b_ref_mode=middle"},
		"more than an engine, live":       {uhd60, "split_encode_mode=forced"},
		"the same faster":                 {func(r *Rung) { uhd60(r); r.Preset = "balanced" }, "split_encode_mode=disabled"},
		"the same in a file":              {func(r *Rung) { uhd60(r); r.Live = false }, "split_encode_mode=disabled"},
		"the same on one engine":          {func(r *Rung) { uhd60(r); r.Card = &Card{Encodes: true, Engines: 1} }, "split_encode_mode=disabled"},
		"the same in AV1, which is lower": {func(r *Rung) { uhd60(r); r.Codec, r.Encoder = "av1", "av1_nvenc" }, "split_encode_mode=disabled tier=0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := nvencRung(c.change)
			e, ok := Find(r.Video)
			if !ok {
				t.Fatal("no encoder")
			}
			got := map[string]string{}
			for _, o := range e.Options(r) {
				got[o.Key] = o.Value
			}
			for pair := range strings.FieldsSeq(c.want) {
				if key, value, _ := strings.Cut(pair, "="); got[key] != value {
					t.Errorf("%s=%s, want %s", key, got[key], value)
				}
			}
		})
	}
}

// users-ask 6: a card that cannot encode a rung at all is refused in words.
func TestCardRefuses(t *testing.T) {
	able := Card{Model: "NVIDIA X", Encodes: true, TenBit: true, Width: 4096, Height: 4096}
	large := able
	large.LeastWidth, large.LeastHeight = 145, 49
	eight := able
	eight.TenBit = false
	for want, c := range map[string]struct {
		card   Card
		change func(*Rung)
	}{
		"":                              {able, nil},
		"NVIDIA X does not encode hevc": {Card{Model: "NVIDIA X"}, nil},
		"NVIDIA X does not encode hevc of 10 bits": {eight, func(r *Rung) { r.Depth = 10 }},
		"NVIDIA X encodes hevc up to 4096x4096":    {able, func(r *Rung) { r.Width = 7680 }},
		"NVIDIA X encodes hevc from 145x49":        {large, func(r *Rung) { r.Width = 136 }},
	} {
		if got := c.card.Refuses(nvencRung(c.change)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
