package e2e

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// The playlists of the media set name these two; see its manifest.
const (
	canaryFile = "/tmp/ssrf_canary.ts"
	canaryHTTP = "127.0.0.1:18099"
)

// refusals are the playlists and what a refusal has to say of each.
var refusals = map[string]string{
	"ssrf/ssrf_canary_file.m3u8":   "a local file (/tmp/ssrf_canary.ts)",
	"ssrf/ssrf_canary_http.m3u8":   "an internal address (127.0.0.1:18099)",
	"ssrf/ssrf_concat.ffconcat":    "a local file (/etc/passwd)",
	"ssrf/ssrf_dotdot.m3u8":        "a path outside its folder (../",
	"ssrf/ssrf_file_abs.m3u8":      "a local file (/etc/passwd)",
	"ssrf/ssrf_http_loopback.m3u8": "an internal address (127.0.0.1:9)",
	"ssrf/ssrf_key_file.m3u8":      "a local file (/etc/hostname)",
	"ssrf/ssrf_m3u8_named.mp4":     "a local file (/etc/passwd)",
	"hls_cea608/manifest.m3u8":     "is an HLS playlist, and playlists are not opened as sources",
	"hls_cea608/sd-hls.m3u8":       "is an HLS playlist, and playlists are not opened as sources",
}

// canaries are what must not be touched, and who touched them.
type canaries struct {
	mu      sync.Mutex
	touched []string
	inotify int
}

func (c *canaries) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touched = append(c.touched, what)
}

// taken returns what was touched since it was asked last.
func (c *canaries) taken(t *testing.T) []string {
	t.Helper()
	events := make([]byte, 4096)
	switch n, err := syscall.Read(c.inotify, events); {
	case n > 0:
		c.note("file " + canaryFile)
	case err != nil && err != syscall.EAGAIN: //nolint:errorlint // a bare errno
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	touched := c.touched
	c.touched = nil
	return touched
}

// plant puts a real file and a real server where the playlists point to, so
// that whoever follows them is seen.
func plant(t *testing.T, ts string) *canaries {
	t.Helper()
	c := &canaries{}
	media, err := os.ReadFile(ts)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(canaryFile, media, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(canaryFile) })
	if c.inotify, err = syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(c.inotify) })
	if _, err := syscall.InotifyAddWatch(c.inotify, canaryFile, syscall.IN_OPEN|syscall.IN_ACCESS); err != nil {
		t.Fatal(err)
	}
	c.listen(t, canaryHTTP, media)
	for _, address := range []string{"127.0.0.1:9", "[::1]:9"} {
		c.listen(t, address, media)
	}
	return c
}

// listen notes every connection, also one that never asks.
func (c *canaries) listen(t *testing.T, address string, media []byte) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		if address == canaryHTTP {
			t.Fatal(err)
		}
		t.Logf("no canary on %s: %v", address, err) // a low port, or a machine without IPv6
		return
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(media) }),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				c.note("connection to " + address)
			}
		},
	}}
	s.Start()
	t.Cleanup(s.Close)
}

// A playlist is no source: it is refused with the reason, and nothing that it
// reaches for is touched, whether it comes from a file or over HTTP.
func TestPlaylistsReachNothing(t *testing.T) {
	t.Parallel()
	dir := farm.Media(t)
	planted := plant(t, filepath.Join(dir, "hls_cea608", "sd-hls0000000000.ts"))
	provesItself(t, planted, dir)
	web := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(web.Close)
	f := farm.Start(t)
	c := f.Client()
	sources := map[string]string{} // job id to what its refusal says
	for name, says := range refusals {
		id := strings.NewReplacer("/", "-").Replace(name)
		f.Must("vod", "queue", "--id", id, "--ladder", "mini", filepath.Join(dir, name))
		f.Must("vod", "queue", "--id", "web-"+id, "--ladder", "mini", web.URL+"/"+name)
		sources[id], sources["web-"+id] = says, says
	}
	for id, says := range sources {
		job := ended(t, f, c, id)
		e := job.GetError()
		if job.GetState() != galav1.JobState_JOB_STATE_FAILED || e.GetCode() != "source_error" || !strings.Contains(e.GetMessage(), says) || e.GetAdvice() == "" {
			t.Errorf("%s is %v with %v, want a source_error that says %q, with advice", id, job.GetState(), e, says)
		}
	}
	everyFileHasItsRefusal(t, dir)
	if touched := planted.taken(t); len(touched) != 0 {
		t.Errorf("playlists were followed: %v", touched)
	}
	if agents := f.Must("fleet", "ls"); !strings.Contains(agents, "attached") {
		t.Errorf("the agent did not survive:\n%s", agents)
	}
}

// provesItself: a reader that follows playlists is seen by the canaries.
func provesItself(t *testing.T, planted *canaries, dir string) {
	t.Helper()
	read := func(playlist string) {
		cmd := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-protocol_whitelist", "file,http,tcp", playlist)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ffprobe %s: %v\n%s", playlist, err, out)
		}
	}
	read(filepath.Join(dir, "ssrf", "ssrf_canary_file.m3u8"))
	read(filepath.Join(dir, "ssrf", "ssrf_canary_http.m3u8"))
	touched := strings.Join(planted.taken(t), "; ")
	if !strings.Contains(touched, canaryFile) || !strings.Contains(touched, canaryHTTP) {
		t.Fatalf("the canaries see nothing: %q", touched)
	}
}

