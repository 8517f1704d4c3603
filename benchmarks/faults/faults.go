package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/benchmarks/rehearsal"
	"golang.org/x/sync/errgroup"
)

// Options of the benchmark.
type Options struct {
	// Kinds of faults as ParseKind reads them, and how many of each, those of an
	// interrupted call among them.
	Kinds []string
	Each  int
	// PerJob is how many faults one job lives through, Every the time between them.
	PerJob int
	Every  time.Duration
	// Lanes are rehearsals side by side, each on a farm of its own. They share
	// the machine: more than it carries with room to catch up measure the machine.
	Lanes int
	// Room is the share of the machine, 0 to 1, that has to be idle before a fault:
	// it waits for that. With 0 faults of all lanes are only kept apart.
	Room     float64
	Binaries harness.Binaries
	Dir      string // for the farm; everything in it may go
	Ledger   string // where finished faults are kept, as lines of JSON
	Command  string
	Log      io.Writer
}

// lostMost is how many rehearsals in a row may measure nothing of a kind; then it is
// set aside, and the others go on.
const lostMost = 3

type bench struct {
	Options
	around   *harness.Around
	room     *room
	versions harness.Versions
	made     Made

	mu      sync.Mutex // guards what follows: lanes share it
	ledger  *harness.Ledger[Observation]
	claimed map[string]int // faults that lanes are about to do, by kind
	seed    uint64
	lost    map[string]int // rehearsals in a row that measured nothing of a kind
}

// form is of the ledger's lines.
const form = "faults, 2"

// Measure until every kind has its number. When ctx ends before, the record is of
// what the ledger holds, and the same call goes on from there: at another commit
// and on another machine too, for each fault says where it was measured.
func Measure(ctx context.Context, o Options) (r harness.Record, err error) {
	for _, name := range o.Kinds {
		if _, err := ParseKind(name); err != nil {
			return r, err
		}
	}
	if o.Room < 0 || o.Room > 0.9 {
		return r, fmt.Errorf("room %v: a share of the machine is 0 to 0.9", o.Room)
	}
	if o.Lanes < 1 || o.Each < 1 || o.PerJob < 1 {
		return r, errors.New("lanes, each and per-job are 1 or more")
	}
	b := &bench{Options: o, around: harness.Begin(), claimed: map[string]int{}, lost: map[string]int{}}
	if b.versions, err = o.Binaries.Read(ctx); err != nil {
		return r, err
	}
	host := harness.ThisHost()
	b.room = &room{idle: harness.IdleSeconds, cores: float64(host.Cores), least: o.Room}
	b.made = Made{Commit: b.versions.Commit, Changed: b.versions.Dirty, Host: fmt.Sprintf("%s, %d cores", host.CPU, host.Cores), Lanes: o.Lanes}
	if b.ledger, err = harness.OpenLedger[Observation](o.Ledger, form); err != nil {
		return r, err
	}
	watching, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	go b.room.watch(watching)
	lanes, running := errgroup.WithContext(ctx)
	for i := range o.Lanes {
		lanes.Go(func() error { return b.lane(running, filepath.Join(o.Dir, strconv.Itoa(i))) })
	}
	err = lanes.Wait()
	if len(b.ledger.Runs) == 0 {
		return r, errors.Join(err, errors.New("no fault was measured"))
	}
	if ctx.Err() != nil {
		err = nil // the record says what is not done
	} else if aside := b.aside(); len(aside) > 0 {
		err = errors.Join(err, fmt.Errorf("set aside after %d rehearsals without a result: %s", lostMost, strings.Join(aside, ", ")))
	}
	b.around.End(host.Cores, 0)
	if first := b.ledger.Runs[0].At; first.Before(b.around.Began) {
		b.around.Began = first.UTC().Truncate(time.Second)
	}
	return b.record(), err
}

// lane is one rehearsal after the other until nothing is left to claim.
func (b *bench) lane(ctx context.Context, dir string) error {
	for ctx.Err() == nil {
		kinds, seed, err := b.claim()
		if len(kinds) == 0 || err != nil {
			return err
		}
		measured, err := b.session(ctx, dir, kinds, seed)
		if err != nil {
			fmt.Fprintf(b.Log, "faults: %v\n", err)
		}
		if ctx.Err() == nil {
			b.release(kinds, measured)
		}
	}
	return ctx.Err()
}

// share is how many faults of a kind one job will live through.
type share struct {
	Kind
	count int
}

// claim what one job will live through; nothing when others do all that is left.
func (b *bench) claim() (shares []share, seed uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	shares, err = b.next()
	for _, s := range shares {
		b.claimed[s.String()] += s.count
	}
	b.seed++
	return shares, uint64(len(b.ledger.Runs)) + b.seed, err
}

