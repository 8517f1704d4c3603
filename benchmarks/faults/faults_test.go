package faults

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/benchmarks/rehearsal"
	"github.com/google/go-cmp/cmp"
)

func opened(t *testing.T, name string, o Options) *bench {
	t.Helper()
	l, err := harness.OpenLedger[Observation](name, form)
	if err != nil {
		t.Fatal(err)
	}
	o.Log = t.Output()
	return &bench{Options: o, made: Made{Commit: "abc", Host: "a machine, 2 cores", Lanes: 1}, ledger: l, claimed: map[string]int{}, lost: map[string]int{}, room: &room{}, around: harness.Begin()}
}

func asked(t *testing.T, b *bench) map[string]int {
	t.Helper()
	shares, err := b.next()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, s := range shares {
		got[s.String()] = s.count
	}
	return got
}

func result(kind string, missing int, gap float64) rehearsal.Result {
	return rehearsal.Result{Fault: kind, Done: true, At: time.Unix(1_800_000_000, 0), Measured: rehearsal.Measured{Missing: missing, GapMS: gap, Recovered: missing == 0}}
}

// An interrupted benchmark asks for what is missing. A job that is fed by another is
// used for the faults that need one only, and each job lives through as many as one may.
func TestItGoesOnWhereItWas(t *testing.T) {
	name := filepath.Join(t.TempDir(), "faults.jsonl")
	o := Options{Kinds: []string{"worker-kill", "ingest-kill", "agent-kill"}, Each: 3, PerJob: 4}
	b := opened(t, name, o)
	if diff := cmp.Diff(map[string]int{"worker-kill": 2, "agent-kill": 2}, asked(t, b)); diff != "" {
		t.Error("at first (-want +got):", diff)
	}
	for _, r := range []rehearsal.Result{result("worker-kill", 0, 50), result("worker-kill", 0, 70), result("worker-kill", 2, 9000), result("agent-kill", 0, 0)} {
		if err := b.keep(Alone, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.keep(Alone, rehearsal.Result{Fault: "agent-kill", Why: "it could not be done"}); err != nil {
		t.Fatal(err)
	}
	half := result("agent-kill", 0, 0)
	half.Undone = "the host was not opened again"
	if err := b.keep(Alone, half); err != nil {
		t.Fatal(err)
	}
	b = opened(t, name, o)
	if diff := cmp.Diff([]string{"ingest-kill", "agent-kill"}, b.missing()); diff != "" {
		t.Error("missing (-want +got):", diff)
	}
	if diff := cmp.Diff(map[string]int{"ingest-kill": 3}, asked(t, b)); diff != "" {
		t.Error("then (-want +got):", diff)
	}
}

// Lanes share the number that is wanted; what one lane did not bring to its end
// is claimed again.
func TestLanesShareTheFaults(t *testing.T) {
	b := opened(t, filepath.Join(t.TempDir(), "faults.jsonl"), Options{Kinds: []string{"worker-kill"}, Each: 5, PerJob: 3})
	var counts []int
	var first []share
	for {
		wishes, _, err := b.claim()
		if err != nil {
			t.Fatal(err)
		}
		if len(wishes) == 0 {
			break
		}
		if counts = append(counts, wishes[0].count); first == nil {
			first = wishes
		}
	}
	if diff := cmp.Diff([]int{3, 2}, counts); diff != "" {
		t.Error("(-want +got):", diff)
	}
	if err := b.keep(Alone, result("worker-kill", 0, 50)); err != nil {
		t.Fatal(err)
	}
	b.release(first, map[string]int{"worker-kill": 1})
	if wishes, _, _ := b.claim(); len(wishes) != 1 || wishes[0].count != 2 {
		t.Errorf("claimed again: %+v", wishes)
	}
}

// A kind that cannot be done is set aside, and those of other stages go on.
func TestAKindThatCannotBeDoneIsSetAside(t *testing.T) {
	b := opened(t, filepath.Join(t.TempDir(), "faults.jsonl"), Options{Kinds: []string{"hosts/drain", "worker-kill"}, Each: 4, PerJob: 2})
	for range lostMost {
		shares, _, err := b.claim()
		if err != nil || len(shares) != 1 || shares[0].String() != "hosts/drain" {
			t.Fatalf("%+v (%v)", shares, err)
		}
		b.release(shares, nil)
	}
	if diff := cmp.Diff(map[string]int{"worker-kill": 2}, asked(t, b)); diff != "" {
		t.Error("(-want +got):", diff)
	}
	if diff := cmp.Diff([]string{"hosts/drain"}, b.aside()); diff != "" {
		t.Error("set aside (-want +got):", diff)
	}
}

func TestFiguresComeFromTheLedger(t *testing.T) {
	b := opened(t, filepath.Join(t.TempDir(), "faults.jsonl"), Options{Kinds: []string{"worker-kill"}, Each: 3})
	for _, r := range []rehearsal.Result{result("worker-kill", 0, 50), result("worker-kill", 0, 70), result("worker-kill", 2, 9000), result("agent-kill", 7, 0)} {
		if err := b.keep(Alone, r); err != nil {
			t.Fatal(err)
		}
	}
	r := b.record()
	text := string(r.Markdown())
	for _, want := range []string{"| segments missing |  | 3 | 0.000 | **0.000** | 2.000 | 2.000 | 2.000 | max ≤ 0.000: missed |", "| gap | ms | 3 | 50.000 | **70.000** | 9000 | 9000 | 9000 |  |",
		"worker-kill: 3 faults, 2 segments missing after 1 of them."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !strings.Contains(text, "agent-kill: 1 faults, 7 segments missing after 1 of them.") {
		t.Error("a kind that an earlier call measured is not in the record")
	}
}

// A record that grows at several commits and on several machines says so, and what
// it lacks.
func TestTheRecordSaysWhereItWasMade(t *testing.T) {
	name := filepath.Join(t.TempDir(), "faults.jsonl")
	o := Options{Kinds: []string{"worker-kill", "agent-kill"}, Each: 2}
	b := opened(t, name, o)
	for _, by := range []Made{{"abc", false, "a machine, 2 cores", 1}, {"def", true, "another, 8 cores", 2}, {"abc", false, "a machine, 2 cores", 1}} {
		b.made = by
		if err := b.keep(Alone, result("worker-kill", 0, 50)); err != nil {
			t.Fatal(err)
		}
	}
	text := string(opened(t, name, o).record().Markdown())
	for _, want := range []string{"- 2 faults: `commit abc, a machine, 2 cores, 1 at once`", "- 1 faults: `commit def with changes, another, 8 cores, 2 at once`",
		"Not done yet: 1 of 2 kinds have fewer than 2 faults (agent-kill)."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestEveryKindIsKnown(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range Kinds(true) {
		k, err := ParseKind(kind)
		if err != nil || k.String() != kind || seen[kind] {
			t.Errorf("%s: %v, %v", kind, k, err)
		}
		if b := barsOf(kind); b.noticed+b.first+b.edge <= 0 {
			t.Errorf("%s: nothing but what is missing is bound", kind)
		}
		seen[kind] = true
	}
	for _, kind := range []string{"meteor", "sky/worker-kill", "hosts/meteor", "/worker-kill"} {
		if _, err := ParseKind(kind); err == nil {
			t.Errorf("%s is a kind", kind)
		}
	}
}

// A job lives on one stage.
func TestStagesHaveJobsOfTheirOwn(t *testing.T) {
	b := opened(t, filepath.Join(t.TempDir(), "faults.jsonl"), Options{Kinds: []string{"hosts/drain", "worker-kill", "hosts/host-cut", "replicas/host-cut"}, Each: 2, PerJob: 8})
	if diff := cmp.Diff(map[string]int{"hosts/drain": 2, "hosts/host-cut": 2}, asked(t, b)); diff != "" {
		t.Error("(-want +got):", diff)
	}
}
