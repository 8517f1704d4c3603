package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/farm"
	checks "github.com/galafarm/gala/media/verify"
)

// Two jobs of one source are two outputs of one grid: compared, watched, and
// watched until an interrupt. The record of each is told in order.
func TestLiveTreesAreWatchedAndCompared(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	ladder := filepath.Join(t.TempDir(), "lowest.yaml")
	if err := os.WriteFile(ladder, []byte(lowest), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"one", "two"} {
		f.Must("live", "submit", "--id", id, "--input", "testcard:?size=320x180", "--ladder", ladder)
	}
	segments(t, f, c, "one", 3)
	segments(t, f, c, "two", 3)

	seen := watched(t, f.Must("verify", f.Origin("one"), "--watch", "9s", "--pace", "200ms", "-o", "json"))
	for _, r := range seen.Watched.Renditions {
		if r.Segments < 2 || r.Gaps+r.Never+r.Changed+r.Refused > 0 || r.Delay.N != r.Segments {
			t.Errorf("%s: %+v", r.Name, r)
		}
	}
	if seen.Watched.AV.N == 0 || seen.Watched.AV.Max > 22 {
		t.Errorf("sound and pictures: %+v", seen.Watched.AV)
	}

	segments(t, f, c, "one", 7) // a verifier wants six
	out := f.Must("verify", f.Origin("one"), "--against", f.Origin("two"), "-o", "json")
	if got := watched(t, out).Compared; got == nil || len(got.Renditions) != 2 || got.Renditions[0].Common() < 3 || got.Renditions[0].Different+got.Renditions[1].Different > 0 {
		t.Errorf("compared: %+v", got)
	}

	cmd := exec.Command(farm.Binary(t, "gala"), "verify", f.Origin("two"), "--watch", "0s", "--pace", "200ms", "-o", "json")
	var text strings.Builder
	cmd.Stdout = &text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	goesOn(t, f, c, "two", newest(f.Job(c, "two")), 3)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("an interrupted watch: %v\n%s", err, text.String())
	}
	if r := watched(t, text.String()); r.Segments < 2 {
		t.Errorf("%d segments before the interrupt", r.Segments)
	}
	if out, code := f.Run("verify", f.Origin("nobody"), "--watch", "1s"); code != 2 {
		t.Errorf("a watch of nothing: exit %d\n%s", code, out)
	}
	stopped(t, f, c, "one")
	stopped(t, f, c, "two")
	wantRecord(t, f.Must("live", "record", "one"))
}

func watched(t *testing.T, text string) (r checks.Report) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return r
}

// wantRecord: lines of JSON, numbered from 1, from the submit to the end.
func wantRecord(t *testing.T, text string) {
	t.Helper()
	type event struct {
		Job, Kind, Cause string
		Seq              int
		Time             time.Time
	}
	var all []event
	for line := range strings.Lines(text) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if all = append(all, e); e.Seq != len(all) || e.Job != "one" || e.Kind == "" || e.Time.IsZero() {
			t.Errorf("event %d: %s", len(all), line)
		}
	}
	if len(all) < 4 || all[0].Kind != "accepted" || all[len(all)-1].Kind != "stopped_by_client" {
		t.Errorf("the record:\n%s", text)
	}
}
