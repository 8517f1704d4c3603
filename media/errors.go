package media

import "errors"

// ErrNotFound: the sink holds no such object.
var ErrNotFound = errors.New("no such object")

// ErrSuperseded: a writer with a higher epoch owns this tree; stop writing.
var ErrSuperseded = errors.New("a newer writer (higher epoch) owns this output")

// Code is how a worker ended; the closed set of DESIGN §13.
type Code string

// The outcomes.
const (
	Finished     Code = "finished"
	HandedOver   Code = "handed_over"
	SourceEnded  Code = "source_ended"
	SourceError  Code = "source_error"
	SinkError    Code = "sink_error"
	EncoderError Code = "encoder_error"
	DeviceLost   Code = "device_lost"
	SessionLimit Code = "session_limit"
	OutOfMemory  Code = "out_of_memory"
	Crashed      Code = "crashed"
	Stalled      Code = "stalled"
	StartTimeout Code = "start_timeout"
	Superseded   Code = "superseded"
	Stopped      Code = "stopped"
)

// Error is a failure with its outcome and advice for the person who submitted
// the job. Retryable: the same assignment may succeed elsewhere or later.
type Error struct {
	Code      Code
	Message   string // what went wrong, naming the operation and the noun
	Advice    string // what to do next
	Retryable bool
	Err       error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// MayPass tells an error that says by itself that another try may succeed.
func MayPass(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}
