package origin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"sync"
)

// tree is the origin's memory of one job's tree. mu is held for a check of an
// epoch together with the rename or unlink that it allows, never while bytes
// travel.
type tree struct {
	mu     sync.Mutex
	loaded bool
	epochs map[string]uint64 // by folder, "" for the manifests
}

const (
	hidden     = ".gala"
	epochsFile = "epochs.json"
)

func epochsPath(job string) string { return path.Join(job, hidden, epochsFile) }

// staleError says that a successor's epoch is already known.
type staleError struct{ given, seen uint64 }

func (e *staleError) Error() string {
	return fmt.Sprintf("epoch %d is fenced: epoch %d writes this folder now; stop writing, the lease has moved on", e.given, e.seen)
}

func epochOf(r *http.Request) (uint64, error) {
	text := r.Header.Get(EpochHeader)
	if text == "" {
		return 0, nil
	}
	epoch, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, &status{http.StatusBadRequest, "the header " + EpochHeader + " is not a whole number: send the lease's epoch, or leave it out"}
	}
	return epoch, nil
}

func (o *Origin) tree(job string) *tree {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.trees[job]
	if t == nil {
		t = &tree{}
		o.trees[job] = t
	}
	return t
}

// claim makes the epoch known, durably when it is new, or refuses it. The
// caller holds t.mu.
func (o *Origin) claim(t *tree, job, folder string, epoch uint64) error {
	if err := o.load(t, job); err != nil {
		return err
	}
	switch seen := t.epochs[folder]; {
	case epoch < seen:
		return &staleError{given: epoch, seen: seen}
	case epoch == seen:
		return nil
	}
	before := t.epochs[folder]
	t.epochs[folder] = epoch
	if err := o.saveEpochs(job, t.epochs); err != nil {
		t.epochs[folder] = before
		return err
	}
	return nil
}

func (o *Origin) load(t *tree, job string) error {
	if t.loaded {
		return nil
	}
	epochs := map[string]uint64{}
	text, err := o.root.ReadFile(epochsPath(job))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("read epochs of %s: %w", job, err)
	default:
		if err := json.Unmarshal(text, &epochs); err != nil {
			return fmt.Errorf("read epochs of %s: %w: the file %s is damaged; delete it when no writer of this job is left",
				job, err, epochsPath(job))
		}
	}
	t.epochs, t.loaded = epochs, true
	return nil
}

// saveEpochs is synced to the disk: forgetting an epoch after a power cut would
// let a fenced writer back in.
func (o *Origin) saveEpochs(job string, epochs map[string]uint64) error {
	text, err := json.Marshal(epochs)
	if err != nil {
		return err
	}
	if err := o.root.MkdirAll(path.Join(job, hidden), 0o755); err != nil {
		return fmt.Errorf("keep epochs of %s: %w", job, err)
	}
	temp := path.Join(job, hidden, epochsFile+".new")
	if err := o.writeSynced(temp, text); err != nil {
		return fmt.Errorf("keep epochs of %s: %w", job, err)
	}
	if err := o.root.Rename(temp, epochsPath(job)); err != nil {
		return fmt.Errorf("keep epochs of %s: %w", job, err)
	}
	return nil
}

func (o *Origin) writeSynced(name string, text []byte) error {
	f, err := o.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, werr := f.Write(text)
	return errors.Join(werr, f.Sync(), f.Close())
}
