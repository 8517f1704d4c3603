package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/internal/fakefarm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var update = flag.Bool("update", false, "write the golden files")

// noon is when every test happens.
var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func noonNow() time.Time { return noon }

func ago(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(noon.Add(-d)) }

// ran is what a command did.
type ran struct {
	code     int
	out, err string
}

// gala runs a command against the farm at address.
func gala(t *testing.T, address string, args ...string) ran {
	t.Helper()
	var out, errs bytes.Buffer
	sh := &shell{ctx: t.Context(), stdin: strings.NewReader(""), out: &out, err: &errs, now: noonNow}
	t.Setenv("GALA_FARM", address)
	code := run(sh, args)
	return ran{code, out.String(), errs.String()}
}

// golden compares with testdata/NAME.txt.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; run the test with -update after looking (-want +got):\n%s", file, diff)
	}
}

// derby is a live job in the middle of its life.
func derby() *galav1.Job {
	video := &galav1.Rendition{Name: "720p", Kind: &galav1.Rendition_Video{Video: &galav1.VideoRendition{Width: 1280, Height: 720, FpsDivisor: 2, Codec: "h264"}}}
	audio := &galav1.Rendition{Name: "stereo", Kind: &galav1.Rendition_Audio{Audio: &galav1.AudioRendition{Codec: "aac", Channels: 2, Language: "en"}}}
	return &galav1.Job{
		Spec:  &galav1.JobSpec{Id: "derby", Kind: galav1.JobKind_JOB_KIND_LIVE, Input: "srt://10.0.0.7:9000", Backups: []string{"/media/derby.ts"}, Ladder: "hd"},
		State: galav1.JobState_JOB_STATE_RUNNING, Reason: "1 worker runs", Revision: 7,
		CreatedAt: ago(90 * time.Minute), UpdatedAt: ago(time.Second),
		Source: &galav1.SourceInfo{
			Container: "mpegts", Video: []*galav1.VideoTrack{{Codec: "h264", Width: 1920, Height: 1080, Fps: &galav1.Rational{Num: 50, Den: 1}, Interlaced: true}},
			Audio: []*galav1.AudioTrack{{Codec: "mp2", Channels: 2, Language: "en"}},
		},
		Grid: &galav1.Grid{Fps: &galav1.Rational{Num: 50, Den: 1}, FramesPerGop: 100, GopsPerSegment: 1, Timescale: 50},
		Renditions: []*galav1.RenditionStatus{
			{Rendition: video, Assignment: "derby-1", Speed: 1.02, Bitrate: 2_950_000, LastSegment: 891234, Segments: 2700, LastSegmentAt: ago(time.Second)},
			{Rendition: audio, Assignment: "derby-1", Speed: 1.0, Bitrate: 128_000, LastSegment: 891234, Segments: 2700, LastSegmentAt: ago(time.Second), LateSegments: 1},
		},
		Placements: []*galav1.PlacementView{{Assignment: "derby-1", Agent: "gpu-7", Device: "cpu", Epoch: 3, Reason: "the only host with 2.1 Gpx/s free"}},
		Outputs:    []string{"http://127.0.0.1:8080/origin/derby/master.m3u8", "https://cdn.example/in/derby/master.m3u8"},
		OutputStates: []*galav1.OutputStatus{
			{Url: "http://127.0.0.1:8080/origin/derby", State: galav1.OutputState_OUTPUT_STATE_WELL, LastSegment: 891234, LastSegmentAt: ago(time.Second), Bytes: 2_078_500_000},
			{Url: "https://cdn.example/in/derby", State: galav1.OutputState_OUTPUT_STATE_TROUBLE, LastSegment: 891222, LastSegmentAt: ago(25 * time.Second), Behind: 12, Lost: 7,
				TroubleSince: ago(22 * time.Second), Cause: "PUT https://cdn.example/in/derby/720p/891223.m4s: 503 Service Unavailable"},
		},
		Events: []*galav1.JobEvent{
			{Time: ago(90 * time.Minute), Kind: "accepted", Cause: "live job submitted", Effect: "waiting to be probed"},
			{Time: ago(time.Minute), Kind: "worker_crashed", Cause: "signal 11", Effect: "placed again with epoch 3"},
		},
		Notes: []string{"the source is interlaced; it is deinterlaced to frames"},
	}
}

