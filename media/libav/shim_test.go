package libav

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// The shim reads and writes the fields that it says: each accessor against
// another way to the same field, or against what libav does with it.

func TestShimFrame(t *testing.T) {
	f := astiav.AllocFrame()
	defer f.Free()
	f.SetWidth(64)
	f.SetHeight(36)
	f.SetPixelFormat(astiav.PixelFormatYuv420P)
	setColorDesc(f, 9, 16) // BT.2020, PQ
	if p, c := colorDesc(f); p != 9 || c != 16 {
		t.Errorf("colour %d/%d, want 9/16", p, c)
	}
	if err := f.AllocBuffer(0); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		p := plane(f, i, 8)
		p[0], p[7] = byte(10+i), byte(20+i)
	}
	data, err := frameBytes(f)
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range []int{0, 64 * 36, 64*36 + 32*18} {
		if data[at] != byte(10+i) || data[at+7] != byte(20+i) {
			t.Errorf("plane %d holds %d…%d", i, data[at], data[at+7])
		}
	}
	if bestEffort(f) != noPTS || frameDuration(f) != 0 || damaged(f) {
		t.Errorf("a new frame: best effort %d, duration %d, damaged %v", bestEffort(f), frameDuration(f), damaged(f))
	}
}

// decodedFrames hands every frame of a real file's first video to f.
func decodedFrames(t *testing.T, file string, f func(*astiav.Packet, *astiav.Frame)) {
	t.Helper()
	d, err := openDemuxer(t.Context(), filepath.Join(mediaDir(t), file), anything)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	dec, err := openDecoder(d.fc.Streams()[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	p := astiav.AllocPacket()
	defer p.Free()
	for d.read(p) == nil {
		if p.StreamIndex() == 0 {
			if err := dec.decode(p, func(fr *astiav.Frame) error { f(p, fr); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		p.Unref()
	}
}

func TestShimDecodedFrames(t *testing.T) {
	n, wrong := 0, 0
	decodedFrames(t, "flower_540p2997_h264_aac.mp4", func(_ *astiav.Packet, f *astiav.Frame) {
		n++
		if bestEffort(f) != f.Pts() || frameDuration(f) <= 0 || damaged(f) {
			wrong++
		}
	})
	if n < 140 || wrong > 0 {
		t.Errorf("%d of %d frames have another best effort than their time, no duration, or damage", wrong, n)
	}
	decodedFrames(t, "hlg_hevc10_360p30.mov", func(_ *astiav.Packet, f *astiav.Frame) {
		if p, c := colorDesc(f); p != 9 || c != 18 || int(f.ColorSpace()) != 9 {
			t.Fatalf("an HLG picture says primaries %d, transfer %d, matrix %d", p, c, f.ColorSpace())
		}
	})
	hurt := 0
	decodedFrames(t, "train_loss1pct_biterr1pct.ts", func(_ *astiav.Packet, f *astiav.Frame) {
		if damaged(f) {
			hurt++
		}
	})
	if hurt == 0 {
		t.Error("no frame of a damaged file counts as damaged")
	}
}

func TestShimEncryptedPackets(t *testing.T) {
	for file, want := range map[string]bool{"encrypted_cenc.mp4": true, "wave_croatia_1080p25_qr.mp4": false} {
		d, err := openDemuxer(t.Context(), filepath.Join(mediaDir(t), file), anything)
		if err != nil {
			t.Fatal(err)
		}
		p := astiav.AllocPacket()
		n, hidden := 0, 0
		for d.read(p) == nil {
			if n++; encryptedPacket(p) {
				hidden++
			}
			p.Unref()
		}
		p.Free()
		d.Close()
		if want != (hidden > 0) || n == 0 {
			t.Errorf("%s: %d of %d packets are encrypted", file, hidden, n)
		}
	}
}

func TestShimCodecContext(t *testing.T) {
	opus := astiav.FindEncoderByName("libopus")
	aac := astiav.FindEncoderByName("aac")
	for _, c := range []struct {
		codec *astiav.Codec
		want  int64
	}{{aac, 1024}, {opus, 312}} { // Opus at 48 kHz looks 6.5 ms ahead
		if c.codec == nil {
			continue
		}
		cc := astiav.AllocCodecContext(c.codec)
		cc.SetSampleRate(48000)
		cc.SetChannelLayout(astiav.ChannelLayoutMono)
		cc.SetSampleFormat(c.codec.SupportedSampleFormats()[0])
		cc.SetTimeBase(astiav.NewRational(1, 48000))
		if err := cc.Open(c.codec, nil); err != nil {
			t.Fatal(err)
		}
		if got := initialPadding(cc); got != c.want {
			t.Errorf("%s primes %d samples, want %d", c.codec.Name(), got, c.want)
		}
		cc.Free()
	}
	cc := astiav.AllocCodecContext(astiav.FindDecoder(astiav.CodecIDH264))
	defer cc.Free()
	if encryptedStream(cc) {
		t.Error("a bare decoder counts as encrypted")
	}
}

// A flushed decoder starts afresh: it takes a key frame again after the drain.
func TestShimFlush(t *testing.T) {
	spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, small("v"))
	out, _ := play(t, Options{Spec: spec})
	cc := newDecoderFor(t, astiav.CodecIDH264, out.configs["v"])
	defer cc.Free()
	f := astiav.AllocFrame()
	defer f.Free()
	for round := range 2 {
		n := 0
		for _, p := range append(out.packets["v"][:25:25], media.Packet{}) {
			var pkt *astiav.Packet
			if p.Data != nil {
				pkt = astiav.AllocPacket()
				if err := pkt.FromData(p.Data); err != nil {
					t.Fatal(err)
				}
			}
			if err := cc.SendPacket(pkt); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if pkt != nil {
				pkt.Free()
			}
			for cc.ReceiveFrame(f) == nil {
				n++
				f.Unref()
			}
		}
		if n != 25 {
			t.Errorf("round %d: %d frames", round, n)
		}
		flushDecoder(cc)
	}
}

func TestShimNames(t *testing.T) {
	if got := primariesName(9); got != "bt2020" {
		t.Errorf("primaries 9 are %q", got)
	}
	if got := transferName(18); got != "arib-std-b67" {
		t.Errorf("transfer 18 is %q", got)
	}
	if got := primariesName(2) + transferName(2); got != "" && !strings.Contains(got, "unspecified") {
		t.Errorf("unspecified colour is called %q", got)
	}
	for f, want := range map[astiav.PixelFormat]int{astiav.PixelFormatYuv420P: 8, astiav.PixelFormatYuv420P10Le: 10, astiav.PixelFormatNone: 0} {
		if got := bitDepth(f); got != want {
			t.Errorf("%v has %d bits, want %d", f, got, want)
		}
	}
}

func TestFFmpegBuild(t *testing.T) {
	b := FFmpeg()
	if !strings.HasPrefix(b.Version, "9.") || !strings.Contains(b.Configuration, "--disable-everything") || b.License == "" {
		t.Errorf("built with %+v", b)
	}
	if strings.Contains(b.Configuration, "--enable-nonfree") {
		t.Error("a build that may not be given away")
	}
	if len(b.Encoders) < 1 {
		t.Error("no encoder of the table is in this build")
	}
}
