package gpu

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A driver that hangs costs its caller the deadline and nothing more.
func TestAHangingDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		hang := make(chan struct{})
		defer close(hang)
		got := listWith(ctx, func() Inventory { <-hang; return Inventory{} })
		if got.Reason != errSlow.Error() || len(got.GPUs) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestListAnswersOnEveryMachine(t *testing.T) {
	if got := List(t.Context()); len(got.GPUs) == 0 && got.Reason == "" {
		t.Error("no GPU and no reason")
	}
}
