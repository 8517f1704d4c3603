package e2e

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/e2e/farm"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// expectation is what a file of the media set must become as a VOD job, each
// reviewed by hand against the decode baseline in MANIFEST.tsv.
type expectation struct {
	// frames of the top video rendition (0: audio only). A deviation from the
	// baseline's count is a lead or a gap filled with the picture before.
	frames int64
	// audio frames of 1024 samples (0: video only).
	audio int64
	// fails: the error's message says this; the job gives no ladder.
	fails string
	// says: a note states this repair.
	says string
}

// The order is the manifest's.
var expectations = map[string]expectation{
	"long_bbb_720p24_vp8_vorbis_30s.webm":    {frames: 720, audio: 1408},
	"long_mix_720p25_h264_aac.mp4":           {frames: 787, audio: 1476},
	"wave_croatia_1080p25_qr.mp4":            {frames: 50, audio: 93},
	"flower_540p2997_h264_aac.mp4":           {frames: 150, audio: 237},
	"lecture_720p5994.mts":                   {frames: 32, audio: 0, says: "no audio"},        // 61 decode, two missing after the open-GOP start are filled; shown at half the rate
	"avchd_1080i50_sony_a7m3.mts":            {frames: 13, audio: 26, says: "deinterlaced"},   // 13 frames of two fields
	"dvb_576i25_mpeg2_news_cut.ts":           {frames: 98, audio: 184, says: "deinterlaced"},  // 71 decode; sound starts 27 frames before the first IDR
	"dvb_576i25_h264_eac3_losses_cut.ts":     {frames: 136, audio: 255, says: "deinterlaced"}, // 111 at the baseline with damaged ones; losses and the lead are filled
	"svt_576i25_tff_mpeg2_mp2.ts":            {frames: 125, audio: 235, says: "deinterlaced"},
	"tos_360p24_pts_rollover.ts":             {frames: 288, audio: 563},
	"foreman_720p23976_hevc_opengop.mp4":     {frames: 248, says: "no audio"},
	"hlg_hevc10_360p30.mov":                  {frames: 30, audio: 47, says: "tone-mapped"},
	"hdr10_av1_portrait_720x1280_2997.mp4":   {frames: 127, audio: 199, says: "tone-mapped"},
	"svt_720p50_h264_aac.mkv":                {frames: 126, audio: 236},                             // 250 and a lead of one frame, at half the rate
	"svt_testcard_720p50_8mono.mp4":          {frames: 250, audio: 469},                             // 500 at half the rate
	"fire_phone_vfr_rot180_720p.mp4":         {frames: 29, audio: 114, says: "variable frame rate"}, // 25 at no constant rate, on a grid of 12
	"iphone_portrait_rot90.mov":              {frames: 62, audio: 97, says: "rotated"},
	"bbb_540p60_vp9_vorbis51.webm":           {frames: 30, audio: 48}, // 60 at half the rate
	"game_1080p60_missing_dts.ts":            {frames: 60, says: "no audio"},
	"bbb_360p25_rtmp.flv":                    {frames: 252, audio: 473}, // 250 and sound that leads by two frames
	"lego_320p30.mkv":                        {frames: 168, audio: 262}, // 166, the last held until the sound ends
	"sintel_cea608_170p24.ts":                {frames: 243, audio: 475}, // 240 and sound that leads by 119 ms
	"nasa_2video_2audio_2subs.mp4":           {frames: 390, audio: 612, says: "2 video tracks"},
	"bbb_720p25_aac51.mp4":                   {frames: 132, audio: 249},
	"bbb_240p24_sar43.mp4":                   {frames: 238, audio: 465},
	"chaplin_360p25_longgop_mp3.mp4":         {frames: 241, audio: 452},
	"bottles_360p_longgop_40s_videoonly.mp4": {frames: 1189, says: "no audio"},
	"train_360p30.ts":                        {frames: 153, audio: 240}, // 152 and a lead of one frame; silence to the end of the pictures
	"train_missing_pts_2of3.ts":              {frames: 153, audio: 240},
	"train_loss1pct_biterr1pct.ts":           {frames: 151, audio: 235},
	"live_duplicate_audio_dts_720p30.ts":     {frames: 60, audio: 95}, // 59 decode, one is missing in the middle
	"live_zero_frame.ts":                     {audio: 79, says: "no packet of it arrives"},
	"pmt_lists_audio_but_none.ts":            {frames: 134, says: "no packet of it arrives"},
	"concat_reschange_ptsjump.ts":            {frames: 310, audio: 606, says: "jump"}, // three programmes joined, of which the baseline plays the first
	"friday_late_audio_3s5.ts":               {frames: 185, audio: 290},
	"lateaudio_1s15.mp4":                     {frames: 93, audio: 146},  // 72, the last held until the sound ends
	"edit_list_positive_shift_1080p30.mp4":   {frames: 300, audio: 469}, // 270 and the one second that the edit list asks for
	"audioonly_adts.aac":                     {audio: 469, says: "audio only"},
	"audioonly_15s.mp4":                      {audio: 704, says: "audio only"},
	"audioonly_aac.ts":                       {audio: 470, says: "audio only"},
	"odd_518x488_watch.mp4":                  {frames: 167, audio: 262},
	"tall_16x4000.ts":                        {frames: 30},
	"vp9_portrait_opus.webm":                 {frames: 240, audio: 375},
	"scte35_mpeg2.ts":                        {frames: 3, audio: 5},
	"fails_audio_near_end.mp4":               {frames: 280, audio: 527},
	"mdat_too_long.mp4":                      {frames: 33, audio: 52}, // 30, the last held until the sound ends
	"truncated_no_moov.mp4":                  {fails: "not a media file"},
	"truncated_mdat.mp4":                     {frames: 55, audio: 87},
	"crash_timescale0.mp4":                   {fails: "decodes"},
	"crash_1257700_2873x5115.webm":           {frames: 101, audio: 190}, // one picture decodes, at four seconds; the sound breaks off after 0.2 s and is filled with silence
	"crash_webm_corrupt.webm":                {audio: 1, says: "audio only"},
	"crash_789075_9841x705.webm":             {frames: 1, says: "no audio"},
	"encrypted_cenc.mp4":                     {fails: "encrypted"},
	"zero_length_segment_tables_only.ts":     {fails: "no packet of it arrives"},
	"mkv_named.mp4":                          {frames: 90, says: "no audio"},
	"ts_named.mp4":                           {frames: 30, says: "no audio"},
	"-video-with-dash-.mp4":                  {frames: 25, says: "no audio"}, // 5 pictures a second apart, at 5 a second: the lowest rate of a ladder
	"long_1080p30_6min_black_videoonly.mp4":  {frames: 10883, says: "no audio"},
	"zero_length.mp4":                        {fails: "empty (0 bytes)"},
	"zeros_64k.mp4":                          {fails: "zero bytes"},
	"html_error_named.ts":                    {fails: "HTML page"},
}

