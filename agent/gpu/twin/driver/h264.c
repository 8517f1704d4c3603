// H.264 by libx264. One thread and no lookahead, so that what goes in comes
// out after as many pictures as there are B-frames in a row.
#include "encoder.h"

#include <stdlib.h>
#include <string.h>
#include <x264.h>

struct encoder {
    x264_t *x264;
    struct encoder_settings settings;
};

static const char *const presets[] = {"ultrafast", "superfast", "superfast", "superfast", "veryfast", "veryfast", "faster"};

static void set_rate(x264_param_t *p, const struct encoder_settings *s) {
    p->rc.i_qp_min = s->qp_min >= 0 ? s->qp_min : p->rc.i_qp_min;
    p->rc.i_qp_max = s->qp_max >= 0 ? s->qp_max : p->rc.i_qp_max;
    if (s->max_bitrate && s->rate != RATE_CONSTANT_QP) {
        p->rc.i_vbv_max_bitrate = s->max_bitrate / 1000;
        p->rc.i_vbv_buffer_size = (s->buffer ? s->buffer : s->max_bitrate) / 1000;
    }
    switch (s->rate) {
    case RATE_CONSTANT_QP:
        p->rc.i_rc_method = X264_RC_CQP;
        p->rc.i_qp_constant = s->qp;
        // x264 has factors, from which it finds the distance again.
        p->rc.f_ip_factor = s->qp > s->qp_intra ? 1 + 0.122f * (float)(s->qp - s->qp_intra) : 1;
        p->rc.f_pb_factor = s->qp_b > s->qp ? 1 + 0.122f * (float)(s->qp_b - s->qp) : 1;
        break;
    case RATE_QUALITY:
        p->rc.i_rc_method = X264_RC_CRF;
        p->rc.f_rf_constant = (float)s->quality;
        break;
    case RATE_AVERAGE:
    case RATE_CONSTANT:
        p->rc.i_rc_method = X264_RC_ABR;
        p->rc.i_bitrate = s->bitrate / 1000;
        break;
    }
    if (s->rate == RATE_CONSTANT) {
        p->rc.i_vbv_max_bitrate = s->bitrate / 1000;
        p->rc.i_vbv_buffer_size = (s->buffer ? s->buffer : s->bitrate) / 1000;
    }
}

static void set_colour(x264_param_t *p, const struct encoder_settings *s) {
    p->vui.i_sar_width = s->sar_num;
    p->vui.i_sar_height = s->sar_den;
    if (s->range_told) {
        p->vui.i_vidformat = s->video_format;
        p->vui.b_fullrange = s->full_range;
    }
    if (s->colour_told) {
        p->vui.i_colorprim = s->primaries;
        p->vui.i_transfer = s->transfer;
        p->vui.i_colmatrix = s->matrix;
    }
    if (s->chroma_location >= 0)
        p->vui.i_chroma_loc = s->chroma_location;
}

static struct encoder *open_h264(const struct encoder_settings *s) {
    x264_param_t p;
    if (s->ten_bit || x264_param_default_preset(&p, presets[s->effort - 1], NULL))
        return NULL;
    p.i_log_level = X264_LOG_NONE;
    p.i_threads = 1;
    p.i_lookahead_threads = 1;
    p.i_sync_lookahead = 0;
    p.rc.i_lookahead = 0;
    p.rc.b_mb_tree = 0;
    p.i_width = s->width;
    p.i_height = s->height;
    p.i_csp = X264_CSP_NV12;
    p.i_fps_num = (uint32_t)s->fps_num;
    p.i_fps_den = (uint32_t)s->fps_den;
    p.i_timebase_num = p.i_fps_den;
    p.i_timebase_den = p.i_fps_num;
    p.b_vfr_input = 0;
    // Key frames are where NVENC's code says, and nowhere else.
    p.i_keyint_max = X264_KEYINT_MAX_INFINITE;
    p.i_scenecut_threshold = 0;
    p.b_open_gop = 0;
    p.i_bframe = s->b_frames;
    p.i_bframe_adaptive = X264_B_ADAPT_NONE;
    p.i_bframe_pyramid = s->b_reference ? X264_B_PYRAMID_NORMAL : X264_B_PYRAMID_NONE;
    if (s->references)
        p.i_frame_reference = s->references;
    p.analyse.i_weighted_pred = X264_WEIGHTP_NONE;
    p.b_annexb = 1;
    p.b_repeat_headers = s->headers_in_band;
    p.b_aud = s->delimiters;
    p.b_cabac = !s->cavlc;
    p.b_pic_struct = s->picture_timing;
    p.i_level_idc = s->level ? s->level : -1;
    p.i_slice_count = s->slices;
    p.i_slice_max_size = s->slice_bytes;
    // x264 says Main of a stream without it, NVENC says what was asked for. Lesser profiles take it away again.
    p.analyse.b_transform_8x8 = 1;
    p.rc.i_aq_mode = s->adaptive_quantization ? X264_AQ_VARIANCE : X264_AQ_NONE;
    set_rate(&p, s);
    set_colour(&p, s);
    if (s->profile && x264_param_apply_profile(&p, s->profile))
        return NULL;
    struct encoder *e = calloc(1, sizeof *e);
    if (!e || !(e->x264 = x264_encoder_open(&p))) {
        free(e);
        return NULL;
    }
    e->settings = *s;
    return e;
}

