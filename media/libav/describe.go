package libav

// A stream described in words and numbers, so that another process can decode
// it: what libavformat knows of it after its analysis.

/*
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdlib.h>
#include <string.h>

// The numbers of AVCodecParameters and AVStream that decoding needs.
#define GALA_PARAMS 24
static void gala_params_get(const AVStream *s, int64_t *v) {
	const AVCodecParameters *p = s->codecpar;
	int64_t all[GALA_PARAMS] = {
		p->codec_tag, p->format, p->bit_rate, p->bits_per_coded_sample, p->bits_per_raw_sample, p->profile, p->level, p->width, p->height,
		p->sample_aspect_ratio.num, p->sample_aspect_ratio.den, p->field_order, p->color_range, p->color_primaries, p->color_trc,
		p->color_space, p->chroma_location, p->video_delay, p->sample_rate, p->block_align, p->frame_size,
		s->avg_frame_rate.num, s->avg_frame_rate.den, s->disposition,
	};
	memcpy(v, all, sizeof all);
}
static void gala_params_set(AVStream *s, const int64_t *v) {
	AVCodecParameters *p = s->codecpar;
	p->codec_tag = v[0]; p->format = v[1]; p->bit_rate = v[2]; p->bits_per_coded_sample = v[3]; p->bits_per_raw_sample = v[4];
	p->profile = v[5]; p->level = v[6]; p->width = v[7]; p->height = v[8];
	p->sample_aspect_ratio = s->sample_aspect_ratio = (AVRational){v[9], v[10]};
	p->field_order = v[11]; p->color_range = v[12]; p->color_primaries = v[13]; p->color_trc = v[14]; p->color_space = v[15];
	p->chroma_location = v[16]; p->video_delay = v[17]; p->sample_rate = v[18]; p->block_align = v[19]; p->frame_size = v[20];
	s->avg_frame_rate = (AVRational){v[21], v[22]}; s->disposition = v[23];
}
static int gala_layout_get(const AVStream *s, char *buf, int n) { return av_channel_layout_describe(&s->codecpar->ch_layout, buf, n); }
static int gala_layout_set(AVStream *s, const char *text) { return av_channel_layout_from_string(&s->codecpar->ch_layout, text); }
static int gala_codec_by_name(const char *name) { const AVCodecDescriptor *d = avcodec_descriptor_get_by_name(name); return d ? d->id : AV_CODEC_ID_NONE; }
static int gala_side_data(const AVStream *s, int i, int *kind, uint8_t **data, size_t *size) {
	if (i >= s->codecpar->nb_coded_side_data) return 0;
	const AVPacketSideData *d = &s->codecpar->coded_side_data[i];
	*kind = d->type; *data = d->data; *size = d->size;
	return 1;
}
static int gala_add_side_data(AVStream *s, int kind, const void *data, size_t size) {
	AVPacketSideData *d = av_packet_side_data_new(&s->codecpar->coded_side_data, &s->codecpar->nb_coded_side_data, kind, size, 0);
	if (!d) return AVERROR(ENOMEM);
	memcpy(d->data, data, size);
	return 0;
}
static int gala_packet_side_data(const AVPacket *p, int i, int *kind, uint8_t **data, size_t *size) {
	if (i >= p->side_data_elems) return 0;
	*kind = p->side_data[i].type; *data = p->side_data[i].data; *size = p->side_data[i].size;
	return 1;
}
static int gala_fill_packet(AVPacket *p, const void *data, int size) {
	int err = av_new_packet(p, size); // with the padding that decoders read into
	if (err >= 0 && size > 0) memcpy(p->data, data, size);
	return err;
}
static int gala_add_packet_side_data(AVPacket *p, int kind, const void *data, size_t size) {
	uint8_t *d = av_packet_new_side_data(p, kind, size);
	if (!d) return AVERROR(ENOMEM);
	memcpy(d, data, size);
	return 0;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media/ring"
)

// paramNames are the numbers of gala_params_get, in order.
var paramNames = [C.GALA_PARAMS]string{
	"codec_tag", "format", "bit_rate", "bits_per_coded_sample", "bits_per_raw_sample", "profile", "level", "width", "height",
	"sample_aspect_num", "sample_aspect_den", "field_order", "color_range", "color_primaries", "color_trc",
	"color_space", "chroma_location", "video_delay", "sample_rate", "block_align", "frame_size",
	"avg_frame_rate_num", "avg_frame_rate_den", "disposition",
}

func cStream(s *astiav.Stream) *C.AVStream { return *(**C.AVStream)(unsafe.Pointer(s)) }

func cPacket(p *astiav.Packet) *C.AVPacket { return *(**C.AVPacket)(unsafe.Pointer(p)) }

// describeStream is what a demuxer knows of a stream.
func describeStream(s *astiav.Stream) ring.Stream {
	cp := s.CodecParameters()
	d := ring.Stream{
		ID: s.ID(), Kind: kindOf(cp.MediaType()), Base: timebase(s.TimeBase()), Codec: cp.CodecID().Name(),
		Extradata: append([]byte(nil), cp.ExtraData()...), Language: tag(s, "language"), Params: map[string]int64{},
	}
	var v [C.GALA_PARAMS]C.int64_t
	C.gala_params_get(cStream(s), &v[0])
	for i, name := range paramNames {
		d.Params[name] = int64(v[i])
	}
	if d.Kind == ring.Audio {
		buf := make([]byte, 128)
		if C.gala_layout_get(cStream(s), (*C.char)(unsafe.Pointer(&buf[0])), C.int(len(buf))) > 0 {
			d.Layout = C.GoString((*C.char)(unsafe.Pointer(&buf[0])))
		}
	}
	d.SideData = sideData(func(i C.int, kind *C.int, data **C.uint8_t, size *C.size_t) bool {
		return C.gala_side_data(cStream(s), i, kind, data, size) != 0
	})
	return d
}

func sideData(get func(i C.int, kind *C.int, data **C.uint8_t, size *C.size_t) bool) []ring.SideData {
	var out []ring.SideData
	for i := C.int(0); ; i++ {
		var kind C.int
		var data *C.uint8_t
		var size C.size_t
		if !get(i, &kind, &data, &size) {
			return out
		}
		out = append(out, ring.SideData{Kind: int(kind), Data: C.GoBytes(unsafe.Pointer(data), C.int(size))})
	}
}

func kindOf(t astiav.MediaType) ring.Kind {
	switch t {
	case astiav.MediaTypeVideo:
		return ring.Video
	case astiav.MediaTypeAudio:
		return ring.Audio
	case astiav.MediaTypeSubtitle:
		return ring.Subtitle
	}
	return ring.Other
}

func mediaTypeOf(k ring.Kind) astiav.MediaType {
	switch k {
	case ring.Video:
		return astiav.MediaTypeVideo
	case ring.Audio:
		return astiav.MediaTypeAudio
	case ring.Subtitle:
		return astiav.MediaTypeSubtitle
	}
	return astiav.MediaTypeData
}

// redescribe makes a stream of fc that decodes as d says.
func redescribe(fc *astiav.FormatContext, d ring.Stream) (*astiav.Stream, error) {
	s := fc.NewStream(nil)
	if s == nil {
		return nil, errors.New("allocate stream")
	}
	s.SetID(d.ID)
	s.SetTimeBase(rational(d.Base))
	name := C.CString(d.Codec)
	defer C.free(unsafe.Pointer(name))
	cp := s.CodecParameters()
	cp.SetMediaType(mediaTypeOf(d.Kind))
	cp.SetCodecID(astiav.CodecID(C.gala_codec_by_name(name)))
	var v [C.GALA_PARAMS]C.int64_t
	for i, name := range paramNames {
		v[i] = C.int64_t(d.Params[name])
	}
	C.gala_params_set(cStream(s), &v[0])
	if len(d.Extradata) > 0 {
		if err := cp.SetExtraData(d.Extradata); err != nil {
			return nil, fmt.Errorf("stream %d: extradata: %w", s.Index(), err)
		}
	}
	return s, dress(s, d)
}

// dress adds what has a form of its own: channels, language, side data.
func dress(s *astiav.Stream, d ring.Stream) error {
	if d.Layout != "" {
		text := C.CString(d.Layout)
		defer C.free(unsafe.Pointer(text))
		if C.gala_layout_set(cStream(s), text) < 0 {
			return fmt.Errorf("stream %d: channel layout %q is unknown", s.Index(), d.Layout)
		}
	}
	if d.Language != "" {
		md := astiav.NewDictionary()
		_ = md.Set("language", d.Language, 0)
		s.SetMetadata(md)
	}
	for _, x := range d.SideData {
		if C.gala_add_side_data(cStream(s), C.int(x.Kind), unsafe.Pointer(unsafe.SliceData(x.Data)), C.size_t(len(x.Data))) < 0 {
			return errors.New("allocate side data")
		}
	}
	return nil
}

// toRing copies a packet out of libav's memory.
func toRing(p *astiav.Packet) ring.Packet {
	return ring.Packet{
		Stream: p.StreamIndex(), PTS: p.Pts(), DTS: p.Dts(), Duration: p.Duration(),
		Key: p.Flags().Has(astiav.PacketFlagKey), Corrupt: p.Flags().Has(astiav.PacketFlagCorrupt),
		Data: append([]byte(nil), p.Data()...),
		SideData: sideData(func(i C.int, kind *C.int, data **C.uint8_t, size *C.size_t) bool {
			return C.gala_packet_side_data(cPacket(p), i, kind, data, size) != 0
		}),
	}
}

// fromRing fills p for stream index.
func fromRing(p *astiav.Packet, r ring.Packet, index int) error {
	if C.gala_fill_packet(cPacket(p), unsafe.Pointer(unsafe.SliceData(r.Data)), C.int(len(r.Data))) < 0 {
		return fmt.Errorf("allocate packet of %d bytes", len(r.Data))
	}
	p.SetStreamIndex(index)
	p.SetPts(r.PTS)
	p.SetDts(r.DTS)
	p.SetDuration(r.Duration)
	var flags []astiav.PacketFlag
	if r.Key {
		flags = append(flags, astiav.PacketFlagKey)
	}
	if r.Corrupt {
		flags = append(flags, astiav.PacketFlagCorrupt)
	}
	p.SetFlags(astiav.NewPacketFlags(flags...))
	for _, x := range r.SideData {
		if C.gala_add_packet_side_data(cPacket(p), C.int(x.Kind), unsafe.Pointer(unsafe.SliceData(x.Data)), C.size_t(len(x.Data))) < 0 {
			return errors.New("allocate side data")
		}
	}
	return nil
}
