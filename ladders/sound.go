package ladders

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// audioLimit is what an audio codec can carry.
type audioLimit struct {
	channels int
	rates    []int
	// low and high bit rates: per channel, or in all where steps are given.
	low, high int64
	steps     []int64
}

func audioLimits(codec string) audioLimit {
	switch codec {
	case "opus":
		return audioLimit{channels: 8, rates: []int{48000}, low: 6_000, high: 256_000}
	case "ac-3":
		return audioLimit{channels: 6, rates: []int{32000, 44100, 48000}, steps: AC3BitRates()}
	case "ec-3":
		return audioLimit{channels: 6, rates: []int{32000, 44100, 48000}, low: 16_000, high: 1_024_000}
	}
	// 6144 bits per channel and frame is the most that AAC allows.
	return audioLimit{channels: 8, rates: []int{24000, 32000, 44100, 48000}, low: 8_000, high: 264_000}
}

// AC3BitRates are the bit rates of ETSI TS 102 366 table F.4.1.
func AC3BitRates() []int64 {
	kbits := []int64{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640}
	for i := range kbits {
		kbits[i] *= 1000
	}
	return kbits
}

// bits are the lowest and highest bit rate with this many channels.
func (l audioLimit) bits(channels int) (low, high int64) {
	if l.steps != nil {
		return l.steps[0], l.steps[len(l.steps)-1]
	}
	n := int64(channels)
	return l.low * n, l.high * n
}

// step is the nearest bit rate that the codec has, not below the wanted one
// where there is one.
func (l audioLimit) step(bits int64) int64 {
	if l.steps == nil {
		return bits
	}
	i, _ := slices.BinarySearch(l.steps, bits)
	return l.steps[min(i, len(l.steps)-1)]
}

func (r *resolver) audio() error {
	if len(r.source.Audio) == 0 {
		return nil
	}
	taken := map[string]bool{}
	for _, v := range r.out.Renditions {
		taken[strings.ToLower(v.Name)] = true
	}
	for _, rung := range r.audioRungs() {
		if err := r.audioRung(rung, taken); err != nil {
			return err
		}
	}
	return nil
}

// audioRungs leaves out surround rungs where no track has surround, as long as
// another rung remains.
func (r *resolver) audioRungs() []AudioRung {
	most := 2
	for _, t := range r.source.Audio {
		most = max(most, t.Channels)
	}
	var kept []AudioRung
	for _, rung := range r.ladder.Audio {
		if rung.Channels > 2 && most <= 2 && len(rung.Map) == 0 && !slices.ContainsFunc(r.source.Audio, rung.passes) {
			r.note(fmt.Sprintf("%s has %d channels, the source at most 2; it is left out", rung.Name, rung.Channels))
			continue
		}
		kept = append(kept, rung)
	}
	if len(kept) == 0 && len(r.ladder.Audio) > 0 {
		r.out.Notes = r.out.Notes[:len(r.out.Notes)-1]
		kept = r.ladder.Audio[len(r.ladder.Audio)-1:]
	}
	return kept
}

// audioRung adds one rendition per chosen track.
func (r *resolver) audioRung(rung AudioRung, taken map[string]bool) error {
	tracks := r.tracks(rung)
	for i, track := range tracks {
		if err := r.lacks(rung, track); err != nil {
			return err
		}
		a := r.audioOf(rung, track)
		a.Default = i == 0
		name := rung.Name
		if len(tracks) > 1 {
			name += "-" + strings.ToLower(a.Language)
		}
		peak, average := audioBandwidth(a, r.out.Grid)
		r.out.Renditions = append(r.out.Renditions, Rendition{
			Name: unique(name, taken), Audio: &a, Codecs: audioCodecs(a.Codec), Bandwidth: peak, AverageBandwidth: average,
		})
	}
	return nil
}

// unique is name, numbered where another rendition has it already.
func unique(name string, taken map[string]bool) string {
	candidate := name
	for n := 2; taken[strings.ToLower(candidate)]; n++ {
		candidate = fmt.Sprintf("%s-%d", name, n)
	}
	taken[strings.ToLower(candidate)] = true
	return candidate
}

