package libav

// What go-astiav has no accessor for, about colour. shim_test.go checks it.

/*
#cgo pkg-config: libavformat libavcodec libavutil
#include <libavcodec/avcodec.h>
#include <libavutil/dovi_meta.h>
#include <libavutil/frame.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/opt.h>

static int gala_chroma(const AVFrame *f) { return f->chroma_location; }
static void gala_set_chroma(AVFrame *f, int v) { f->chroma_location = v; }
static void gala_set_codec_chroma(AVCodecContext *c, int v) { c->chroma_sample_location = v; }

static int gala_set_option(AVCodecContext *c, const char *key, const char *value) {
	return av_opt_set(c, key, value, AV_OPT_SEARCH_CHILDREN);
}

// Dolby Vision profile and the compatibility of its base layer, as the
// container or the bitstream says; -1 without.
static int gala_dovi(const AVCodecContext *c, int *compatible) {
	const AVPacketSideData *sd = av_packet_side_data_get(c->coded_side_data, c->nb_coded_side_data, AV_PKT_DATA_DOVI_CONF);
	if (!sd)
		return -1;
	const AVDOVIDecoderConfigurationRecord *r = (const AVDOVIDecoderConfigurationRecord *)sd->data;
	*compatible = r->dv_bl_signal_compatibility_id;
	return r->dv_profile;
}

// The encoder is told what display the pictures were graded on.
static int gala_pass_hdr(AVCodecContext *c, const AVFrame *f) {
	static const enum AVFrameSideDataType types[] = { AV_FRAME_DATA_MASTERING_DISPLAY_METADATA, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL };
	for (int i = 0; i < 2; i++) {
		const AVFrameSideData *sd = av_frame_get_side_data(f, types[i]);
		if (!sd)
			continue;
		int err = av_frame_side_data_clone(&c->decoded_side_data, &c->nb_decoded_side_data, sd, AV_FRAME_SIDE_DATA_FLAG_UNIQUE);
		if (err < 0)
			return err;
	}
	return 0;
}

static void gala_drop_hdr(AVFrame *f) {
	av_frame_remove_side_data(f, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
	av_frame_remove_side_data(f, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
}

// Ten numbers: x and y of green, blue, red and white, highest and lowest light.
static int gala_mastering(const AVFrame *f, double *out) {
	const AVFrameSideData *sd = av_frame_get_side_data(f, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
	if (!sd)
		return 0;
	const AVMasteringDisplayMetadata *m = (const AVMasteringDisplayMetadata *)sd->data;
	if (!m->has_primaries || !m->has_luminance)
		return 0;
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < 2; i++)
			out[2 * c + i] = av_q2d(m->display_primaries[(c + 1) % 3][i]);
	for (int i = 0; i < 2; i++)
		out[6 + i] = av_q2d(m->white_point[i]);
	out[8] = av_q2d(m->max_luminance);
	out[9] = av_q2d(m->min_luminance);
	return 1;
}

static int gala_light(const AVFrame *f, unsigned *max, unsigned *average) {
	const AVFrameSideData *sd = av_frame_get_side_data(f, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
	if (!sd)
		return 0;
	const AVContentLightMetadata *l = (const AVContentLightMetadata *)sd->data;
	*max = l->MaxCLL;
	*average = l->MaxFALL;
	return 1;
}
*/
import "C"

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
)

// chromaLocation is where the frame's chroma samples lie: AVCHROMA_LOC_*, 0 unknown.
func chromaLocation(f *astiav.Frame) int { return int(C.gala_chroma(cFrame(f))) }

func setChromaLocation(f *astiav.Frame, loc int) { C.gala_set_chroma(cFrame(f), C.int(loc)) }

func setCodecChroma(c *astiav.CodecContext, loc int) { C.gala_set_codec_chroma(cCodec(c), C.int(loc)) }

// setOption sets an option of the codec or of libavcodec; one that it does not
// have, or a value that it does not take, is an error.
func setOption(c *astiav.CodecContext, key, value string) error {
	k, v := C.CString(key), C.CString(value)
	defer C.free(unsafe.Pointer(k))
	defer C.free(unsafe.Pointer(v))
	if rc := C.gala_set_option(cCodec(c), k, v); rc < 0 {
		return fmt.Errorf("option %s=%s: %w", key, value, astiav.Error(rc))
	}
	return nil
}

// dolbyVision is the stream's profile and its base layer's compatibility.
func dolbyVision(c *astiav.CodecContext) (profile, compatible int, ok bool) {
	var id C.int
	p := C.gala_dovi(cCodec(c), &id)
	return int(p), int(id), p >= 0
}

// passHDR hands the frame's mastering display and light level to the encoder,
// before it is opened.
func passHDR(c *astiav.CodecContext, f *astiav.Frame) error {
	if rc := C.gala_pass_hdr(cCodec(c), cFrame(f)); rc < 0 {
		return astiav.Error(rc)
	}
	return nil
}

// dropHDR takes them away from a frame that is no longer HDR.
func dropHDR(f *astiav.Frame) { C.gala_drop_hdr(cFrame(f)) }

// mastering is the display that the frame was graded on, nil where it does not say.
func mastering(f *astiav.Frame) *media.Mastering {
	var v [10]C.double
	if C.gala_mastering(cFrame(f), &v[0]) == 0 {
		return nil
	}
	point := func(i int) [2]uint16 { return [2]uint16{units16(v[i], 50000), units16(v[i+1], 50000)} }
	return &media.Mastering{
		Primaries: [3][2]uint16{point(0), point(2), point(4)}, White: point(6),
		Max: units32(v[8], 10000), Min: units32(v[9], 10000),
	}
}

func units16(v C.double, scale float64) uint16 {
	return uint16(min(max(math.Round(float64(v)*scale), 0), math.MaxUint16))
}

func units32(v C.double, scale float64) uint32 {
	return uint32(min(max(math.Round(float64(v)*scale), 0), math.MaxUint32))
}

// lightLevel is the frame's content light level, nil where it does not say.
func lightLevel(f *astiav.Frame) *media.LightLevel {
	var most, average C.uint
	if C.gala_light(cFrame(f), &most, &average) == 0 {
		return nil
	}
	return &media.LightLevel{Max: uint16(min(most, math.MaxUint16)), Average: uint16(min(average, math.MaxUint16))}
}
