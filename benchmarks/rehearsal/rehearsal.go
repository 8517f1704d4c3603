package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/media/verify"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/proto"
)

// Options of a rehearsal.
type Options struct {
	// Client of the farm, and the gRPC address that it dials.
	Client  *client.Client
	Address string
	// Job is on air already; "" puts one of the rehearsal's own on air, with the
	// ladder and the input of Own. An input that is "" is Card, or where a fault
	// needs a source on the web, a job that feeds it with Card. Card "" is the test
	// card at 640x360.
	Job  string
	Own  *galav1.JobSpec
	Card string
	// OwnOrigin: the job writes to an origin of the rehearsal's. Faults of the
	// origin need it.
	OwnOrigin bool
	// Host is where agents reach this machine; "" means 127.0.0.1.
	Host string
	// Wishes, and how far apart: every fault waits besides until the programme
	// is steady again. For bounds the time of all; 0 does not.
	Wishes []Wish
	Every  time.Duration
	For    time.Duration
	Seed   uint64
	// Ready is waited for once the programme is steady and before each fault, which is
	// done at once then; nil does not wait.
	Ready func(context.Context) error
	// Others: other live jobs may be on air.
	Others bool
	// Restart brings the farm back after farm-kill and at the end of an upgrade; nil: those
	// faults are refused.
	Restart func() error
	// Say hears what goes on, Done each result as it is known. Both may be nil.
	Say  func(string)
	Done func(Result)
}

// patience is how long things may take that a rehearsal waits for.
const (
	onAirWithin   = 90 * time.Second
	steadyWithin  = 90 * time.Second
	settledWithin = 20 * time.Second // stopping a job
	rpcWithin     = 5 * time.Second
	// calm is how much is watched before the first fault.
	calmSegments = 8
)

// ErrRefused: the rehearsal was not begun, and nothing was touched.
var ErrRefused = errors.New("refused")

// Rehearsal is one under way.
type Rehearsal struct {
	o      Options
	farm   *Farm
	job    string
	tree   string // as we read it
	origin *ownOrigin
	source *spoiled
	eye    *eye
	usual  usual // before the newest fault, of every replica
	viewed usual // the same of what viewers get
	steps  []step
	mine   []string // jobs that we put on air
	dir    string
	report Report
	// hosts are how many agents were attached at once; warm: one of them held the
	// job's source beside the one that runs it.
	hosts int
	warm  bool
	// struck is when the newest fault was begun.
	struck time.Time
}

// Run a rehearsal. When ctx ends it stops in order, and the report has what was
// measured. It errs when it could not be begun or watched.
func Run(ctx context.Context, o Options) (Report, error) {
	r := &Rehearsal{o: o, eye: newEye()}
	if err := r.prepare(ctx); err != nil {
		return Report{}, err
	}
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer func() { r.clear() }()
	if err := r.onAir(ctx, serving); err != nil {
		return r.report, err
	}
	err := r.perform(ctx)
	return r.report, err
}

// prepare refuses what cannot be done, before anything is touched.
func (r *Rehearsal) prepare(ctx context.Context) (err error) {
	if r.o.Host == "" {
		r.o.Host = "127.0.0.1"
	}
	if r.o.Say == nil {
		r.o.Say = func(string) {}
	}
	if r.o.Card == "" {
		r.o.Card = "testcard:?size=640x360"
	}
	if r.o.Ready == nil {
		r.o.Ready = func(context.Context) error { return nil }
	}
	if r.steps, err = plan(r.o.Wishes, r.o.Every, r.o.For, r.o.Seed); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if r.farm, err = FindFarm(r.o.Address); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	for _, s := range r.steps {
		switch f := s.fault; {
		case f.restart && r.o.Restart == nil:
			return fmt.Errorf("%w: %s wants a farm that is started again when it dies (--restarted)", ErrRefused, f.Name)
		case r.o.Job != "" && f.origin || r.o.Job != "" && f.source && f.Name != "ingest-kill":
			return fmt.Errorf("%w: %s needs a job of the rehearsal's own: leave --job out", ErrRefused, f.Name)
		}
	}
	return r.alone(ctx)
}

