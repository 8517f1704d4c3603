package agent

import (
	"context"
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
)

// gpus keeps what this host offers true: each GPU is tried when it is found,
// when it comes back, and now and then while it cannot be used.
type gpus struct {
	try  func(ctx context.Context, uuid string) (media.GPUReport, error)
	read func() gpu.Snapshot             // by NVML, at any time
	tell func(all []*galav1.DeviceOffer) // the scheduler
	log  *slog.Logger
	cpu  *galav1.DeviceOffer

	results chan trial
	slots   chan struct{}
	trials  sync.WaitGroup

	mu     sync.Mutex
	driver string
	cards  []*card
}

// card is one GPU and what is known of it.
type card struct {
	gpu.GPU
	offer  *galav1.DeviceOffer
	trying bool
	gone   bool          // lost, or its driver is silent
	again  time.Time     // when to try it again, zero for never
	pause  time.Duration // before the next time
}

func newGPUs(cpu *galav1.DeviceOffer, log *slog.Logger, try func(context.Context, string) (media.GPUReport, error),
	read func() gpu.Snapshot, tell func([]*galav1.DeviceOffer)) *gpus {
	return &gpus{
		try: try, read: read, tell: tell, log: log, cpu: cpu,
		results: make(chan trial, 64), slots: make(chan struct{}, trialsAtOnce),
	}
}

// begin with those that the driver lists, and wait for their trials for as long as
// patience lasts; those that take longer go on. Trials end with ctx.
func (g *gpus) begin(ctx context.Context, found gpu.Inventory, patience time.Duration) {
	g.mu.Lock()
	g.driver = found.Driver
	for _, one := range found.GPUs {
		g.start(ctx, g.add(one))
	}
	g.mu.Unlock()
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

// start a trial. An offer is replaced whole and never changed: others read it.
func (g *gpus) start(ctx context.Context, c *card) {
	if c.offer == nil || c.gone {
		c.offer = unusable(emptyOffer(c.GPU), "it is being tried: its encoders are opened")
	}
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
	c.offer = t.offer()
	if c.offer.GetRole() == roleUnusable {
		c.again, c.pause = now.Add(c.pause), min(2*c.pause, lastAgain)
	} else {
		c.pause = firstAgain
	}
	g.log.Info("device", "device", c.UUID, "model", c.Model, "role", c.offer.GetRole(), "reason", c.offer.GetRoleReason())
}

// look at what the driver tells, and try what came, what is back and what is due.
func (g *gpus) look(ctx context.Context, now time.Time) {
	s := g.read()
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.Driver != "" {
		g.driver = s.Driver
	}
	for _, d := range s.Devices {
		c := g.card(d.UUID)
		switch {
		case c == nil && d.State == gpu.Well:
			g.start(ctx, g.add(d.GPU))
		case c == nil:
		case d.State == gpu.Lost && !c.offer.GetLost():
			c.leave(d.Trouble, true)
		case d.State == gpu.Stale && d.Age > silentFor && !c.gone:
			c.leave(d.Trouble, false)
		case c.trying || d.State != gpu.Well:
		case c.gone, !c.again.IsZero() && !now.Before(c.again):
			g.start(ctx, c)
		}
	}
}

// leave: no work may be placed on it. What runs on one that is lost is lost as well.
func (c *card) leave(why string, lost bool) {
	c.gone, c.again, c.pause = true, time.Time{}, firstAgain
	c.offer = unusable(emptyOffer(c.GPU), why)
	c.offer.Lost = lost
}

func (g *gpus) card(uuid string) *card {
	for _, c := range g.cards {
		if c.UUID == uuid {
			return c
		}
	}
	return nil
}
