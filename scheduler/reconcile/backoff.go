package reconcile

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// pause before the next attempt, after so many failures in a row. It has no
// jitter: attempts of different jobs do not share what they wait for, and the
// same history must give the same plan.
func (s Settings) pause(failures int) time.Duration {
	if failures <= 0 {
		return 0
	}
	b := backoff.ExponentialBackOff{InitialInterval: s.FirstBackoff, Multiplier: 2, MaxInterval: s.LastBackoff}
	b.Reset()
	var d time.Duration
	for range failures {
		d = b.NextBackOff()
	}
	return d
}
