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

// web reads one http(s) object, reopening with a Range request after a seek
// and where a connection ended before the object did.
type web struct {
	ctx      context.Context
	cancel   context.CancelFunc
	client   *http.Client
	url      string
	name     string // url without password and signature, for messages
	etag     string
	modified string // Last-Modified, where there is no tag
	body     io.ReadCloser
	pos      int64
	size     int64
	seekable bool
	grows    bool                      // it is still being written: longer is not changed
	patience time.Duration             // how long a server may send nothing
	sign     func(*http.Request) error // of objects in buckets
	tries    int                       // reconnections since the last byte
	pauses   []time.Duration
}

// patience with a silent server.
const patience = 30 * time.Second

// pauses before each connection that is tried until another byte comes: a
// server that is started again, or overloaded for a while, costs a job nothing.
func pauses() []time.Duration {
	return []time.Duration{0, time.Second / 2, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second}
}

// readOn is how far ahead a seek reads on rather than connect again.
const readOn = 256 << 10

func openHTTP(ctx context.Context, u *url.URL, rules Rules) (*web, error) {
	w := newWeb(ctx, u, display(u), rules)
	quiet, _ := growth(u)
	w.grows = quiet > 0
	if err := w.begin(); err != nil {
		return nil, err
	}
	if w.grows && w.size == 0 {
		_ = w.Close()
		return nil, notBegun(w.name)
	}
	if w.grows && !w.seekable {
		_ = w.Close()
		return nil, refused("source "+w.name+" cannot be followed: its server has no Range support", "use a server with Range support, or submit it when it is whole")
	}
	return w, nil
}

func newWeb(ctx context.Context, u *url.URL, name string, rules Rules) *web {
	ctx, cancel := context.WithCancel(ctx)
	return &web{ctx: ctx, cancel: cancel, client: client(rules), url: u.String(), name: name, size: -1, patience: patience, pauses: pauses()}
}

func (w *web) begin() error {
	if err := w.open(0); err != nil {
		_ = w.Close()
		return err
	}
	return nil
}

func client(rules Rules) *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer, ResponseHeaderTimeout: 15 * time.Second, TLSHandshakeTimeout: 10 * time.Second, DisableCompression: true},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 5 {
				return refused("source redirects more than 5 times", "give the address that the redirects end at")
			}
			if s := req.URL.Scheme; s != "http" && s != "https" {
				return refused(fmt.Sprintf("source redirects to another protocol (%s:)", s), "give an address that the server answers itself")
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
		return refused("source URL: "+withoutURL(err).Error(), "write the URL as https://host/path")
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
	if w.etag != "" && !w.grows {
		req.Header.Set("If-Match", w.etag)
	}
	if w.sign != nil {
		if err := w.sign(req); err != nil {
			return w.failed(err)
		}
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
	if err := w.status(resp, at); err != nil {
		return err
	}
	if w.grows {
		w.body, w.pos = resp.Body, at
		return nil
	}
	tag := strongTag(resp.Header.Get("ETag"))
	if w.etag != "" && tag != "" && tag != w.etag {
		return w.changed()
	}
	modified := resp.Header.Get("Last-Modified")
	if w.etag == "" && w.modified != "" && modified != "" && modified != w.modified {
		return w.changed()
	}
	if w.etag == "" {
		w.etag, w.modified = tag, modified
	}
	w.body, w.pos = resp.Body, at
	return nil
}

// status judges an answer to a request for everything from at on.
func (w *web) status(resp *http.Response, at int64) error {
	switch {
	case resp.StatusCode == http.StatusPartialContent:
		return w.partial(resp.Header.Get("Content-Range"), at)
	case resp.StatusCode == http.StatusOK && at == 0:
		w.size = resp.ContentLength
		return nil
	case resp.StatusCode == http.StatusOK:
		return refused(fmt.Sprintf("source %s stopped answering Range requests", w.name), "the server's Range support is broken: use another server")
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && at == 0 && w.grows:
		return notBegun(w.name)
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && at == 0:
		return refused("source "+w.name+" is empty (0 bytes)", "upload it again, or give another one")
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && w.grows:
		return io.EOF
	case resp.StatusCode == http.StatusPreconditionFailed:
		return w.changed()
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests:
		return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("source %s answered %s", w.name, resp.Status), Advice: "the server is in trouble: try again later", Retryable: true}
	}
	return refused(fmt.Sprintf("source %s answered %s", w.name, resp.Status), "open the URL in a browser and correct it, or its access rights")
}