// tracks are the indexes of the source's tracks that rung takes: one per
// language, in the source's order.
func (r *resolver) tracks(rung AudioRung) []int {
	if ofTracks(rung.Map) {
		return []int{min(rung.Map[0].Track, len(r.source.Audio)) - 1}
	}
	if rung.Languages.First {
		return []int{0}
	}
	var order []string
	best := map[string]int{}
	for i, t := range r.source.Audio {
		tag := canonicalLanguage(t.Language)
		have, ok := best[tag]
		if !ok {
			order, best[tag] = append(order, tag), i
		} else if old := r.source.Audio[have]; rung.passes(t) && !rung.passes(old) || rung.passes(t) == rung.passes(old) && better(t.Channels, old.Channels, rung.Channels) {
			best[tag] = i
		}
	}
	tags := r.wanted(rung, order)
	out := make([]int, len(tags))
	for i, tag := range tags {
		out[i] = best[tag]
	}
	return out
}

// better tells whether a track of a channels serves a rung that wants want
// better than one of b: the first with enough, else the most.
func better(a, b, want int) bool { return b < want && a > b }

// wanted keeps the rung's languages of those that the source has; the first
// track where it has none, because silence helps nobody.
func (r *resolver) wanted(rung AudioRung, have []string) []string {
	if rung.Languages.Only == nil {
		return have
	}
	var out []string
	for _, want := range rung.Languages.Only {
		i := slices.IndexFunc(have, func(tag string) bool { return sameLanguage(want, tag) })
		switch {
		case i < 0:
			r.note(fmt.Sprintf("%s asks for the language %s, which the source lacks", rung.Name, want))
		case !slices.Contains(out, have[i]):
			out = append(out, have[i])
		}
	}
	if len(out) == 0 {
		r.note(fmt.Sprintf("%s takes the first track, %s, since the source has none of its languages", rung.Name, have[0]))
		return have[:1]
	}
	return out
}

// audioOf is rung applied to one track. Sound is mixed down, never up: mono
// stays mono, at its share of the bits.
func (r *resolver) audioOf(rung AudioRung, track int) Audio {
	t := r.source.Audio[track]
	a := Audio{
		Codec: rung.Codec, Channels: rung.Channels, SampleRate: rung.SampleRate, Bitrate: rung.Bitrate,
		Language: canonicalLanguage(t.Language), Track: track, Group: rung.Name,
		Map: rung.Map, Gain: rung.Gain, Loudness: rung.Loudness,
	}
	a.Label = languageLabel(a.Language)
	if rung.passes(t) {
		a.Passthrough, a.SampleRate = true, t.SampleRate
		a.Channels, a.Bitrate = cmp.Or(t.Channels, a.Channels), cmp.Or(t.Bitrate, a.Bitrate)
		return a
	}
	if rung.Passthrough {
		r.note(fmt.Sprintf("%s is encoded: the source's track is %s, not %s", rung.Name, cmp.Or(t.Codec, "of unknown codec"), rung.Codec))
	}
	if channels := fewer(t.Channels, rung.Channels); channels != rung.Channels && len(rung.Map) == 0 {
		limit := audioLimits(rung.Codec)
		low, high := limit.bits(channels)
		share := roundUp(rung.Bitrate * int64(channels) / int64(rung.Channels))
		a.Channels, a.Bitrate = channels, limit.step(min(high, max(low, min(minReduced, rung.Bitrate), share)))
	}
	return a
}

// passes tells whether the rung takes a track as it is.
func (a AudioRung) passes(t SourceAudio) bool {
	return a.Passthrough && t.Codec == sourceCodec(a.Codec) && slices.Contains(audioLimits(a.Codec).rates, t.SampleRate)
}

// sourceCodec is libav's name of a codec that can be passed on.
func sourceCodec(codec string) string {
	return map[string]string{"ac-3": "ac3", "ec-3": "eac3"}[codec]
}

// fewer is the layout of at most want channels for a track that has have; an
// unknown count is taken as wanted. Mono is sent as stereo, both sides alike:
// players on televisions put a single channel to the left, and Apple wants
// stereo of every source (authoring 2.3).
func fewer(have, want int) int {
	if have <= 0 || have >= want {
		return want
	}
	if have >= 6 {
		return 6
	}
	return 2
}
