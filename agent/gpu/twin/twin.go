package twin

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Libraries are the files that make a twin, in one directory.
func Libraries() []string {
	return []string{"libcuda.so.1", "libnvidia-encode.so.1", "libnvcuvid.so.1", "libnvidia-ml.so.1"}
}

// Twin is a set of devices that programs can be given. It needs no process:
// what programs share of it lies in a directory.
type Twin struct {
	dir, libraries string
	spec           Spec
}

// New writes the devices down in the directory dir, which it makes. A twin that
// is there - of a process that was killed - gives way: programs that still run on
// it keep its devices and get the faults of this one. libraries is where `make twin` built to. Close
// removes the directory.
func New(dir, libraries string, spec Spec) (*Twin, error) {
	t, err := at(dir, libraries)
	if err != nil {
		return nil, err
	}
	t.spec = spec
	if err := Remove(t.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return nil, fmt.Errorf("driver twin: %w", err)
	}
	err = errors.Join(t.write(fileConfig, config(spec)), t.SetFaults(spec.Faults...))
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Open is the twin that another process made in dir, to set its faults or to run
// further programs on it.
func Open(dir, libraries string) (*Twin, error) {
	t, err := at(dir, libraries)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(t.dir, fileConfig)); err != nil {
		return nil, fmt.Errorf("no driver twin is in this directory: %w", err)
	}
	return t, nil
}

// at makes paths absolute, because programs run in other directories, and
// looks whether the loader will find the libraries.
func at(dir, libraries string) (*Twin, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("driver twin: %w", err)
	}
	if libraries, err = filepath.Abs(libraries); err != nil {
		return nil, fmt.Errorf("driver twin: %w", err)
	}
	if strings.ContainsAny(libraries, ":;") { // they separate folders in LD_LIBRARY_PATH
		return nil, fmt.Errorf("driver twin: the loader cannot be told of %s: move it to a path without ':' and ';'", libraries)
	}
	for _, name := range Libraries() {
		if _, err := os.Stat(filepath.Join(libraries, name)); err != nil {
			return nil, fmt.Errorf("driver twin: %w; `make twin` builds it", err)
		}
	}
	return &Twin{dir: dir, libraries: libraries}, nil
}

// Files of a twin's directory; the last is made by the C side.
const (
	fileConfig = "config"
	fileFaults = "faults"
	fileState  = "state"
	// An agent notes there which GPUs it has had: they go with the twin.
	fileGPUs = "gpus.json"
)

// Remove takes away the twin in dir that a process left there which was killed.
// None is fine. A directory that holds anything else is refused.
func Remove(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("driver twin: %w", err)
	}
	for _, f := range files {
		if !f.Type().IsRegular() || !slices.Contains([]string{fileConfig, fileFaults, fileState, fileGPUs}, strings.TrimSuffix(f.Name(), ".new")) {
			return fmt.Errorf("driver twin: %s is not a twin's directory, it holds %s: move that away", dir, f.Name())
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, fileConfig))
	if err == nil && !strings.HasPrefix(string(text), heading+"\n") {
		return fmt.Errorf("driver twin: %s is not a twin's directory, its %s is another: move that away", dir, fileConfig)
	}
	for _, f := range files {
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			return fmt.Errorf("driver twin: %w", err)
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("driver twin: %w", err)
	}
	return nil
}

// heading is the first line of the file of devices.
const heading = "gala-driver-twin 1"

// Mark is how the names of a twin's devices end.
const Mark = "(driver twin)"

// Is tells whether a device of this model is a twin.
func Is(model string) bool { return strings.HasSuffix(model, Mark) }

// Environment is what a program needs, beside its own, to see the devices:
// environ with two variables set. It is for every program below it too. Without
// a twin (nil) it is environ.
func (t *Twin) Environment(environ []string) []string {
	if t == nil {
		return environ
	}
	const path = "LD_LIBRARY_PATH="
	search := t.libraries
	out := slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		if old, ok := strings.CutPrefix(v, path); ok && old != "" {
			search = t.libraries + ":" + old
		}
		return strings.HasPrefix(v, path) || strings.HasPrefix(v, "GALA_TWIN=")
	})
	return append(out, path+search, "GALA_TWIN="+t.dir)
}

// SetFaults replaces what goes wrong, from now on and for programs that run.
// Without faults all is well again.
func (t *Twin) SetFaults(faults ...Fault) error {
	if len(faults) > maxFaults {
		return fmt.Errorf("driver twin: %d faults; there can be %d at most", len(faults), maxFaults)
	}
	now := time.Now()
	var b strings.Builder
	for _, f := range faults {
		fmt.Fprintf(&b, "%d %s %d %d %d\n", now.Add(f.After).UnixMilli(), f.Kind, f.Device, f.value(), f.Code)
	}
	return t.write(fileFaults, b.String())
}

// value is the number that the C side knows the fault's Limit, Part or Version by.
func (f Fault) value() int64 {
	switch f.Kind {
	case Hang, Init:
		return int64(slices.Index(parts(), string(f.Part)))
	case APIMax:
		return int64(f.Version.Major<<4 | f.Version.Minor)
	}
	return f.Limit
}

// Close takes the devices away. Programs that still run keep what they have.
// Without a twin (nil) there is nothing to do.
func (t *Twin) Close() error {
	if t == nil {
		return nil
	}
	return Remove(t.dir)
}

// write replaces a file as a whole: programs read it at any moment.
func (t *Twin) write(name, text string) error {
	path := filepath.Join(t.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return fmt.Errorf("driver twin: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("driver twin: %w", err)
	}
	return nil
}

// config is the flat file that the C side reads: see driver/config.c.
func config(s Spec) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(heading)
	line("driver %s (Gala driver twin)", s.Driver)
	line("cuda %d", s.CUDA.Major*1000+s.CUDA.Minor*10)
	line("api %d %d", s.API.Major, s.API.Minor)
	line("cap %d %d", s.SessionCap, s.SessionCode)
	line("throttle %d", bit(s.Throttle > 0))
	for i, d := range s.Devices {
		m := models()[d.Model]
		line("device")
		line("name %s %s", m.name, Mark)
		line("uuid %s", d.UUID)
		line("pci 00000000:%02x:00.0", i+1)
		line("memory %d", d.Memory)
		line("engines %d %d", d.NVENC, m.nvdec)
		line("compute %d %d", m.compute[0], m.compute[1])
		line("features %s", m.features())
		line("capped %d", bit(m.capped))
		line("power %d", m.watts)
		line("clock %d", m.mhz)
		for _, r := range m.rated(s.Throttle) {
			line("rate %s %g %g %g %g", r.codec, r.fps[0], r.fps[1], r.fps[2], r.fps[3])
		}
	}
	return b.String()
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

type rated struct {
	codec string
	fps   [4]float64
}

// rated are the rates that the catalogue has for the card, or a share of them.
func (m model) rated(share float64) []rated {
	factor := cmp.Or(m.scale, 1) * cmp.Or(share, 1)
	var out []rated
	for _, r := range []rated{{"h264", m.rates.h264}, {"hevc", m.rates.hevc}, {"av1", m.rates.av1}} {
		if r.fps[0] == 0 {
			continue
		}
		for i := range r.fps {
			r.fps[i] *= factor
		}
		out = append(out, r)
	}
	return out
}
