package wire

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

const codePrefix = "OUTCOME_CODE_"

// CodeProto is an outcome code as its enum; an unknown one is UNSPECIFIED.
func CodeProto(c media.Code) galav1.OutcomeCode {
	return galav1.OutcomeCode(galav1.OutcomeCode_value[codePrefix+strings.ToUpper(string(c))])
}

// Code reads an outcome code; what this build does not know is Crashed, the
// outcome that promises least.
func Code(p galav1.OutcomeCode) media.Code {
	name, known := galav1.OutcomeCode_name[int32(p)]
	if !known || p == galav1.OutcomeCode_OUTCOME_CODE_UNSPECIFIED {
		return media.Crashed
	}
	return media.Code(strings.ToLower(strings.TrimPrefix(name, codePrefix)))
}

// OutcomeProto says how a pipeline ended. A nil err is finished.
func OutcomeProto(err error, status *galav1.WorkerStatus, endedAt time.Time) *galav1.Outcome {
	e := AsError(err)
	p := &galav1.Outcome{
		Code: CodeProto(e.Code), Message: e.Message, Advice: e.Advice, Retryable: e.Retryable,
		Status: status, EndedAt: timestamppb.New(endedAt),
	}
	if e.Err != nil {
		p.Message = e.Error()
	}
	return p
}

// Outcome reads an outcome; it is never nil, and an absent message is Crashed.
func Outcome(p *galav1.Outcome) *media.Error {
	return &media.Error{
		Code: Code(p.GetCode()), Message: p.GetMessage(),
		Advice: p.GetAdvice(), Retryable: p.GetRetryable(),
	}
}

// AsError gives any end of a pipeline its code. Finding a media.Error inside
// err keeps what was wrapped around it in the message.
func AsError(err error) *media.Error {
	if err == nil {
		return &media.Error{Code: media.Finished}
	}
	if e, ok := errors.AsType[*media.Error](err); ok {
		found := *e
		found.Message, found.Err = err.Error(), nil
		return &found
	}
	switch {
	case errors.Is(err, media.ErrSuperseded):
		return &media.Error{Code: media.Superseded, Message: err.Error()}
	case errors.Is(err, context.Canceled):
		return &media.Error{Code: media.Stopped, Message: err.Error()}
	}
	return &media.Error{
		Code: media.Crashed, Message: err.Error(), Retryable: true,
		Advice: "no known outcome; the worker's log has the details",
	}
}

// JobErrorProto is the error of a failed job as a message; nil for nil.
func JobErrorProto(err error) *galav1.JobError {
	if err == nil {
		return nil
	}
	e := AsError(err)
	return &galav1.JobError{Code: string(e.Code), Message: e.Message, Advice: e.Advice, Retryable: e.Retryable}
}

// JobError reads the error of a probe or job; nil for nil.
func JobError(p *galav1.JobError) error {
	if p == nil {
		return nil
	}
	return &media.Error{
		Code: media.Code(p.GetCode()), Message: p.GetMessage(),
		Advice: p.GetAdvice(), Retryable: p.GetRetryable(),
	}
}

// StatusError is the error that a gRPC status carries as a detail, nil where it
// carries none.
func StatusError(err error) error {
	for _, d := range status.Convert(err).Details() {
		if e, ok := d.(*galav1.JobError); ok {
			return JobError(e)
		}
	}
	return nil
}
