package link

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestBeatsKeepTheirInterval(t *testing.T) {
	f := newFarm()
	f.behave["one"] = healthy(-1)
	attached(t, f, []string{"one"}, func(*Link, *host) { pass(4*time.Second + 10*time.Millisecond) })
	if f.count("dial one") != 1 || f.index("one: beat 11") < 0 || f.index("one: beat 13") >= 0 {
		t.Errorf("trace %q", f.trace)
	}
	if f.trace[1] != "one: hello holding 1" || f.trace[2] != "one: beat 1" {
		t.Errorf("it began with %q", f.trace[:3])
	}
}

// A scheduler that takes everything and answers nothing is given up.
func TestSilenceEndsAStream(t *testing.T) {
	f := newFarm()
	f.behave["one"] = healthy(3)
	f.behave["two"] = healthy(-1)
	attached(t, f, []string{"one", "two"}, func(*Link, *host) { pass(20 * time.Second) })
	if f.count("dial one") < 2 {
		t.Errorf("trace %q", f.trace)
	}
	if !strings.Contains(strings.Join(f.trace, "|"), "two: beat") {
		t.Error("it never came to the second scheduler")
	}
}

func TestAddressesTakeTurnsWithGrowingPauses(t *testing.T) {
	f := newFarm()
	var dials []time.Duration
	f.behave["deaf"] = func(l *wire) { <-l.ctx.Done() } // takes nothing: Hello blocks
	attached(t, f, []string{"away", "deaf"}, func(*Link, *host) {
		for range 600 {
			pass(100 * time.Millisecond)
			if n := f.count("dial away") + f.count("dial deaf"); n > len(dials) {
				dials = append(dials, time.Since(f.begin))
			}
		}
	})
	for i, entry := range f.trace {
		if want := []string{"dial away", "dial deaf"}[i%2]; entry != want {
			t.Fatalf("trace %q", f.trace)
		}
	}
	// A pause is at most 7.5 s with jitter, a deaf scheduler costs 5 s more.
	if n := len(dials); n < 8 || n > 30 {
		t.Errorf("%d attempts in a minute: %v", n, dials)
	}
}

// What a lost stream may have swallowed is told again; what was acknowledged is not.
func TestReportsAreToldAgain(t *testing.T) {
	f := newFarm()
	streams := 0
	f.behave["one"] = func(l *wire) {
		streams++
		healthy(2 + 100*(streams-1))(l)
	}
	attached(t, f, []string{"one"}, func(l *Link, h *host) {
		l.cfg.Outbox.Report(report("old", 1, 0, finished))
		pass(600 * time.Millisecond)
		l.cfg.Outbox.Report(report("lost", 1, 0, finished))
		l.cfg.Outbox.Report(report("a", 1, 42, 0))
		l.cfg.Outbox.Propose(&galav1.AnchorProposal{Assignment: "a", Epoch: 1})
		pass(10 * time.Second)
		if want := []string{"delivered old 1", "delivered lost 1"}; !slices.Equal(h.got, want) {
			t.Errorf("delivered %q", h.got)
		}
	})
	for entry, want := range map[string]int{"one: outcome old": 1, "one: outcome lost": 2, "one: status a 42": 2, "one: proposal a": 2} {
		if f.count(entry) != want {
			t.Errorf("%q %d times, want %d: %q", entry, f.count(entry), want, f.trace)
		}
	}
}

func TestDirectivesArrive(t *testing.T) {
	f := newFarm()
	f.behave["one"] = func(l *wire) {
		l.take()
		l.send(welcome(400 * time.Millisecond))
		l.send(&galav1.AttachResponse{Message: &galav1.AttachResponse_Start{Start: &galav1.StartAssignment{Assignment: &galav1.Assignment{Id: "a"}}}})
		l.send(&galav1.AttachResponse{Message: &galav1.AttachResponse_Stop{Stop: &galav1.StopAssignment{Assignment: "a", Mode: galav1.StopMode_STOP_MODE_SUPERSEDED}}})
		l.send(&galav1.AttachResponse{Message: &galav1.AttachResponse_Probe{Probe: &galav1.ProbeRequest{Id: "p"}}})
		l.send(&galav1.AttachResponse{Message: &galav1.AttachResponse_Anchor{Anchor: &galav1.AnchorDecision{Assignment: "a"}}})
		l.send(&galav1.AttachResponse{})
		healthy(-1)(l)
	}
	attached(t, f, []string{"one"}, func(_ *Link, h *host) {
		pass(time.Second)
		want := []string{"start a", "stop a STOP_MODE_SUPERSEDED", "probe p", "anchor a"}
		if !slices.Equal(h.got, want) {
			t.Errorf("obeyed %q", h.got)
		}
	})
}

