package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/benchmarks/faults"
	"github.com/galafarm/gala/benchmarks/harness"
	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/internal/netns"
)

// Every kind of fault five times, inside jobs that live through many: no viewer
// misses a segment - four after a cold cut at most -, and every programme is back at
// its live edge. How long that
// takes is for the benchmark of the same name, on a machine that is quiet.
func TestEveryFaultFiveTimes(t *testing.T) {
	const each = 5
	bin, err := harness.FindBinaries(filepath.Dir(farm.Binary(t, "gala")))
	if err != nil {
		t.Skipf("NO FAULT IS INJECTED HERE: %v", err)
	}
	hosts, err := netns.New()
	if err == nil {
		err = hosts.Close()
	}
	if err != nil {
		t.Logf("FAULTS OF HOSTS ARE LEFT OUT: %v", err)
	}
	kinds := faults.Kinds(err == nil)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	dir := t.TempDir()
	record, err := faults.Measure(ctx, faults.Options{
		// Four leave a machine of two cores the room that a record would wait for.
		Kinds: kinds, Each: each, PerJob: 14, Lanes: 4, Every: 2 * time.Second,
		Binaries: bin, Dir: filepath.Join(dir, "farms"), Ledger: filepath.Join(dir, "faults.jsonl"), Log: t.Output(), Command: "go test ./e2e -run EveryFault",
	})
	if err != nil {
		t.Error(err)
	}
	measured := map[string]int{}
	for _, f := range record.Figures {
		kind, _, _ := strings.Cut(f.Group, ":")
		switch f.Name {
		case "segments missing":
			measured[kind] = f.Dist.N
			fallthrough
		case "not back at the edge":
			if f.Bar == nil || !f.Bar.Met {
				t.Errorf("%s: %s: %+v, %v", kind, f.Name, f.Dist, f.Bar)
			}
		}
	}
	for _, kind := range kinds {
		if measured[kind] < each {
			t.Errorf("%s was measured %d times, want %d", kind, measured[kind], each)
		}
	}
	if t.Failed() {
		t.Logf("%s", record.Markdown())
	}
}
