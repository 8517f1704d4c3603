package libav

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/agent/gpu/twin"
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/encoders"
	"github.com/galafarm/gala/timeline"
)

// What the pipeline does it does with a GPU's encoders too: these tests run once
// more, with the twin's H.264 and HEVC in the place of x264 and x265. What of
// their renditions is AV1 stays the processor's, beside them in one worker.
func TestTheSameOnAGPU(t *testing.T) {
	for _, tests := range []string{
		"TestWaveFramesOnce|TestWaveOnOtherGrids|TestFieldsBecomePictures|TestRotation",
		"TestCaptionsSurvive|TestCaptionsDecode",
		"TestColours|TestRealHDR",
		"TestACascadeIsTheLaddersNotTheWorkers|TestRungsAgree|TestKeyFramesLieOnTheGrid",
		"TestSourceAwayAndBack|TestSuccessorWithoutItsSource|TestSwitchesOfLostInputs",
		"TestShedOnAir",
		"TestPicturesAreCroppedAndPadded|TestBurntTimecodeIsTheFrames|TestRepeatedPicturesShowTheirOwnNumber|TestClipResumeAgrees",
	} {
		t.Run(tests, func(t *testing.T) {
			childOn(t, "l4", twinLibraries(t), "^("+tests+")$")
		})
	}
}

// gpuRows are the rows that the twin has; of AV1 see TestGPURefuses.
var gpuRows = []encoderRow{
	{"h264_nvenc", "h264", "high", "3.1", 8, astiav.CodecIDH264},
	{"hevc_nvenc", "hevc", "main", "3.1", 8, astiav.CodecIDHevc},
	{"hevc_nvenc", "hevc", "main10", "3.1", 10, astiav.CodecIDHevc},
}

// Every GPU row, for real, held against what a CPU row is held against.
func TestGPUEncoders(t *testing.T) {
	if onTwin(t, "l4") == nil {
		return
	}
	for _, row := range gpuRows {
		for _, live := range []bool{false, true} {
			for _, preset := range []string{"fastest", "fast", "balanced", "quality"} {
				t.Run(fmt.Sprintf("%s %d bits live %v %s", row.encoder, row.depth, live, preset), func(t *testing.T) {
					wantRow(t, row, live, preset)
				})
			}
		}
	}
}

// users-ask 20: every option that the table can give an encoder of the twin is given to one, in
// every combination that a ladder can ask for, and what comes out has its IDR pictures on
// the grid and nowhere else, and the declared profile and level.
func TestGPUOptions(t *testing.T) {
	g := gpuOnTwin(t, "l4")
	if g == nil {
		return
	}
	tried, all := map[string]bool{}, map[string]bool{}
	everyRung(func(row encoders.Encoder, r encoders.Rung) {
		if !row.GPU || r.CPUs != 1 {
			return
		}
		for _, o := range row.Options(r) {
			all[o.Key] = true
		}
		if row.Codec == "av1" || r.Level == "6.2" || r.Level == "1.0" || r.Level == "5.1" {
			return
		}
		r.Width, r.Height, r.Level = 192, 108, "3.1"
		for _, peak := range []int64{r.Bitrate, 2 * r.Bitrate} {
			for _, ease := range []encoders.Ease{encoders.Full, encoders.NoLookahead, encoders.Quickest} {
				r.Maxrate, r.Ease = peak, ease
				for _, o := range row.Options(r) {
					tried[o.Key] = true
				}
				wantGOPs(t, g, r)
			}
		}
	})
	for key := range all {
		if !tried[key] && key != "highbitdepth" { // AV1's own
			t.Errorf("option %s was not tried", key)
		}
	}
}