// alone: faults hit whatever is on air.
func (r *Rehearsal) alone(ctx context.Context) error {
	running := []galav1.JobState{
		galav1.JobState_JOB_STATE_ACCEPTED, galav1.JobState_JOB_STATE_WAITING, galav1.JobState_JOB_STATE_STARTING,
		galav1.JobState_JOB_STATE_RUNNING, galav1.JobState_JOB_STATE_DEGRADED, galav1.JobState_JOB_STATE_FINISHING,
	}
	var others []string
	for j, err := range r.o.Client.List(ctx, client.Filter{Kind: galav1.JobKind_JOB_KIND_LIVE, States: running}) {
		if err != nil {
			return err
		}
		if id := j.GetSpec().GetId(); id != r.o.Job {
			others = append(others, id)
		}
	}
	if len(others) > 0 && !r.o.Others {
		return fmt.Errorf("%w: %s on air, and faults would hit it too: stop it, or say --others", ErrRefused, strings.Join(others, ", "))
	}
	return nil
}

func (r *Rehearsal) any(of func(Fault) bool) bool {
	for _, s := range r.steps {
		if of(s.fault) {
			return true
		}
	}
	return false
}

// onAir finds or starts the job, and what stands around it.
func (r *Rehearsal) onAir(ctx, serving context.Context) error {
	if r.o.Job != "" {
		r.job = r.o.Job
		return r.await(ctx, r.job)
	}
	var err error
	if r.dir, err = os.MkdirTemp("", "gala-rehearsal-"); err != nil {
		return err
	}
	spec := proto.CloneOf(r.o.Own)
	spec.Id, spec.WindowSeconds = fmt.Sprintf("rehearsal-%d", time.Now().Unix()), 120
	if spec.Input, err = r.input(ctx, serving, spec.Id); err != nil {
		return err
	}
	if r.o.OwnOrigin || r.any(func(f Fault) bool { return f.origin }) {
		if r.origin, err = startOrigin(serving, r.dir, r.o.Host); err != nil {
			return err
		}
		spec.Destinations = []string{r.origin.destination()}
	}
	r.job = spec.Id
	return r.submit(ctx, spec)
}

// input is what the job reads, through a relay where a fault asks for it.
func (r *Rehearsal) input(ctx, serving context.Context, id string) (string, error) {
	input := r.o.Own.GetInput()
	if !r.any(func(f Fault) bool { return f.source }) {
		if input == "" {
			input = r.o.Card
		}
		return input, nil
	}
	if input == "" {
		feed := &galav1.JobSpec{Id: id + "-source", Input: r.o.Card, LadderYaml: feedLadder, WindowSeconds: 60}
		if err := r.submit(ctx, feed); err != nil {
			return "", err
		}
		input = r.tree + "/" + "master.m3u8"
	}
	var at string
	var err error
	r.source, at, err = startRelay(serving, input, r.o.Host)
	return at, err
}

// feedLadder is what a job that feeds another one makes: as little as possible.
const feedLadder = `name: rehearsal-source
segment: {live: 2s, vod: 6s}
video:
  - {name: 360p, height: 360, codec: h264, bitrate: 700k, preset: fastest}
audio:
  - {name: stereo, codec: aac, channels: 2, bitrate: 96k, languages: all}
`

func (r *Rehearsal) submit(ctx context.Context, spec *galav1.JobSpec) error {
	r.o.Say("putting " + spec.GetId() + " on air")
	if _, err := r.o.Client.SubmitLive(ctx, spec); err != nil {
		return err
	}
	r.mine = append(r.mine, spec.GetId())
	return r.await(ctx, spec.GetId())
}