// x264 keeps the messages until it writes them, and then frees them.
static void copy_sei(x264_picture_t *to, const struct encoder_picture *from) {
    x264_sei_t *sei = &to->extra_sei;
    if (!from->seis || !(sei->payloads = calloc((size_t)from->seis, sizeof *sei->payloads)))
        return;
    sei->sei_free = free;
    for (int i = 0; i < from->seis; i++) {
        const struct encoder_sei *s = &from->sei[i];
        uint8_t *copy = malloc((size_t)s->size);
        if (!copy)
            return;
        memcpy(copy, s->data, (size_t)s->size);
        sei->payloads[sei->num_payloads++] = (x264_sei_payload_t){s->size, s->type, copy};
    }
}

static enum picture_type type_of(const x264_picture_t *p) {
    if (p->i_type == X264_TYPE_IDR)
        return PICTURE_IDR;
    if (p->i_type == X264_TYPE_I)
        return PICTURE_I;
    return p->i_type == X264_TYPE_P ? PICTURE_P : PICTURE_B;
}

static int encode_h264(struct encoder *e, const struct encoder_picture *p, struct encoder_output *out) {
    x264_picture_t in, coded;
    x264_nal_t *nals;
    int count;
    if (!p && !x264_encoder_delayed_frames(e->x264))
        return 0;
    if (p) {
        x264_picture_init(&in);
        in.i_pts = p->number;
        in.i_type = p->type == PICTURE_IDR ? X264_TYPE_IDR : p->type == PICTURE_I ? X264_TYPE_I : X264_TYPE_AUTO;
        in.img.i_csp = p->planes == 2 ? X264_CSP_NV12 : X264_CSP_I420;
        in.img.i_plane = p->planes;
        for (int i = 0; i < p->planes; i++) {
            in.img.plane[i] = (uint8_t *)p->plane[i];
            in.img.i_stride[i] = p->stride[i];
        }
        copy_sei(&in, p);
    }
    int size = x264_encoder_encode(e->x264, &nals, &count, p ? &in : NULL, &coded);
    if (size <= 0)
        return size;
    *out = (struct encoder_output){nals[0].p_payload, (size_t)size, coded.i_pts, type_of(&coded), coded.i_qpplus1 - 1};
    return 1;
}

static size_t headers_h264(struct encoder *e, uint8_t *to, size_t size) {
    x264_nal_t *nals;
    int count;
    size_t n = 0;
    if (x264_encoder_headers(e->x264, &nals, &count) < 0)
        return 0;
    for (int i = 0; i < count; i++) {
        if (nals[i].i_type != NAL_SPS && nals[i].i_type != NAL_PPS)
            continue;
        if (n + (size_t)nals[i].i_payload > size)
            return 0;
        memcpy(to + n, nals[i].p_payload, (size_t)nals[i].i_payload);
        n += (size_t)nals[i].i_payload;
    }
    return n;
}

static void close_h264(struct encoder *e) {
    x264_encoder_close(e->x264);
    free(e);
}

const struct encoder_kind encoder_h264 = {open_h264, encode_h264, headers_h264, close_h264};
