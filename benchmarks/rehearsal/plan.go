package rehearsal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Wish is how often a fault is asked for; 0: as often as there is time.
type Wish struct {
	Fault Fault
	Count int
}

// ParseWishes reads "worker-kill:5,agent-kill:2,redis-kill".
func ParseWishes(text string) ([]Wish, error) {
	var all []Wish
	for part := range strings.SplitSeq(text, ",") {
		name, count, counted := strings.Cut(strings.TrimSpace(part), ":")
		f, err := FaultNamed(name)
		if err != nil {
			return nil, err
		}
		w := Wish{Fault: f}
		if counted {
			if w.Count, err = strconv.Atoi(count); err != nil || w.Count < 1 {
				return nil, fmt.Errorf("fault %s: %q is no count: write %s:5", name, count, name)
			}
		}
		all = append(all, w)
	}
	return all, nil
}

// step is one fault of a plan, and when it is due after the one before.
type step struct {
	fault Fault
	after time.Duration
}

// plan puts faults in an order that the seed alone decides, a while apart that
// differs by a quarter both ways, so that they meet a segment at any point. A
// wish without a count is one fault, or with a time as many as it has room for.
func plan(wishes []Wish, every, lasting time.Duration, seed uint64) ([]step, error) {
	random := rand.New(rand.NewPCG(seed, 0x6761))
	var faults []Fault
	var open []Fault
	for _, w := range wishes {
		if w.Count == 0 && lasting > 0 {
			open = append(open, w.Fault)
			continue
		}
		for range max(w.Count, 1) {
			faults = append(faults, w.Fault)
		}
	}
	if len(open) > 0 {
		for i := 0; len(faults) < int(lasting/every)+1; i++ {
			faults = append(faults, open[i%len(open)])
		}
	}
	if len(faults) == 0 {
		return nil, errors.New("no fault is asked for: --faults worker-kill:3, and --list tells which there are")
	}
	random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	steps := make([]step, len(faults))
	for i, f := range faults {
		steps[i] = step{f, every*3/4 + time.Duration(random.Int64N(int64(every)/2+1))}
	}
	return steps, nil
}
