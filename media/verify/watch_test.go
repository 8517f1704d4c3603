package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/media/cmaf"
)

// shelf is a tree in memory that changes while it is read.
type shelf struct {
	mu    sync.Mutex
	files map[string][]byte
	away  bool
}

func (s *shelf) String() string { return "shelf" }

func (s *shelf) get(ctx context.Context, name string) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, ok := s.files[name]
	switch {
	case s.away:
		return object{}, errors.New("connection refused")
	case !ok:
		return object{}, fmt.Errorf("%s: %w", name, errNotThere)
	}
	return object{body: body}, ctx.Err()
}

func (s *shelf) open(context.Context, string) (io.ReadCloser, int64, error) {
	return nil, 0, errNotThere
}

// show is a programme of segments of two seconds, each listed 300 ms after it
// was due; step k is the window after k of them. Tests spoil steps.
type show struct {
	steps int
	pace  time.Duration
	// make is the fixture of a step.
	make func(step int, f *fixture)
	// spoil changes its files, and wait is how much later it comes.
	spoil func(step int, s *shelf)
	wait  func(step int) time.Duration
}

const wontAsDue = 300 * time.Millisecond

// watch plays the show to a watcher, in a time of its own.
func (p show) watch(t *testing.T) (r Report, seen []Sighting) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		base := time.Now().Unix()/2 - 6
		began := time.Now()
		p.put(t, s, base, 0)
		go func() {
			for k := 1; k <= p.steps; k++ {
				at := began.Add(time.Duration(2*k)*time.Second + wontAsDue)
				if p.wait != nil {
					at = at.Add(p.wait(k))
				}
				time.Sleep(time.Until(at)) // the clock of the show
				p.put(t, s, base, k)
			}
		}()
		tr := &tree{store: s, masterPath: masterName}
		tr.masterObject, _ = s.get(t.Context(), masterName)
		w := newWatcher(WatchOptions{Pace: p.pace, See: func(s Sighting) { seen = append(seen, s) }}, tr)
		names, err := playlistsOf(masterName, tr.masterObject)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(2*p.steps+1)*time.Second)
		defer cancel()
		w.run(ctx, names)
		r = w.report()
	})
	return r, seen
}

