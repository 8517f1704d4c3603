package e2e

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/bucket"
)

// s3Server keeps its buckets as folders in root.
type s3Server struct{ endpoint, root string }

const s3Bucket = "programmes"

// startS3 runs versitygw, which checks every signature, and gives this process
// and the farms that it starts the credentials.
func startS3(t *testing.T) *s3Server {
	t.Helper()
	address := freeAddress(t)
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "gala", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
	} {
		t.Setenv(name, value)
	}
	s := &s3Server{endpoint: "http://" + address, root: t.TempDir()}
	if err := os.Mkdir(filepath.Join(s.root, s3Bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	start(t, s.endpoint, exec.Command(farm.Binary(t, "versitygw"), "--access", "gala", "--secret", "secret", "--region", "us-east-1", "--port", address,
		"posix", "--sidecar", t.TempDir(), s.root))
	return s
}

// freeAddress is one on this machine that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *s3Server) to() string {
	return "s3://" + s3Bucket + "/live?endpoint=" + url.QueryEscape(s.endpoint)
}

// tree is where a job's objects lie.
func (s *s3Server) tree(id string) string { return filepath.Join(s.root, s3Bucket, "live", id) }

// head asks for an object's headers, signed.
func (s *s3Server) head(t *testing.T, path string) http.Header {
	t.Helper()
	req, err := http.NewRequest(http.MethodHead, s.endpoint+"/"+s3Bucket+"/live/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&bucket.Signer{}).Sign(req, "us-east-1"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("HEAD %s: %s", path, answer.Status)
	}
	return answer.Header
}

// A live job and a clip in a bucket: through a worker that is killed, with what
// left the window deleted, and with the headers that viewers need.
func TestBucket(t *testing.T) {
	s := startS3(t)
	f := farm.Start(t)
	c := f.Client()
	f.Must("live", "submit", "--id", "gala", "--input", card, "--ladder", "mini", "--window", "12s", "--to", s.to())
	f.Must("vod", "queue", "--id", "clip", "--ladder", "mini", "--mp4", "all", "--to", s.to(), "testcard:?size=320x240&duration=20s")
	before := segments(t, f, c, "gala", 3)
	done(t, f, c, "clip")
	verifyAt(t, f, s.tree("clip"))
	signal(t, theWorker(t, f), syscall.SIGKILL)
	job := goesOn(t, f, c, "gala", newest(before), 16)
	if job.GetAttempts() != 2 {
		t.Errorf("%d attempts", job.GetAttempts())
	}
	for name, kept := range countSegments(t, s.tree("gala")) {
		if kept > 6+6+4 {
			t.Errorf("%s keeps %d segments of a window of 6", name, kept)
		}
	}
	name := job.GetRenditions()[0].GetRendition().GetName()
	segment, err := filepath.Glob(filepath.Join(s.tree("gala"), name, "*.m4s"))
	if err != nil || len(segment) == 0 {
		t.Fatal(segment, err)
	}
	for path, want := range map[string][2]string{
		"gala/master.m3u8": {"application/vnd.apple.mpegurl", "s-maxage=1"}, "gala/manifest.mpd": {"application/dash+xml", "s-maxage=1"},
		"gala/" + name + "/" + filepath.Base(segment[len(segment)-1]): {"video/mp4", "immutable"},
	} {
		h := s.head(t, path)
		if h.Get("Content-Type") != want[0] || !strings.Contains(h.Get("Cache-Control"), want[1]) {
			t.Errorf("%s is %s, %s", path, h.Get("Content-Type"), h.Get("Cache-Control"))
		}
	}
	stopped(t, f, c, "gala")
	verifyAt(t, f, s.tree("gala"))
}

func TestFrozenHostWakesUpAtABucket(t *testing.T) {
	s := startS3(t)
	view := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(s.root, s3Bucket, "live"))))
	t.Cleanup(view.Close)
	frozenHost(t, s.to(), view.URL+"/gala/", s.tree("gala"))
}

// A bucket that is not there, and credentials that are wrong, fail a job in
// words.
func TestBucketThatIsNotThere(t *testing.T) {
	s := startS3(t)
	f := farm.Start(t)
	c := f.Client()
	f.Must("vod", "queue", "--id", "clip", "--ladder", "mini", "--to", strings.Replace(s.to(), s3Bucket, "nowhere", 1), "testcard:?size=320x240&duration=2s")
	job := ended(t, f, c, "clip")
	if e := job.GetError(); e.GetCode() != string(media.SinkError) || !strings.Contains(e.GetMessage(), "404") || e.GetAdvice() == "" {
		t.Errorf("%v with %v", job.GetState(), e)
	}
	if out, code := f.Run("vod", "queue", "--id", "x", "--ladder", "mini", "--to", "wasb://container/x", "testcard:?duration=2s"); code == 0 || !strings.Contains(out, "wasb") || !strings.Contains(out, "azblob://") {
		t.Errorf("exit %d: %s", code, out)
	}
}
