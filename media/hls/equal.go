package hls

import "slices"

// Equal tells whether two lists encode to the same playlists.
func (m *Media) Equal(o *Media) bool {
	return m.Target == o.Target && m.Live == o.Live && m.Window == o.Window && m.Ended == o.Ended && m.Epoch == o.Epoch &&
		m.IFramesPerSegment == o.IFramesPerSegment && m.DiscontinuitySequence == o.DiscontinuitySequence && m.KeyPrint == o.KeyPrint &&
		slices.Equal(m.Keys, o.Keys) && slices.EqualFunc(m.DateRanges, o.DateRanges, DateRange.equal) && slices.EqualFunc(m.Segments, o.Segments, Segment.equal)
}

// equal looks first at what mostly differs.
func (s Segment) equal(o Segment) bool {
	return s.Number == o.Number && s.Size == o.Size && s.Duration == o.Duration && s.URI == o.URI && s.Map == o.Map &&
		s.Discontinuity == o.Discontinuity && s.Gap == o.Gap && s.Time.Equal(o.Time) && slices.Equal(s.IFrames, o.IFrames)
}

func (r DateRange) equal(o DateRange) bool {
	return r.ID == o.ID && r.Class == o.Class && r.Start.Equal(o.Start) && r.End.Equal(o.End)
}

// Clone shares nothing with m that either changes in place.
func (m *Media) Clone() Media {
	c := *m
	c.Keys, c.Segments, c.DateRanges = slices.Clone(m.Keys), slices.Clone(m.Segments), slices.Clone(m.DateRanges)
	return c
}
