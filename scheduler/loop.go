package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/api"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/reconcile"
)

// tickEvery is how finely time passes: how late a lost agent or a due retry is
// noticed at most. A wake-up costs more than what is done in it.
const tickEvery = 150 * time.Millisecond

// loop owns the fleet view and the newest form of every job. Everything that
// happens reaches it as a message; it never waits for anything but the next.
type loop struct {
	cfg   Config
	log   *slog.Logger
	board *api.Board
	inbox chan message
	ended chan struct{} // closed when run returns

	view     *fleet.View
	used     reconcile.Used
	jobs     map[string]*entry
	sessions map[fleet.Session]*api.Session
	dirty    map[string]struct{}
	blocked  map[string]struct{}
	wakes    map[string]time.Time
	show     map[string]time.Time // jobs to put on the board, not before
	fleetNew bool                 // the fleet looks different since
	fleetAt  time.Time            // it was put on the board
	reading  map[string]struct{}  // seen since the last Reset, nil when synced
	synced   bool
	settleAt time.Time
	writes   writes

	// restoreCordons writes back what the store has lost; watchStore's own.
	restoreCordons func(context.Context) error

	moved     bool // outputs are at the origin of this run; watchStore's own
	storeDown atomic.Pointer[error]
}

// entry is one job as the loop knows it.
type entry struct {
	job job.Job
	// counted is what Used holds for this job: the record, or while a write is
	// under way the record as it will be.
	counted job.Job
	writing bool
	shown   time.Time
}

// message is one thing that happened; now is when it was received.
type message interface {
	take(l *loop, now time.Time)
}

// stamped is a message with the time of its receipt.
type stamped struct {
	message
	at time.Time
}

func (m stamped) take(l *loop, _ time.Time) { m.message.take(l, m.at) }

func newLoop(cfg Config, board *api.Board) *loop {
	return &loop{
		cfg: cfg, log: cfg.Log, board: board,
		inbox: make(chan message, 4096), ended: make(chan struct{}),
		view: fleet.New(cfg.Timing), used: reconcile.Used{}, jobs: map[string]*entry{},
		sessions: map[fleet.Session]*api.Session{}, dirty: map[string]struct{}{}, blocked: map[string]struct{}{},
		wakes: map[string]time.Time{}, show: map[string]time.Time{},
		restoreCordons: func(context.Context) error { return nil },
	}
}

func (l *loop) run(ctx context.Context) error {
	defer close(l.ended)
	l.writes.begin(ctx, l.cfg.Store, l.post)
	defer l.writes.wait()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-l.inbox:
			m.take(l, time.Now())
		case <-tick.C:
			l.drain()
			l.pass(time.Now())
		}
		l.drain()
		l.reconcile(time.Now())
		l.present(time.Now())
	}
}

// drainMost bounds how long decisions wait for a busy inbox.
const drainMost = 2048

// drain takes what has arrived already: one reconcile serves many events, and
// beats that came in before a tick are heard before it judges who is lost.
func (l *loop) drain() {
	for range drainMost {
		select {
		case m := <-l.inbox:
			m.take(l, time.Now())
		default:
			return
		}
	}
}

// pass lets time pass.
func (l *loop) pass(now time.Time) {
	l.apply(now, fleet.Tick{})
	for id, at := range l.wakes {
		if !now.Before(at) {
			delete(l.wakes, id)
			l.touch(id)
		}
	}
}

func (l *loop) touch(id string) { l.dirty[id] = struct{}{} }

// apply an event to the view and do what follows.
func (l *loop) apply(now time.Time, e fleet.Event) {
	for _, effect := range l.view.Apply(now, e) {
		switch effect := effect.(type) {
		case fleet.Touch:
			l.touch(effect.Job)
			l.showSoon(effect.Job, now)
		case fleet.Room:
			l.roomy()
		case fleet.Welcome:
			l.welcome(effect.Session)
		case fleet.Drop:
			l.drop(effect)
		case fleet.Changed:
			l.fleetNew = true
			if effect.What != "" {
				l.fleetAt = time.Time{} // one that came or went is shown at once
				l.log.Info("agent "+effect.What, "agent", effect.Agent)
			}
		}
	}
}

// roomy has jobs that found no room look again.
func (l *loop) roomy() {
	for id := range l.blocked {
		l.touch(id)
	}
	clear(l.blocked)
}

func (l *loop) welcome(id fleet.Session) {
	s := l.sessions[id]
	if s == nil {
		return
	}
	s.Send(&galav1.AttachResponse{Message: &galav1.AttachResponse_Welcome{Welcome: api.Welcome(l.cfg.Name, l.cfg.Timing)}})
}

func (l *loop) drop(d fleet.Drop) {
	if s := l.sessions[d.Session]; s != nil {
		s.Drop(api.Dropped(d))
		delete(l.sessions, d.Session)
	}
}

// session is the one that reaches an agent now, nil for none.
func (l *loop) session(agent string) *api.Session {
	if a := l.view.Agent(agent); a != nil && a.Connected {
		return l.sessions[a.Session]
	}
	return nil
}

// post puts a message in the inbox from outside the loop.
func (l *loop) post(ctx context.Context, m message) error {
	select {
	case l.inbox <- stamped{m, time.Now()}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.ended:
		return errEnded
	}
}

var errEnded = errors.New("the scheduler has stopped")

// Open implements api.Inbox.
func (l *loop) Open(ctx context.Context, s *api.Session) error { return l.post(ctx, opened{s}) }

// Tell implements api.Inbox.
func (l *loop) Tell(ctx context.Context, e fleet.Event) error { return l.post(ctx, told{e}) }

// Acknowledge implements api.Inbox.
func (l *loop) Acknowledge(ctx context.Context, s *api.Session, sequence uint64) error {
	return l.post(ctx, beaten{s, sequence})
}

type opened struct{ session *api.Session }

func (m opened) take(l *loop, _ time.Time) { l.sessions[m.session.ID] = m.session }

type told struct{ event fleet.Event }

func (m told) take(l *loop, now time.Time) {
	l.apply(now, m.event)
	if d, ok := m.event.(fleet.Detached); ok {
		delete(l.sessions, d.Session)
	}
}

// beaten is acknowledged from here because the acknowledgement covers the
// outcomes that were told before the beat.
type beaten struct {
	session  *api.Session
	sequence uint64
}

func (m beaten) take(l *loop, _ time.Time) {
	m.session.Send(&galav1.AttachResponse{Message: &galav1.AttachResponse_BeatAck{BeatAck: &galav1.BeatAck{Sequence: m.sequence}}})
}

// storeError is why the store could not be used last, nil while it can.
func (l *loop) storeError() error {
	if err := l.storeDown.Load(); err != nil {
		return *err
	}
	return nil
}
