// libnvidia-encode.so.1: from NVENC's configuration to the settings of an
// encoder.
#include "nvenc.h"

#include <stdlib.h>
#include <string.h>

static int gcd(int a, int b) { return b ? gcd(b, a % b) : a; }

static void set_aspect(struct encoder_settings *e, uint32_t dar_width, uint32_t dar_height) {
    e->sar_num = e->sar_den = 0;
    if (!dar_width || !dar_height)
        return;
    int64_t n = (int64_t)dar_width * e->height, d = (int64_t)dar_height * e->width;
    while (n > 65535 || d > 65535) { // what the syntax can hold
        n /= 2;
        d /= 2;
    }
    int g = gcd((int)n, (int)d);
    if (g) {
        e->sar_num = (int)n / g;
        e->sar_den = (int)d / g;
    }
}

static void set_vui(struct encoder_settings *e, const NV_ENC_CONFIG_H264_VUI_PARAMETERS *v) {
    e->range_told = v->videoSignalTypePresentFlag;
    e->colour_told = v->videoSignalTypePresentFlag && v->colourDescriptionPresentFlag;
    e->video_format = (int)v->videoFormat;
    e->full_range = v->videoFullRangeFlag;
    e->primaries = (int)v->colourPrimaries;
    e->transfer = (int)v->transferCharacteristics;
    e->matrix = (int)v->colourMatrix;
    e->chroma_location = v->chromaSampleLocationFlag ? (int)v->chromaSampleLocationTop : -1;
}

static void set_slices(struct encoder_settings *e, uint32_t mode, uint32_t data) {
    e->slices = mode == 3 ? (int)data : 0;
    e->slice_bytes = mode == 1 ? (int)data : 0;
}

static void set_rate(struct encoder_settings *e, const NV_ENC_RC_PARAMS *r) {
    e->bitrate = (int)r->averageBitRate;
    e->max_bitrate = (int)r->maxBitRate;
    e->buffer = (int)r->vbvBufferSize;
    e->qp = (int)r->constQP.qpInterP;
    e->qp_b = (int)r->constQP.qpInterB;
    e->qp_intra = (int)r->constQP.qpIntra;
    e->qp_min = r->enableMinQP ? (int)r->minQP.qpInterP : -1;
    e->qp_max = r->enableMaxQP ? (int)r->maxQP.qpInterP : -1;
    e->quality = r->targetQuality + r->targetQualityLSB / 256.0;
    e->adaptive_quantization = r->enableAQ;
    if (r->rateControlMode == NV_ENC_PARAMS_RC_CONSTQP) {
        e->rate = RATE_CONSTANT_QP;
    } else if (r->rateControlMode == NV_ENC_PARAMS_RC_CBR) {
        e->rate = RATE_CONSTANT;
    } else {
        e->rate = e->quality > 0 || !e->bitrate ? RATE_QUALITY : RATE_AVERAGE;
        if (e->quality <= 0)
            e->quality = 26;
    }
}

