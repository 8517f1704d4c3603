package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/galafarm/gala/media/input"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// ingests holds the live sources of this host, each in a process of its own
// that probes and workers share. One that nobody needs any more is kept for a
// while: a worker that is started again finds its past there.
type ingests struct {
	dir    string
	worker string
	log    *slog.Logger
	linger time.Duration
	most   int           // held at once
	kill   time.Duration // how long one that is killed may take to die
	signal func(*process, syscall.Signal) error
	// last: they end with this agent, instead of being left to the next.
	last bool

	mu     sync.Mutex
	all    map[sourceKey]*ingest
	launch func(*ingest) // nil before Run, and after it
}

// sourceKey is an input of a job: 0 is its first.
type sourceKey struct {
	job   string
	input uint32
}

func keyOfTask(t *galav1.IngestTask) sourceKey { return sourceKey{t.GetJob(), t.GetInputNumber()} }

// runsByItself tells inputs that an ingest has to hold.
func runsByItself(kind galav1.JobKind, name string) bool {
	return kind == galav1.JobKind_JOB_KIND_LIVE && input.Continuous(name)
}

// newIngests adopts those that an earlier agent left running.
func newIngests(dir, worker string, l Limits, log *slog.Logger) (*ingests, error) {
	g := &ingests{dir: dir, worker: worker, linger: l.IngestLinger, most: l.Ingests, kill: l.Kill, signal: (*process).signal, log: log, all: map[sourceKey]*ingest{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create directory of ingests: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read directory of ingests: %w", err)
	}
	for _, e := range entries {
		at := runDir(filepath.Join(dir, e.Name()))
		task, err := at.task()
		var p *process
		if err == nil {
			p, err = at.processOf(verbIngest)
		}
		if err != nil {
			_ = os.RemoveAll(string(at))
			continue
		}
		n := newIngest(g, keyOfTask(task), at)
		n.proc = p
		g.all[n.key] = n
		g.log.Info("ingest adopted", "job", n.job, "pid", p.pid)
	}
	return g, nil
}

// run lets ingests run: launch carries each. nil: no new one from now on.
func (g *ingests) run(launch func(*ingest)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.launch = launch
	for _, n := range g.all {
		if launch != nil {
			launch(n)
		}
	}
}

// hold makes sure that an input of a job is held here until release, and says in
// which directory.
func (g *ingests) hold(task *galav1.IngestTask) (dir string, release func(), err error) {
	if !safeID.MatchString(task.GetJob()) {
		return "", nil, fmt.Errorf("ingest of job %q: its id is no name of a directory", task.GetJob())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	key := keyOfTask(task)
	n := g.all[key]
	if n == nil && len(g.all) >= g.most {
		return "", nil, fmt.Errorf("%w: %d", errSources, g.most)
	}
	if n == nil {
		// A name of its own: what is left of an earlier one may still be going.
		n = newIngest(g, key, runDir(filepath.Join(g.dir, fmt.Sprintf("%s-%d", task.GetJob(), time.Now().UnixNano()))))
		if err := n.prepare(task); err != nil {
			return "", nil, err
		}
		g.all[key] = n
		if g.launch != nil {
			g.launch(n)
		}
	}
	n.holders++
	var once sync.Once
	return string(n.dir), func() { once.Do(func() { g.release(n) }) }, nil
}

func (g *ingests) release(n *ingest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n.holders--
	n.since = time.Now()
	n.poke()
}

// idle is when to look at n again, or that it may go; then it is nobody's any
// more.
func (g *ingests) idle(n *ingest) (again time.Duration, over bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n.holders > 0 {
		return time.Hour, false // its release pokes
	}
	if left := g.linger - time.Since(n.since); left > 0 {
		return left, false
	}
	delete(g.all, n.key)
	return 0, true
}

// What an ingest keeps: the longest lapse that a successor makes up for, and a
// GOP of the source, at rates up to 80 Mb/s.
const keepSeconds, keepBytes = 45, 512 << 20

// taskOf is what an input of a job needs.
func taskOf(job string, input int, name string, allowed []string) *galav1.IngestTask {
	return &galav1.IngestTask{Job: job, InputNumber: uint32(input), Input: name, AllowedSources: allowed, KeepSeconds: keepSeconds, KeepBytes: keepBytes}
}

var errIdle = errors.New("nobody needs it any more")

// carry runs n until nobody needs it, or ctx ends: then its process goes on.
func (g *ingests) carry(ctx context.Context, n *ingest) {
	if err := n.live(ctx); errors.Is(err, errIdle) {
		g.log.Info("ingest ended", "job", n.job)
	}
}
