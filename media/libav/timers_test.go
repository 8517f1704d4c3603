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
		switch s := <-got; s {
		case 2 * time.Millisecond:
		case 0:
			t.Skip("SKIPPED LOUDLY: this machine runs the test's threads without timer slack")
		default:
			t.Errorf("timer slack is %v, want 2 ms", s)
		}
	}
}
