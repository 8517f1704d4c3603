package harness

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDescribeGivesMeasuredValues(t *testing.T) {
	sample := make([]float64, 200)
	for i := range sample {
		sample[i] = float64(200 - i)
	}
	d := Describe(sample)
	want := Distribution{N: 200, Min: 1, P50: 100.5, P90: 180, P99: 198, Max: 200, Mean: 100.5}
	if d != want {
		t.Errorf("got %+v, want %+v", d, want)
	}
	if d := Describe([]float64{3}); d.P99 != 3 || d.P50 != 3 {
		t.Errorf("one value: %+v", d)
	}
	if d := Describe(nil); d != (Distribution{}) {
		t.Errorf("nothing: %+v", d)
	}
}

func TestInterleaveTurnsTheOrder(t *testing.T) {
	var order string
	run := func(name string, cost float64) func(context.Context) (Usage, error) {
		return func(context.Context) (Usage, error) {
			order += name
			return Usage{Wall: cost}, nil
		}
	}
	pairs, err := Interleave(context.Background(), 3, run("a", 3), run("b", 2), nil)
	if err != nil || order != "abbaab" {
		t.Fatalf("ran %s, %v", order, err)
	}
	for _, r := range Ratios(pairs, func(u Usage) float64 { return u.Wall }) {
		if r != 1.5 {
			t.Errorf("ratio %v, want 1.5", r)
		}
	}
}

func TestInterleaveStopsAtAFailure(t *testing.T) {
	broken := errors.New("broken")
	ok := func(context.Context) (Usage, error) { return Usage{}, nil }
	bad := func(context.Context) (Usage, error) { return Usage{}, broken }
	if pairs, err := Interleave(context.Background(), 2, ok, bad, nil); !errors.Is(err, broken) || len(pairs) != 0 {
		t.Errorf("%v %v", pairs, err)
	}
}

// A shell that waits for its children pays for them.
func TestMeasureCountsTheWholeTree(t *testing.T) {
	u, err := Measure(context.Background(), Command{Path: "/bin/sh", Args: []string{"-c", "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; true"}})
	if err != nil {
		t.Fatal(err)
	}
	if u.CPU() < 0.02 || u.Wall < u.CPU()/2 || u.Peak < 100<<10 {
		t.Errorf("implausible: %+v", u)
	}
}

func TestMeasureShowsWhatAFailingProgramSaid(t *testing.T) {
	_, err := Measure(context.Background(), Command{Path: "/bin/sh", Args: []string{"-c", "echo no such clip >&2; exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "no such clip") {
		t.Errorf("error says %v", err)
	}
}

func TestLookFindsThisProcess(t *testing.T) {
	p, err := Look(os.Getpid())
	if err != nil || p.Parent != os.Getppid() || p.Peak < 1<<20 {
		t.Errorf("%+v %v", p, err)
	}
}

func TestHostAndLoadAreRead(t *testing.T) {
	if h := ThisHost(); h.Cores < 1 || h.MemoryBytes < 1<<28 || h.Kernel == "Linux  " {
		t.Errorf("%+v", h)
	}
	if busySeconds() <= 0 || math.IsNaN(stolenSeconds()) {
		t.Error("no CPU time was ever used here")
	}
}

func TestBoundSaysWhetherABarIsMet(t *testing.T) {
	f := Figure{Name: "start", Unit: "s", Dist: Describe([]float64{1, 2, 3})}
	if b := f.Bound("p50", 2).Bar; !b.Met || b.String() != "p50 ≤ 2.000: met" {
		t.Errorf("%v", b)
	}
	if b := f.Bound("max", 2).Bar; b.Met || b.String() != "max ≤ 2.000: missed" {
		t.Errorf("%v", b)
	}
	if b := f.Reach("p50", 2).Bar; !b.Met || b.String() != "p50 ≥ 2.000: met" {
		t.Errorf("%v", b)
	}
	if b := f.Reach("p50", 2.5).Bar; b.Met || b.String() != "p50 ≥ 2.500: missed" {
		t.Errorf("%v", b)
	}
}

func TestRecordReadsBackAsItsReport(t *testing.T) {
	dir := t.TempDir()
	r := Record{Name: "x", Title: "X", What: "What.", Figures: []Figure{Figure{Name: "wall", Unit: "x", Dist: Describe([]float64{1, 1.2})}.Bound("p50", 1)}, NotMeasured: []string{"power"}, Command: "make bench"}
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	back, err := Read(filepath.Join(dir, "x.json"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "x.md"))
	if err != nil || string(text) != string(back.Markdown()) {
		t.Errorf("report and record differ: %v", err)
	}
}

// Nobody types a figure into a report.
func TestCommittedReportsAreMadeFromTheirRecords(t *testing.T) {
	names, _ := filepath.Glob("../results/*.json")
	for _, name := range names {
		r, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join("../results", r.Name+".md"))
		if err != nil || string(text) != string(r.Markdown()) {
			t.Errorf("%s.md is not what %s gives (%v): run `go run ./benchmarks report`", r.Name, name, err)
		}
	}
	reports, _ := filepath.Glob("../results/*.md")
	if len(reports) != len(names) {
		t.Errorf("%d reports for %d records", len(reports), len(names))
	}
}

func TestNothingIsRecordedOnATwin(t *testing.T) {
	t.Setenv("GALA_TWIN", "/twin")
	if _, err := FindBinaries(t.TempDir()); err == nil || !strings.Contains(err.Error(), "driver twin") {
		t.Errorf("%v", err)
	}
}
