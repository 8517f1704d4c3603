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
	// Cue is a text whose end is known.
	Cue(rendition string, c webvtt.Cue) error
	// Page takes the place of the page before it; one without text clears the
	// screen. It stays until the next one comes, and no longer than to its end.
	Page(rendition string, c webvtt.Cue) error
}

// textSink takes cues, or pages.
type textSink func(c webvtt.Cue, page bool) error

// textCodecs are the subtitles that are text; all others are pictures, or text
// that this build does not read.
var textCodecs = []astiav.CodecID{astiav.CodecIDMovText, astiav.CodecIDSubrip, astiav.CodecIDAss, astiav.CodecIDSsa, astiav.CodecIDWebvtt, astiav.CodecIDText}

// subtitles notes a track of subtitles, or why it is left out.
func (p *prober) subtitles(s *astiav.Stream) {
	id := s.CodecParameters().CodecID()
	if id == astiav.CodecIDDvbTeletext && astiav.FindDecoder(id) != nil {
		p.teletext(s)
		return
	}
	if !slices.Contains(textCodecs, id) || astiav.FindDecoder(id) == nil {
		p.notes.add(fmt.Sprintf("subtitle stream %d (%s) is %s: left out", s.Index(), strings.TrimSuffix(id.Name()+", "+tag(s, "language"), ", "), whyNot(id)))
		return
	}
	d := s.DispositionFlags()
	p.text = append(p.text, TextInfo{
		Index: s.Index(), Codec: id.Name(), Language: cmp.Or(tag(s, "language"), "und"), Title: strings.ToValidUTF8(tag(s, "title"), ""),
		Forced: d.Has(astiav.DispositionFlagForced), Impaired: d.Has(astiav.DispositionFlagHearingImpaired), Base: timebase(s.TimeBase()),
	})
}

// whyNot: subtitles of discs and of DVB are pictures.
func whyNot(id astiav.CodecID) string {
	switch id {
	case astiav.CodecIDDvbSubtitle, astiav.CodecIDDvdSubtitle, astiav.CodecIDHdmvPgsSubtitle, astiav.CodecIDXsub:
		return "made of pictures"
	}
	return "not text"
}

// textTrack decodes one stream of subtitles, or a page in it, as its packets are
// read: that costs nothing, and what is on screen with a picture is known about
// when the picture is.
type textTrack struct {
	cc    *astiav.CodecContext
	base  timeline.Timebase
	shift int64    // of a loop, in base
	emit  textSink // with times of the source, in µs
	pages *pages   // nil: not teletext
}

func openText(s *astiav.Stream, info TextInfo, emit textSink) (*textTrack, error) {
	if info.teletext() {
		return openPages(s, info, emit)
	}
	d, err := openDecoder(s, 1)
	if err != nil {
		return nil, err
	}
	d.frame.Free()
	return &textTrack{cc: d.cc, base: d.base, emit: emit}, nil
}

func (t *textTrack) close() {
	t.cc.Free()
	if t.pages != nil {
		t.pages.packet.Free()
	}
}

// take decodes a packet, whose time the clock has made continuous.
func (t *textTrack) take(p *astiav.Packet, pts int64) error {
	start := timeline.Rescale(pts+t.shift, t.base, microseconds)
	if t.pages != nil {
		return t.sent(t.pages.Put(p.Data(), start))
	}
	events, ms, _ := decodeText(t.cc, p)
	end := start + timeline.Rescale(p.Duration(), t.base, microseconds)
	if p.Duration() <= 0 {
		end = start + cmp.Or(ms, unknownLength)*1000
	}
	for _, e := range events {
		text, settings := webvtt.FromASS(e)
		if text == "" || end <= start {
			continue
		}
		if err := t.emit(webvtt.Cue{Start: start, End: end, Text: text, Settings: settings}, false); err != nil {
			return err
		}
	}
	return nil
}

// unknownLength is how long a cue is shown whose source does not say, in ms.
const unknownLength = 4000

// Paged tells a track of subtitles whose texts stay on screen until the next come.
func (p *Pipeline) Paged(track int) bool {
	return track < len(p.facts.Text) && p.facts.Text[track].teletext()
}

// cueSinks are the sinks of the text tracks that renditions are made from.
func (p *Pipeline) cueSinks() []textSink {
	out := make([]textSink, len(p.facts.Text))
	to, ok := p.o.Output.(Texter)
	for _, r := range p.o.Spec.Renditions {
		if r.Text == nil || !ok || r.Text.Track >= len(out) {
			continue
		}
		before := out[r.Text.Track]
		out[r.Text.Track] = func(c webvtt.Cue, page bool) error {
			if before != nil {
				if err := before(c, page); err != nil {
					return err
				}
			}
			if page {
				return to.Page(r.Name, p.onGrid(c))
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
