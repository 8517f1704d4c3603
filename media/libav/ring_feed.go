package libav

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// Packets is a place in a ring, here or in another process. Next blocks until
// an item is there; io.EOF ends the source.
type Packets interface {
	Next(ctx context.Context) (ring.Item, error)
	Close() error
}

// OpenRing opens a ring at the last key frame before a source time in µs, or at
// ring.Oldest.
type OpenRing func(ctx context.Context, from int64) (Packets, error)

// LocalRing opens a ring of this process.
func LocalRing(r *ring.Ring) OpenRing {
	return func(_ context.Context, from int64) (Packets, error) { return localPackets{r.Read(from)}, nil }
}

type localPackets struct{ *ring.Reader }

func (localPackets) Close() error { return nil }

// ringFeed gives a ring's packets to the decoders as if a demuxer had read them.
type ringFeed struct {
	ctx     context.Context // of the source: ended by stop
	cancel  context.CancelFunc
	name    string
	packets Packets
	fc      *astiav.FormatContext // holds the streams, reads nothing
	session *ring.Session
	at      []int // stream of fc for each stream of the session, -1 unused
	known   []ring.Stream
	note    func(string)
	// gauge, where set, is told how old packets are when they are read.
	gauge *gauge
	now   func() time.Time

	// Of a feed that the desk watches.
	items  chan arrival // read ahead, so that the end of what has come is noticed
	ending atomic.Bool  // end there
	waited atomic.Int64 // when it had to wait last, in ns since the Unix epoch
	gaps   gaps
	reader sync.WaitGroup
}

// arrival is an item of a ring, or why there are no more.
type arrival struct {
	ring.Item
	err error
}

// gaps notices where pictures are missing that the next ones refer to.
type gaps struct {
	last    int64 // arrival of the packet before, µs
	shown   int64 // decode time of the picture before, µs
	step    int64 // the least there was between two pictures, µs; 0: not known yet
	broke   bool  // nothing came for a while, and no picture since
	await   bool  // a key frame
	started bool
	// pictures seen so far.
	pictures int64
}

