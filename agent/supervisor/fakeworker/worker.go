package fakeworker

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/galafarm/gala/internal/version"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// frameTime is how long a fake frame takes.
const frameTime = 10 * time.Millisecond

// worker plays its script.
type worker struct {
	galav1.UnimplementedWorkerServer
	dir    string
	spec   *galav1.Assignment
	script Script
	term   chan os.Signal
	asked  chan *galav1.StopRequest
	anchor chan *galav1.Anchor

	told sync.WaitGroup // every Watch that is open

	mu    sync.Mutex
	news  chan struct{} // closed at every change
	state *galav1.WatchResponse
}

func newWorker(dir string, spec *galav1.Assignment) *worker {
	w := &worker{
		dir: dir, spec: spec, script: parse(spec.GetInput()),
		term: make(chan os.Signal, 4), asked: make(chan *galav1.StopRequest, 16), anchor: make(chan *galav1.Anchor, 1),
		news: make(chan struct{}), state: &galav1.WatchResponse{Status: &galav1.WorkerStatus{}},
	}
	for _, r := range spec.GetRenditions() {
		w.state.Status.Renditions = append(w.state.Status.Renditions, &galav1.RenditionProgress{Name: r.GetName(), LastSegment: spec.GetResumeSegment() - 1})
	}
	if len(w.state.Status.Renditions) == 0 {
		w.state.Status.Renditions = []*galav1.RenditionProgress{{Name: "v", LastSegment: -1}}
	}
	signal.Notify(w.term, syscall.SIGTERM)
	return w
}

func (w *worker) serve() error {
	fmt.Fprintln(os.Stderr, "fake worker of", w.spec.GetId(), "epoch", w.spec.GetEpoch(), w.script.LogLine)
	if w.script.NeverReady {
		return nil
	}
	time.Sleep(time.Duration(w.script.ReadyAfterMS) * time.Millisecond)
	l, err := net.Listen("unix", "sock") // relative: the agent starts us in our directory
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	galav1.RegisterWorkerServer(server, w)
	go server.Serve(l)
	return nil
}

// work makes frames until the script, a signal or the agent ends it.
func (w *worker) work() *galav1.Outcome {
	if w.script.NeverReady {
		select {}
	}
	if w.script.Propose {
		w.propose()
	}
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	for n := int64(1); w.script.Frames == 0 || n <= w.script.Frames; n++ {
		select {
		case <-tick.C:
			w.frame(n)
		case ask := <-w.asked:
			if !w.script.IgnoreAsk {
				return stopped(ask)
			}
		case <-w.term:
			if !w.script.IgnoreTerm {
				return &galav1.Outcome{Code: galav1.OutcomeCode_OUTCOME_CODE_STOPPED, Message: "terminated"}
			}
		}
	}
	return w.scripted()
}

func (w *worker) propose() {
	w.change(func(s *galav1.WatchResponse) {
		s.Proposal = &galav1.Anchor{Generation: 1, SourceTimebase: &galav1.Rational{Num: 1, Den: 90000}, Frame: 25}
	})
	a := <-w.anchor
	w.change(func(s *galav1.WatchResponse) {
		s.Proposal = nil
		s.Status.Notes = append(s.Status.Notes, fmt.Sprint("anchored at frame ", a.GetFrame()))
	})
}

func (w *worker) frame(n int64) {
	if w.script.LogBytes > 0 {
		fmt.Fprintln(os.Stderr, strings.Repeat("#", w.script.LogBytes))
	}
	stalled := w.script.StallAfter > 0 && n > w.script.StallAfter
	w.change(func(s *galav1.WatchResponse) {
		if !stalled || w.script.DecodeOn {
			s.Status.FramesDecoded += 100
		}
		for _, r := range s.Status.Renditions {
			if !stalled {
				progress(r)
			}
		}
		s.Status.FirstSegment = s.Status.Renditions[0].Segments > 0
	})
}

