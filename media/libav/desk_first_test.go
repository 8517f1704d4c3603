package libav

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// A job whose first input was never on air begins with the backup, whose anchor
// its clock is; it goes to the first input when that has come and has been healthy
// for as long as the policy asks. A successor needs no anchor of the first input.
func TestBeginsWithABackup(t *testing.T) {
	t.Parallel()
	start := started(t)
	a, b := newStation(t, smallCard, start, 11_000_000, true), newStation(t, largeCard, start, 990_000_000_000, true)
	a.mute(false)
	a.mu.Lock()
	a.r = ring.New(ring.Limits{Keep: 45 * time.Second, Bytes: 64 << 20}) // nothing ever came
	a.mu.Unlock()
	inputs := []LiveInput{a.input("udp://127.0.0.1:9"), b.input("udp://127.0.0.1:10")}
	var anchors anchorsOf
	for i := range inputs {
		inputs[i].Propose = anchors.propose(i)
	}
	spec := stationSpec(t)
	s := startShow(t, Options{Spec: spec, Inputs: inputs})
	s.runs(60)
	if on := s.p.Status().Source.Input; on != 1 {
		t.Errorf("input %d is on air, want the backup", on)
	}
	if got := anchors.order(); !slices.Equal(got, []int{1}) {
		t.Errorf("anchors were proposed for the inputs %v", got)
	}
	s.stop()

	facts := s.p.Facts()
	inputs[1].Anchor = anchors.of(1)
	spec.Resume, spec.FirstSegment, spec.Loss.Return = true, spec.Grid.Segment(s.out.newest())+1, 2*time.Second
	next := startShow(t, Options{Spec: spec, Inputs: inputs, OnAir: 1, Known: Known{Facts: &facts, Lag: s.p.Lag()}})
	next.runs(30)
	if began, want := next.out.indexes("v")[0], spec.Grid.FirstFrame(spec.FirstSegment); began != want {
		t.Errorf("the successor begins with frame %d, want %d", began, want)
	}
	a.unmute(true)
	next.awaitEvent("input_switched", 1)
	next.runs(30)
	if on := next.p.Status().Source.Input; on != 0 {
		t.Errorf("input %d is on air, want the first", on)
	}
	next.stop()
	if lapses := next.programme(append(s.pictures(), next.pictures()...), 2); len(lapses) > 1 || len(lapses) == 1 && lapses[0] > 50 {
		t.Errorf("frames without programme: %v", lapses)
	}
}

// A successor whose input is silent goes to another one at once. What its predecessor
// may have marked as a lapse is over then, whether it had to fill anything or not.
func TestASuccessorOnAnotherInputEndsTheLapse(t *testing.T) {
	t.Parallel()
	a, _, inputs := twoStations(t)
	spec := stationSpec(t)
	s := startShow(t, Options{Spec: spec, Inputs: inputs})
	s.runs(40)
	s.stop()
	a.mute(false)
	a.mu.Lock()
	a.r = ring.New(ring.Limits{Keep: 45 * time.Second, Bytes: 64 << 20}) // another ingest, to which nothing comes
	inputs[0].Ring = LocalRing(a.r)
	a.mu.Unlock()
	facts, anchor := s.p.Facts(), s.p.anchor
	spec.Anchor, spec.Resume, spec.FirstSegment = &anchor, true, spec.Grid.Segment(s.out.newest())+1
	next := startShow(t, Options{Spec: spec, Inputs: inputs, Known: Known{Facts: &facts, Lag: s.p.Lag()}})
	next.awaitEvent("input_switched", 1)
	next.runs(30)
	next.stop()
	next.out.noted.Lock()
	defer next.out.noted.Unlock()
	if n := len(next.out.marks); n == 0 || !strings.HasPrefix(next.out.marks[n-1], "false ") {
		t.Errorf("lapses marked: %q", next.out.marks)
	}
}

// anchorsOf takes every proposal, as a scheduler that knows none does.
type anchorsOf struct {
	mu     sync.Mutex
	inputs []int
	all    []timeline.Anchor
}

func (p *anchorsOf) propose(input int) func(context.Context, timeline.Anchor) (timeline.Anchor, error) {
	return func(_ context.Context, a timeline.Anchor) (timeline.Anchor, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.inputs, p.all = append(p.inputs, input), append(p.all, a)
		return a, nil
	}
}

func (p *anchorsOf) order() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.inputs)
}

func (p *anchorsOf) of(input int) *timeline.Anchor {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, in := range slices.Backward(p.inputs) {
		if in == input {
			return &p.all[i]
		}
	}
	return nil
}
