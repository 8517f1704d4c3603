package encoders

import (
	"strings"
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
	"github.com/google/go-cmp/cmp"
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
		"on air": {nil, "rc=vbr rc-lookahead=4 bf=3 b_ref_mode=middle temporal-aq=1 surfaces=16 delay=12 split_encode_mode=disabled"},
		// Of half a second nothing is left for more than the B pictures.
		"on air at 12.5": {func(r *Rung) { r.Rate, r.GOP = timeline.Rate{Num: 25, Den: 2}, 25 }, "rc-lookahead=0 bf=3 delay=1"},
		"on air at 50":   {func(r *Rung) { r.Rate, r.GOP = timeline.Rate{Num: 50, Den: 1}, 100 }, "rc-lookahead=8 surfaces=17 delay=16"},
		// libavcodec enables lookahead only where delay-(bf+1)-4 is at least as much.
		"a file":                          {func(r *Rung) { r.Live, r.Preset = false, "quality" }, "rc-lookahead=32 surfaces=41 delay=40"},
		"on air, fastest":                 {func(r *Rung) { r.Preset = "fastest" }, "preset=p1 rc-lookahead=0 surfaces=16 delay=1"},
		"on air, eased":                   {func(r *Rung) { r.Ease = NoLookahead }, "preset=p5 rc-lookahead=0 delay=1 multipass=disabled"},
		"on air, eased further":           {func(r *Rung) { r.Ease = Quickest }, "preset=p1 rc-lookahead=0 delay=1"},
		"no room above the average":       {func(r *Rung) { r.Maxrate = r.Bitrate }, "rc=cbr temporal-aq=0"},
		"baseline":                        {func(r *Rung) { r.Codec, r.Profile, r.Encoder = "h264", "baseline", "h264_nvenc" }, "bf=0 b_ref_mode=disabled coder=cavlc"},
		"a card without B pictures":       {func(r *Rung) { r.Card = &Card{Encodes: true, TemporalAQ: true, Lookahead: true} }, "bf=0 b_ref_mode=disabled temporal-aq=1 rc-lookahead=7 surfaces=13 delay=12"},
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

// Of a card that refuses what it says to have one thing less is asked at a time, and
// what hangs together goes together.
func TestLessIsAsked(t *testing.T) {
	r := nvencRung(uhd60)
	e, _ := Find(r.Video)
	var got []string
	for _, l := range e.Less(r) {
		values := map[string]string{}
		for _, o := range e.Options(l.Rung) {
			values[o.Key] = o.Value
		}
		got = append(got, strings.Join([]string{l.Without, values["split_encode_mode"], values["temporal-aq"], values["b_ref_mode"], values["rc-lookahead"], values["bf"], values["delay"]}, " | "))
	}
	want := []string{
		"several engines for a picture | disabled | 1 | middle | 8 | 3 | 16",
		"temporal AQ | forced | 0 | middle | 8 | 3 | 16",
		"references to B pictures | forced | 1 | disabled | 8 | 3 | 16",
		"lookahead | forced | 1 | middle | 0 | 3 | 1",
		"B pictures | forced | 1 | disabled | 8 | 0 | 13",
		"several engines for a picture, temporal AQ, references to B pictures, lookahead, B pictures | disabled | 0 | disabled | 0 | 0 | 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got):", diff)
	}
	r = nvencRung(func(r *Rung) {
		r.Codec, r.Encoder, r.Card = "h264", "h264_nvenc", &Card{Encodes: true, TemporalAQ: true}
	})
	if all := e.Less(r); len(all) != 1 || all[0].Without != "temporal AQ" {
		t.Errorf("of a card that has one thing alone: %+v", all)
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
