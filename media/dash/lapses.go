package dash

import (
	"math"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// LapseScheme is the schemeIdUri of the events that mark where a live job has no
// programme. An event's id is the grid frame that the lapse began with; it has a
// duration when it is over, and is told anew in each Period that it goes on in.
const LapseScheme = "urn:com.gala:slate:2026"

// encodeLapses marks the lapses in a Period (§5.10.2), nil without one.
func (m Manifest) encodeLapses(p period) *mpd.EventStreamType {
	from, to := m.Grid.FirstFrame(p.from), int64(math.MaxInt64)
	if p.to != open {
		to = m.Grid.FirstFrame(p.to)
	}
	var events []*mpd.EventType
	for _, x := range m.Lapses {
		first, next := max(x.From, from), min(x.To, to)
		if first >= next {
			continue
		}
		e := &mpd.EventType{PresentationTime: uint64(m.Grid.Ticks(first)), Id: mpd.Ptr(uint64(x.From))}
		if next != math.MaxInt64 {
			e.Duration = uint64(m.Grid.Ticks(next - first))
		}
		events = append(events, e)
	}
	if len(events) == 0 {
		return nil
	}
	return &mpd.EventStreamType{SchemeIdUri: LapseScheme, Timescale: mpd.Ptr(uint32(m.Grid.Timescale)),
		PresentationTimeOffset: uint64(p.from * m.Grid.SegmentTicks()), Events: events}
}
