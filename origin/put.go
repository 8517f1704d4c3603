package origin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
)

// put stores one object. The epoch is checked before the body, so that a fenced
// writer hears it early and a successor fences from its first header on, and
// again at the moment the object becomes visible.
func (o *Origin) put(w *recorder, r *http.Request, obj object, epoch uint64) error {
	if err := o.checkPut(r, obj); err != nil {
		return err
	}
	if err := o.admit(obj, epoch); err != nil {
		o.drain(w, r)
		return err
	}
	body, err := o.receive(w, r, obj)
	if err != nil {
		return err
	}
	defer body.discard()
	w.taken = body.size
	// Writers need not look before they write where an older one is refused.
	w.Header().Set(EpochHeader, strconv.FormatUint(epoch, 10))
	result, err := o.commit(r, obj, epoch, body)
	if err != nil {
		return err
	}
	return o.answerPut(w, obj, body, result)
}

func (o *Origin) checkPut(r *http.Request, obj object) error {
	switch {
	case obj.job == "" || obj.name == "":
		return &status{http.StatusBadRequest, "PUT needs a job and an object: " + Prefix + "JOB/…/NAME"}
	case r.ContentLength > o.cfg.MaxObject:
		return &http.MaxBytesError{Limit: o.cfg.MaxObject}
	case r.Header.Get("Content-Range") != "":
		return &status{http.StatusBadRequest, "an object is put whole: send it without Content-Range"}
	case r.Header.Get("Content-Encoding") != "":
		return &status{http.StatusUnsupportedMediaType, "objects are stored as they are served: send it without Content-Encoding; the origin compresses playlists itself"}
	}
	return nil
}

func (o *Origin) admit(obj object, epoch uint64) error {
	t := o.tree(obj.job)
	t.mu.Lock()
	defer t.mu.Unlock()
	return o.claim(t, obj.job, obj.folder, epoch)
}

// outcome of a commit.
type outcome int

const (
	created outcome = iota
	replaced
	duplicate // of a segment: the first one stays
)

// commit makes a received body visible, or finds that it must not be.
func (o *Origin) commit(r *http.Request, obj object, epoch uint64, body *upload) (outcome, error) {
	t := o.tree(obj.job)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := o.claim(t, obj.job, obj.folder, epoch); err != nil {
		return 0, err
	}
	existing, err := o.root.Lstat(obj.path())
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("put %s: %w", obj.path(), err)
	}
	if exists && existing.IsDir() {
		return 0, &status{http.StatusConflict, "a folder of this name exists; choose another path"}
	}
	if err := o.checkPreconditions(r, obj, exists); err != nil {
		return 0, err
	}
	switch {
	case exists && classOf(obj.name) == ClassSegment:
		return duplicate, nil
	case exists:
		return replaced, o.publish(obj, body)
	}
	return created, o.publish(obj, body)
}

func (o *Origin) publish(obj object, body *upload) error {
	if err := o.root.MkdirAll(obj.dir(), 0o755); err != nil {
		return fmt.Errorf("put %s: %w", obj.path(), err)
	}
	if err := o.root.Rename(body.temp, obj.path()); err != nil {
		return fmt.Errorf("put %s: %w", obj.path(), err)
	}
	body.kept = true
	o.playlists.forget(obj.path())
	return nil
}

func (o *Origin) answerPut(w *recorder, obj object, body *upload, result outcome) error {
	h := w.Header()
	h.Set("ETag", body.tag(obj))
	switch result {
	case created:
		w.WriteHeader(http.StatusCreated)
	case replaced:
		w.WriteHeader(http.StatusNoContent)
	case duplicate:
		verdict, err := o.verdict(obj, body)
		if err != nil {
			return err
		}
		h.Del("ETag")
		h.Set(DuplicateHeader, verdict)
		w.WriteHeader(http.StatusOK)
	}
	return nil
}

// verdict says whether a segment that came twice was the same. It reads without
// the lock: what is there does not change.
func (o *Origin) verdict(obj object, body *upload) (string, error) {
	same, err := o.sameBytes(obj.path(), body)
	if err != nil {
		return "", fmt.Errorf("compare %s: %w", obj.path(), err)
	}
	if same {
		return Identical, nil
	}
	o.cfg.Log.Warn("segment came twice with different bytes, the first one stays", "job", obj.job, "path", obj.path())
	return KeptFirst, nil
}

func (o *Origin) sameBytes(name string, body *upload) (bool, error) {
	a, err := o.root.Open(name)
	if err != nil {
		return false, err
	}
	defer a.Close()
	if info, err := a.Stat(); err != nil || info.Size() != body.size {
		return false, err
	}
	b, err := o.root.Open(body.temp)
	if err != nil {
		return false, err
	}
	defer b.Close()
	return equalReaders(a, b)
}

func equalReaders(a, b io.Reader) (bool, error) {
	const block = 64 << 10
	bufA, bufB := make([]byte, block), make([]byte, block)
	for {
		n, errA := io.ReadFull(a, bufA)
		m, errB := io.ReadFull(b, bufB)
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			return false, nil
		}
		if errA != nil || errB != nil {
			return true, realError(errA, errB)
		}
	}
}

func realError(errs ...error) error {
	for _, err := range errs {
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
	}
	return nil
}
