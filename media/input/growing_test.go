package input

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// grow reads a source whose second half is written when the first was read.
func grow(t *testing.T, source string, body []byte, more func()) {
	t.Helper()
	r, err := Open(t.Context(), source, Rules{Patterns: Local})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if r.Size() != -1 || r.Seekable() {
		t.Errorf("%s: size %d, seekable %v; want neither", source, r.Size(), r.Seekable())
	}
	half := make([]byte, len(body)/2)
	if _, err := io.ReadFull(r, half); err != nil {
		t.Fatal(err)
	}
	more()
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(half, rest...), body) {
		t.Errorf("%s: %d bytes after %d, %v; want %d in all", source, len(rest), len(half), err, len(body))
	}
}

func TestGrowingFile(t *testing.T) {
	body := serve(t, 4*headSize).body
	name := filepath.Join(t.TempDir(), "clip #1.ts")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(b []byte) {
		if _, err := f.Write(b); err != nil {
			t.Error(err)
		}
	}
	late := time.AfterFunc(20*time.Millisecond, func() { write(body[:2*headSize]) }) // empty until then
	defer late.Stop()
	grow(t, "file://"+filepath.Dir(name)+"/clip%20%231.ts#growing=500ms", body, func() { write(body[2*headSize:]) })
}

func TestGrowingOnTheWeb(t *testing.T) {
	s := serve(t, 4*headSize)
	body := s.body
	s.body = body[:2*headSize]
	grow(t, s.URL+"/clip.ts#growing=500ms", body, func() {
		s.set(func(s *served) { s.body, s.etag, s.troubled, s.status = body, `"2"`, 2, 503 })
	})
	s.noRange = true
	_, err := Open(t.Context(), s.URL+"/clip.ts#growing", Rules{Patterns: Local})
	wantRefused(t, err, "no Range support", "when it is whole")
}

func TestGrowth(t *testing.T) {
	for source, want := range map[string]time.Duration{
		"file:///a.ts#growing": quietDefault, "https://h/a.ts?x=1#growing=5s": 5 * time.Second, "https://h/a.ts#t=10": 0, "/a#growing": 0, "s3://b/k#growing": 0,
	} {
		u, err := Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := growth(u); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", source, got, err, want)
		}
	}
	for _, source := range []string{"file:///a.ts#growing=0s", "http://h/a.ts#growing=1h", "file:///a.ts#growing=soon"} {
		_, err := Parse(source)
		wantRefused(t, err, "#growing=30s", "at most 45s")
	}
}

// A wait for more ends with the job.
func TestGrowingIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g := &growing{Reader: ended{}, ctx: ctx, quiet: time.Hour}
	cancel()
	if _, err := g.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// ended is a reader at its end.
type ended struct{ Reader }

func (ended) Read([]byte) (int, error) { return 0, io.EOF }
