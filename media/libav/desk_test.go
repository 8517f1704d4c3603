package libav

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// started is when a station has sent two seconds: a probe has something to look at.
func started(t *testing.T) time.Time {
	stationClip(t, smallCard)
	stationClip(t, largeCard)
	return time.Now().Add(-2 * time.Second)
}

// A source that falls silent is followed by its last picture and then by the slate,
// on time; when it comes back - in the same connection, in another, or with all
// that it held back - its pictures are where its clock has them, and the sound is
// with them.
func TestSourceAwayAndBack(t *testing.T) {
	for _, tt := range []struct {
		name       string
		keep, anew bool
	}{{"same connection", false, false}, {"another connection", false, true}, {"all at once", true, false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st := newStation(t, smallCard, started(t), 7_000_000_000, true)
			spec := stationSpec(t)
			spec.Loss.Slate = 1500 * time.Millisecond
			s := startShow(t, Options{Spec: spec, Ring: LocalRing(st.r)})
			s.runs(60)
			before := s.out.newest()
			st.mute(tt.keep)
			s.awaitEvent("slate_on", 1)
			s.runs(50)
			st.unmute(tt.anew)
			s.awaitEvent("source_back", 1)
			s.runs(60)
			s.stop()
			if want := []string{"source_lost", "slate_on", "source_back"}; !slices.Equal(s.events(), want) {
				t.Errorf("events %v, want %v", s.events(), want)
			}
			pics := s.pictures()
			lapses := s.programme(pics, 0)
			t.Logf("frames without programme: %v; %v", lapses, s.p.Status().Source.Events)
			if len(lapses) != 1 || lapses[0] < 50 || lapses[0] > 50+38+100 {
				t.Errorf("lapses %v of frames, want one", lapses)
			}
			if marks := s.out.marks; len(marks) != 2 || !strings.HasPrefix(marks[0], "true") || !strings.HasPrefix(marks[1], "false") {
				t.Errorf("marks %v", marks)
			}
			slates := 0
			for _, p := range pics {
				if p.card < 0 {
					slates++
				}
			}
			if slates < 40 {
				t.Errorf("%d pictures show the slate", slates)
			}
			s.wantOnTime(before, 2500*time.Millisecond)
			wantSync(t, spec.Grid, pics, decodeAAC(t, s.out.configs["a"], s.out.packets["a"], s.out.packets["a"][0].Index), s.out.packets["a"][0].Index)
			t.Logf("%d pictures came too late", s.p.Status().Dropped)
		})
	}
}

// A job that was on air goes on without its source, from the segment after the
// last one; what comes back later is where the record's anchor has it.
func TestSuccessorWithoutItsSource(t *testing.T) {
	t.Parallel()
	st := newStation(t, smallCard, started(t), 0, true)
	spec := stationSpec(t)
	first := startShow(t, Options{Spec: spec, Ring: LocalRing(st.r)})
	first.runs(60)
	first.stop()
	facts := first.p.Facts()
	anchor := first.p.anchor
	st.mute(false)
	empty := ring.New(ring.Limits{Keep: 45 * time.Second, Bytes: 64 << 20}) // its ingest is another one
	spec.Anchor, spec.Resume, spec.FirstSegment = &anchor, true, spec.Grid.Segment(first.out.newest())+1
	s := startShow(t, Options{Spec: spec, Ring: LocalRing(empty), Known: Known{Facts: &facts, Lag: first.p.Lag()}})
	s.runs(40)
	began := s.out.indexes("v")[0]
	if want := spec.Grid.FirstFrame(spec.FirstSegment); began != want {
		t.Errorf("it begins with frame %d, want %d", began, want)
	}
	st.mu.Lock()
	st.r, st.silent, st.waitKey = empty, false, true
	st.begin()
	st.mu.Unlock()
	s.awaitEvent("source_back", 1)
	s.runs(60)
	s.stop()
	pics := append(first.pictures(), s.pictures()...)
	if lapses := s.programme(pics, 0); len(lapses) != 1 {
		t.Errorf("lapses %v, want one", lapses)
	}
	if s.p.anchor != anchor {
		t.Error("the anchor moved")
	}
}

