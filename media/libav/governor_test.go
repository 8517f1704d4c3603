package libav

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// governed feeds a governor one least age a second and keeps the changes by
// their second.
func governed(g *governor, pause time.Duration, from int, ages ...time.Duration) map[int]int {
	changes := map[int]int{}
	for i, age := range ages {
		at := from + i
		if d := g.look(time.Duration(at)*time.Second, age, pause, age >= 0); d != 0 {
			changes[at] = d
		}
	}
	return changes
}

func ages(n int, age time.Duration) []time.Duration { return slices.Repeat([]time.Duration{age}, n) }

func ramp(n int, from, step time.Duration) (out []time.Duration) {
	for i := range n {
		out = append(out, max(0, from+time.Duration(i)*step))
	}
	return out
}

func TestGovernorShedsWhatDoesNotCatchUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		pause time.Duration
		ages  []time.Duration
		level int
	}{
		{"keeps up", 0, ages(60, 5*time.Millisecond), 0},
		{"stands", 0, ages(10, 2*time.Second), 1},
		{"stands for long, but players can bear it", 0, ages(60, 3*time.Second), 2},
		{"falls back slowly", 0, ramp(30, 0, 100*time.Millisecond), 2},
		{"falls back", 0, ramp(16, 0, 300*time.Millisecond), 3},
		{"falls back for long", 0, ramp(60, 0, 300*time.Millisecond), 4},
		{"a successor that catches up", 0, ramp(40, 20*time.Second, -500*time.Millisecond), 0},
		{"a successor that does not", 0, ramp(10, 20*time.Second, -20*time.Millisecond), 2},
		{"one that has just begun", 0, ramp(5, 20*time.Second, 100*time.Millisecond), 0},
		{"a little late for ever", 0, ages(60, 900*time.Millisecond), 0},
		{"bursts of six seconds", 6 * time.Second, slices.Concat(slices.Repeat([][]time.Duration{
			{0, time.Second, 2 * time.Second, 3 * time.Second, 2 * time.Second, -1}}, 8)...), 0},
		{"a source that is away", 0, ages(60, -1), 0},
	} {
		g := newGovernor(standing, standing, desperate, desperate)
		governed(g, c.pause, 0, c.ages...)
		if g.level != c.level {
			t.Errorf("%s: level %d, want %d", c.name, g.level, c.level)
		}
	}
}

// What was shed comes back when it has been calm for long enough, and waits twice
// as long when that was too much.
func TestGovernorComesBack(t *testing.T) {
	g := newGovernor(standing, standing, desperate, desperate)
	governed(g, 0, 0, ages(6, 2*time.Second)...)
	if g.level != 1 {
		t.Fatalf("level %d", g.level)
	}
	back := governed(g, 0, 10, ages(31, 0)...)
	if g.level != 0 || back[40] != -1 {
		t.Fatalf("level %d after half a minute of calm: %v", g.level, back)
	}
	governed(g, 0, 41, ages(6, 2*time.Second)...)
	if g.level != 1 {
		t.Fatalf("level %d", g.level)
	}
	if governed(g, 0, 50, ages(50, 0)...); g.level != 1 {
		t.Error("as impatient as before")
	}
	if governed(g, 0, 100, ages(20, 0)...); g.level != 0 {
		t.Error("it never comes back")
	}
}

// curve is how a worker fares: how far behind its source it begins, and then how fast
// it works in each second, as a part of what it needs. A sixth is what one is left with
// that has a sixth of the processor that it needs; nothing is read at 0.
type curve struct {
	behind time.Duration
	speeds []float64
}

// at a speed for some seconds more.
func (c curve) at(speed float64, seconds int) curve {
	return curve{c.behind, slices.Concat(c.speeds, slices.Repeat([]float64{speed}, seconds))}
}

// step is a change of level, and how old the packets were in truth.
type step struct {
	from, to int
	second   int
	age      time.Duration
}