static NVENCSTATUS set_h264(struct session *s, struct encoder_settings *e, const NV_ENC_CONFIG *c) {
    const NV_ENC_CONFIG_H264 *h = &c->encodeCodecConfig.h264Config;
    if (h->chromaFormatIDC > 1 || h->enableIntraRefresh || h->enableLTR || h->qpPrimeYZeroTransformBypassFlag)
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the twin has no 4:2:2, 4:4:4, lossless, intra refresh or long-term references");
    if (same_guid(&c->profileGUID, &NV_ENC_H264_PROFILE_BASELINE_GUID))
        e->profile = "baseline";
    else if (same_guid(&c->profileGUID, &NV_ENC_H264_PROFILE_MAIN_GUID))
        e->profile = "main";
    else if (same_guid(&c->profileGUID, &NV_ENC_H264_PROFILE_HIGH_GUID) ||
             same_guid(&c->profileGUID, &NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID))
        e->profile = "high";
    else
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the twin has H.264 baseline, main and high");
    e->level = (int)h->level;
    e->headers_in_band = !h->disableSPSPPS;
    e->delimiters = h->outputAUD;
    e->cavlc = h->entropyCodingMode == NV_ENC_H264_ENTROPY_CODING_MODE_CAVLC || !strcmp(e->profile, "baseline");
    e->references = (int)h->maxNumRefFrames;
    e->b_reference = h->useBFramesAsRef != NV_ENC_BFRAME_REF_MODE_DISABLED;
    e->picture_timing = h->outputPictureTimingSEI;
    set_slices(e, h->sliceMode, h->sliceModeData);
    set_vui(e, &h->h264VUIParameters);
    s->kind = &encoder_h264;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS set_hevc(struct session *s, struct encoder_settings *e, const NV_ENC_CONFIG *c) {
    const NV_ENC_CONFIG_HEVC *h = &c->encodeCodecConfig.hevcConfig;
    if (h->chromaFormatIDC > 1 || h->enableIntraRefresh || h->enableLTR || h->enableAlphaLayerEncoding ||
        same_guid(&c->profileGUID, &NV_ENC_HEVC_PROFILE_FREXT_GUID))
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the twin has no 4:2:2, 4:4:4, alpha, intra refresh or long-term references");
    e->ten_bit = h->pixelBitDepthMinus8 == 2;
    if (h->pixelBitDepthMinus8 > 2 || (e->ten_bit && !(twin_config()->device[s->device].features & TWIN_HAS_HEVC10)))
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the device has no %u bit HEVC", 8 + h->pixelBitDepthMinus8);
    e->level = (int)h->level / 3; // NVENC counts as the bitstream does, 30 for each level
    e->high_tier = h->tier == NV_ENC_TIER_HEVC_HIGH;
    e->headers_in_band = !h->disableSPSPPS;
    e->delimiters = h->outputAUD;
    e->references = (int)h->maxNumRefFramesInDPB;
    e->b_reference = h->useBFramesAsRef != NV_ENC_BFRAME_REF_MODE_DISABLED;
    set_slices(e, h->sliceMode, h->sliceModeData);
    set_vui(e, &h->hevcVUIParameters);
    s->kind = &encoder_hevc;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS apply(struct session *s, const NV_ENC_INITIALIZE_PARAMS *p) {
    struct encoder_settings e = s->settings;
    const NV_ENC_CONFIG *c = p->encodeConfig;
    e.fps_num = (int)p->frameRateNum;
    e.fps_den = (int)p->frameRateDen;
    set_aspect(&e, p->darWidth, p->darHeight);
    if (c) {
        CHECK_VERSION(s, c, NV_ENC_CONFIG_VER);
        if (c->frameFieldMode > NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME)
            return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the twin encodes no fields");
        NVENCSTATUS status = s->codec == TWIN_H264 ? set_h264(s, &e, c) : set_hevc(s, &e, c);
        if (status != NV_ENC_SUCCESS)
            return status;
        set_rate(&e, &c->rcParams);
        s->gop = c->frameIntervalP ? c->gopLength : 1;
        e.b_frames = c->frameIntervalP > 1 ? c->frameIntervalP - 1 : 0;
        if (e.b_frames > 4 || (e.b_frames && s->codec == TWIN_HEVC && !(twin_config()->device[s->device].features & TWIN_HAS_HEVC_B)))
            return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the device has no %d B-frames in a row", e.b_frames);
    }
    s->settings = e;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI initialize(void *h, NV_ENC_INITIALIZE_PARAMS *p) {
    NVENCSTATUS status;
    NV_ENC_PRESET_CONFIG preset = {.version = NV_ENC_PRESET_CONFIG_VER, .presetCfg = {.version = NV_ENC_CONFIG_VER}};
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_INITIALIZE_PARAMS_VER);
    if (s->kind)
        return refuse(s, NV_ENC_ERR_INVALID_CALL, "the session is initialised already");
    if (!codec_of(s, &p->encodeGUID, &s->codec))
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the device has no such codec");
    NV_ENC_CAPS_PARAM cap = {.version = NV_ENC_CAPS_PARAM_VER, .capsToQuery = NV_ENC_CAPS_WIDTH_MIN};
    int width_min = 0, height_min = 0, most = s->codec == TWIN_HEVC ? 8192 : 4096;
    get_caps(s, p->encodeGUID, &cap, &width_min);
    cap.capsToQuery = NV_ENC_CAPS_HEIGHT_MIN;
    get_caps(s, p->encodeGUID, &cap, &height_min);
    int w = (int)p->encodeWidth, height = (int)p->encodeHeight;
    if (w < width_min || height < height_min || w > most || height > most)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "%dx%d is outside of %dx%d to %dx%d", w, height, width_min, height_min, most, most);
    if (w % 2 || height % 2)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "%dx%d: the twin encodes even sizes only", w, height);
    if (!p->frameRateNum || !p->frameRateDen || p->enableEncodeAsync || !p->enablePTD)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "a frame rate, no events and picture types by the encoder are what the twin has");
    s->settings = (struct encoder_settings){.width = w, .height = height, .effort = preset_number(&p->presetGUID)};
    if (!s->settings.effort)
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the device has no such preset");
    NV_ENC_INITIALIZE_PARAMS own = *p;
    if (!own.encodeConfig) {
        status = get_preset_config_ex(s, p->encodeGUID, p->presetGUID, p->tuningInfo, &preset);
        if (status != NV_ENC_SUCCESS)
            return status;
        own.encodeConfig = &preset.presetCfg;
    }
    status = apply(s, &own);
    if (status == NV_ENC_SUCCESS && !(s->encoder = s->kind->open(&s->settings)))
        status = refuse(s, NV_ENC_ERR_INVALID_PARAM, "the encoder behind the twin takes no such settings");
    // References, and pictures on their way: what a card needs is of this order.
    uint64_t surfaces = (uint64_t)(6 + s->settings.b_frames);
    if (status == NV_ENC_SUCCESS && !take_memory(s, surfaces * (uint64_t)w * (uint64_t)height * (s->settings.ten_bit ? 6 : 3) / 2))
        status = refuse(s, NV_ENC_ERR_OUT_OF_MEMORY, "the device has no memory left");
    if (status != NV_ENC_SUCCESS) {
        if (s->encoder)
            s->kind->close(s->encoder);
        s->encoder = NULL;
        s->kind = NULL;
        return status;
    }
    twin_session_describe(s->id, s->codec, w, height);
    return NV_ENC_SUCCESS;
}

