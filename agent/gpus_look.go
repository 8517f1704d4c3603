package agent

import (
	"context"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/media"
)

// look at what the driver tells, and try what came, what is back and what is due.
func (g *gpus) look(ctx context.Context, now time.Time) {
	s, using := g.read(), g.workers()
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.Driver != "" {
		g.driver = s.Driver
	}
	g.using = using
	listed := map[string]bool{}
	for i := range s.Devices {
		d := &s.Devices[i]
		listed[d.UUID] = true
		c := g.card(d.UUID)
		switch {
		case c != nil:
			g.lookAt(ctx, c, d, now)
		case d.State == gpu.Well:
			g.attempt(ctx, g.add(d.GPU))
		}
	}
	for _, c := range g.cards {
		if !listed[c.UUID] {
			g.lookFor(c, s.Driver != "", now)
		}
	}
}

func (g *gpus) lookAt(ctx context.Context, c *card, d *gpu.Device, now time.Time) {
	used := g.using[c.UUID]
	c.follow(used.frames, now)
	lost := d.State == gpu.Lost && (d.Unlisted == 0 || !c.moves(now))
	switch {
	case lost && c.offer.GetLost():
	case lost:
		c.lose(g.driver, d.Trouble, now)
	case used.undying != "":
		c.leave(g.driver, used.undying, false)
	case !c.gone && (d.State == gpu.Lost || d.State == gpu.Stale && d.Age > silentFor):
		c.leave(g.driver, d.Trouble, false)
	case !c.gone && c.suspect(g.driver, g.fail.suspect(c.UUID, used.jobs, c.moves(now), now), now):
		g.log.Warn("GPU is suspect", "device", c.UUID, "reason", c.offer.GetRoleReason())
	case c.trying || d.State != gpu.Well || now.Before(c.until):
	case c.gone || c.due(now) || g.taken(c) < c.taken:
		g.attempt(ctx, c)
	}
}

// lookFor a card that the driver does not list now, and did not at the start. Workers of
// an earlier agent get as long as it takes to see that they encode on it.
func (g *gpus) lookFor(c *card, answers bool, now time.Time) {
	used := g.using[c.UUID]
	c.follow(used.frames, now)
	switch {
	case answers && c.absent && !c.moves(now):
		if c.asked.IsZero() {
			c.asked = now
		}
		if now.Sub(c.asked) >= proves && !c.offer.GetLost() {
			c.lose(g.driver, "", now)
			c.offer.RoleReason = c.missing(g.book)
		}
	case used.undying != "":
		c.leave(g.driver, used.undying, false)
	}
}

func (g *gpus) workers() map[string]work {
	if g.work == nil {
		return nil
	}
	return g.work()
}

// full: this agent's own workers have all sessions that the driver allows. A trial
// would be refused, or take the session that the next worker needs.
func (g *gpus) full(c *card) bool {
	most := int(emptyOffer(c.GPU, g.driver).GetMaxSessions())
	return most > 0 && g.taken(c) >= most
}

// taken are the sessions that this agent's workers have of those that a card may
// have: on all consumer cards of the host together.
func (g *gpus) taken(c *card) (n int) {
	shared := emptyOffer(c.GPU, g.driver).GetSessionsShared()
	for _, other := range g.cards {
		if other == c || shared && emptyOffer(other.GPU, g.driver).GetSessionsShared() {
			n += g.using[other.UUID].sessions
		}
	}
	return n
}

// spare a card a trial: what is known of it from an earlier one counts.
func (g *gpus) spare(c *card) {
	c.taken = g.taken(c)
	c.gone, c.absent, c.again = false, false, time.Time{}
	t := trial{gpu: c.GPU, driver: g.driver, report: media.GPUReport{Device: c.UUID, Sessions: c.evidence.of(g.driver)}}
	if c.offer = t.offer(); len(t.report.Sessions) == 0 {
		c.offer = unusable(emptyOffer(c.GPU, g.driver), "it is tried when one of the encoder sessions is free that this agent's workers have")
	}
}
