package wire

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/media"
)

func TestLossAndSlateReadBackEqual(t *testing.T) {
	loss := media.Loss{After: 100 * time.Millisecond, Slate: 3 * time.Second, Return: time.Minute, Black: time.Second, Freeze: 2 * time.Second, Silence: 3 * time.Second}
	if diff := cmp.Diff(loss, Loss(LossProto(loss))); diff != "" {
		t.Error("(-want +got):", diff)
	}
	slate := media.Slate{Color: "102030", Text: "Back soon", Image: []byte{1}}
	if diff := cmp.Diff(slate, Slate(SlateProto(slate))); diff != "" {
		t.Error("(-want +got):", diff)
	}
	if LossProto(media.Loss{}) != nil || SlateProto(media.Slate{}) != nil {
		t.Error("what is left to the defaults is sent")
	}
}
