package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// pages serves the embedded files. They have no times of their own, so a hash
// of their content is what browsers revalidate with.
type pages struct {
	files map[string]*file
}

// file is one embedded file, compressed when it is first asked for so.
type file struct {
	raw      []byte
	tag      string
	compress sync.Once
	gz       []byte
}

// newPages reads every file once; version goes into the page itself.
func newPages(from fs.FS, version string) (*pages, error) {
	p := &pages{files: map[string]*file{}}
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(from, name)
		if name == "index.html" {
			raw = bytes.ReplaceAll(raw, []byte("{{version}}"), []byte(html.EscapeString(version)))
		}
		sum := sha256.Sum256(raw)
		p.files[name] = &file{raw: raw, tag: hex.EncodeToString(sum[:8])}
		return err
	})
	return p, err
}

// hasPlayer: was hls.js there when the binary was built?
func (p *pages) hasPlayer() bool { return p.files["vendor/hls.mjs"] != nil }

func (f *file) gzipped() []byte {
	f.compress.Do(func() {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(f.raw)
		if z.Close() == nil {
			f.gz = b.Bytes()
		}
	})
	return f.gz
}

// policy keeps the page to this host. Media may come from anywhere, because a
// job's destination may be another origin.
// Text tracks that hls.js fills itself begin as an empty data: address.
const policy = "default-src 'self'; connect-src *; media-src 'self' blob: data:; worker-src 'self' blob:; " +
	"img-src 'self' data:; style-src 'self'; script-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"

func (p *pages) index(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	p.serve(w, r, "index.html")
}

func (p *pages) asset(w http.ResponseWriter, r *http.Request) {
	p.serve(w, r, strings.TrimPrefix(r.URL.Path, PathAssets))
}

var mimeTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".json": "application/json",
}

func (p *pages) serve(w http.ResponseWriter, r *http.Request, name string) {
	f := p.files[name]
	h := w.Header()
	if f == nil {
		h.Set("Cache-Control", "no-store")
		http.NotFound(w, r)
		return
	}
	content, tag := f.raw, f.tag
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && r.Header.Get("Range") == "" {
		h.Set("Content-Encoding", "gzip")
		content, tag = f.gzipped(), f.tag+"-gz"
	}
	if t, ok := mimeTypes[path.Ext(name)]; ok {
		h.Set("Content-Type", t)
	}
	h.Set("ETag", `"`+tag+`"`)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}
