package twin

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// onDevice are the options that give FFmpeg's filters a device.
func onDevice(more ...string) []string {
	return append([]string{"-init_hw_device", "cuda=gpu", "-filter_hw_device", "gpu"}, more...)
}

// conversion is one of scale_cuda, and what swscale is to do for the same.
type conversion struct{ from, to, size, algorithm, flags string }

// compare gives the likeness of scale_cuda's pictures and swscale's in dB.
func compare(t *testing.T, tw *Twin, c conversion) float64 {
	t.Helper()
	graph := fmt.Sprintf("format=%s,split[a][b];[a]hwupload,scale_cuda=%s:format=%s:interp_algo=%s,hwdownload,format=%[3]s[x];[b]scale=%[2]s:flags=%[5]s,format=%[3]s[y];[x][y]psnr",
		c.from, c.size, c.to, c.algorithm, c.flags)
	return psnr(t, run(t, tw, onDevice("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=0.2", "-lavfi", graph, "-f", "null", "-")...))
}

// What goes up comes down the same.
func TestUploads(t *testing.T) {
	tw := devices(t, "l4")
	for _, format := range []string{"nv12", "yuv420p", "p010le", "bgra"} {
		graph := "format=" + format + ",split[a][b];[a]hwupload,hwdownload,format=" + format + "[x];[x][b]psnr"
		log := run(t, tw, onDevice("-f", "lavfi", "-i", "testsrc2=size=322x182:rate=25:duration=0.2", "-lavfi", graph, "-f", "null", "-")...)
		if !strings.Contains(log, "average:inf") {
			t.Errorf("%s changes on its way:\n%s", format, log)
		}
	}
}

func TestScales(t *testing.T) {
	tw := devices(t, "l4")
	const hermite = "bicubic:param0=0:param1=0" // scale_cuda's curve where it is told none
	for _, c := range []struct {
		conversion
		want float64
	}{
		{conversion{"nv12", "nv12", "320:180", "nearest", "neighbor"}, 99},
		{conversion{"nv12", "nv12", "320:180", "bicubic", hermite}, 50},
		{conversion{"nv12", "nv12", "426:240", "bilinear", "bilinear"}, 50},
		{conversion{"nv12", "nv12", "960:540", "bicubic", hermite}, 60},
		{conversion{"nv12", "nv12", "960:540", "lanczos", "lanczos"}, 45},
		{conversion{"yuv420p", "yuv420p", "320:180", "bicubic", hermite}, 50},
		{conversion{"p010le", "p010le", "320:180", "bicubic", hermite}, 60},
		{conversion{"p010le", "p010le", "320:180", "lanczos", "lanczos"}, 60},
		{conversion{"yuv420p", "nv12", "320:180", "bicubic", hermite}, 50},
		{conversion{"nv12", "yuv420p", "320:180", "bicubic", hermite}, 50},
	} {
		t.Run(fmt.Sprint(c.conversion), func(t *testing.T) {
			if got := compare(t, tw, c.conversion); got < c.want {
				t.Errorf("%.1f dB like swscale, want at least %.1f", got, c.want)
			}
		})
	}
}

// FFmpeg 9.0 gives empty pictures where scale_cuda makes one dimension alone
// smaller: its first pass runs without weights. The twin shows it as a card
// would. When this fails, FFmpeg was mended: take the guard in the pipeline away.
func TestOneDimensionAloneIsBlank(t *testing.T) {
	tw := devices(t, "l4")
	for _, size := range []string{"320:360", "640:180"} {
		graph := "format=nv12,hwupload,scale_cuda=" + size + ",hwdownload,format=nv12,signalstats,metadata=print:key=lavfi.signalstats.YMAX"
		log := run(t, tw, onDevice("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=0.04", "-vf", graph, "-f", "null", "-")...)
		if !strings.Contains(log, "YMAX=0\n") {
			t.Errorf("%s is not blank:\n%s", size, log)
		}
	}
}

// Kernels that the twin does not have are refused in words.
func TestOtherKernels(t *testing.T) {
	tw := devices(t, "l4")
	for _, filter := range []string{"yadif_cuda", "bwdif_cuda"} {
		refused(t, tw, "is not emulated",
			onDevice("-f", "lavfi", "-i", card+":duration=0.2", "-vf", "format=nv12,hwupload,"+filter+",hwdownload,format=nv12", "-f", "null", "-")...)
	}
}

// One upload, three sizes, three sessions. Each rung is compared with what
// swscale makes of the same pictures.
func TestLadder(t *testing.T) {
	tw := devices(t, "l4")
	dir := t.TempDir()
	const source = "testsrc2=size=640x360:rate=25:duration=1"
	rungs := []struct{ label, size string }{{"[a]", "640:360"}, {"[d]", "426:240"}, {"[e]", "256:144"}}
	args := onDevice("-f", "lavfi", "-i", source, "-filter_complex",
		"format=nv12,hwupload,split=3[a][b][c];[b]scale_cuda=426:240[d];[c]scale_cuda=256:144[e]")
	for i, r := range rungs {
		args = append(args, "-map", r.label, "-c:v", "h264_nvenc", "-b:v", "2M", "-bf", "0", filepath.Join(dir, fmt.Sprint(i, ".mp4")))
	}
	run(t, tw, args...)
	for i, r := range rungs {
		graph := "[0]settb=1/25,setpts=N[a];[1]format=yuv420p,scale=" + r.size + ":flags=bicubic:param0=0:param1=0,settb=1/25,setpts=N[b];[a][b]psnr"
		log := run(t, nil, "-i", filepath.Join(dir, fmt.Sprint(i, ".mp4")), "-f", "lavfi", "-i", source, "-lavfi", graph, "-f", "null", "-")
		if got := psnr(t, log); got < 35 {
			t.Errorf("%s: %.1f dB, want at least 35", r.size, got)
		}
	}
}
