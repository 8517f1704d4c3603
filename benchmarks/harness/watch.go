package harness

import "time"

// Around is the machine's state around a benchmark: how busy it was with other
// work decides how much a figure is worth.
type Around struct {
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended"`
	Before Load      `json:"before"`
	After  Load      `json:"after"`
	// Others is the share of the machine that processes outside the benchmark
	// used meanwhile, Stolen the share that the hypervisor took.
	Others float64 `json:"others_share"`
	Stolen float64 `json:"stolen_share"`

	busy, own, stolen float64
}

// Begin takes note of the machine's state.
func Begin() *Around {
	return &Around{Began: time.Now().UTC().Truncate(time.Second), Before: LoadNow(), busy: busySeconds(), own: selfSeconds(), stolen: stolenSeconds()}
}

// End completes it. besides is the CPU time of the benchmark's own processes
// that this one did not wait for.
func (a *Around) End(cores int, besides float64) {
	a.Ended, a.After = time.Now().UTC().Truncate(time.Second), LoadNow()
	all := a.Ended.Sub(a.Began).Seconds() * float64(cores)
	if all <= 0 {
		return
	}
	a.Others = max(0, (busySeconds()-a.busy-(selfSeconds()-a.own)-besides)/all)
	a.Stolen = (stolenSeconds() - a.stolen) / all
}
