package twin

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEncodes(t *testing.T) {
	tw := devices(t, "l4")
	for _, c := range []struct {
		name string
		want float64 // dB
		args []string
	}{
		{"H.264 as FFmpeg has it", 40, encode("h264_nvenc")},
		{"HEVC as FFmpeg has it", 40, encode("hevc_nvenc")},
		{"HEVC without B-frames", 40, encode("hevc_nvenc", "-bf", "0")},
		{"HEVC of 10 bit", 40, encode("hevc_nvenc", "-pix_fmt", "p010le")},
		{"NV12", 40, encode("h264_nvenc", "-pix_fmt", "nv12")},
		{"low latency", 38, encode("h264_nvenc", "-preset", "p1", "-tune", "ull", "-zerolatency", "1", "-delay", "0", "-rc", "cbr")},
		{"HEVC of low latency", 38, encode("hevc_nvenc", "-preset", "p1", "-tune", "ull", "-zerolatency", "1", "-delay", "0", "-rc", "cbr")},
		{"high quality", 40, encode("h264_nvenc", "-preset", "p7", "-bf", "3", "-b_ref_mode", "middle", "-rc-lookahead", "20",
			"-spatial-aq", "1", "-temporal-aq", "1", "-multipass", "fullres", "-no-scenecut", "1", "-strict_gop", "1")},
		{"constant quality", 38, encode("h264_nvenc", "-rc", "vbr", "-cq", "24", "-b:v", "0")},
		{"constant QP", 38, encode("hevc_nvenc", "-rc", "constqp", "-qp", "24")},
		{"main profile, slices, CAVLC", 38, encode("h264_nvenc", "-profile:v", "main", "-coder", "cavlc", "-slices", "3", "-level", "4.1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.mp4")
			run(t, tw, append(c.args, out)...)
			if got := fidelity(t, out, "320x180"); got < c.want {
				t.Errorf("%.1f dB, want at least %.1f", got, c.want)
			}
		})
	}
}

// What the twin does not emulate is refused like a capability that is missing.
func TestRefuses(t *testing.T) {
	tw := devices(t, "l4")
	for codec, args := range map[string][]string{
		"10 bit encode not supported": encode("h264_nvenc", "-pix_fmt", "p010le", "-f", "null", "-"),
		"YUV444P not supported":       encode("hevc_nvenc", "-pix_fmt", "yuv444p", "-f", "null", "-"),
		"Codec not supported":         encode("av1_nvenc", "-f", "null", "-"),
		"format 0x":                   encode("h264_nvenc", "-pix_fmt", "bgr0", "-f", "null", "-"),
	} {
		refused(t, tw, codec, args...)
	}
}

// nal is a unit of an Annex B stream.
type nal struct {
	kind int
	data []byte
}

func units(t *testing.T, file string, hevc bool) []nal {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []nal
	for _, u := range bytes.Split(b, []byte{0, 0, 1})[1:] {
		kind := int(u[0] & 31)
		if hevc {
			kind = int(u[0] >> 1 & 63)
		}
		out = append(out, nal{kind, u})
	}
	return out
}

// pictures gives a letter for each coded picture, in the order of coding: I for
// IDR, p for any other. A picture has one slice in these tests.
func pictures(nals []nal, hevc bool) string {
	var b strings.Builder
	for _, n := range nals {
		switch {
		case !hevc && n.kind == 5, hevc && (n.kind == 19 || n.kind == 20):
			b.WriteByte('I')
		case !hevc && n.kind == 1, hevc && n.kind < 16:
			b.WriteByte('p')
		}
	}
	return b.String()
}

// IDR pictures are where they were asked for: at the length of the GOP,
// counted from the last one, and where one was forced.
func TestKeyFrames(t *testing.T) {
	tw := devices(t, "l4")
	for _, codec := range []string{"h264", "hevc"} {
		for _, c := range []struct {
			name string
			want []int
			args []string
		}{
			{"GOP", []int{0, 10, 20}, []string{"-g", "10", "-bf", "0"}},
			{"forced", []int{0, 13, 20}, []string{"-g", "250", "-bf", "0", "-forced-idr", "1", "-force_key_frames", "0,0.52,0.8"}},
			{"forced, then the GOP", []int{0, 7, 17}, []string{"-g", "10", "-bf", "0", "-forced-idr", "1", "-force_key_frames", "0.28"}},
			// In the order of coding an IDR never comes later than it is shown.
			{"with B-frames", []int{0, 12, 24}, []string{"-g", "12", "-bf", "2", "-strict_gop", "1"}},
			{"intra is not IDR", []int{0}, []string{"-g", "250", "-bf", "0", "-forced-idr", "0", "-force_key_frames", "0.4"}},
		} {
			t.Run(codec+" "+c.name, func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "out."+codec)
				run(t, tw, encode(codec+"_nvenc", append(c.args, "-no-scenecut", "1", out)...)...)
				want := bytes.Repeat([]byte("p"), 25)
				for _, i := range c.want {
					want[i] = 'I'
				}
				if got := pictures(units(t, out, codec == "hevc"), codec == "hevc"); got != string(want) {
					t.Errorf("pictures %s, want %s", got, want)
				}
			})
		}
	}
}

