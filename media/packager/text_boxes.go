package packager

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/webvtt"
	"github.com/galafarm/gala/timeline"
)

// Players of DASH take the subtitles of a live job in boxes (ISO/IEC 14496-30): beside
// each segment of WebVTT lies one of ISO BMFF with the same number and cues. Those of
// a clip are one file, which players take without any.

// boxes is how a rendition of subtitles is written in them. Its init segment follows
// from the job alone: every worker's is the same.
type boxes struct {
	init  cmaf.Init
	scale int64 // ticks a second
	per   int64 // ticks in a tick of the leader
}

// boxText chooses it for the subtitles of a live job.
func (p *Packager) boxText() error {
	if !p.spec.Live || p.leader == nil {
		return nil
	}
	leader := p.spec.Grid.Timescale
	if a := p.leader.rendition.Audio; a != nil {
		leader = int64(a.SampleRate)
	}
	for _, t := range p.order {
		if t.rendition.Text == nil {
			continue
		}
		x := &boxes{scale: textScale(leader)}
		x.per = x.scale / leader
		var err error
		if x.init, err = cmaf.InitText(*t.rendition.Text, x.scale); err != nil {
			return fmt.Errorf("packager: %w", err)
		}
		t.boxes = x
	}
	return nil
}

// textScale has the leader's frames and milliseconds in whole ticks: segments tile to
// the tick, and cues are where their WebVTT has them.
func textScale(leader int64) int64 {
	const longest = 64 // seconds of a sample, whose duration has 32 bits
	r, err := timeline.NewRate(leader, 1000)
	if err != nil || leader > math.MaxUint32/longest/r.Den {
		return leader
	}
	return leader * r.Den
}

// segment puts the cues on screen in a span into boxes. Wherever one comes or goes a
// sample begins; cues that go on are in each.
func (x *boxes) segment(s span, cues []webvtt.Cue, brands ...func(cmaf.Segment) (cmaf.Segment, error)) ([]byte, error) {
	from, until := s.begin*x.per, s.end*x.per
	cuts := []int64{from, until}
	var on []placed
	for _, c := range webvtt.InOrder(cues) {
		if p := x.place(c, from, until); p.start < p.end {
			on, cuts = append(on, p), append(cuts, p.start, p.end)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for i := range on {
		on[i].name(cuts)
	}
	f := cmaf.Fragment{Sequence: uint32(s.with.number + 1), Decode: from}
	for i, at := range cuts[:len(cuts)-1] {
		var shown []cmaf.Cue
		for _, p := range on {
			if p.start <= at && at < p.end {
				shown = append(shown, p.cue)
			}
		}
		data, err := cmaf.CueSample(shown)
		if err != nil {
			return nil, err
		}
		f.Samples = append(f.Samples, cmaf.Sample{Data: data, Duration: uint32(cuts[i+1] - at), Sync: true})
	}
	out, err := cmaf.Encode(f)
	for _, brand := range brands {
		if err == nil {
			out, err = brand(out)
		}
	}
	return out.Bytes, err
}

// placed is a cue in ticks, as far as a segment shows it.
type placed struct {
	start, end int64
	cue        cmaf.Cue
	whole      webvtt.Cue
	over       bool // it goes on in another segment
}

// place cuts a cue to a segment. What is less than a millisecond from the segment's
// edge is at it: cue times are rounded to that, the segment's are not.
func (x *boxes) place(c webvtt.Cue, from, until int64) placed {
	milli := x.scale / 1000
	at := func(us int64) int64 {
		t := timeline.Rescale(webvtt.Milliseconds(us), timeline.Timebase{Num: 1, Den: 1000}, timeline.Timebase{Num: 1, Den: x.scale})
		for _, edge := range []int64{from, until} {
			if max(t-edge, edge-t) < milli {
				return edge
			}
		}
		return t
	}
	start, end := at(c.Start), at(c.End)
	return placed{start: max(start, from), end: min(end, until), over: start < from || end > until,
		cue: cmaf.Cue{Settings: c.Settings, Text: c.Text}, whole: c}
}

// name gives a cue that is in several samples the name that makes them one to readers
// (§7.4). It follows from the cue: every worker's is the same.
func (p *placed) name(cuts []int64) {
	if split := slices.ContainsFunc(cuts, func(at int64) bool { return p.start < at && at < p.end }); !split && !p.over {
		return
	}
	h := fnv.New32a()
	fmt.Fprintf(h, "%d %d %s\n%s", webvtt.Milliseconds(p.whole.Start), webvtt.Milliseconds(p.whole.End), p.whole.Settings, p.whole.Text)
	p.cue.Source = max(1, h.Sum32()&math.MaxInt32)
}

// boxedRate bounds what subtitles in boxes take, in bit/s: the boxes take more than
// the text.
const boxedRate = 32_000

// textDelay is how much later than the pictures' the segments are that a live
// manifest has of subtitles.
func (p *Packager) textDelay() time.Duration {
	if slices.ContainsFunc(p.order, func(t *track) bool { return t.boxes != nil }) {
		return textHold
	}
	return 0
}

// files are what segment number n is at an output.
func (t *track) files(n int64) []string {
	if t.boxes != nil {
		return []string{hls.SegmentName(n), hls.TextName(n)}
	}
	return []string{t.segmentName(n)}
}
