package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/galafarm/gala/media"
)

// web reads one http(s) object, reopening with a Range request after a seek.
type web struct {
	ctx      context.Context
	cancel   context.CancelFunc
	client   *http.Client
	url      string
	etag     string
	body     io.ReadCloser
	pos      int64
	size     int64
	seekable bool
}

func openHTTP(ctx context.Context, u *url.URL, rules Rules) (Reader, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &web{ctx: ctx, cancel: cancel, client: client(rules), url: u.String(), size: -1}
	if err := w.open(0); err != nil {
		cancel()
		return nil, err
	}
	return w, nil
}

func client(rules Rules) *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer, ResponseHeaderTimeout: 15 * time.Second, TLSHandshakeTimeout: 10 * time.Second, DisableCompression: true},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 5 {
				return errors.New("more than 5 redirects")
			}
			return rules.Check(req.URL.String())
		},
	}
}

// dialer checks the address that a name resolved to, at the moment of the
// connection: a second look-up could answer differently.
func dialer(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, resolved string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return err
		}
		return checkAddr(host, ap.Addr())
	}}
	return d.DialContext(ctx, network, address)
}

func (w *web) open(at int64) error {
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return refused("source URL: "+err.Error(), "write the URL as https://host/path")
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
	if w.etag != "" {
		req.Header.Set("If-Match", w.etag)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return w.failed(err)
	}
	if err := w.take(resp, at); err != nil {
		_ = resp.Body.Close()
		return err
	}
	return nil
}

func (w *web) take(resp *http.Response, at int64) error {
	switch {
	case resp.StatusCode == http.StatusPartialContent:
		w.seekable = true
		var first, last int64
		if n, _ := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &w.size); n < 2 || first != at {
			return refused(fmt.Sprintf("source %s answered another range than asked", w.url), "the server's Range support is broken: use another server")
		}
	case resp.StatusCode == http.StatusOK && at == 0:
		w.size = resp.ContentLength
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests:
		return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("source %s answered %s", w.url, resp.Status), Advice: "the server is in trouble: try again later", Retryable: true}
	default:
		return refused(fmt.Sprintf("source %s answered %s", w.url, resp.Status), "open the URL in a browser and correct it, or its access rights")
	}
	if w.etag == "" {
		w.etag = strongTag(resp.Header.Get("ETag"))
	}
	w.body, w.pos = resp.Body, at
	return nil
}

func strongTag(etag string) string {
	if len(etag) > 2 && etag[0] == '"' {
		return etag
	}
	return ""
}

func (w *web) failed(err error) error {
	if me, ok := errors.AsType[*media.Error](err); ok {
		return me
	}
	return &media.Error{Code: media.SourceError, Message: "read source " + w.url, Err: err, Retryable: true, Advice: "check that the server runs and that this host can reach it"}
}

func (w *web) Read(p []byte) (int, error) {
	if w.body == nil {
		if err := w.open(w.pos); err != nil {
			return 0, err
		}
	}
	n, err := w.body.Read(p)
	w.pos += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, w.failed(err)
	}
	return n, err
}

func (w *web) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += w.pos
	case io.SeekEnd:
		if w.size < 0 {
			return 0, errors.ErrUnsupported
		}
		offset += w.size
	}
	if offset == w.pos {
		return offset, nil
	}
	if !w.seekable {
		return 0, errors.ErrUnsupported
	}
	if w.body != nil {
		_ = w.body.Close()
	}
	w.body, w.pos = nil, offset
	return offset, nil
}

func (w *web) Size() int64    { return w.size }
func (w *web) Seekable() bool { return w.seekable }

func (w *web) Close() error {
	w.cancel()
	if w.body != nil {
		return w.body.Close()
	}
	return nil
}
