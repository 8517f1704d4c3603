package libav

// What go-astiav v0.43.0 has no accessor for. shim_test.go checks that these
// reach the fields they claim to.

/*
#cgo pkg-config: libavformat libavcodec libavutil
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <string.h>

static int64_t gala_best_effort(const AVFrame *f) { return f->best_effort_timestamp; }
static int64_t gala_frame_duration(const AVFrame *f) { return f->duration; }
static int gala_decode_errors(const AVFrame *f) { return f->decode_error_flags; }
static uint8_t *gala_plane(const AVFrame *f, int i) { return f->data[i]; }
static int gala_color_primaries(const AVFrame *f) { return f->color_primaries; }
static int gala_color_transfer(const AVFrame *f) { return f->color_trc; }
static void gala_set_color_desc(AVFrame *f, int primaries, int transfer) { f->color_primaries = primaries; f->color_trc = transfer; }
static void gala_set_pkt_timebase(AVCodecContext *c, int num, int den) { c->pkt_timebase = (AVRational){num, den}; }
static void gala_set_error_concealment(AVCodecContext *c) { c->error_concealment = FF_EC_GUESS_MVS | FF_EC_DEBLOCK; }
static void gala_flush(AVCodecContext *c) { avcodec_flush_buffers(c); }
static int gala_initial_padding(const AVCodecContext *c) { return c->initial_padding; }
static void gala_set_refs(AVCodecContext *c, int refs) { c->refs = refs; }
static const char *gala_primaries_name(int v) { return av_color_primaries_name(v); }
static const char *gala_transfer_name(int v) { return av_color_transfer_name(v); }
static int gala_bit_depth(int fmt) { const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(fmt); return d ? d->comp[0].depth : 0; }
static int gala_intra_only(int id) { const AVCodecDescriptor *d = avcodec_descriptor_get(id); return d && (d->props & AV_CODEC_PROP_INTRA_ONLY); }
static int gala_encrypted(const AVCodecContext *c) { return av_packet_side_data_get(c->coded_side_data, c->nb_coded_side_data, AV_PKT_DATA_ENCRYPTION_INIT_INFO) != NULL; }
static int gala_encrypted_packet(const AVPacket *p) { return av_packet_get_side_data(p, AV_PKT_DATA_ENCRYPTION_INFO, NULL) != NULL; }
static uint8_t *gala_a53(const AVFrame *f, size_t *n) {
	AVFrameSideData *d = av_frame_get_side_data(f, AV_FRAME_DATA_A53_CC);
	*n = d ? d->size : 0;
	return d ? d->data : NULL;
}
static void gala_remove_a53(AVFrame *f) { av_frame_remove_side_data(f, AV_FRAME_DATA_A53_CC); }
static int gala_set_a53(AVFrame *f, const void *b, size_t n) {
	AVFrameSideData *d = av_frame_new_side_data(f, AV_FRAME_DATA_A53_CC, n);
	if (d) memcpy(d->data, b, n);
	return d != NULL;
}
// gala_text decodes one packet of subtitles: its events, one a line, as text that
// the caller frees. *ms is how long the decoder wants them shown, 0 unknown; *got
// that there is something, if only an empty screen.
static char *gala_text(AVCodecContext *c, const AVPacket *p, uint32_t *ms, int *got) {
	AVSubtitle s;
	char *out = NULL;
	if (avcodec_decode_subtitle2(c, &s, got, p) < 0) *got = 0;
	if (!*got) return NULL;
	*ms = s.end_display_time == UINT32_MAX ? 0 : s.end_display_time;
	for (unsigned i = 0; i < s.num_rects; i++) {
		if (s.rects[i]->ass) {
			char *more = av_asprintf("%s%s%s", out ? out : "", out ? "\n" : "", s.rects[i]->ass);
			av_free(out);
			out = more;
		}
	}
	avsubtitle_free(&s);
	return out;
}
static void gala_free(char *s) { av_free(s); }
static const char *gala_configuration(void) { return avcodec_configuration(); }
static const char *gala_license(void) { return avcodec_license(); }
static const char *gala_version(void) { return av_version_info(); }
*/
import "C"

import (
	"strings"
	"unsafe"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media/encoders"
)

func cFrame(f *astiav.Frame) *C.AVFrame { return (*C.AVFrame)(f.UnsafePointer()) }

func cCodec(c *astiav.CodecContext) *C.AVCodecContext {
	return (*C.AVCodecContext)(unsafe.Pointer(c.UnsafePointer()))
}

// bestEffort is the frame's timestamp as the decoder guesses it from pts and dts.
func bestEffort(f *astiav.Frame) int64 { return int64(C.gala_best_effort(cFrame(f))) }

