package origin

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is an origin behind a real server.
type site struct {
	*httptest.Server
	t      *testing.T
	cfg    Config
	origin *Origin
}

func newSite(t *testing.T, cfg Config) *site {
	t.Helper()
	if cfg.Root == "" {
		cfg.Root = t.TempDir()
	}
	cfg.NoSync = true
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s := &site{t: t, cfg: cfg}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *site) start() {
	s.t.Helper()
	o, err := New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.origin = o
	s.Server = httptest.NewServer(o)
}

func (s *site) stop() {
	if s.Server == nil {
		return
	}
	s.Server.Client().CloseIdleConnections()
	s.Server.Close()
	if err := s.origin.Close(); err != nil {
		s.t.Error(err)
	}
	s.Server = nil
}

func (s *site) restart() {
	s.stop()
	s.start()
}

// answer is what a test looks at.
type answer struct {
	code   int
	header http.Header
	body   string
}

// do sends one request; headers come as name, value, name, value.
func (s *site) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	return s.send(req)
}

func (s *site) send(req *http.Request) answer {
	s.t.Helper()
	// Compression is asked for by the tests themselves.
	if req.Header.Get("Accept-Encoding") == "" {
		req.Header.Set("Accept-Encoding", "identity")
	}
	res, err := s.Client().Transport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func (s *site) put(path, body string, epoch uint64) answer {
	s.t.Helper()
	return s.do(http.MethodPut, path, body, EpochHeader, strconv.FormatUint(epoch, 10))
}

func (s *site) want(a answer, code int) answer {
	s.t.Helper()
	if a.code != code {
		s.t.Fatalf("answered %d %q, want %d", a.code, a.body, code)
	}
	return a
}

// files lists what lies below the root, hidden temporary files included.
func (s *site) files() []string {
	s.t.Helper()
	var names []string
	err := filepath.WalkDir(s.cfg.Root, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(s.cfg.Root, name)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}

// pausedBody hands out its first part and waits for a sign before the rest.
type pausedBody struct {
	first  io.Reader
	going  chan struct{} // closed by the test
	rest   io.Reader
	broken error // instead of a rest
}

func newPausedBody(first, rest string) *pausedBody {
	return &pausedBody{first: bytes.NewBufferString(first), going: make(chan struct{}), rest: bytes.NewBufferString(rest)}
}

func (b *pausedBody) Read(p []byte) (int, error) {
	if n, err := b.first.Read(p); err == nil {
		return n, nil
	}
	<-b.going
	if b.broken != nil {
		return 0, b.broken
	}
	return b.rest.Read(p)
}
