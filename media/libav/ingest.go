package libav

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/ring"
)

// IngestOptions of one live source.
type IngestOptions struct {
	Input string
	Rules input.Rules
	Ring  *ring.Ring
	Log   *slog.Logger
	Now   func() time.Time
}

// Ingest holds a live source for as long as ctx lasts: it connects, and again
// whenever the source breaks off, and puts every packet into the ring with
// times that grow for ever. Only what will never work ends it: a *media.Error.
func Ingest(ctx context.Context, o IngestOptions) error {
	g := &ingest{IngestOptions: o}
	pause := &backoff.ExponentialBackOff{InitialInterval: 200 * time.Millisecond, Multiplier: 1.7, RandomizationFactor: 0.2, MaxInterval: 3 * time.Second}
	for ctx.Err() == nil {
		before := g.last
		err := g.session(ctx)
		if me, ok := errors.AsType[*media.Error](err); ok && !me.Retryable && g.last == 0 {
			return me
		}
		if ctx.Err() != nil {
			break
		}
		if g.last != before {
			pause.Reset()
		}
		g.lost = fmt.Sprintf("the source broke off: %v", err)
		o.Log.Warn("source lost", "session", g.number, "error", err)
		if !wait(ctx, pause.NextBackOff()) {
			break
		}
	}
	return ctx.Err()
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
