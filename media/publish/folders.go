package publish

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"
)

// folders remembers which were asked for: a server that speaks WebDAV (RFC 4918
// §9.3.1) makes none by itself.
type folders struct {
	mu    sync.Mutex
	asked map[string]time.Time
}

// askAgain is when a folder is asked for again: somebody may have removed it.
const askAgain = 30 * time.Second

// ask tells whether it is time to.
func (f *folders) ask(dir string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last, ok := f.asked[dir]; ok && time.Since(last) < askAgain {
		return false
	}
	if f.asked == nil {
		f.asked = map[string]time.Time{}
	}
	f.asked[dir] = time.Now()
	return true
}

// wantsFolder: RFC 4918 §9.7.1 has 409 for a PUT below a folder that is not there;
// some answer 404, and nginx 500.
func wantsFolder(err error) bool {
	var s Status
	return errors.As(err, &s) && (s.Code == http.StatusConflict || s.Code == http.StatusNotFound || s.Code == http.StatusInternalServerError)
}

// makeFolder makes the one of an object, and those above it as far as they lack.
// It tells whether the object may find its place now.
func (h *HTTP) makeFolder(ctx context.Context, name string) bool {
	u := h.base.JoinPath(path.Dir(name))
	if h.before != nil || h.fences.Load() || !h.folders.ask(u.Path) {
		return false
	}
	return h.mkcol(ctx, u)
}

func (h *HTTP) mkcol(ctx context.Context, u *url.URL) bool {
	code := h.mkcolOnce(ctx, u)
	if code == http.StatusConflict || code == http.StatusNotFound {
		above := u.JoinPath("..")
		if above.Path == u.Path || path.Clean(above.Path) == "/" || !h.mkcol(ctx, above) {
			return false
		}
		code = h.mkcolOnce(ctx, u)
	}
	// 405: it is there, or the server makes none; the next PUT tells.
	return code/100 == 2 || code == http.StatusMethodNotAllowed
}

// mkcolOnce is the answer's status, 0 without one.
func (h *HTTP) mkcolOnce(ctx context.Context, u *url.URL) int {
	ctx, cancel := context.WithTimeout(ctx, h.patience.Attempt)
	defer cancel()
	folder := *u
	folder.Path = path.Clean(u.Path) + "/"
	req, err := http.NewRequestWithContext(ctx, "MKCOL", folder.String(), nil)
	if err != nil {
		return 0
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	drain(resp.Body)
	return resp.StatusCode
}
