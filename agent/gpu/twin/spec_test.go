package twin

import (
	"bytes"
	"debug/elf"
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
