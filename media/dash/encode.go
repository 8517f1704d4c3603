package dash

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/galafarm/gala/timeline"
)

// profiles: every segment is reached by a template and begins with a SAP
// (§8.4), and every Adaptation Set is a CMAF switching set (§8.12).
const profiles = mpd.PROFILE_LIVE + "," + mpd.PROFILE_CMAF

// Encode is the manifest.
func (m Manifest) Encode() ([]byte, error) {
	periods := m.periods()
	if len(periods) == 0 {
		return nil, fmt.Errorf("manifest: %w", ErrEmpty)
	}
	if err := m.check(periods); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	doc := m.head(periods)
	for i, p := range periods {
		doc.Periods = append(doc.Periods, m.encodePeriod(p, i == len(periods)-1))
	}
	var b bytes.Buffer
	if _, err := doc.Write(&b, "  ", true); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// check: @startNumber and @duration are 32 bits here.
func (m Manifest) check(periods []period) error {
	last := periods[len(periods)-1].from
	if last < 0 || last > math.MaxUint32 || m.Grid.SegmentTicks() > math.MaxUint32 {
		return fmt.Errorf("segment %d of %d ticks: %w", last, m.Grid.SegmentTicks(), ErrRange)
	}
	return nil
}

// longestAudioFrame is by how much an audio segment may outlast a video one.
const longestAudioFrame = 50 * time.Millisecond

func (m Manifest) head(periods []period) *mpd.MPD {
	kind := mpd.STATIC_TYPE
	if m.dynamic() {
		kind = mpd.DYNAMIC_TYPE
	}
	doc := mpd.NewMPD(kind)
	doc.Profiles = profiles
	// The bandwidth is a peak over about a segment: one in hand bridges it.
	doc.MinBufferTime = duration(m.segment())
	doc.MaxSegmentDuration = duration(m.segment() + longestAudioFrame)
	switch {
	case m.dynamic():
		m.onAir(doc)
	case !m.Live:
		last := periods[len(periods)-1]
		doc.MediaPresentationDuration = duration(m.at(last.from) + m.length(last))
	}
	// That of an ended live job would count from the epoch. Its last Period says
	// the same (§5.3.2.1), and players that were there do not add it to the time
	// where they are (shaka would list half a century of segments).
	return doc
}

func (m Manifest) dynamic() bool { return m.Live && !m.Ended }

// onAir says what players need to know when to ask for what (§5.3.1.2).
//
// ProducerReferenceTime is not given: the segments' prft is the grid's time,
// which a source that lags is not captured at; the start time holds the lag.
func (m Manifest) onAir(doc *mpd.MPD) {
	doc.AvailabilityStartTime = mpd.ConvertToDateTimeMS(ceilMilli(m.Start))
	doc.PublishTime = mpd.ConvertToDateTimeMS(m.Published.UnixMilli())
	// A change is known for as long as a segment lasts, before a player that
	// heard of it late has to act on it.
	doc.MinimumUpdatePeriod = duration(m.segment())
	// Where viewers are does not depend on whether there are subtitles: they are
	// behind a start that is as much later.
	doc.SuggestedPresentationDelay = duration(max(m.segment(), Delay*m.segment()-m.TextDelay))
	doc.TimeShiftBufferDepth = duration(time.Duration(m.Window) * m.segment())
	// The clock is the one of whoever serves the manifest: players' own may be
	// off by minutes (§5.8.5.7; DASH-IF IOP part 5, clock synchronisation).
	doc.UTCTimings = []*mpd.DescriptorType{mpd.NewDescriptor("urn:mpeg:dash:utc:http-head:2014", Name, "")}
}

// ceilMilli: a millisecond early is a segment that is not there.
func ceilMilli(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

func (m Manifest) encodePeriod(p period, last bool) *mpd.Period {
	out := mpd.NewPeriod()
	out.Id = "p" + strconv.FormatInt(p.from, 10)
	out.Start = duration(m.at(p.from))
	if !last || !m.dynamic() {
		out.Duration = duration(m.length(p))
	}
	if x := m.encodeLapses(p); x != nil {
		out.EventStreams = append(out.EventStreams, x)
	}
	for _, s := range m.sets() {
		if set := m.encodeSet(s, p); set != nil {
			out.AdaptationSets = append(out.AdaptationSets, set)
		}
	}
	if !m.Live && p.from == 0 && last {
		m.encodeExtras(out)
	}
	return out
}

// encodeExtras adds what belongs to a clip as a whole.
func (m Manifest) encodeExtras(out *mpd.Period) {
	id := uint32(len(m.sets()))
	for _, t := range m.Texts {
		id++
		out.AdaptationSets = append(out.AdaptationSets, t.encode(id))
	}
	if m.Tiles != nil && m.Tiles.Ticks <= math.MaxUint32 {
		out.AdaptationSets = append(out.AdaptationSets, m.Tiles.encode(id+1, m.Grid.Timescale))
	}
}

// length of a Period, never more than there is: a millisecond too much, which is
// what an MPD's durations are written in, would be a segment too many.
func (m Manifest) length(p period) time.Duration {
	return (m.endOf(p) - m.at(p.from)).Truncate(time.Millisecond)
}

// endOf is when a Period ends: at its last segment's end, where that is known.
func (m Manifest) endOf(p period) time.Duration {
	switch {
	case !m.Live && p.to == open:
		return m.endOfClip(p)
	case m.Ended && m.LastTicks > 0 && p.to == m.lastNumber():
		return m.at(p.to-1) + span(m.LastTicks, m.Grid.Timescale)
	}
	return m.at(p.to)
}

// endOfClip is that of its longest track.
func (m Manifest) endOfClip(p period) time.Duration {
	var end time.Duration
	for i, run := range p.runs {
		if run != nil {
			end = max(end, span(run.Times[len(run.Times)-1], m.Representations[i].timescale(m.Grid)))
		}
	}
	return end
}

// lastNumber is one past the last segment of all.
func (m Manifest) lastNumber() int64 {
	var last int64
	for _, r := range m.Representations {
		if n := len(r.Runs); n > 0 {
			last = max(last, r.Runs[n-1].To)
		}
	}
	return last
}

// template is how the segments of a run are found (§5.3.9.4).
func (m Manifest) template(r Representation, run *Run, p period) *mpd.SegmentTemplateType {
	t := mpd.NewSegmentTemplate()
	t.Media = "$RepresentationID$/$Number$.m4s"
	t.Initialization = "$RepresentationID$/" + run.Init
	t.StartNumber = mpd.Ptr(uint32(p.from))
	if m.Live {
		t.SetTimescale(uint32(m.Grid.Timescale))
		t.Duration = mpd.Ptr(uint32(m.Grid.SegmentTicks()))
		t.PresentationTimeOffset = mpd.Ptr(uint64(p.from * m.Grid.SegmentTicks()))
		return t
	}
	scale := r.timescale(m.Grid)
	t.SetTimescale(uint32(scale))
	// Time in the Period is the track's less this offset (§5.3.9.2.2): the same
	// instant in every track, whatever the first segment begins with.
	if offset := timeline.Rescale(p.from*m.Grid.SegmentTicks(), base(m.Grid.Timescale), base(scale)); offset > 0 {
		t.PresentationTimeOffset = mpd.Ptr(uint64(offset))
	}
	t.SegmentTimeline = &mpd.SegmentTimelineType{S: times(run, p)}
	return t
}

// times are the run's segments in the Period, equal neighbours as one (§5.3.9.6).
func times(run *Run, p period) []*mpd.S {
	var out []*mpd.S
	for n := max(run.From, p.from); n < min(run.To, p.to); n++ {
		start, end := run.Times[n-run.From], run.Times[n-run.From+1]
		if len(out) > 0 && out[len(out)-1].D == uint64(end-start) {
			out[len(out)-1].R++
			continue
		}
		s := &mpd.S{D: uint64(end - start)}
		if len(out) == 0 {
			s.T = mpd.Ptr(uint64(start))
		}
		out = append(out, s)
	}
	return out
}

func base(scale int64) timeline.Timebase { return timeline.Timebase{Num: 1, Den: scale} }

// span is ticks as a duration, to the nearest nanosecond.
func span(ticks, scale int64) time.Duration {
	return time.Duration(timeline.Rescale(ticks, base(scale), base(int64(time.Second))))
}

func duration(d time.Duration) *mpd.Duration { return mpd.Ptr(mpd.Duration(d)) }
