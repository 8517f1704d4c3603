package packager

import (
	"errors"
	"fmt"

	"github.com/galafarm/gala/media"
)

// encoderError names the frame that is not where the grid wants it.
func encoderError(rendition string, err error) error {
	return &media.Error{
		Code: media.EncoderError, Message: fmt.Sprintf("rendition %s: encoder broke the grid", rendition),
		Advice:    "the encoder must give closed GOPs of fixed length, one IDR at the start of each; try another device or encoder, and report the job's log",
		Retryable: true, Err: err,
	}
}

// sinkError says which object did not reach which output.
func sinkError(output string, err error) error {
	switch {
	case errors.Is(err, media.ErrSuperseded):
		return &media.Error{Code: media.Superseded, Message: "output " + output, Advice: "nothing: a newer writer carries on", Err: err}
	default:
		return &media.Error{
			Code: media.SinkError, Message: "output " + output,
			Advice:    "check that the destination is up, has room, and lets this host write",
			Retryable: true, Err: err,
		}
	}
}

// errHole: what came before is not at the destination, so carrying on would
// publish a job with a hole.
var errHole = errors.New("the segments before are not at the destination")

func holeError(output, rendition string, have, want int64) error {
	return &media.Error{
		Code: media.SinkError, Message: fmt.Sprintf("output %s: %s: segment %d would follow %d", output, rendition, want, have),
		Advice: "what was encoded before has gone from the destination; queue the job again", Err: errHole,
	}
}

// firstFatal is the error to end with: a successor's claim explains all others.
func firstFatal(errs []error) error {
	var first error
	for _, err := range errs {
		switch {
		case errors.Is(err, media.ErrSuperseded):
			return err
		case first == nil:
			first = err
		}
	}
	return first
}
