package libav

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/media/teletext"
	"github.com/galafarm/gala/media/webvtt"
	"github.com/galafarm/gala/timeline"
)

// Teletext says when a page is shown and when another takes its place, never how
// long it stays. What is sent of a page is cut out first (media/teletext): the
// decoder reads characters, and nothing depends on when it finds a page complete.

// pages are those of one number in a stream.
type pages struct {
	teletext.Follower
	packet *astiav.Packet
	on     teletext.Page // what is on screen, 0 nothing
	dark   bool          // a first page that clears is told, then none on top of it
}

// longestPage is how long a page stays that nothing follows, in µs; unclosedPage
// how long one waits for more of it.
const longestPage, unclosedPage = 30_000_000, 200_000

func (t TextInfo) teletext() bool { return t.Codec == astiav.CodecIDDvbTeletext.Name() }

// teletext notes the pages of subtitles that a stream's descriptor names, each a
// track of its own. All others are none of ours.
func (p *prober) teletext(s *astiav.Stream) {
	listed := teletext.Listed(s.CodecParameters().ExtraData(), tag(s, "language"))
	if len(listed) == 0 {
		p.notes.add(fmt.Sprintf("teletext stream %d names no page of subtitles: what it sends as subtitles is taken as one track", s.Index()))
		listed = []teletext.Subtitles{{}}
	}
	for _, l := range listed {
		p.text = append(p.text, TextInfo{
			Index: s.Index(), Codec: s.CodecParameters().CodecID().Name(), Language: cmp.Or(l.Language, "und"), Impaired: l.Impaired,
			Page: int(l.Page), Base: timebase(s.TimeBase()),
		})
	}
}

func openPages(s *astiav.Stream, info TextInfo, emit textSink) (*textTrack, error) {
	d, err := newDecoder(s, 1, func(cc *astiav.CodecContext) error {
		return setOption(cc, "txt_format", "ass") // which knows lines and places
	})
	if err != nil {
		return nil, err
	}
	d.frame.Free()
	follow := teletext.Follower{Page: teletext.Page(info.Page), Patience: unclosedPage}
	return &textTrack{cc: d.cc, base: d.base, emit: emit, pages: &pages{Follower: follow, packet: astiav.AllocPacket()}}, nil
}

// textLag is how much later than the pictures that go with it text is sent, in µs, at
// most (ISO/IEC 13818-1 §2.4.2.6).
const textLag = 1_000_000

// idlePages tells the pages of teletext how far the pictures are: nothing else closes
// one whose stream falls silent.
func (s *fileSource) idlePages(at int64, base timeline.Timebase) error {
	if at == noPTS {
		return nil
	}
	for _, all := range s.texts {
		for _, t := range all {
			if t.pages == nil {
				continue
			}
			us := timeline.Rescale(at, base, microseconds) + timeline.Rescale(t.shift, t.base, microseconds)
			if err := t.sent(t.pages.Idle(us - textLag)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sent brings pages on screen, or off it.
func (t *textTrack) sent(all []teletext.Sent) error {
	for _, s := range all {
		text, settings, err := t.read(s)
		if err != nil {
			return err
		}
		if err := t.show(s.Page, webvtt.Cue{Start: s.At, End: s.At + longestPage, Text: text, Settings: settings}); err != nil {
			return err
		}
	}
	return nil
}

// show: of several pages in one track each clears only what it showed itself.
func (t *textTrack) show(page teletext.Page, c webvtt.Cue) error {
	p := t.pages
	if c.Text == "" && (p.dark || p.on != 0 && p.on != page) {
		return nil
	}
	p.on, p.dark = page, c.Text == ""
	if p.dark {
		p.on = 0
	}
	return t.emit(c, true)
}

// clear takes off what is on screen, at a time of the source in µs.
func (t *textTrack) clear(at int64) error { return t.show(t.pages.on, webvtt.Cue{Start: at, End: at}) }

// read decodes the characters of a page, "" for one that is empty.
func (t *textTrack) read(s teletext.Sent) (text, settings string, err error) {
	if err := fromRing(t.pages.packet, ring.Packet{Data: s.Payload, PTS: ring.NoTime, DTS: ring.NoTime}, 0); err != nil {
		return "", "", err
	}
	events, _, more := decodeText(t.cc, t.pages.packet)
	t.pages.packet.Unref()
	for more {
		var last []string
		if last, _, more = decodeText(t.cc, t.pages.packet); more {
			events = last
		}
	}
	if s.Blank || len(events) == 0 {
		return "", "", nil
	}
	// Spaces of the page's raster are hard in ASS, and where lines begin says less
	// of who speaks than of how the decoder guesses.
	text, settings = webvtt.FromASS(strings.ReplaceAll(events[0], `\h`, " "))
	for word := range strings.FieldsSeq(settings) {
		if strings.HasPrefix(word, "line:") {
			return text, word, nil
		}
	}
	return text, "", nil
}

// seam tells the tracks of text how far they are shifted after a seek or from the
// next pass of a loop on, and takes off what the pass before has left on screen.
func (s *fileSource) seam() error {
	for _, all := range s.texts {
		for _, t := range all {
			if t.pages != nil {
				if err := t.sent(t.pages.End()); err != nil {
					return err
				}
			}
			t.shift = s.loop.shift(t.base)
			if t.pages == nil || t.pages.on == 0 {
				continue
			}
			first := timeline.Rescale(s.loop.first, s.loop.base, t.base) + t.shift
			if err := t.clear(timeline.Rescale(first, t.base, microseconds)); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish gives the pages that were still being sent when the source ended.
func (s *fileSource) finish() error {
	for _, all := range s.texts {
		for _, t := range all {
			if t.pages != nil {
				if err := t.sent(t.pages.End()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
