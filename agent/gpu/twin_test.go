//go:build cgo && linux

package gpu

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A process binds NVML once, so each test that needs the twin's is a child of
// this program.
func TestMain(m *testing.M) {
	switch os.Getenv("BE_A_CHILD") {
	case "inventory":
		_ = json.NewEncoder(os.Stdout).Encode(List(context.Background()))
	case "poll":
		childPoll()
	default:
		code := m.Run()
		_ = os.RemoveAll(built.dir)
		os.Exit(code)
	}
}

// told is a snapshot as the child prints it.
type told struct {
	Trouble, Driver string
	Devices         []toldDevice
}

type toldDevice struct {
	UUID, Model, Bus, Trouble string
	State                     State
	Figures                   map[Figure]uint64
	Sessions                  []Session
	Xids                      []Xid
	Took                      time.Duration
}

// childPoll prints what the poller knows, ten times a second, until its reader
// has gone.
func childPoll() {
	p := NewPoller(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	go func() { _ = p.Run(context.Background()) }()
	out := json.NewEncoder(os.Stdout)
	for {
		s := p.Snapshot()
		t := told{Trouble: s.Trouble, Driver: s.Driver}
		for _, d := range s.Devices {
			t.Devices = append(t.Devices, toldDevice{
				UUID: d.UUID, Model: d.Model, Bus: d.Bus, Trouble: d.Trouble, State: d.State,
				Figures: known(d.Reading), Sessions: d.Sessions, Xids: d.Xids, Took: d.Took,
			})
		}
		if out.Encode(t) != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// built are the twin's libraries, once for all tests.
var built struct {
	sync.Mutex
	dir string
}

const twinSource = "twin/driver"

// compile builds one file from the twin's sources, unless it is there.
func compile(t *testing.T, name string, args ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "gala-nvml-twin-")
		if err != nil {
			t.Fatal(err)
		}
		built.dir = dir
	}
	path := filepath.Join(built.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	args = append(args, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-I", twinSource, "-I", headers(t), "-o", path,
		twinSource+"/state.c", twinSource+"/config.c", "-lpthread")
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}

// headers is where go-nvml has the driver's.
func headers(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "pkg", "nvml")
}

// twinLibrary is a directory with the twin's NVML.
func twinLibrary(t *testing.T, flags ...string) string {
	t.Helper()
	name := "nvml" + strings.Join(flags, "") + "/" + library
	return filepath.Dir(compile(t, name, append(flags, "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-z,defs", "-Wl,-soname,"+library,
		twinSource+"/nvml.c", twinSource+"/nvml_board.c")...))
}

// world is a host with two L4 of the twin.
type world struct {
	t   *testing.T
	dir string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	config := "gala-driver-twin 1\ndriver 570.124.06-twin\ncuda 12080\napi 13 0\ncap 0 10\nthrottle 0\n"
	for i := range 2 {
		config += fmt.Sprintf("device\nname NVIDIA L4 (driver twin)\nuuid GPU-0000000%d-7477-696e-0000-000000000000\npci 00000000:0%d:00.0\n", i, i+1) +
			"memory 24146608128\nengines 2 4\ncompute 8 9\nfeatures h264 hevc\ncapped 0\npower 72\nclock 2040\n" +
			"rate h264 728 522 233 198\nrate hevc 844 395 274 274\n"
	}
	w.write("config", config)
	return w
}

// write replaces a file whole.
func (w *world) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		w.t.Fatal(err)
	}
}

// faults: milliseconds, kind, device, value, code; NVML is part 3.
func (w *world) faults(lines ...string) { w.write("faults", strings.Join(append(lines, ""), "\n")) }

// hold starts a process with encode sessions: device, codec, width, height,
// frames per second, sessions, mebibytes.
func (w *world) hold(args string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(compile(w.t, "holder", "testdata/holder.c"), strings.Fields(args)...)
	cmd.Env = append(os.Environ(), "GALA_TWIN="+w.dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// environment is what a program needs to see the world by libraries.
func (w *world) environment(libraries string) []string {
	return append(os.Environ(), "LD_LIBRARY_PATH="+libraries, "GALA_TWIN="+w.dir)
}

// child is this program in another role.
func child(t *testing.T, role string, environment []string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(environment, "BE_A_CHILD="+role)
	return cmd
}

// poller is a child that polls.
type poller struct {
	t     *testing.T
	lines chan told
	log   bytes.Buffer // complete once stop has returned
	stop  func()
}

func (w *world) poll(libraries string) *poller {
	w.t.Helper()
	return pollWith(w.t, w.environment(libraries))
}

func pollWith(t *testing.T, environment []string) *poller {
	t.Helper()
	p := &poller{t: t, lines: make(chan told)}
	cmd := child(t, "poll", environment)
	cmd.Stderr = &p.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(p.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			var line told
			if json.Unmarshal(scan.Bytes(), &line) != nil {
				return
			}
			select {
			case p.lines <- line:
			case <-over:
				return
			}
		}
	}()
	p.stop = sync.OnceFunc(func() { close(over); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(p.stop)
	return p
}

// await the first snapshot that is as wanted. Snapshots come all the time,
// whatever the driver does.
func (p *poller) await(what string, wanted func(told) bool) told {
	p.t.Helper()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	var last told
	for {
		select {
		case line, more := <-p.lines:
			if !more {
				p.stop()
				p.t.Fatalf("the poller ended before %s: %s", what, p.log.String())
			}
			if last = line; wanted(line) {
				return line
			}
		case <-late.C:
			p.t.Fatalf("no %s; the last was %+v", what, last)
		}
	}
}

// states are those of all devices, at least two.
func states(all ...State) func(told) bool {
	return func(s told) bool {
		for i, want := range all {
			if i >= len(s.Devices) || s.Devices[i].State != want {
				return false
			}
		}
		return true
	}
}