func (p show) put(t *testing.T, s *shelf, base int64, step int) {
	f := onAir()
	f.first = base + int64(step)
	if p.make != nil {
		p.make(step, f)
	}
	files := f.files(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = files
	if p.spoil != nil {
		p.spoil(step, s)
	}
}

// inList edits one playlist of every step.
func inList(name string, edit func(step int, f *fixture, s string) string) func(int, *fixture) {
	return func(step int, f *fixture) {
		f.text = func(p, s string) string {
			if p != name {
				return s
			}
			return edit(step, f, s)
		}
	}
}

// marked puts a tag before the segment that step 10 brings, for as long as it is listed.
func marked(tag string) func(int, *fixture) {
	return inList("hi/media.m3u8", func(step int, f *fixture, s string) string {
		n := f.first - int64(step) + 15
		return strings.Replace(s, fmt.Sprintf("\n%d.m4s", n), fmt.Sprintf("\n%s\n%d.m4s", tag, n), 1)
	})
}

func at10(spoil func(*shelf)) func(int, *shelf) {
	return func(step int, s *shelf) {
		if step == 10 {
			spoil(s)
		}
	}
}

func TestWatchOfAGoodProgramme(t *testing.T) {
	r, seen := show{steps: 20, pace: 100 * time.Millisecond}.watch(t)
	if ExitCode(r, nil) != ExitPasses || r.Count(Warn) > 0 || r.Count(NotApplicable) > 0 {
		t.Errorf("%v broken, %d do not apply: %+v", unwell(r), r.Count(NotApplicable), r.Results)
	}
	if len(seen) != 3*20 || r.Segments != 3*20 {
		t.Errorf("%d sightings, %d segments", len(seen), r.Segments)
	}
	for _, rendition := range r.Watched.Renditions {
		d, p := rendition.Delay, rendition.Pause
		if d.N != 20 || d.Min < 280 || d.Max > 420 || p.Max > 2400 {
			t.Errorf("%s: delay %+v, pause %+v", rendition.Name, d, p)
		}
	}
	if av := r.Watched.AV; av.N == 0 || av.Min < 0 || av.Max > 22 {
		t.Errorf("sound and pictures: %+v", av)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "LONGEST PAUSE") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// At a player's pace a segment may be seen two seconds after it came, and that is no fault.
func TestWatchAtAPlayersPace(t *testing.T) {
	r, _ := show{steps: 30}.watch(t)
	if ExitCode(r, nil) != ExitPasses || r.Count(Warn) > 0 {
		t.Errorf("%v broken", unwell(r))
	}
	if r.Watched.Looks > 30*3*5 {
		t.Errorf("%d requests in a minute", r.Watched.Looks)
	}
}

func TestEveryWatchRuleIsSeenFailing(t *testing.T) {
	broken := map[string]show{
		"watch-gap":           {make: marked("#EXT-X-GAP")},
		"watch-discontinuity": {make: marked("#EXT-X-DISCONTINUITY")},
		"watch-late":          {wait: func(step int) time.Duration { return map[bool]time.Duration{true: 5 * time.Second}[step == 10] }},
		"watch-renewed":       {wait: func(step int) time.Duration { return map[bool]time.Duration{true: 1700 * time.Millisecond}[step == 10] }},
		"watch-numbers": {make: func(step int, f *fixture) {
			if step >= 10 {
				f.first += 8
			}
		}},
		"watch-forward": {make: func(step int, f *fixture) {
			if step == 10 {
				f.first -= 3
			}
		}},
		"watch-append": {make: inList("lo/media.m3u8", func(step int, f *fixture, s string) string {
			if step == 10 {
				return strings.Replace(s, fmt.Sprintf("\n%d.m4s", f.first+2), "\nother.m4s", 1)
			}
			return s
		})},
		"watch-lists":    {spoil: at10(func(s *shelf) { s.files["lo/media.m3u8"] = []byte("gone") })},
		"watch-reach":    {spoil: func(step int, s *shelf) { s.away = step == 10 }},
		"watch-frozen":   {spoil: func(step int, s *shelf) { swapSegments(step > 9, s.files) }},
		"watch-manifest": {spoil: at10(func(s *shelf) { s.files[manifestName] = []byte("<MPD") })},
		"watch-fetch":    {spoil: at10(func(s *shelf) { maps.DeleteFunc(s.files, newestOf("lo")) })},
		"watch-av":       {make: func(_ int, f *fixture) { f.fragment = shortSound(f.first) }},
		"watch-renditions": {spoil: func(step int, s *shelf) {
			if step > 9 {
				s.files[masterName] = []byte(strings.ReplaceAll(string(s.files[masterName]), "lo/media.m3u8", "hi/media.m3u8"))
			}
		}},
	}
	for _, rule := range watchRules() {
		p, ok := broken[rule.ID]
		if !ok {
			t.Errorf("no test breaks rule %s", rule.ID)
			continue
		}
		t.Run(rule.ID, func(t *testing.T) {
			p.steps, p.pace = 20, 100*time.Millisecond
			r, _ := p.watch(t)
			wantBroken(t, r, rule.ID)
			if r.Watched.Incidents[0].At.IsZero() {
				t.Errorf("incidents %v", r.Watched.Incidents)
			}
		})
	}
}

// newestOf finds the newest segment of the show's step 10.
func newestOf(rendition string) func(string, []byte) bool {
	return func(name string, _ []byte) bool {
		return strings.HasPrefix(name, rendition+"/") && strings.HasSuffix(name, fmt.Sprintf("%d.m4s", 946684800/2-6+15))
	}
}

// swapSegments gives the segments of one rendition other bytes.
func swapSegments(now bool, files map[string][]byte) {
	for name, body := range files {
		if now && strings.HasPrefix(name, "hi/") && strings.HasSuffix(name, ".m4s") {
			files[name] = append(body[:len(body):len(body)], 0, 0, 0, 8, 'f', 'r', 'e', 'e')
		}
	}
}

// shortSound cuts half a second off the sound of one number.
func shortSound(first int64) func(string, int64, *cmaf.Fragment) {
	return func(rendition string, n int64, f *cmaf.Fragment) {
		if rendition == "audio" && n%10 == 3 {
			f.Samples = f.Samples[:len(f.Samples)-25]
		}
	}
}

// A gap is told to whoever watches, as what never came.
func TestAGapIsSeen(t *testing.T) {
	_, seen := show{steps: 20, pace: 100 * time.Millisecond, make: marked("#EXT-X-GAP")}.watch(t)
	gaps := 0
	for _, s := range seen {
		if s.Gap {
			gaps++
			if s.Rendition != "hi" || !s.Fetched.IsZero() || s.Listed.IsZero() {
				t.Errorf("%+v", s)
			}
		}
	}
	if gaps != 1 {
		t.Errorf("%d gaps were seen, want one", gaps)
	}
}

func TestSpreadIsRightToOnePerCent(t *testing.T) {
	var s spread
	for i := range 1000 {
		s.add(time.Duration(i+1) * time.Millisecond)
	}
	got := s.spread()
	if got.N != 1000 || got.Min != 1 || got.Max != 1000 || got.P50 < 495 || got.P50 > 505 || got.P99 < 980 || got.P99 > 1000 {
		t.Errorf("%+v", got)
	}
	var early spread
	early.add(-2 * time.Second)
	if e := early.spread(); e.Min != -2000 || e.P50 > -1980 || e.P50 < -2020 {
		t.Errorf("%+v", e)
	}
}

func TestDriftOfTheEdge(t *testing.T) {
	var d drift
	at := time.Unix(1_700_000_000, 0)
	for i := range 3000 { // 100 ppm later and later
		at = at.Add(2 * time.Second)
		d.add(at, 300*time.Millisecond+time.Duration(i)*200*time.Microsecond)
	}
	by, ppm := d.moved()
	if !d.known() || ppm < 99 || ppm > 101 || by < 500*time.Millisecond {
		t.Errorf("moved by %v, %.2f ppm, known %v", by, ppm, d.known())
	}
}
