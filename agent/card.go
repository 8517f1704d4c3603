package agent

import (
	"fmt"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

const (
	// Workers that got pictures done so lately prove that their GPU is there.
	proves = 5 * time.Second
	// A GPU that was suspect and has been well for so long begins anew.
	forgivenAfter = time.Hour
)

// card is one GPU and what is known of it.
type card struct {
	gpu.GPU
	offer  *galav1.DeviceOffer
	trying bool
	gone   bool          // lost, suspect, or its driver is silent
	absent bool          // known by an earlier agent alone
	asked  time.Time     // since when the driver answers without an absent one
	again  time.Time     // when to try it again, zero for never
	pause  time.Duration // before the next time
	// taken are the sessions of this agent's workers at a trial that was refused
	// one: it is due again when they are fewer.
	taken    int
	evidence evidence
	frames   int64     // of its workers
	moved    time.Time // when they were last more
	since    time.Time // it was lost; zero when it is not
	// suspected is when its workers failed last. It is not tried before until, and
	// that is longer each time.
	suspected, until time.Time
	penance          time.Duration
}

func (c *card) due(now time.Time) bool { return !c.again.IsZero() && !now.Before(c.again) }

// follow what its workers get done.
func (c *card) follow(frames int64, now time.Time) {
	if frames > c.frames && c.frames > 0 {
		c.moved = now
	}
	c.frames = frames
}

func (c *card) moves(now time.Time) bool { return !c.moved.IsZero() && now.Sub(c.moved) < proves }

// leave: no work may be placed on it.
func (c *card) leave(driver, why string, lost bool) {
	c.gone, c.again, c.pause = true, time.Time{}, firstAgain
	c.offer = unusable(emptyOffer(c.GPU, driver), why)
	c.offer.Lost = lost
}

// suspect it for a reason, if there is one: it has to be tried anew, after a while.
func (c *card) suspect(driver, why string, now time.Time) bool {
	if why == "" {
		return false
	}
	c.penance = min(2*c.penance, lastAgain)
	if c.penance == 0 || now.Sub(c.suspected) > forgivenAfter {
		c.penance = firstAgain
	}
	c.suspected, c.until, c.evidence = now, now.Add(c.penance), evidence{}
	c.leave(driver, fmt.Sprintf("it is tried again in %s: %s", c.penance, why), false)
	return true
}

// lose it, and with it what runs on it and what was known of it.
func (c *card) lose(driver, why string, now time.Time) {
	c.leave(driver, why, true)
	c.evidence = evidence{}
	if c.since.IsZero() {
		c.since = now
	}
}
