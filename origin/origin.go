package origin

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"sync"
)

// Origin serves one directory. It is an http.Handler for paths below Prefix.
type Origin struct {
	cfg       Config
	root      *os.Root
	lock      *os.File
	playlists *playlistCache

	mu    sync.Mutex // guards trees, not what is in them
	trees map[string]*tree
}

const tempDir = hidden + "/tmp"

// New opens the directory, takes its lock and clears what a crash in mid-PUT
// left behind. Close gives the lock back.
func New(cfg Config) (*Origin, error) {
	cfg = cfg.withDefaults()
	if cfg.Root == "" {
		return nil, errors.New("open origin: no directory given")
	}
	if err := os.MkdirAll(filepath.Join(cfg.Root, hidden), 0o755); err != nil {
		return nil, fmt.Errorf("open origin: %w", err)
	}
	root, err := os.OpenRoot(cfg.Root)
	if err != nil {
		return nil, fmt.Errorf("open origin: %w", err)
	}
	o := &Origin{cfg: cfg, root: root, trees: map[string]*tree{}, playlists: newPlaylistCache(cfg.PlaylistMemory)}
	if err := o.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("open origin %s: %w", cfg.Root, err), o.Close())
	}
	return o, nil
}

func (o *Origin) prepare() error {
	lock, err := lockRoot(o.root, path.Join(hidden, "lock"))
	if err != nil {
		return err
	}
	o.lock = lock
	if err := o.root.RemoveAll(tempDir); err != nil {
		return err
	}
	return o.root.Mkdir(tempDir, 0o755)
}

// Close releases the directory. Requests still running fail.
func (o *Origin) Close() error {
	err := o.root.Close()
	if o.lock != nil {
		err = errors.Join(err, o.lock.Close())
	}
	return err
}

// ServeHTTP answers one request; everything below it returns errors, which are
// turned into answers here.
func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := o.cfg.Now()
	rec := &recorder{ResponseWriter: w}
	setCORS(rec.Header())
	obj, err := parseObject(r.URL.Path)
	if err == nil {
		err = o.dispatch(rec, r, obj)
	}
	if err != nil {
		o.fail(rec, r, err)
	}
	if o.cfg.Observe != nil {
		o.cfg.Observe(Request{
			Method: r.Method, Class: observedClass(obj), Status: rec.code(),
			Bytes: max(rec.sent, rec.taken), Duration: o.cfg.Now().Sub(began),
		})
	}
}

func observedClass(obj object) Class {
	if obj.name == "" {
		return ClassListing
	}
	return classOf(obj.name)
}

func (o *Origin) dispatch(w *recorder, r *http.Request, obj object) error {
	switch r.Method {
	case http.MethodOptions:
		return preflight(w)
	case http.MethodGet, http.MethodHead:
		return o.get(w, r, obj)
	case http.MethodPut:
		return o.write(w, r, obj, o.put)
	case http.MethodDelete:
		return o.write(w, r, obj, o.delete)
	}
	w.Header().Set("Allow", "GET, HEAD, PUT, DELETE, OPTIONS")
	return &status{http.StatusMethodNotAllowed, "the origin takes GET, HEAD, PUT and DELETE"}
}

// write lets a request through that comes from a writer the origin trusts.
func (o *Origin) write(w *recorder, r *http.Request, obj object, do func(*recorder, *http.Request, object, uint64) error) error {
	if err := o.mayWrite(r); err != nil {
		return err
	}
	epoch, err := epochOf(r)
	if err != nil {
		return err
	}
	return do(w, r, obj, epoch)
}

// setCORS lets any page read: the media is public to whoever reaches the
// origin, and a player lives on another host.
func setCORS(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Content-Length, Content-Range, Content-Encoding, ETag, Last-Modified, Date, Age")
	h.Set("Timing-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
}

// preflight names no writing method: a web page must not write to an origin
// that its reader's machine can reach.
func preflight(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Range, If-Range, If-None-Match, If-Modified-Since, Cache-Control, CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
