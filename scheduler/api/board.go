package api

import (
	"cmp"
	"context"
	"slices"
	"sync"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/job"
)

// Board shows the farm to those who only look: the newest form of every job
// and the fleet. The messages on it are never changed, only replaced.
type Board struct {
	mu     sync.Mutex
	synced chan struct{} // closed once every stored job is here
	ready  bool
	jobs   map[string]*galav1.Job
	order  []string // oldest first
	agents []*galav1.AgentView
	subs   map[*Subscription]struct{}
}

// NewBoard is an empty board that waits for Synced.
func NewBoard() *Board {
	return &Board{synced: make(chan struct{}), jobs: map[string]*galav1.Job{}, subs: map[*Subscription]struct{}{}}
}

// Update is what changed, in its newest form.
type Update struct {
	Jobs []*galav1.Job
	// Agents is the whole fleet when Fleet is set.
	Agents []*galav1.AgentView
	Fleet  bool
}

// PutJob shows a job's newest form.
func (b *Board) PutJob(p *galav1.Job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := p.GetSpec().GetId()
	if b.jobs[id] == nil {
		b.order = append(b.order, id)
	}
	b.jobs[id] = p
	for s := range b.subs {
		s.jobs[id] = struct{}{}
		s.ring()
	}
}

// PutAgents shows the fleet as it is now.
func (b *Board) PutAgents(agents []*galav1.AgentView) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.agents = agents
	for s := range b.subs {
		s.fleet = true
		s.ring()
	}
}

// Synced says that everything that is stored has been put.
func (b *Board) Synced() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ready {
		b.ready = true
		close(b.synced)
	}
}

// Ready tells whether Synced was said.
func (b *Board) Ready() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready
}

// Snapshot is everything as of now, newest job first.
func (b *Board) Snapshot() Update {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := Update{Agents: b.agents, Fleet: true, Jobs: make([]*galav1.Job, 0, len(b.order))}
	for _, id := range slices.Backward(b.order) {
		u.Jobs = append(u.Jobs, b.jobs[id])
	}
	return u
}

// Agents are the fleet as of now.
func (b *Board) Agents() []*galav1.AgentView {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.agents
}

// Show is the newest form of a record: what is on the board, unless the record
// is newer.
func (b *Board) Show(j job.Job) *galav1.Job {
	b.mu.Lock()
	p := b.jobs[j.Spec.ID]
	b.mu.Unlock()
	if p != nil && p.GetRevision() >= j.Revision {
		return p
	}
	return Present(j, nil)
}

// Subscribe follows the board from now on; the first Next is everything.
func (b *Board) Subscribe() *Subscription {
	s := &Subscription{board: b, bell: make(chan struct{}, 1), jobs: map[string]struct{}{}, fleet: true}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.jobs {
		s.jobs[id] = struct{}{}
	}
	s.ring()
	b.subs[s] = struct{}{}
	return s
}

// Subscription follows the farm. It remembers which jobs changed and not how
// often: a slow reader skips intermediate states and never misses the newest.
type Subscription struct {
	board *Board
	bell  chan struct{}
	jobs  map[string]struct{} // changed since the last Next; board.mu
	fleet bool
}

// Next waits for changes. The first one is everything there is, jobs oldest
// first, once the store has been read.
func (s *Subscription) Next(ctx context.Context) (Update, error) {
	select {
	case <-s.board.synced:
	case <-ctx.Done():
		return Update{}, ctx.Err()
	}
	for {
		select {
		case <-s.bell:
		case <-ctx.Done():
			return Update{}, ctx.Err()
		}
		if u := s.take(); len(u.Jobs) > 0 || u.Fleet {
			return u, nil
		}
	}
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	delete(s.board.subs, s)
}

func (s *Subscription) take() Update {
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	u := Update{Fleet: s.fleet}
	if s.fleet {
		u.Agents = s.board.agents
	}
	for id := range s.jobs {
		u.Jobs = append(u.Jobs, s.board.jobs[id])
	}
	slices.SortFunc(u.Jobs, func(a, b *galav1.Job) int {
		if c := a.GetCreatedAt().AsTime().Compare(b.GetCreatedAt().AsTime()); c != 0 {
			return c
		}
		return cmp.Compare(a.GetSpec().GetId(), b.GetSpec().GetId())
	})
	clear(s.jobs)
	s.fleet = false
	return u
}

func (s *Subscription) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}