// A worker that takes over while its source has lost its sound goes on, with
// silence for it.
func TestSuccessorOfASourceThatLacksSound(t *testing.T) {
	t.Parallel()
	start := started(t)
	whole, mute := newStation(t, smallCard, start, 0, true), newStation(t, smallCard, start, 0, false)
	spec := stationSpec(t)
	first := startShow(t, Options{Spec: spec, Ring: LocalRing(whole.r)})
	first.runs(60)
	first.stop()
	facts, anchor := first.p.Facts(), first.p.anchor
	spec.Anchor, spec.Resume, spec.FirstSegment = &anchor, true, spec.Grid.Segment(first.out.newest())+1
	s := startShow(t, Options{Spec: spec, Ring: LocalRing(mute.r), Known: Known{Facts: &facts, Lag: first.p.Lag()}})
	s.runs(60)
	s.stop()
	if lapses := s.programme(append(first.pictures(), s.pictures()...), 0); len(lapses) > 1 || len(lapses) == 1 && lapses[0] > 50 {
		t.Errorf("frames without programme: %v", lapses)
	}
}

// twoStations are on air with the same programme: the second one is larger, has
// another clock and no sound.
func twoStations(t *testing.T) (a, b *station, inputs []LiveInput) {
	start := started(t)
	a = newStation(t, smallCard, start, 11_000_000, true)
	b = newStation(t, largeCard, start, 990_000_000_000, false)
	return a, b, []LiveInput{a.input("udp://127.0.0.1:9"), b.input("udp://127.0.0.1:10")}
}

// Twenty times an input is lost and the other one takes over. Whatever is shown
// in between lasts no longer than the threshold and a GOP, and pictures go on where
// they were: both carry the same programme.
func TestSwitchesOfLostInputs(t *testing.T) {
	t.Parallel()
	const threshold, gop = 13, 25 // frames: 500 ms, and a second
	a, b, inputs := twoStations(t)
	s := startShow(t, Options{Spec: stationSpec(t), Inputs: inputs})
	s.runs(40)
	for i := range 20 {
		from, to := a, b
		if i%2 == 1 {
			from, to = b, a
		}
		to.unmute(true)
		awaits(t, "the other input to have a key frame", func() bool { return to.r.Stats().LastArrival > time.Now().Add(-100*time.Millisecond).UnixMicro() })
		s.runs(5)
		from.mute(false)
		s.awaitEventNumber("input_switched", i+1)
		s.runs(13)
	}
	s.stop()
	lapses := s.programme(s.pictures(), 2)
	switches := append(slices.Clone(lapses), make([]int, max(0, 20-len(lapses)))...)
	t.Logf("20 switches: frames without programme: least %d, median %d, 90 %% %d, most %d", slices.Min(switches), percentile(switches, 50), percentile(switches, 90), slices.Max(switches))
	if n := slices.Max(switches); n > threshold+gop {
		t.Errorf("a switch showed %d frames of something else, want at most %d", n, threshold+gop)
	}
	if len(lapses) > 20 {
		t.Errorf("%d lapses", len(lapses))
	}
}

func (s *show) awaitEventNumber(kind string, n int) {
	s.t.Helper()
	awaits(s.t, fmt.Sprintf("%s number %d", kind, n), func() bool {
		seen := s.p.desk().seen.Load()
		return seen != nil && seen.switches >= n
	})
}

// The operator's switch leaves no gap and repeats nothing; the input that was
// chosen stays, and another choice goes back.
func TestOperatorSwitches(t *testing.T) {
	t.Parallel()
	_, _, inputs := twoStations(t)
	s := startShow(t, Options{Spec: stationSpec(t), Inputs: inputs})
	s.runs(40)
	for n, to := range []int{1, 0, 1} {
		s.p.Switch(Order{Input: to, Number: int64(n + 1)})
		awaits(t, "the order to be carried out", func() bool {
			st := s.p.Status().Source
			return st.Input == to && st.Obeyed == int64(n+1)
		})
		s.runs(30)
	}
	s.p.Switch(Order{Input: 0, Number: 3}) // older than the newest
	s.runs(40)
	if st := s.p.Status().Source; st.Input != 1 {
		t.Errorf("input %d is on air", st.Input)
	}
	s.stop()
	lapses := s.programme(s.pictures(), 2)
	t.Logf("frames without programme: %v", lapses)
	for _, n := range lapses {
		if n > 13 {
			t.Errorf("a switch showed %d frames of something else", n)
		}
	}
}

