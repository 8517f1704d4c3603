package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// Track is one list of segments as a stream of bytes. It is for one goroutine.
type Track struct {
	ctx    context.Context
	cancel context.CancelFunc
	fetch  *input.Fetcher
	list   list
	keys   keyring
	iso    *retimer // of the init segment, where that is of ISO files

	queue  []segment // to read, oldest first
	again  time.Time // when to look for more, at the earliest
	init   []byte    // the init segment that holds
	inited object    // where it is
	head   []byte    // it, while no segment followed it
	rest   []byte
	began  time.Time // of the first segment read
	zero   time.Time // of time 0
	missed int64
}

// list is what a track follows: a playlist.
type list interface {
	// load gives what is new, and when to look again. io.EOF: it has ended and
	// all of it was given.
	load(ctx context.Context) (news, error)
	// name is for messages.
	name() string
}

// news are segments, in order.
type news struct {
	segments []segment
	missed   int64 // so many before them are there no more
	again    time.Time
	zero     time.Time // when time 0 was, by the source's own clock; zero: it says not
}

// object is what is fetched whole.
type object struct {
	at string // resolved; "" for none
	r  input.Range
}

type segment struct {
	object
	init  object
	gap   bool
	began time.Time // by the source's own clock; zero: it says none
	key   *key      // nil where it is in clear
	place place     // where its times belong
	until time.Time // it may come until then; zero: what is not there is gone
}

func newTrack(ctx context.Context, f *input.Fetcher, l list) *Track {
	t := &Track{fetch: f, list: l}
	t.ctx, t.cancel = context.WithCancel(ctx)
	return t
}

// start looks for the first time.
func (t *Track) start() error {
	err := t.load()
	if errors.Is(err, io.EOF) {
		return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("source %s has ended", t.list.name()), Retryable: true,
			Advice: "give the address of a source that is on air; what has ended is a job for gala vod"}
	}
	return err
}

func (t *Track) load() error {
	n, err := t.list.load(t.ctx)
	if err != nil {
		return typed(err)
	}
	t.queue, t.again, t.missed = append(t.queue, n.segments...), n.again, t.missed+n.missed
	t.zero = n.zero
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

// advance reads the next segment, or looks for more.
func (t *Track) advance() error {
	if len(t.queue) == 0 {
		if err := t.wait(t.again); err != nil {
			return err
		}
		return t.load()
	}
	s := t.queue[0]
	if s.gap {
		t.queue, t.missed = t.queue[1:], t.missed+1
		return nil
	}
	err := t.open(s)
	if errors.Is(err, input.ErrGone) {
		if now := time.Now(); now.Before(s.until) {
			return t.wait(now.Add(soon))
		}
		t.missed++
		err = nil
	}
	t.queue = t.queue[1:]
	return typed(err)
}

// soon is when to ask again for what ought to be there.
const soon = 250 * time.Millisecond

func (t *Track) wait(until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}

// open reads a segment, its init segment before it where that is new.
func (t *Track) open(s segment) error {
	if err := t.header(s); err != nil {
		return err
	}
	body, err := t.get(s.object, s.key)
	if err != nil {
		return err
	}
	if t.iso != nil {
		if body, err = t.iso.move(body, t.iso.ticks(s.place)); err != nil {
			return err
		}
	}
	if t.began.IsZero() {
		t.began = s.began
	}
	t.rest, t.head = append(t.head, body...), nil
	return nil
}

// errChanged ends a connection: a reader of ISO files takes one init segment.
var errChanged = errors.New("it goes on with another init segment")

// header reads the init segment that has to come before s, if any.
func (t *Track) header(s segment) error {
	if s.init.at == "" || s.init == t.inited {
		return nil
	}
	head, err := t.getInit(s)
	if err != nil {
		return err
	}
	before := t.init
	t.init, t.inited = head, s.init
	switch {
	case bytes.Equal(before, head):
		return nil
	case before != nil && isISO(head):
		return errChanged
	case isISO(head):
		t.iso, err = newRetimer(head)
	}
	t.head = bytes.Clone(head)
	return err
}

// getInit reads an init segment. One that stands before its playlist's key is in
// clear, but the playlist's reader does not tell which came first.
func (t *Track) getInit(s segment) ([]byte, error) {
	head, err := t.get(s.init, nil)
	if err != nil || s.key == nil || isISO(head) {
		return head, err
	}
	return t.keys.open(t.ctx, t.fetch, s.key, head)
}

// isISO tells an ISO base media file by its first box.
func isISO(b []byte) bool {
	return len(b) > 8 && (string(b[4:8]) == "ftyp" || string(b[4:8]) == "moov")
}

func (t *Track) get(o object, k *key) ([]byte, error) {
	u, err := url.Parse(o.at)
	if err != nil {
		return nil, noAddress(t.list.name(), o.at)
	}
	body, _, err := t.fetch.Get(t.ctx, u, o.r, segmentBytes)
	if err != nil || k == nil {
		return body, err
	}
	return t.keys.open(t.ctx, t.fetch, k, body)
}

func noAddress(source, name string) error {
	return refusal(fmt.Sprintf("source %s names %q, which is no address", source, input.Display(name)), "give another source")
}

// Began is the date and time of the first segment that was read, by the
// source's own clock; false where it says none.
func (t *Track) Began() (time.Time, bool) { return t.began, !t.began.IsZero() }

// Zero is the date and time of time 0 in the bytes, by the source's own clock;
// false where it says none.
func (t *Track) Zero() (time.Time, bool) { return t.zero, !t.zero.IsZero() }

// Seek, Size and Seekable: a live source is read on.
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
