package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/galafarm/gala/media"
)

// epochFile holds the highest epoch that wrote to a tree.
const epochFile = ".gala-epoch"

// Dir is a sink in the file system. An object is written beside its place,
// flushed, then renamed: readers see the old or the new one, and after a power
// cut a name never stands for missing bytes. Directories are not flushed: a
// journal keeps renames in order, so a playlist never survives the segments
// that it lists, and a lost last rename only means one object written again.
type Dir struct {
	root  string
	epoch uint64
	mu    sync.Mutex // orders temporary names and the epoch file
	next  uint64
}

// OpenDir makes the tree at root and claims it for epoch.
func OpenDir(root string, epoch uint64) (*Dir, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	d := &Dir{root: root, epoch: epoch}
	if err := d.fence(); err != nil {
		return nil, err
	}
	if epoch == 0 {
		return d, nil
	}
	return d, d.write(epochFile, []byte(strconv.FormatUint(epoch, 10)+"\n"))
}

// Put stores body whole or not at all.
func (d *Dir) Put(ctx context.Context, path string, body []byte) error {
	if err := d.admit(ctx, path); err != nil {
		return err
	}
	return d.write(path, body)
}

// Get reads an object back.
func (d *Dir) Get(ctx context.Context, path string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), checkPath(path)); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(d.file(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, media.ErrNotFound)
	}
	return b, err
}

// Delete removes an object.
func (d *Dir) Delete(ctx context.Context, path string) error {
	if err := d.admit(ctx, path); err != nil {
		return err
	}
	if err := os.Remove(d.file(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *Dir) admit(ctx context.Context, path string) error {
	if err := errors.Join(ctx.Err(), checkPath(path)); err != nil {
		return err
	}
	return d.fence()
}

// fence errs when a newer writer has claimed the tree. A claim between this
// and the rename is harmless: segments are the same on the grid, and the next
// write is refused.
func (d *Dir) fence() error {
	b, err := os.ReadFile(d.file(epochFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("epoch of the output: %w", err)
	}
	owner, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err == nil && owner > d.epoch {
		return fmt.Errorf("%s: epoch %d, ours is %d: %w", d.root, owner, d.epoch, media.ErrSuperseded)
	}
	return nil
}

func (d *Dir) file(path string) string { return filepath.Join(d.root, filepath.FromSlash(path)) }

func (d *Dir) write(path string, body []byte) error {
	name := d.file(path)
	tmp := d.temporary(name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := writeFlushed(tmp, body); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, name); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}

// temporary is a name that no other writer on this host uses.
func (d *Dir) temporary(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	return filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.%d-%d-%d", filepath.Base(name), os.Getpid(), d.epoch, d.next))
}

func writeFlushed(name string, body []byte) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(body); err != nil {
		return err
	}
	return f.Sync()
}
