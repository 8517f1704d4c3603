// Package publish puts finished objects where viewers fetch them: sinks for a
// directory and for any HTTP origin that takes PUT, and lanes that keep a slow
// taker from stalling an encoder.
//
// Invariants: an object appears whole or not at all; every write carries the
// writer's epoch, and a sink that knows of a higher one refuses it for good;
// a lane keeps order, and what it has to drop it reports.
//
// It must not know media: objects are paths and bytes.
package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"

	"github.com/galafarm/gala/media"
)

// ErrDestination: there is no sink for this URL.
var ErrDestination = errors.New("want a directory, a file:// URL, or http(s)://host/path of an origin that takes PUT")

// ErrPath: an object's path would leave its tree.
var ErrPath = errors.New("object path must be relative and stay inside the tree")

// Open makes the sink of a job's tree for the writer with this epoch. A higher
// epoch that already owns the tree is ErrSuperseded.
func Open(dest string, epoch uint64) (media.Sink, error) {
	if filepath.IsAbs(dest) {
		return OpenDir(dest, epoch)
	}
	u, err := url.Parse(dest)
	if err != nil {
		return nil, noSink(dest)
	}
	switch {
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && filepath.IsAbs(u.Path):
		return OpenDir(u.Path, epoch)
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return NewHTTP(u, epoch, DefaultPatience()), nil
	}
	return nil, noSink(u.Redacted())
}

func noSink(dest string) error {
	return &media.Error{Code: media.SinkError, Message: fmt.Sprintf("destination %q", dest), Err: ErrDestination,
		Advice: "submit the job with another destination"}
}

// ErrKept: another copy of a segment was there first, differs, and stays. Read
// it back, or delete it first.
var ErrKept = errors.New("a different segment of this name was there first and stays")

// immutable tells objects that are written once: media and init segments. The
// first complete one wins.
func immutable(name string) bool {
	switch path.Ext(name) {
	case ".m4s", ".mp4":
		return true
	}
	return false
}

func checkPath(p string) error {
	if !fs.ValidPath(p) || p == "." {
		return fmt.Errorf("%q: %w", p, ErrPath)
	}
	return nil
}