// follow reads ahead from now on.
func (f *ringFeed) follow() {
	f.items = make(chan arrival, readAhead)
	f.reader.Go(func() {
		for {
			it, err := f.packets.Next(f.ctx)
			select {
			case f.items <- arrival{it, err}:
			case <-f.ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
}

// readAhead is in packets. quietFor is how long nothing may come from the ring
// before what has come is through, when the feed is told to end.
const (
	readAhead = 16
	quietFor  = 60 * time.Millisecond
	quietLook = 20 * time.Millisecond
)

// next is the next item; io.EOF when the feed is told to end and nothing is left.
func (f *ringFeed) next() (ring.Item, error) {
	if f.items == nil {
		return f.packets.Next(f.ctx)
	}
	select {
	case a := <-f.items:
		return a.Item, a.err
	default:
	}
	tick := time.NewTicker(quietLook)
	defer tick.Stop()
	for quiet := time.Duration(0); ; {
		f.waited.Store(time.Now().UnixNano())
		select {
		case a := <-f.items:
			return a.Item, a.err
		case <-f.ctx.Done():
			return ring.Item{}, f.ctx.Err()
		case <-tick.C:
			if quiet += quietLook; f.ending.Load() && quiet >= quietFor {
				return ring.Item{}, io.EOF
			}
		}
	}
}

// gapAtLeast is a break in the source, in its time and on the wall, in µs; but no
// less than the time of two and a half pictures, where those are rare.
const gapAtLeast = 400_000

func (g *gaps) bound() int64 { return max(gapAtLeast, g.step*5/2) }

// skips tells packets that refer to pictures which never came: after a break in
// which the source's time went on, until the next key frame.
func (g *gaps) skips(s *ring.Session, p ring.Packet) bool {
	g.broke = g.broke || g.started && p.Arrival-g.last > g.bound()
	g.last, g.started = max(g.last, p.Arrival), true
	if p.Stream != s.Lead() {
		return false
	}
	at := p.DTS
	if at == ring.NoTime {
		at = p.PTS
	}
	missing := int64(0)
	if at != ring.NoTime {
		us := timeline.Rescale(at, s.Streams[p.Stream].Base, microseconds)
		missing = us - g.shown
		g.learn(us, missing)
	}
	g.await = (g.await || g.broke && (missing >= g.bound() || missing < 0)) && !p.Key
	g.broke = false
	return g.await
}

// learn takes a picture's decode time, and how long after the one before it is.
func (g *gaps) learn(us, after int64) {
	if g.pictures++; g.pictures > 1 && after > 0 && (g.step == 0 || after < g.step) {
		g.step = after
	}
	g.shown = us
}

// openRing makes a demuxer of a ring.
func openRing(ctx context.Context, name string, open OpenRing, from int64) (*demuxer, error) {
	ctx, cancel := context.WithCancel(ctx)
	packets, err := open(ctx, from)
	if err != nil {
		cancel()
		return nil, ringError(name, err)
	}
	f := &ringFeed{ctx: ctx, cancel: cancel, name: name, packets: packets, fc: astiav.AllocFormatContext()}
	d := &demuxer{name: name, ring: f, fc: f.fc, clock: &clock{steady: true, streams: map[int]*trackClock{}}}
	f.note = d.clock.notes.add
	first, err := packets.Next(ctx)
	if err == nil && first.Session == nil {
		err = errors.New("it sent packets before their description")
	}
	if err == nil {
		err = f.begin(first.Session)
	}
	if err != nil {
		d.Close()
		return nil, ringError(name, err)
	}
	return d, nil
}

func ringError(name string, err error) error {
	if me, ok := errors.AsType[*media.Error](err); ok {
		return me
	}
	return &media.Error{Code: media.SourceError, Message: "read the ingest of source " + name, Err: err, Retryable: true,
		Advice: "see the ingest's log in the agent's data directory"}
}

// begin takes a session's streams. One that decodes as before goes on; any
// other becomes a stream of its own, which a track may move to.
func (f *ringFeed) begin(s *ring.Session) error {
	f.session, f.at = s, make([]int, len(s.Streams))
	for i, d := range s.Streams {
		at := slices.IndexFunc(f.known, func(k ring.Stream) bool { return sameDecoder(k, d) })
		if at < 0 || slices.Contains(f.at[:i], at) {
			stream, err := redescribe(f.fc, d)
			if err != nil {
				return err
			}
			at, f.known = stream.Index(), append(f.known, d)
		}
		f.at[i] = at
	}
	for _, n := range s.Notes {
		f.note(n)
	}
	return nil
}

// sameDecoder: packets of b can go to a decoder that was opened for a.
func sameDecoder(a, b ring.Stream) bool {
	return a.ID == b.ID && a.Kind == b.Kind && a.Codec == b.Codec && a.Base == b.Base && a.Layout == b.Layout &&
		a.Params["sample_rate"] == b.Params["sample_rate"] && bytes.Equal(a.Extradata, b.Extradata)
}

func (f *ringFeed) read(p *astiav.Packet) error {
	for {
		it, err := f.next()
		switch {
		case errors.Is(err, io.EOF):
			return io.EOF
		case err != nil && f.ctx.Err() != nil:
			return f.ctx.Err()
		case err != nil:
			return ringError(f.name, err)
		case it.Session != nil:
			if err := f.begin(it.Session); err != nil {
				return err
			}
			continue
		}
		if it.Lost > 0 {
			f.note(fmt.Sprintf("too slow for the source: %d packets or more were let go of", it.Lost))
		}
		if f.gauge != nil {
			arrived := time.Duration(it.Packet.Arrival) * time.Microsecond
			f.gauge.note(time.Duration(f.now().UnixNano())-arrived, arrived)
		}
		if it.Packet.Stream >= len(f.at) || f.items != nil && f.gaps.skips(f.session, it.Packet) {
			continue
		}
		return fromRing(p, it.Packet, f.at[it.Packet.Stream])
	}
}

func (f *ringFeed) close() {
	f.cancel()
	_ = f.packets.Close()
	f.reader.Wait()
	f.fc.Free()
}
