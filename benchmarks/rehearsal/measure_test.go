package rehearsal

import (
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media/verify"
)

const segment = 2 * time.Second

// noon is when number 0 was due.
var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// came is segment n of a rendition, so much later than it was due.
func came(rendition string, n int64, delay time.Duration) verify.Sighting {
	due := noon.Add(time.Duration(n) * segment)
	return verify.Sighting{Rendition: rendition, Number: n, Length: segment, Due: due, Listed: due.Add(delay), Fetched: due.Add(delay)}
}

// gap is one that is listed as missing with the segment after it.
func gap(rendition string, n int64, at time.Time) verify.Sighting {
	return verify.Sighting{Rendition: rendition, Number: n, Length: segment, Due: noon.Add(time.Duration(n) * segment), Listed: at, Gap: true}
}

const fine = 300 * time.Millisecond

// programme is numbers 0 to 19 in order, with some delays of their own.
func programme(late map[int64]time.Duration) (all []verify.Sighting) {
	for n := range int64(20) {
		delay := fine
		if d, ok := late[n]; ok {
			delay = d
		}
		all = append(all, came("v", n, delay), came("a", n, fine))
	}
	return all
}

func TestMeasureOfWhatNobodyNoticed(t *testing.T) {
	seen := programme(nil)
	from := noon.Add(20*time.Second + 500*time.Millisecond)
	m := measure(seen, usualOf(seen, from, nil), from, noon.Add(40*time.Second))
	if m.Missing+m.Late != 0 || m.GapMS != 0 || m.EdgeMS != 0 || !m.Recovered || m.FirstMS != 1800 {
		t.Errorf("%+v", m)
	}
}

// The worker died after number 10: 11 to 14 come together, eight seconds after 10.
func TestMeasureOfAPause(t *testing.T) {
	seen := programme(map[int64]time.Duration{11: fine + 6*time.Second, 12: fine + 4100*time.Millisecond, 13: fine + 2200*time.Millisecond, 14: fine + 500*time.Millisecond})
	from := noon.Add(21 * time.Second)
	m := measure(seen, usualOf(seen, from, nil), from, noon.Add(40*time.Second))
	if m.Missing != 0 || m.Late != 3 || m.GapMS != 6000 || m.FirstMS != 7300 || m.EdgeMS != 7800 || !m.Recovered {
		t.Errorf("%+v", m)
	}
}

// Number 11 ends the pause of the fault; 16 is later for another reason.
func TestALaterPauseIsNotTheFaults(t *testing.T) {
	seen := programme(map[int64]time.Duration{11: fine + 2*time.Second, 12: fine + 500*time.Millisecond, 16: fine + 3*time.Second, 17: fine + 1100*time.Millisecond})
	from := noon.Add(21 * time.Second)
	if m := measure(seen, usualOf(seen, from, nil), from, noon.Add(40*time.Second)); m.GapMS != 3000 || m.FirstMS != 3300 || m.EdgeMS != 15300 {
		t.Errorf("%+v", m)
	}
}

func TestMeasureOfAHole(t *testing.T) {
	all := programme(nil)
	var seen []verify.Sighting
	for _, s := range all {
		if s.Rendition == "v" && s.Number >= 11 && s.Number <= 13 {
			s = gap("v", s.Number, noon.Add(28*time.Second+fine))
		}
		seen = append(seen, s)
	}
	from := noon.Add(21 * time.Second)
	m := measure(seen, usualOf(seen, from, nil), from, noon.Add(40*time.Second))
	if m.Missing != 3 || m.MissingSegments != 3 || m.GapMS != 6000 || !m.Recovered {
		t.Errorf("%+v", m)
	}
	if why := (Bars{Missing: 2, Gap: time.Minute, Edge: time.Minute}).judge(m); !strings.Contains(why, "3 segments are missing") {
		t.Errorf("judged %q", why)
	}
}

// One rendition never comes back, the other never went.
func TestMeasureOfALoss(t *testing.T) {
	var seen []verify.Sighting
	for _, s := range programme(nil) {
		if s.Rendition == "a" || s.Number <= 10 {
			seen = append(seen, s)
		}
	}
	from, to := noon.Add(21*time.Second), noon.Add(38*time.Second)
	m := measure(seen, usualOf(seen, from, nil), from, to)
	if m.Recovered || m.GapMS != 15700 || m.EdgeMS != 17000 {
		t.Errorf("%+v", m)
	}
	if why := (Bars{Gap: 20 * time.Second, Edge: time.Minute}).judge(m); why != "it was not back at its live edge" {
		t.Errorf("judged %q", why)
	}
	if steady(seen, usualOf(seen, from, nil), from) {
		t.Error("it is called steady")
	}
}

func TestSteadyWantsARunOfEveryRendition(t *testing.T) {
	seen := programme(map[int64]time.Duration{18: fine + segment})
	u := usualOf(seen, noon.Add(20*time.Second), nil)
	if steady(seen, u, noon) {
		t.Error("a segment after a late one is enough")
	}
	if !steady(seen[:36], u, noon) || steady(seen[:36], u, noon.Add(34*time.Second)) || steady(nil, u, noon) || steady(seen, usual{}, noon) {
		t.Error("steady is wrong before it")
	}
}

// With two replicas a number is missing where both lack it, and comes when the
// first of them has it.
func TestViewersOfReplicasGetWhatComesFirst(t *testing.T) {
	var seen []verify.Sighting
	for n := range int64(20) {
		one, two := came("r1/v", n, fine), came("r2/v", n, fine+100*time.Millisecond)
		if n >= 11 && n <= 14 { // the first host is cut off
			one = gap("r1/v", n, noon.Add(32*time.Second))
		}
		if n == 13 {
			two = gap("r2/v", n, noon.Add(28*time.Second))
		}
		seen = append(seen, one, two)
	}
	all := viewed(seen)
	from := noon.Add(21 * time.Second)
	m := measure(all, usualOf(all, from, nil), from, noon.Add(40*time.Second))
	if m.Missing != 1 || m.MissingSegments != 1 || m.GapMS != 2000 || !m.Recovered || len(all) != 20 {
		t.Errorf("%d segments, %+v", len(all), m)
	}
	for name, want := range map[string]string{"r2/720p": "720p", "720p": "720p", "rest/720p": "rest/720p", "r12/a": "a", "r/a": "r/a"} {
		if got := withoutReplica(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// A job that stays behind for longer than it was well is still behind.
func TestWhatLastsDoesNotBecomeUsual(t *testing.T) {
	behind := map[int64]time.Duration{}
	for n := int64(6); n < 20; n++ {
		behind[n] = fine + 9*time.Second
	}
	seen := programme(behind)
	calm := usualOf(seen, noon.Add(11*time.Second), nil)
	if now := usualOf(seen, noon.Add(time.Minute), calm); now["v"] != fine || steady(seen, now, noon) {
		t.Errorf("usual is %v now", now)
	}
}

func TestBarsAreHeld(t *testing.T) {
	b := Bars{0, time.Second, 5 * time.Second}
	good := Measured{GapMS: 1000, EdgeMS: 5000, Recovered: true}
	if why := b.judge(good); why != "" {
		t.Error(why)
	}
	for want, m := range map[string]Measured{
		"missing": {Missing: 1, Recovered: true}, "nothing new": {GapMS: 1001, Recovered: true}, "live edge": {EdgeMS: 5001, Recovered: true},
	} {
		if why := b.judge(m); !strings.Contains(why, want) {
			t.Errorf("%q for %+v", why, m)
		}
	}
}
