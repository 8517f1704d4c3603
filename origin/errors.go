package origin

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"syscall"
)

// fail answers with the status and sentence that an error stands for. Errors of
// no known kind are the origin's own and the only ones that are logged.
func (o *Origin) fail(w *recorder, r *http.Request, err error) {
	if w.wrote {
		o.cfg.Log.Warn("answer broke off", "path", r.URL.Path, "error", err)
		return
	}
	s := statusOf(err)
	if s.code == http.StatusInternalServerError || s.code == http.StatusInsufficientStorage {
		o.cfg.Log.Error("origin request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	h := w.Header()
	if stale, ok := errors.AsType[*staleError](err); ok {
		h.Set(EpochHeader, strconv.FormatUint(stale.seen, 10))
	}
	h.Del("Content-Encoding")
	h.Del("ETag")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", cacheNever)
	w.WriteHeader(s.code)
	if r.Method != http.MethodHead {
		io.WriteString(w, s.text+"\n")
	}
}

func statusOf(err error) *status {
	var tooBig *http.MaxBytesError
	if s, ok := errors.AsType[*status](err); ok {
		return s
	}
	if _, ok := errors.AsType[*staleError](err); ok {
		return &status{http.StatusConflict, err.Error()}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNotFound
	case errors.As(err, &tooBig):
		return &status{http.StatusRequestEntityTooLarge, "the object is larger than this origin takes (" + strconv.FormatInt(tooBig.Limit, 10) + " bytes)"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &status{http.StatusRequestTimeout, "the body came too slowly; nothing was stored, send it again"}
	case errors.Is(err, errBodyShort):
		return &status{http.StatusBadRequest, "the body ended before its length; nothing was stored, send it again"}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &status{http.StatusInsufficientStorage, "the origin's disk is full: free space below its directory, or shorten the window of the live jobs; nothing was stored"}
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return &status{http.StatusConflict, "a folder and an object cannot share a name; choose another path"}
	}
	return &status{http.StatusInternalServerError, "the origin could not do it; its log says why"}
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	wrote  bool
	status int
	sent   int64
	taken  int64
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(code int) {
	if code >= 200 {
		r.wrote, r.status = true, code
	}
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(p []byte) (int, error) {
	if !r.wrote {
		r.WriteHeader(http.StatusOK)
	}
	n, err := r.ResponseWriter.Write(p)
	r.sent += int64(n)
	return n, err
}

// ReadFrom keeps the kernel's copy from file to socket within reach.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	if !r.wrote {
		r.WriteHeader(http.StatusOK)
	}
	n, err := io.Copy(r.ResponseWriter, src)
	r.sent += n
	return n, err
}

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
