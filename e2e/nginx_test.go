package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/media/hls"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// nginx is an origin that knows nothing of the farm: it takes PUT, and makes no
// folder that nobody asks for.
type nginx struct{ url, root string }

const nginxConf = `
daemon off;
master_process off;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 256; }
http {
	access_log %[1]s/access.log;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	types {
		application/vnd.apple.mpegurl m3u8;
		application/dash+xml mpd;
		video/mp4 mp4 m4s;
	}
	gzip on;
	gzip_min_length 0;
	gzip_types application/vnd.apple.mpegurl application/dash+xml;
	server {
		listen %[2]s;
		root %[1]s/www;
		dav_methods PUT DELETE MKCOL;
		client_max_body_size 0;
	}
}
`

func startNginx(t *testing.T) *nginx {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("SKIPPED LOUDLY: no nginx; tools/setup/deps.sh test installs it")
	}
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, address), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "www", "up"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", conf, "-e", filepath.Join(dir, "start.log"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	n := &nginx{url: "http://" + address + "/up/", root: filepath.Join(dir, "www", "up")}
	farm.Until(t, 60*time.Second, "nginx answers", func() bool {
		answer, err := http.Get(n.url)
		if err == nil {
			_ = answer.Body.Close()
		}
		return err == nil
	})
	return n
}

// A live job at an origin of somebody else's: its folders are made, a worker
// that is killed leaves no hole, what left the window is deleted, and the end
// is one.
func TestLiveAtNginx(t *testing.T) {
	t.Parallel()
	n := startNginx(t)
	f := farm.Start(t)
	c := f.Client()
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini", "--window", "12s", "--to", n.url)
	before := segments(t, f, c, "gala", 7)
	verifyAt(t, f, n.url+"gala")
	signal(t, theWorker(t, f), syscall.SIGKILL)
	job := goesOn(t, f, c, "gala", newest(before), 16)
	if job.GetAttempts() != 2 {
		t.Errorf("%d attempts", job.GetAttempts())
	}
	verifyAt(t, f, n.url+"gala")
	for name, kept := range countSegments(t, filepath.Join(n.root, "gala")) {
		if kept > 6+6+4 { // the window, what a list that listed them may still name, and what is on its way
			t.Errorf("%s keeps %d segments of a window of 6", name, kept)
		}
	}
	stopped(t, f, c, "gala")
	verifyAt(t, f, n.url+"gala")
	if p := ffprobe(t, n.url+"gala/master.m3u8", "-show_streams"); len(p.Streams) < 3 {
		t.Errorf("ffprobe finds %v", p.Streams)
	}
	// Somebody else's player takes it from there, to its end.
	if said := tool(t, "ffmpeg", "-v", "error", "-xerror", "-i", n.url+"gala/master.m3u8", "-f", "null", "-"); said != "" {
		t.Errorf("ffmpeg says %s", said)
	}
}

// secondHost is an agent of its own beside that of `gala up`.
func secondHost(t *testing.T, f *farm.Farm, c *client.Client) *os.Process {
	t.Helper()
	cmd := exec.Command(farm.Binary(t, "gala-agent"), "--scheduler", f.GRPC, "--name", "second", "--data", filepath.Join(f.Data, "second"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	farm.Until(t, 60*time.Second, "two hosts are attached", func() bool {
		agents, err := c.Agents(t.Context())
		return err == nil && len(agents) == 2
	})
	return cmd.Process
}

// watcher looks at a playlist all the time, and notices when it goes back.
type watcher struct {
	t     *testing.T
	url   string
	epoch uint64
	last  int64
	looks int
}

func (w *watcher) look() {
	w.t.Helper()
	m, err := hls.ParseMedia(get(w.t, w.url))
	if err != nil {
		w.t.Fatal(err)
	}
	last, _ := m.Last()
	if m.Epoch < w.epoch || last < w.last {
		w.t.Fatalf("the playlist went back: from epoch %d, segment %d to epoch %d, segment %d", w.epoch, w.last, m.Epoch, last)
	}
	w.epoch, w.last, w.looks = m.Epoch, last, w.looks+1
}

// A host stands still in mid-programme, another takes over, and then it wakes
// up, with its worker in the middle of what it did. At an origin that refuses
// nobody that worker finds its successor by itself, and writes nothing more.
func TestFrozenHostWakesUp(t *testing.T) {
	t.Parallel()
	n := startNginx(t)
	frozenHost(t, n.url, n.url+"gala/", n.url+"gala")
}

// frozenHost does it at a place: where the job goes, where its playlists are
// read all the time, and where its tree is judged.
func frozenHost(t *testing.T, to, view, tree string) {
	f := farm.Start(t)
	c := f.Client()
	second := secondHost(t, f, c)
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini", "--to", to)
	before := segments(t, f, c, "gala", 3)
	worker, agent := theWorker(t, f), f.Child("gala-agent")
	if hostOf(before) == "second" {
		agent = second.Pid
	}
	signal(t, worker, syscall.SIGSTOP)
	signal(t, agent, syscall.SIGSTOP)
	t.Cleanup(func() { // a host that stands still could not be ended
		_ = syscall.Kill(worker, syscall.SIGKILL)
		_ = syscall.Kill(agent, syscall.SIGCONT)
	})
	job := goesOn(t, f, c, "gala", newest(before), 5)
	if hostOf(job) == hostOf(before) {
		t.Fatalf("still on %s", hostOf(job))
	}
	w := &watcher{t: t, url: view + job.GetRenditions()[0].GetRendition().GetName() + "/media.m3u8"}
	w.look()
	// Only its worker wakes up: nobody tells it.
	signal(t, worker, syscall.SIGCONT)
	farm.Until(t, 60*time.Second, "the old worker is gone", func() bool {
		w.look()
		return gone(worker) || zombie(worker)
	})
	then := f.Job(c, "gala")
	farm.Until(t, 60*time.Second, "the new one goes on", func() bool {
		w.look()
		return newest(f.Job(c, "gala")) >= newest(then)+4
	})
	signal(t, agent, syscall.SIGCONT)
	last := f.Job(c, "gala")
	if last.GetState() != galav1.JobState_JOB_STATE_RUNNING || hostOf(last) != hostOf(job) || last.GetAttempts() != job.GetAttempts() {
		t.Errorf("%v on %s after %d attempts", last.GetState(), hostOf(last), last.GetAttempts())
	}
	stopped(t, f, c, "gala")
	verifyAt(t, f, tree)
	t.Logf("%d looks at the playlist, epoch %d", w.looks, w.epoch)
}

// zombie: it has ended, and its agent stands still.
func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(text), ") Z ")
}
