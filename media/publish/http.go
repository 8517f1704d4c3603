package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/galafarm/gala/internal/address"
	"github.com/galafarm/gala/internal/version"
	"github.com/galafarm/gala/media"
)

// EpochHeader carries the writer's epoch on every request, and the owner's on
// a refusal.
const EpochHeader = "Gala-Epoch"

// duplicateHeader is how the farm's origin tells that a segment was there
// already; the value says that the two differ.
const (
	duplicateHeader = "Gala-Duplicate"
	keptFirst       = "kept-first"
)

// maxObject bounds what Get reads back: playlists and segments.
const maxObject = 64 << 20

// Patience is how long an HTTP sink tries.
type Patience struct {
	// Attempt bounds one request, plus a second for every SlowestRate bytes.
	Attempt     time.Duration
	SlowestRate int64
	// First and Longest pause between attempts, give or take a half; Total bounds them all. The
	// caller's context may be stricter.
	First, Longest, Total time.Duration
}

// DefaultPatience suits an origin across a network: a restart of it (some
// seconds) is survived, a black hole is given up after a minute. Pauses stay short
// of what a live segment has: one of five seconds, begun just before an origin was
// well again, has cost segments.
func DefaultPatience() Patience {
	return Patience{Attempt: 5 * time.Second, SlowestRate: 250_000, First: 100 * time.Millisecond, Longest: time.Second, Total: time.Minute}
}

// of is how long one request may take; a segment that is read back has the size
// of one that was written.
func (p Patience) of(method, path string, body *media.Content) time.Duration {
	var size int64
	switch {
	case body != nil:
		size = body.Size
	case method == http.MethodGet && immutable(path):
		size = maxObject
	}
	return p.Attempt + time.Duration(size/max(p.SlowestRate, 1))*time.Second
}

// HTTP is a sink for any origin that takes PUT (DASH-IF live media ingest,
// interface 2), our own among them.
type HTTP struct {
	base     *url.URL
	epoch    uint64
	patience Patience
	client   *http.Client
	// before readies a request for an origin with rules of its own: it signs it,
	// or adds headers. May be nil.
	before func(req *http.Request, body *media.Content) error
	// tag is the header of an answer that tells versions apart; "": ETag.
	tag string
	// fences: the origin answers with epochs, and refuses lower ones by itself.
	fences  atomic.Bool
	folders folders
}

// NewHTTP makes a sink for the tree at base.
func NewHTTP(base *url.URL, epoch uint64, p Patience) *HTTP {
	t := http.DefaultTransport.(*http.Transport).Clone()
	// Every rendition has its lane; each keeps its connection.
	t.MaxIdleConnsPerHost, t.MaxIdleConns = 32, 64
	return &HTTP{base: base, epoch: epoch, patience: p, client: &http.Client{Transport: t}}
}

// Close drops idle connections.
func (h *HTTP) Close() error {
	h.client.CloseIdleConnections()
	return nil
}

// Put stores body, trying again while the origin or the network is in trouble.
func (h *HTTP) Put(ctx context.Context, path string, body []byte) error {
	return h.PutFile(ctx, path, content(body))
}

func content(body []byte) media.Content {
	return media.Content{Size: int64(len(body)), Open: func() io.Reader { return bytes.NewReader(body) }}
}

// PutFile is Put of what is too large for memory.
func (h *HTTP) PutFile(ctx context.Context, path string, file media.Content) error {
	_, err := h.put(ctx, path, file, nil)
	return err
}

func (h *HTTP) put(ctx context.Context, path string, file media.Content, header http.Header) (answer, error) {
	return h.do(ctx, call{method: http.MethodPut, path: path, body: &file, header: header})
}

// Get reads an object back.
func (h *HTTP) Get(ctx context.Context, path string) ([]byte, error) {
	a, err := h.do(ctx, call{method: http.MethodGet, path: path, most: maxObject})
	return a.body, err
}

// Delete removes an object.
func (h *HTTP) Delete(ctx context.Context, path string) error {
	_, err := h.do(ctx, call{method: http.MethodDelete, path: path})
	if errors.Is(err, media.ErrNotFound) {
		return nil
	}
	return err
}

// call is one thing to ask of the origin.
type call struct {
	method, path string
	body         *media.Content // nil: none
	header       http.Header
	most         int64 // of the answer's body
}

// answer is what it said.
type answer struct {
	body []byte
	tag  string // ETag, or what stands for it; "" where there is none
}