// await the job on air, and find its tree.
func (r *Rehearsal) await(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, onAirWithin)
	defer cancel()
	var last *galav1.Job
	for j, err := range r.o.Client.Watch(ctx, client.Watch{IDs: []string{id}}) {
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return fmt.Errorf("job %s was not on air within %v: %s %s", id, onAirWithin, last.GetState(), last.GetReason())
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case client.Ended(j.GetState()):
			return fmt.Errorf("job %s ended before it was rehearsed: %s", id, j.GetReason())
		case j.GetState() == galav1.JobState_JOB_STATE_RUNNING && len(j.GetOutputs()) > 0 && len(j.GetRenditions()) > 0:
			r.tree = strings.TrimSuffix(j.GetOutputs()[0], "/master.m3u8")
			r.report.take(j)
			return nil
		}
		last = j
	}
	return fmt.Errorf("the farm ended the watch of job %s", id)
}

// perform the plan under the eye.
func (r *Rehearsal) perform(ctx context.Context) error {
	if r.origin != nil {
		r.tree = r.origin.reading.url + "/origin/" + r.job
	}
	if r.o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.o.For)
		defer cancel()
	}
	r.report.begin(r)
	defer r.report.end()
	watching, endWatch := context.WithCancel(context.WithoutCancel(ctx))
	type seen struct {
		report verify.Report
		err    error
	}
	watched := make(chan seen, 1)
	go func() {
		report, err := r.eye.watch(watching, r.tree)
		watched <- seen{report, err}
	}()
	err := r.faults(ctx)
	endWatch()
	all := <-watched
	r.report.Watched = all.report.Watched
	if all.err != nil {
		return fmt.Errorf("watch %s: %w", r.tree, all.err)
	}
	return err
}

// faults one after the other. The end of ctx is no error.
func (r *Rehearsal) faults(ctx context.Context) error {
	r.o.Say("watching " + r.tree)
	began := time.Now()
	calm := func(seen []verify.Sighting) bool {
		return len(seen) >= calmSegments*max(r.report.Renditions, 1) && steady(seen, usualOf(seen, time.Now(), nil), began)
	}
	if err := r.within(ctx, steadyWithin, calm); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("the programme was not steady within %v before any fault: is the machine fast enough for its ladder?", steadyWithin)
	}
	for i, s := range r.steps {
		if !rest(ctx, s.after) || r.o.Ready(ctx) != nil {
			return nil
		}
		r.o.Say(fmt.Sprintf("%d of %d: %s", i+1, len(r.steps), s.fault.Name))
		result := r.one(ctx, s.fault)
		if result.Interrupted {
			return nil
		}
		r.report.Results = append(r.report.Results, result)
		if r.o.Done != nil {
			r.o.Done(result)
		}
		if result.Done && !result.Recovered {
			if err := r.within(ctx, steadyWithin, func(seen []verify.Sighting) bool { return steady(seen, r.usual, result.At) }); err != nil && ctx.Err() == nil {
				return fmt.Errorf("the programme is not steady since %s: the faults that were to come would not be told apart from it", s.fault.Name)
			}
		}
	}
	return nil
}

// within waits for what is seen, for so long at most.
func (r *Rehearsal) within(ctx context.Context, d time.Duration, so func([]verify.Sighting) bool) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return r.eye.until(ctx, so)
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

// clear takes what we put on air off it, and removes what we wrote.
func (r *Rehearsal) clear() {
	ctx, cancel := context.WithTimeout(context.Background(), settledWithin)
	defer cancel()
	for i := len(r.mine) - 1; i >= 0; i-- {
		r.stop(ctx, r.mine[i])
	}
	if r.origin != nil {
		_ = r.origin.objects.Close()
	}
	if r.dir != "" {
		_ = os.RemoveAll(r.dir)
	}
}

// stop a job and wait for its end; a farm that is away is tried again.
func (r *Rehearsal) stop(ctx context.Context, id string) {
	for {
		call, cancel := context.WithTimeout(ctx, rpcWithin)
		_, err := r.o.Client.Cancel(call, id, "the rehearsal is over")
		cancel()
		if err == nil {
			break
		}
		if !rest(ctx, time.Second) {
			r.o.Say(fmt.Sprintf("job %s is still on air: gala live stop %s", id, id))
			return
		}
	}
	for _, err := range r.o.Client.Watch(ctx, client.Watch{IDs: []string{id}, UntilEnded: true}) {
		if err != nil {
			return // it will end by itself
		}
	}
}
