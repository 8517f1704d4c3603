package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/galafarm/gala/agent/gpu/twin"
)

// The twin of a farm is in its data directory, and what a farm left there that was
// killed gives way to the next one's, or goes with a farm that has none.
func TestTwinsIn(t *testing.T) {
	data, libraries := t.TempDir(), t.TempDir()
	spec, err := (&upCmd{Twin: "l4:2"}).twinSpec()
	if err != nil || len(spec.Devices) != 2 {
		t.Fatalf("%+v, %v", spec, err)
	}
	if _, err := twinsIn(data, libraries, spec); err == nil || !strings.Contains(err.Error(), "`make twin` builds it") {
		t.Errorf("without libraries: %v", err)
	}
	for _, name := range twin.Libraries() {
		if err := os.WriteFile(filepath.Join(libraries, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second finds what the first left
		gpus, err := twinsIn(data, libraries, spec)
		if err != nil {
			t.Fatal(err)
		}
		if env := gpus.Environment(nil); !slices.Contains(env, "GALA_TWIN="+filepath.Join(data, "twin")) || !slices.Contains(env, "LD_LIBRARY_PATH="+libraries) {
			t.Errorf("environment %q", env)
		}
	}
	gpus, err := twinsIn(data, libraries, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(data, "twin")); !os.IsNotExist(err) {
		t.Errorf("after a start without a twin: %v", err)
	}
	if env := gpus.Environment([]string{"A=1"}); !slices.Equal(env, []string{"A=1"}) || gpus.Close() != nil {
		t.Errorf("without a twin its environment is %q", env)
	}
}

// Without the libraries nothing starts, and it says what makes them.
func TestUpWithoutTheTwin(t *testing.T) {
	got := gala(t, "127.0.0.1:1", "up", "--twin", "l4:2", "--agent", "/bin/sh", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
	if got.code != exitFailed || !strings.Contains(got.err, "`make twin` builds it") || !strings.Contains(got.err, "without --twin") {
		t.Errorf("%+v", got)
	}
}
