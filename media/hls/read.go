package hls

import (
	"bytes"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"
)

// ParseMedia reads back a media playlist that Encode wrote. Window and
// IFramesPerSegment are the reader's to set.
func ParseMedia(b []byte) (*Media, error) {
	p, err := parse(b)
	if err != nil {
		return nil, err
	}
	m := &Media{Target: int(p.TargetDuration), Ended: p.Closed, Live: p.MediaType == 0,
		DiscontinuitySequence: int64(p.DiscontinuitySeq), Epoch: header(p, epochTag), KeyPrint: header(p, keyTag)}
	m.DateRanges = readDateRanges(p.DateRanges)
	for _, k := range p.Keys {
		m.Keys = append(m.Keys, Key{k.Method, k.URI, k.Keyformat, k.Keyformatversions})
	}
	uri := ""
	for i, e := range p.GetAllSegments() {
		if e.Map != nil {
			uri = e.Map.URI
		} else if uri == "" && p.Map != nil {
			uri = p.Map.URI
		}
		s, err := segment(e, int64(p.SeqNo)+int64(i), uri)
		if err != nil {
			return nil, err
		}
		m.Segments = append(m.Segments, s)
	}
	return m, nil
}

// parse outlives the library, which panics on some malformed lines (found by
// fuzzing: a URI without its EXTINF).
func parse(b []byte) (p *m3u8.MediaPlaylist, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("playlist: %v: %w", r, ErrPlaylist)
		}
	}()
	list, kind, err := m3u8.DecodeWith(bytes.NewReader(b), true, decoders())
	if err != nil {
		return nil, fmt.Errorf("playlist: %v: %w", err, ErrPlaylist)
	}
	p, ok := list.(*m3u8.MediaPlaylist)
	if !ok || kind != m3u8.MEDIA {
		return nil, fmt.Errorf("playlist: not a media playlist: %w", ErrPlaylist)
	}
	return p, nil
}

// EpochOf is the epoch of the writer of a playlist of which this is the
// beginning, or all; ok is false where that does not tell.
func EpochOf(head []byte) (epoch uint64, ok bool) {
	for line := range bytes.Lines(head) {
		if text, found := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte(epochTag)); found && bytes.HasSuffix(line, []byte("\n")) {
			epoch, err := strconv.ParseUint(string(text), 10, 64)
			return epoch, err == nil
		}
	}
	return 0, false
}

func header(p *m3u8.MediaPlaylist, name string) uint64 {
	if t, ok := p.Custom[name].(numberTag); ok {
		return t.value
	}
	return 0
}

func segment(e *m3u8.MediaSegment, number int64, uri string) (Segment, error) {
	name := path.Base(e.URI)
	if n, err := strconv.ParseInt(strings.TrimSuffix(name, path.Ext(name)), 10, 64); err != nil || n != number {
		return Segment{}, fmt.Errorf("playlist: segment %s has media sequence number %d: %w", e.URI, number, ErrPlaylist)
	}
	s := Segment{
		Number: number, URI: e.URI, Duration: toMicros(e.Duration), Map: uri,
		Discontinuity: e.Discontinuity, Gap: e.Gap, Time: e.ProgramDateTime,
	}
	if t, ok := e.Custom[bitrateTag].(numberTag); ok {
		s.Size = sizeOf(t.value, s.Duration)
	}
	return s, nil
}

func toMicros(seconds float64) Micros { return Micros(math.Round(seconds * 1e6)) }

// AttachIFrames reads an I-frame playlist back into the segments that it
// describes. Segments that it does not list keep none.
func (m *Media) AttachIFrames(b []byte) error {
	p, err := parse(b)
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i, s := range m.Segments {
		at[s.URI] = i
	}
	for _, e := range p.GetAllSegments() {
		if i, ok := at[e.URI]; ok && !e.Gap {
			m.Segments[i].IFrames = append(m.Segments[i].IFrames, IFrame{e.Offset, e.Limit, toMicros(e.Duration)})
		}
	}
	return nil
}
