package supervisor

import (
	"syscall"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// cause is why a worker is stopped. A later, stronger one takes over.
type cause string

const (
	causeLinger       cause = "linger" // it told its outcome and lives on
	causeLeave        cause = "leave"  // the job goes on elsewhere, or with the next agent
	causeFinish       cause = "finish"
	causeNow          cause = "now"
	causeSuperseded   cause = "superseded"
	causeStalled      cause = "stalled"
	causeStartTimeout cause = "start_timeout"
)

var strength = map[cause]int{
	causeLinger: 1, causeLeave: 2, causeFinish: 3, causeNow: 4, causeSuperseded: 5, causeStalled: 6, causeStartTimeout: 6,
}

func causeOf(mode galav1.StopMode) cause {
	switch mode {
	case galav1.StopMode_STOP_MODE_LEAVE:
		return causeLeave
	case galav1.StopMode_STOP_MODE_NOW:
		return causeNow
	case galav1.StopMode_STOP_MODE_SUPERSEDED:
		return causeSuperseded
	default:
		return causeFinish
	}
}

// stopRecord is the reason for a stop, on disk before anything is done: the
// next agent continues it, and the outcome quotes it.
type stopRecord struct {
	Cause  cause     `json:"cause"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// overrides: an operator's stop is not turned into a fault by a stall that it
// caused, and nothing gentler follows what is already under way.
func (r stopRecord) overrides(old *stopRecord) bool {
	if old == nil {
		return true
	}
	return strength[r.Cause] > strength[old.Cause] && strength[r.Cause] <= strength[causeSuperseded]
}

// rung is one step of the stop ladder: ask or signal, then wait.
type rung struct {
	name   string
	ask    *galav1.StopRequest
	signal syscall.Signal
	wait   time.Duration
}

// ladder is ask, TERM, KILL with a deadline each; shorter where there is
// nobody to ask. After the last rung the worker is given up: a process in the
// kernel's hands cannot be hurried.
func ladder(r stopRecord, a *galav1.Assignment, l Limits) []rung {
	term := rung{name: "term", signal: syscall.SIGTERM, wait: l.Term}
	kill := rung{name: "kill", signal: syscall.SIGKILL, wait: l.Kill}
	switch r.Cause {
	case causeStalled:
		return []rung{{name: "quit", signal: syscall.SIGQUIT, wait: l.Stacks}, kill}
	case causeStartTimeout:
		return []rung{kill}
	case causeLinger:
		return []rung{term, kill}
	case causeSuperseded:
		return []rung{ask(r, l.Superseded), kill}
	case causeNow:
		return []rung{ask(r, l.Now), term, kill}
	default:
		return []rung{ask(r, finishTime(a, l)), term, kill}
	}
}

func ask(r stopRecord, wait time.Duration) rung {
	return rung{name: "ask", wait: wait, ask: &galav1.StopRequest{
		Finish:     r.Cause == causeFinish || r.Cause == causeLeave,
		Leave:      r.Cause == causeLeave,
		Superseded: r.Cause == causeSuperseded,
		Reason:     r.Reason,
	}}
}

// finishTime: a live worker's open segment ends within one segment; a VOD
// worker may encode slower than real time.
func finishTime(a *galav1.Assignment, l Limits) time.Duration {
	if a.GetKind() == galav1.JobKind_JOB_KIND_VOD {
		return l.FinishVOD
	}
	return segmentTime(a.GetGrid()) + l.FinishMargin
}

func segmentTime(g *galav1.Grid) time.Duration {
	return frames(g, g.GetFramesPerGop()*g.GetGopsPerSegment())
}

// frames is a deadline in grid frames; it is control time, never media time.
func frames(g *galav1.Grid, n int64) time.Duration {
	fps := g.GetFps()
	if fps.GetNum() <= 0 || fps.GetDen() <= 0 {
		return 0
	}
	return time.Duration(float64(n) * float64(fps.GetDen()) / float64(fps.GetNum()) * float64(time.Second))
}
