package worker

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/galafarm/gala/internal/wire"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/timeline"
)

var quiet = slog.New(slog.DiscardHandler)

func assignment(t *testing.T) *galav1.Assignment {
	t.Helper()
	g, err := timeline.NewGrid(timeline.Rate{Num: 25, Den: 1}, time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	probe := Probe(t.Context(), "testcard:", input.Rules{})
	return &galav1.Assignment{
		Id: "a1", Job: "derby", Kind: galav1.JobKind_JOB_KIND_LIVE, Epoch: 3, Input: "testcard:", Source: probe.GetSource(), Grid: wire.GridProto(g),
		Renditions: wire.RenditionProtos([]ladders.Rendition{{Name: "v", Video: &ladders.Video{Width: 160, Height: 90, Divisor: 1, Codec: "h264", Bitrate: 100_000, Maxrate: 100_000, Bufsize: 100_000, Preset: "fastest"}}}),
		Outputs:    []*galav1.Output{{Url: "file:///srv/derby"}},
	}
}

func writeAssignment(t *testing.T, dir string, a *galav1.Assignment) {
	t.Helper()
	text, err := protojson.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "assignment.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func loaded(t *testing.T, change func(*galav1.Assignment)) *Worker {
	t.Helper()
	dir, a := t.TempDir(), assignment(t)
	if change != nil {
		change(a)
	}
	writeAssignment(t, dir, a)
	w, err := Load(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func readOutcome(t *testing.T, dir string) *galav1.Outcome {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "outcome.json"))
	if err != nil {
		t.Fatal(err)
	}
	o := &galav1.Outcome{}
	if err := protojson.Unmarshal(text, o); err != nil {
		t.Fatalf("outcome %q: %v", text, err)
	}
	return o
}

func TestLoad(t *testing.T) {
	w := loaded(t, nil)
	if w.spec.Job != "derby" || w.spec.Epoch != 3 || !w.spec.Live || len(w.spec.Renditions) != 1 {
		t.Errorf("spec %+v", w.spec)
	}
}

func TestLoadRefuses(t *testing.T) {
	broken := map[string]func(*galav1.Assignment){
		"no job or assignment id": func(a *galav1.Assignment) { a.Job = "" },
		"epoch 0":                 func(a *galav1.Assignment) { a.Epoch = 0 },
		"no output":               func(a *galav1.Assignment) { a.Outputs = nil },
		"no rendition":            func(a *galav1.Assignment) { a.Renditions = nil },
		"grid":                    func(a *galav1.Assignment) { a.Grid = nil },
	}
	for words, change := range broken {
		dir, a := t.TempDir(), assignment(t)
		change(a)
		writeAssignment(t, dir, a)
		if _, err := Load(dir, quiet); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("want %q, got %v", words, err)
		}
	}
	for text, words := range map[string]string{"": "read assignment", "{": "read assignment", `{"jub": "x"}`: "unknown field"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "assignment.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir, quiet); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: want %q, got %v", text, words, err)
		}
	}
	if _, err := Load(t.TempDir(), quiet); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestRefuseLeavesAnOutcome(t *testing.T) {
	dir := t.TempDir()
	if err := Refuse(dir, errors.New("the reason")); err != nil {
		t.Fatal(err)
	}
	o := readOutcome(t, dir)
	if o.GetCode() != galav1.OutcomeCode_OUTCOME_CODE_CRASHED || !strings.Contains(o.GetMessage(), "the reason") || o.GetAdvice() == "" || o.GetEndedAt() == nil {
		t.Errorf("outcome %v", o)
	}
	if _, err := os.Stat(filepath.Join(dir, "outcome.tmp")); !os.IsNotExist(err) {
		t.Errorf("half an outcome is left: %v", err)
	}
	if err := Refuse(filepath.Join(dir, "no", "such"), errors.New("x")); err == nil {
		t.Error("an outcome in no folder was written")
	}
}

// Every way to end has its one word.
func TestOutcome(t *testing.T) {
	bad := &media.Error{Code: media.SourceError, Message: "no such file", Advice: "check the path"}
	live, cancelled := context.WithCancelCause(t.Context())
	cancelled(errStop)
	fenced, fence := context.WithCancelCause(t.Context())
	fence(media.ErrSuperseded)
	for name, c := range map[string]struct {
		ctx   context.Context
		order *order
		err   error
		want  galav1.OutcomeCode
	}{
		"the end of the source":       {t.Context(), nil, nil, galav1.OutcomeCode_OUTCOME_CODE_FINISHED},
		"a stop that finished":        {t.Context(), &order{finish: true, reason: "asked"}, nil, galav1.OutcomeCode_OUTCOME_CODE_STOPPED},
		"a handover":                  {t.Context(), &order{finish: true, leave: true}, nil, galav1.OutcomeCode_OUTCOME_CODE_HANDED_OVER},
		"a stop at once":              {live, &order{reason: "asked"}, context.Canceled, galav1.OutcomeCode_OUTCOME_CODE_STOPPED},
		"a signal":                    {live, nil, context.Canceled, galav1.OutcomeCode_OUTCOME_CODE_STOPPED},
		"a successor, told by order":  {fenced, &order{superseded: true}, context.Canceled, galav1.OutcomeCode_OUTCOME_CODE_SUPERSEDED},
		"a successor, told by origin": {t.Context(), nil, media.ErrSuperseded, galav1.OutcomeCode_OUTCOME_CODE_SUPERSEDED},
		"a failure":                   {t.Context(), nil, bad, galav1.OutcomeCode_OUTCOME_CODE_SOURCE_ERROR},
		"a failure while stopping":    {t.Context(), &order{finish: true}, bad, galav1.OutcomeCode_OUTCOME_CODE_SOURCE_ERROR},
	} {
		w := loaded(t, nil)
		w.order = c.order
		o := w.outcome(c.ctx, c.err)
		if o.GetCode() != c.want {
			t.Errorf("%s: %v (%s)", name, o.GetCode(), o.GetMessage())
		}
		if c.order != nil && c.order.reason != "" && !strings.Contains(o.GetMessage(), c.order.reason) {
			t.Errorf("%s: %q does not say why", name, o.GetMessage())
		}
	}
}

