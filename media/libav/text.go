package libav

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media/webvtt"
	"github.com/galafarm/gala/timeline"
)

// Texter is an Output that takes subtitles too.
type Texter interface {
	Cue(rendition string, c webvtt.Cue) error
}

// textCodecs are the subtitles that are text; all others are pictures, or text
// that this build does not read.
var textCodecs = []astiav.CodecID{astiav.CodecIDMovText, astiav.CodecIDSubrip, astiav.CodecIDAss, astiav.CodecIDSsa, astiav.CodecIDWebvtt, astiav.CodecIDText}

// subtitles notes a track of subtitles, or why it is left out.
func (p *prober) subtitles(s *astiav.Stream) {
	id := s.CodecParameters().CodecID()
	if !slices.Contains(textCodecs, id) || astiav.FindDecoder(id) == nil {
		p.notes.add(fmt.Sprintf("subtitle stream %d (%s) is not text: left out", s.Index(), id))
		return
	}
	d := s.DispositionFlags()
	p.text = append(p.text, TextInfo{
		Index: s.Index(), Codec: id.Name(), Language: cmp.Or(tag(s, "language"), "und"), Title: strings.ToValidUTF8(tag(s, "title"), ""),
		Forced: d.Has(astiav.DispositionFlagForced), Impaired: d.Has(astiav.DispositionFlagHearingImpaired), Base: timebase(s.TimeBase()),
	})
}

// textTrack decodes one stream of subtitles as its packets are read: that costs
// nothing, and what is on screen with a picture is known before the picture.
type textTrack struct {
	cc   *astiav.CodecContext
	base timeline.Timebase
	emit func(webvtt.Cue) error // with times of the source, in µs
}

func openText(s *astiav.Stream, emit func(webvtt.Cue) error) (*textTrack, error) {
	d, err := openDecoder(s, 1)
	if err != nil {
		return nil, err
	}
	d.frame.Free()
	return &textTrack{cc: d.cc, base: d.base, emit: emit}, nil
}

// take decodes a packet, whose time the clock has made continuous.
func (t *textTrack) take(p *astiav.Packet, pts int64) error {
	events, ms := decodeText(t.cc, p)
	start := timeline.Rescale(pts, t.base, microseconds)
	end := start + timeline.Rescale(p.Duration(), t.base, microseconds)
	if p.Duration() <= 0 {
		end = start + cmp.Or(ms, unknownLength)*1000
	}
	for _, e := range events {
		text, settings := webvtt.FromASS(e)
		if text == "" || end <= start {
			continue
		}
		if err := t.emit(webvtt.Cue{Start: start, End: end, Text: text, Settings: settings}); err != nil {
			return err
		}
	}
	return nil
}

// unknownLength is how long a cue is shown whose source does not say, in ms.
const unknownLength = 4000

// cueSinks are the sinks of the text tracks that renditions are made from.
func (p *Pipeline) cueSinks() []func(webvtt.Cue) error {
	out := make([]func(webvtt.Cue) error, len(p.facts.Text))
	to, ok := p.o.Output.(Texter)
	for _, r := range p.o.Spec.Renditions {
		if r.Text == nil || !ok || r.Text.Track >= len(out) {
			continue
		}
		before := out[r.Text.Track]
		out[r.Text.Track] = func(c webvtt.Cue) error {
			if before != nil {
				if err := before(c); err != nil {
					return err
				}
			}
			return to.Cue(r.Name, p.onGrid(c))
		}
	}
	return out
}

// onGrid moves a cue from the source's time to the grid's.
func (p *Pipeline) onGrid(c webvtt.Cue) webvtt.Cue {
	shift := framesUS(p.anchor.Frame, p.o.Spec.Grid) - timeline.Rescale(p.anchor.Source, p.anchor.Base, microseconds)
	c.Start, c.End = c.Start+shift, c.End+shift
	return c
}
