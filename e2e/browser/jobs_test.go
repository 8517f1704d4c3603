package browser

import (
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/galafarm/gala/scheduler/dashboard"
)

func video(name string, w, h int32, target int64) *galav1.Rendition {
	return &galav1.Rendition{Name: name, Kind: &galav1.Rendition_Video{Video: &galav1.VideoRendition{
		Width: w, Height: h, FpsDivisor: 1, Codec: "h264", Profile: "high", Bitrate: target, Preset: "fast", Encoder: "libx264",
	}}}
}

func audio(name string) *galav1.Rendition {
	return &galav1.Rendition{Name: name, Kind: &galav1.Rendition_Audio{Audio: &galav1.AudioRendition{
		Codec: "aac", Channels: 2, SampleRate: 48000, Bitrate: 128_000, Language: "en",
	}}}
}

func status(r *galav1.Rendition, rate int64, speed float64, segment int64, age time.Duration) *galav1.RenditionStatus {
	s := &galav1.RenditionStatus{Rendition: r, Bitrate: rate, Speed: speed, Fps: 25 * speed, LastSegment: segment, Segments: 214, Frames: 214 * 50}
	if segment >= 0 {
		s.LastSegmentAt = ago(age)
	}
	return s
}

func source(w, h int32, seconds int64) *galav1.SourceInfo {
	return &galav1.SourceInfo{
		Container: "mov", DurationUs: seconds * 1_000_000,
		Video: []*galav1.VideoTrack{{Codec: "h264", Width: w, Height: h, Fps: &galav1.Rational{Num: 25, Den: 1}}},
		Audio: []*galav1.AudioTrack{{Codec: "aac", Channels: 2, SampleRate: 48000}},
	}
}

var grid25 = &galav1.Grid{Fps: &galav1.Rational{Num: 25, Den: 1}, FramesPerGop: 50, GopsPerSegment: 1, Timescale: 12800}

func job(id string, kind galav1.JobKind, state galav1.JobState, reason string) *galav1.Job {
	return &galav1.Job{
		Spec:  &galav1.JobSpec{Id: id, Kind: kind, Input: "/media/" + id + ".mp4", Ladder: "mini"},
		State: state, Reason: reason, Revision: 1, CreatedAt: ago(8 * time.Minute), UpdatedAt: ago(time.Second), Attempts: 1,
		Outputs: []string{"http://127.0.0.1:8080/origin/" + id + "/master.m3u8"},
	}
}

// busy is a farm with one of everything that the page can show.
func busy() dashboard.View {
	return dashboard.View{
		Jobs:   []*galav1.Job{onAir(), degraded(), encoding(), queued(), failed(), done()},
		Agents: agents(),
	}
}

func onAir() *galav1.Job {
	j := job("final-2026", galav1.JobKind_JOB_KIND_LIVE, galav1.JobState_JOB_STATE_RUNNING, "All 6 renditions are on time.")
	j.Spec.Ladder, j.Source, j.Grid = "hd", source(1920, 1080, 0), grid25
	for i, r := range []*galav1.Rendition{
		video("1080p", 1920, 1080, 6_000_000), video("1080p-low", 1920, 1080, 4_500_000), video("720p", 1280, 720, 3_000_000),
		video("540p", 960, 540, 2_000_000), video("360p", 640, 360, 730_000), audio("stereo"),
	} {
		rate := []int64{5_912_000, 4_433_000, 2_951_000, 1_970_000, 702_000, 131_000}[i]
		j.Renditions = append(j.Renditions, status(r, rate, 1, 892_114_213, 900*time.Millisecond))
	}
	j.Placements = []*galav1.PlacementView{{Assignment: "final-2026-a", Agent: "studio-2", Device: "GPU-5e1f", Epoch: 2,
		Reason: "studio-2 has the ladder on one decode: NVENC 61 % after placement, limit 85 %; studio-1 would be at 93 %."}}
	j.Events = []*galav1.JobEvent{
		{Time: ago(8 * time.Minute), Kind: "accepted", Cause: "submitted by a client", Effect: "source will be probed"},
		{Time: ago(7 * time.Minute), Kind: "placed", Cause: "probe found 1920×1080 at 25 fps", Effect: "six renditions on studio-1"},
		{Time: ago(2 * time.Minute), Kind: "worker_crashed", Cause: "SIGSEGV in libnvcuvid", Effect: "re-placed on studio-2 from segment 892114155, no gap"},
	}
	j.Notes = []string{"The source's audio starts 40 ms late; it is padded with silence."}
	return j
}