// The encoder starts anew with an IDR picture, as with resetEncoder, also
// where the client does not ask for it.
NVENCSTATUS NVENCAPI reconfigure(void *h, NV_ENC_RECONFIGURE_PARAMS *p) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_RECONFIGURE_PARAMS_VER);
    if (!s->kind)
        return refuse(s, NV_ENC_ERR_ENCODER_NOT_INITIALIZED, "the session is not initialised");
    const NV_ENC_INITIALIZE_PARAMS *i = &p->reInitEncodeParams;
    if ((int)i->encodeWidth != s->settings.width || (int)i->encodeHeight != s->settings.height)
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the twin changes no size of a running session");
    struct encoder_settings before = s->settings;
    uint32_t gop = s->gop;
    const struct encoder_kind *kind = s->kind;
    status = apply(s, i);
    if (status == NV_ENC_SUCCESS && (s->settings.ten_bit != before.ten_bit || s->settings.b_frames != before.b_frames))
        status = refuse(s, NV_ENC_ERR_INVALID_PARAM, "bit depth and B-frames of a running session cannot change");
    if (status != NV_ENC_SUCCESS) {
        s->settings = before;
        s->gop = gop;
        s->kind = kind;
        return status;
    }
    return drain(s);
}

NVENCSTATUS NVENCAPI get_sequence(void *h, NV_ENC_SEQUENCE_PARAM_PAYLOAD *p) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_SEQUENCE_PARAM_PAYLOAD_VER);
    if (!s->kind)
        return refuse(s, NV_ENC_ERR_ENCODER_NOT_INITIALIZED, "the session is not initialised");
    if (!p->spsppsBuffer || !p->outSPSPPSPayloadSize)
        return refuse(s, NV_ENC_ERR_INVALID_PTR, "nowhere to write to");
    if (!s->encoder && !(s->encoder = s->kind->open(&s->settings)))
        return refuse(s, NV_ENC_ERR_GENERIC, "the encoder behind the twin does not start");
    *p->outSPSPPSPayloadSize = (uint32_t)s->kind->headers(s->encoder, p->spsppsBuffer, p->inBufferSize);
    return *p->outSPSPPSPayloadSize ? NV_ENC_SUCCESS : refuse(s, NV_ENC_ERR_NOT_ENOUGH_BUFFER, "%u bytes are too few", p->inBufferSize);
}