// release what was claimed: what of it is not in the ledger is claimed again, unless
// too many rehearsals in a row measured nothing of it.
func (b *bench) release(shares []share, measured map[string]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range shares {
		kind := s.String()
		b.claimed[kind] -= s.count
		if b.lost[kind]++; measured[kind] > 0 {
			b.lost[kind] = 0
		}
	}
}

// aside are the kinds that were given up.
func (b *bench) aside() []string {
	return slices.DeleteFunc(slices.Clone(b.Kinds), func(kind string) bool { return b.lost[kind] < lostMost })
}

func (b *bench) count(kind string) (n int) {
	for _, r := range b.ledger.Runs {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// missing are the kinds that have neither had nor been promised their number,
// those that lack most of it first.
func (b *bench) missing() []string {
	left := slices.DeleteFunc(slices.Clone(b.Kinds), func(kind string) bool { return b.left(kind) <= 0 || b.lost[kind] >= lostMost })
	slices.SortStableFunc(left, func(x, y string) int { return cmp.Compare(b.left(y), b.left(x)) })
	return left
}

func (b *bench) left(kind string) int { return b.Each - b.count(kind) - b.claimed[kind] }

// next are the faults of one job: of one stage. Those of the source want a job
// that is fed by another and so cost more: they have jobs of their own.
func (b *bench) next() (shares []share, err error) {
	missing := b.missing()
	if len(missing) == 0 {
		return nil, nil
	}
	first, err := ParseKind(missing[0])
	if err != nil {
		return nil, err
	}
	var alike []Kind
	for _, name := range missing {
		k, err := ParseKind(name)
		if err != nil {
			return nil, err
		}
		if k.Stage == first.Stage && k.Fault.OfSource() == first.Fault.OfSource() {
			alike = append(alike, k)
		}
	}
	room := b.PerJob
	for _, k := range alike {
		if n := min(b.left(k.String()), max(1, b.PerJob/len(alike)), room); n > 0 {
			shares, room = append(shares, share{k, n}), room-n
		}
	}
	return shares, nil
}

// session is one farm, one job and its faults: it tells how many of each kind were
// measured.
func (b *bench) session(ctx context.Context, dir string, shares []share, seed uint64) (measured map[string]int, err error) {
	// What one session leaves is not the next one's.
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	stage := shares[0].Stage
	o, stop, err := b.set(ctx, stage, dir)
	if err != nil {
		return nil, err
	}
	measured = map[string]int{}
	defer func() { err = errors.Join(err, stop()) }()
	for _, s := range shares {
		o.Wishes = append(o.Wishes, rehearsal.Wish{Fault: s.Fault, Count: s.count})
	}
	var kept error
	o.Ready = b.room.wait
	o.Every, o.Seed, o.Say = b.Every, seed, func(s string) { fmt.Fprintf(b.Log, "faults: %s\n", s) }
	o.Done = func(r rehearsal.Result) {
		if counts(r) {
			measured[kindOf(stage, r.Fault)]++
		}
		kept = errors.Join(kept, b.keep(stage, r))
	}
	_, err = rehearsal.Run(ctx, o)
	return measured, errors.Join(err, kept)
}

// Observation is one fault that was measured.
type Observation struct {
	Kind string `json:"kind"`
	rehearsal.Result
	// IdleBefore is the share of the machine, 0 to 1, that nothing used in the ten
	// seconds before the fault, Idle that from the fault until it was measured.
	IdleBefore float64 `json:"idle_before"`
	Idle       float64 `json:"idle"`
	By         Made    `json:"by"`
}

// Made is where and with what a fault was measured.
type Made struct {
	Commit string `json:"commit"`
	// Changed: with changes that are in no commit.
	Changed bool   `json:"changed,omitempty"`
	Host    string `json:"host"`
	Lanes   int    `json:"lanes"`
}

func (m Made) String() string {
	if m.Changed {
		m.Commit += " with changes"
	}
	return fmt.Sprintf("commit %s, %s, %d at once", m.Commit, m.Host, m.Lanes)
}

// counts: the fault was done, and brought to its end.
func counts(r rehearsal.Result) bool { return r.Done && r.Undone == "" }

func (b *bench) keep(stage Stage, r rehearsal.Result) error {
	kind := kindOf(stage, r.Fault)
	before, idle := b.room.share(r.At.Add(-roomFor), r.At), b.room.share(r.At, time.Now())
	fmt.Fprintf(b.Log, "faults: %s: missing %d, late %d, noticed %.0f ms, gap %.0f ms, first %.0f ms, edge %.0f ms, idle %.0f %% %s\n", kind, r.Missing, r.Late, r.NoticedMS, r.GapMS, r.FirstMS, r.EdgeMS, 100*idle, r.Why)
	if !counts(r) {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ledger.Add(Observation{kind, r, before, idle, b.made})
}
