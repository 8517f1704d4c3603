package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/cenkalti/backoff/v5"

	"github.com/galafarm/gala/media"
)

// Ingest is a sink at a receiving entity of DASH-IF live media ingest,
// interface 1 (CMAF ingest): each track is sent to a path of its own below the
// publishing point, first its CMAF header, then each segment in a request of
// its own. Whatever goes wrong, the header is sent again before the segment.
// Playlists and manifests are the receiver's to make, and nothing comes back:
// it takes what two sources send of the same track, so nobody is fenced.
type Ingest struct {
	http *HTTP
	// kind is the file name extension of a rendition's track, "" for what is none.
	kind func(rendition string) string

	mu      sync.Mutex
	streams map[string]*stream
}

// stream is one track's way.
type stream struct {
	mu     sync.Mutex // one request after the other
	path   string
	header []byte
	doubt  bool // the header may not be there
}

// NewIngest makes a sink for the publishing point at u.
func NewIngest(u *url.URL, epoch uint64, p Patience, kind func(rendition string) string) *Ingest {
	point := *u
	q := point.Query()
	q.Del(ingestOption)
	point.RawQuery = q.Encode()
	return &Ingest{http: NewHTTP(&point, epoch, p), kind: kind, streams: map[string]*stream{}}
}

// Put sends what belongs to a track and lets go of the rest.
func (i *Ingest) Put(ctx context.Context, name string, body []byte) error {
	if err := checkPath(name); err != nil {
		return err
	}
	s := i.stream(path.Dir(name))
	switch {
	case s == nil || !immutable(name):
		return nil
	case path.Ext(name) == ".mp4":
		return i.begin(ctx, s, body)
	}
	return i.send(ctx, s, body)
}

// stream of a rendition, nil where that is no CMAF track.
func (i *Ingest) stream(rendition string) *stream {
	i.mu.Lock()
	defer i.mu.Unlock()
	if s, ok := i.streams[rendition]; ok {
		return s
	}
	var s *stream
	if kind := i.kind(rendition); kind != "" && rendition != "." {
		// The keyword is deprecated and everywhere: a name from a manifest's template
		// would need one init segment for ever.
		s = &stream{path: fmt.Sprintf("Streams(%s.%s)", rendition, kind)}
	}
	i.streams[rendition] = s
	return s
}

func (i *Ingest) begin(ctx context.Context, s *stream, header []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header, s.doubt = header, true
	return i.tryAll(ctx, s, nil)
}

func (i *Ingest) send(ctx context.Context, s *stream, segment []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return i.tryAll(ctx, s, segment)
}

// tryAll brings the header, where that is in doubt, and then the segment there,
// both again after any failure.
func (i *Ingest) tryAll(ctx context.Context, s *stream, segment []byte) error {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = i.http.patience.First, i.http.patience.Longest
	refused := false
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := i.try(ctx, s, segment)
		if err == nil {
			return struct{}{}, nil
		}
		s.doubt = true
		// A receiver that was started anew, or lacks the header, refuses a segment
		// (412, 400, 404); with the header before it, it must not.
		var permanent *backoff.PermanentError
		if errors.As(err, &permanent) && !refused {
			refused, err = true, permanent.Unwrap()
		}
		return struct{}{}, err
	}, backoff.WithBackOff(b), backoff.WithMaxElapsedTime(i.http.patience.Total))
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return nil
}

func (i *Ingest) try(ctx context.Context, s *stream, segment []byte) error {
	if s.doubt && s.header != nil {
		if err := i.once(ctx, s, s.header); err != nil {
			return err
		}
		s.doubt = false
	}
	if segment == nil {
		return nil
	}
	return i.once(ctx, s, segment)
}

func (i *Ingest) once(ctx context.Context, s *stream, body []byte) error {
	file := content(body)
	_, err := i.http.attempt(ctx, call{method: http.MethodPut, path: s.path, body: &file})
	return err
}

// Get finds nothing.
func (i *Ingest) Get(_ context.Context, name string) ([]byte, error) {
	return nil, fmt.Errorf("%s at an ingest: %w", name, media.ErrNotFound)
}

// Delete is the receiver's business.
func (i *Ingest) Delete(context.Context, string) error { return nil }

// Close drops idle connections.
func (i *Ingest) Close() error { return i.http.Close() }

// ingestOption of an address says which interface is spoken there.
const ingestOption = "ingest"

// IsIngest tells whether an address is a publishing point of CMAF ingest, and
// errs where it asks for something else that is not known.
func IsIngest(u *url.URL) (bool, error) {
	switch what := u.Query().Get(ingestOption); {
	case what == "" && !u.Query().Has(ingestOption):
		return false, nil
	case strings.EqualFold(what, "cmaf"):
		return true, nil
	default:
		return false, fmt.Errorf("ingest=%s is not known: ingest=cmaf sends tracks (DASH-IF live media ingest, interface 1), and without it objects are put (interface 2)", what)
	}
}
