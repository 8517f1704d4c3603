package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/galafarm/gala/media"
)

// ReadFile reads a small file whole, within the rules.
func ReadFile(path string, rules Rules, most int64) ([]byte, error) {
	if err := rules.Check(path); err != nil {
		return nil, err
	}
	f, err := openFile(path, rules, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > most {
		return nil, refused(fmt.Sprintf("source file %s is larger than %d bytes", path, most), "give the file that is meant")
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, notOpened(path, err)
	}
	return b, nil
}

// Post sends a document and is what the server answers, of at most most bytes.
func (f *Fetcher) Post(ctx context.Context, u *url.URL, head http.Header, body []byte, most int64) ([]byte, error) {
	if err := f.rules.Check(u.String()); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, refused("source URL: "+withoutURL(err).Error(), "write the URL as https://host/path")
	}
	req.Header = head
	resp, err := f.client.Do(req)
	if err != nil {
		if me, ok := errors.AsType[*media.Error](err); ok {
			return nil, me
		}
		return nil, unreachable(u, withoutURL(err))
	}
	defer resp.Body.Close()
	if s := resp.StatusCode; s >= http.StatusBadRequest && s < http.StatusInternalServerError && s != http.StatusTooManyRequests {
		return nil, refused(fmt.Sprintf("source %s answered %s", display(u), resp.Status), "correct the address, or the access rights of this host there")
	}
	answer, err := read(resp, u, Range{}, most)
	if errors.Is(err, ErrGone) {
		return nil, refused(err.Error(), "correct the address")
	}
	return answer, err
}