// With a delay of one picture, as on air, each output is fetched as soon as
// there is one: B-frames and GOPs that they do not divide must not hold it up.
func TestOnAir(t *testing.T) {
	tw := devices(t, "l4")
	for _, codec := range []string{"h264", "hevc"} {
		for _, delay := range []string{"0", "1"} {
			t.Run(codec+" delay "+delay, func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "out."+codec)
				run(t, tw, "-f", "lavfi", "-i", card+":duration=6", "-pix_fmt", "yuv420p", "-c:v", codec+"_nvenc", "-preset", "p4", "-tune", "hq",
					"-rc", "vbr", "-b:v", "1M", "-maxrate", "2M", "-bufsize", "2M", "-bf", "3", "-b_ref_mode", "middle", "-surfaces", "16",
					"-delay", delay, "-g", "250", "-forced-idr", "1", "-force_key_frames", "expr:not(mod(n,13))", "-no-scenecut", "1",
					"-strict_gop", "1", "-spatial-aq", "1", "-temporal-aq", "1", out)
				want := bytes.Repeat([]byte("p"), 150)
				for i := 0; i < len(want); i += 13 {
					want[i] = 'I'
				}
				if got := pictures(units(t, out, codec == "hevc"), codec == "hevc"); got != string(want) {
					t.Errorf("pictures %s, want %s", got, want)
				}
				if log := run(t, nil, "-v", "warning", "-i", out, "-f", "null", "-"); strings.Contains(log, "rror") {
					t.Errorf("the decoder complains:\n%s", log)
				}
			})
		}
	}
}

// Every IDR picture says what made it.
func TestMarker(t *testing.T) {
	tw := devices(t, "l4")
	for _, codec := range []string{"h264", "hevc"} {
		out := filepath.Join(t.TempDir(), "out."+codec)
		run(t, tw, encode(codec+"_nvenc", "-g", "5", "-bf", "0", out)...)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte("gala driver twin")); n != 5 {
			t.Errorf("%s: the marker is in %d pictures, want 5", codec, n)
		}
	}
}

// Messages of the source come through to the bitstream: as many as FFmpeg
// passes on to another encoder.
func TestMessages(t *testing.T) {
	tw := devices(t, "l4")
	dir := t.TempDir()
	source := filepath.Join(dir, "source.h264")
	run(t, nil, "-f", "lavfi", "-i", card+":duration=0.4", "-c:v", "libx264", "-g", "1",
		"-bsf:v", "h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+with every picture", source)
	messages := func(tw *Twin, encoder, out string) int {
		run(t, tw, "-i", source, "-pix_fmt", "yuv420p", "-c:v", encoder, "-udu_sei", "1", "-bf", "2", out)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("with every picture"))
	}
	want := messages(nil, "libx264", filepath.Join(dir, "want.h264"))
	if want < 5 {
		t.Fatalf("FFmpeg passes %d messages on", want)
	}
	for _, codec := range []string{"h264", "hevc"} {
		if n := messages(tw, codec+"_nvenc", filepath.Join(dir, "out."+codec)); n != want {
			t.Errorf("%s: %d messages, want %d", codec, n, want)
		}
	}
}

// Captions come through: as many pictures have some as in the source, also when
// the pictures went through device memory.
func TestCaptions(t *testing.T) {
	tw := devices(t, "l4")
	source := media(t, "sintel_cea608_170p24.ts")
	captioned := func(file string) int {
		log := run(t, nil, "-i", file, "-vf", "trim=end_frame=48,showinfo", "-an", "-f", "null", "-")
		return strings.Count(log, "Closed Captions")
	}
	want := captioned(source)
	if want == 0 {
		t.Fatal("the source has no captions")
	}
	for _, codec := range []string{"h264_nvenc", "hevc_nvenc"} {
		for _, filter := range []string{"format=nv12", "format=nv12,hwupload,scale_cuda=320:136"} {
			out := filepath.Join(t.TempDir(), "out.mp4")
			run(t, tw, onDevice("-i", source, "-frames:v", "48", "-an", "-vf", filter, "-c:v", codec, out)...)
			if got := captioned(out); got != want {
				t.Errorf("%s after %s: %d pictures with captions, want %d", codec, filter, got, want)
			}
		}
	}
}

