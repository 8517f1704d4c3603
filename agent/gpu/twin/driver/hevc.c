// HEVC by libx265, of 8 or 10 bit where the library was built with both.
//
// SEI messages are written here, not by x265: it keeps the buffers of a
// picture's messages for later pictures and never makes them larger, which
// overruns them (seen with 3.5).
#include "encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x265.h>

enum { KEPT = 64, PREFIX_SEI = 39, FIRST_NOT_CODED = 32 }; // types of NAL units

// The messages of a picture as a NAL unit, until it comes out.
struct message {
    uint8_t *bytes;
    size_t size;
};

struct encoder {
    const x265_api *api;
    x265_encoder *x265;
    x265_param *param;
    struct encoder_settings settings;
    uint8_t *planar; // the picture as x265 wants it
    size_t planar_size;
    struct message messages[KEPT]; // by picture number
    uint8_t *bytes; // of the last output
    size_t bytes_size;
};

static const char *const presets[] = {"ultrafast", "ultrafast", "ultrafast", "superfast", "superfast", "veryfast", "veryfast"};

bool encoder_hevc_ten_bit(void) {
    const x265_api *api = x265_api_get(10);
    return api && api->bit_depth == 10;
}

static void set_rate(x265_param *p, const struct encoder_settings *s) {
    if (s->qp_min >= 0)
        p->rc.qpMin = s->qp_min;
    if (s->qp_max >= 0)
        p->rc.qpMax = s->qp_max;
    int max = s->rate == RATE_CONSTANT ? s->bitrate : s->max_bitrate;
    if (max && s->rate != RATE_CONSTANT_QP) {
        p->rc.vbvMaxBitrate = max / 1000;
        p->rc.vbvBufferSize = (s->buffer ? s->buffer : max) / 1000;
    }
    switch (s->rate) {
    case RATE_CONSTANT_QP:
        p->rc.rateControlMode = X265_RC_CQP;
        p->rc.qp = s->qp;
        p->rc.ipFactor = s->qp > s->qp_intra ? 1 + 0.122 * (s->qp - s->qp_intra) : 1;
        p->rc.pbFactor = s->qp_b > s->qp ? 1 + 0.122 * (s->qp_b - s->qp) : 1;
        break;
    case RATE_QUALITY:
        p->rc.rateControlMode = X265_RC_CRF;
        p->rc.rfConstant = s->quality;
        break;
    case RATE_AVERAGE:
    case RATE_CONSTANT:
        p->rc.rateControlMode = X265_RC_ABR;
        p->rc.bitrate = s->bitrate / 1000;
        break;
    }
}

static void set_colour(x265_param *p, const struct encoder_settings *s) {
    if (s->sar_num && s->sar_den) {
        p->vui.aspectRatioIdc = X265_EXTENDED_SAR;
        p->vui.sarWidth = s->sar_num;
        p->vui.sarHeight = s->sar_den;
    }
    p->vui.bEnableVideoSignalTypePresentFlag = s->range_told || s->colour_told;
    p->vui.videoFormat = s->range_told ? s->video_format : 5;
    p->vui.bEnableVideoFullRangeFlag = s->full_range;
    p->vui.bEnableColorDescriptionPresentFlag = s->colour_told;
    if (s->colour_told) {
        p->vui.colorPrimaries = s->primaries;
        p->vui.transferCharacteristics = s->transfer;
        p->vui.matrixCoeffs = s->matrix;
    }
    p->vui.bEnableChromaLocInfoPresentFlag = s->chroma_location >= 0;
    if (s->chroma_location >= 0)
        p->vui.chromaSampleLocTypeTopField = p->vui.chromaSampleLocTypeBottomField = s->chroma_location;
}