// everyFileHasItsRefusal: a playlist that joins the set is tested too.
func everyFileHasItsRefusal(t *testing.T, dir string) {
	t.Helper()
	for _, folder := range []string{"ssrf", "hls_cea608"} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if name := folder + "/" + e.Name(); refusals[name] == "" && filepath.Ext(name) != ".ts" {
				t.Errorf("%s is not tested", name)
			}
		}
	}
}

// What no job may read is refused when it is submitted, with what to do.
func TestSourcesRefusedAtSubmit(t *testing.T) {
	t.Parallel()
	f := farm.Start(t, "--allow-source", "http://169.254.*", "--allow-source", "http://[fe80*")
	for input, says := range map[string][]string{
		"http://169.254.169.254/latest/meta-data/": {"169.254.169.254 is never a source", "always refused"},
		"http://[fe80::1]/x.mp4":                   {"fe80::1 is never a source", "always refused"},
		"http://100.100.100.200/x.mp4":             {"100.100.100.200 is never a source", "always refused"},
		"http://media.example/x.mp4":               {"http://media.example/x.mp4 is not on this farm's list", "--allow-source 'http://media.example/*'"},
		"http://10.0.0.7:81/x.mp4":                 {"not on this farm's list", "--allow-source 'http://10.0.0.7:81/*'"},
		"http://user:secret@10.0.0.7/x.mp4":        {"user:xxxxx@10.0.0.7", "--allow-source 'http://10.0.0.7/*'"},
		"https://127.0.0.1@media.example/x.mp4":    {"not on this farm's list", "--allow-source 'https://media.example/*'"},
		"http://127.0.0.1:8080/a/%2e%2e/b":         {"'..' in its path", "write the path that is meant"},
		"ftp://127.0.0.1/x.mp4":                    {"sources of type \"ftp:\" cannot be read", "give a file"},
	} {
		for _, submit := range [][]string{{"vod", "queue", "--id", "x", input}, {"live", "submit", "--id", "x", "--input", input}} {
			out, code := f.Run(submit...)
			if code != 1 {
				t.Errorf("gala %v: exit %d, want 1\n%s", submit, code, out)
			}
			for _, want := range says {
				if !strings.Contains(out, want) {
					t.Errorf("gala %v does not say %q:\n%s", submit, want, out)
				}
			}
		}
	}
	if out := f.Must("vod", "ls") + f.Must("live", "ls"); strings.Contains(out, "secret") || strings.Contains(out, "x ") {
		t.Errorf("a refused job was kept:\n%s", out)
	}
}

// A server that may be read cannot send the farm to one that may not.
func TestRedirectsAreHeldToTheRules(t *testing.T) {
	t.Parallel()
	f := farm.Start(t)
	c := f.Client()
	const target = "127.0.0.2" // this machine, and on no list
	l, err := net.Listen("tcp", target+":0")
	if err != nil {
		t.Fatal(err)
	}
	var asked sync.Once
	inner := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Do(func() { t.Errorf("the redirect to %s was followed", target) })
	})}}
	inner.Start()
	t.Cleanup(inner.Close)
	for id, to := range map[string]struct{ location, says string }{
		"inner":    {inner.URL + "/x.ts", "not on this farm's list"},
		"metadata": {"http://169.254.169.254/latest/meta-data/", "169.254.169.254 is never a source"},
		"file":     {"file:///etc/passwd", "redirects to another protocol (file:)"},
	} {
		outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to.location)
			w.WriteHeader(http.StatusFound)
			_, _ = io.WriteString(w, "moved")
		}))
		t.Cleanup(outer.Close)
		f.Must("vod", "queue", "--id", id, "--ladder", "mini", outer.URL+"/x.ts")
		job := ended(t, f, c, id)
		if e := job.GetError(); e.GetCode() != "source_error" || !strings.Contains(e.GetMessage(), to.says) || e.GetAdvice() == "" {
			t.Errorf("a redirect to %s: %v, want a source_error that says %q, with advice", to.location, e, to.says)
		}
	}
}

// The signature in a source's address is told to nobody, in no log and no event.
func TestSignedSources(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer srv.Close()
	f := farm.Start(t)
	c := f.Client()
	for id, query := range map[string]string{"azure": "?sv=2021-12-02&sig=hunter2", "cloudfront": "?Expires=1&Signature=hunter2"} {
		f.Must("vod", "queue", "--id", id, "--ladder", "mini", srv.URL+"/clip.mp4"+query)
		job := ended(t, f, c, id)
		if e := job.GetError(); !strings.Contains(e.GetMessage(), "403") || strings.Contains(e.String(), "hunter2") {
			t.Errorf("%s: %v", id, e)
		}
		if out := f.Must("vod", "show", id) + f.Must("vod", "explain", id) + f.Must("vod", "ls") + f.Log(); strings.Contains(out, "hunter2") || !strings.Contains(out, "/clip.mp4?") {
			t.Errorf("%s: the signature is told:\n%s", id, out)
		}
	}
}
