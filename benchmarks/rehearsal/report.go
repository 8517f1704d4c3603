package rehearsal

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/galafarm/gala/internal/version"
	"github.com/galafarm/gala/media/verify"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Result is one fault.
type Result struct {
	Fault string    `json:"fault"`
	At    time.Time `json:"at"`
	// Done: the farm was broken; otherwise nothing was measured, and Why says why.
	Done bool `json:"done"`
	// Said is what was done, Events what the job's record has since.
	Said   string   `json:"said"`
	Events []string `json:"events,omitempty"`
	// Untold is why Events are not known.
	Untold string `json:"untold,omitempty"`
	Bars   string `json:"bars"`
	Passed bool   `json:"passed"`
	// Why it did not pass.
	Why string `json:"why,omitempty"`
	// Undone is why the farm could not be brought back, or the change not be brought to
	// its end: what was measured is of something else.
	Undone string `json:"undone,omitempty"`
	// Load average of the machine when it was done.
	Load float64 `json:"load"`
	// NoticedMS is from the fault to the first event of the job, 0 when there was
	// none: as soon as the farm knew.
	NoticedMS float64 `json:"noticed_ms"`
	// BackMS is from a fault that ends an agent until the farm has another one in its
	// place, or as long as that was waited for; 0 of other faults.
	BackMS float64 `json:"back_ms,omitempty"`
	Measured
	// Interrupted before it was measured.
	Interrupted bool `json:"-"`
}

// Report is a rehearsal.
type Report struct {
	Farm    string    `json:"farm"`
	Job     string    `json:"job"`
	Ladder  string    `json:"ladder"`
	Input   string    `json:"input"`
	Version string    `json:"version"`
	Seed    uint64    `json:"seed"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
	// Planned is how many faults there were to be.
	Planned    int      `json:"planned"`
	Renditions int      `json:"renditions"`
	SegmentMS  float64  `json:"segment_ms"`
	PaceMS     float64  `json:"pace_ms"` // precision of every time
	Results    []Result `json:"results"`
	// Watched is the whole time, faults and all.
	Watched     *verify.Watched `json:"watched,omitempty"`
	Interrupted bool            `json:"interrupted"`
}

// Segment is the length of one.
func (r *Report) Segment() time.Duration { return time.Duration(r.SegmentMS * 1e6) }

// take what the job is made of.
func (r *Report) take(j *galav1.Job) {
	r.Job, r.Input, r.Renditions = j.GetSpec().GetId(), j.GetSpec().GetInput(), len(j.GetRenditions())
	if r.Ladder = j.GetSpec().GetLadder(); r.Ladder == "" {
		r.Ladder = "a file"
	}
	if g := j.GetGrid(); g.GetFps().GetNum() > 0 {
		r.SegmentMS = 1000 * float64(g.GetFramesPerGop()) * float64(g.GetGopsPerSegment()) * float64(g.GetFps().GetDen()) / float64(g.GetFps().GetNum())
	}
}

func (r *Report) begin(of *Rehearsal) {
	r.Farm, r.Version, r.Seed, r.Began = of.o.Address, version.String(), of.o.Seed, time.Now()
	r.Planned, r.PaceMS = len(of.steps), milliseconds(eyePace)
}

func (r *Report) end() {
	r.Ended, r.Interrupted = time.Now(), len(r.Results) < r.Planned
}

// Failed is how many faults missed a bar.
func (r Report) Failed() int {
	n := 0
	for _, x := range r.Results {
		if !x.Passed {
			n++
		}
	}
	return n
}

// WriteText writes a row for each fault, why those failed that did, and a verdict.
func (r Report) WriteText(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "rehearsal of %s on %s: %d of %d faults, seed %d; times in ms, right to %.0f\n\n", r.Job, r.Farm, len(r.Results), r.Planned, r.Seed, r.PaceMS)
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "FAULT\tAT\tMISSING\tLATE\tGAP\tFIRST\tEDGE\tRESULT")
	for _, x := range r.Results {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.0f\t%.0f\t%.0f\t%s\n", x.Fault, x.At.Format(time.TimeOnly), x.Missing, x.Late, x.GapMS, x.FirstMS, x.EdgeMS, verdict(x))
	}
	_ = w.Flush() // a strings.Builder does not err
	b.WriteByte('\n')
	for _, x := range r.Results {
		if !x.Passed {
			fmt.Fprintf(&b, "%s at %s: %s\n  %s\n", x.Fault, x.At.Format(time.TimeOnly), x.Why, strings.Join(slices.DeleteFunc(append([]string{x.Said, x.Untold}, x.Events...), func(s string) bool { return s == "" }), "\n  "))
		}
	}
	fmt.Fprintf(&b, "%s: %d of %d passed\n", map[bool]string{true: "PASS", false: "FAIL"}[r.Failed() == 0], len(r.Results)-r.Failed(), len(r.Results))
	if r.Interrupted {
		fmt.Fprintf(&b, "it ended before all %d were done\n", r.Planned)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func verdict(x Result) string {
	if x.Passed {
		return "pass"
	}
	return "FAIL"
}

// Save the report whole or not at all.
func (r Report) Save(name string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("save the rehearsal: %w", err)
	}
	if err := os.WriteFile(name+".new", append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("save the rehearsal: %w", err)
	}
	return os.Rename(name+".new", name)
}

// load average of the last minute.
func load() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseFloat(one, 64)
	return n
}