// wantGOPs encodes two GOPs and a bit.
func wantGOPs(t *testing.T, g *gpu, r encoders.Rung) {
	t.Helper()
	v := r.Video
	v.Encoder = v.Codec + "_nvenc"
	name := fmt.Sprintf("%s %s %s live %v peak %d %s", v.Encoder, v.Profile, v.Preset, r.Live, v.Maxrate, r.Ease)
	e, err := newVideoEncoder(name, v, newGrid(t, timeline.Rate{Num: 25, Den: 1}, 520*time.Millisecond, 1), r.Live)
	if err == nil {
		e.ease = r.Ease
		err = e.on(g)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer e.Close()
	up := newLifter(g)
	defer up.Close()
	host := grey(t, map[int]string{8: "yuv420p", 10: "p010le"}[max(v.Depth, 8)], v.Width, v.Height)
	defer host.Free()
	var got []media.Packet
	keep := func(p media.Packet) error { got = append(got, p); return nil }
	const frames, first = 30, 26
	for n := range int64(frames) {
		f, err := up.lift(host, host.PixelFormat().Name(), "")
		if err == nil && n == 0 {
			err = e.open(f, first)
		}
		if err == nil {
			err = e.encode(f, first+n, keep)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.Free()
	}
	if err := e.encode(nil, 0, keep); err != nil || len(got) != frames {
		t.Fatalf("%s: %d packets, %v", name, len(got), err)
	}
	for _, p := range got {
		idr := slices.ContainsFunc(nalTypes(v.Codec, p.Data), func(n int) bool { return v.Codec == "h264" && n == 5 || v.Codec == "hevc" && (n == 19 || n == 20) })
		if want := p.Index%13 == 0; idr != want || p.Key != want {
			t.Errorf("%s: frame %d is IDR: %v, want %v", name, p.Index, idr, want)
		}
	}
	if v.Profile == "high" || v.Codec == "hevc" {
		wantLevel(t, v.Codec, max(v.Depth, 8), e.config.Extradata)
	}
}

// nalTypes are the types of the NAL units of a sample.
func nalTypes(codec string, data []byte) (types []int) {
	for len(data) > 0 {
		var unit []byte
		if unit, data = nextUnit(data, 4); len(unit) == 0 {
			break
		}
		if codec == "hevc" {
			types = append(types, int(unit[0]>>1&63))
		} else {
			types = append(types, int(unit[0]&31))
		}
	}
	return types
}

// Segments from a GPU are built like x264's: the same frames in each, with the same
// key frames.
func TestGPUSegmentsAreBuiltLikeTheCPUs(t *testing.T) {
	if onTwin(t, "l4") == nil {
		return
	}
	name := filepath.Join(mediaDir(t), "flower_540p2997_h264_aac.mp4")
	built := map[string]string{}
	for _, encoder := range []string{"libx264", "h264_nvenc"} {
		r := small("v")
		r.Video.Encoder = encoder
		out, _ := play(t, Options{Spec: media.Spec{Job: "t", Input: name, Grid: newGrid(t, timeline.Rate{Num: 30000, Den: 1001}, time.Second, 2), Renditions: []ladders.Rendition{r}}})
		packets := slices.Clone(out.packets["v"])
		slices.SortFunc(packets, func(a, b media.Packet) int { return int(a.Index - b.Index) })
		for _, p := range packets {
			built[encoder] += fmt.Sprint(p.Index, p.Key, " ")
		}
		if len(packets) != 150 {
			t.Errorf("%s: %d frames", encoder, len(packets))
		}
	}
	if built["libx264"] != built["h264_nvenc"] {
		t.Errorf("x264:\n%s\nNVENC:\n%s", built["libx264"], built["h264_nvenc"])
	}
}

// What a device cannot encode is refused in words, before anything is opened.
func TestGPURefuses(t *testing.T) {
	if onTwin(t, "l4") == nil {
		return
	}
	wide := rungOf("v", "h264_nvenc", "h264", "high", "6.2", 8, "fast")
	wide.Video.Width, wide.Video.Height = 4100, 2306
	for words, r := range map[string]ladders.Rendition{
		"does not encode av1":          rungOf("v", "av1_nvenc", "av1", "main", "3.1", 8, "fast"),
		"encodes h264 up to 4096x4096": wide,
		"h264_nvenc has no 10 bits":    rungOf("v", "h264_nvenc", "h264", "high", "3.1", 10, "fast"),
	} {
		err := open(t, Options{Spec: cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, r), Output: newCollector()}).Run(t.Context())
		wantError(t, err, media.EncoderError, "rendition v", words)
	}
}

// A card that refuses what it says to have is asked for that one thing less, also when
// the encoder is opened again, and the job's notes say so.
func TestACardThatRefusesWhatItSaysToHave(t *testing.T) {
	if onTwin(t, "l4") == nil {
		return
	}
	config := filepath.Join(os.Getenv("GALA_TWIN"), "config")
	text, err := os.ReadFile(config)
	without := strings.Replace(string(text), " hevcb", "", 1)
	if err != nil || without == string(text) {
		t.Fatalf("%v; the twin's devices are\n%s", err, text)
	}
	if err := os.WriteFile(config, []byte(without), 0o644); err != nil {
		t.Fatal(err)
	}
	g, err := openGPU()
	if err != nil {
		t.Fatal(err)
	}
	has, err := g.card("hevc")
	if err != nil || has.BFrames != 0 {
		t.Fatalf("%+v, %v", has, err)
	}
	says := has
	says.BFrames, says.BReference = 4, true
	g.cards["hevc"] = says
	row := gpuRows[1]
	p := open(t, Options{Spec: cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, rungOf("v", row.encoder, row.codec, row.profile, row.level, row.depth, "balanced")), Output: newCollector()})
	p.gpu = g
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := "rendition v is encoded without B pictures: NVIDIA L4"
	if notes := strings.Join(p.Status().Notes, "\n"); strings.Count(notes, want) != 1 {
		t.Errorf("notes: %s", notes)
	}
}

