package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/internal/address"
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
)

// Worker runs one assignment.
type Worker struct {
	dir        string
	log        *slog.Logger
	assignment *galav1.Assignment
	spec       media.Spec
	board      *board
	anchors    chan decision
	proposing  sync.Mutex // one at a time
	// salvaged counts the looks at what is being published after a failure.
	salvaged atomic.Int64

	mu       sync.Mutex
	pipeline *libav.Pipeline
	packager *packager.Packager
	order    *order // the first stop order, or the stronger one after it
	ordered  libav.Order
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
	return &Worker{dir: dir, log: log, assignment: a, spec: rejoin(spec, time.Now()), board: newBoard(), anchors: make(chan decision, 1)}, nil
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
	if !w.spec.Live {
		if err := takeLongTurns(); err != nil {
			w.log.Warn("a clip is encoded with short turns of the processor", "error", err)
		}
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
	signer := &bucket.Signer{}
	opener := publish.Opener{Epoch: w.spec.Epoch, Signer: signer, Kind: w.trackKind}
	for i, url := range w.spec.Outputs {
		s, err := opener.Open(ctx, url)
		if err != nil {
			return err
		}
		sinks[i] = s
	}
	above, err := w.above(ctx, opener)
	if err != nil {
		return err
	}
	rules := input.Rules{Patterns: w.assignment.GetAllowedSources(), Signer: signer}
	set, err := w.keys(ctx, rules)
	if err != nil {
		return err
	}
	options := libav.Options{
		Spec: w.spec, Rules: rules, Output: lateOutput{w}, Log: w.log, Propose: w.proposeFor(0),
	}
	if err := w.addInputs(&options); err != nil {
		return err
	}
	pipeline, err := libav.Open(ctx, options)
	if err != nil {
		return err
	}
	pack, err := packager.New(packager.Options{Spec: w.spec, Sinks: sinks, Above: above, Log: w.log, Now: time.Now, Events: w.event, Lag: pipeline.Lag(), Stills: libav.Stills, Keys: set, Scratch: w.dir})
	if err != nil {
		return err
	}
	pack.Recall(ctx, pipeline.Paged)
	stop, ordered := w.install(pipeline, pack)
	if stop != nil {
		pipeline.Stop()
	}
	pipeline.Switch(ordered)
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

// trackKind is the file name extension of a rendition's CMAF track.
func (w *Worker) trackKind(rendition string) string {
	for _, r := range w.spec.Renditions {
		switch {
		case r.Name != rendition:
		case r.Video != nil:
			return "cmfv"
		case r.Audio != nil:
			return "cmfa"
		}
	}
	return ""
}

// above are the trees of the job that a replica's own lie in.
func (w *Worker) above(ctx context.Context, opener publish.Opener) (sinks []media.Sink, err error) {
	if w.spec.Replica == 0 {
		return nil, nil
	}
	opener.Epoch = 0 // replicas' epochs do not compare
	for _, url := range w.spec.Outputs {
		s, err := opener.Open(ctx, address.Above(url, fmt.Sprintf("r%d", w.spec.Replica)))
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, s)
	}
	return sinks, nil
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
// was told to let go does so at once. Its bound is its own: an agent that sees no
// new frame meanwhile is not to take it for stalled.
func (w *Worker) salvage(ctx context.Context, pack *packager.Packager) {
	if ctx.Err() != nil {
		pack.Abort()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, salvagePatience)
	defer cancel()
	defer w.busyUntil(ctx)()
	if err := pack.Leave(ctx); err != nil {
		w.log.Warn("what was whole could not all be published", "err", err)
		pack.Abort()
	}
}

// busyUntil tells of progress until the returned function is called, or ctx ends.
func (w *Worker) busyUntil(ctx context.Context) (over func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(statusEvery)
		defer tick.Stop()
		for {
			w.salvaged.Add(1)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// lateOutput lets the pipeline be opened before the packager, so that a source
// that cannot be read touches no destination.
type lateOutput struct{ w *Worker }

func (o lateOutput) Init(r string, cfg media.CodecConfig) error { return o.w.packager.Init(r, cfg) }
func (o lateOutput) Write(ctx context.Context, r string, p media.Packet) error {
	return o.w.packager.Write(ctx, r, p)
}

// Skip passes on that a rendition leaves out a segment.
func (o lateOutput) Skip(ctx context.Context, r string, segment int64) error {
	return o.w.packager.Skip(ctx, r, segment)
}

// Cue passes on subtitles.
func (o lateOutput) Cue(r string, c webvtt.Cue) error { return o.w.packager.Cue(r, c) }

// Page passes on subtitles that stay until the next ones come.
func (o lateOutput) Page(r string, c webvtt.Cue) error { return o.w.packager.Page(r, c) }

// Captions passes on what the pictures carry.
func (o lateOutput) Lapse(on bool, n int64, cause string) { o.w.packager.Lapse(on, n, cause) }

func (o lateOutput) Captions(channels []string) { o.w.packager.Captions(channels) }

func (w *Worker) install(p *libav.Pipeline, k *packager.Packager) (*order, libav.Order) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pipeline, w.packager = p, k
	return w.order, w.ordered
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
	if w.order == nil || !o.finish || w.order.leave && !o.leave {
		w.order = &o
	}
	p, k := w.pipeline, w.packager
	w.mu.Unlock()
	switch {
	case o.superseded:
		w.cancel(media.ErrSuperseded)
	case !o.finish || p == nil:
		w.cancel(errStop)
	default:
		p.Stop()
		if last, ok := p.LastSegment(); ok && k != nil && !o.leave {
			k.EndAt(last)
		}
	}
}

// event logs what is worth it: of what an output in trouble costs, segment by
// segment, there is no end.
func (w *Worker) event(e packager.Event) {
	switch e.Kind {
	case packager.Trouble:
		w.log.Warn("output in trouble", "rendition", e.Rendition, "segment", e.Segment, "output", e.Output, "err", e.Err)
	case packager.Recovered:
		w.log.Info("output recovered", "segment", e.Segment, "output", e.Output, "after", e.Duration, "lost", e.Lost)
	case packager.Discontinuity, packager.Empty:
		w.log.Warn("segment "+string(e.Kind), "rendition", e.Rendition, "segment", e.Segment, "output", e.Output)
	default:
		w.log.Debug("segment "+string(e.Kind), "rendition", e.Rendition, "segment", e.Segment, "output", e.Output, "err", e.Err)
	}
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
