//go:build cgo && linux

package gpu

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/galafarm/gala/agent/gpu/twin"
)

// users-ask 25: of FFmpeg's own NVENC session the driver's figures say whose it
// is, what it encodes and how fast.
func TestFFmpegIsSeen(t *testing.T) {
	libraries, err := filepath.Abs("../../build/twin")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(os.Getenv("GALA_FFMPEG"), "bin", "ffmpeg")
	for _, needed := range []string{program, filepath.Join(libraries, library)} {
		if _, err := os.Stat(needed); err != nil {
			t.Skipf("NO DRIVER TWIN or FFmpeg: %v; `make twin` builds the one, tools/setup/env.sh names the other", err)
		}
	}
	spec, err := twin.Parse("l4:2")
	if err != nil {
		t.Fatal(err)
	}
	cards, err := twin.New(t.TempDir(), libraries, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cards.Close() })
	encode := exec.Command(program, "-hide_banner", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25",
		"-c:v", "h264_nvenc", "-gpu", "1", "-preset", "p1", "-bf", "0", "-f", "null", "-")
	encode.Env, encode.Stderr = cards.Environment(os.Environ()), os.Stderr
	if err := encode.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { _ = encode.Process.Kill(); _ = encode.Wait() }
	t.Cleanup(stop)
	p := pollWith(t, cards.Environment(os.Environ()))
	s := p.await("its session at its rate", func(s told) bool {
		return len(s.Devices) == 2 && len(s.Devices[1].Sessions) == 1 && s.Devices[1].Sessions[0].FPS > 20 && s.Devices[1].Sessions[0].FPS < 31
	})
	got := s.Devices[1].Sessions[0]
	if got.PID != encode.Process.Pid || got.Codec != "h264" || got.Width != 640 || got.Height != 360 || got.Latency <= 0 {
		t.Errorf("%+v of process %d", got, encode.Process.Pid)
	}
	if d := s.Devices[1]; d.Figures[EncodeSessions] != 1 || d.Figures[SMClock] <= s.Devices[0].Figures[SMClock] || len(s.Devices[0].Sessions) != 0 {
		t.Errorf("%+v", s)
	}
	stop()
	p.await("no session", func(s told) bool { return len(s.Devices[1].Sessions) == 0 && s.Devices[1].Figures[MemoryUsed] == 0 })
}
