package agent

import (
	"testing"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/agent/supervisor"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

func video(name, codec string, width, height int32) *galav1.Rendition {
	return &galav1.Rendition{Name: name, Kind: &galav1.Rendition_Video{Video: &galav1.VideoRendition{Codec: codec, Width: width, Height: height}}}
}

// A worker that does not die may hang on a disk: for a while its GPU is not blamed.
func TestAnUndyingWorkerBlamesItsGPULater(t *testing.T) {
	gaveUp := time.Now()
	undying := []supervisor.Undying{{PID: 7, Device: "a", Since: gaveUp}}
	for after, want := range map[time.Duration]bool{time.Second: false, hangsAfter: true, time.Hour: true} {
		if got := workOf(nil, undying, gaveUp.Add(after))["a"].undying; (got != "") != want {
			t.Errorf("after %v: %q", after, got)
		}
	}
}

// users-ask 2: each session of the encoder is one rendition, found by the
// process that has it; what cannot be told apart is not guessed.
func TestSessionsHaveOwners(t *testing.T) {
	running := []supervisor.Running{
		{PID: 10, Spec: &galav1.Assignment{Id: "a", Job: "derby", Renditions: []*galav1.Rendition{
			video("1080p", "h264", 1920, 1080), video("720p", "h264", 1280, 720), video("720p-low", "h264", 1280, 720),
			{Name: "stereo", Kind: &galav1.Rendition_Audio{Audio: &galav1.AudioRendition{Codec: "aac"}}},
		}}},
		{PID: 20, Spec: &galav1.Assignment{Id: "b", Job: "final", Renditions: []*galav1.Rendition{video("720p", "hevc", 1280, 720)}}},
	}
	tests := []struct {
		session                    gpu.Session
		job, assignment, rendition string
	}{
		{gpu.Session{PID: 10, Codec: "h264", Width: 1920, Height: 1080}, "derby", "a", "1080p"},
		{gpu.Session{PID: 10, Codec: "h264", Width: 1280, Height: 720}, "derby", "a", ""},
		{gpu.Session{PID: 10, Codec: "hevc", Width: 1280, Height: 720}, "derby", "a", ""},
		{gpu.Session{PID: 20, Codec: "hevc", Width: 1280, Height: 720}, "final", "b", "720p"},
		{gpu.Session{PID: 30, Codec: "h264", Width: 1920, Height: 1080}, "", "", ""},
	}
	for _, tt := range tests {
		tt.session.FPS, tt.session.Latency = 50, 8300*time.Microsecond
		got := encodeSession(tt.session, running)
		if got.GetJob() != tt.job || got.GetAssignment() != tt.assignment || got.GetRendition() != tt.rendition || got.GetFps() != 50 || got.GetLatencyUs() != 8300 {
			t.Errorf("%+v: %v", tt.session, got)
		}
	}
}

// A figure that a driver does not tell is absent on the wire, not 0.
func TestFiguresOnTheWire(t *testing.T) {
	now := time.Now()
	all := deviceFigures(gpu.Snapshot{Devices: []gpu.Device{
		{GPU: gpu.GPU{UUID: "GPU-a", Model: "NVIDIA L4 (driver twin)"}, Index: 1, State: gpu.Stale, Trouble: "silent", At: now.Add(-7 * time.Second), Age: 7 * time.Second,
			Xids: []gpu.Xid{{Code: 79, At: now}}, XidCounts: map[uint64]uint64{79: 1}, Took: 900 * time.Microsecond},
		{GPU: gpu.GPU{UUID: "GPU-b"}},
	}}, nil)
	if len(all) != 2 {
		t.Fatal(all)
	}
	a := all[0]
	if a.GetId() != "GPU-a" || a.GetIndex() != 1 || a.GetState() != galav1.DeviceState_DEVICE_STATE_STALE || a.GetAgeMs() != 7000 || a.GetReadUs() != 900 ||
		a.GetXids()[0].GetCode() != 79 || a.GetXids()[0].GetMeaning() == "" || a.GetXidCounts()[79] != 1 || a.EncoderPercent != nil || a.EnergyMj != nil {
		t.Errorf("%v", a)
	}
	if b := all[1]; b.GetState() != galav1.DeviceState_DEVICE_STATE_UNSPECIFIED || b.GetAgeMs() != 0 {
		t.Errorf("%v", b)
	}
}
