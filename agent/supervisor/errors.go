package supervisor

import (
	"errors"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

var (
	errClosing    = errors.New("it is ending")
	errFull       = errors.New("it holds as many workers as it may")
	errSources    = errors.New("it holds as many live sources as it may")
	errUndying    = errors.New("it was killed and does not die")
	errSuperseded = errors.New("a newer lease of this assignment is held here")
)

// refusal is the outcome of an assignment that was not taken.
func refusal(err error) *galav1.Outcome {
	switch {
	case errors.Is(err, errSuperseded):
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_SUPERSEDED, false, err.Error(), "")
	case errors.Is(err, errFull), errors.Is(err, errSources):
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_SESSION_LIMIT, true, err.Error(), "add an agent, or raise this one's limit")
	case errors.Is(err, errClosing):
		return outcome(galav1.OutcomeCode_OUTCOME_CODE_HANDED_OVER, true, err.Error(), "place it on another agent")
	default:
		return notStarted(err)
	}
}
