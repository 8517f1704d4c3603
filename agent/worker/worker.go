package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/agent/ingest"
	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/bucket"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/keys"
	"github.com/galafarm/gala/media/libav"
	"github.com/galafarm/gala/media/packager"
	"github.com/galafarm/gala/media/publish"
	"github.com/galafarm/gala/media/webvtt"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
)

// Worker runs one assignment.
type Worker struct {
	dir        string
	log        *slog.Logger
	assignment *galav1.Assignment
	spec       media.Spec
	board      *board
	anchors    chan timeline.Anchor

	mu       sync.Mutex
	pipeline *libav.Pipeline
	packager *packager.Packager
	order    *order // the first stop order
	cancel   context.CancelCauseFunc
	pace     pace
}

// order is a stop with its reason.
type order struct {
	finish     bool
	superseded bool
	leave      bool // the job goes on: the playlists stay open
	reason     string
}

// Load reads dir/assignment.json.
func Load(dir string, log *slog.Logger) (*Worker, error) {
	text, err := os.ReadFile(filepath.Join(dir, "assignment.json"))
	if err != nil {
		return nil, fmt.Errorf("read assignment: %w", err)
	}
	a := &galav1.Assignment{}
	if err := protojson.Unmarshal(text, a); err != nil {
		return nil, fmt.Errorf("read assignment: %w", err)
	}
	spec, err := wire.Spec(a)
	if err != nil {
		return nil, fmt.Errorf("read assignment: %w", err)
	}
	log = log.With("job", a.GetJob(), "worker", a.GetId(), "lease", a.GetEpoch())
	return &Worker{dir: dir, log: log, assignment: a, spec: rejoin(spec, time.Now()), board: newBoard(), anchors: make(chan timeline.Anchor, 1)}, nil
}

// Refuse leaves the outcome of a worker that could not even start.
func Refuse(dir string, err error) error {
	return writeOutcome(dir, wire.OutcomeProto(&media.Error{
		Code: media.Crashed, Message: "the worker cannot start", Err: err, Advice: "agent and worker are of different builds, or the disk is damaged: see the agent's log",
	}, nil, time.Now()))
}

// Run serves the socket, works until the assignment ends, and writes the
// outcome. The error is nil whenever an outcome was written.
func (w *Worker) Run(ctx context.Context) error {
	ctx, w.cancel = context.WithCancelCause(ctx)
	defer w.cancel(nil)
	srv, err := listen(w)
	if err != nil {
		return errors.Join(err, Refuse(w.dir, err))
	}
	stopStatus := w.reportStatus(ctx)
	err = w.work(ctx)
	stopStatus()
	outcome := w.outcome(ctx, err)
	w.log.Info("ended", "outcome", outcome.GetCode(), "message", outcome.GetMessage())
	err = writeOutcome(w.dir, outcome)
	w.board.end(outcome)
	srv.close()
	return err
}

func (w *Worker) work(ctx context.Context) error {
	sinks := make([]media.Sink, len(w.spec.Outputs))
	for i, url := range w.spec.Outputs {
		s, err := publish.Open(url, w.spec.Epoch)
		if err != nil {
			return err
		}
		sinks[i] = s
	}
	rules := input.Rules{Patterns: w.assignment.GetAllowedSources(), Signer: &bucket.Signer{}}
	set, err := w.keys(ctx, rules)
	if err != nil {
		return err
	}
	options := libav.Options{
		Spec: w.spec, Rules: rules, Output: lateOutput{w}, Log: w.log, Propose: w.propose,
	}
	if dir := w.assignment.GetIngest(); dir != "" {
		options.Ring = ingest.Opener(dir)
	}
	pipeline, err := libav.Open(ctx, options)
	if err != nil {
		return err
	}
	pack, err := packager.New(packager.Options{Spec: w.spec, Sinks: sinks, Log: w.log, Now: time.Now, Events: w.event, Lag: pipeline.Lag(), Stills: libav.Stills, Keys: set, Scratch: w.dir})
	if err != nil {
		return err
	}
	stop := w.install(pipeline, pack)
	if stop != nil {
		pipeline.Stop()
	}
	if err := pipeline.Run(ctx); err != nil {
		w.salvage(ctx, pack)
		return err
	}
	switch o := w.stopped(); {
	case o == nil:
		return pack.Finish(ctx)
	case o.leave || !w.spec.Live:
		return pack.Leave(ctx)
	}
	return pack.Stop(ctx)
}

// keys are fetched each time a worker starts, and are nowhere but in its memory.
func (w *Worker) keys(ctx context.Context, rules input.Rules) (keys.Set, error) {
	p := w.spec.Protection
	if p == nil {
		return nil, nil
	}
	source, err := keys.Open(p.Keys, rules)
	if err != nil {
		return nil, err
	}
	scheme, err := keys.ParseScheme(p.Scheme)
	if err != nil {
		return nil, err
	}
	return source.Keys(ctx, keys.Content{Job: w.spec.Job, Scheme: scheme})
}