static void set_params(x265_param *p, const struct encoder_settings *s) {
    p->logLevel = X265_LOG_NONE;
    p->frameNumThreads = 1;
    p->bEnableWavefront = 0;
    p->lookaheadThreads = 0;
    p->lookaheadDepth = s->b_frames ? s->b_frames + 1 : 0;
    p->rc.cuTree = 0;
    p->sourceWidth = s->width;
    p->sourceHeight = s->height;
    p->internalCsp = X265_CSP_I420;
    p->fpsNum = (uint32_t)s->fps_num;
    p->fpsDenom = (uint32_t)s->fps_den;
    // Key frames are where NVENC's code says, and nowhere else.
    p->keyframeMax = -1;
    p->scenecutThreshold = 0;
    p->bOpenGOP = 0;
    p->bframes = s->b_frames;
    p->bFrameAdaptive = X265_B_ADAPT_NONE;
    p->bBPyramid = s->b_reference;
    if (s->references)
        p->maxNumReferences = s->references;
    p->bEnableWeightedPred = p->bEnableWeightedBiPred = 0;
    p->bAnnexB = 1;
    p->bRepeatHeaders = s->headers_in_band;
    p->bEnableAccessUnitDelimiters = s->delimiters;
    p->bEmitInfoSEI = 0;
    p->levelIdc = s->level;
    p->bHighTier = s->high_tier;
    p->maxSlices = (uint32_t)(s->slices > 1 ? s->slices : 1);
    p->rc.aqMode = s->adaptive_quantization ? X265_AQ_VARIANCE : X265_AQ_NONE;
}

static void close_hevc(struct encoder *e) {
    if (e->x265)
        e->api->encoder_close(e->x265);
    if (e->param)
        e->api->param_free(e->param);
    for (int i = 0; i < KEPT; i++)
        free(e->messages[i].bytes);
    free(e->planar);
    free(e->bytes);
    free(e);
}

static struct encoder *open_hevc(const struct encoder_settings *s) {
    const x265_api *api = x265_api_get(s->ten_bit ? 10 : 8);
    struct encoder *e = calloc(1, sizeof *e);
    if (!api || !e) {
        free(e);
        return NULL;
    }
    e->api = api;
    e->settings = *s;
    e->param = api->param_alloc();
    if (!e->param || api->param_default_preset(e->param, presets[s->effort - 1], NULL) < 0) {
        close_hevc(e);
        return NULL;
    }
    set_params(e->param, s);
    set_rate(e->param, s);
    set_colour(e->param, s);
    // No pool: every encoder would make threads for the whole machine.
    bool bad = api->param_parse(e->param, "pools", "none") ||
               api->param_apply_profile(e->param, s->ten_bit ? "main10" : "main") < 0;
    e->planar_size = (size_t)s->width * (size_t)s->height * (s->ten_bit ? 4 : 2);
    e->planar = malloc(e->planar_size);
    if (bad || !e->planar || !(e->x265 = api->encoder_open(e->param))) {
        close_hevc(e);
        return NULL;
    }
    return e;
}

// x265 wants planes of their own for the two kinds of chroma, and 10 bit in
// the lower bits.
static void make_planar(struct encoder *e, const struct encoder_picture *p, x265_picture *to) {
    int w = e->settings.width, h = e->settings.height, cw = (w + 1) / 2, ch = (h + 1) / 2;
    int bytes = e->settings.ten_bit ? 2 : 1;
    uint8_t *at = e->planar;
    for (int plane = 0; plane < 3; plane++) {
        int pw = plane ? cw : w, ph = plane ? ch : h, from = plane && p->planes == 2 ? 1 : plane;
        int step = plane && p->planes == 2 ? 2 : 1, skip = plane == 2 && p->planes == 2 ? 1 : 0;
        to->planes[plane] = at;
        to->stride[plane] = pw * bytes;
        for (int y = 0; y < ph; y++, at += pw * bytes) {
            const uint8_t *row = p->plane[from] + (size_t)y * (size_t)p->stride[from];
            for (int x = 0; x < pw; x++)
                if (bytes == 2)
                    ((uint16_t *)at)[x] = ((const uint16_t *)row)[x * step + skip] >> 6;
                else
                    at[x] = row[x * step + skip];
        }
    }
}

// --- SEI messages --------------------------------------------------------------------------------------------------

struct writer {
    uint8_t *bytes;
    size_t size;
    int zeros;
};

// No three bytes of a NAL unit may look like a start code.
static void put_byte(struct writer *w, uint8_t b) {
    if (w->zeros == 2 && b <= 3) {
        w->bytes[w->size++] = 3;
        w->zeros = 0;
    }
    w->bytes[w->size++] = b;
    w->zeros = b ? 0 : w->zeros + 1;
}

