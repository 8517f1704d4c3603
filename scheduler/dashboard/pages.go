package dashboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// pages serves the embedded files. They have no times of their own, so a hash
// of their content is what browsers revalidate with.
type pages struct {
	files   fs.FS
	version string
}

// policy keeps the page to this host. Media may come from anywhere, because a
// job's destination may be another origin.
const policy = "default-src 'self'; connect-src *; media-src 'self' blob:; worker-src 'self' blob:; " +
	"img-src 'self' data:; style-src 'self'; script-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"

func (p *pages) index(w http.ResponseWriter, r *http.Request) {
	text, err := fs.ReadFile(p.files, "index.html")
	if err != nil {
		http.Error(w, "the page is missing from this build", http.StatusInternalServerError)
		return
	}
	text = bytes.ReplaceAll(text, []byte("{{version}}"), []byte(html.EscapeString(p.version)))
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	serve(w, r, "index.html", text)
}

func (p *pages) asset(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, PathAssets)
	text, err := fs.ReadFile(p.files, path.Clean(name))
	if err != nil || name == "index.html" {
		w.Header().Set("Cache-Control", "no-store")
		http.NotFound(w, r)
		return
	}
	serve(w, r, name, text)
}

var mimeTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".json": "application/json",
}

func serve(w http.ResponseWriter, r *http.Request, name string, text []byte) {
	sum := sha256.Sum256(text)
	h := w.Header()
	if t, ok := mimeTypes[path.Ext(name)]; ok {
		h.Set("Content-Type", t)
	}
	h.Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
}