func degraded() *galav1.Job {
	j := job("court-7", galav1.JobKind_JOB_KIND_LIVE, galav1.JobState_JOB_STATE_DEGRADED, "480p stopped 14 s ago: its worker is being replaced on laptop (attempt 2 of 5).")
	j.Source, j.Grid, j.Attempts = source(1280, 720, 0), grid25, 2
	j.Renditions = []*galav1.RenditionStatus{
		status(video("480p", 854, 480, 1_400_000), 1_390_000, 0.4, 441, 14*time.Second),
		status(video("360p", 640, 360, 730_000), 715_000, 1, 447, 5100*time.Millisecond),
		status(video("240p", 426, 240, 300_000), 297_000, 1, 447, 1200*time.Millisecond),
		status(audio("stereo"), 128_000, 1, 447, 1100*time.Millisecond),
	}
	return j
}

func encoding() *galav1.Job {
	j := job("replay-118", galav1.JobKind_JOB_KIND_VOD, galav1.JobState_JOB_STATE_RUNNING, "Encoding on studio-1 at 3.2× real time.")
	j.Source, j.Grid, j.ProgressPermille = source(1280, 720, 1480), grid25, 430
	j.Renditions = []*galav1.RenditionStatus{
		status(video("480p", 854, 480, 1_400_000), 1_310_000, 3.2, 106, time.Second),
		status(video("360p", 640, 360, 730_000), 690_000, 3.2, 106, time.Second),
		status(video("240p", 426, 240, 300_000), 281_000, 3.2, 106, time.Second),
		status(audio("stereo"), 127_000, 3.4, 107, time.Second),
	}
	return j
}

func queued() *galav1.Job {
	return job("replay-119", galav1.JobKind_JOB_KIND_VOD, galav1.JobState_JOB_STATE_WAITING, "Waits for a device: laptop is at 93 % with court-7 and frees up when replay-118 ends, in about 4 min.")
}

func failed() *galav1.Job {
	j := job("upload-55", galav1.JobKind_JOB_KIND_VOD, galav1.JobState_JOB_STATE_FAILED, "The source is encrypted.")
	j.EndedAt = ago(20 * time.Minute)
	j.Error = &galav1.JobError{Code: "source_error", Message: "The source is encrypted (cenc).", Advice: "Give the farm a decrypted file."}
	return j
}

func done() *galav1.Job {
	j := job("replay-117", galav1.JobKind_JOB_KIND_VOD, galav1.JobState_JOB_STATE_DONE, "31.48 s in 3 renditions, 16 segments each.")
	j.EndedAt, j.ProgressPermille, j.Source, j.Grid = ago(50*time.Minute), 1000, source(1280, 720, 31), grid25
	return j
}

func agents() []*galav1.AgentView {
	return []*galav1.AgentView{
		{Name: "studio-1", Connected: true, LastBeat: ago(200 * time.Millisecond), Version: "1.0.0 (abc1234)", Labels: map[string]string{"rack": "a"},
			Devices: []*galav1.DeviceView{
				{Id: "GPU-11", Model: "NVIDIA L4", Role: "encode", LoadPermille: 930},
				{Id: "GPU-12", Model: "NVIDIA L4", Role: "encode", LoadPermille: 410},
				{Id: "GPU-13", Model: "NVIDIA H200", Role: "decode-only", RoleReason: "it has no encoder; it decodes and measures quality", LoadPermille: 0},
			}},
		{Name: "studio-2", Connected: true, LastBeat: ago(300 * time.Millisecond), Version: "1.0.0 (abc1234)", Labels: map[string]string{"rack": "b"},
			Devices: []*galav1.DeviceView{{Id: "GPU-5e1f", Model: "NVIDIA L40S", Role: "encode", LoadPermille: 610}}},
		{Name: "laptop", Connected: false, LastBeat: ago(14 * time.Second), Version: "1.0.0 (abc1234)",
			Devices: []*galav1.DeviceView{{Id: "cpu", Model: "8 × AMD Ryzen 7", Role: "encode", LoadPermille: 880}}},
	}
}
