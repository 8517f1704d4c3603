package metrics

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/agent/supervisor"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func busy() *galav1.DeviceFigures {
	return &galav1.DeviceFigures{
		Id: "GPU-5c1b", Model: "NVIDIA L4 (driver twin)", Index: 2, Bus: "00000000:01:00.0", State: galav1.DeviceState_DEVICE_STATE_WELL, AgeMs: 500, ReadUs: 250,
		SmPercent: proto.Uint32(13), MemoryPercent: proto.Uint32(7), EncoderPercent: proto.Uint32(44), DecoderPercent: proto.Uint32(0),
		MemoryTotalBytes: proto.Uint64(24 << 30), MemoryUsedBytes: proto.Uint64(3 << 29), MemoryFreeBytes: proto.Uint64(22 << 30), MemoryReservedBytes: proto.Uint64(512 << 20),
		PowerMw: proto.Uint32(30600), PowerLimitMw: proto.Uint32(72000), EnergyMj: proto.Uint64(123456789), TemperatureCelsius: proto.Uint32(49),
		SmClockMhz: proto.Uint32(2040), MemoryClockMhz: proto.Uint32(6251), VideoClockMhz: proto.Uint32(1754), ThrottleBits: proto.Uint64(4),
		Throttled: []string{"power cap"}, EccCorrected: proto.Uint64(3), EccUncorrected: proto.Uint64(0), EncodeSessions: proto.Uint32(2),
		Sessions: []*galav1.EncodeSession{
			{Pid: 4711, Codec: "h264", Width: 1280, Height: 720, Fps: 50, LatencyUs: 8300, Job: "derby", Assignment: "derby-1", Rendition: "720p"},
			{Pid: 4711, Codec: "h264", Width: 1280, Height: 720, Fps: 25, LatencyUs: 9000, Job: "derby", Assignment: "derby-1"},
		},
		Xids: []*galav1.Xid{{Code: 31, At: timestamppb.Now()}}, XidCounts: map[uint64]uint64{31: 2, 79: 1},
	}
}

func lost() *galav1.DeviceFigures {
	d := busy()
	d.Id, d.Index, d.State, d.Sessions, d.Xids, d.XidCounts = "GPU-8e20", 3, galav1.DeviceState_DEVICE_STATE_LOST, nil, nil, nil
	d.AgeMs = 90_000
	return d
}

func view() *View {
	return &View{
		At: time.Now(),
		Telemetry: &galav1.Telemetry{
			CpuLoad: 0.25, MemoryUsedBytes: 1 << 30, MemoryTotalBytes: 4 << 30, GpuDriver: "570.124.06-twin",
			Gpus:    []*galav1.DeviceFigures{busy(), lost()},
			Workers: []*galav1.WorkerUsage{{Assignment: "derby-1", CpuUs: 2_500_000, RssBytes: 300 << 20}},
		},
		Running: []supervisor.Running{
			{Spec: &galav1.Assignment{Id: "derby-1", Job: "derby", Device: "GPU-5c1b"}, PID: 4711, Status: &galav1.WorkerStatus{Renditions: []*galav1.RenditionProgress{
				{Name: "720p", Frames: 1500, Fps: 50, Speed: 1, Bitrate: 3_000_000, Segments: 15, LateSegments: 1, Bytes: 11_250_000},
			}}},
			{Spec: &galav1.Assignment{Id: "next-1", Job: "next"}},
		},
	}
}

// scrape returns the samples by name and labels.
func scrape(t *testing.T, v *View) map[string]string {
	t.Helper()
	server := httptest.NewServer(Handler("gpu-7", func() *View { return v }, slog.New(slog.DiscardHandler)))
	defer server.Close()
	answer, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		t.Fatalf("%s: %s", answer.Status, text)
	}
	samples := map[string]string{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, found := cutLast(lines.Text())
		if found && !strings.HasPrefix(name, "#") {
			samples[name] = value
		}
	}
	return samples
}

