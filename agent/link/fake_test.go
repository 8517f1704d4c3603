package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// farm is a set of schedulers in memory; a test scripts them by address.
type farm struct {
	mu     sync.Mutex
	begin  time.Time
	trace  []string
	behave map[string]func(*wire)
}

// wire is one stream as a scripted scheduler sees it.
type wire struct {
	ctx  context.Context
	up   chan *galav1.AttachRequest
	down chan *galav1.AttachResponse
	end  context.CancelCauseFunc
	note func(string)
}

func newFarm() *farm { return &farm{begin: time.Now(), behave: map[string]func(*wire){}} }

func (f *farm) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trace = append(f.trace, fmt.Sprintf(format, args...))
}

func (f *farm) dial(ctx context.Context, address string) (Stream, func(), error) {
	f.note("dial %s", address)
	play := f.behave[address]
	if play == nil {
		return nil, nil, errors.New("connection refused")
	}
	ctx, end := context.WithCancelCause(ctx)
	w := &wire{ctx: ctx, up: make(chan *galav1.AttachRequest), down: make(chan *galav1.AttachResponse), end: end,
		note: func(s string) { f.note("%s: %s", address, s) }}
	var playing sync.WaitGroup
	playing.Go(func() { play(w); end(io.EOF) })
	return &clientEnd{w}, func() { end(context.Canceled); playing.Wait() }, nil
}

// clientEnd is the agent's end of a stream.
type clientEnd struct{ *wire }

func (c *clientEnd) Send(m *galav1.AttachRequest) error {
	select {
	case c.up <- m:
		return nil
	case <-c.ctx.Done():
		return io.EOF
	}
}

func (c *clientEnd) Recv() (*galav1.AttachResponse, error) {
	select {
	case m := <-c.down:
		return m, nil
	case <-c.ctx.Done():
		return nil, context.Cause(c.ctx)
	}
}

func (c *clientEnd) CloseSend() error { c.note("goodbye"); return nil }

// take is the agent's next message, nil at the end of the stream.
func (l *wire) take() *galav1.AttachRequest {
	select {
	case m := <-l.up:
		return m
	case <-l.ctx.Done():
		return nil
	}
}

func (l *wire) send(m *galav1.AttachResponse) {
	select {
	case l.down <- m:
	case <-l.ctx.Done():
	}
}

func welcome(beat time.Duration) *galav1.AttachResponse {
	return &galav1.AttachResponse{Message: &galav1.AttachResponse_Welcome{Welcome: &galav1.Welcome{
		Protocol: version.Protocol, BeatIntervalMs: uint32(beat / time.Millisecond), LeaseMs: 1200,
	}}}
}

func ack(m *galav1.AttachRequest) *galav1.AttachResponse {
	return &galav1.AttachResponse{Message: &galav1.AttachResponse_BeatAck{BeatAck: &galav1.BeatAck{Sequence: m.GetBeat().GetSequence()}}}
}

// healthy welcomes, notes everything, and acknowledges n beats (then it is
// silent); below 0 it goes on for ever.
func healthy(n int) func(*wire) {
	return func(l *wire) {
		for m := l.take(); m != nil; m = l.take() {
			l.note(line(m))
			switch {
			case m.GetHello() != nil:
				l.send(welcome(400 * time.Millisecond))
			case m.GetBeat() != nil && n != 0:
				n--
				l.send(ack(m))
			}
		}
	}
}

// host is what the link speaks for.
type host struct {
	mu   sync.Mutex
	held []string
	got  []string
}

func (h *host) Hello() *galav1.Hello {
	hello := &galav1.Hello{Name: "host", Instance: "1", Protocol: version.Protocol}
	for _, a := range h.Held() {
		hello.Held = append(hello.Held, &galav1.HeldLease{Assignment: a})
	}
	return hello
}

func (h *host) Held() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.held)
}

func (h *host) obeyed(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, fmt.Sprintf(format, args...))
}

func (h *host) Start(d *galav1.StartAssignment) { h.obeyed("start %s", d.GetAssignment().GetId()) }
func (h *host) Stop(d *galav1.StopAssignment) {
	h.obeyed("stop %s %s", d.GetAssignment(), d.GetMode())
}
func (h *host) Probe(d *galav1.ProbeRequest)    { h.obeyed("probe %s", d.GetId()) }
func (h *host) Anchor(d *galav1.AnchorDecision) { h.obeyed("anchor %s", d.GetAssignment()) }
func (h *host) Hold(d *galav1.HoldSource)       { h.obeyed("hold %s", d.GetJob()) }
func (h *host) Switch(d *galav1.SwitchInput) {
	h.obeyed("switch %s %d", d.GetAssignment(), d.GetOrder().GetInput())
}
func (h *host) Delivered(a string, e uint64) { h.obeyed("delivered %s %d", a, e) }

// attached runs a link in a bubble for a while.
func attached(t *testing.T, f *farm, schedulers []string, during func(*Link, *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f.begin = time.Now()
		h := &host{held: []string{"a"}}
		l, err := New(Config{
			Schedulers: schedulers, Agent: h, Outbox: newOutbox(), Dial: f.dial,
			Timing: DefaultTiming(), Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		during(l, h)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// pass lets time go by in a bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (f *farm) count(entry string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.trace {
		if e == entry {
			n++
		}
	}
	return n
}

func (f *farm) index(entry string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Index(f.trace, entry)
}
