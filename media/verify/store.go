package verify

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// errNotThere: the tree has no such object.
var errNotThere = errors.New("not there")

// largest object that is read; a segment of 100 Mbit/s and 10 s is half of it.
const largest = 256 << 20

// object is one file of a tree; header is nil on a disk.
type object struct {
	body   []byte
	header http.Header
}

// store reads the objects of one tree by their path in it.
type store interface {
	get(ctx context.Context, path string) (object, error)
	// open reads what may be too large to get; size is -1 when it is not told.
	open(ctx context.Context, path string) (body io.ReadCloser, size int64, err error)
	String() string
}

// openStore finds the tree and the name of its master playlist.
func openStore(ctx context.Context, target string) (store, string, error) {
	if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") {
		return openWeb(target)
	}
	return openDir(ctx, target)
}

const masterName = "master.m3u8"

type dirStore struct{ root string }

func (d dirStore) String() string { return d.root }

func (d dirStore) get(ctx context.Context, name string) (object, error) {
	if err := ctx.Err(); err != nil {
		return object{}, err
	}
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return object{}, err
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return object{}, fmt.Errorf("%s: %w", name, errNotThere)
	}
	if err != nil {
		return object{}, err
	}
	defer f.Close()
	body, err := readAll(f)
	return object{body: body}, err
}

func (d dirStore) open(_ context.Context, name string) (io.ReadCloser, int64, error) {
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("%s: %w", name, errNotThere)
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func readAll(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, largest+1))
	if err == nil && len(body) > largest {
		err = fmt.Errorf("larger than %d bytes", largest)
	}
	return body, err
}

// openDir takes the tree, its master playlist, or a directory with one tree.
func openDir(_ context.Context, dir string) (store, string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrCannotLook, err)
	}
	if !info.IsDir() {
		return dirStore{filepath.Dir(dir)}, filepath.Base(dir), nil
	}
	if exists(filepath.Join(dir, masterName)) {
		return dirStore{dir}, masterName, nil
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*", masterName)) // errs on a bad pattern only
	if len(found) != 1 {
		return nil, "", fmt.Errorf("%w: %s holds no %s and %d trees; name one", ErrCannotLook, dir, masterName, len(found))
	}
	return dirStore{filepath.Dir(found[0])}, masterName, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

type webStore struct {
	base      *url.URL
	client    *http.Client
	redirects *atomic.Int64
}

func openWeb(target string) (store, string, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrCannotLook, err)
	}
	master := masterName
	if strings.HasSuffix(u.Path, ".m3u8") {
		master = path.Base(u.Path)
		u.Path = path.Dir(u.Path)
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/"
	// Compression is asked for and undone by hand: rule 10.1 is about it.
	w := webStore{base: u, redirects: new(atomic.Int64)}
	w.client = &http.Client{Timeout: time.Minute, CheckRedirect: w.redirect,
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4}}
	return w, master, nil
}

// redirect follows a few, and counts them for Apple's rule 8.18.
func (w webStore) redirect(_ *http.Request, via []*http.Request) error {
	w.redirects.Add(1)
	if len(via) > 5 {
		return errors.New("redirected too often")
	}
	return nil
}

func (w webStore) String() string { return w.base.String() }

func (w webStore) get(ctx context.Context, name string) (object, error) {
	res, err := w.ask(ctx, name, "gzip")
	if err != nil {
		return object{}, err
	}
	defer res.Body.Close()
	body, err := decoded(res)
	return object{body, res.Header}, err
}

func (w webStore) open(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	res, err := w.ask(ctx, name, "identity")
	if err != nil {
		return nil, 0, err
	}
	return res.Body, res.ContentLength, nil
}

// ask is answered with 200, or with an error.
func (w webStore) ask(ctx context.Context, name, encoding string) (*http.Response, error) {
	u := w.base.JoinPath(name)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", encoding)
	res, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	switch {
	case res.StatusCode == http.StatusOK:
		return res, nil
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusGone:
		err = errNotThere
	default:
		err = errors.New("not served")
	}
	_ = res.Body.Close() // the answer is known
	return nil, fmt.Errorf("%s: %s: %w", name, res.Status, err)
}

func decoded(res *http.Response) ([]byte, error) {
	raw, err := readAll(res.Body)
	if err != nil || res.Header.Get("Content-Encoding") != "gzip" {
		return raw, err
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return readAll(z)
}
