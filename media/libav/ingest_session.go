package libav

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// ingest is what is known from one connection to the next.
type ingest struct {
	IngestOptions
	number int
	last   int64 // arrival of the newest packet, µs since the epoch; 0: none yet
	end    int64 // when the newest packet ends, in µs of source time
	offset int64 // µs added to the source's own times
	// skew is the least that a packet of this session came after its own time,
	// in µs. What a demuxer lets go of late - its first packets, its last - is no
	// measure of the source's clock.
	skew int64
	lost string
}

// ingestSession is one connection, of one part or of several (sound in a
// playlist of its own).
type ingestSession struct {
	*ingest
	parts   []*part
	wall    wallClock
	started bool
	// after is where the connection before ended, in µs of source time, when
	// this one goes on in the same clock.
	after int64
}

// arrivals is how many packets may wait to be put into the ring.
const arrivals = 64

// session connects and reads until the connection ends.
func (g *ingest) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	demuxers, wall, err := openLive(ctx, g.Input, g.Rules)
	if err != nil {
		return err
	}
	defer func() {
		for _, d := range demuxers {
			d.Close()
		}
	}()
	s := &ingestSession{ingest: g, wall: wall}
	for _, d := range demuxers {
		p, err := newPart(d, g.Input)
		if err != nil {
			return err
		}
		s.parts = append(s.parts, p)
	}
	in := make(chan arrived, arrivals)
	var readers sync.WaitGroup
	for _, p := range s.parts {
		readers.Go(func() { p.read(ctx, in) })
	}
	defer readers.Wait()
	defer cancel()
	return s.run(ctx, in)
}

func (s *ingestSession) run(ctx context.Context, in <-chan arrived) error {
	for {
		select {
		case a := <-in:
			if a.err != nil {
				return sourceEnd(ctx, a.err)
			}
			s.take(a)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func sourceEnd(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == io.EOF: //nolint:errorlint // a bare EOF is the clean end
		return errors.New("it ended")
	}
	return err
}

// take puts one packet into the ring.
func (s *ingestSession) take(a arrived) {
	if a.streams != nil {
		a.part.learn(a.streams)
		if s.started {
			s.describe()
		}
	}
	p, pkt, now := a.part, a.packet, s.Now().UnixMicro()
	if !p.wants(pkt.Stream) || !s.started && !s.join(p, pkt, now) {
		return
	}
	if !s.started {
		s.started = true
		s.describe()
	}
	p.clock.pause = 0
	if gone := now - s.last; s.last > 0 && gone > 1_000_000 {
		p.clock.pause = gone
	}
	pkt.PTS, pkt.DTS = p.clock.fixed(pkt.Stream, pkt.PTS, pkt.DTS, pkt.Duration)
	if t, base := p.time(pkt); s.after > 0 && t != noPTS && timeline.Rescale(t, base, microseconds) < s.after {
		return // read before
	}
	s.follow(p, pkt, now)
	s.last, pkt.Arrival = now, now
	pkt.Stream = s.place(p, pkt.Stream)
	s.Ring.Put(pkt)
}

// place is a part's stream among those of all parts.
func (s *ingestSession) place(p *part, stream int) int {
	at := 0
	for _, q := range s.parts {
		for i := range q.streams {
			if q == p && i == stream {
				return at
			}
			if q.wants(i) {
				at++
			}
		}
	}
	return at
}

// follow notes where the source's time has come to: all parts keep one time.
func (s *ingestSession) follow(p *part, pkt ring.Packet, now int64) {
	if t, base := p.time(pkt); t != noPTS {
		s.end = max(s.end, timeline.Rescale(t+pkt.Duration, base, microseconds))
		s.skew = min(s.skew, now-timeline.Rescale(t, base, microseconds))
	}
	s.offset = p.clock.offset
	for _, q := range s.parts {
		q.clock.offset = s.offset
	}
}

// sameClock is how far a source may be from where its clock would stand by now
// and still be taken for the same clock, in µs; samePlaylist likewise for one
// that is read some segments before its end.
const sameClock, samePlaylist = 1_000_000, 120_000_000

// join settles how this connection's times continue those before: a source that
// kept its clock goes on in it, any other follows after the time that passed.
// A packet without a time settles nothing.
func (s *ingestSession) join(p *part, pkt ring.Packet, now int64) bool {
	t, base := p.time(pkt)
	if t == noPTS {
		return false
	}
	if s.number > 0 {
		// What was read first came before the streams were known.
		expected := min(now, p.began) - s.skew
		for _, q := range s.parts {
			q.clock.unwrap.Seed(timeline.Rescale(expected-s.offset, microseconds, timeline.Timebase{Num: 1, Den: 90000}))
		}
		if p.clock.wraps {
			unwrap := p.clock.unwrap
			t = unwrap.Next(t)
		}
		bound := int64(sameClock)
		if s.wall != nil {
			bound = samePlaylist
		}
		s.after = s.end
		if off := expected - timeline.Rescale(t, base, microseconds) - s.offset; max(off, -off) > bound {
			s.offset, s.after = s.offset+off, 0
			s.Log.Info("the source counts anew", "joined_after_us", now-s.last)
		}
	}
	for _, q := range s.parts {
		q.clock.offset = s.offset
	}
	s.skew = math.MaxInt64
	return true
}

// describe opens a session in the ring.
func (s *ingestSession) describe() {
	s.number++
	first := s.parts[0]
	d := ring.Session{Number: s.number, Container: first.container, Notes: slices.Clone(first.clock.notes.list)}
	if s.lost != "" {
		d.Notes = append(d.Notes, s.lost)
	}
	for _, p := range s.parts {
		for i, st := range p.streams {
			if p.wants(i) {
				d.Streams = append(d.Streams, st.Stream)
			}
		}
	}
	if s.wall != nil {
		if t, ok := s.wall(); ok {
			d.Wall = &ring.Wall{At: t.At + s.offset, Time: t.Time}
		}
	}
	s.Log.Info("source connected", "session", s.number, "container", d.Container, "streams", len(d.Streams))
	s.Ring.Begin(d)
}
