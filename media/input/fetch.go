package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/galafarm/gala/media"
)

// Fetcher gets small objects whole - playlists and segments - within the rules,
// redirects and resolved addresses included.
type Fetcher struct {
	client *http.Client
	rules  Rules
}

// NewFetcher holds connections open between objects.
func NewFetcher(rules Rules) *Fetcher { return &Fetcher{client: client(rules), rules: rules} }

// Range of an object, whole where Length is 0.
type Range struct{ Offset, Length int64 }

// ErrGone: the server has no such object, or has it no more.
var ErrGone = errors.New("not there")

// Get is the object at u, of at most most bytes, and where it was found.
func (f *Fetcher) Get(ctx context.Context, u *url.URL, r Range, most int64) ([]byte, *url.URL, error) {
	if err := f.rules.Check(u.String()); err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, refused("source URL: "+withoutURL(err).Error(), "write the URL as https://host/path")
	}
	if r.Length > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1))
	}
	resp, err := f.client.Do(req)
	if err != nil {
		if me, ok := errors.AsType[*media.Error](err); ok {
			return nil, nil, me
		}
		return nil, nil, unreachable(u, withoutURL(err))
	}
	defer resp.Body.Close()
	body, err := read(resp, u, r, most)
	return body, resp.Request.URL, err
}

func read(resp *http.Response, u *url.URL, r Range, most int64) ([]byte, error) {
	want := http.StatusOK
	if r.Length > 0 {
		want = http.StatusPartialContent
	}
	switch {
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		return nil, fmt.Errorf("%s: %w", display(u), ErrGone)
	case resp.StatusCode != want:
		return nil, unreachable(u, fmt.Errorf("the server answered %s", resp.Status))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, unreachable(u, err)
	}
	if int64(len(body)) > most {
		return nil, refused(fmt.Sprintf("source %s is larger than %d bytes", display(u), most), "give the address of a live playlist")
	}
	return body, nil
}

func unreachable(u *url.URL, err error) error {
	return &media.Error{Code: media.SourceError, Message: "read source " + display(u), Err: err, Retryable: true, Advice: "check that the server runs and that this host can reach it"}
}

// Close lets go of idle connections.
func (f *Fetcher) Close() { f.client.CloseIdleConnections() }
