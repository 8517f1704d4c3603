package agent

import (
	"fmt"
	"slices"
	"sync"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// A GPU on which workers fail one after the other, so many within so long, is suspect
// whatever its driver says of it.
const (
	suspectAfter  = 3
	suspectWithin = 5 * time.Minute
)

// failures of workers on each device since one ended well there.
type failures struct {
	mu sync.Mutex
	on map[string][]failure
}

type failure struct {
	job, said string
	at        time.Time
	slow      bool // a file or a destination that hangs looks the same
}

// blames tells outcomes that the device may be the cause of; of the others, those in
// clears show that it works.
var (
	blames = []galav1.OutcomeCode{
		galav1.OutcomeCode_OUTCOME_CODE_DEVICE_LOST, galav1.OutcomeCode_OUTCOME_CODE_ENCODER_ERROR,
		galav1.OutcomeCode_OUTCOME_CODE_CRASHED, galav1.OutcomeCode_OUTCOME_CODE_STALLED, galav1.OutcomeCode_OUTCOME_CODE_START_TIMEOUT,
	}
	slow   = []galav1.OutcomeCode{galav1.OutcomeCode_OUTCOME_CODE_STALLED, galav1.OutcomeCode_OUTCOME_CODE_START_TIMEOUT}
	clears = []galav1.OutcomeCode{
		galav1.OutcomeCode_OUTCOME_CODE_FINISHED, galav1.OutcomeCode_OUTCOME_CODE_HANDED_OVER, galav1.OutcomeCode_OUTCOME_CODE_SOURCE_ENDED,
	}
)

func newFailures() *failures { return &failures{on: map[string][]failure{}} }

// ended is one run.
func (f *failures) ended(a *galav1.Assignment, o *galav1.Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch device := a.GetDevice(); {
	case o.GetCode() == galav1.OutcomeCode_OUTCOME_CODE_ENCODER_ERROR && !o.GetRetryable(): // it is the job's, on every device
	case slices.Contains(blames, o.GetCode()):
		all := append(f.on[device], failure{a.GetJob(), o.GetMessage(), o.GetEndedAt().AsTime(), slices.Contains(slow, o.GetCode())})
		f.on[device] = all[max(0, len(all)-suspectAfter):]
	case slices.Contains(clears, o.GetCode()):
		delete(f.on, device)
	}
}

// suspect says why a device is, once, and "" when it is not. One job that fails beside
// others that run proves nothing, and nor does one that stands still beside others that
// get pictures done: moves.
func (f *failures) suspect(device string, running []string, moves bool, now time.Time) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.on[device]
	if len(all) < suspectAfter || now.Sub(all[0].at) > suspectWithin {
		return ""
	}
	stranger := func(job string) bool { return !slices.ContainsFunc(all, func(l failure) bool { return l.job == job }) }
	if moves && slices.ContainsFunc(running, stranger) && slices.ContainsFunc(all, func(l failure) bool { return l.slow }) {
		return ""
	}
	other := func(job string) bool { return job != all[0].job }
	if !slices.ContainsFunc(all, func(l failure) bool { return other(l.job) }) && slices.ContainsFunc(running, other) {
		return ""
	}
	delete(f.on, device)
	return fmt.Sprintf("%d workers have failed on it one after the other within %s, the last one so: %s", suspectAfter, suspectWithin, all[len(all)-1].said)
}
