package origin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
)

// put stores one object. The epoch is checked before the body, so that a fenced
// writer hears it early and a successor fences from its first header on, and
// again at the moment the object becomes visible.
func (o *Origin) put(w *recorder, r *http.Request, obj object, epoch uint64) error {
	if obj.job == "" || obj.name == "" {
		return &status{http.StatusBadRequest, "PUT needs a job and an object: " + Prefix + "JOB/…/NAME"}
	}
	if err := o.admit(obj, epoch); err != nil {
		return err
	}
	body, err := o.receive(w, r)
	if err != nil {
		return err
	}
	defer body.discard()
	w.taken = body.size
	return o.commit(w, r, obj, epoch, body)
}

func (o *Origin) admit(obj object, epoch uint64) error {
	t := o.tree(obj.job)
	t.mu.Lock()
	defer t.mu.Unlock()
	return o.claim(t, obj.job, obj.folder, epoch)
}

// commit makes a received body visible, or finds that it must not be.
func (o *Origin) commit(w *recorder, r *http.Request, obj object, epoch uint64, body *upload) error {
	t := o.tree(obj.job)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := o.claim(t, obj.job, obj.folder, epoch); err != nil {
		return err
	}
	existing, err := o.root.Lstat(obj.path())
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put %s: %w", obj.path(), err)
	}
	if err := o.checkPreconditions(r, obj, exists); err != nil {
		return err
	}
	if exists && existing.IsDir() {
		return &status{http.StatusConflict, "a folder of this name exists; choose another path"}
	}
	if exists && classOf(obj.name) == ClassSegment {
		return o.keepFirst(w, obj, body)
	}
	return o.publish(w, obj, body, exists)
}

func (o *Origin) publish(w *recorder, obj object, body *upload, replaced bool) error {
	if err := o.root.MkdirAll(obj.dir(), 0o755); err != nil {
		return fmt.Errorf("put %s: %w", obj.path(), err)
	}
	if err := o.root.Rename(body.temp, obj.path()); err != nil {
		return fmt.Errorf("put %s: %w", obj.path(), err)
	}
	body.kept = true
	if info, err := o.root.Stat(obj.path()); err == nil {
		o.playlists.forget(obj.path())
		if tag, err := o.etag(obj, info); err == nil {
			w.Header().Set("ETag", tag)
		}
	}
	if replaced {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// keepFirst answers a second PUT of a segment: whoever came first stays, and
// the header says whether the two were the same.
func (o *Origin) keepFirst(w *recorder, obj object, body *upload) error {
	same, err := o.sameBytes(obj.path(), body)
	if err != nil {
		return fmt.Errorf("compare %s: %w", obj.path(), err)
	}
	verdict := KeptFirst
	if same {
		verdict = Identical
	} else {
		o.cfg.Log.Warn("segment came twice with different bytes, the first one stays", "job", obj.job, "path", obj.path())
	}
	w.Header().Set(DuplicateHeader, verdict)
	w.Header().Set("Content-Length", strconv.Itoa(0))
	w.WriteHeader(http.StatusOK)
	return nil
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

// delete removes an object, or with a trailing slash after the job its whole
// tree, epochs included: that is how a job's name becomes free again.
func (o *Origin) delete(w *recorder, _ *http.Request, obj object, epoch uint64) error {
	switch {
	case obj.name != "":
		return o.deleteObject(w, obj, epoch)
	case obj.job != "" && obj.folder == "":
		return o.deleteTree(w, obj.job, epoch)
	}
	return &status{http.StatusBadRequest, "DELETE needs an object, or a whole tree as " + Prefix + "JOB/"}
}

func (o *Origin) deleteObject(w *recorder, obj object, epoch uint64) error {
	t := o.tree(obj.job)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := o.claim(t, obj.job, obj.folder, epoch); err != nil {
		return err
	}
	info, err := o.root.Lstat(obj.path())
	if err != nil {
		return fmt.Errorf("delete %s: %w", obj.path(), err)
	}
	if info.IsDir() {
		return &status{http.StatusConflict, "this is a folder: delete its objects, or the whole tree as " + Prefix + "JOB/"}
	}
	if err := o.root.Remove(obj.path()); err != nil {
		return fmt.Errorf("delete %s: %w", obj.path(), err)
	}
	o.playlists.forget(obj.path())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// deleteTree without an epoch is an operator's word and always done; with one
// it must not be older than any that the tree has seen.
func (o *Origin) deleteTree(w *recorder, job string, epoch uint64) error {
	t := o.tree(job)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := o.load(t, job); err != nil {
		return err
	}
	for _, seen := range t.epochs {
		if epoch != 0 && epoch < seen {
			return &staleError{given: epoch, seen: seen}
		}
	}
	grave := path.Join(tempDir, "deleted-"+job+"-"+token())
	if err := o.root.Rename(job, grave); err != nil {
		return fmt.Errorf("delete tree %s: %w", job, err)
	}
	t.epochs = map[string]uint64{}
	o.playlists.forgetTree(job)
	if err := o.root.RemoveAll(grave); err != nil {
		return fmt.Errorf("delete tree %s: %w", job, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
