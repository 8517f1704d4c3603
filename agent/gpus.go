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

// start a trial. An offer is replaced whole and never changed: others read it.
func (g *gpus) start(ctx context.Context, c *card) {
	if c.offer == nil || c.gone {
		c.offer = unusable(emptyOffer(c.GPU, g.driver), "it is being tried: its encoders are opened")
	}
	c.taken = g.taken(c)
	c.trying, c.gone, c.absent, c.again = true, false, false, time.Time{}
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

// judge a trial. One of a card that went meanwhile counts for nothing, and one that
// does not pass proves less than workers that encode.
func (g *gpus) judge(t trial, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.card(t.gpu.UUID)
	c.trying = false
	if c.gone {
		return
	}
	if c.offer.GetRole() == roleEncode && c.moves(now) && t.offer().GetRole() == roleUnusable {
		c.again, c.pause = now.Add(c.pause), min(2*c.pause, lastAgain)
		g.log.Warn("a trial does not pass on a GPU that encodes", "device", c.UUID, "reason", t.offer().GetRoleReason())
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

func (g *gpus) card(uuid string) *card {
	for _, c := range g.cards {
		if c.UUID == uuid {
			return c
		}
	}
	return nil
}
