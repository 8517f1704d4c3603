package twin

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	s, err := Parse("l4:2,h200")
	if err != nil {
		t.Fatal(err)
	}
	want := []Device{
		{Model: "l4", UUID: "GPU-7477696e-0000-4000-8000-000000000000", Memory: 23034 << 20, NVENC: 2},
		{Model: "l4", UUID: "GPU-7477696e-0000-4000-8000-000000000001", Memory: 23034 << 20, NVENC: 2},
		{Model: "h200", UUID: "GPU-7477696e-0000-4000-8000-000000000002", Memory: 143771 << 20, NVENC: 0},
	}
	if !slices.Equal(s.Devices, want) {
		t.Errorf("%+v", s.Devices)
	}
	for arg, part := range map[string]string{
		"l5":          `no card "l5"; there are a10, a100, `,
		"l4:0":        `"0" is no number of cards`,
		"l4:x":        `"x" is no number`,
		"":            `no card ""`,
		"l4:17":       "16 cards at most",
		"./none.yaml": "no such file",
	} {
		if _, err := Parse(arg); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, want %q", arg, err, part)
		}
	}
}

const sample = `driver: 570.86.15
cuda: "12.8"
nvenc-api: "13.0"
session-cap: 3
session-code: 21
throttle: 0.25
devices:
  - model: l4
    count: 2
  - model: rtx4090
    uuid: GPU-01234567-89ab-cdef-0123-456789abcdef
    memory-mib: 8192
    nvenc: 1
faults:
  - kind: lost
    device: 1
    after: 10s
  - kind: sessions-max
    limit: 2
    code: 10
  - kind: hang
    device: 0
    part: nvml
  - kind: api-max
    api: "12.0"
  - kind: broken-context
    code: 700
`

func TestParseFile(t *testing.T) {
	s, err := ParseFile("twin.yaml", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Devices) != 3 || s.Devices[2] != (Device{"rtx4090", "GPU-01234567-89ab-cdef-0123-456789abcdef", 8 << 30, 1}) {
		t.Errorf("devices %+v", s.Devices)
	}
	if s.Driver != "570.86.15" || s.CUDA != (Version{12, 8}) || s.API != (Version{13, 0}) || s.SessionCap != 3 || s.SessionCode != 21 || s.Throttle != 0.25 {
		t.Errorf("%+v", s)
	}
	want := []Fault{
		{Kind: Lost, Device: 1, After: 10 * time.Second},
		{Kind: SessionsMax, Device: AnyDevice, Limit: 2, Code: 10},
		{Kind: Hang, Device: 0, Part: NVML},
		{Kind: APIMax, Device: AnyDevice, Version: Version{12, 0}},
		{Kind: BrokenContext, Device: AnyDevice, Code: 700},
	}
	if !slices.Equal(s.Faults, want) {
		t.Errorf("faults %+v", s.Faults)
	}
}

func TestParseFileSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		"devices:\n  - model: l5\n":                  `f.yaml:2:12: there is no card "l5"`,
		"devices:\n  - model: l4\n    colour: red\n": "f.yaml:3:5: unknown field",
		"devices:\n  - model: l4\n    count: none\n": `f.yaml:3:12: "none": give a whole number from 1 to 16`,
		"devices: [\n":                                                         "f.yaml:1:10: ",
		"driver: new\ndevices:\n  - model: l4\n":                               `f.yaml:1:9: "new": give a driver version`,
		"throttle: maybe\n":                                                    `f.yaml:1:11: "maybe": give a share from 0 to 1`,
		"driver: 1.2\n":                                                        "f.yaml:1:1: there are no devices",
		"devices:\n  - model: [l4]\n":                                          "f.yaml:2:12: one value is wanted here",
		"devices:\n  - model: l4\nfaults:\n  - kind: bored\n":                  `f.yaml:4:11: "bored": give one of no-device`,
		"devices:\n  - model: l4\nfaults:\n  - kind: hang\n":                   "f.yaml:4:11: hang says too little",
		"devices:\n  - model: l4\nfaults:\n  - kind: broken-context\n":         "f.yaml:4:11: broken-context says too little",
		"devices:\n  - model: l4\nfaults:\n  - kind: lost\n    device: 1\n":    `f.yaml:5:13: "1": give a whole number from 0 to 0`,
		"devices:\n  - model: l4\nfaults:\n  - kind: lost\n    after: later\n": `f.yaml:5:12: "later": give a time`,
		"devices:\n  - model: l4\n    uuid: GPU-1\n":                           "f.yaml:3:11: ",
	} {
		if _, err := ParseFile("f.yaml", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n%v\nwant %s", text, err, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	tw := &Twin{dir: "/twin", libraries: "/lib"}
	got := tw.Environment([]string{"A=1", "LD_LIBRARY_PATH=/other", "GALA_TWIN=/old"})
	if want := []string{"A=1", "LD_LIBRARY_PATH=/lib:/other", "GALA_TWIN=/twin"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	got = tw.Environment(nil)
	if want := []string{"LD_LIBRARY_PATH=/lib", "GALA_TWIN=/twin"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// unbuilt is a folder with libraries that nobody can load.
func unbuilt(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range Libraries() {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What a process left that was killed gives way to the next twin; of what is
// not a twin's nothing is touched.
func TestDirectory(t *testing.T) {
	dir, lib := filepath.Join(t.TempDir(), "below", "twin"), unbuilt(t)
	if err := Remove(dir); err != nil {
		t.Errorf("none is there: %v", err)
	}
	if _, err := Open(dir, lib); err == nil || !strings.Contains(err.Error(), "no driver twin") {
		t.Errorf("none is there: %v", err)
	}
	spec, err := Parse("l4")
	if err != nil {
		t.Fatal(err)
	}
	spec.Faults = []Fault{{Kind: Lost, Device: 0}}
	if _, err := New(dir, lib, spec); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{fileState, fileConfig + ".new"} { // by programs, and by a kill while it was written
		if err := os.WriteFile(filepath.Join(dir, left), []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	spec.Faults = nil
	tw, err := New(dir, lib, spec)
	if err != nil {
		t.Fatal(err)
	}
	if found := list(t, dir); !slices.Equal(found, []string{fileConfig, fileFaults}) {
		t.Errorf("after the second start: %q", found)
	}
	other, err := Open(dir, lib)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.SetFaults(Fault{Kind: Lost, Device: 0}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, fileFaults)); err != nil || !strings.Contains(string(text), " lost 0 ") {
		t.Errorf("faults %q (%v)", text, err)
	}
	if got, want := other.Environment(nil), tw.Environment(nil); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("after its end: %v", err)
	}
}

func TestDirectoryOfSomethingElse(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "holiday.jpg"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"New": second(New(dir, unbuilt(t), Spec{})), "Remove": Remove(dir)} {
		if err == nil || !strings.Contains(err.Error(), "holds holiday.jpg") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, name := range []string{fileConfig, filepath.Join(fileState, "theirs")} { // of the same names, and not a twin's
		other := filepath.Join(t.TempDir(), "twin")
		file := filepath.Join(other, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("theirs"), 0o644)); err != nil {
			t.Fatal(err)
		}
		if err := Remove(other); err == nil || !strings.Contains(err.Error(), "not a twin's directory") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	if found := list(t, dir); !slices.Equal(found, []string{"holiday.jpg"}) {
		t.Errorf("left: %q", found)
	}
}

func TestLibrariesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	lib := filepath.Join(dir, "a:b")
	if err := os.Rename(unbuilt(t), lib); err != nil {
		t.Fatal(err)
	}
	for where, want := range map[string]string{dir: "`make twin` builds it", lib: "without ':'"} {
		if _, err := New(filepath.Join(dir, "twin"), where, Spec{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", where, err, want)
		}
	}
}

func second(_ *Twin, err error) error { return err }

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// Every device of the catalogue says that it is a twin.
func TestNamesSayTwin(t *testing.T) {
	spec, err := Parse(strings.ReplaceAll(modelNames(), ", ", ","))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^name (.*)$`).FindAllStringSubmatch(config(spec), -1)
	if len(names) != len(models()) {
		t.Fatalf("%d names of %d cards", len(names), len(models()))
	}
	for _, n := range names {
		if !Is(n[1]) {
			t.Errorf("%q", n[1])
		}
	}
	if Is("NVIDIA L4") {
		t.Error("a card is taken for its twin")
	}
}

// The C side counts faults' parts and reads their kinds by the same words.
func TestWordsOfTheCSide(t *testing.T) {
	source, err := os.ReadFile("driver/config.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds() {
		if !bytes.Contains(source, []byte(`"`+k+`"`)) {
			t.Errorf("driver/config.c does not know the fault %s", k)
		}
	}
	header, err := os.ReadFile("driver/state.h")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(header, []byte("enum twin_part { TWIN_CUDA, TWIN_NVENC, TWIN_CUVID, TWIN_NVML, TWIN_PARTS };")) {
		t.Error("the parts of driver/state.h are not in the order of parts()")
	}
}

var loaded = regexp.MustCompile(`LOAD_SYMBOL(?:_OPT)?\(\s*\w+,\s*\w+,\s*"(\w+)"`)

// Every name that FFmpeg's loader asks for is there: one that is missing stops
// it altogether. The headers are those that FFmpeg was built with.
func TestSymbols(t *testing.T) {
	ffmpegProgram(t)
	dir := libraries(t)
	header, err := os.ReadFile(filepath.Join(os.Getenv("GALA_FFMPEG"), "include/ffnvcodec/dynlink_loader.h"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, name := range Libraries() {
		f, err := elf.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		symbols, err := f.DynamicSymbols()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range symbols {
			if s.Section != elf.SHN_UNDEF {
				have[s.Name] = true
			}
		}
		if s := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return strings.HasPrefix(s.Name, "twin_") && s.Section != elf.SHN_UNDEF }); s >= 0 {
			t.Errorf("%s shows %s, which is its own affair", name, symbols[s].Name)
		}
	}
	wanted := loaded.FindAllSubmatch(header, -1)
	if len(wanted) < 100 {
		t.Fatalf("the loader asks for %d names only: this test does not understand it any more", len(wanted))
	}
	for _, w := range wanted {
		if !have[string(w[1])] {
			t.Errorf("FFmpeg's loader wants %s, which the twin lacks: emulate it, or refuse it in cudarest.c", w[1])
		}
	}
}