// An order to let go outranks one to finish, never the other way round.
func TestOrders(t *testing.T) {
	w := loaded(t, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	w.cancel = cancel
	w.stop(order{finish: true, reason: "first"})
	if !errors.Is(context.Cause(ctx), errStop) {
		t.Error("a worker that makes nothing yet did not end at once")
	}
	w.stop(order{finish: true, reason: "second"})
	if o := w.stopped(); o.reason != "first" {
		t.Errorf("the order is %+v", o)
	}
	w.stop(order{superseded: true, reason: "third"})
	if o := w.stopped(); o.reason != "third" {
		t.Errorf("the order is %+v", o)
	}
}

func TestProposal(t *testing.T) {
	ours := timeline.Anchor{Generation: 1, Source: 5, Base: timeline.Timebase{Num: 1, Den: 25}, Frame: 50}
	t.Run("decided", func(t *testing.T) {
		w, theirs := loaded(t, nil), ours
		theirs.Frame = 75
		w.anchors <- decision{0, theirs}
		if got, err := w.proposeFor(0)(t.Context(), ours); err != nil || got != theirs {
			t.Errorf("anchor %+v, %v", got, err)
		}
		news, _, err := w.board.next(t.Context(), 0)
		if err != nil || news.GetProposal() != nil {
			t.Errorf("the proposal still stands: %v, %v", news, err)
		}
	})
	t.Run("nobody answers", func(t *testing.T) {
		w := loaded(t, nil)
		synctest.Test(t, func(t *testing.T) {
			w.anchors = make(chan decision, 1)
			began := time.Now()
			if got, err := w.proposeFor(0)(t.Context(), ours); err != nil || got != ours || time.Since(began) != anchorPatience {
				t.Errorf("anchor %+v after %v, %v", got, time.Since(began), err)
			}
		})
	})
	t.Run("told to end", func(t *testing.T) {
		w := loaded(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.proposeFor(0)(ctx, ours); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestPace(t *testing.T) {
	var p pace
	now := time.Unix(1000, 0)
	if got := p.of("v", 0, now); got != 0 {
		t.Errorf("at first %v", got)
	}
	for i := range int64(40) { // 25 frames a second, then 50
		got := p.of("v", 25*i/4, now.Add(time.Duration(i)*250*time.Millisecond))
		if i > 4 && (got < 24 || got > 26) {
			t.Errorf("after %d quarters %v", i, got)
		}
	}
	for i := range int64(20) {
		got := p.of("v", 250+50*i/4, now.Add(10*time.Second+time.Duration(i)*250*time.Millisecond))
		if i > 14 && (got < 48 || got > 52) {
			t.Errorf("after %d quarters at twice the pace %v", i, got)
		}
	}
	if n := len(p.marks["v"]); n > 14 {
		t.Errorf("%d marks are kept", n)
	}
}

func TestProbe(t *testing.T) {
	r := Probe(t.Context(), "testcard:?size=640x360&fps=29.97&duration=4s", input.Rules{})
	s := r.GetSource()
	if r.GetError() != nil || len(s.GetVideo()) != 1 || s.GetVideo()[0].GetWidth() != 640 || s.GetVideo()[0].GetFps().GetNum() != 30000 || s.GetDurationUs() < 3_990_000 || len(s.GetAudio()) != 1 || s.GetAudio()[0].GetSampleRate() != 48000 {
		t.Errorf("%v", r)
	}
	r = Probe(t.Context(), "/etc/passwd", input.Rules{})
	if r.GetSource() != nil || !strings.Contains(r.GetError().GetMessage(), "list of allowed sources") || r.GetError().GetAdvice() == "" {
		t.Errorf("%v", r)
	}
}

func TestSampleAspect(t *testing.T) {
	if r := rational(16, 11); r.GetNum() != 16 || r.GetDen() != 11 {
		t.Errorf("%v", r)
	}
	if r := rational(0, 1); r != nil {
		t.Errorf("an unknown shape became %v", r)
	}
}

// A worker that publishes what was whole before it failed tells of progress while
// it may, and no longer.
func TestSalvageIsProgress(t *testing.T) {
	w := loaded(t, nil)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), salvagePatience)
		defer cancel()
		over := w.busyUntil(ctx)
		defer over()
		before := int64(0)
		for range 4 {
			time.Sleep(time.Second)
			now := w.salvaged.Load()
			if now <= before {
				t.Fatalf("%d steps, and %d a second later", before, now)
			}
			before = now
		}
		time.Sleep(2 * time.Second)
		before = w.salvaged.Load()
		time.Sleep(time.Minute)
		if now := w.salvaged.Load(); now != before {
			t.Errorf("it goes on past its bound: %d steps, then %d", before, now)
		}
	})
}