func (h *HTTP) do(ctx context.Context, c call) (answer, error) {
	if err := checkPath(c.path); err != nil {
		return answer{}, err
	}
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = h.patience.First, h.patience.Longest
	var last error
	out, err := backoff.Retry(ctx, func() (answer, error) {
		out, err := h.attempt(ctx, c)
		if c.method == http.MethodPut && wantsFolder(err) && h.makeFolder(ctx, c.path) {
			out, err = h.attempt(ctx, c)
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		return out, err
	}, backoff.WithBackOff(b), backoff.WithMaxElapsedTime(h.patience.Total))
	if err == nil {
		return out, nil
	}
	// A cut context hides what was wrong; the last answer says it.
	if last != nil && !errors.Is(err, last) {
		err = fmt.Errorf("%w (last: %v)", err, last)
	}
	return answer{}, fmt.Errorf("%s %s: %w", c.method, address.Public(h.base.JoinPath(c.path).String()), err)
}

// attempt makes one request. Errors that another try cannot mend are permanent.
func (h *HTTP) attempt(ctx context.Context, c call) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, h.patience.of(c.method, c.path, c.body))
	defer cancel()
	req, err := h.request(ctx, c)
	switch {
	case media.MayPass(err):
		return answer{}, err
	case err != nil:
		return answer{}, backoff.Permanent(err)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return answer{}, bare(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get(EpochHeader) != "" {
		h.fences.Store(true)
	}
	if resp.StatusCode/100 == 2 {
		if resp.Header.Get(duplicateHeader) == keptFirst {
			return answer{}, backoff.Permanent(ErrKept)
		}
		out, err := io.ReadAll(io.LimitReader(resp.Body, c.most))
		drain(resp.Body)
		return answer{out, resp.Header.Get(cmp.Or(h.tag, "ETag"))}, err
	}
	drain(resp.Body)
	return answer{}, h.refusal(resp)
}

// drain reads the rest of an answer, which keeps the connection; of a long one it
// is cheaper to make another.
func drain(r io.Reader) { _, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<16)) }

func (h *HTTP) request(ctx context.Context, c call) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, h.base.JoinPath(c.path).String(), nil)
	if err != nil {
		return nil, err
	}
	if body := c.body; body != nil {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(body.Open()), nil }
		req.Body, _ = req.GetBody() // never errs
		if req.ContentLength = body.Size; body.Size == 0 {
			req.Body = http.NoBody
		}
		req.Header.Set("Content-Type", ContentType(c.path))
	}
	req.Header.Set(EpochHeader, strconv.FormatUint(h.epoch, 10))
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set(ingestHeader, ingestVersion)
	maps.Copy(req.Header, c.header)
	if h.before != nil {
		return req, h.before(req, c.body)
	}
	return req, nil
}

// How an ingest source says what it is (DASH-IF live media ingest, "Ingest
// Source Identification").
var userAgent = "Gala/" + version.String()

const (
	ingestHeader  = "Dash-If-Ingest"
	ingestVersion = "1.1"
)

// Status is an answer that is neither success nor a newer writer's claim.
type Status struct{ Code int }

func (s Status) Error() string { return fmt.Sprintf("%d %s", s.Code, http.StatusText(s.Code)) }

// refusal turns an answer into an error: retried when the server or a limit is
// the trouble, permanent when the request is.
func (h *HTTP) refusal(resp *http.Response) error {
	owner, err := strconv.ParseUint(resp.Header.Get(EpochHeader), 10, 64)
	code := resp.StatusCode
	switch {
	case (code == http.StatusConflict || code == http.StatusPreconditionFailed) && err == nil && owner > h.epoch:
		return backoff.Permanent(fmt.Errorf("epoch %d, ours is %d: %w", owner, h.epoch, media.ErrSuperseded))
	case code == http.StatusNotFound || code == http.StatusGone:
		if resp.Request.Method == http.MethodPut {
			return backoff.Permanent(Status{code})
		}
		return backoff.Permanent(media.ErrNotFound)
	case code >= 500 && code != http.StatusNotImplemented, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return Status{code}
	}
	return backoff.Permanent(Status{code})
}

// bare drops net/http's "Put "http://…":" prefix; the caller names the request.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// ContentType is the media type of an object by its name.
func ContentType(name string) string {
	switch strings.TrimSuffix(path.Ext(name), ")") { // Streams(v.cmfv)
	case ".m3u8":
		return "application/vnd.apple.mpegurl"
	case ".mpd":
		return "application/dash+xml"
	case ".cmfa":
		return "audio/mp4"
	case ".mp4", ".m4s", ".cmfv":
		return "video/mp4"
	case ".vtt":
		return "text/vtt; charset=utf-8"
	case ".jpg":
		return "image/jpeg"
	case ".json":
		return "application/json"
	}
	return "application/octet-stream"
}
