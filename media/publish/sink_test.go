package publish_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/publish"
	"github.com/galafarm/gala/origin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// impatient keeps tests short: little waiting between attempts. One attempt may
// take long: test machines are busy.
func impatient() publish.Patience {
	return publish.Patience{Attempt: 20 * time.Second, SlowestRate: 1 << 20, First: time.Millisecond, Longest: 5 * time.Millisecond, Total: time.Minute}
}

func httpSink(t testing.TB, base string, epoch uint64) *publish.HTTP {
	t.Helper()
	return sinkWith(t, base, epoch, impatient())
}

func sinkWith(t testing.TB, base string, epoch uint64, p publish.Patience) *publish.HTTP {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	s := publish.NewHTTP(u, epoch, p)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// farm starts the farm's own origin.
func farm(t testing.TB) string {
	t.Helper()
	o, err := origin.New(origin.Config{Root: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(o)
	t.Cleanup(func() {
		srv.Close()
		_ = o.Close()
	})
	return srv.URL + "/origin/job"
}

// TestSinks runs one suite over every sink. open makes a writer with an epoch
// to the same tree each time.
func TestSinks(t *testing.T) {
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		suite(t, func(epoch uint64) media.Sink {
			s, err := publish.Open("file://"+dir, epoch)
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	})
	t.Run("origin", func(t *testing.T) {
		base := farm(t)
		suite(t, func(epoch uint64) media.Sink { return httpSink(t, base, epoch) })
	})
}

func suite(t *testing.T, open func(epoch uint64) media.Sink) {
	for name, test := range map[string]func(*testing.T, string, func(uint64) media.Sink){
		"put-get":        putGet,
		"replace":        replace,
		"missing":        missing,
		"delete":         deleteTwice,
		"first-wins":     firstWins,
		"paths":          paths,
		"fence":          fence,
		"fence-folder":   fenceFolder,
		"concurrent":     concurrent,
		"cut-by-context": cut,
	} {
		// Every test has a folder of its own in the tree, thus its own epochs.
		t.Run(name, func(t *testing.T) { test(t, name, open) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func putGet(t *testing.T, dir string, open func(uint64) media.Sink) {
	s := open(1)
	for _, body := range [][]byte{[]byte("#EXTM3U\n"), {}, bytes.Repeat([]byte{7}, 1<<20)} {
		must(t, s.Put(t.Context(), dir+"/media.m3u8", body))
		got, err := s.Get(t.Context(), dir+"/media.m3u8")
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back as %d, %v", len(body), len(got), err)
		}
	}
}

func replace(t *testing.T, dir string, open func(uint64) media.Sink) {
	s := open(1)
	must(t, s.Put(t.Context(), dir+"/media.m3u8", []byte("long long long")))
	must(t, s.Put(t.Context(), dir+"/media.m3u8", []byte("short")))
	if got, _ := s.Get(t.Context(), dir+"/media.m3u8"); string(got) != "short" {
		t.Errorf("%q", got)
	}
}

func missing(t *testing.T, dir string, open func(uint64) media.Sink) {
	if _, err := open(1).Get(t.Context(), dir+"/none.m3u8"); !errors.Is(err, media.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}

func deleteTwice(t *testing.T, dir string, open func(uint64) media.Sink) {
	s := open(1)
	must(t, s.Put(t.Context(), dir+"/1.m4s", []byte("a")))
	must(t, s.Delete(t.Context(), dir+"/1.m4s"))
	must(t, s.Delete(t.Context(), dir+"/1.m4s"))
	if _, err := s.Get(t.Context(), dir+"/1.m4s"); !errors.Is(err, media.ErrNotFound) {
		t.Errorf("%v after delete", err)
	}
}

// DESIGN §4: segments are immutable, the first complete one wins.
func firstWins(t *testing.T, dir string, open func(uint64) media.Sink) {
	s := open(1)
	must(t, s.Put(t.Context(), dir+"/1.m4s", []byte("first")))
	must(t, s.Put(t.Context(), dir+"/1.m4s", []byte("first")))
	if err := s.Put(t.Context(), dir+"/1.m4s", []byte("second")); !errors.Is(err, publish.ErrKept) {
		t.Errorf("%v, want ErrKept", err)
	}
	if got, _ := s.Get(t.Context(), dir+"/1.m4s"); string(got) != "first" {
		t.Errorf("%q", got)
	}
}

func paths(t *testing.T, _ string, open func(uint64) media.Sink) {
	s := open(1)
	for _, p := range []string{"", ".", "..", "../x.m4s", "/x.m4s", "a/../../x.m4s", "a//b", "a/"} {
		if err := s.Put(t.Context(), p, []byte("x")); !errors.Is(err, publish.ErrPath) {
			t.Errorf("put %q: %v, want ErrPath", p, err)
		}
		if _, err := s.Get(t.Context(), p); !errors.Is(err, publish.ErrPath) {
			t.Errorf("get %q: %v, want ErrPath", p, err)
		}
	}
}

func fence(t *testing.T, dir string, open func(uint64) media.Sink) {
	old, young := open(4), open(5)
	must(t, old.Put(t.Context(), dir+"/media.m3u8", []byte("4")))
	must(t, young.Put(t.Context(), dir+"/media.m3u8", []byte("5")))
	for name, err := range map[string]error{
		"put":    old.Put(t.Context(), dir+"/media.m3u8", []byte("4 again")),
		"delete": old.Delete(t.Context(), dir+"/media.m3u8"),
	} {
		if !errors.Is(err, media.ErrSuperseded) {
			t.Errorf("%s by epoch 4 after 5: %v, want ErrSuperseded", name, err)
		}
	}
	must(t, young.Put(t.Context(), dir+"/media.m3u8", []byte("5 goes on")))
	if got, err := old.Get(t.Context(), dir+"/media.m3u8"); err != nil || string(got) != "5 goes on" {
		t.Errorf("%q, %v: reading is open to everyone", got, err)
	}
}

// A job may be split: a younger lease on one rendition says nothing of others.
func fenceFolder(t *testing.T, dir string, open func(uint64) media.Sink) {
	must(t, open(9).Put(t.Context(), dir+"-b/media.m3u8", nil))
	must(t, open(1).Put(t.Context(), dir+"-a/media.m3u8", nil))
}

func concurrent(t *testing.T, dir string, open func(uint64) media.Sink) {
	s := open(1)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			body := bytes.Repeat([]byte{byte('a' + i)}, 100_000)
			for range 5 {
				if err := s.Put(t.Context(), dir+"/media.m3u8", body); err != nil {
					t.Error(err)
				}
				got, err := s.Get(t.Context(), dir+"/media.m3u8")
				if err != nil || len(got) != 100_000 || bytes.Count(got, got[:1]) != 100_000 {
					t.Errorf("torn: %d bytes, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, good := range []string{dir + "/new", "file://" + dir + "/x", "file://localhost" + dir, "http://127.0.0.1:1/origin/j", "https://example.com/in"} {
		if _, err := publish.Open(good, 1); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "relative/dir", "ftp://host/x", "http:///x", "file://elsewhere/x", "wasb://bucket/x", "%zz"} {
		if _, err := publish.Open(bad, 1); !errors.Is(err, publish.ErrDestination) {
			t.Errorf("%q: %v, want ErrDestination", bad, err)
		}
	}
}

// What a crash left half written is never seen under its name.
func TestDirectoryLeavesNoTemporaries(t *testing.T) {
	dir := t.TempDir()
	s, err := publish.OpenDir(dir, 1)
	must(t, err)
	must(t, s.Put(t.Context(), "v/1.m4s", []byte("x")))
	must(t, os.Mkdir(filepath.Join(dir, "v", "2.m4s"), 0o755))
	if err := s.Put(t.Context(), "v/2.m4s", []byte("x")); err == nil {
		t.Error("a directory was overwritten")
	}
	entries, err := os.ReadDir(filepath.Join(dir, "v"))
	must(t, err)
	for _, e := range entries {
		if n := e.Name(); n != ".gala-epoch" && n != "1.m4s" && n != "2.m4s" {
			t.Errorf("%s is left over", n)
		}
	}
}

// What keeps a directory from being made is told as a sink's error, and tried
// again only where time can help.
func TestDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dest := range []string{filepath.Join(file, "job"), "/proc/job", "file://" + file + "/job", "ftp://host/job"} {
		_, err := publish.Open(dest, 1)
		var told *media.Error
		if !errors.As(err, &told) || told.Code != media.SinkError || told.Retryable || told.Advice == "" {
			t.Errorf("%s: %#v, want a sink_error for good, with advice", dest, err)
		}
	}
}