// An order is for the input that it names: another one that takes over meanwhile
// does not carry it out.
func TestAnOrderWaitsForItsInput(t *testing.T) {
	t.Parallel()
	start := started(t)
	a := newStation(t, smallCard, start, 11_000_000, true)
	b := newStation(t, largeCard, start, 990_000_000_000, false)
	c := newStation(t, smallCard, start, 5_000_000_000, true)
	c.mute(false)
	s := startShow(t, Options{Spec: stationSpec(t), Inputs: []LiveInput{a.input("udp://127.0.0.1:9"), b.input("udp://127.0.0.1:10"), c.input("udp://127.0.0.1:11")}})
	s.runs(40)
	s.p.Switch(Order{Input: 2, Number: 1})
	a.mute(false)
	s.awaitEvent("input_switched", 1)
	if st := s.p.Status().Source; st.Input != 1 || st.Obeyed != 0 {
		t.Errorf("input %d is on air, order %d counts as carried out", st.Input, st.Obeyed)
	}
	c.unmute(true)
	awaits(t, "the order to be carried out", func() bool {
		st := s.p.Status().Source
		return st.Input == 2 && st.Obeyed == 1
	})
	s.runs(30)
	s.stop()
}

// An input that comes a second and a half later than what is on air, through its
// anchor, can be switched to, and from.
func TestSwitchToAnInputThatComesLater(t *testing.T) {
	t.Parallel()
	start := started(t)
	a := newStation(t, smallCard, start, 11_000_000, true)
	b := newStation(t, largeCard, start, 990_000_000_000, false)
	spec := stationSpec(t)
	later := b.input("udp://127.0.0.1:10")
	later.Anchor = &timeline.Anchor{Generation: 1, Source: 990_000_000_000, Base: microseconds,
		Frame: spec.Grid.FrameAt(time.Duration(start.Add(-1500 * time.Millisecond).UnixNano()))}
	s := startShow(t, Options{Spec: spec, Inputs: []LiveInput{a.input("udp://127.0.0.1:9"), later}})
	s.runs(60)
	for n, to := range []int{1, 0} {
		s.p.Switch(Order{Input: to, Number: int64(n + 1)})
		awaits(t, "the order to be carried out", func() bool {
			st := s.p.Status().Source
			return st.Input == to && st.Obeyed == int64(n+1)
		})
		s.runs(60)
		if st := s.p.Status().Source; st.Input != to || st.Lapse {
			t.Errorf("input %d is on air, lapse %v", st.Input, st.Lapse)
		}
	}
	s.stop()
}

// The first input is returned to once it has been healthy for as long as asked.
func TestReturnToThePrimary(t *testing.T) {
	t.Parallel()
	a, _, inputs := twoStations(t)
	spec := stationSpec(t)
	spec.Loss = media.Loss{After: 200 * time.Millisecond, Return: 2 * time.Second}
	s := startShow(t, Options{Spec: spec, Inputs: inputs})
	s.runs(40)
	a.mute(false)
	s.awaitEvent("input_switched", 1)
	a.unmute(true)
	back := time.Now()
	s.awaitEvent("input_switched", 2)
	if took := time.Since(back); took < 2*time.Second {
		t.Errorf("it went back after %v", took)
	}
	s.runs(25)
	s.stop()
	if st := s.p.Status().Source; st.Input != 0 || !strings.Contains(st.Events[len(st.Events)-1].Cause, "healthy") {
		t.Errorf("%+v", st)
	}
	s.programme(s.pictures(), 2)
}