func cutLast(line string) (name, value string, found bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

const of = `{DCGM_FI_DRIVER_VERSION="570.124.06-twin",Hostname="gpu-7",UUID="GPU-5c1b",device="nvidia2",gpu="2",modelName="NVIDIA L4 (driver twin)",pci_bus_id="00000000:01:00.0"}`

// The names, units and labels that dashboards for DCGM's exporter ask for.
func TestDCGMNames(t *testing.T) {
	got := scrape(t, view())
	for name, want := range map[string]string{
		"SM_CLOCK": "2040", "MEM_CLOCK": "6251", "VIDEO_CLOCK": "1754", "GPU_TEMP": "49", "POWER_USAGE": "30.6", "ENFORCED_POWER_LIMIT": "72",
		"TOTAL_ENERGY_CONSUMPTION": "1.23456789e+08", "GPU_UTIL": "13", "MEM_COPY_UTIL": "7", "ENC_UTIL": "44", "DEC_UTIL": "0",
		"FB_TOTAL": "24576", "FB_FREE": "22528", "FB_USED": "1536", "FB_RESERVED": "512", "XID_ERRORS": "31", "CLOCK_THROTTLE_REASONS": "4",
		"ECC_SBE_VOL_TOTAL": "3", "ECC_DBE_VOL_TOTAL": "0",
	} {
		if v := got["DCGM_FI_DEV_"+name+of]; v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
}

func TestNamesOfTheFarm(t *testing.T) {
	got := scrape(t, view())
	for name, want := range map[string]string{
		`gala_gpu_up{UUID="GPU-5c1b",modelName="NVIDIA L4 (driver twin)"}`:                           "1",
		`gala_gpu_up{UUID="GPU-8e20",modelName="NVIDIA L4 (driver twin)"}`:                           "0",
		`gala_gpu_xid_errors_total{UUID="GPU-5c1b",modelName="NVIDIA L4 (driver twin)",xid="79"}`:    "1",
		`gala_gpu_throttled{UUID="GPU-5c1b",modelName="NVIDIA L4 (driver twin)",reason="power cap"}`: "1",
		`gala_gpu_read_seconds{UUID="GPU-5c1b",modelName="NVIDIA L4 (driver twin)"}`:                 "0.00025",
		`gala_worker_cpu_seconds_total{assignment="derby-1",device="GPU-5c1b",job="derby"}`:          "2.5",
		`gala_rendition_frames_total{assignment="derby-1",job="derby",rendition="720p"}`:             "1500",
		`gala_rendition_late_segments_total{assignment="derby-1",job="derby",rendition="720p"}`:      "1",
		`gala_host_cpu_load_ratio`:                                           "0.25",
		`gala_encode_session_fps` + session(`rendition="720p"`, "0"):         "50",
		`gala_encode_session_latency_seconds` + session(`rendition=""`, "1"): "0.009",
	} {
		if v := got[name]; v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if got["go_goroutines"] == "" {
		t.Error("nothing of the agent itself")
	}
}

func session(rendition, n string) string {
	return `{UUID="GPU-5c1b",assignment="derby-1",codec="h264",height="720",job="derby",modelName="NVIDIA L4 (driver twin)",pid="4711",` + rendition + `,session="` + n + `",width="1280"}`
}

// A GPU that is not one says so wherever it is named.
func TestTwinsSayTwin(t *testing.T) {
	for name := range scrape(t, view()) {
		if strings.Contains(name, `UUID="`) && !strings.Contains(name, `modelName="NVIDIA L4 (driver twin)"`) {
			t.Error(name)
		}
	}
}

// Figures of a GPU that is not well are absent, and their age is told.
func TestALostGPUHasNoFigures(t *testing.T) {
	got := scrape(t, view())
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if strings.Contains(name, "GPU-8e20") && strings.HasPrefix(name, "DCGM_") && !strings.HasPrefix(name, "DCGM_FI_DEV_XID_ERRORS") {
			t.Errorf("%s %s", name, got[name])
		}
	}
	if age := got[`gala_gpu_figures_age_seconds{UUID="GPU-8e20",modelName="NVIDIA L4 (driver twin)"}`]; !strings.HasPrefix(age, "90.") {
		t.Errorf("age %q", age)
	}
}

// A telemetry loop that has stopped is seen too: ages grow.
func TestAgesGrow(t *testing.T) {
	v := view()
	v.At = v.At.Add(-time.Minute)
	if age := scrape(t, v)[`gala_gpu_figures_age_seconds{UUID="GPU-5c1b",modelName="NVIDIA L4 (driver twin)"}`]; !strings.HasPrefix(age, "60.") {
		t.Errorf("age %q", age)
	}
}

func TestBeforeTheFirstView(t *testing.T) {
	if got := scrape(t, nil); got["go_goroutines"] == "" || got["gala_host_cpu_load_ratio"] != "" {
		t.Errorf("%d samples", len(got))
	}
}

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := Serve(ctx, l, Handler("h", view, slog.New(slog.DiscardHandler))); err != nil {
			t.Error(err)
		}
	})
	for path, want := range map[string]int{"/metrics": 200, "/": 404} {
		answer, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	cancel()
	serving.Wait()
}