// jobID is a job id for a file name.
func jobID(name string) string {
	id := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '_'
	}, name)
	return "m" + id
}

// setLadder has rungs of up to 30 pictures a second, whatever else it has.
var setLadder = flag.String("set-ladder", "mini", "the `ladder` that every file of the media set is given: hd, testdata/hevc.yaml, testdata/av1.yaml take long")

func TestEveryMediaFileAsVOD(t *testing.T) {
	dir := farm.Media(t)
	names := mediaFiles(t, dir)
	if testing.Short() {
		names = names[1:]
	}
	f := farm.Start(t)
	for _, name := range names {
		queueFile(f, dir, name)
	}
	slices.Reverse(names) // the longest is waited for last
	for _, name := range names {
		t.Run(name, func(t *testing.T) { judgeFile(t, f, dir, name) })
	}
	if agents := f.Must("fleet", "ls"); !strings.Contains(agents, "attached") {
		t.Errorf("the agent did not survive:\n%s", agents)
	}
}

func queueFile(f *farm.Farm, dir, name string) {
	f.Must("vod", "queue", "--id", jobID(name), "--ladder", *setLadder, "--", filepath.Join(dir, name))
}

// judgeFile waits for its job and holds it and its ladder against what is expected.
func judgeFile(t *testing.T, f *farm.Farm, dir, name string) *galav1.Job {
	t.Helper()
	c := f.Client()
	want, known := expectations[name]
	if !known {
		t.Fatalf("no expectation is written down for %s", name)
	}
	var job *galav1.Job
	farm.Until(t, 30*time.Minute, name+" has ended", func() bool {
		job = f.Job(c, jobID(name))
		return job.GetEndedAt() != nil
	})
	if want.fails != "" {
		judgeFailure(t, job, want)
		return job
	}
	judgeLadder(t, job, want)
	if out, code := f.Run("verify", f.Origin(jobID(name)), "--source", filepath.Join(dir, name)); code != 0 {
		t.Errorf("gala verify: exit %d\n%s", code, out)
	}
	return job
}

// longest is six minutes of 1080p: it goes first, and is waited for last.
const longest = "long_1080p30_6min_black_videoonly.mp4"

// mediaFiles are the files of the set, playlists aside, the longest first.
func mediaFiles(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{longest}
	for _, e := range entries {
		if !e.IsDir() && filepath.Ext(e.Name()) != ".tsv" && !slices.Contains(names, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

func judgeFailure(t *testing.T, job *galav1.Job, want expectation) {
	t.Helper()
	e := job.GetError()
	if job.GetState() != galav1.JobState_JOB_STATE_FAILED || e.GetCode() != "source_error" || !strings.Contains(e.GetMessage(), want.fails) || e.GetAdvice() == "" {
		t.Errorf("state %v, error %v; want a source_error that says %q, with advice", job.GetState(), e, want.fails)
	}
}

func judgeLadder(t *testing.T, job *galav1.Job, want expectation) {
	t.Helper()
	if job.GetState() != galav1.JobState_JOB_STATE_DONE {
		t.Fatalf("state %v: %s %v", job.GetState(), job.GetReason(), job.GetError())
	}
	video, audio := int64(math.MaxInt64), int64(0)
	for _, r := range job.GetRenditions() {
		switch {
		case r.GetRendition().GetVideo() != nil:
			video = min(video, r.GetFrames()) // of the rungs of up to 30 a second; gala verify holds the others against them
		case r.GetRendition().GetAudio() != nil:
			audio = max(audio, r.GetFrames())
		}
	}
	if video == math.MaxInt64 {
		video = 0
	}
	if video != want.frames || audio != want.audio {
		t.Errorf("%d video and %d audio frames, want %d and %d", video, audio, want.frames, want.audio)
	}
	notes := strings.Join(append(job.GetNotes(), job.GetSource().GetNotes()...), "; ")
	if want.says != "" && !strings.Contains(notes, want.says) {
		t.Errorf("the notes do not say %q: %s", want.says, notes)
	}
}
