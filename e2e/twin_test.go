package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/gpu/twin"
	"github.com/galafarm/gala/client"
	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// twinLibraries is where `make twin` builds to; without it the test is skipped, loudly.
func twinLibraries(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(filepath.Dir(farm.Binary(t, "gala")), "twin")
	for _, name := range twin.Libraries() {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Skipf("NOTHING IS TESTED ON GPUS HERE, not even on those of the driver twin: %v; `make twin` builds it", err)
		}
	}
	return dir
}

// gpus are the devices of a farm's one agent that are not its processor, each
// with figures once its driver has told them.
func gpus(t *testing.T, c *client.Client) (host string, found []*galav1.DeviceView) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	agents, err := c.Agents(ctx)
	if err != nil || len(agents) != 1 {
		t.Fatalf("agents %v (%v), want one", agents, err)
	}
	for _, d := range agents[0].GetDevices() {
		if d.GetId() != "cpu" {
			found = append(found, d)
		}
	}
	return agents[0].GetName(), found
}

// awaitGPUs waits until they are as a test wants them.
func awaitGPUs(t *testing.T, c *client.Client, patience time.Duration, what string, ok func([]*galav1.DeviceView) bool) (found []*galav1.DeviceView) {
	t.Helper()
	farm.Until(t, patience, what, func() bool {
		_, found = gpus(t, c)
		return ok(found)
	})
	return found
}

// inStates says whether drivers tell these of their GPUs, in this order.
func inStates(want ...galav1.DeviceState) func([]*galav1.DeviceView) bool {
	return func(found []*galav1.DeviceView) bool {
		return slices.EqualFunc(found, want, func(d *galav1.DeviceView, s galav1.DeviceState) bool { return d.GetFigures().GetState() == s })
	}
}

const (
	well = galav1.DeviceState_DEVICE_STATE_WELL
	lost = galav1.DeviceState_DEVICE_STATE_LOST
)

// A farm on the driver twin works as it does without: a live job for the processor is
// encoded there. Its GPUs are shown with figures that follow what is done on them, each
// place says that they are twins, and one that is lost is told within seconds and
// costs the job nothing.
func TestDriverTwin(t *testing.T) {
	libraries := twinLibraries(t)
	t.Setenv("GALA_AGENT_METRICS", "127.0.0.1:0")
	f := farm.Start(t, "--twin", "l4:2")
	c := f.Client()
	f.Must("live", "submit", "--id", "gala", "--input", "testcard:?size=640x360", "--ladder", "mini", "--cpu", "only")
	segments(t, f, c, "gala", 2)
	idle := awaitGPUs(t, c, 30*time.Second, "two GPUs have figures", inStates(well, well))
	directory := filepath.Join(f.Data, "twin")
	cards, err := twin.Open(directory, libraries)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("workers see it", func(t *testing.T) { wantWorkerOn(t, f, directory, libraries) })
	t.Run("every place says twin", func(t *testing.T) { wantTwinEverywhere(t, f, c, cards) })
	t.Run("figures move", func(t *testing.T) { wantMovingFigures(t, f, c, cards, idle) })

	before := f.Job(c, "gala")
	began := time.Now()
	if err := cards.SetFaults(twin.Fault{Kind: twin.Lost, Device: 1}); err != nil {
		t.Fatal(err)
	}
	found := awaitGPUs(t, c, 30*time.Second, "the second GPU is lost, with its XID", func(all []*galav1.DeviceView) bool {
		return inStates(well, lost)(all) && len(all[1].GetFigures().GetXids()) > 0 && all[1].GetRole() == "unusable"
	})
	t.Logf("seen after %v: %s", time.Since(began).Round(100*time.Millisecond), found[1].GetFigures().GetTrouble())
	if xid := found[1].GetFigures().GetXids()[0]; xid.GetCode() != 79 {
		t.Errorf("XID %v", xid)
	}
	if out := f.Must("fleet", "ls"); !strings.Contains(out, found[1].GetId()+" twin unusable lost") || strings.Count(out, "lost") != 1 {
		t.Errorf("gala fleet ls:\n%s", out)
	}
	farm.Until(t, 60*time.Second, "the job goes on", func() bool {
		return f.Job(c, "gala").GetRenditions()[0].GetLastSegment() >= before.GetRenditions()[0].GetLastSegment()+3
	})
	if after := f.Job(c, "gala"); after.GetAttempts() != before.GetAttempts() || after.GetState() != galav1.JobState_JOB_STATE_RUNNING {
		t.Errorf("attempt %d after %d, %v: %s", after.GetAttempts(), before.GetAttempts(), after.GetState(), after.GetReason())
	}
	verify(t, f, "gala")
	f.Must("live", "stop", "gala")
	if job := ended(t, f, c, "gala"); job.GetState() != galav1.JobState_JOB_STATE_DONE {
		t.Errorf("state %v after stop: %s", job.GetState(), job.GetReason())
	}
	f.Stop()
	if _, err := os.Stat(directory); !os.IsNotExist(err) {
		t.Errorf("the twin outlived the farm: %v", err)
	}
}