static void put_number(struct writer *w, int n) {
    for (; n >= 255; n -= 255)
        put_byte(w, 255);
    put_byte(w, (uint8_t)n);
}

static bool keep_messages(struct encoder *e, const struct encoder_picture *p) {
    struct message *m = &e->messages[p->number % KEPT];
    size_t most = 8;
    free(m->bytes);
    *m = (struct message){0};
    for (int i = 0; i < p->seis; i++)
        most += 8 + (size_t)p->sei[i].size + (size_t)p->sei[i].size / 255;
    if (!p->seis)
        return true;
    struct writer w = {malloc(most + most / 2), 0, 0};
    if (!w.bytes)
        return false;
    memcpy(w.bytes, (uint8_t[]){0, 0, 0, 1, PREFIX_SEI << 1, 1}, 6);
    w.size = 6;
    for (int i = 0; i < p->seis; i++) {
        put_number(&w, p->sei[i].type);
        put_number(&w, p->sei[i].size);
        for (int n = 0; n < p->sei[i].size; n++)
            put_byte(&w, p->sei[i].data[n]);
    }
    put_byte(&w, 0x80);
    *m = (struct message){w.bytes, w.size};
    return true;
}

// --- Encoding ------------------------------------------------------------------------------------------------------

static bool make_room(struct encoder *e, size_t size) {
    if (size <= e->bytes_size)
        return true;
    uint8_t *more = realloc(e->bytes, size);
    if (!more)
        return false;
    e->bytes = more;
    e->bytes_size = size;
    return true;
}

static int take_output(struct encoder *e, const x265_nal *nals, uint32_t count, const x265_picture *coded,
                       struct encoder_output *out) {
    const struct message *m = &e->messages[coded->pts % KEPT];
    size_t size = m->size;
    bool written = !m->size;
    for (uint32_t i = 0; i < count; i++)
        size += nals[i].sizeBytes;
    if (!make_room(e, size))
        return -1;
    size = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!written && nals[i].type < FIRST_NOT_CODED) { // before the picture itself
            memcpy(e->bytes + size, m->bytes, m->size);
            size += m->size;
            written = true;
        }
        memcpy(e->bytes + size, nals[i].payload, nals[i].sizeBytes);
        size += nals[i].sizeBytes;
    }
    int t = coded->sliceType;
    *out = (struct encoder_output){e->bytes, size, coded->pts,
                                   t == X265_TYPE_IDR ? PICTURE_IDR
                                   : t == X265_TYPE_I ? PICTURE_I
                                   : t == X265_TYPE_P ? PICTURE_P
                                                      : PICTURE_B,
                                   (int)coded->frameData.qp};
    return 1;
}

static int encode_hevc(struct encoder *e, const struct encoder_picture *p, struct encoder_output *out) {
    x265_picture in, coded;
    x265_nal *nals;
    uint32_t count;
    e->api->picture_init(e->param, &coded);
    if (p) {
        e->api->picture_init(e->param, &in);
        make_planar(e, p, &in);
        in.bitDepth = e->settings.ten_bit ? 10 : 8;
        in.pts = p->number;
        in.sliceType = p->type == PICTURE_IDR ? X265_TYPE_IDR : p->type == PICTURE_I ? X265_TYPE_I : X265_TYPE_AUTO;
        if (!keep_messages(e, p))
            return -1;
    }
    int n = e->api->encoder_encode(e->x265, &nals, &count, p ? &in : NULL, &coded);
    return n <= 0 ? n : take_output(e, nals, count, &coded, out);
}

static size_t headers_hevc(struct encoder *e, uint8_t *to, size_t size) {
    x265_nal *nals;
    uint32_t count;
    size_t n = 0;
    if (e->api->encoder_headers(e->x265, &nals, &count) < 0)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        if (n + nals[i].sizeBytes > size)
            return 0;
        memcpy(to + n, nals[i].payload, nals[i].sizeBytes);
        n += nals[i].sizeBytes;
    }
    return n;
}

const struct encoder_kind encoder_hevc = {open_hevc, encode_hevc, headers_hevc, close_hevc};