func frameDuration(f *astiav.Frame) int64 { return int64(C.gala_frame_duration(cFrame(f))) }

// damaged tells whether the decoder concealed or lost parts of the frame.
func damaged(f *astiav.Frame) bool { return C.gala_decode_errors(cFrame(f)) != 0 }

// plane is n bytes of a frame's i-th plane, in place.
func plane(f *astiav.Frame, i, n int) []byte {
	return unsafe.Slice((*byte)(C.gala_plane(cFrame(f), C.int(i))), n)
}

// colorDesc is the frame's colour primaries and transfer, as ISO/IEC 23091-2 code points.
func colorDesc(f *astiav.Frame) (primaries, transfer int) {
	return int(C.gala_color_primaries(cFrame(f))), int(C.gala_color_transfer(cFrame(f)))
}

func setColorDesc(f *astiav.Frame, primaries, transfer int) {
	C.gala_set_color_desc(cFrame(f), C.int(primaries), C.int(transfer))
}

func setPacketTimebase(c *astiav.CodecContext, tb astiav.Rational) {
	C.gala_set_pkt_timebase(cCodec(c), C.int(tb.Num()), C.int(tb.Den()))
}

func flushDecoder(c *astiav.CodecContext) { C.gala_flush(cCodec(c)) }

// initialPadding is how many samples of priming the audio encoder puts first.
func initialPadding(c *astiav.CodecContext) int64 { return int64(C.gala_initial_padding(cCodec(c))) }

func primariesName(p astiav.ColorPrimaries) string {
	return known(C.GoString(C.gala_primaries_name(C.int(p))))
}

func transferName(t astiav.ColorTransferCharacteristic) string {
	return known(C.GoString(C.gala_transfer_name(C.int(t))))
}

// known is a colour name, "" for "unknown".
func known(name string) string {
	if name == "unknown" {
		return ""
	}
	return name
}

// bitDepth is the bits of one component.
func bitDepth(f astiav.PixelFormat) int { return int(C.gala_bit_depth(C.int(f))) }

// intraOnly: every picture of the codec is a key frame.
func intraOnly(id astiav.CodecID) bool { return C.gala_intra_only(C.int(id)) != 0 }

// encryptedStream tells whether the container says that a key is needed.
func encryptedStream(c *astiav.CodecContext) bool { return C.gala_encrypted(cCodec(c)) != 0 }

// encryptedPacket tells whether the packet's samples are encrypted.
func encryptedPacket(p *astiav.Packet) bool {
	// A Packet is a struct around the one pointer.
	return C.gala_encrypted_packet(*(**C.AVPacket)(unsafe.Pointer(p))) != 0
}

// takeA53 removes and returns the frame's captions, as cc_data packets; nil
// without any. Another reference of the frame keeps its own.
func takeA53(f *astiav.Frame) []byte {
	var n C.size_t
	data := C.gala_a53(cFrame(f), &n)
	if data == nil || n == 0 {
		return nil
	}
	b := C.GoBytes(unsafe.Pointer(data), C.int(n))
	C.gala_remove_a53(cFrame(f))
	return b
}

// setA53 gives captions to a frame that has none.
func setA53(f *astiav.Frame, b []byte) bool {
	return len(b) == 0 || C.gala_set_a53(cFrame(f), unsafe.Pointer(&b[0]), C.size_t(len(b))) != 0
}

// decodeText decodes a packet of subtitles: its events in the form that ASS has
// them, and how long the decoder wants them shown, in ms, 0 where it does not say.
// An empty packet asks for what a decoder has kept back; got tells whether there
// was something, which may be no events at all.
func decodeText(c *astiav.CodecContext, p *astiav.Packet) (events []string, ms int64, got bool) {
	var length C.uint32_t
	var have C.int
	text := C.gala_text(cCodec(c), cPacket(p), &length, &have)
	if text == nil {
		return nil, 0, have != 0
	}
	defer C.gala_free(text)
	return strings.Split(C.GoString(text), "\n"), int64(length), true
}

// Build describes the FFmpeg that is linked in.
type Build struct {
	Version       string   `json:"ffmpeg"`
	Configuration string   `json:"configuration"`
	License       string   `json:"license"`
	Encoders      []string `json:"encoders"`
}

// FFmpeg says which FFmpeg this binary carries and which rows of the encoder
// table it can open in principle (a GPU row still needs its device).
func FFmpeg() Build {
	b := Build{
		Version:       C.GoString(C.gala_version()),
		Configuration: C.GoString(C.gala_configuration()),
		License:       C.GoString(C.gala_license()),
	}
	for _, e := range encoders.Table() {
		if astiav.FindEncoderByName(e.Name) != nil {
			b.Encoders = append(b.Encoders, e.Name)
		}
	}
	return b
}
