package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// Track is one media playlist as a stream of bytes.
type Track struct {
	ctx    context.Context
	cancel context.CancelFunc
	fetch  *input.Fetcher
	at     *url.URL

	next   uint64 // media sequence number of the next segment
	placed bool
	queue  []*m3u8.MediaSegment // to read, oldest first
	target time.Duration
	loaded time.Time
	init   string // the init segment that was given
	rest   []byte
	began  time.Time // PROGRAM-DATE-TIME of the first segment read
	missed int64
}

func newTrack(ctx context.Context, f *input.Fetcher, at *url.URL) *Track {
	t := &Track{fetch: f, at: at}
	t.ctx, t.cancel = context.WithCancel(ctx)
	return t
}

// behind is how many segments before the end a live playlist is joined (RFC
// 8216bis §6.3.3): nearer ones may not be there yet.
const behind = 3

// start reads the playlist for the first time.
func (t *Track) start() error {
	list, err := t.load()
	if err != nil {
		return err
	}
	if list.Closed {
		return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("source %s has ended", t.at.Redacted()), Retryable: true,
			Advice: "give the address of a playlist that is on air; what has ended is a job for gala vod"}
	}
	return nil
}

// load reads the playlist and queues what is new in it.
func (t *Track) load() (*m3u8.MediaPlaylist, error) {
	text, at, err := t.fetch.Get(t.ctx, t.at, input.Range{}, playlistBytes)
	if err != nil {
		return nil, typed(err)
	}
	parsed, err := parse(at, text)
	if err != nil {
		return nil, err
	}
	list, ok := parsed.(*m3u8.MediaPlaylist)
	if !ok {
		return nil, malformed(at, errors.New("a media playlist was expected"))
	}
	t.at, t.loaded = at, time.Now()
	t.target = time.Duration(max(1, list.TargetDuration)) * time.Second
	return list, t.take(list)
}

// stale is how far back a cache may answer with an older copy.
const stale = 8

// take queues the segments that are new.
func (t *Track) take(list *m3u8.MediaPlaylist) error {
	all := list.GetAllSegments()
	if !t.placed && len(all) > 0 {
		t.placed = true
		t.next = list.SeqNo + uint64(max(0, len(all)-behind))
	}
	end := list.SeqNo + uint64(len(all))
	if end+stale < t.next { // the numbers began anew
		t.next = list.SeqNo
	}
	if list.SeqNo > t.next {
		t.missed += int64(list.SeqNo - t.next)
		t.next = list.SeqNo
	}
	carried := list.Map
	for i, s := range all {
		if s.Map != nil {
			carried = s.Map
		}
		if s.Map == nil {
			s.Map = carried
		}
		if len(s.Keys) > 0 && s.Keys[0].Method != "NONE" {
			return refusal(fmt.Sprintf("source %s is encrypted", t.at.Redacted()), "give a source without encryption")
		}
		if list.SeqNo+uint64(i) >= t.next {
			t.queue = append(t.queue, s)
			t.next = list.SeqNo + uint64(i) + 1
		}
	}
	if list.Closed && len(t.queue) == 0 {
		return io.EOF
	}
	return nil
}

// Read gives the segments' bytes, and waits for new ones.
func (t *Track) Read(p []byte) (int, error) {
	for len(t.rest) == 0 {
		if err := t.advance(); err != nil {
			return 0, err
		}
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// advance reads the next segment, or the playlist again.
func (t *Track) advance() error {
	if len(t.queue) == 0 {
		if err := t.wait(); err != nil {
			return err
		}
		_, err := t.load()
		return err
	}
	s := t.queue[0]
	t.queue = t.queue[1:]
	if s.Gap {
		t.missed++
		return nil
	}
	err := t.open(s)
	if errors.Is(err, input.ErrGone) {
		t.missed++
		return nil
	}
	return typed(err)
}

// wait is half a target duration, at most, from the last look (RFC 8216bis
// §6.3.4): the playlist had nothing new then.
func (t *Track) wait() error {
	timer := time.NewTimer(time.Until(t.loaded.Add(t.target / 2)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}

// open reads a segment, its init segment before it where that is new.
func (t *Track) open(s *m3u8.MediaSegment) error {
	var head []byte
	if s.Map != nil && s.Map.URI != "" && s.Map.URI != t.init {
		var err error
		if head, err = t.get(s.Map.URI, input.Range{Offset: s.Map.Offset, Length: s.Map.Limit}); err != nil {
			return err
		}
		t.init = s.Map.URI
	}
	body, err := t.get(s.URI, input.Range{Offset: s.Offset, Length: s.Limit})
	if err != nil {
		return err
	}
	if t.began.IsZero() {
		t.began = s.ProgramDateTime
	}
	t.rest = append(head, body...)
	return nil
}

func (t *Track) get(name string, r input.Range) ([]byte, error) {
	u, err := t.at.Parse(name)
	if err != nil {
		return nil, refusal(fmt.Sprintf("source %s names %q, which is no address", t.at.Redacted(), name), "give another source")
	}
	body, _, err := t.fetch.Get(t.ctx, u, r, segmentBytes)
	return body, err
}

// Began is the date and time of the first segment that was read, by the
// source's own clock; false where it says none.
func (t *Track) Began() (time.Time, bool) { return t.began, !t.began.IsZero() }

// Seek, Size and Seekable: a live playlist is read on.
func (t *Track) Seek(int64, int) (int64, error) {
	return 0, fmt.Errorf("seek: %w", errors.ErrUnsupported)
}

// Size is not known.
func (t *Track) Size() int64 { return -1 }

// Seekable is false.
func (t *Track) Seekable() bool { return false }

// Close ends what is under way.
func (t *Track) Close() error {
	t.cancel()
	t.fetch.Close()
	return nil
}

// typed makes a *media.Error of what is none.
func typed(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if _, ok := errors.AsType[*media.Error](err); ok {
		return err
	}
	return &media.Error{Code: media.SourceError, Message: "follow the playlist", Err: err, Retryable: true, Advice: "check that the source is on air"}
}