// wantWorkerOn the twin: its environment names the devices and the libraries.
func wantWorkerOn(t *testing.T, f *farm.Farm, directory, libraries string) {
	workers := f.Workers()
	if len(workers) != 1 {
		t.Fatalf("workers %v, want one", workers)
	}
	for name, pid := range workers {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			t.Fatal(err)
		}
		environ := strings.Split(string(text), "\x00")
		onPath := func(v string) bool { return strings.HasPrefix(v+":", "LD_LIBRARY_PATH="+libraries+":") }
		if !slices.Contains(environ, "GALA_TWIN="+directory) || !slices.ContainsFunc(environ, onPath) {
			t.Errorf("%s has %q", name, environ)
		}
	}
}

var metricsURL = regexp.MustCompile(`url=(http://\S+/metrics)`)

// wantTwinEverywhere: each place that shows such a device says what it is, for
// both. The page is tested in e2e/browser.
func wantTwinEverywhere(t *testing.T, f *farm.Farm, c *client.Client, cards *twin.Twin) {
	host, found := gpus(t, c)
	log, err := os.ReadFile(filepath.Join(f.Data, "up.log"))
	if err != nil {
		t.Fatal(err)
	}
	url := metricsURL.FindSubmatch(log)
	if url == nil {
		t.Fatalf("the agent tells no address for scrapes:\n%s", log)
	}
	if !strings.Contains(string(log), "ITS GPUS ARE TWINS (l4:2)") {
		t.Errorf("the farm announces nothing:\n%s", log)
	}
	if out := f.Must("fleet", "ls"); !strings.Contains(out, found[0].GetId()+" twin") || !strings.Contains(out, found[1].GetId()+" twin") {
		t.Errorf("gala fleet ls:\n%s", out)
	}
	for place, text := range map[string]string{
		"the agent's log":    string(log),
		"gala fleet show":    f.Must("fleet", "show", host),
		"the same as JSON":   f.Must("fleet", "show", host, "-o", "json"),
		"/metrics":           string(get(t, string(url[1]))),
		"gala-agent devices": onTwin(t, cards, "gala-agent", "devices"),
		"gala doctor":        onTwin(t, cards, "gala", "doctor", "--data", f.Data, "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0"),
	} {
		if strings.Count(text, "NVIDIA L4 "+twin.Mark) < 2 || strings.Count(text, "NVIDIA L4 ") != strings.Count(text, "NVIDIA L4 "+twin.Mark) {
			t.Errorf("%s does not say of two GPUs that they are twins:\n%s", place, text)
		}
	}
}

