package e2e

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/galafarm/gala/e2e/farm"
	"github.com/galafarm/gala/media/bucket"
	"github.com/galafarm/gala/media/input"
)

// startGoogle runs a server of Google's objects with the buckets that are folders in
// root, and tells this process and the farms that it starts.
func startGoogle(t *testing.T, root string) {
	t.Helper()
	server := freeAddress(t)
	t.Setenv("STORAGE_EMULATOR_HOST", server)
	host, port, _ := strings.Cut(server, ":")
	start(t, "http://"+server, exec.Command(farm.Binary(t, "fake-gcs-server"), "-backend", "memory", "-data", root,
		"-scheme", "http", "-host", host, "-port", port, "-public-host", server, "-log-level", "error"))
}

// A clip that lies in one of Google's buckets.
func TestGoogleBucket(t *testing.T) {
	root := t.TempDir()
	f := farm.Start(t)
	f.Must("vod", "queue", "--id", "clip", "--ladder", "mini", "--mp4", "all", "--to", filepath.Join(root, "programmes"), "testcard:?size=320x240&duration=10s")
	done(t, f, f.Client(), "clip")
	files, err := filepath.Glob(filepath.Join(root, "programmes", "clip", "*.mp4"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	f.Stop()
	source := "gs://programmes/clip/" + filepath.Base(files[0])
	startGoogle(t, root)
	g := farm.Start(t, "--allow-source", "gs://programmes/*")
	g.Must("vod", "queue", "--id", "again", "--ladder", "mini", source)
	done(t, g, g.Client(), "again")
	verifyAt(t, g, g.Origin("again"))

	want, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := input.Open(t.Context(), source, input.Rules{Patterns: []string{"gs://programmes/*"}, Signer: &bucket.Signer{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Seek(-1000, io.SeekEnd); err != nil || r.Size() != int64(len(want)) {
		t.Fatalf("size %d of %d, %v", r.Size(), len(want), err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != string(want[len(want)-1000:]) {
		t.Errorf("the last bytes: %d of them, %v", len(got), err)
	}
}
