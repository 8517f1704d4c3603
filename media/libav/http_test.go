package libav

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// smallClip makes a clip of four seconds of pictures and sound; name's
// extension says the container.
func smallClip(t *testing.T, name string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	all := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=4",
		"-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "aac"}, args...)
	if out, err := exec.Command(ffmpegTool(t), append(all, file)...).CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v: %s", name, err, out)
	}
	return file
}

// flaky serves a file over connections that break, with a refusal now and then.
type flaky struct {
	file     string
	ranges   bool
	requests atomic.Int64
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := f.requests.Add(1)
	if !f.ranges {
		r.Header.Del("Range")
		w = plain{w}
	} else if n%5 == 4 {
		http.Error(w, "overloaded", http.StatusServiceUnavailable)
		return
	} else {
		w = &breaking{ResponseWriter: w, left: 100_000}
	}
	http.ServeFile(w, r, f.file)
}

// breaking is an answer whose connection breaks after some bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return b.ResponseWriter.Write(p)
}

// plain is an answer of a server that knows nothing of ranges.
type plain struct{ http.ResponseWriter }

func (p plain) WriteHeader(code int) {
	p.Header().Del("Accept-Ranges")
	p.ResponseWriter.WriteHeader(code)
}

// A clip comes out of a server in trouble as it does from disk: where
// connections break and are refused, and where there is no way to read it but
// from its start, although its index is at the end.
func TestClipFromATroubledServer(t *testing.T) {
	file := smallClip(t, "clip.mp4", "-b:v", "800k")
	facts, err := Probe(t.Context(), file, anything)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := play(t, Options{Spec: clipSpec(t, file, facts)})
	for name, ranges := range map[string]bool{"breaking": true, "without ranges": false} {
		t.Run(name, func(t *testing.T) {
			f := &flaky{file: file, ranges: ranges}
			s := httptest.NewServer(f)
			defer s.Close()
			got, st := play(t, Options{Spec: clipSpec(t, s.URL+"/clip.mp4", facts)})
			wantBytes(t, want, got)
			if len(st.Notes) > 0 || ranges && f.requests.Load() < 6 {
				t.Errorf("%d requests; notes %q", f.requests.Load(), st.Notes)
			}
		})
	}
	if st, err := os.Stat(file); err != nil || st.Size() < 300_000 {
		t.Errorf("the clip is too small to break: %v, %v", st, err)
	}
}

// What is wrong with a source is told without the signature in its address.
func TestErrorsKeepSignatures(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(strings.Repeat("no media here. ", 1000)))
	}))
	defer s.Close()
	_, err := Probe(t.Context(), s.URL+"/clip.mp4?sv=2021-12-02&sig=SECRET", anything)
	if err == nil || !strings.Contains(err.Error(), "/clip.mp4?sv=xxxxx&sig=xxxxx") || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("%v", err)
	}
}
