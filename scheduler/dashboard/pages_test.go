package dashboard

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func fetch(h http.Handler, method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestPageAndItsFiles(t *testing.T) {
	h := Handler(newFakeSource(View{}), Options{Version: `1.0 <"&>`})
	for path, want := range map[string]struct {
		code int
		kind string
	}{
		"/":                     {200, "text/html; charset=utf-8"},
		"/ui/style.css":         {200, "text/css; charset=utf-8"},
		"/ui/js/main.js":        {200, "text/javascript; charset=utf-8"},
		"/ui/icon.svg":          {200, "image/svg+xml"},
		"/ui/js/missing.js":     {404, "text/plain; charset=utf-8"},
		"/ui/js/":               {404, "text/plain; charset=utf-8"},
		"/ui/":                  {404, "text/plain; charset=utf-8"},
		"/other":                {404, "text/plain; charset=utf-8"},
		"/ui/%2e%2e/handler.go": {404, "text/plain; charset=utf-8"},
	} {
		got := fetch(h, "GET", path)
		if got.StatusCode != want.code || got.Header.Get("Content-Type") != want.kind {
			t.Errorf("%s: %s %q, want %d %q", path, got.Status, got.Header.Get("Content-Type"), want.code, want.kind)
		}
	}
	page := fetch(h, "GET", "/")
	text, _ := io.ReadAll(page.Body)
	if !strings.Contains(string(text), "Gala 1.0 &lt;&#34;&amp;&gt;") {
		t.Error("the page does not show the version")
	}
	for _, part := range []string{"default-src 'self'", "script-src 'self'", "style-src 'self'"} {
		if !strings.Contains(page.Header.Get("Content-Security-Policy"), part) {
			t.Errorf("the policy lacks %s", part)
		}
	}
	if got := fetch(h, "POST", "/"); got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", got.Status)
	}
}

func TestFilesAreRevalidatedAndCompressed(t *testing.T) {
	h := Handler(newFakeSource(View{}), Options{})
	plain := fetch(h, "GET", "/ui/style.css")
	zipped := fetch(h, "GET", "/ui/style.css", "Accept-Encoding", "gzip, br")
	if zipped.Header.Get("Content-Encoding") != "gzip" || zipped.Header.Get("ETag") == plain.Header.Get("ETag") {
		t.Errorf("compressed: %v", zipped.Header)
	}
	if got := fetch(h, "GET", "/ui/style.css", "If-None-Match", plain.Header.Get("ETag")); got.StatusCode != http.StatusNotModified {
		t.Errorf("revalidated: %s", got.Status)
	}
}

func TestBuildWithoutPlayerIsKnown(t *testing.T) {
	without, err := newPages(fstest.MapFS{"index.html": {Data: []byte("x")}}, "")
	if err != nil || without.hasPlayer() {
		t.Errorf("without: %v", err)
	}
	with, err := newPages(fstest.MapFS{"vendor/hls.mjs": {Data: []byte("x")}}, "")
	if err != nil || !with.hasPlayer() {
		t.Errorf("with: %v", err)
	}
}

// Everything the page loads must be its own: a farm may have no way out.
func TestPageNamesNoOtherHost(t *testing.T) {
	address := regexp.MustCompile(`https?://[a-z0-9.-]+`)
	err := fs.WalkDir(web, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(name, "/vendor/") {
			return err
		}
		text, err := fs.ReadFile(web, name)
		for _, found := range address.FindAllString(string(text), -1) {
			if found != "http://www.w3.org" { // the name of SVG, never asked for
				t.Errorf("%s names %s", name, found)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The lock file must say what to install and its hash, not where from: every
// builder has its own registry.
func TestLockFileNamesNoRegistry(t *testing.T) {
	text, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Integrity, Resolved string }
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	for name, p := range lock.Packages {
		if name != "" && (p.Resolved != "" || p.Integrity == "" || p.Version == "") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
