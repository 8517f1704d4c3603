package libav

import (
	"context"
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// A transport stream may go on in other streams after a splice: on new PIDs,
// or with another codec on an old one. A track whose stream falls silent while
// a new one of its kind begins is continued from that one.

// newcomer is a stream that no track reads, and that was not there or was
// something else when the source was opened.
type newcomer struct {
	kind    astiav.MediaType
	codec   astiav.CodecID
	held    []*astiav.Packet
	at      []int64 // when each was read, by s.seq
	refused bool
}

const (
	// alone is how many packets of a newcomer without one of the track's own
	// make it the track's continuation.
	alone = 25
	// heldMost is how many packets may wait for that; then it is another track.
	heldMost = 200
)

// take brings one packet to its track. The packet stays the caller's.
func (s *fileSource) take(ctx context.Context, p *astiav.Packet) error {
	s.seq++
	i := p.StreamIndex()
	if texts := s.texts[i]; texts != nil {
		return s.takeText(texts, p)
	}
	stream := s.stream(i)
	if stream == nil {
		return nil
	}
	codec := stream.CodecParameters().CodecID()
	if t := s.tracks[i]; t != nil && t.codec == codec {
		t.last = s.seq
		s.d.clock.fix(p)
		if err := s.pauses(ctx, t, p); err != nil {
			return err
		}
		if t.video {
			if err := s.idlePages(decodesAt(p), t.clock.base); err != nil {
				return err
			}
		}
		return t.put(ctx, queued{pkt: p.Clone()})
	} else if t != nil { // the stream has become something else
		delete(s.tracks, i)
		delete(s.known, i)
		t.last = -1
	}
	if was, known := s.known[i]; known && was == codec {
		return nil
	}
	return s.meet(ctx, stream, codec, p)
}

// takeText decodes a packet of subtitles; one without a time says nothing.
func (s *fileSource) takeText(texts []*textTrack, p *astiav.Packet) error {
	if p.Pts() == noPTS {
		return nil
	}
	for _, t := range texts {
		if err := t.take(p, s.d.clock.follows(p, t.base)); err != nil {
			return err
		}
	}
	return nil
}

func (s *fileSource) stream(i int) *astiav.Stream {
	if i >= len(s.streams) {
		s.streams = s.d.fc.Streams()
	}
	if i >= len(s.streams) {
		return nil
	}
	return s.streams[i]
}

// meet holds a newcomer's packet until it is clear whether it continues a track.
func (s *fileSource) meet(ctx context.Context, stream *astiav.Stream, codec astiav.CodecID, p *astiav.Packet) error {
	n := s.newcomers[stream.Index()]
	if n == nil || n.codec != codec {
		n.drop()
		n = &newcomer{kind: stream.CodecParameters().MediaType(), codec: codec}
		n.refused = n.kind != astiav.MediaTypeVideo && n.kind != astiav.MediaTypeAudio
		s.newcomers[stream.Index()] = n
	}
	if n.refused {
		return nil
	}
	n.held, n.at = append(n.held, p.Clone()), append(n.at, s.seq)
	if t := s.orphan(n, alone); t != nil {
		return s.continueWith(ctx, t, stream, n)
	}
	if len(n.held) > heldMost {
		s.refuse(stream.Index(), n)
	}
	return nil
}

// orphan is the track that n continues: one whose stream has become something
// else, or had no packet while n had this many.
func (s *fileSource) orphan(n *newcomer, packets int) *fileTrack {
	if len(n.held) == 0 {
		return nil
	}
	for _, t := range s.all {
		gone := t.last < 0 || len(n.at) >= packets && t.last < n.at[len(n.at)-packets]
		if t.video == (n.kind == astiav.MediaTypeVideo) && gone {
			return t
		}
	}
	return nil
}

func (s *fileSource) continueWith(ctx context.Context, t *fileTrack, stream *astiav.Stream, n *newcomer) error {
	dec, err := openBareDecoder(stream, t.threads)
	if err != nil {
		s.note(fmt.Sprintf("the %s goes on in stream %d, which cannot be followed: %v", n.kind, stream.Index(), err))
		s.refuse(stream.Index(), n)
		return nil
	}
	dec.step = t.dec.step
	s.note(fmt.Sprintf("the %s goes on in another stream in mid-source: followed", n.kind))
	for i, have := range s.tracks {
		if have == t {
			delete(s.tracks, i)
			delete(s.known, i) // a loop comes back to it
		}
	}
	s.tracks[stream.Index()] = t
	t.codec, t.last = n.codec, s.seq
	s.d.clock.move(t.clock, stream)
	delete(s.newcomers, stream.Index())
	n.dropStale(dec.base)
	err = t.put(ctx, queued{next: dec})
	for _, p := range n.held {
		if err == nil {
			s.d.clock.fix(p)
			err = t.put(ctx, queued{pkt: p.Clone()})
		}
	}
	n.drop()
	return err
}

// settle decides about the newcomers that are left when the source ends.
func (s *fileSource) settle(ctx context.Context) error {
	for i, n := range s.newcomers {
		if t := s.orphan(n, len(n.held)); t != nil {
			if err := s.continueWith(ctx, t, s.stream(i), n); err != nil {
				return err
			}
		} else if !n.refused {
			s.refuse(i, n)
		}
	}
	return nil
}

func (s *fileSource) refuse(i int, n *newcomer) {
	if n.kind == astiav.MediaTypeVideo || n.kind == astiav.MediaTypeAudio {
		s.note(fmt.Sprintf("%s stream %d, which begins in mid-source, is left out", n.kind, i))
	}
	n.drop()
	n.refused = true
}

// dropStale lets go of what a demuxer had left over from before the splice:
// first packets whose timestamps lie far from those that follow.
func (n *newcomer) dropStale(base timeline.Timebase) {
	before := noPTS
	for i, p := range n.held {
		if p.Dts() == noPTS {
			continue
		}
		gap := timeline.Rescale(p.Dts()-before, base, microseconds)
		if before != noPTS && (gap > maxJump || gap < -maxJump) {
			for _, stale := range n.held[:i] {
				stale.Free()
			}
			n.held, n.at = n.held[i:], n.at[i:]
			return
		}
		before = p.Dts()
	}
}

func (n *newcomer) drop() {
	if n == nil {
		return
	}
	for _, p := range n.held {
		p.Free()
	}
	n.held, n.at = nil, nil
}
