package supervisor

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// evidence is all that is known of a run that has ended.
type evidence struct {
	written  *galav1.Outcome // by the worker
	writeErr error           // why there is none
	exit     exit
	stop     *stopRecord
	oomKill  bool   // the kernel killed for memory while it ran
	log      string // last lines
}

// judge turns evidence into the one outcome. The worker's own word counts
// first; then why we stopped it; then how the process ended.
func judge(e evidence) *galav1.Outcome {
	switch {
	case e.written != nil:
		return e.written
	case e.stop != nil:
		return e.stopped()
	case e.killedForMemory():
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_OUT_OF_MEMORY, true,
			"the kernel killed the worker for lack of memory",
			"give this host more memory, or place fewer renditions on it")
	default:
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_CRASHED, true, e.crash(),
			"if it happens again with this source, report it with the worker's log")
	}
}

func (e evidence) killedForMemory() bool {
	return e.oomKill && (!e.exit.known || e.exit.signal() == syscall.SIGKILL)
}

func (e evidence) crash() string {
	text := "the worker " + e.exit.String() + e.missing()
	if e.log != "" {
		text += "; its log ends:\n" + e.log
	}
	return text
}

func (e evidence) missing() string {
	if e.writeErr == nil || errors.Is(e.writeErr, os.ErrNotExist) {
		return " and left no outcome"
	}
	return fmt.Sprintf(" and its outcome cannot be read (%s)", e.writeErr)
}

// stopped is for a worker that was stopped by us and wrote nothing.
func (e evidence) stopped() *galav1.Outcome {
	switch e.stop.Cause {
	case causeStalled:
		text := "the worker was killed: " + e.stop.Reason
		if e.log != "" {
			text += "; its log ends:\n" + e.log
		}
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_STALLED, true, text,
			"if it happens again with this source, report it with the worker's log")
	case causeStartTimeout:
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_START_TIMEOUT, true,
			"the worker was killed: "+e.stop.Reason, "look at the load of this host and at the worker's log")
	case causeSuperseded:
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_SUPERSEDED, false, e.stop.Reason, "")
	default:
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_STOPPED, false,
			fmt.Sprintf("stopped (%s): %s; the worker %s%s", e.stop.Cause, e.stop.Reason, e.exit, e.missing()), "")
	}
}

func outcome(code galav1.OutcomeCode, retryable bool, message, advice string) *galav1.Outcome {
	return &galav1.Outcome{Code: code, Retryable: retryable, Message: message, Advice: advice}
}

// codeName is an outcome as people and metrics know it.
func codeName(o *galav1.Outcome) string {
	return strings.ToLower(strings.TrimPrefix(o.GetCode().String(), "OUTCOME_CODE_"))
}