// replay is a VOD job that failed.
func replay() *galav1.Job {
	return &galav1.Job{
		Spec:  &galav1.JobSpec{Id: "replay", Kind: galav1.JobKind_JOB_KIND_VOD, Input: "/media/replay.mp4", LadderYaml: "name: x", Priority: 5},
		State: galav1.JobState_JOB_STATE_FAILED, Reason: "gave up", Revision: 4, CreatedAt: ago(26 * time.Hour), EndedAt: ago(25 * time.Hour),
		ProgressPermille: 417,
		Error:            &galav1.JobError{Code: "source_error", Message: "open /media/replay.mp4: no such file", Advice: "put the file where the agent can read it"},
	}
}

// twins is a host with GPUs whose drivers tell figures: one well, one lost.
func twins() *galav1.AgentView {
	return &galav1.AgentView{
		Name: "gpu-9", Connected: true, LastBeat: ago(300 * time.Millisecond), Version: "v0.1.0 (abc)", TelemetryAt: ago(600 * time.Millisecond),
		Devices: []*galav1.DeviceView{
			{Id: "GPU-5c1b7a3e-0d2f", Model: "NVIDIA L4 (driver twin)", Role: "encode", LoadPermille: 480, RoleReason: "encoded with h264_nvenc, hevc_nvenc (10 bits too)",
				Encoders: []string{"h264_nvenc", "hevc_nvenc"}, TenBitEncoders: []string{"hevc_nvenc"}, Sessions: 2, CapacitySource: "catalogue: 2 engines; not calibrated", Figures: &galav1.DeviceFigures{
					Id: "GPU-5c1b7a3e-0d2f", Model: "NVIDIA L4 (driver twin)", State: galav1.DeviceState_DEVICE_STATE_WELL, AgeMs: 700,
					SmPercent: proto.Uint32(13), EncoderPercent: proto.Uint32(44), DecoderPercent: proto.Uint32(0), TemperatureCelsius: proto.Uint32(49),
					MemoryTotalBytes: proto.Uint64(24 << 30), MemoryUsedBytes: proto.Uint64(3 << 29), PowerMw: proto.Uint32(30600), PowerLimitMw: proto.Uint32(72000),
					SmClockMhz: proto.Uint32(2040), EncodeSessions: proto.Uint32(2), Throttled: []string{"power cap"},
					Sessions: []*galav1.EncodeSession{
						{Pid: 4711, Codec: "h264", Width: 1920, Height: 1080, Fps: 50, LatencyUs: 8300, Job: "derby", Assignment: "derby-1", Rendition: "1080p"},
						{Pid: 99, Codec: "hevc", Width: 1280, Height: 720, Fps: 25, LatencyUs: 12000},
					},
				}},
			{Id: "GPU-71c0ffee-01ab", Model: "NVIDIA GeForce RTX 4090 (driver twin)", Role: "encode", LoadPermille: 20, Encoders: []string{"h264_nvenc"},
				Sessions: 1, MaxSessions: 8, SessionsShared: true, SessionsOfHost: 3},
			{Id: "GPU-8e20c4d9-77aa", Model: "NVIDIA L4 (driver twin)", Role: "unusable", RoleReason: "the GPU cannot be used: the driver says GPU is lost (NVML 15)", Figures: &galav1.DeviceFigures{
				Id: "GPU-8e20c4d9-77aa", Index: 1, Model: "NVIDIA L4 (driver twin)", State: galav1.DeviceState_DEVICE_STATE_LOST, AgeMs: 95_000,
				Trouble: "the GPU cannot be used: the driver says GPU is lost (NVML 15); reset it or reboot this host", SmPercent: proto.Uint32(13),
				Xids: []*galav1.Xid{{Code: 79, At: ago(95 * time.Second), Meaning: "the GPU fell off the bus; check power and seat, then reboot"}},
			}},
		},
	}
}

func stadium(t *testing.T) string {
	t.Helper()
	farm := &fakefarm.Farm{Agents: []*galav1.AgentView{
		{
			Name: "gpu-7", Connected: true, LastBeat: ago(400 * time.Millisecond), Version: "v0.1.0 (abc)", Labels: map[string]string{"rack": "r2", "zone": "a"},
			Devices: []*galav1.DeviceView{
				{Id: "cpu", Model: "AMD EPYC 9354", Role: "encode", LoadPermille: 350},
				{Id: "GPU-1f", Model: "NVIDIA H100", Role: "decode-only", RoleReason: "this model has no NVENC"},
			},
			Assignments: []string{"derby-1"},
		},
		twins(),
		{Name: "gpu-8", LastBeat: ago(3 * time.Minute), Version: "v0.1.0 (abc)"},
	}}
	farm.Put(replay())
	farm.Put(derby())
	return farm.Serve(t)
}
