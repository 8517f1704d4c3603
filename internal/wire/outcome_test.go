package wire

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/google/go-cmp/cmp"
)

// outcomes is the closed set of DESIGN §13.
var outcomes = []media.Code{
	media.Finished, media.HandedOver, media.SourceEnded, media.SourceError, media.SinkError,
	media.EncoderError, media.DeviceLost, media.SessionLimit, media.OutOfMemory, media.Crashed,
	media.Stalled, media.StartTimeout, media.Superseded, media.Stopped,
}

func TestEveryOutcomeHasOneNumber(t *testing.T) {
	if got, want := len(outcomes), len(galav1.OutcomeCode_name)-1; got != want {
		t.Fatalf("%d outcomes in package media, %d in the proto", got, want)
	}
	for _, code := range outcomes {
		p := CodeProto(code)
		if p == galav1.OutcomeCode_OUTCOME_CODE_UNSPECIFIED {
			t.Errorf("%s has no number", code)
		}
		if back := Code(p); back != code {
			t.Errorf("%s reads back as %s", code, back)
		}
	}
}

func TestUnknownOutcomePromisesLeast(t *testing.T) {
	for _, p := range []galav1.OutcomeCode{0, 4711} {
		if got := Code(p); got != media.Crashed {
			t.Errorf("code %d reads as %s, want crashed", p, got)
		}
	}
}

func TestOutcomeOfAnyEnd(t *testing.T) {
	lost := &media.Error{Code: media.DeviceLost, Message: "GPU fell off the bus", Advice: "reboot the host", Retryable: true}
	at := time.Unix(1_700_000_000, 0)
	tests := []struct {
		name string
		err  error
		want media.Error
	}{
		{"success", nil, media.Error{Code: media.Finished}},
		{"typed", lost, media.Error{Code: media.DeviceLost, Message: "GPU fell off the bus", Advice: "reboot the host", Retryable: true}},
		{"typed and wrapped", fmt.Errorf("rendition 720p: %w", lost),
			media.Error{Code: media.DeviceLost, Message: "rendition 720p: GPU fell off the bus", Advice: "reboot the host", Retryable: true}},
		{"fenced", fmt.Errorf("put 7.m4s: %w", media.ErrSuperseded),
			media.Error{Code: media.Superseded, Message: "put 7.m4s: a newer writer (higher epoch) owns this output"}},
		{"cancelled", context.Canceled, media.Error{Code: media.Stopped, Message: "context canceled"}},
		{"unknown", errors.New("boom"),
			media.Error{Code: media.Crashed, Message: "boom", Retryable: true, Advice: "no known outcome; the worker's log has the details"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Outcome(OutcomeProto(tt.err, nil, at))
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJobErrorReadsBack(t *testing.T) {
	if JobErrorProto(nil) != nil || JobError(nil) != nil {
		t.Error("no error must stay no error")
	}
	want := &media.Error{Code: media.SourceError, Message: "open /a.mp4: no such file", Advice: "check the path on the agent's host", Retryable: true}
	if diff := cmp.Diff(error(want), JobError(JobErrorProto(want))); diff != "" {
		t.Errorf("job error (-want +got):\n%s", diff)
	}
}