// users-ask 3, 5: each way in which a driver fails has its own outcome, and "out of
// memory (10)" is only memory where there is none.
func TestGPUFailures(t *testing.T) {
	for name, c := range map[string]struct {
		fault twin.Fault
		code  media.Code
		words string
	}{
		"session limit":               {twin.Fault{Kind: twin.SessionsMax, Limit: 1, Code: twin.OutOfMemory}, media.SessionLimit, "as many encoder sessions as its driver allows"},
		"session limit, newer driver": {twin.Fault{Kind: twin.SessionsMax, Limit: 1, Code: twin.IncompatibleClientKey}, media.SessionLimit, "as many encoder sessions as its driver allows"},
		"none at all":                 {twin.Fault{Kind: twin.SessionsMax, Limit: 0, Code: twin.OutOfMemory}, media.SessionLimit, "as many encoder sessions as its driver allows"},
		"memory":                      {twin.Fault{Kind: twin.MemoryMax, Limit: 203 << 20}, media.OutOfMemory, "no memory left"},
		"memory for a context":        {twin.Fault{Kind: twin.MemoryMax, Limit: 1 << 20}, media.OutOfMemory, "no memory left"},
		"a context that is broken":    {twin.Fault{Kind: twin.BrokenContext, Code: 719}, media.EncoderError, "broken its CUDA context: CUDA_ERROR_LAUNCH_FAILED (719)"},
		"no NVENC":                    {twin.Fault{Kind: twin.NoNVENC}, media.EncoderError, "has no encoder for this process"},
		"no device":                   {twin.Fault{Kind: twin.NoDevice, Device: twin.AnyDevice}, media.DeviceLost, "the driver shows this process none"},
		"lost before":                 {twin.Fault{Kind: twin.Lost}, media.DeviceLost, "CUDA"},
		"old driver":                  {twin.Fault{Kind: twin.APIMax, Device: twin.AnyDevice, Version: twin.Version{Major: 12, Minor: 0}}, media.EncoderError, "too old for NVENC 12.1"},
	} {
		t.Run(name, func(t *testing.T) {
			cards := onTwin(t, "l4")
			if cards == nil {
				return
			}
			fault(t, cards, c.fault)
			spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, onGPU([]ladders.Rendition{small("a"), small("b")})...)
			wantError(t, open(t, Options{Spec: spec, Output: newCollector()}).Run(t.Context()), c.code, c.words)
		})
	}
}

