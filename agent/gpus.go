package agent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/proto"
)

const (
	// trialsAtOnce is fewer sessions than any driver allows on a host.
	trialsAtOnce = 4
	// startPatience bounds what trying the GPUs adds to an agent's start. A job that
	// comes at once should find them.
	startPatience = 8 * time.Second
	// A driver that is silent for so long gets no new work. It is not lost: its
	// workers tell by themselves.
	silentFor = 10 * time.Second
	// What cannot be used is tried again, more and more seldom.
	firstAgain = 30 * time.Second
	lastAgain  = 10 * time.Minute
	lookEvery  = time.Second
	// Workers that got pictures done so lately prove that their GPU is there.
	proves = 5 * time.Second
	// A GPU that was suspect and has been well for so long begins anew.
	forgivenAfter = time.Hour
)

// gpus keeps what this host offers true: each GPU is tried when it is found,
// when it comes back, and now and then while it cannot be used.
type gpus struct {
	try  func(ctx context.Context, uuid string) (media.GPUReport, error)
	read func() gpu.Snapshot             // by NVML, at any time
	tell func(all []*galav1.DeviceOffer) // the scheduler
	log  *slog.Logger
	cpu  *galav1.DeviceOffer
	work func() map[string]work // of this agent's workers, by UUID; nil for none
	book *gpuBook               // nil to remember nothing
	fail *failures

	results chan trial
	slots   chan struct{}
	trials  sync.WaitGroup

	mu     sync.Mutex
	driver string
	cards  []*card
	using  map[string]work // at the last look
}

// work is what this agent's workers do on one GPU.
type work struct {
	sessions int   // encoder sessions that they have, or are about to
	frames   int64 // encoded by those that run
	jobs     []string
	undying  string // says that a killed one does not let the GPU go, "" for none
}

// card is one GPU and what is known of it.
type card struct {
	gpu.GPU
	offer  *galav1.DeviceOffer
	trying bool
	gone   bool          // lost, or its driver is silent
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

func newGPUs(cpu *galav1.DeviceOffer, log *slog.Logger, try func(context.Context, string) (media.GPUReport, error),
	read func() gpu.Snapshot, tell func([]*galav1.DeviceOffer)) *gpus {
	return &gpus{
		try: try, read: read, tell: tell, log: log, cpu: cpu, fail: newFailures(),
		results: make(chan trial, 64), slots: make(chan struct{}, trialsAtOnce),
	}
}

// begin with those that the driver lists and those that are remembered, and wait for
// their trials for as long as patience lasts; those that take longer go on. Trials end
// with ctx.
func (g *gpus) begin(ctx context.Context, found gpu.Inventory, patience time.Duration) {
	g.mu.Lock()
	g.driver = found.Driver
	g.using = g.workers()
	for _, one := range found.GPUs {
		g.add(one)
	}
	g.remember(found.Reason)
	for _, one := range found.GPUs {
		g.attempt(ctx, g.card(one.UUID))
	}
	g.mu.Unlock()
	defer g.note()
	late := time.NewTimer(patience)
	defer late.Stop()
	for g.trying() {
		select {
		case <-ctx.Done():
			return
		case <-late.C:
			return
		case t := <-g.results:
			g.judge(t, time.Now())
		}
	}
}

// Run looks at the GPUs until ctx ends.
func (g *gpus) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	told := g.offers()
	for {
		select {
		case <-ctx.Done():
			return nil
		case t := <-g.results:
			g.judge(t, time.Now())
		case <-tick.C:
			g.look(ctx, time.Now())
		}
		g.note()
		if now := g.offers(); !slices.EqualFunc(told, now, func(a, b *galav1.DeviceOffer) bool { return proto.Equal(a, b) }) {
			told = now
			g.tell(now)
		}
	}
}

// offers are those of now, the processor's first.
func (g *gpus) offers() []*galav1.DeviceOffer {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := []*galav1.DeviceOffer{g.cpu}
	for _, c := range g.cards {
		all = append(all, c.offer)
	}
	return all
}

func (g *gpus) trying() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.cards, func(c *card) bool { return c.trying })
}

// add a card; mu is held, as in all that follow.
func (g *gpus) add(one gpu.GPU) *card {
	c := &card{GPU: one, pause: firstAgain}
	g.cards = append(g.cards, c)
	return c
}

// attempt a trial, unless it cannot tell anything now.
func (g *gpus) attempt(ctx context.Context, c *card) {
	switch why := g.using[c.UUID].undying; {
	case why != "":
		c.leave(g.driver, why, false)
	case g.full(c):
		g.spare(c)
	default:
		g.start(ctx, c)
	}
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
	c.gone, c.again = false, time.Time{}
	t := trial{gpu: c.GPU, driver: g.driver, report: media.GPUReport{Device: c.UUID, Sessions: c.evidence.of(g.driver)}}
	if c.offer = t.offer(); len(t.report.Sessions) == 0 {
		c.offer = unusable(emptyOffer(c.GPU, g.driver), "it is tried when one of the encoder sessions is free that this agent's workers have")
	}
}

// start a trial. An offer is replaced whole and never changed: others read it.
func (g *gpus) start(ctx context.Context, c *card) {
	if c.offer == nil || c.gone {
		c.offer = unusable(emptyOffer(c.GPU, g.driver), "it is being tried: its encoders are opened")
	}
	c.taken = g.taken(c)
	c.trying, c.gone, c.again = true, false, time.Time{}
	t := trial{gpu: c.GPU, driver: g.driver}
	g.trials.Go(func() {
		select {
		case g.slots <- struct{}{}:
			defer func() { <-g.slots }()
		case <-ctx.Done():
			return
		}
		t.report, t.err = g.try(ctx, t.gpu.UUID)
		select {
		case g.results <- t:
		case <-ctx.Done():
		}
	})
}

// judge a trial. One of a card that went meanwhile counts for nothing.
func (g *gpus) judge(t trial, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.card(t.gpu.UUID)
	c.trying = false
	if c.gone {
		return
	}
	t, open := c.evidence.add(t)
	c.offer = t.offer()
	if open || c.offer.GetRole() == roleUnusable {
		c.again, c.pause = now.Add(c.pause), min(2*c.pause, lastAgain)
	} else {
		c.pause, c.taken = firstAgain, 0
	}
	if c.offer.GetRole() != roleUnusable {
		c.since = time.Time{}
	}
	g.log.Info("device", "device", c.UUID, "model", c.Model, "role", c.offer.GetRole(), "reason", c.offer.GetRoleReason())
}

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
	case !c.gone && c.suspect(g.driver, g.fail.suspect(c.UUID, used.jobs, now), now):
		g.log.Warn("GPU is suspect", "device", c.UUID, "reason", c.offer.GetRoleReason())
	case c.trying || d.State != gpu.Well || now.Before(c.until):
	case c.gone || c.due(now) || g.taken(c) < c.taken:
		g.attempt(ctx, c)
	}
}

// lookFor a card that the driver does not list now, and did not at the start: with an
// answer of it that is twice.
func (g *gpus) lookFor(c *card, answers bool, now time.Time) {
	used := g.using[c.UUID]
	c.follow(used.frames, now)
	switch {
	case answers && c.gone && !c.trying && !c.moves(now):
		if !c.offer.GetLost() {
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

func (g *gpus) card(uuid string) *card {
	for _, c := range g.cards {
		if c.UUID == uuid {
			return c
		}
	}
	return nil
}
