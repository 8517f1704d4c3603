package libav

import (
	"testing"
	"time"
)

// A thread that Go started after us has what its creator had.
func TestTimersOfNewThreadsAreRelaxed(t *testing.T) {
	got := make(chan time.Duration, 8)
	for range cap(got) {
		go func() {
			got <- timerSlack()
		}()
	}
	for range cap(got) {
		if s := <-got; s != 2*time.Millisecond {
			t.Errorf("timer slack is %v, want 2 ms", s)
		}
	}
}
