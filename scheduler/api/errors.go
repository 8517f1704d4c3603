package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/store"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Domain of the reasons in google.rpc.ErrorInfo.
const Domain = "gala"

// problem is an error on its way to a client.
type problem struct {
	code            codes.Code
	reason          string // for programs, UPPER_SNAKE
	message, advice string
	meta            map[string]string
}

func (p problem) err() error {
	message := p.message
	if p.advice != "" {
		message += ": " + p.advice
	}
	s := status.New(p.code, message)
	info := &errdetails.ErrorInfo{Reason: p.reason, Domain: Domain, Metadata: p.meta}
	if p.advice == "" {
		return withDetails(s, info)
	}
	return withDetails(s, info, &errdetails.LocalizedMessage{Locale: "en", Message: p.advice})
}

func withDetails(s *status.Status, info *errdetails.ErrorInfo, more ...*errdetails.LocalizedMessage) error {
	d, err := s.WithDetails(info)
	if err != nil {
		return s.Err()
	}
	for _, m := range more {
		if with, err := d.WithDetails(m); err == nil {
			d = with
		}
	}
	return d.Err()
}

// table is the one mapping of sentinels to codes.
var table = []struct {
	is             error
	code           codes.Code
	reason, advice string
}{
	{store.ErrNotFound, codes.NotFound, "JOB_NOT_FOUND", "list the jobs to see which there are"},
	{store.ErrExists, codes.AlreadyExists, "JOB_EXISTS", "choose another id"},
	{store.ErrConflict, codes.Aborted, "JOB_CHANGED", "try again"},
	{store.ErrRecord, codes.DataLoss, "JOB_UNREADABLE", "run the scheduler build that wrote it, or repair the record"},
	{context.Canceled, codes.Canceled, "CANCELLED", ""},
	{context.DeadlineExceeded, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "try again; if it stays so, see that the store answers"},
}

// rpcError is err as a client gets it. What the table does not know is the
// store not answering.
func rpcError(err error) error {
	if err == nil {
		return nil
	}
	if _, already := status.FromError(err); already {
		return err
	}
	for _, row := range table {
		if errors.Is(err, row.is) {
			return problem{code: row.code, reason: row.reason, message: err.Error(), advice: row.advice}.err()
		}
	}
	return problem{code: codes.Unavailable, reason: "STORE_UNAVAILABLE", message: "the job store does not answer",
		advice: "try again in a moment; the scheduler's log has the details", meta: map[string]string{"cause": err.Error()}}.err()
}

// refusal is a media.Error, such as a source that is not allowed.
func refusal(err error) error {
	e, ok := errors.AsType[*media.Error](err)
	if !ok {
		return problem{code: codes.InvalidArgument, reason: "INVALID", message: err.Error()}.err()
	}
	return problem{code: codes.InvalidArgument, reason: "SOURCE_REFUSED", message: e.Error(), advice: e.Advice}.err()
}

func invalid(reason, advice, format string, args ...any) error {
	return problem{code: codes.InvalidArgument, reason: reason, message: fmt.Sprintf(format, args...), advice: advice}.err()
}
