package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/galafarm/gala/benchmarks/farm"
	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/benchmarks/rehearsal"
	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/media/verify"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Options of a soak.
type Options struct {
	// For is the time of all faults. A third of it has faults of every kind, the
	// rest those that leave scheduler and agent alone: their memory is watched.
	For   time.Duration
	Every time.Duration // from the end of a fault to the next
	Seed  uint64
	// Warm is how long processes may grow before they are expected to stay as they are.
	Warm     time.Duration
	Binaries harness.Binaries
	Dir      string // for the farm; everything in it may go
	Command  string
	Log      io.Writer
}

// bystander is the job that no fault is meant for.
const bystander = "soak-bystander"

const (
	onAirWithin = 90 * time.Second
	goneWithin  = 30 * time.Second
	calm        = time.Minute // before the young are counted
)

// soak is one under way.
type soak struct {
	Options
	farm     *farm.Farm
	versions harness.Versions
	around   *harness.Around
	found
}

// found is what the record is made from.
type found struct {
	Young  map[string]Goroutines `json:"young_goroutines"`
	Old    map[string]Goroutines `json:"old_goroutines"`
	Growth []Growth              `json:"growth"`
	Before []float64             `json:"beep_after_flash_before_ms"`
	After  []float64             `json:"beep_after_flash_after_ms"`
	Faults []rehearsal.Result    `json:"faults"`
	// Watched is the bystander, from the first fault to the last; Broken what did
	// not hold of it.
	Watched   *verify.Watched `json:"watched"`
	Broken    []string        `json:"broken,omitempty"`
	Processes []string        `json:"processes_left,omitempty"`
	// Files are directories of runs that nobody has heard the end of, Kept the others.
	Files []string `json:"files_left,omitempty"`
	Kept  int      `json:"files_kept"`
}

// spares are the faults that end, or lose, scheduler or agent.
var spares = []string{"agent-kill", "agent-hang", "farm-kill"}

// Measure a soak.
func Measure(ctx context.Context, o Options) (r harness.Record, err error) {
	if o.Warm > (o.For-o.For/3)/2 {
		return r, fmt.Errorf("what happens in %v is too short for processes that are warm after %v: --for is at least three times --warm", o.For, o.Warm)
	}
	if harness.MemoryOf(os.Getpid()).Anonymous == 0 {
		return r, errors.New("the kernel does not tell anonymous memory (RssAnon in /proc/PID/status): it is what a soak looks at")
	}
	s := &soak{Options: o, around: harness.Begin()}
	if s.versions, err = o.Binaries.Read(ctx); err != nil {
		return r, err
	}
	if s.farm, err = farm.Start(ctx, o.Binaries.Gala, o.Dir); err != nil {
		return r, err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, s.farm.Stop())
		}
	}()
	if err := s.run(ctx); err != nil {
		return r, err
	}
	stopped = true
	if err := s.farm.Stop(); err != nil {
		return r, err
	}
	s.leftovers()
	s.around.End(harness.ThisHost().Cores, 0)
	return s.record(), nil
}

func (s *soak) run(ctx context.Context) (err error) {
	if err := s.onAir(ctx); err != nil {
		return err
	}
	if !rest(ctx, calm) {
		return ctx.Err()
	}
	if s.Young, err = s.census(ctx); err != nil {
		return err
	}
	if !rest(ctx, s.Warm) {
		return ctx.Err()
	}
	if s.Before, err = s.beeps(ctx); err != nil {
		return err
	}
	if err := s.faults(ctx); err != nil {
		return err
	}
	if s.After, err = s.beeps(ctx); err != nil {
		return err
	}
	if s.Old, err = s.census(ctx); err != nil {
		return err
	}
	return s.end(ctx)
}

func (s *soak) onAir(ctx context.Context) error {
	s.say("putting %s on air", bystander)
	if _, err := s.farm.Client.SubmitLive(ctx, &galav1.JobSpec{Id: bystander, Input: "testcard:?size=640x360", Ladder: "two.yaml", LadderYaml: farm.TwoRungs, WindowSeconds: 120}); err != nil {
		return err
	}
	return s.running(ctx)
}