// salvagePatience is how long whole segments of a failed pipeline get to reach
// their destinations: each one is a segment that a successor need not make.
const salvagePatience = 5 * time.Second

// salvage publishes what was whole when the pipeline broke off; a writer that
// was told to let go does so at once.
func (w *Worker) salvage(ctx context.Context, pack *packager.Packager) {
	if ctx.Err() != nil {
		pack.Abort()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, salvagePatience)
	defer cancel()
	if err := pack.Leave(ctx); err != nil {
		w.log.Warn("what was whole could not all be published", "err", err)
		pack.Abort()
	}
}

// lateOutput lets the pipeline be opened before the packager, so that a source
// that cannot be read touches no destination.
type lateOutput struct{ w *Worker }

func (o lateOutput) Init(r string, cfg media.CodecConfig) error { return o.w.packager.Init(r, cfg) }
func (o lateOutput) Write(ctx context.Context, r string, p media.Packet) error {
	return o.w.packager.Write(ctx, r, p)
}

// Cue passes on subtitles.
func (o lateOutput) Cue(r string, c webvtt.Cue) error { return o.w.packager.Cue(r, c) }

// Captions passes on what the pictures carry.
func (o lateOutput) Captions(channels []string) { o.w.packager.Captions(channels) }

func (w *Worker) install(p *libav.Pipeline, k *packager.Packager) *order {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pipeline, w.packager = p, k
	return w.order
}

func (w *Worker) stopped() *order {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.order
}

var errStop = errors.New("stopped")

// stop follows an order: finish the open segment, or let go at once.
func (w *Worker) stop(o order) {
	w.log.Info("stop ordered", "finish", o.finish, "superseded", o.superseded, "reason", o.reason)
	w.mu.Lock()
	if w.order == nil || !o.finish {
		w.order = &o
	}
	p := w.pipeline
	w.mu.Unlock()
	switch {
	case o.superseded:
		w.cancel(media.ErrSuperseded)
	case !o.finish || p == nil:
		w.cancel(errStop)
	default:
		p.Stop()
	}
}

// propose asks for the anchor over Watch and waits for SetAnchor.
func (w *Worker) propose(ctx context.Context, a timeline.Anchor) (timeline.Anchor, error) {
	w.board.propose(wire.AnchorProto(a))
	defer w.board.propose(nil)
	select {
	case fixed := <-w.anchors:
		return fixed, nil
	case <-ctx.Done():
		return a, ctx.Err()
	case <-time.After(anchorPatience):
		// No scheduler in reach: the source runs free on its own anchor.
		w.log.Warn("no answer to the anchor proposal: running free on it")
		return a, nil
	}
}

// anchorPatience is how long a new source waits for the scheduler's word.
const anchorPatience = 5 * time.Second

func (w *Worker) event(e packager.Event) {
	level := slog.LevelDebug
	if e.Kind != packager.Published {
		level = slog.LevelWarn
	}
	w.log.Log(context.Background(), level, "segment "+string(e.Kind), "rendition", e.Rendition, "segment", e.Segment, "output", e.Output, "err", e.Err)
}

// outcome turns the end of the pipeline into the one word for it.
func (w *Worker) outcome(ctx context.Context, err error) *galav1.Outcome {
	status := w.status()
	o := w.stopped()
	switch cause := context.Cause(ctx); {
	case errors.Is(err, media.ErrSuperseded), errors.Is(cause, media.ErrSuperseded):
		err = &media.Error{Code: media.Superseded, Message: "a newer attempt took over", Advice: "nothing to do"}
	case o != nil && o.leave && err == nil:
		err = &media.Error{Code: media.HandedOver, Message: "handed over: " + o.reason, Advice: "nothing to do", Retryable: true}
	case o != nil && (err == nil || errors.Is(err, context.Canceled)):
		err = &media.Error{Code: media.Stopped, Message: "stopped: " + o.reason, Advice: "nothing to do"}
	case errors.Is(err, context.Canceled):
		err = &media.Error{Code: media.Stopped, Message: "the worker was told to end", Advice: "submit the job again if that was not meant", Retryable: true}
	}
	return wire.OutcomeProto(err, status, time.Now())
}

func writeOutcome(dir string, o *galav1.Outcome) error {
	text, err := protojson.Marshal(o)
	if err != nil {
		return fmt.Errorf("write outcome: %w", err)
	}
	tmp := filepath.Join(dir, "outcome.tmp")
	if err := os.WriteFile(tmp, text, 0o644); err != nil {
		return fmt.Errorf("write outcome: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, "outcome.json")); err != nil {
		return fmt.Errorf("write outcome: %w", err)
	}
	return nil
}
