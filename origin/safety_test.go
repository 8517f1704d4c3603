package origin

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const secret = "the content of a file outside"

// hostile are paths that must reach nothing outside their tree, raw or decoded.
var hostile = []string{
	"/origin/../secret", "/origin/a/../../secret", "/origin/a/..", "/origin/./secret", "/origin/a//b",
	"/origin//etc/passwd", "/origin/%2e%2e/secret", "/origin/a/%2e%2e/%2e%2e/secret", "/origin/..%2fsecret", "/origin/a%2f..%2f..%2fsecret",
	"/origin/a/..%5csecret", "/origin/.gala/lock", "/origin/a/.gala/epochs.json", "/origin/a/%2egala/epochs.json", "/origin/a/x%00.m4s",
	"/origin/a/con:", "/origin/a/-rf", "/origin/a/" + strings.Repeat("x", 129), "/origin/" + strings.Repeat("d/", 9) + "x", "/origin/a/\u202e.m4s", "/secret", "",
}

func TestHostilePathsReachNothing(t *testing.T) {
	s := guarded(t)
	for _, path := range hostile {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
			if got := s.serve(method, path); got.Code < 400 || strings.Contains(got.Body.String(), secret) {
				t.Errorf("%s %q: answered %d", method, path, got.Code)
			}
		}
	}
	s.intact()
}

