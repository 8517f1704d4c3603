package twin

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds what a test waits for on a machine that is busy.
const patience = 60 * time.Second

func libraries(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../build/twin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".stamp")); err != nil {
		t.Skipf("NO DRIVER TWIN at %s: `make twin` builds it", dir)
	}
	return dir
}

func ffmpegProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(os.Getenv("GALA_FFMPEG"), "bin", "ffmpeg")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("NO FFMPEG PROGRAM at %s: source tools/setup/env.sh to run this test", program)
	}
	return program
}

// media is a real clip of the media set.
func media(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("GALA_MEDIA"), "../../../../shared/media/open"} {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	t.Skipf("the media set is not at hand (GALA_MEDIA, or shared/media/open above): %s", name)
	return ""
}

func started(t *testing.T, spec Spec) *Twin {
	t.Helper()
	tw, err := New(t.TempDir(), libraries(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tw.Close() })
	return tw
}

// devices is a started twin with the devices of a list.
func devices(t *testing.T, list string) *Twin {
	t.Helper()
	spec, err := Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return started(t, spec)
}

// ffmpeg is a run of the real client.
type ffmpeg struct {
	cmd    *exec.Cmd
	log    lockedBuffer
	frames chan int // one for each report of progress
	done   chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs FFmpeg; a nil twin is the machine without one.
func start(t *testing.T, tw *Twin, args ...string) *ffmpeg {
	t.Helper()
	f := &ffmpeg{frames: make(chan int, 1), done: make(chan error, 1)}
	f.cmd = exec.Command(ffmpegProgram(t), append([]string{"-hide_banner", "-nostdin", "-y", "-nostats", "-stats_period", "0.1", "-progress", "pipe:1"}, args...)...)
	f.cmd.Env = os.Environ()
	if tw != nil {
		f.cmd.Env = tw.Environment(f.cmd.Env)
	}
	f.cmd.Stderr = &f.log
	progress, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.cmd.Process.Kill() })
	go func() {
		for s := bufio.NewScanner(progress); s.Scan(); {
			if n, err := strconv.Atoi(strings.TrimPrefix(s.Text(), "frame=")); err == nil && n > 0 {
				select {
				case f.frames <- n:
				default:
				}
			}
		}
		f.done <- f.cmd.Wait()
	}()
	return f
}

// end waits for the program's end.
func (f *ffmpeg) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-f.done:
		f.done <- err
		return err
	case <-time.After(patience):
		f.cmd.Process.Kill()
		t.Fatalf("ffmpeg did not end; it said:\n%s", f.log.String())
		return nil
	}
}

// encoding waits until the program has encoded something.
func (f *ffmpeg) encoding(t *testing.T) {
	t.Helper()
	select {
	case <-f.frames:
	case err := <-f.done:
		t.Fatalf("ffmpeg ended too early: %v\n%s", err, f.log.String())
	case <-time.After(patience):
		t.Fatalf("ffmpeg encodes nothing; it said:\n%s", f.log.String())
	}
}

// run is a whole run that has to succeed; it returns what FFmpeg said.
func run(t *testing.T, tw *Twin, args ...string) string {
	t.Helper()
	f := start(t, tw, args...)
	if err := f.end(t); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, f.log.String())
	}
	return f.log.String()
}

// refused is a run that has to fail and to say this.
func refused(t *testing.T, tw *Twin, want string, args ...string) {
	t.Helper()
	f := start(t, tw, args...)
	if err := f.end(t); err == nil {
		t.Fatalf("ffmpeg succeeded; want %q", want)
	}
	if !strings.Contains(f.log.String(), want) {
		t.Errorf("want %q, ffmpeg said:\n%s", want, f.log.String())
	}
}

const card = "testsrc2=size=320x180:rate=25"

// encode are FFmpeg's arguments for a second of the test card.
func encode(codec string, more ...string) []string {
	return append([]string{"-f", "lavfi", "-i", card + ":duration=1", "-pix_fmt", "yuv420p", "-c:v", codec, "-b:v", "1M"}, more...)
}

// endless encodes in real time until it is ended.
func endless(codec string) []string {
	return []string{"-re", "-f", "lavfi", "-i", card, "-pix_fmt", "yuv420p", "-c:v", codec, "-b:v", "1M", "-f", "null", "-"}
}

var psnrAverage = regexp.MustCompile(`PSNR .*average:([0-9.]+|inf)`)

// psnr of a filter graph's output, which ends in the psnr filter.
func psnr(t *testing.T, log string) float64 {
	t.Helper()
	m := psnrAverage.FindStringSubmatch(log)
	if m == nil {
		t.Fatalf("ffmpeg tells no PSNR:\n%s", log)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// fidelity decodes a file in software and compares it with the test card of
// that size and a second.
func fidelity(t *testing.T, file, size string) float64 {
	t.Helper()
	log := run(t, nil, "-i", file, "-f", "lavfi", "-i", "testsrc2=size="+size+":rate=25:duration=1",
		"-lavfi", "[0]settb=1/25,setpts=N[a];[1]format=yuv420p,settb=1/25,setpts=N[b];[a]format=yuv420p[c];[c][b]psnr", "-f", "null", "-")
	if strings.Contains(log, "error") {
		t.Errorf("the decoder complains:\n%s", log)
	}
	return psnr(t, log)
}

// client builds the small C program of testdata, once, and returns how it is run.
func client(t *testing.T) func(tw *Twin, way string) (string, error) {
	t.Helper()
	ffmpegProgram(t)
	program := filepath.Join(t.TempDir(), "client")
	build := exec.Command("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I", filepath.Join(os.Getenv("GALA_FFMPEG"), "include"),
		"-o", program, "testdata/client.c", "-ldl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("client: %v\n%s", err, out)
	}
	return func(tw *Twin, way string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, way)
		cmd.Env = tw.Environment(os.Environ())
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}