// onTwin is what a built program says on the twin's devices, whatever it thinks of the
// rest of this machine.
func onTwin(t *testing.T, cards *twin.Twin, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, farm.Binary(t, program), args...)
	cmd.Env = cards.Environment(os.Environ())
	out, err := cmd.CombinedOutput()
	if _, judged := errors.AsType[*exec.ExitError](err); err != nil && !judged {
		t.Errorf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// wantMovingFigures: another program encodes on the second GPU, which is seen on it
// and not on the first.
func wantMovingFigures(t *testing.T, f *farm.Farm, c *client.Client, cards *twin.Twin, idle []*galav1.DeviceView) {
	program := filepath.Join(os.Getenv("GALA_FFMPEG"), "bin", "ffmpeg")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("FIGURES OF THE TWIN ARE NOT SEEN MOVING HERE: %v; tools/setup/env.sh names FFmpeg", err)
	}
	encode := exec.Command(program, "-hide_banner", "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25",
		"-c:v", "h264_nvenc", "-gpu", "1", "-preset", "p1", "-bf", "0", "-f", "null", "-")
	encode.Env, encode.Stderr = cards.Environment(os.Environ()), os.Stderr
	if err := encode.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { _ = encode.Process.Kill(); _ = encode.Wait() }
	t.Cleanup(stop)
	found := awaitGPUs(t, c, 30*time.Second, "its session is seen at its rate", func(all []*galav1.DeviceView) bool {
		if len(all) != 2 {
			return false
		}
		sessions := all[1].GetFigures().GetSessions()
		// Those that were tried on the first GPU a moment ago are gone by then.
		return len(sessions) == 1 && sessions[0].GetFps() > 5 && all[0].GetFigures().GetEncodeSessions() == 0
	})
	was, is := idle[1].GetFigures(), found[1].GetFigures()
	if is.GetMemoryUsedBytes() <= was.GetMemoryUsedBytes() || is.GetPowerMw() <= was.GetPowerMw() || is.GetSmClockMhz() <= was.GetSmClockMhz() {
		t.Errorf("busy %v\nidle %v", is, was)
	}
	if other := found[0].GetFigures(); other.GetEncodeSessions() != 0 || other.GetMemoryUsedBytes() != 0 {
		t.Errorf("the other GPU: %v", other)
	}
	host, _ := gpus(t, c)
	if out := f.Must("fleet", "show", host); !strings.Contains(out, "(another program)") || !strings.Contains(out, "640x360") {
		t.Errorf("gala fleet show:\n%s", out)
	} else {
		t.Logf("gala fleet show:\n%s", out)
	}
	stop()
	awaitGPUs(t, c, 30*time.Second, "the session is gone", func(all []*galav1.DeviceView) bool {
		return len(all) == 2 && all[1].GetFigures().GetEncodeSessions() == 0 && all[1].GetFigures().GetMemoryUsedBytes() == 0
	})
}