// Parameter sets are in the stream where a container has no place for them.
func TestHeaders(t *testing.T) {
	tw := devices(t, "l4")
	out := filepath.Join(t.TempDir(), "out.h264")
	run(t, tw, encode("h264_nvenc", "-g", "5", "-bf", "0", "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", out)...)
	sets := 0
	for _, n := range units(t, out, false) {
		if n.kind == 7 {
			sets++
		}
	}
	if sets != 5 {
		t.Errorf("%d sequence parameter sets, want one for each of 5 IDR pictures", sets)
	}
	if log := run(t, nil, "-i", out, "-f", "null", "-"); !strings.Contains(log, "bt709") {
		t.Errorf("the colours are not told:\n%s", log)
	}
}

// Calls that FFmpeg does not make.
func TestClient(t *testing.T) {
	tw := devices(t, "l4")
	call := client(t)
	t.Run("change of the rate", func(t *testing.T) {
		out, err := call(tw, "change-rate")
		var before, after, idr int
		if n, _ := fmt.Sscanf(out, "before %d after %d idr %d", &before, &after, &idr); n != 3 || err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if after*3 > before || idr != 2 {
			t.Errorf("%d bytes at 4 Mb/s, %d at 0.8 Mb/s, %d IDR pictures; want less than a third, and 2", before, after, idr)
		}
	})
	t.Run("wrong calls", func(t *testing.T) {
		out, err := call(tw, "wrong-calls")
		want := "no session 6\nbefore initialising 11\nstruct version 15\nnot mapped 25\nstill mapped 9\nhost memory 23\ninitialised twice 9\n"
		if out != want || err != nil {
			t.Errorf("%v\n%swant\n%s", err, out, want)
		}
	})
	t.Run("kernels of another FFmpeg", func(t *testing.T) {
		out, err := call(tw, "kernels")
		if !strings.Contains(out, "another size 801\nknown 0\nabsent 500\n") || !strings.Contains(out, "of another FFmpeg than 9.0") || err != nil {
			t.Errorf("%v\n%s; want 801 with the reason, 0 and 500", err, out)
		}
	})
	t.Run("the host cannot read device memory", func(t *testing.T) {
		out, err := call(tw, "touch")
		if err == nil || !strings.Contains(err.Error(), "segmentation fault") || out != "touching\n" {
			t.Errorf("%v\n%s; want a segmentation fault while touching", err, out)
		}
	})
	t.Run("freed memory is refused", func(t *testing.T) {
		out, err := call(tw, "freed")
		want := "encode 8\nmap 16\ncopy 1\ncopy of rows 1\ncopy into it 1\nmap, other memory there: yes 16\n" +
			"kernel 700\nthen memory 700\nthen a stream 700\nthen NVENC 20\n"
		if out != want || err != nil {
			t.Errorf("%v\n%swant\n%s", err, out, want)
		}
	})
	t.Run("memory is freed once", func(t *testing.T) {
		if out, err := call(tw, "free-twice"); out != "again 1\n" || err != nil {
			t.Errorf("%v\n%s; want CUDA 1", err, out)
		}
	})
}

// Throttled, a card is no faster than its share of the catalogue's rate: a T4's
// one engine encodes 207 1080p frames a second at P7, whoever shares it.
func TestThrottle(t *testing.T) {
	spec, err := Parse("t4")
	if err != nil {
		t.Fatal(err)
	}
	spec.Throttle = 0.02
	tw := started(t, spec)
	args := []string{"-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=0.4"}
	for range 2 {
		args = append(args, "-map", "0", "-pix_fmt", "yuv420p", "-c:v", "h264_nvenc", "-preset", "p7", "-bf", "0", "-f", "null", "-")
	}
	begin := time.Now()
	run(t, tw, args...)
	const frames, hd = 2 * 10, 640 * 360 / (1920 * 1080.0)
	if got, want := time.Since(begin).Seconds(), frames*hd/(207*spec.Throttle); got < want {
		t.Errorf("%d frames in %.3f s, want at least %.3f", frames, got, want)
	}
}