// follow lets a governor with two eases and two rungs look at a curve in its own time:
// 25 packets a second are noted, each as old as it is by then.
func follow(t *testing.T, c curve) (steps []step) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g := newGovernor(standing, standing, desperate, desperate)
		ages, done, began := &gauge{}, make(chan struct{}), time.Now()
		var now atomic.Int64 // the age at present
		go func() {
			defer close(done)
			g.govern(ctx, ages, func(from, to int, _ time.Duration) {
				steps = append(steps, step{from, to, int(time.Since(began) / time.Second), time.Duration(now.Load())})
			})
		}()
		const packets = 25 // read in a second
		age := c.behind
		for _, speed := range c.speeds {
			for range packets {
				time.Sleep(time.Second / packets)
				age = max(0, age+time.Duration((1-speed)*float64(time.Second))/packets)
				now.Store(int64(age))
				if speed > 0 {
					ages.note(age, time.Since(began)+time.Hour-age)
				}
			}
		}
		cancel()
		<-done
	})
	return steps
}

// A worker that has a sixth of what it needs leaves its first rung out before it is
// about six seconds behind, which is what players hold; before that it eases its
// encoders, all at once.
func TestGovernorIsFastWhereItGetsWorseFast(t *testing.T) {
	for name, c := range map[string]struct {
		curve
		within time.Duration
	}{
		"a ramp at a sixth":                  {curve{}.at(1, 10).at(1./6, 8), 6 * time.Second},
		"a ramp at a quarter":                {curve{}.at(1, 10).at(1./4, 9), 6 * time.Second},
		"a sixth after a dip":                {curve{}.at(1, 10).at(1./3, 3).at(1.5, 10).at(1./6, 8), 6 * time.Second},
		"a sixth soon after it began":        {curve{}.at(1, 3).at(1./6, 12), 6 * time.Second},
		"stopped for two seconds, a sixth":   {curve{}.at(1, 10).at(0, 2).at(1./6, 8), 7500 * time.Millisecond},
		"stopped for three seconds, nothing": {curve{}.at(1, 10).at(0, 3).at(1./20, 8), 8 * time.Second},
	} {
		steps := follow(t, c.curve)
		if len(steps) < 2 || steps[0].to != 2 || steps[1].to != 3 || steps[1].age > c.within {
			t.Errorf("%s: %+v", name, steps)
		}
	}
}

// What comes and goes sheds no rung, and what is short nothing.
func TestGovernorBearsDips(t *testing.T) {
	for name, c := range map[string]struct {
		curve
		most int
	}{
		"a third for three seconds":        {curve{}.at(1, 10).at(1./3, 3).at(1.5, 20), 0},
		"a third, three times":             {curve{}.at(1, 10).at(1./3, 3).at(1.5, 5).at(1./3, 3).at(1.5, 5).at(1./3, 3).at(1.5, 20), 0},
		"a half for three seconds":         {curve{}.at(1, 10).at(1./2, 3).at(1.1, 30), 0},
		"stopped for a second":             {curve{}.at(1, 10).at(0, 1).at(1.2, 20), 0},
		"stopped for five":                 {curve{}.at(1, 10).at(0, 5).at(1.3, 30), 0},
		"stopped for five, slowly back":    {curve{}.at(1, 10).at(0, 5).at(1.1, 60), 0},
		"a sixth for four seconds":         {curve{}.at(1, 10).at(1./6, 4).at(1.5, 20), 2},
		"a sixth for two seconds, twice":   {curve{}.at(1, 10).at(1./6, 2).at(1.5, 6).at(1./6, 2).at(1.5, 20), 0},
		"a successor ten seconds behind":   {curve{behind: 10 * time.Second}.at(1.3, 60), 0},
		"one that opens its encoders":      {curve{behind: 10 * time.Second}.at(1, 3).at(1.3, 60), 0},
		"nine tenths, a second and a half": {curve{}.at(1, 10).at(.9, 14).at(1, 30), 0},
	} {
		level := 0
		steps := follow(t, c.curve)
		for _, s := range steps {
			level = max(level, s.to)
		}
		if level > c.most {
			t.Errorf("%s: %+v", name, steps)
		}
	}
}
