package hls

import (
	"fmt"
	"slices"
	"time"
)

// Micros is a duration in microseconds: the finest that EXTINF states here.
type Micros int64

// Between is the time from tick a to tick b. Both ends are rounded on their
// own, so the durations of a playlist add up to its true length.
func Between(a, b, timescale int64) Micros {
	return Micros(micros(b, timescale) - micros(a, timescale))
}

// micros is v/timescale in microseconds, rounded to nearest; v >= 0.
func micros(v, timescale int64) int64 {
	whole, rest := v/timescale, v%timescale
	return whole*1e6 + (rest*1e6+timescale/2)/timescale
}

// Segment is one entry of a media playlist.
type Segment struct {
	Number   int64 // on the grid; the media sequence number
	URI      string
	Duration Micros
	// Size in bytes, 0 when unknown. It travels as EXT-X-BITRATE, so that a
	// successor can measure the whole playlist.
	Size int64
	// Map is the init segment's URI.
	Map string
	// Discontinuity stands before this segment.
	Discontinuity bool
	// Gap: the number exists on the grid, but not the segment.
	Gap bool
	// Time is the wall time of the first sample, live only.
	Time time.Time
	// IFrames are the segment's entries in the I-frame playlist.
	IFrames []IFrame
}

// IFrame is a byte range of a segment that shows one picture by itself.
type IFrame struct {
	Offset, Size int64
	Duration     Micros // to the next I-frame
}

// Media is a media playlist. The zero value with Target set is an empty
// playlist of a VOD job that is still encoding.
type Media struct {
	// Target is the constant EXT-X-TARGETDURATION in seconds.
	Target int
	// Live slides: only the last Window segments stay. Otherwise the playlist
	// grows (EVENT) until it ends (VOD).
	Live   bool
	Window int
	// Ended adds EXT-X-ENDLIST.
	Ended bool
	// Epoch fences writers: it stands in the playlist, and a writer that reads
	// a higher one than its own steps down.
	Epoch uint64
	// IFramesPerSegment is how many numbers a segment takes in the I-frame
	// playlist; gaps take as many.
	IFramesPerSegment int
	// DiscontinuitySequence counts discontinuities that slid out.
	DiscontinuitySequence int64
	// Keys are those of every segment: the keys of a job do not change.
	Keys []Key
	// KeyPrint is the fingerprint of the key that the segments are encrypted
	// with, 0 when there is none or a writer did not tell: the tags above name a
	// key, and a key of that name may have become another.
	KeyPrint uint64
	// DateRanges, of a live playlist, the oldest first. What has left the window is
	// not written.
	DateRanges []DateRange
	Segments   []Segment
}

// Key is an EXT-X-KEY or EXT-X-SESSION-KEY tag: what players of one DRM system
// need to get the key.
type Key struct {
	Method, URI, Format, Versions string
}

// Methods of Common Encryption (RFC 8216bis §4.4.4.4).
const (
	SampleAES    = "SAMPLE-AES"     // cbcs
	SampleAESCTR = "SAMPLE-AES-CTR" // cenc
)

// Append adds the segment that follows the last one; a number that is missing
// is appended as a gap by whoever knows its times. What slid out of a live
// window is returned.
func (m *Media) Append(s Segment) (out []Segment, err error) {
	last, ok := m.Last()
	switch {
	case m.Ended:
		return nil, fmt.Errorf("segment %d after the end: %w", s.Number, ErrOrder)
	case ok && s.Number != last+1:
		return nil, fmt.Errorf("segment %d after %d: %w", s.Number, last, ErrOrder)
	}
	m.Segments = append(m.Segments, s)
	return m.slide(), nil
}

// Clear slides everything out: for a writer that comes back when all that was
// listed has left the window.
func (m *Media) Clear() []Segment { return m.drop(len(m.Segments)) }

// SegmentName is the file name of segment number n.
func SegmentName(n int64) string { return fmt.Sprintf("%d.m4s", n) }

// TextName is that of a segment of subtitles.
func TextName(n int64) string { return fmt.Sprintf("%d.vtt", n) }

func (m *Media) slide() []Segment {
	if !m.Live || m.Window <= 0 || len(m.Segments) <= m.Window {
		return nil
	}
	return m.drop(len(m.Segments) - m.Window)
}

// drop removes the first n segments (RFC 8216bis §6.2.2: a discontinuity tag
// that leaves is counted).
func (m *Media) drop(n int) []Segment {
	out := slices.Clone(m.Segments[:n])
	for _, s := range out {
		if s.Discontinuity {
			m.DiscontinuitySequence++
		}
	}
	m.Segments = slices.Delete(m.Segments, 0, n)
	return out
}

// Last is the number of the last segment, gaps included; ok is false when
// there is none.
func (m *Media) Last() (number int64, ok bool) {
	if len(m.Segments) == 0 {
		return 0, false
	}
	return m.Segments[len(m.Segments)-1].Number, true
}

// Duration is the length of what is listed.
func (m *Media) Duration() Micros {
	var d Micros
	for _, s := range m.Segments {
		d += s.Duration
	}
	return d
}

// TargetFor is the target duration, in seconds, of renditions whose segments
// last ticks/timescale. Audio segments may be a frame longer than video ones
// and all renditions share one target (Apple HLS authoring 8.2), so segments
// that come near the next half second count as that.
func TargetFor(ticks, timescale int64) int {
	const longestAudioFrame = 50_000 // µs; 2048 samples at 44.1 kHz are 46 ms
	return max(1, int((micros(ticks, timescale)+longestAudioFrame+500_000)/1e6))
}
