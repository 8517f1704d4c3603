package harness

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Versions is what was measured.
type Versions struct {
	Commit string `json:"commit"`
	// Dirty: files of the project differed from the commit.
	Dirty     bool   `json:"dirty"`
	FFmpeg    string `json:"ffmpeg"`
	Configure string `json:"ffmpeg_configure_sha256"`
	Peer      string `json:"peer"` // first line of the peer's own -version
	Go        string `json:"go"`
}

// Binaries are the programs that benchmarks run.
type Binaries struct{ Gala, Worker, FFmpeg string }

// FindBinaries finds the farm's programs in dir and FFmpeg's, of the same
// build, where the environment says. It refuses an environment with GPUs that are
// not there: what is measured on them says nothing.
func FindBinaries(dir string) (Binaries, error) {
	b := Binaries{Gala: filepath.Join(dir, "gala"), Worker: filepath.Join(dir, "gala-worker")}
	if os.Getenv("GALA_TWIN") != "" {
		return b, errors.New("GALA_TWIN is set: nothing is recorded on a driver twin, unset it and LD_LIBRARY_PATH")
	}
	prefix := os.Getenv("GALA_FFMPEG")
	if prefix == "" {
		return b, errors.New("GALA_FFMPEG is not set: run `make bench`, or `. tools/setup/env.sh` first")
	}
	b.FFmpeg = filepath.Join(prefix, "bin", "ffmpeg")
	for _, name := range []string{b.Worker, b.FFmpeg} {
		if _, err := os.Stat(name); err != nil {
			return b, fmt.Errorf("%w: run `make build` first", err)
		}
	}
	return b, nil
}

// Read asks every program which it is, and refuses two FFmpegs.
func (b Binaries) Read(ctx context.Context) (Versions, error) {
	v := Versions{Go: runtime.Version()}
	text, err := exec.CommandContext(ctx, b.Worker, "version", "--json").Output()
	if err != nil {
		return v, fmt.Errorf("ask the worker for its version: %w", err)
	}
	var built struct{ FFmpeg, Configuration string }
	if err := json.Unmarshal(text, &built); err != nil {
		return v, fmt.Errorf("read the worker's version: %w", err)
	}
	v.FFmpeg, v.Configure = built.FFmpeg, fmt.Sprintf("%x", sha256.Sum256([]byte(built.Configuration)))
	peer, err := exec.CommandContext(ctx, b.FFmpeg, "-version").Output()
	if err != nil {
		return v, fmt.Errorf("ask ffmpeg for its version: %w", err)
	}
	v.Peer, _, _ = strings.Cut(string(peer), "\n")
	if !strings.Contains(string(peer), "configuration: "+strings.TrimSpace(built.Configuration)) {
		return v, errors.New("worker and ffmpeg are of different builds: `make clean build`")
	}
	v.Commit, v.Dirty = checkout(ctx)
	return v, nil
}

// checkout is the commit, and whether anything but records differs from it.
func checkout(ctx context.Context) (commit string, dirty bool) {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown", true
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)benchmarks/results").Output()
	return strings.TrimSpace(string(head)), err != nil || len(changed) > 0
}

// HashFile is the SHA-256 of a file, in hex.
func HashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("hash %s: %w", name, err)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
