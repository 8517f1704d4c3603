package gpu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Intervals of the poller.
const (
	pollEvery  = time.Second // the driver's own samples are no denser
	staleAfter = 3 * time.Second
	firstRetry = time.Second // to start the driver's library
	lastRetry  = time.Minute
	// A GPU that is lost is looked for anew, because a handle that was lost
	// stays so after a reset: first after reopenLost, then more and more seldom.
	reopenLost     = 30 * time.Second
	reopenLostLast = 10 * time.Minute
	// A GPU that one opening of the library does not list may only have failed to
	// give its handle: it is lost when the next one does not list it either.
	reopenUnsure = 5 * time.Second
	lostUnlisted = 2
	eventWait    = time.Second
	goodbye      = 2 * time.Second // that a driver may take to let go
)

// State of a device.
type State int

// A device is well, or its figures are old, or there will be none.
const (
	Unread State = iota // not read yet
	Well
	Stale // the driver does not answer, or gives errors
	Lost  // the driver says that it is gone, or does not list it time and again
)

// Device is one GPU as last read.
type Device struct {
	GPU
	Index int    // of the driver, until it is loaded anew
	Bus   string // PCI address, "" where the driver does not tell
	State State
	// Trouble says in a sentence why it is not well.
	Trouble string
	// Unlisted counts the latest openings of the driver's library, one after the
	// other, that did not list it.
	Unlisted int
	At       time.Time     // of the reading; zero before the first
	Age      time.Duration // of it in a snapshot; before the first how long it has been waited for
	Took     time.Duration // the reading itself
	Reading
	Xids      []Xid             // the newest, oldest first
	XidCounts map[uint64]uint64 // by code, since this process started
}

// Snapshot is what is known of all GPUs.
type Snapshot struct {
	Driver  string
	Devices []Device // in the order in which they were found
	// Trouble says why there are no GPUs or fewer than there could be.
	Trouble string
}

// Errors of a driver's device; others are told as they are, and pass or stay.
var (
	// errLost: the GPU is gone until something is done about it.
	errLost = errors.New("the GPU cannot be used")
	// errReopen: the conversation is over, another one may do better.
	errReopen = errors.New("the driver was stopped or loaded anew")
)

// driver is a conversation with the NVIDIA driver. Any of its calls may hang.
type driver interface {
	version() string
	// devices are those found at its start, and why there are not more.
	devices() ([]Device, string)
	// read one of them. Errors wrap errLost or errReopen where they are that.
	read(device int) (Reading, error)
	// wait for an XID of one of them (its UUID; "" for none in time).
	wait(time.Duration) (uuid string, code uint64, err error)
	// doing names the call that the reader is in.
	doing() string
	close()
}

// Poller reads all GPUs of this host once a second, one after the other: the
// driver serves one caller at a time anyway. It is made by NewPoller.
type Poller struct {
	log  *slog.Logger
	open func() (driver, error)

	mu      sync.Mutex
	current driver    // while it is talked to
	since   time.Time // when it was opened, or since when it is being opened
	state   Snapshot
	missed  []string // UUIDs that were there once and are looked for
}

// NewPoller knows nothing before Run.
func NewPoller(log *slog.Logger) *Poller { return newPoller(log, openDriver(log)) }

func newPoller(log *slog.Logger, open func() (driver, error)) *Poller {
	return &Poller{log: log, open: open, state: Snapshot{Trouble: "the NVIDIA driver was not asked yet"}}
}

// Expect GPUs that this host has had: the driver is asked for them anew now and then, as
// for one that is lost.
func (p *Poller) Expect(uuids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missed = append(p.missed, uuids...)
}

// Run polls until ctx ends. A call into a driver that hangs cannot be taken
// back: its goroutine is left to it.
func (p *Poller) Run(ctx context.Context) error {
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.converse(ctx)
	}()
	<-ctx.Done()
	late := time.NewTimer(goodbye)
	defer late.Stop()
	select {
	case <-over:
	case <-late.C:
		p.log.Warn("the NVIDIA driver does not answer; a thread is left waiting for it")
	}
	return nil
}

// Snapshot never waits for the driver.
func (p *Poller) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	s.Devices = slices.Clone(s.Devices)
	var waited time.Duration
	if !p.since.IsZero() {
		waited = time.Since(p.since)
	}
	if p.current == nil && waited > staleAfter {
		s.Trouble = silence(waited, "nvmlInit")
	}
	for i := range s.Devices {
		d := &s.Devices[i]
		age := waited // in the conversation that has not read it yet
		if !d.At.IsZero() {
			age = time.Since(d.At)
		}
		d.Age = age
		if (d.State == Well || d.State == Unread) && age > staleAfter {
			d.State, d.Trouble = Stale, silence(age, p.call())
		}
	}
	return s
}

// call is the one that the reader is in; mu is held.
func (p *Poller) call() string {
	if p.current == nil {
		return "nvmlInit"
	}
	return p.current.doing()
}

// silence says for how long the driver has been without an answer.
func silence(age time.Duration, call string) string {
	if call != "" {
		call = " (in " + call + ")"
	}
	return fmt.Sprintf("the NVIDIA driver has not answered for %d s%s; look for XID lines in the kernel's log", int(age.Seconds()), call)
}

// converse opens conversations, one after the other.
func (p *Poller) converse(ctx context.Context) {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: firstRetry, MaxInterval: lastRetry, Multiplier: 2, RandomizationFactor: 0.2,
	}
	pause.Reset()
	look := reopenLost
	for ctx.Err() == nil {
		p.opening()
		d, err := p.open()
		if err == nil {
			p.opened(d)
			pause.Reset()
			look, err = p.follow(ctx, d, look)
			p.closed()
			d.close()
		}
		switch {
		case ctx.Err() != nil:
		case err == nil:
		default:
			p.unable(err.Error())
			sleep(ctx, pause.NextBackOff())
		}
	}
}

// follow reads until the conversation is over; without an error another one
// should look for lost GPUs, as is due after look, and is due after what is returned.
// That begins anew when all are there.
func (p *Poller) follow(ctx context.Context, d driver, look time.Duration) (time.Duration, error) {
	listening, deaf := context.WithCancel(ctx)
	var events sync.WaitGroup
	defer events.Wait()
	defer deaf()
	events.Go(func() { p.listen(listening, d) })
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	unsure := p.unsure()
	again := time.NewTimer(look)
	if unsure {
		again.Reset(min(look, reopenUnsure))
	}
	defer again.Stop()
	found, _ := d.devices()
	for ctx.Err() == nil {
		for i := range found {
			begun := time.Now()
			r, err := d.read(i)
			if errors.Is(err, errReopen) {
				return look, err
			}
			p.took(found[i].UUID, r, time.Since(begun), err)
		}
		select {
		case <-ctx.Done():
		case <-again.C:
			if unsure {
				return look, nil
			}
			if p.misses() {
				return min(2*look, reopenLostLast), nil
			}
			look = reopenLost
			again.Reset(look)
		case <-tick.C:
		}
	}
	return look, nil
}

// listen takes XIDs as they come.
func (p *Poller) listen(ctx context.Context, d driver) {
	for ctx.Err() == nil {
		uuid, code, err := d.wait(eventWait)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return
		case err != nil:
			sleep(ctx, eventWait) // a lost GPU makes every wait end at once
		case uuid != "":
			p.happened(uuid, code)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
