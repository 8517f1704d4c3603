package hls

import (
	"slices"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"
)

// DateRange is a stretch of wall time with a meaning (EXT-X-DATERANGE, RFC 8216bis
// §4.4.5.1). Whoever adds the end of one repeats everything else.
type DateRange struct {
	ID, Class  string
	Start, End time.Time // End is zero while it lasts
}

// lists tells whether any of a range lies in what the playlist lists, or after it.
func (m *Media) lists(r DateRange) bool {
	return r.End.IsZero() || len(m.Segments) > 0 && r.End.After(m.Segments[0].Time)
}

// dateRanges are the tags of those that are still listed.
func (m *Media) dateRanges() (tags []*m3u8.DateRange) {
	for _, r := range m.DateRanges {
		if !m.lists(r) {
			continue
		}
		tag := &m3u8.DateRange{ID: r.ID, Class: r.Class, StartDate: r.Start.UTC()}
		if !r.End.IsZero() {
			end := r.End.UTC()
			tag.EndDate = &end
		}
		tags = append(tags, tag)
	}
	return tags
}

func readDateRanges(tags []*m3u8.DateRange) (all []DateRange) {
	for _, tag := range tags {
		r := DateRange{ID: tag.ID, Class: tag.Class, Start: tag.StartDate}
		if tag.EndDate != nil {
			r.End = *tag.EndDate
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b DateRange) int { return a.Start.Compare(b.Start) })
	return all
}
