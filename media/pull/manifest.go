package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// manifest is a live DASH manifest (ISO/IEC 23009-1) as one track sees it. All
// times of segments are in ns from the manifest's start of availability.
type manifest struct {
	fetch *input.Fetcher
	ask   *url.URL // for it, the next time
	pick  choice

	at      *url.URL // where it was found
	doc     *mpd.MPD
	zero    time.Time // availabilityStartTime
	refresh time.Time // when to read it again
	end     int64     // of the last segment given
	placed  bool
}

func (m *manifest) name() string { return input.DisplayURL(m.ask) }

// load implements list.
func (m *manifest) load(ctx context.Context) (news, error) {
	now := time.Now()
	if m.doc == nil || !now.Before(m.refresh) {
		if err := m.read(ctx, now); err != nil {
			return news{}, err
		}
	}
	spans, err := m.spans(now)
	if err != nil {
		return news{}, err
	}
	ended := m.doc.GetType() == mpd.STATIC_TYPE
	if ended && !m.placed {
		return news{}, io.EOF
	}
	n, err := m.take(spans, now)
	if err == nil && ended && len(n.segments) == 0 {
		err = io.EOF
	}
	return n, err
}

// often and seldom bound how often a manifest is read, whatever it asks for.
const often, seldom = time.Second, 10 * time.Second

// errAnew ends a connection: nothing says how the two clocks hang together.
var errAnew = errors.New("its manifest counts from another start")

func (m *manifest) read(ctx context.Context, now time.Time) error {
	text, at, err := m.fetch.Get(ctx, m.ask, input.Range{}, playlistBytes)
	if err != nil {
		return err
	}
	doc, err := parseManifest(at, text)
	if err != nil {
		return err
	}
	zero, err := startOf(doc)
	switch {
	case err != nil:
		return malformedManifest(at, err)
	case m.doc != nil && doc.GetType() == mpd.DYNAMIC_TYPE && !zero.Equal(m.zero):
		return errAnew
	case doc.GetType() == mpd.DYNAMIC_TYPE:
		m.zero = zero
	}
	m.doc, m.at = doc, at
	if len(doc.Location) > 0 {
		if u, err := at.Parse(strings.TrimSpace(doc.Location[0].Value)); err == nil {
			m.ask = u
		}
	}
	every := seldom
	if doc.MinimumUpdatePeriod != nil {
		every = min(seldom, max(often, time.Duration(*doc.MinimumUpdatePeriod)))
	}
	m.refresh = now.Add(every)
	return nil
}

// startOf is the start of availability, which a dynamic manifest has.
func startOf(doc *mpd.MPD) (time.Time, error) {
	if doc.GetType() == mpd.STATIC_TYPE {
		return time.Time{}, nil
	}
	text := string(doc.AvailabilityStartTime)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil { // without a zone it is UTC (§5.3.1.2)
		at, err = time.Parse("2006-01-02T15:04:05", text)
	}
	if err != nil {
		return at, fmt.Errorf("availabilityStartTime %q is no time", text)
	}
	return at, nil
}

// parseManifest outlives the library, should it panic.
func parseManifest(at *url.URL, text []byte) (doc *mpd.MPD, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, malformedManifest(at, fmt.Errorf("%v", r))
		}
	}()
	if doc, err = mpd.MPDFromBytes(text); err != nil {
		return nil, malformedManifest(at, err)
	}
	if len(doc.Periods) == 0 {
		return nil, malformedManifest(at, errors.New("it has no Period"))
	}
	return doc, nil
}

// isManifest tells a DASH manifest by its beginning.
func isManifest(text []byte) bool {
	head := bytes.ToLower(text[:min(len(text), 4096)])
	return bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("<")) && bytes.Contains(head, []byte("<mpd"))
}

// most segments that one look gives; what is left comes with the next.
const most = 64

// take gives the segments that are new. A track is joined like a playlist:
// near the end of the newest Period that has anything.
func (m *manifest) take(spans []span, now time.Time) (news, error) {
	if !m.placed {
		from, ok := joinAt(spans)
		if !ok {
			return news{again: now.Add(often)}, nil
		}
		m.placed, m.end = true, from
	}
	var n news
	for _, s := range spans {
		if s.clip(m.end) < m.end || s.r.end == m.end {
			continue // its Period is over
		}
		for k := s.first(m.end); k < s.count && len(n.segments) < most; k++ {
			at, d := s.at(k), s.length()
			if hole := at - m.end; hole > d/2 {
				n.missed += max(1, hole/d)
			}
			one, err := s.segment(k, m.zero, now)
			if err != nil {
				return news{}, err
			}
			n.segments = append(n.segments, one)
			m.end = s.clip(at + d)
		}
	}
	n.zero, n.again = m.zero, now
	if len(n.segments) == 0 {
		n.again = m.next(spans, now)
	}
	return n, nil
}

// next is when there may be something new.
func (m *manifest) next(spans []span, now time.Time) time.Time {
	at := m.refresh
	if len(spans) > 0 {
		if s := spans[len(spans)-1]; s.counted {
			if due := m.zero.Add(time.Duration(m.end + s.length())); due.After(now) && due.Before(at) {
				at = due
			}
		}
	}
	return at
}

// joinAt is where the last three segments of the newest Period begin.
func joinAt(spans []span) (int64, bool) {
	from, seen := int64(0), int64(0)
	for i := len(spans) - 1; i >= 0 && seen < behind && spans[i].r.period == spans[len(spans)-1].r.period; i-- {
		n := min(spans[i].count, behind-seen)
		from, seen = spans[i].at(spans[i].count-n), seen+n
	}
	return from, seen > 0
}

func malformedManifest(at *url.URL, err error) error {
	return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("source %s is no DASH manifest that can be followed", input.DisplayURL(at)), Err: err,
		Advice: "open the address in a browser and correct it"}
}
