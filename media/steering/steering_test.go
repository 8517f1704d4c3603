package steering_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/galafarm/gala/media/steering"
)

func TestManifestIsThatOfBothStandards(t *testing.T) {
	m := steering.Manifest{TTL: 4, Reload: "steering.json?share=3", Pathways: []string{"r2", "r1"}, Current: 1}
	want := `{
  "VERSION": 1,
  "TTL": 4,
  "RELOAD-URI": "steering.json?share=3",
  "PATHWAY-PRIORITY": [
    "r2",
    "r1"
  ],
  "SERVICE-LOCATION-PRIORITY": [
    "r2",
    "r1"
  ],
  "GALA-CURRENT": 1
}
`
	if diff := cmp.Diff(want, string(m.Encode())); diff != "" {
		t.Error("(-want +got):", diff)
	}
	back, err := steering.Parse(m.Encode())
	if diff := cmp.Diff(m, back); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestWhatIsNoManifest(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{"VERSION":2,"TTL":4,"PATHWAY-PRIORITY":["a"]}`, `{"VERSION":1,"PATHWAY-PRIORITY":["a"]}`, `{"VERSION":1,"TTL":4}`,
		`{"VERSION":1,"TTL":4,"PATHWAY-PRIORITY":["a","b","a"]}`, `{"VERSION":1,"TTL":4,"PATHWAY-PRIORITY":["a"],"GALA-CURRENT":2}`,
	} {
		if m, err := steering.Parse([]byte(text)); !errors.Is(err, steering.ErrManifest) {
			t.Errorf("%s: %+v, %v", text, m, err)
		}
	}
}

// A tree that falls behind goes last, and first again only when it has caught up:
// in between, it is where it was.
func TestOrderFollowsWhatIsThere(t *testing.T) {
	var m steering.Manifest
	for _, step := range []struct {
		one, two int64
		want     string
		current  int
	}{
		{10, -1, "r1 r2", 1}, // the second has not begun
		{10, 9, "r1 r2", 1},  // it comes
		{10, 10, "r1 r2", 2},
		{10, 11, "r1 r2", 2}, // uploads fall as they fall
		{10, 12, "r2 r1", 1}, // the first has broken off
		{13, 14, "r2 r1", 1}, // it catches up
		{14, 14, "r1 r2", 2},
		{-1, 14, "r2 r1", 1}, // it is gone
		{-1, -1, "r1 r2", 0}, // all are
	} {
		m.Pathways, m.Current = steering.Order([]steering.Tree{{Folder: "r1", Newest: step.one}, {Folder: "r2", Newest: step.two}}, m)
		if got := strings.Join(m.Pathways, " "); got != step.want || m.Current != step.current {
			t.Errorf("%d and %d: %s, %d current; want %s, %d", step.one, step.two, got, m.Current, step.want, step.current)
		}
	}
}

// Every replica that is current carries the same part of the viewers, whatever the
// others do, and one that is not comes last for all.
func TestViewersAreSpread(t *testing.T) {
	for n := 1; n <= 3; n++ {
		m := steering.Manifest{TTL: 4, Pathways: []string{"r1", "r2", "r3"}, Current: n}
		first := map[string]int{}
		for share := range steering.Shares {
			got := m.For(share)
			first[got.Pathways[0]]++
			if len(got.Pathways) != 3 || n < 3 && got.Pathways[2] != "r3" || got.Reload == "" {
				t.Errorf("%d current, share %d: %+v", n, share, got)
			}
		}
		for _, r := range m.Pathways[:n] {
			if first[r] != steering.Shares/n {
				t.Errorf("%d current: %v", n, first)
			}
		}
	}
}

func TestTTLIsASegment(t *testing.T) {
	for segment, want := range map[time.Duration]int{2 * time.Second: 2, 2002 * time.Millisecond: 3, 500 * time.Millisecond: 2, 6 * time.Second: 6} {
		if got := steering.TTLFor(segment); got != want {
			t.Errorf("%v: %d s, want %d", segment, got, want)
		}
	}
}
