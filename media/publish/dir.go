package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/galafarm/gala/media"
)

// Dir is a sink in the file system. An object is written beside its place,
// flushed, then renamed: readers see the old or the new one, and after a power
// cut a name never stands for missing bytes. Directories are not flushed: a
// journal keeps renames in order, so a playlist never survives the segments
// that it lists, and a lost last rename only means one object written again.
//
// Like the farm's origin it keeps the first of two segments of one name, and
// an epoch for each folder, because a job may be split over several
// assignments, each with its own.
type Dir struct {
	root  string
	epoch uint64
	mu    sync.Mutex
	next  uint64 // for temporary names
}

// OpenDir makes the tree at root for the writer with this epoch.
func OpenDir(root string, epoch uint64) (*Dir, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, notMade(root, err)
	}
	return &Dir{root: root, epoch: epoch}, nil
}

// notMade says why there is no tree at root. A path or a right that is wrong
// stays so; a disk may get room.
func notMade(root string, err error) error {
	wrong := []error{syscall.ENOTDIR, syscall.EROFS, syscall.ENAMETOOLONG, fs.ErrPermission, fs.ErrNotExist}
	return &media.Error{
		Code: media.SinkError, Message: "output directory " + root, Err: err,
		Advice:    "give a directory that the agent's user can make and write to, on the agent's host",
		Retryable: !slices.ContainsFunc(wrong, func(w error) bool { return errors.Is(err, w) }),
	}
}

// Put stores body whole or not at all.
func (d *Dir) Put(ctx context.Context, name string, body []byte) error {
	if err := d.admit(ctx, name); err != nil {
		return err
	}
	if immutable(name) {
		if old, err := os.ReadFile(d.file(name)); err == nil {
			return sameOrKept(name, old, body)
		}
	}
	return d.write(name, body)
}

// PutFile stores what is too large for memory.
func (d *Dir) PutFile(ctx context.Context, name string, file media.Content) error {
	if err := d.admit(ctx, name); err != nil {
		return err
	}
	return d.copy(name, file.Open())
}

func sameOrKept(name string, old, body []byte) error {
	if bytes.Equal(old, body) {
		return nil
	}
	return fmt.Errorf("%s: %w", name, ErrKept)
}

// Get reads an object back.
func (d *Dir) Get(ctx context.Context, name string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), checkPath(name)); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, media.ErrNotFound)
	}
	return b, err
}

// Delete removes an object.
func (d *Dir) Delete(ctx context.Context, name string) error {
	if err := d.admit(ctx, name); err != nil {
		return err
	}
	if err := os.Remove(d.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *Dir) admit(ctx context.Context, name string) error {
	if err := errors.Join(ctx.Err(), checkPath(name)); err != nil {
		return err
	}
	return d.fence(path.Dir(name))
}

func (d *Dir) file(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

func (d *Dir) write(name string, body []byte) error { return d.copy(name, bytes.NewReader(body)) }

func (d *Dir) copy(name string, body io.Reader) error {
	file := d.file(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	tmp := d.temporary(file)
	if err := writeFlushed(tmp, body); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, file); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}

// temporary is a name that no other writer on this host uses.
func (d *Dir) temporary(file string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	return filepath.Join(filepath.Dir(file), fmt.Sprintf(".%s.%d-%d-%d", filepath.Base(file), os.Getpid(), d.epoch, d.next))
}

func writeFlushed(name string, body io.Reader) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, body); err != nil {
		return err
	}
	return f.Sync()
}