func TestUnsuitableSchedulers(t *testing.T) {
	f := newFarm()
	f.behave["old"] = func(l *wire) {
		l.take()
		w := welcome(time.Second)
		w.GetWelcome().Protocol = 99
		l.send(w)
		<-l.ctx.Done()
	}
	f.behave["rude"] = func(l *wire) { l.take(); l.send(&galav1.AttachResponse{}); <-l.ctx.Done() }
	f.behave["brief"] = func(l *wire) { l.take() }
	f.behave["good"] = healthy(-1)
	attached(t, f, []string{"old", "rude", "brief", "good"}, func(*Link, *host) { pass(10 * time.Second) })
	if f.count("dial good") != 1 || f.index("good: beat 5") < 0 {
		t.Errorf("trace %q", f.trace)
	}
}

// The agent that ends stays until its last outcomes are acknowledged, and not
// for ever.
func TestFarewell(t *testing.T) {
	for name, acks := range map[string]int{"acknowledged": -1, "ignored": 2} {
		t.Run(name, func(t *testing.T) {
			f := newFarm()
			f.behave["one"] = healthy(acks)
			attached(t, f, []string{"one"}, func(l *Link, _ *host) {
				pass(900 * time.Millisecond)
				l.cfg.Outbox.Report(report("last", 1, 0, finished))
			})
			if f.index("one: outcome last") < 0 || f.index("one: goodbye") < 0 {
				t.Errorf("trace %q", f.trace)
			}
		})
	}
}

// A scheduler that reads slowly must not make the agent grow or its workers wait.
func TestASlowSchedulerHoldsUpNobody(t *testing.T) {
	f := newFarm()
	f.behave["one"] = func(l *wire) {
		l.take()
		l.send(welcome(400 * time.Millisecond))
		for m := l.take(); m != nil; m = l.take() {
			l.note(line(m))
			if m.GetBeat() != nil {
				l.send(ack(m))
			}
			<-time.After(100 * time.Millisecond)
		}
	}
	attached(t, f, []string{"one"}, func(l *Link, _ *host) {
		for n := range int64(2000) {
			for a := range 5 {
				l.cfg.Outbox.Report(report(fmt.Sprint("a", a), 1, n, 0))
			}
			pass(10 * time.Millisecond)
		}
		synctest.Wait()
		if len(l.cfg.Outbox.statuses) != 5 {
			t.Errorf("%d statuses wait", len(l.cfg.Outbox.statuses))
		}
	})
	if f.count("dial one") != 1 {
		t.Errorf("%d streams", f.count("dial one"))
	}
}

// A message that schedulers refuse does not keep the agent from them.
func TestWhatIsRefusedIsDropped(t *testing.T) {
	f := newFarm()
	f.behave["strict"] = func(w *wire) {
		for m := w.take(); m != nil; m = w.take() {
			switch {
			case m.GetHello() != nil:
				w.send(welcome(400 * time.Millisecond))
			case m.GetProbe() != nil:
				w.note(line(m))
				w.end(status.Error(codes.InvalidArgument, "probe: source.video[0].fps.den must be greater than 0"))
				return
			case m.GetBeat() != nil:
				w.send(ack(m))
			}
		}
	}
	attached(t, f, []string{"strict"}, func(l *Link, h *host) {
		l.cfg.Outbox.Probed(&galav1.ProbeResult{Id: "bad"})
		pass(20 * time.Second)
		l.cfg.Outbox.Report(report("a", 1, 0, finished))
		pass(2 * time.Second)
		if !slices.Contains(h.got, "delivered a 1") {
			t.Errorf("obeyed %q", h.got)
		}
	})
	if n := f.count("strict: probe bad"); n != maxStrikes {
		t.Errorf("told %d times", n)
	}
}
