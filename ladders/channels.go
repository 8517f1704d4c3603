package ladders

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Channel is one channel of a source. Track counts from 1 and is 0 for the
// track that a rung is made of; Channel counts from 1.
type Channel struct{ Track, Channel int }

func (c Channel) String() string {
	if c.Track == 0 {
		return strconv.Itoa(c.Channel)
	}
	return fmt.Sprintf("%d:%d", c.Track, c.Channel)
}

var channelPattern = regexp.MustCompile(`^(?:([1-9][0-9]?):)?([1-9][0-9]?)$`)

const wantChannel = `a channel such as 2, or with its track "3:1", each from 1 on`

// channelMap reads what each channel of a rung is made of.
func (v value) channelMap() (m []Channel) {
	v.list(8, func(_ int, item value) {
		s, ok := item.scalar(wantChannel)
		if !ok {
			return
		}
		parts := channelPattern.FindStringSubmatch(s)
		if parts == nil {
			item.fail("%q is not allowed, want %s", clip(s), wantChannel)
			return
		}
		var c Channel
		c.Track, _ = strconv.Atoi(parts[1])
		c.Channel, _ = strconv.Atoi(parts[2])
		m = append(m, c)
	})
	return m
}

// checkMap: a map names every channel of the rung, all by track or none.
func checkMap(got given, a *AudioRung) {
	at, ok := got["map"]
	if !ok || len(a.Map) == 0 {
		return
	}
	tracked := slices.IndexFunc(a.Map, func(c Channel) bool { return c.Track > 0 }) >= 0
	switch _, stated := got["channels"]; {
	case !slices.Contains([]int{1, 2, 6, 8}, len(a.Map)):
		at.fail("names %d channels, want 1 (mono), 2 (stereo), 6 (5.1) or 8 (7.1)", len(a.Map))
	case stated && a.Channels != len(a.Map):
		at.fail("names %d channels, and channels says %d", len(a.Map), a.Channels)
	case tracked && slices.ContainsFunc(a.Map, func(c Channel) bool { return c.Track == 0 }):
		at.fail("names a track for some channels and none for others; give all of them one, or none")
	case tracked && a.Languages.Only != nil, tracked && a.Languages.First:
		got["languages"].fail("does not go with a map that names tracks: it says itself which ones")
	}
	a.Channels = len(a.Map)
}

// ofTracks tells a map that says itself which tracks it is made of.
func ofTracks(m []Channel) bool { return len(m) > 0 && m[0].Track > 0 }

// formatMap is a map as a ladder file has it.
func formatMap(m []Channel) string {
	words := make([]string, len(m))
	for i, c := range m {
		words[i] = c.String()
		if c.Track > 0 {
			words[i] = strconv.Quote(words[i])
		}
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// lacks says which channel of a map the source does not have, "" for none.
// track is the index of the track that channels without one belong to.
func (r *resolver) lacks(rung AudioRung, track int) error {
	for i, c := range rung.Map {
		at := track
		if c.Track > 0 {
			at = c.Track - 1
		}
		if at >= len(r.source.Audio) {
			return fmt.Errorf("%w: %s.map[%d] asks for channel %s and the source has %d audio tracks; `gala-worker probe` lists them", ErrNoMatch, rung.Name, i, c, len(r.source.Audio))
		}
		if have := r.source.Audio[at].Channels; c.Channel > have {
			return fmt.Errorf("%w: %s.map[%d] asks for channel %d of track %d, which has %d; `gala-worker probe` lists them", ErrNoMatch, rung.Name, i, c.Channel, at+1, have)
		}
	}
	return nil
}

// sounds says what is done to sound beside encoding it.
func (l *Ladder) sounds() string {
	var b strings.Builder
	for _, r := range l.Audio {
		if len(r.Map) > 0 {
			fmt.Fprintf(&b, "%s: its channels are %s of the source\n", r.Name, formatMap(r.Map))
		}
		if r.Gain != 0 {
			fmt.Fprintf(&b, "%s: gain %s dB\n", r.Name, r.Gain)
		}
		switch n := r.Loudness; {
		case n == nil:
		case n.Measure:
			fmt.Fprintf(&b, "%s: loudness is measured (EBU R128) and said in the job's notes; files only\n", r.Name)
		default:
			fmt.Fprintf(&b, "%s: brought to %s LUFS (EBU R128), true peak at most %s dBTP, by one gain for the whole programme; files only, which are read twice\n", r.Name, n.Target, n.TruePeak)
		}
	}
	if slices.ContainsFunc(l.Audio, func(r AudioRung) bool { return len(r.Map) == 0 && r.Channels <= 2 }) {
		b.WriteString("5.1 becomes stereo as ITU-R BS.775 has it: centre and surrounds at -3 dB, no LFE, not scaled down (gain: -3dB leaves room)\n")
	}
	return b.String()
}
