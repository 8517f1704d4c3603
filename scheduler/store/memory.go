package store

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// Memory is a store that ends with its process: for tests, and for a farm
// that is told to forget.
type Memory struct {
	mu       sync.Mutex
	records  map[string]memoryRecord
	order    []string // ids by Seq, which is the index plus one
	watchers map[*memoryWatcher]struct{}
	cordons  map[string]string
}

type memoryRecord struct {
	seq, revision uint64
	body          []byte
	history       []job.Event
}

// memoryWatcher remembers which records changed; that is all a slow watcher costs.
type memoryWatcher struct {
	dirty map[string]struct{}
	wake  chan struct{}
}

// NewMemory is an empty store.
func NewMemory() *Memory {
	return &Memory{records: map[string]memoryRecord{}, watchers: map[*memoryWatcher]struct{}{}, cordons: map[string]string{}}
}

// Create implements Store.
func (m *Memory) Create(ctx context.Context, j job.Job) (job.Job, error) {
	if err := ctx.Err(); err != nil {
		return job.Job{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.records[j.Spec.ID]; taken {
		existing, err := m.read(j.Spec.ID)
		if err != nil {
			return job.Job{}, err
		}
		return existing, fmt.Errorf("job %s: %w", j.Spec.ID, ErrExists)
	}
	j.Revision, j.Seq = 0, uint64(len(m.order)+1)
	m.order = append(m.order, j.Spec.ID)
	return m.write(j)
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, id string) (job.Job, error) {
	if err := ctx.Err(); err != nil {
		return job.Job{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.read(id)
}

// Update implements Store.
func (m *Memory) Update(ctx context.Context, j job.Job) (job.Job, error) {
	if err := ctx.Err(); err != nil {
		return job.Job{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[j.Spec.ID]
	switch {
	case !ok:
		return job.Job{}, fmt.Errorf("job %s: %w", j.Spec.ID, ErrNotFound)
	case r.revision != j.Revision:
		return job.Job{}, fmt.Errorf("job %s: revision %d, now %d: %w", j.Spec.ID, j.Revision, r.revision, ErrConflict)
	}
	j.Seq = r.seq
	return m.write(j)
}

// Restore implements Store.
func (m *Memory) Restore(ctx context.Context, j job.Job) (job.Job, error) {
	if err := ctx.Err(); err != nil {
		return job.Job{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[j.Spec.ID]
	if ok && r.revision >= j.Revision {
		return job.Job{}, fmt.Errorf("job %s: revision %d, now %d: %w", j.Spec.ID, j.Revision, r.revision, ErrConflict)
	}
	if !ok {
		m.order = append(m.order, j.Spec.ID)
		r.seq = uint64(len(m.order))
	}
	j.Seq = r.seq
	return m.write(j)
}

// List implements Store.
func (m *Memory) List(ctx context.Context, before uint64, limit int) ([]job.Job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	from := len(m.order)
	if before > 0 {
		from = min(from, int(before)-1)
	}
	var jobs []job.Job
	for i := from - 1; i >= 0 && len(jobs) < limit; i-- {
		j, err := m.read(m.order[i])
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// appendNew adds the events that a history lacks and lets the oldest go.
func appendNew(history, events []job.Event) []job.Event {
	for _, e := range events {
		if n := len(history); n == 0 || history[n-1].Seq < e.Seq {
			history = append(history, e)
		}
	}
	return history[max(0, len(history)-job.MaxHistory):]
}

// History implements Store.
func (m *Memory) History(ctx context.Context, id string, after uint64, limit int) ([]job.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[id]
	if !ok {
		return nil, fmt.Errorf("job %s: %w", id, ErrNotFound)
	}
	from := sort.Search(len(r.history), func(i int) bool { return r.history[i].Seq > after })
	return append([]job.Event(nil), r.history[from:min(from+limit, len(r.history))]...), nil
}

// Watch implements Store.
func (m *Memory) Watch(ctx context.Context, yield func(Batch) error) error {
	w := m.join()
	defer m.leave(w)
	for first := true; ; first = false {
		jobs, err := m.take(w)
		if err != nil {
			return err
		}
		if err := yield(Batch{Jobs: jobs, Reset: first, Synced: first}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		}
	}
}

// PutCordon implements Store.
func (m *Memory) PutCordon(ctx context.Context, c fleet.Cordon) error {
	body, err := encodeCordon(c)
	if err = errors.Join(ctx.Err(), err); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cordons[cordonKey(c.Agent, c.Device)] = body
	return nil
}

// DeleteCordons implements Store.
func (m *Memory) DeleteCordons(ctx context.Context, agent, device string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range cordonKeys(m.cordons, agent, device) {
		delete(m.cordons, key)
	}
	return nil
}

// Cordons implements Store.
func (m *Memory) Cordons(ctx context.Context) ([]fleet.Cordon, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return readCordons(m.cordons)
}

// Ping implements Store.
func (m *Memory) Ping(ctx context.Context) error { return ctx.Err() }

// Close implements Store.
func (m *Memory) Close() error { return nil }

func (m *Memory) read(id string) (job.Job, error) {
	r, ok := m.records[id]
	if !ok {
		return job.Job{}, fmt.Errorf("job %s: %w", id, ErrNotFound)
	}
	return decode(id, r.seq, r.body)
}

func (m *Memory) write(j job.Job) (job.Job, error) {
	j.Revision++
	body, err := encode(j)
	if err != nil {
		return job.Job{}, err
	}
	history := appendNew(m.records[j.Spec.ID].history, j.Unkept())
	m.records[j.Spec.ID] = memoryRecord{j.Seq, j.Revision, body, history}
	for w := range m.watchers {
		w.touch(j.Spec.ID)
	}
	return decode(j.Spec.ID, j.Seq, body)
}

// join registers a watcher for which everything is new.
func (m *Memory) join() *memoryWatcher {
	w := &memoryWatcher{dirty: map[string]struct{}{}, wake: make(chan struct{}, 1)}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.records {
		w.dirty[id] = struct{}{}
	}
	m.watchers[w] = struct{}{}
	return w
}

func (m *Memory) leave(w *memoryWatcher) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.watchers, w)
}

func (m *Memory) take(w *memoryWatcher) ([]job.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	jobs := make([]job.Job, 0, len(w.dirty))
	for id := range w.dirty {
		j, err := m.read(id)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	clear(w.dirty)
	sort.Slice(jobs, func(a, b int) bool { return jobs[a].Seq < jobs[b].Seq })
	return jobs, nil
}

func (w *memoryWatcher) touch(id string) {
	w.dirty[id] = struct{}{}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
