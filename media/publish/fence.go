package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/galafarm/gala/media"
)

// epochFile holds the highest epoch that wrote to a folder.
const epochFile = ".gala-epoch"

// fence errs when a newer writer has claimed the folder, and claims it when
// this writer is the newest. A claim between this and the rename that follows
// is harmless: the next write is refused, and a playlist is read back before a
// successor's first one.
func (d *Dir) fence(folder string) error {
	owner, err := d.owner(folder)
	if err != nil {
		return err
	}
	if owner > d.epoch {
		return fmt.Errorf("%s: epoch %d, ours is %d: %w", d.file(folder), owner, d.epoch, media.ErrSuperseded)
	}
	return d.claim(folder, owner)
}

func (d *Dir) owner(folder string) (uint64, error) {
	b, err := os.ReadFile(d.file(path.Join(folder, epochFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("epoch of the output: %w", err)
	}
	// What cannot be read was cut by a crash before its first epoch counted.
	owner, _ := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return owner, nil
}

func (d *Dir) claim(folder string, owner uint64) error {
	if owner == d.epoch {
		return nil
	}
	return d.write(path.Join(folder, epochFile), []byte(strconv.FormatUint(d.epoch, 10)+"\n"))
}