// partial takes the range that a 206 answer describes; its total may be "*".
func (w *web) partial(contentRange string, at int64) error {
	var first, last int64
	total := w.size
	n, _ := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &total)
	switch {
	case n < 2 || first != at:
		return refused(fmt.Sprintf("source %s answered another range than asked", w.name), "the server's Range support is broken: use another server")
	case n < 3 && w.grows:
		return refused("source "+w.name+" cannot be followed: its server does not say how long it is", "use a server that names the total in Content-Range, or submit it when it is whole")
	case w.size >= 0 && total != w.size && !w.grows, total < w.size:
		return w.changed()
	}
	w.seekable, w.size = true, total
	return nil
}

func (w *web) changed() error {
	return refused(fmt.Sprintf("source %s changed while it was read", w.name), "submit the job again when the upload is complete")
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
	return &media.Error{Code: media.SourceError, Message: "read source " + w.name, Err: withoutURL(err), Retryable: true, Advice: "check that the server runs and that this host can reach it"}
}

// withoutURL is err without the address, which the message has already and
// which may carry a password.
func withoutURL(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return ue.Err
	}
	return err
}

func (w *web) Read(p []byte) (int, error) {
	for {
		if w.size >= 0 && w.pos >= w.size {
			if more, err := w.grown(); !more {
				return 0, err
			}
		}
		n, err := w.readBody(p)
		w.pos += int64(n)
		if n > 0 {
			w.tries = 0
			return n, nil
		}
		if err == nil || err == io.EOF && w.size < 0 { //nolint:errorlint // a bare EOF is the clean end
			return 0, err
		}
		if !w.again(err) {
			return 0, w.failed(err)
		}
	}
}

// grown asks a source that grows for more than there was. The error is io.EOF
// where there is none; a server in trouble does not tell.
func (w *web) grown() (bool, error) {
	if !w.grows {
		return false, io.EOF
	}
	before := w.size
	for {
		w.release()
		err := w.open(w.pos)
		switch {
		case err == nil && w.size > before:
			return true, nil
		case err == nil || err == io.EOF: //nolint:errorlint // a bare EOF is the end so far
			w.tries = 0
			return false, io.EOF
		case !w.again(err):
			return false, w.failed(err)
		}
	}
}

// again lets go of a connection that ended early or was refused, and tells
// whether another one is worth trying, when the time for that has come.
func (w *web) again(err error) bool {
	me, ok := errors.AsType[*media.Error](err)
	if !w.seekable || w.tries >= len(w.pauses) || ok && !me.Retryable {
		return false
	}
	w.release()
	timer := time.NewTimer(w.pauses[w.tries])
	defer timer.Stop()
	w.tries++
	select {
	case <-timer.C:
		return w.ctx.Err() == nil
	case <-w.ctx.Done():
		return false
	}
}

// errSilent: the server sent nothing for as long as patience lasts.
var errSilent = errors.New("the server has gone silent")

func (w *web) readBody(p []byte) (int, error) {
	if w.body == nil {
		if err := w.open(w.pos); err != nil {
			return 0, err
		}
	}
	body := w.body
	silent := time.AfterFunc(w.patience, func() { _ = body.Close() })
	n, err := body.Read(p)
	if !silent.Stop() && n == 0 {
		return 0, errSilent
	}
	if err == io.EOF && w.size >= 0 && w.pos+int64(n) < w.size { //nolint:errorlint // as above
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (w *web) release() {
	if w.body != nil {
		_ = w.body.Close()
		w.body = nil
	}
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
	switch {
	case offset == w.pos:
		return offset, nil
	case offset < 0:
		return 0, errBefore
	case !w.seekable:
		return 0, errors.ErrUnsupported
	case w.body != nil && offset > w.pos && offset-w.pos <= readOn:
		if _, err := io.CopyN(io.Discard, w, offset-w.pos); err == nil {
			return offset, nil
		}
	}
	w.release()
	w.pos = offset
	return offset, nil
}

func (w *web) Size() int64    { return w.size }
func (w *web) Seekable() bool { return w.seekable }

func (w *web) Close() error {
	w.cancel()
	w.release()
	w.client.CloseIdleConnections()
	return nil
}
