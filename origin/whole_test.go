package origin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func replaceFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// raw sends bytes over a connection of its own and closes it or reads an answer.
func (s *site) raw(text string, hangUp bool) string {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		s.t.Fatal(err)
	}
	if hangUp {
		conn.(*net.TCPConn).CloseWrite()
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		s.t.Fatal(err)
	}
	return line
}

func TestBodyThatBreaksOffLeavesNothing(t *testing.T) {
	s := newSite(t, Config{})
	head := "PUT /origin/a/v/1.m4s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	s.raw(head+"Content-Length: 100\r\n\r\nonly this", true)
	s.raw(head+"Transfer-Encoding: chunked\r\n\r\n5\r\nonly \r\n", true)
	s.raw(head+"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", true)
	s.want(s.do("GET", "/origin/a/v/1.m4s", ""), http.StatusNotFound)
	s.stop()
	for _, name := range s.files() {
		if strings.HasPrefix(name, tempDir) || strings.HasSuffix(name, ".m4s") {
			t.Errorf("left behind: %s", name)
		}
	}
}

// A crash leaves a hidden file; it is not served, and the next start removes it.
func TestCrashInMidPutLeavesNothingVisible(t *testing.T) {
	s := newSite(t, Config{})
	body := newPausedBody("half of", "")
	body.broken = errors.New("the writer is gone")
	req, err := http.NewRequest("PUT", s.URL+"/origin/a/v/1.m4s", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(EpochHeader, "1")
	done := make(chan error, 1)
	go func() {
		_, err := s.Client().Transport.RoundTrip(req)
		done <- err
	}()
	s.waitForEpoch("a", "v", 1)
	// The copy of the directory is what a crash at this moment leaves.
	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(s.cfg.Root)); err != nil {
		t.Fatal(err)
	}
	close(body.going)
	if err := <-done; err == nil {
		t.Fatal("the broken write was answered")
	}
	replaceFile(t, filepath.Join(crashed, tempDir, "ABC"), "left by a crash")
	after := newSite(t, Config{Root: crashed})
	after.want(after.do("GET", "/origin/a/v/1.m4s", ""), http.StatusNotFound)
	for _, name := range after.files() {
		if strings.HasPrefix(name, tempDir) {
			t.Errorf("left behind: %s", name)
		}
	}
	after.want(after.put("/origin/a/v/1.m4s", segment, 1), http.StatusCreated)
}

func TestWriterThatStopsSendingIsCutOff(t *testing.T) {
	s := newSite(t, Config{BodyIdle: 50 * time.Millisecond})
	line := s.raw("PUT /origin/a/v/1.m4s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nslow", false)
	if !strings.Contains(line, "408") {
		t.Errorf("answered %q, want 408", line)
	}
}

func TestWriterThatTricklesIsCutOff(t *testing.T) {
	s := newSite(t, Config{BodyTotal: 50 * time.Millisecond})
	line := s.raw("PUT /origin/a/v/1.m4s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nslow", false)
	if !strings.Contains(line, "408") {
		t.Errorf("answered %q, want 408", line)
	}
}

// Many writers of one segment: one is the first, its bytes stay, and every
// reader sees them whole or nothing.
func TestFirstCompleteSegmentWins(t *testing.T) {
	s := newSite(t, Config{})
	const writers = 16
	var created, kept sync.Map
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			body := strings.Repeat(fmt.Sprintf("%02d", n), 50_000)
			got := s.put("/origin/a/v/1.m4s", body, 1)
			switch got.code {
			case http.StatusCreated:
				created.Store(n, body)
			case http.StatusOK:
				kept.Store(n, got.header.Get(DuplicateHeader))
			}
		})
		wg.Go(func() {
			if got := s.do("GET", "/origin/a/v/1.m4s", ""); got.code == http.StatusOK && len(got.body) != 100_000 {
				t.Errorf("a reader saw %d bytes", len(got.body))
			}
		})
	}
	wg.Wait()
	if n := count(&created); n != 1 || count(&kept) != writers-1 {
		t.Fatalf("%d writers were first and %d came later", n, count(&kept))
	}
	created.Range(func(_, body any) bool {
		if s.do("GET", "/origin/a/v/1.m4s", "").body != body {
			t.Error("what is served is not what came first")
		}
		return true
	})
}

func count(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

// A playlist that is rewritten is always one version, with that version's tag.
func TestPlaylistIsNeverMixed(t *testing.T) {
	s := newSite(t, Config{})
	version := func(n int) string { return "#EXTM3U\n" + strings.Repeat(fmt.Sprintf("#V%04d\n", n), 500) }
	s.want(s.put("/origin/a/v/media.m3u8", version(0), 1), http.StatusCreated)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 25 {
				s.put("/origin/a/v/media.m3u8", version(w*100+n), 1)
			}
		})
		wg.Go(func() {
			for range 50 {
				got := s.do("GET", "/origin/a/v/media.m3u8", "")
				lines := strings.Split(strings.TrimSpace(got.body), "\n")
				if len(lines) != 501 || lines[1] != lines[500] || got.header.Get("ETag") != contentTag([]byte(got.body)) {
					t.Errorf("a reader saw %d lines from %q to %q", len(lines), lines[1], lines[len(lines)-1])
				}
			}
		})
	}
	wg.Wait()
}

// Of many writers that replace what they read, each success was seen by the next.
func TestIfMatchLosesNoUpdate(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/n.m3u8", "0", 1), http.StatusCreated)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for done := 0; done < 10; {
				got := s.do("GET", "/origin/a/n.m3u8", "")
				next := got.body + "+"
				if s.do("PUT", "/origin/a/n.m3u8", next, EpochHeader, "1", "If-Match", got.header.Get("ETag")).code == http.StatusNoContent {
					done++
				}
			}
		})
	}
	wg.Wait()
	if got := s.do("GET", "/origin/a/n.m3u8", "").body; got != "0"+strings.Repeat("+", 40) {
		t.Errorf("40 updates left %q", got)
	}
}
