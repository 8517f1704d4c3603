// Package publish puts finished objects where viewers fetch them: sinks for a
// directory, for any HTTP origin that takes PUT, for buckets and for receivers of
// CMAF ingest, and lanes that keep a slow taker from stalling an encoder.
//
// Invariants: an object appears whole or not at all; every write carries the
// writer's epoch, and a sink that knows of a higher one refuses it for good;
// a lane keeps order, and what it has to drop it reports.
//
// It must not know media: objects are paths and bytes.
package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"

	"github.com/galafarm/gala/internal/address"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/blob"
)

// ErrDestination: there is no sink for this URL.
var ErrDestination = errors.New("want a directory, a file:// URL, http(s)://host/path of an origin that takes PUT, s3://bucket/folder, gs://bucket/folder or azblob://container/folder")

// ErrPath: an object's path would leave its tree.
var ErrPath = errors.New("object path must be relative and stay inside the tree")

// Opener makes sinks for one writer.
type Opener struct {
	Epoch uint64
	// Signer knows the credentials for buckets; nil: there are none.
	Signer Signer
	// Kind is the file name extension of a rendition's CMAF track: cmfv, cmfa, or
	// "" for what is none. Nil: all are cmfv.
	Kind func(rendition string) string
}

// Open makes the sink of a job's tree for the writer with this epoch, at a
// directory or an origin.
func Open(dest string, epoch uint64) (media.Sink, error) {
	return Opener{Epoch: epoch}.Open(context.Background(), dest)
}

// Open makes the sink of a job's tree. A higher epoch that already owns the tree
// is ErrSuperseded.
func (o Opener) Open(ctx context.Context, dest string) (media.Sink, error) {
	if filepath.IsAbs(dest) {
		return OpenDir(dest, o.Epoch)
	}
	u, err := url.Parse(dest)
	if err != nil {
		return nil, noSink(dest)
	}
	switch {
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && filepath.IsAbs(u.Path):
		return OpenDir(u.Path, o.Epoch)
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return o.openHTTP(u)
	case u.Scheme == "s3":
		return OpenBucket(ctx, u, DefaultPatience(), o.Signer)
	case blob.Is(u.Scheme):
		return OpenBlob(u, DefaultPatience(), o.Signer)
	}
	return nil, noSink(address.Public(u.String()))
}

func (o Opener) openHTTP(u *url.URL) (media.Sink, error) {
	tracks, err := IsIngest(u)
	switch {
	case err != nil:
		return nil, &media.Error{Code: media.SinkError, Message: "destination " + address.Public(u.String()), Err: err, Advice: "submit the job with another destination"}
	case !tracks:
		return NewHTTP(u, o.Epoch, DefaultPatience()), nil
	}
	kind := o.Kind
	if kind == nil {
		kind = func(string) string { return "cmfv" }
	}
	return NewIngest(u, o.Epoch, DefaultPatience(), kind), nil
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
