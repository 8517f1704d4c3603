package origin

import (
	"fmt"
	"net/http"
	"path"
)

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
