package libav

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/agent/gpu/twin"
	"github.com/galafarm/gala/ladders"
)

// twinDevices names the devices of the driver twin in the environment of a test that runs on it.
const twinDevices = "GALA_TEST_TWIN"

// twinLibraries is where `make twin` builds to.
func twinLibraries(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../build/twin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "libcuda.so.1")); err != nil {
		t.Skipf("NO DRIVER TWIN: %v; `make twin` builds it", err)
	}
	return dir
}

// onTwin runs the rest of a test on the driver twin's devices, the first of which
// it sees. The loader reads where a driver is when a program starts, so that the
// test runs as a child of this one, which gets a twin; its parent gets nil, and
// has nothing left to do.
func onTwin(t *testing.T, devices string) *twin.Twin {
	t.Helper()
	libraries := twinLibraries(t)
	if os.Getenv(twinDevices) != "" {
		cards, err := twin.Open(os.Getenv("GALA_TWIN"), libraries)
		if err != nil {
			t.Fatal(err)
		}
		return cards
	}
	var names []string
	for name := range strings.SplitSeq(t.Name(), "/") {
		names = append(names, "^"+name+"$")
	}
	childOn(t, devices, libraries, strings.Join(names, "/"))
	return nil
}

// gpuOnTwin is onTwin with the device open; nil for the parent.
func gpuOnTwin(t *testing.T, devices string) *gpu {
	t.Helper()
	if onTwin(t, devices) == nil {
		return nil
	}
	g, err := openGPU()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// childOn runs tests of this program on a twin.
func childOn(t *testing.T, devices, libraries, tests string) {
	t.Helper()
	spec, err := twin.Parse(devices)
	if err != nil {
		t.Fatal(err)
	}
	cards, err := twin.New(filepath.Join(t.TempDir(), "twin"), libraries, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cards.Close() })
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+tests, "-test.v", "-test.count=1")
	cmd.Env = append(cards.Environment(os.Environ()), twinDevices+"="+devices, "CUDA_VISIBLE_DEVICES="+spec.Devices[0].UUID)
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil || !strings.Contains(string(out), "--- "):
		t.Fatalf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	}
	t.Logf("%s", out)
}

// fault makes something go wrong on the twin.
func fault(t *testing.T, cards *twin.Twin, faults ...twin.Fault) {
	t.Helper()
	if err := cards.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
}

// onGPU are renditions with the rows of the encoder table that are a GPU's, where the twin
// has the codec: it has no AV1.
func onGPU(all []ladders.Rendition) (out []ladders.Rendition) {
	for _, r := range all {
		if v := r.Video; v != nil && v.Encoder == "" && (v.Codec == "h264" || v.Codec == "hevc") {
			c := *v
			c.Encoder = v.Codec + "_nvenc"
			r.Video = &c
		}
		out = append(out, r)
	}
	return out
}

// fetched is a picture of a GPU's memory in the host's.
func fetched(t *testing.T, f *astiav.Frame) *astiav.Frame {
	t.Helper()
	down := astiav.AllocFrame()
	t.Cleanup(down.Free)
	down.SetPixelFormat(samplesOf(f))
	if err := f.TransferHardwareData(down); err != nil {
		t.Fatal(err)
	}
	if err := copyProps(down, f); err != nil {
		t.Fatal(err)
	}
	return down
}
