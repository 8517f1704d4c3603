package hls

import (
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"
)

// Encode is the media playlist as it is now.
func (m *Media) Encode() []byte {
	var entries []*m3u8.MediaSegment
	for _, s := range m.Segments {
		entries = append(entries, s.entry())
	}
	p := m.playlist(entries)
	p.DateRanges = m.dateRanges()
	if len(m.Segments) > 0 {
		p.SeqNo = uint64(m.Segments[0].Number)
	}
	return finish(p, entries)
}

// EncodeIFrames is the I-frame playlist of the same segments (RFC 8216bis
// §4.4.3.6). Its media sequence counts I-frames, so it too follows the grid.
func (m *Media) EncodeIFrames() []byte {
	var entries []*m3u8.MediaSegment
	for _, s := range m.Segments {
		entries = append(entries, s.iframeEntries(m.IFramesPerSegment)...)
	}
	p := m.playlist(entries)
	p.SetIframeOnly()
	if len(m.Segments) > 0 {
		p.SeqNo = uint64(m.Segments[0].Number) * uint64(max(m.IFramesPerSegment, 1))
	}
	return finish(p, entries)
}

func (m *Media) playlist(entries []*m3u8.MediaSegment) *m3u8.MediaPlaylist {
	// Errs only on a window beyond the capacity; ours is 0: all are written.
	p, _ := m3u8.NewMediaPlaylist(0, uint(max(len(entries), 1)))
	p.SetVersion(Version)
	p.SetWritePrecision(-1)
	p.SetTargetDuration(uint(m.Target))
	p.SetIndependentSegments(true)
	p.DiscontinuitySeq = uint64(m.DiscontinuitySequence)
	p.Closed = m.Ended
	switch {
	case m.Live: // a window that slides has no type
	case m.Ended:
		p.MediaType = m3u8.VOD
	default:
		p.MediaType = m3u8.EVENT
	}
	for _, k := range m.Keys {
		p.Keys = append(p.Keys, k.tag())
	}
	var own headTag
	if m.Epoch > 0 {
		own = append(own, numberTag{name: epochTag, value: m.Epoch})
	}
	if m.KeyPrint > 0 {
		own = append(own, numberTag{name: keyTag, value: m.KeyPrint})
	}
	if len(own) > 0 {
		p.SetCustomTag(own)
	}
	return p
}

func (k Key) tag() m3u8.Key {
	return m3u8.Key{Method: k.Method, URI: k.URI, Keyformat: k.Format, Keyformatversions: k.Versions}
}

func finish(p *m3u8.MediaPlaylist, entries []*m3u8.MediaSegment) []byte {
	for _, e := range entries {
		_ = p.AppendSegment(e) // errs when full; the capacity is their number
	}
	return p.Encode().Bytes()
}

func (s Segment) entry() *m3u8.MediaSegment {
	e := &m3u8.MediaSegment{
		URI: s.URI, Duration: seconds(s.Duration), Map: s.initMap(),
		Discontinuity: s.Discontinuity, Gap: s.Gap, ProgramDateTime: s.dateTime(0),
	}
	if s.Size > 0 {
		e.Custom = m3u8.CustomMap{bitrateTag: numberTag{bitrateTag, bitrate(s.Size, s.Duration), true}}
	}
	return e
}

func (s Segment) iframeEntries(perSegment int) []*m3u8.MediaSegment {
	frames := s.IFrames
	if s.Gap {
		frames = gapFrames(s.Duration, max(perSegment, 1))
	}
	var out []*m3u8.MediaSegment
	var at Micros
	for i, f := range frames {
		out = append(out, &m3u8.MediaSegment{
			URI: s.URI, Duration: seconds(f.Duration), Limit: f.Size, Offset: f.Offset, Map: s.initMap(),
			Discontinuity: s.Discontinuity && i == 0, Gap: s.Gap, ProgramDateTime: s.dateTime(at),
		})
		at += f.Duration
	}
	return out
}

func gapFrames(d Micros, n int) []IFrame {
	out := make([]IFrame, n)
	for i := range out {
		out[i].Duration = d*Micros(i+1)/Micros(n) - d*Micros(i)/Micros(n)
	}
	return out
}

func (s Segment) initMap() *m3u8.Map {
	if s.Map == "" {
		return nil
	}
	return &m3u8.Map{URI: s.Map}
}

// dateTime is the wall time a while into the segment, to the millisecond that
// RFC 8216bis §4.4.4.6 asks for.
func (s Segment) dateTime(into Micros) time.Time {
	if s.Time.IsZero() {
		return time.Time{}
	}
	return s.Time.Add(time.Duration(into) * time.Microsecond).Round(time.Millisecond).UTC()
}

// seconds is d as the nearest float64, which prints as the decimal that it came from.
func seconds(d Micros) float64 { return float64(d) / 1e6 }
