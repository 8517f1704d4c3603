package libav

import (
	"context"
	"slices"
	"sync"
	"time"
)

// gauge keeps the least age of what a live source gave between two looks, and
// the longest time between two arrivals.
type gauge struct {
	mu      sync.Mutex
	least   time.Duration
	seen    bool
	arrived time.Duration
	pause   time.Duration
}

// note one packet: how old it was when it was read, and when it had arrived. A
// ring keeps less than a minute: what is older tells of a clock that was set.
func (g *gauge) note(age, arrived time.Duration) {
	if g == nil || age > time.Minute {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if age = max(age, 0); !g.seen || age < g.least {
		g.least, g.seen = age, true
	}
	if pause := arrived - g.arrived; g.arrived != 0 && pause <= burstMost {
		g.pause = max(g.pause, pause)
	}
	g.arrived = arrived
}

// take is the least age since the last call, and the pause between arrivals: one
// that was long is forgotten within minutes.
func (g *gauge) take() (least, pause time.Duration, seen bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	least, seen = g.least, g.seen
	g.seen = false
	pause = g.pause
	g.pause -= g.pause / 64
	return least, pause, seen
}

const (
	// lookEvery is how often the governor looks.
	lookEvery = time.Second
	// standing is the age from which on an encoder works less, and desperate that from
	// which on a rung is left out: players hold some seconds. Below calm work may come
	// back.
	standing, desperate, calm = 1500 * time.Millisecond, 4 * time.Second, 200 * time.Millisecond
	// calmFor is how long it must have been calm; twice as long after each time
	// that what came back was too much, up to calmMost.
	calmFor, calmMost = 30 * time.Second, 10 * time.Minute
	// burstMost bounds the pause that counts as the source's own way of sending; a
	// longer one is a lapse.
	burstMost = 10 * time.Second
)

// The older the packets are, the fewer looks make up the governor's mind: it compares
// the least age of two runs of looks, each of so many beside the longest pause between
// arrivals. A worker that has just begun is given the longest time at any age.
const (
	longRun, shortRun, shortestRun = 3, 2, 1
	// shortFrom is the age from which on short runs do, desperate that for the
	// shortest, and those only while it gets older fast.
	shortFrom = 2500 * time.Millisecond
	// steep is by how much older packets get in a second where easing one thing after
	// the other would take too long: all eases are taken at once.
	steep = lookEvery / 4
)

// governor decides how many steps of work to leave out. It is pure.
type governor struct {
	steps    []time.Duration // there are: the age from which on each is taken
	level    int             // how many are
	ages     []time.Duration // since the last step
	looks    int             // at packets, since it began
	quiet    time.Duration   // since when it is calm
	calm     bool
	patience time.Duration
	climbed  time.Duration // when a step came back last
	tried    bool          // and nothing was shed since
}

func newGovernor(steps ...time.Duration) *governor { return &governor{steps: steps, patience: calmFor} }

// look takes the least age of the last second and returns the change: how many steps
// are shed, or -1 for one that comes back. now is any clock that does not jump.
func (g *governor) look(now, least, pause time.Duration, seen bool) int {
	if !seen { // nothing came: nothing is waiting to be done
		g.ages = nil
		return g.rest(now)
	}
	// A pause within a look makes no look longer.
	extra := int((pause + lookEvery/2) / lookEvery)
	g.looks++
	g.ages = append(g.ages, least)
	g.ages = g.ages[max(0, len(g.ages)-2*(longRun+extra)):]
	if slices.Min(g.ages[max(0, len(g.ages)-longRun-extra):]) < calm {
		return g.rest(now)
	}
	g.calm = false
	n := g.shed(extra)
	if n == 0 {
		return 0
	}
	if g.tried && now-g.climbed < 2*g.patience {
		g.patience = min(2*g.patience, calmMost)
	}
	g.tried, g.ages = false, nil
	g.level += n
	return n
}

// shed is how many steps to take.
func (g *governor) shed(extra int) int {
	if g.level == len(g.steps) || g.recovering(extra) {
		return 0
	}
	for run := shortestRun; run <= longRun; run++ {
		before, after, ok := g.runs(run + extra)
		if !ok || !g.mayJudge(run, after, after-before, extra) || after < g.steps[g.level] {
			continue
		}
		gained := before - after
		// Less than a twentieth faster than the source is not catching up.
		if gained > time.Duration(run+extra)*lookEvery/20 {
			return 0
		}
		if -gained < time.Duration(run+extra)*steep || g.levelled(extra) {
			return 1
		}
		n := 1
		for from := g.steps[g.level]; g.level+n < len(g.steps) && from < desperate && g.steps[g.level+n] == from; {
			n++
		}
		return n
	}
	return 0
}

// runs are the least ages of the last looks and of as many before them.
func (g *governor) runs(n int) (before, after time.Duration, ok bool) {
	at := len(g.ages) - 2*n
	if at < 0 {
		return 0, 0, false
	}
	return slices.Min(g.ages[at : at+n]), slices.Min(g.ages[at+n:]), true
}

// mayJudge tells whether runs of a length say enough of packets of an age, that got
// older by so much.
func (g *governor) mayJudge(run int, age, older time.Duration, extra int) bool {
	switch {
	case run == longRun:
		return true
	case g.looks < 2*(longRun+extra) && g.level == 0: // it may be catching up
		return false
	case run == shortRun:
		return age >= shortFrom
	}
	return age >= desperate && older >= time.Duration(run+extra)*steep
}

// recovering: the newest packets are younger than those before. Where they come in
// bursts one look does not tell.
func (g *governor) recovering(extra int) bool {
	n := len(g.ages)
	return extra == 0 && n >= 2 && g.ages[n-2]-g.ages[n-1] > lookEvery/20
}

// levelled: the newest packets are hardly older than those before.
func (g *governor) levelled(extra int) bool {
	n := len(g.ages)
	return extra == 0 && n >= 2 && g.ages[n-1]-g.ages[n-2] < steep
}

// rest counts how long it has been calm.
func (g *governor) rest(now time.Duration) int {
	if !g.calm {
		g.calm, g.quiet = true, now
	}
	if g.level == 0 || now-g.quiet < g.patience {
		return 0
	}
	g.calm, g.climbed, g.tried = false, now, true
	g.level--
	return -1
}

// govern looks until ctx ends, and tells of each change: from which level to which,
// and how old the packets are.
func (g *governor) govern(ctx context.Context, ages *gauge, change func(from, to int, age time.Duration)) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		least, pause, seen := ages.take()
		was := g.level
		if g.look(time.Since(began), least, pause, seen) != 0 {
			change(was, g.level, least)
		}
	}
}
