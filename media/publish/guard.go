package publish

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/galafarm/gala/media"
)

// glanceBytes of an object tell who wrote it.
const glanceBytes = 2048

// guardTries bounds how often a write that others come in between is begun anew.
const guardTries = 3

// Replace is Put at an origin that fences; elsewhere it looks first, and says
// with If-Match what it saw where that was offered (RFC 9110 §13.1.1).
func (h *HTTP) Replace(ctx context.Context, path string, body []byte, may func(old []byte) error) error {
	if h.fences.Load() {
		return h.Put(ctx, path, body)
	}
	for try := 1; ; try++ {
		header, err := h.look(ctx, path, may)
		if err != nil {
			return err
		}
		_, err = h.put(ctx, path, content(body), header)
		if !changed(err) || header == nil || try == guardTries {
			return err
		}
	}
}

// look asks may about what is there. The header makes a write depend on that.
func (h *HTTP) look(ctx context.Context, path string, may func(old []byte) error) (http.Header, error) {
	old, err := h.glance(ctx, path)
	switch {
	case errors.Is(err, media.ErrNotFound), Unseen(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := may(old.body); err != nil {
		return nil, err
	}
	if old.tag == "" || strings.HasPrefix(old.tag, "W/") { // a weak one matches nothing
		return nil, nil
	}
	return http.Header{"If-Match": {old.tag}}, nil
}

// glance reads the beginning of an object, from the origin itself.
func (h *HTTP) glance(ctx context.Context, path string) (answer, error) {
	header := http.Header{"Range": {"bytes=0-2047"}, "Cache-Control": {"no-cache"}}
	a, err := h.do(ctx, call{method: http.MethodGet, path: path, header: header, most: glanceBytes})
	var s Status
	if errors.As(err, &s) && s.Code == http.StatusRequestedRangeNotSatisfiable {
		return answer{}, nil // it is empty
	}
	return a, err
}

// changed: somebody wrote since we looked.
func changed(err error) bool {
	var s Status
	return errors.As(err, &s) && (s.Code == http.StatusPreconditionFailed || s.Code == http.StatusConflict)
}

// Unseen: what is there is not for a writer to see, whatever the reason (401, 403,
// 405, …). Nobody can look before writing there. Some answers are of the moment
// instead: who wrote unseen then might write over a newer writer's list.
func Unseen(err error) bool {
	var s Status
	return errors.As(err, &s) && (s.Code/100 == 4 || s.Code == http.StatusNotImplemented) && !slices.Contains(passing, s.Code)
}

// passing are the codes of 4xx that tell nothing of the rights to read.
var passing = []int{http.StatusRequestTimeout, http.StatusConflict, http.StatusPreconditionFailed, http.StatusTooEarly, http.StatusTooManyRequests}

// WriteOnly: an origin that takes PUT and answers no GET. Which code says so is a
// matter of taste (400, 401, 403, 405, 501); others pass, as 429 does.
func WriteOnly(err error) bool {
	var s Status
	return errors.As(err, &s) && slices.Contains([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden,
		http.StatusMethodNotAllowed, http.StatusNotImplemented}, s.Code)
}