// Times move from one clock to another through their anchors, to the tick.
func TestPlaceOnAnotherClock(t *testing.T) {
	ts, ms := timeline.Timebase{Num: 1, Den: 90000}, timeline.Timebase{Num: 1, Den: 1000}
	rate := timeline.Rate{Num: 25, Den: 1}
	a := timeline.Anchor{Generation: 1, Source: 1000, Base: ts, Frame: 50}
	if got := (place{a, a, rate}).of(1<<33+7, ts, ts); got != 1<<33+7 {
		t.Errorf("the same clock moves %d", got)
	}
	b := timeline.Anchor{Generation: 1, Source: 5_000_000, Base: ms, Frame: 75}
	// Frame 100 of b's is a second after its anchor, two after a's.
	if got, want := (place{b, a, rate}).of(5_001_000, ms, ts), int64(1000+2*90000); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

// The pauses of a list of segments are no loss.
func TestPatienceWithLists(t *testing.T) {
	e := newEar(nil, true, time.Second)
	e.hear(ring.Item{Session: &ring.Session{Streams: []ring.Stream{{Kind: ring.Video, Base: microseconds}}, Skew: ring.NoTime}})
	if got := e.patience(); got != 16*time.Second {
		t.Errorf("patience %v before anything came", got)
	}
	for i := range int64(4) {
		for j := range int64(3) {
			e.hear(ring.Item{Packet: ring.Packet{PTS: i * 4_000_000, DTS: i * 4_000_000, Key: true, Arrival: 1_000_000 + i*4_000_000 + j}})
		}
	}
	if got := e.patience().Round(time.Second); got != 7*time.Second {
		t.Errorf("patience %v with segments of four seconds, want 7 s", got)
	}
	if _, ok := e.edge(); !ok {
		t.Error("no edge")
	}
}

// After a break in which the source went on, pictures wait for a key frame: they
// refer to what never came. A break in which nothing is missing is none.
func TestPicturesWaitForAKeyFrame(t *testing.T) {
	session := &ring.Session{Streams: []ring.Stream{{Kind: ring.Video, Base: microseconds}, {Kind: ring.Audio, Base: microseconds}}}
	for _, tt := range []struct {
		name    string
		missing int64 // µs of the source
		want    string
	}{{"nothing is missing", 0, "vvvvavvvkv"}, {"a second is missing", 1_000_000, "vvvva...kv"}} {
		var g gaps
		got, arrival, at := "", int64(5_000_000), int64(0)
		take := func(stream int, key bool, name string) {
			arrival, at = arrival+40_000, at+40_000
			if g.skips(session, ring.Packet{Stream: stream, DTS: at, PTS: at, Key: key, Arrival: arrival}) {
				name = "."
			}
			got += name
		}
		for range 4 {
			take(0, false, "v")
		}
		arrival, at = arrival+1_000_000, at+tt.missing
		take(1, true, "a") // sound is first
		for range 3 {
			take(0, false, "v")
		}
		take(0, true, "k")
		take(0, false, "v")
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// A source of two pictures a second and no sound is no source that breaks twice a
// second; one that lacks two seconds is.
func TestRarePicturesAreNoGaps(t *testing.T) {
	session := &ring.Session{Streams: []ring.Stream{{Kind: ring.Video, Base: microseconds}}}
	var g gaps
	got := ""
	at := int64(90_000_000)
	for i := range 12 {
		step := int64(500_000)
		if i == 6 {
			step = 2_500_000
		}
		at += step
		name := "v"
		if g.skips(session, ring.Packet{DTS: at, PTS: at, Key: i == 0 || i == 9, Arrival: at}) {
			name = "."
		}
		got += name
	}
	if want := "vvvvvv...vvv"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The ring of an ingest that was started again has a clock of its own: nothing of
// the one before may be left in what is known of the newest key frame.
func TestAnotherRingHasAnotherClock(t *testing.T) {
	e := newEar(nil, false, time.Second)
	session := ring.Item{Session: &ring.Session{Streams: []ring.Stream{{Kind: ring.Video, Base: microseconds}}, Skew: ring.NoTime}}
	key := func(at, arrival int64) ring.Item {
		return ring.Item{Packet: ring.Packet{PTS: at, DTS: at, Key: true, Arrival: arrival}}
	}
	e.hear(session)
	e.hear(key(50_000_000, 60_000_000))
	e.forget()
	if _, ok := e.edge(); ok {
		t.Error("a key frame of the ring before is left")
	}
	e.hear(session)
	e.hear(key(1_000_000, 61_000_000))
	if edge, ok := e.edge(); !ok || edge.arrived != 61*time.Second {
		t.Errorf("it came at %v, want 61s", edge.arrived)
	}
}