// A card that is lost in mid-stream is told as that, not as an encoder's trouble.
func TestGPULostOnAir(t *testing.T) {
	cards := onTwin(t, "l4")
	if cards == nil {
		return
	}
	out := newCollector()
	out.on = func(string, media.Packet) error {
		if len(out.packets["v"]) == 20 {
			return cards.SetFaults(twin.Fault{Kind: twin.Lost})
		}
		return nil
	}
	err := open(t, Options{Spec: cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, small("v")), Output: out}).Run(t.Context())
	wantError(t, err, media.DeviceLost, "is lost: CUDA gives CUDA_ERROR_UNKNOWN (999)", "XID")
}

// A kernel that fails breaks its process's context and not the card, which takes the job again.
func TestGPUContextBreaksOnAir(t *testing.T) {
	cards := onTwin(t, "l4")
	if cards == nil {
		return
	}
	spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, small("v"))
	out := newCollector()
	out.on = func(string, media.Packet) error {
		if len(out.packets["v"]) == 20 {
			return cards.SetFaults(twin.Fault{Kind: twin.BrokenContext, Code: 700})
		}
		return nil
	}
	err := open(t, Options{Spec: spec, Output: out}).Run(t.Context())
	wantError(t, err, media.EncoderError, "broken its CUDA context: CUDA_ERROR_ILLEGAL_ADDRESS (700)", "starts again")
	if e, ok := errors.AsType[*media.Error](err); !ok || !e.Retryable {
		t.Errorf("it is not tried again: %v", err)
	}
	fault(t, cards)
	if err := open(t, Options{Spec: spec, Output: newCollector()}).Run(t.Context()); err != nil {
		t.Errorf("started again: %v", err)
	}
}

// On a card that is full, memory is what is lacking only where memory was refused: FFmpeg's
// code for CUDA's errors may be that, its others are not.
func TestFullGPU(t *testing.T) {
	g := gpuOnTwin(t, "l4")
	if g == nil {
		return
	}
	cards := onTwin(t, "l4")
	for _, memory := range []int64{201 << 20, 1 << 30} {
		fault(t, cards, twin.Fault{Kind: twin.MemoryMax, Limit: memory})
		for err, want := range map[error]bool{
			averror(syscall.ENOMEM): true, astiav.ErrExternal: memory < 1<<30,
			averror(syscall.EINVAL): false, averror(syscall.ENOSYS): false, astiav.ErrUnknown: false, errors.New("x"): false,
		} {
			for _, opening := range []bool{false, true} {
				e := g.why(fmt.Errorf("open: %w", err), opening)
				if got := e != nil && e.Code == media.OutOfMemory; got != want || !want && e != nil {
					t.Errorf("%v, opening %v, %d bytes: %v", err, opening, memory, e)
				}
			}
		}
	}
}

// A container that was not given the capability `video` has a driver without its
// encoder library, however new the driver is.
func TestGPUWithoutItsEncoderLibrary(t *testing.T) {
	if all := twinLibraries(t); os.Getenv(twinDevices) == "" {
		some := t.TempDir()
		for _, name := range twin.Libraries() {
			if err := os.Symlink(filepath.Join(all, name), filepath.Join(some, name)); err != nil {
				t.Fatal(err)
			}
		}
		// What is no library stands for none: the twin looks whether its files are there.
		encoder := filepath.Join(some, "libnvidia-encode.so.1")
		if err := errors.Join(os.Remove(encoder), os.WriteFile(encoder, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		childOn(t, "l4", some, "^"+t.Name()+"$")
		return
	}
	err := open(t, Options{Spec: cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, onGPU([]ladders.Rendition{small("v")})...), Output: newCollector()}).Run(t.Context())
	wantError(t, err, media.EncoderError, "libnvidia-encode.so.1", "NVIDIA_DRIVER_CAPABILITIES must have `video`")
}

// Workers find compiled what the trial of their GPU has had compiled, and need nothing else.
func TestTheTrialFillsTheCache(t *testing.T) {
	if onTwin(t, "l4") == nil {
		return
	}
	dir := filepath.Join(t.TempDir(), "compute-cache")
	t.Setenv("CUDA_CACHE_PATH", dir)
	compiled := func() (names []string) {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			names = append(names, f.Name())
		}
		return names
	}
	if r := TryGPU("GPU-1"); r.Trouble != "" {
		t.Fatalf("%+v", r)
	}
	before := compiled()
	large := rungOf("v", "h264_nvenc", "h264", "high", "3.1", 8, "fast")
	large.Video.Width, large.Video.Height = 320, 180
	spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, large)
	spec.Input = "testcard:?size=640x360&duration=1s&fps=25"
	play(t, Options{Spec: spec})
	if after := compiled(); len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("the trial had %v compiled, a worker %v", before, after)
	}
}