// running waits until the bystander's segments come.
func (s *soak) running(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, onAirWithin, fmt.Errorf("%s was not on air within %v", bystander, onAirWithin))
	defer cancel()
	for j, err := range s.farm.Client.Watch(ctx, client.Watch{IDs: []string{bystander}}) {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case client.Ended(j.GetState()):
			return fmt.Errorf("%s ended: %s", bystander, j.GetReason())
		case j.GetState() == galav1.JobState_JOB_STATE_RUNNING:
			return nil
		}
	}
	return fmt.Errorf("the farm ended the watch of %s", bystander)
}

// faults beside the bystander, while it is watched.
func (s *soak) faults(ctx context.Context) error {
	watching, endWatch := context.WithCancel(ctx)
	type seen struct {
		report verify.Report
		err    error
	}
	watched := make(chan seen, 1)
	go func() {
		report, err := verify.Watch(watching, verify.WatchOptions{Target: s.farm.Page + "/origin/" + bystander, Pace: 250 * time.Millisecond})
		watched <- seen{report, err}
	}()
	err := s.rehearse(ctx, s.For/3, nil)
	if err == nil {
		sampler := newSampler(s.farm)
		sampling, endSamples := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); sampler.run(sampling) }()
		err = s.rehearse(ctx, s.For-s.For/3, spares)
		endSamples()
		<-done
		s.Growth = sampler.growth(s.Warm)
	}
	endWatch()
	all := <-watched
	s.Watched = all.report.Watched
	for _, result := range all.report.Results {
		if result.Status == verify.Fail && len(result.Findings) > 0 {
			s.Broken = append(s.Broken, fmt.Sprintf("%s, %d times, first %s.", result.ID, result.Broken, result.Findings[0].What))
		}
	}
	return errors.Join(err, all.err)
}

// rehearse faults of every kind but those that are left out, as many as there
// is time for.
func (s *soak) rehearse(ctx context.Context, lasting time.Duration, without []string) error {
	var wishes []rehearsal.Wish
	for _, f := range rehearsal.Faults() {
		if f.OfOneHost() && !slices.Contains(without, f.Name) {
			wishes = append(wishes, rehearsal.Wish{Fault: f})
		}
	}
	s.Seed++
	_, err := rehearsal.Run(ctx, rehearsal.Options{
		Client: s.farm.Client, Address: s.farm.Address, Own: &galav1.JobSpec{Ladder: "two.yaml", LadderYaml: farm.TwoRungs}, OwnOrigin: true, Wishes: wishes,
		Every: s.Every, For: lasting, Seed: s.Seed, Others: true,
		Restart: func() error { return s.farm.Restart(ctx) },
		Say:     func(text string) { s.say("%s", text) },
		Done: func(r rehearsal.Result) {
			s.say("%s: missing %d, late %d, gap %.0f ms, edge %.0f ms %s", r.Fault, r.Missing, r.Late, r.GapMS, r.EdgeMS, r.Why)
			s.Faults = append(s.Faults, r)
		},
	})
	return err
}

// end takes the bystander off the air and sees whether its processes go.
func (s *soak) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, onAirWithin)
	defer cancel()
	if _, err := s.farm.Client.Cancel(ctx, bystander, "the soak is over"); err != nil {
		return err
	}
	for _, err := range s.farm.Client.Watch(ctx, client.Watch{IDs: []string{bystander}, UntilEnded: true}) {
		if err != nil {
			return err
		}
	}
	for end := time.Now().Add(goneWithin); time.Now().Before(end); {
		if unheard, _ := s.runs(); len(unheard) == 0 && !slices.ContainsFunc(s.farm.Processes(), media) {
			return nil
		}
		if !rest(ctx, time.Second) {
			return ctx.Err()
		}
	}
	return nil // leftovers tells of them
}

func (s *soak) say(format string, args ...any) {
	fmt.Fprintf(s.Log, "soak: %s %s\n", time.Now().UTC().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// rest tells whether the whole pause has passed.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