// progress is one frame; ten of them are a segment.
func progress(r *galav1.RenditionProgress) {
	r.Frames++
	r.Fps, r.Speed, r.Bitrate, r.Bytes = 100, 1, 1_000_000, r.Bytes+1000
	if r.Frames%10 == 0 {
		r.Segments++
		r.LastSegment++
		r.LastSegmentAt = timestamppb.Now()
	}
}

func stopped(ask *galav1.StopRequest) *galav1.Outcome {
	o := &galav1.Outcome{Code: galav1.OutcomeCode_OUTCOME_CODE_STOPPED, Message: ask.GetReason()}
	if ask.GetSuperseded() {
		o.Code = galav1.OutcomeCode_OUTCOME_CODE_SUPERSEDED
	}
	return o
}

func (w *worker) scripted() *galav1.Outcome {
	name := w.script.Outcome
	if name == "" {
		name = "finished"
	}
	code := galav1.OutcomeCode(galav1.OutcomeCode_value["OUTCOME_CODE_"+strings.ToUpper(name)])
	return &galav1.Outcome{Code: code, Message: "as scripted"}
}

func (w *worker) leaveOutcome(o *galav1.Outcome) {
	text, _ := protojson.Marshal(o)
	switch {
	case w.script.NoOutcome || w.script.Signal != "":
		return
	case w.script.CorruptOutcome:
		text = text[:len(text)/2]
	}
	_ = os.WriteFile("outcome.tmp", text, 0o644)
	_ = os.Rename("outcome.tmp", "outcome.json")
}

// tell ends every Watch with the outcome.
func (w *worker) tell(o *galav1.Outcome) {
	if w.script.NoOutcome || w.script.CorruptOutcome || w.script.Signal != "" {
		return
	}
	w.change(func(s *galav1.WatchResponse) { s.Outcome = o })
	w.told.Wait()
}

func (w *worker) change(f func(*galav1.WatchResponse)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w.state)
	close(w.news)
	w.news = make(chan struct{})
}

// now is a copy of the state, and what to wait for until it changes.
func (w *worker) now() (*galav1.WatchResponse, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return proto.CloneOf(w.state), w.news
}

func (w *worker) Ready(ctx context.Context, _ *galav1.ReadyRequest) (*galav1.ReadyResponse, error) {
	if w.script.Hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	r := &galav1.ReadyResponse{
		Protocol: version.Protocol, Version: "fake", Assignment: w.spec.GetId(), Epoch: w.spec.GetEpoch(), Pid: int64(os.Getpid()),
	}
	if w.script.Protocol != 0 {
		r.Protocol = w.script.Protocol
	}
	if w.script.WrongEpoch {
		r.Epoch++
	}
	return r, nil
}

func (w *worker) Watch(_ *galav1.WatchRequest, s grpc.ServerStreamingServer[galav1.WatchResponse]) error {
	w.told.Add(1)
	defer w.told.Done()
	for {
		state, news := w.now()
		if err := s.Send(state); err != nil || state.GetOutcome() != nil {
			return err
		}
		select {
		case <-news:
		case <-s.Context().Done():
			return nil
		}
	}
}

func (w *worker) SetAnchor(_ context.Context, r *galav1.SetAnchorRequest) (*galav1.SetAnchorResponse, error) {
	select {
	case w.anchor <- r.GetAnchor():
	default:
	}
	return &galav1.SetAnchorResponse{}, nil
}

func (w *worker) Switch(_ context.Context, r *galav1.SwitchRequest) (*galav1.SwitchResponse, error) {
	w.change(func(s *galav1.WatchResponse) {
		s.Status.Notes = append(s.Status.Notes, fmt.Sprintf("told to switch to input %d", r.GetOrder().GetInput()))
	})
	return &galav1.SwitchResponse{}, nil
}

func (w *worker) Stop(_ context.Context, r *galav1.StopRequest) (*galav1.StopResponse, error) {
	w.asked <- r
	return &galav1.StopResponse{}, nil
}