// users-ask 13: a worker has never more encoder sessions than renditions, also
// while its encoders change on air to work less and back.
func TestGPUSessionsAreRenditions(t *testing.T) {
	cards := onTwin(t, "rtx4090")
	if cards == nil {
		return
	}
	fault(t, cards, twin.Fault{Kind: twin.SessionsMax, Limit: 2, Code: twin.OutOfMemory})
	spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, small("a"), small("b"))
	spec.Input, spec.Live, spec.Grid = "testcard:?size=640x360&fps=25", true, newGrid(t, timeline.Rate{Num: 25, Den: 1}, 600*time.Millisecond, 1)
	out, clock := newCollector(), &clockAt{at: evening}
	p := open(t, Options{Spec: spec, Output: out, Now: clock.now})
	clock.free.Store(true)
	eases := map[int]encoders.Ease{30: encoders.NoLookahead, 75: encoders.Quickest, 120: encoders.Full}
	seen := map[encoders.Ease]int{}
	out.on = func(r string, _ media.Packet) error {
		if r != "a" { // who encodes that looks at its own encoder
			return nil
		}
		n := len(out.packets["a"])
		if to, ok := eases[n]; ok {
			p.video.ease(to)
		}
		if seen[p.video.branches[0].encoders[0].enc.ease]++; n >= 180 {
			p.Stop()
		}
		return nil
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, spec, out)
	for _, e := range p.video.branches[0].encoders {
		if e.enc.refused != encoders.Full {
			t.Errorf("%s refused to encode %s", e.enc.name, e.enc.refused)
		}
	}
	if seen[encoders.Full] < 30 || seen[encoders.NoLookahead] < 30 || seen[encoders.Quickest] < 30 {
		t.Errorf("frames by ease: %v", seen)
	}
}

// The device's memory that a run takes does not grow with its length.
func TestGPUMemoryIsBounded(t *testing.T) {
	cards := onTwin(t, "l4")
	if cards == nil {
		return
	}
	// 600 pictures of 640x360 would be 200 MiB; its context has 200 of its own.
	fault(t, cards, twin.Fault{Kind: twin.MemoryMax, Limit: 280 << 20})
	large, cascaded := small("large"), small("small")
	large.Video.Width, large.Video.Height = 640, 360
	cascaded.Video.ScaledFrom = ladders.Size{W: 640, H: 360}
	spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, large, cascaded)
	spec.Input = "testcard:?size=640x360&duration=24s&fps=25"
	out, _ := play(t, Options{Spec: spec})
	for _, r := range []string{"large", "small"} {
		out.wantRun(t, r, spec.Grid, 0, 600, 1)
	}
}

// Without a device there is nothing to be had from it: no card's words, no panic.
func TestNoGPU(t *testing.T) {
	var none *gpu
	none.Close()
	var up *lifter
	up.Close()
	if name := cudaError(999); !strings.Contains(name, "999") {
		t.Errorf("%q", name)
	}
	if unsupported(nil) || unsupported(errors.New("x")) {
		t.Error("no error is not a refusal")
	}
}