// guarded is an origin whose directory has a secret beside it.
func guarded(t testing.TB) *guard {
	t.Helper()
	g := &guard{t: t, outside: t.TempDir()}
	if err := os.WriteFile(filepath.Join(g.outside, "secret"), []byte(secret), 0o644); err != nil {
		t.Fatal(err)
	}
	o, err := New(Config{Root: filepath.Join(g.outside, "root"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	g.origin = o
	t.Cleanup(func() { o.Close() })
	return g
}

type guard struct {
	t       testing.TB
	outside string
	origin  *Origin
}

// serve hands the handler a path as a server would, without a client or a
// router that cleans it first.
func (g *guard) serve(method, path string) *httptest.ResponseRecorder {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		decoded = path
	}
	r := httptest.NewRequest(method, "http://127.0.0.1/", strings.NewReader("written"))
	r.URL = &url.URL{Path: decoded}
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	g.origin.ServeHTTP(w, r)
	return w
}

// intact: nothing beside the root has changed or come.
func (g *guard) intact() {
	g.t.Helper()
	entries, err := os.ReadDir(g.outside)
	if err != nil {
		g.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(g.outside, "secret"))
	if err != nil || string(text) != secret || len(entries) != 2 {
		g.t.Fatalf("beside the root there are %v, and the secret is %q (%v)", entries, text, err)
	}
	if _, err := os.Stat(filepath.Join(g.outside, "root", hidden, "lock")); err != nil {
		g.t.Fatal(err)
	}
}

func TestLinksOutOfTheRootAreNotFollowed(t *testing.T) {
	g := guarded(t)
	tree := filepath.Join(g.outside, "root", "a")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"up.txt": "../../secret", "abs.txt": filepath.Join(g.outside, "secret"), "list.m3u8": "../../secret", "dir": "../..",
	} {
		if err := os.Symlink(target, filepath.Join(tree, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/origin/a/up.txt", "/origin/a/abs.txt", "/origin/a/list.m3u8", "/origin/a/dir/secret"} {
		if got := g.serve("GET", path); got.Code != http.StatusNotFound {
			t.Errorf("GET %s: answered %d %q", path, got.Code, got.Body)
		}
	}
	// A PUT replaces the link itself, or is refused; what it points to stays.
	for _, path := range []string{"/origin/a/up.txt", "/origin/a/dir/secret", "/origin/a/dir/new"} {
		g.serve("PUT", path)
	}
	g.serve("DELETE", "/origin/a/dir/secret")
	g.intact()
}

func FuzzParseObject(f *testing.F) {
	for _, path := range hostile {
		f.Add(path)
	}
	f.Add("/origin/a/720p/12.m4s")
	f.Add("/origin/a/")
	f.Fuzz(func(t *testing.T, path string) {
		obj, err := parseObject(path)
		if err != nil {
			return
		}
		name := obj.path()
		if obj.job == "" {
			if path != Prefix {
				t.Fatalf("%q names no tree", path)
			}
			return
		}
		if !filepath.IsLocal(name) || !fs.ValidPath(name) || strings.HasPrefix(name, ".") || strings.Contains(name, "/.") {
			t.Fatalf("%q becomes %q", path, name)
		}
		if back := Prefix + name; back != strings.TrimSuffix(path, "/") {
			t.Fatalf("%q becomes %q", path, back)
		}
	})
}

func FuzzServe(f *testing.F) {
	for _, path := range hostile {
		f.Add("GET", path)
		f.Add("PUT", path)
		f.Add("DELETE", path)
	}
	shared := guarded(f)
	f.Fuzz(func(t *testing.T, method, path string) {
		g := &guard{t: t, outside: shared.outside, origin: shared.origin}
		switch method {
		case "GET", "HEAD", "PUT", "DELETE", "OPTIONS":
		default:
			method = "GET"
		}
		got := g.serve(method, path)
		if strings.Contains(got.Body.String(), secret) {
			t.Fatalf("%s %q gives the secret away", method, path)
		}
		if got.Code >= 500 && got.Code != http.StatusInsufficientStorage {
			t.Fatalf("%s %q: answered %d", method, path, got.Code)
		}
		g.intact()
	})
}

func TestWhoMayWrite(t *testing.T) {
	for _, tc := range []struct {
		what, token, remote, host string
		headers                   []string
		code                      int
	}{
		{"a local writer", "", "127.0.0.1:5000", "127.0.0.1:8080", nil, 201},
		{"a local writer by IPv6", "", "[::1]:5000", "[::1]:8080", nil, 201},
		{"a local writer by name", "", "127.0.0.1:5000", "localhost:8080", nil, 201},
		{"a mapped loopback address", "", "[::ffff:127.0.0.1]:5000", "localhost", nil, 201},
		{"a stranger", "", "192.0.2.7:5000", "192.0.2.1:8080", nil, 403},
		{"a stranger through a local proxy", "", "127.0.0.1:5000", "127.0.0.1", []string{"X-Forwarded-For", "192.0.2.7"}, 403},
		{"a web page with a rebound name", "", "127.0.0.1:5000", "evil.example:8080", nil, 403},
		{"no address at all", "", "@", "localhost", nil, 403},
		{"a stranger with the token", "s3", "192.0.2.7:5000", "o.example", []string{"Authorization", "Bearer s3"}, 201},
		{"a stranger with the token in the address", "s3", "192.0.2.7:5000", "o.example", []string{"Authorization", "Basic Z2FsYTpzMw=="}, 201},
		{"a stranger with another token", "s3", "192.0.2.7:5000", "o.example", []string{"Authorization", "Bearer s4"}, 403},
		{"a local writer without the token", "s3", "127.0.0.1:5000", "localhost", nil, 401},
	} {
		o, err := New(Config{Root: t.TempDir(), Token: tc.token, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("PUT", "/origin/a/v/1.m4s", strings.NewReader("x"))
		r.RemoteAddr, r.Host = tc.remote, tc.host
		for i := 0; i+1 < len(tc.headers); i += 2 {
			r.Header.Set(tc.headers[i], tc.headers[i+1])
		}
		w := httptest.NewRecorder()
		o.ServeHTTP(w, r)
		if w.Code != tc.code {
			t.Errorf("%s: answered %d %q, want %d", tc.what, w.Code, w.Body, tc.code)
		}
		o.Close()
	}
}

func TestOneOriginForADirectory(t *testing.T) {
	root := t.TempDir()
	first, err := New(Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Root: root}); err == nil || !strings.Contains(err.Error(), "another origin serves this directory") {
		t.Errorf("a second origin: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := New(Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("no directory was accepted")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Root: file}); err == nil {
		t.Error("a file was accepted as directory")
	}
}

func TestErrorsBecomeAnswers(t *testing.T) {
	for _, tc := range []struct {
		err  error
		code int
		word string
	}{
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, 507, "disk is full"},
		{fmt.Errorf("receive: %w", syscall.EDQUOT), 507, "free space"},
		{fmt.Errorf("x: %w", os.ErrDeadlineExceeded), 408, "too slowly"},
		{fmt.Errorf("x: %w", &staleError{1, 2}), 409, "fenced"},
		{fs.ErrNotExist, 404, "no such object"},
		{errors.New("anything"), 500, "log"},
	} {
		if got := statusOf(tc.err); got.code != tc.code || !strings.Contains(got.text, tc.word) {
			t.Errorf("%v: %d %q", tc.err, got.code, got.text)
		}
	}
}
