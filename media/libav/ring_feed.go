package libav

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/ring"
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
		it, err := f.packets.Next(f.ctx)
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
		if it.Packet.Stream >= len(f.at) {
			continue
		}
		return fromRing(p, it.Packet, f.at[it.Packet.Stream])
	}
}

func (f *ringFeed) close() {
	f.cancel()
	_ = f.packets.Close()
	f.fc.Free()
}