// What a farm leaves of its twin that was killed is gone with the next one, whether that
// has other devices or none.
func TestDriverTwinOfAFarmThatWasKilled(t *testing.T) {
	t.Parallel()
	twinLibraries(t)
	data := t.TempDir()
	directory := filepath.Join(data, "twin")
	file := filepath.Join(t.TempDir(), "t4.yaml")
	if err := os.WriteFile(file, []byte("devices:\n  - model: t4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, start := range []struct{ spec, model string }{{"l4:2", "NVIDIA L4 (driver twin)"}, {file, "Tesla T4 (driver twin)"}} {
		f := farm.StartIn(t, data, "--twin", start.spec)
		awaitGPUs(t, f.Client(), 30*time.Second, start.model, func(all []*galav1.DeviceView) bool {
			return len(all) > 0 && all[0].GetModel() == start.model && inStates(well)(all[:1])
		})
		f.Kill()
		if _, err := os.Stat(directory); err != nil {
			t.Fatalf("this test is not about anything any more: %v", err)
		}
	}
	f := farm.StartIn(t, data)
	if _, err := os.Stat(directory); !os.IsNotExist(err) {
		t.Errorf("a farm without a twin left the old one: %v", err)
	}
	if _, found := gpus(t, f.Client()); slices.ContainsFunc(found, func(d *galav1.DeviceView) bool { return twin.Is(d.GetModel()) }) {
		t.Errorf("devices %v", found)
	}
}

// What each GPU of a host is for is found by opening sessions on it, and every place
// says so with the reason. One that is lost is withdrawn in seconds, and offered again
// when it is back and has been tried; a driver that hangs keeps nobody from the
// processor.
func TestRolesOfGPUs(t *testing.T) {
	t.Parallel()
	libraries := twinLibraries(t)
	f := farm.Start(t, "--twin", "l4:1,h200:1,rtx4090:2")
	c := f.Client()
	found := awaitGPUs(t, c, 30*time.Second, "four GPUs are tried", inRoles("encode", "decode-only", "encode", "encode"))
	l4, h200 := found[0], found[1]
	if got := strings.Join(l4.GetEncoders(), " "); got != "h264_nvenc hevc_nvenc" || strings.Join(l4.GetTenBitEncoders(), " ") != "hevc_nvenc" || l4.GetMaxSessions() != 0 {
		t.Errorf("L4: %v", l4)
	}
	if why := h200.GetRoleReason(); !strings.Contains(why, "no NVENC") || !strings.Contains(why, "unsupported device (2)") || len(h200.GetEncoders()) > 0 {
		t.Errorf("H200: %v", h200)
	}
	for _, d := range found[2:] {
		if d.GetMaxSessions() != 8 || !d.GetSessionsShared() {
			t.Errorf("RTX 4090: %v", d)
		}
	}
	host, _ := gpus(t, c)
	cards, err := twin.Open(filepath.Join(f.Data, "twin"), libraries)
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range map[string]string{
		"gala fleet show":    f.Must("fleet", "show", host),
		"gala-agent devices": onTwin(t, cards, "gala-agent", "devices"),
		"gala doctor":        onTwin(t, cards, "gala", "doctor", "--data", f.Data, "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0"),
	} {
		for _, want := range []string{"decode-only", "h264_nvenc", "no NVENC"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", place, want, text)
			}
		}
	}

	if err := cards.SetFaults(twin.Fault{Kind: twin.Lost, Device: 0}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	gone := awaitGPUs(t, c, 30*time.Second, "the L4 is withdrawn", inRoles("unusable", "decode-only", "encode", "encode"))
	t.Logf("withdrawn after %v: %s", time.Since(began).Round(100*time.Millisecond), gone[0].GetRoleReason())
	if err := cards.SetFaults(); err != nil {
		t.Fatal(err)
	}
	awaitGPUs(t, c, 90*time.Second, "the L4 is offered again", inRoles("encode", "decode-only", "encode", "encode"))
}

func inRoles(want ...string) func([]*galav1.DeviceView) bool {
	return func(found []*galav1.DeviceView) bool {
		return slices.EqualFunc(found, want, func(d *galav1.DeviceView, role string) bool { return d.GetRole() == role })
	}
}

// users-ask 7: on a host whose driver hangs from the start the processor works, and the
// farm says of each GPU why it does not.
func TestAHungDriverLeavesTheProcessor(t *testing.T) {
	t.Parallel()
	twinLibraries(t)
	file := filepath.Join(t.TempDir(), "hung.yaml")
	if err := os.WriteFile(file, []byte("devices:\n  - model: l4\n    count: 2\nfaults:\n  - {kind: hang, device: 1, part: nvenc}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := farm.Start(t, "--twin", file)
	c := f.Client()
	f.Must("live", "submit", "--id", "gala", "--input", "testcard:?size=640x360", "--ladder", "mini", "--cpu", "only")
	segments(t, f, c, "gala", 2)
	found := awaitGPUs(t, c, 60*time.Second, "the second GPU is judged", func(all []*galav1.DeviceView) bool {
		return inRoles("encode", "unusable")(all) && strings.Contains(all[1].GetRoleReason(), "hangs")
	})
	t.Logf("%s", found[1].GetRoleReason())
	f.Must("live", "stop", "gala")
	ended(t, f, c, "gala")
}
