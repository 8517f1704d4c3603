package packager

import (
	"time"

	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/hls"
)

// segment is a finished segment on its way to the sinks.
type segment struct {
	number int64
	frames int64
	bytes  []byte
	boxes  []byte // subtitles a second time, for DASH; nil without
	init   *cmaf.Init
	entry  hls.Segment
	// end is when its last frame is over, live only.
	end time.Time
	// missing: nobody makes it, and it is listed as a gap.
	missing bool
	// listed is how many bytes there were, of one whose bytes are let go of.
	listed int64
}

// listing is what is left to be told of a segment that is at its sink.
func (s *segment) listing() *segment {
	l := *s
	l.bytes, l.boxes, l.listed = nil, nil, s.size()
	return &l
}

// size is all of it.
func (s *segment) size() int64 { return s.listed + int64(len(s.bytes)+len(s.boxes)) }

// encode turns a batch into a segment: a fragment per GOP, one for audio.
func (p pace) encode(rendition string, b *batch, init *cmaf.Init, live bool, brands ...func(cmaf.Segment) (cmaf.Segment, error)) (*segment, error) {
	var fragments []cmaf.Fragment
	for at := int64(0); at < int64(len(b.frames)); {
		n := int64(len(b.frames)) - at
		if p.gop > 0 {
			n = min(n, p.gop)
		}
		fragments = append(fragments, p.fragment(b, at, n, live))
		at += n
	}
	enc, err := init.Cipher.Encode(rendition, b.number, fragments...)
	if err != nil {
		return nil, err
	}
	for _, brand := range brands {
		if enc, err = brand(enc); err != nil {
			return nil, err
		}
	}
	s := &segment{number: b.number, frames: int64(len(b.frames)), bytes: enc.Bytes, init: init, entry: p.entry(b.number, b.next)}
	s.entry.Map, s.entry.Size = init.Name, int64(len(enc.Bytes))
	if !live {
		s.entry.Time = time.Time{}
	} else {
		s.end = p.wall(b.next)
	}
	if p.gop > 0 {
		s.entry.IFrames = p.iframes(enc.IFrames, b)
	}
	return s, nil
}

// entry lists segment number, which ends before frame next.
func (p pace) entry(number, next int64) hls.Segment {
	first := p.first(number)
	return hls.Segment{Number: number, URI: hls.SegmentName(number), Duration: p.between(first, next), Time: p.wall(first)}
}

// fragment holds n frames of the batch from at on. The i-th frame decodes at
// the segment's start plus i frames, whatever the encoder thought (DESIGN §3).
func (p pace) fragment(b *batch, at, n int64, live bool) cmaf.Fragment {
	f := cmaf.Fragment{
		Sequence: uint32(p.sequence(b.first + at)),
		Decode:   (b.first + at) * p.ticks,
		Duration: uint32(p.ticks),
		Samples:  make([]cmaf.Sample, n),
	}
	for i := range f.Samples {
		decode := b.first + at + int64(i)
		fr := b.frames[at+int64(i)]
		f.Samples[i] = cmaf.Sample{Data: fr.data, Offset: int32((fr.index - decode) * p.ticks), Sync: p.gop == 0 || i == 0}
	}
	if live {
		f.Reference = p.wall(b.first + at)
	}
	return f
}

// sequence numbers fragments along the track, the same on every host: the GOP's
// or the audio segment's number, from 1.
func (p pace) sequence(first int64) int64 {
	if p.gop > 0 {
		return first/p.gop + 1
	}
	return p.segment(first) + 1
}

func (p pace) iframes(ranges []cmaf.Range, b *batch) []hls.IFrame {
	var out []hls.IFrame
	for i, r := range ranges {
		from := b.first + int64(i)*p.gop
		out = append(out, hls.IFrame{Offset: r.Offset, Size: r.Size, Duration: p.between(from, min(from+p.gop, b.next))})
	}
	return out
}
