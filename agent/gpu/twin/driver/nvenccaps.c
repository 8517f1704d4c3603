// libnvidia-encode.so.1: what an encoder says that it can do. What the twin
// does not emulate is not there, so that clients refuse it as they would on a
// card that lacks it.
#include "nvenc.h"

#include <string.h>

static const GUID *const presets[] = {
    &NV_ENC_PRESET_P1_GUID, &NV_ENC_PRESET_P2_GUID, &NV_ENC_PRESET_P3_GUID, &NV_ENC_PRESET_P4_GUID,
    &NV_ENC_PRESET_P5_GUID, &NV_ENC_PRESET_P6_GUID, &NV_ENC_PRESET_P7_GUID,
};

static const GUID *const h264_profiles[] = {
    &NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID, &NV_ENC_H264_PROFILE_BASELINE_GUID, &NV_ENC_H264_PROFILE_MAIN_GUID,
    &NV_ENC_H264_PROFILE_HIGH_GUID};
static const GUID *const hevc_profiles[] = {&NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID, &NV_ENC_HEVC_PROFILE_MAIN_GUID,
                                            &NV_ENC_HEVC_PROFILE_MAIN10_GUID};

bool same_guid(const GUID *a, const GUID *b) { return !memcmp(a, b, sizeof *a); }

int preset_number(const GUID *guid) {
    for (int i = 0; i < 7; i++)
        if (same_guid(guid, presets[i]))
            return i + 1;
    return 0;
}

static unsigned features(const struct session *s) {
    unsigned f = twin_config()->device[s->device].features;
    return encoder_hevc_ten_bit() ? f : f & ~(unsigned)TWIN_HAS_HEVC10;
}

bool codec_of(const struct session *s, const GUID *guid, enum twin_codec *codec) {
    if (same_guid(guid, &NV_ENC_CODEC_H264_GUID))
        return *codec = TWIN_H264, features(s) & TWIN_HAS_H264;
    if (same_guid(guid, &NV_ENC_CODEC_HEVC_GUID))
        return *codec = TWIN_HEVC, features(s) & TWIN_HAS_HEVC;
    return false;
}

// --- Lists ---------------------------------------------------------------------------------------------------------

// Copies a list of GUIDs as all of these calls do.
static NVENCSTATUS list(const GUID *const *from, uint32_t have, GUID *to, uint32_t room, uint32_t *count) {
    if (!count || (room && !to))
        return NV_ENC_ERR_INVALID_PTR;
    *count = to && room < have ? room : have;
    for (uint32_t i = 0; to && i < *count; i++)
        to[i] = *from[i];
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI get_guids(void *h, GUID *to, uint32_t room, uint32_t *count) {
    NVENCSTATUS status;
    const GUID *have[2];
    uint32_t n = 0;
    const struct session *s = enter(h, &status);
    if (!s)
        return status;
    if (features(s) & TWIN_HAS_H264)
        have[n++] = &NV_ENC_CODEC_H264_GUID;
    if (features(s) & TWIN_HAS_HEVC)
        have[n++] = &NV_ENC_CODEC_HEVC_GUID;
    return list(have, n, to, room, count);
}

NVENCSTATUS NVENCAPI get_guid_count(void *h, uint32_t *count) { return get_guids(h, NULL, 0, count); }

NVENCSTATUS NVENCAPI get_profiles(void *h, GUID codec, GUID *to, uint32_t room, uint32_t *count) {
    NVENCSTATUS status;
    enum twin_codec c;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    if (!codec_of(s, &codec, &c))
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "the device has no such codec");
    if (c == TWIN_H264)
        return list(h264_profiles, sizeof h264_profiles / sizeof *h264_profiles, to, room, count);
    return list(hevc_profiles, features(s) & TWIN_HAS_HEVC10 ? 3 : 2, to, room, count);
}

NVENCSTATUS NVENCAPI get_profile_count(void *h, GUID codec, uint32_t *count) { return get_profiles(h, codec, NULL, 0, count); }

NVENCSTATUS NVENCAPI get_presets(void *h, GUID codec, GUID *to, uint32_t room, uint32_t *count) {
    NVENCSTATUS status;
    enum twin_codec c;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    if (!codec_of(s, &codec, &c))
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "the device has no such codec");
    return list(presets, 7, to, room, count);
}

NVENCSTATUS NVENCAPI get_preset_count(void *h, GUID codec, uint32_t *count) { return get_presets(h, codec, NULL, 0, count); }

bool takes_format(const struct session *s, NV_ENC_BUFFER_FORMAT format) {
    if (s->kind && s->settings.ten_bit)
        return format == NV_ENC_BUFFER_FORMAT_YUV420_10BIT;
    return format == NV_ENC_BUFFER_FORMAT_NV12 || format == NV_ENC_BUFFER_FORMAT_YV12 || format == NV_ENC_BUFFER_FORMAT_IYUV;
}

NVENCSTATUS NVENCAPI get_formats(void *h, GUID codec, NV_ENC_BUFFER_FORMAT *to, uint32_t room, uint32_t *count) {
    static const NV_ENC_BUFFER_FORMAT have[] = {NV_ENC_BUFFER_FORMAT_NV12, NV_ENC_BUFFER_FORMAT_YV12, NV_ENC_BUFFER_FORMAT_IYUV,
                                                NV_ENC_BUFFER_FORMAT_YUV420_10BIT};
    NVENCSTATUS status;
    enum twin_codec c;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    if (!codec_of(s, &codec, &c))
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "the device has no such codec");
    uint32_t n = c == TWIN_HEVC && features(s) & TWIN_HAS_HEVC10 ? 4 : 3;
    *count = to && room < n ? room : n;
    if (to)
        memcpy(to, have, *count * sizeof *to);
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI get_format_count(void *h, GUID codec, uint32_t *count) { return get_formats(h, codec, NULL, 0, count); }

// --- Capabilities --------------------------------------------------------------------------------------------------

static int capability(const struct session *s, enum twin_codec codec, NV_ENC_CAPS cap) {
    bool hevc = codec == TWIN_HEVC;
    bool b_frames = !hevc || features(s) & TWIN_HAS_HEVC_B;
    switch (cap) {
    case NV_ENC_CAPS_NUM_MAX_BFRAMES:
        return b_frames ? 4 : 0;
    case NV_ENC_CAPS_SUPPORT_BFRAME_REF_MODE:
        return b_frames ? 1 << 1 : 0; // the middle one
    case NV_ENC_CAPS_SUPPORTED_RATECONTROL_MODES:
        return NV_ENC_PARAMS_RC_VBR | NV_ENC_PARAMS_RC_CBR;
    case NV_ENC_CAPS_SUPPORT_10BIT_ENCODE:
        return hevc && features(s) & TWIN_HAS_HEVC10;
    case NV_ENC_CAPS_WIDTH_MAX:
    case NV_ENC_CAPS_HEIGHT_MAX:
        return hevc ? 8192 : 4096;
    case NV_ENC_CAPS_WIDTH_MIN:
        return hevc ? 129 : 145;
    case NV_ENC_CAPS_HEIGHT_MIN:
        return hevc ? 33 : 49;
    case NV_ENC_CAPS_MB_NUM_MAX:
        return hevc ? 262144 : 65536;
    case NV_ENC_CAPS_LEVEL_MAX:
        return hevc ? NV_ENC_LEVEL_HEVC_62 : NV_ENC_LEVEL_H264_62;
    case NV_ENC_CAPS_LEVEL_MIN:
        return hevc ? NV_ENC_LEVEL_HEVC_1 : NV_ENC_LEVEL_H264_1;
    case NV_ENC_CAPS_SUPPORT_CABAC:
    case NV_ENC_CAPS_SUPPORT_ADAPTIVE_TRANSFORM:
        return !hevc;
    case NV_ENC_CAPS_SUPPORT_SAO:
        return hevc;
    case NV_ENC_CAPS_SUPPORT_DYN_BITRATE_CHANGE:
    case NV_ENC_CAPS_SUPPORT_CUSTOM_VBV_BUF_SIZE:
    case NV_ENC_CAPS_SUPPORT_DYNAMIC_SLICE_MODE:
    case NV_ENC_CAPS_SUPPORT_LOOKAHEAD:  // accepted, and without effect
    case NV_ENC_CAPS_SUPPORT_TEMPORAL_AQ: // likewise
    case NV_ENC_CAPS_SUPPORT_MULTIPLE_REF_FRAMES:
        return 1;
    case NV_ENC_CAPS_SUPPORT_WEIGHTED_PREDICTION:
        return 1; // likewise
    case NV_ENC_CAPS_NUM_ENCODER_ENGINES:
        return twin_config()->device[s->device].nvenc;
    case NV_ENC_CAPS_DYNAMIC_QUERY_ENCODER_CAPACITY:
        return 100 - (int)(100 * twin_encoder_load(s->device));
    default:
        return 0;
    }
}

NVENCSTATUS NVENCAPI get_caps(void *h, GUID codec, NV_ENC_CAPS_PARAM *p, int *value) {
    NVENCSTATUS status;
    enum twin_codec c;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_CAPS_PARAM_VER);
    if (!value || !codec_of(s, &codec, &c))
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "the device has no such codec");
    *value = capability(s, c, p->capsToQuery);
    return NV_ENC_SUCCESS;
}

// --- Presets -------------------------------------------------------------------------------------------------------

NVENCSTATUS NVENCAPI get_preset_config_ex(void *h, GUID codec, GUID preset, NV_ENC_TUNING_INFO tuning, NV_ENC_PRESET_CONFIG *p) {
    NVENCSTATUS status;
    enum twin_codec c;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_PRESET_CONFIG_VER);
    CHECK_VERSION(s, &p->presetCfg, NV_ENC_CONFIG_VER);
    int number = preset_number(&preset);
    if (!codec_of(s, &codec, &c) || !number)
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the device has no such codec or preset");
    if (tuning <= NV_ENC_TUNING_INFO_UNDEFINED || tuning > NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY)
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the twin has no tuning %d", tuning);
    bool quality = tuning == NV_ENC_TUNING_INFO_HIGH_QUALITY;
    bool b_frames = quality && number >= 3 && capability(s, c, NV_ENC_CAPS_NUM_MAX_BFRAMES);
    NV_ENC_CONFIG *cfg = &p->presetCfg;
    *cfg = (NV_ENC_CONFIG){
        .version = NV_ENC_CONFIG_VER,
        .profileGUID = NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID,
        .gopLength = quality ? 250 : NVENC_INFINITE_GOPLENGTH,
        .frameIntervalP = b_frames ? 3 : 1,
        .frameFieldMode = NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME,
        .mvPrecision = NV_ENC_MV_PRECISION_QUARTER_PEL,
        .rcParams = {.version = NV_ENC_RC_PARAMS_VER,
                     .rateControlMode = quality ? NV_ENC_PARAMS_RC_VBR : NV_ENC_PARAMS_RC_CBR,
                     .constQP = {28, 31, 25},
                     .averageBitRate = 2000000,
                     .maxBitRate = quality ? 4000000 : 0,
                     .zeroReorderDelay = !b_frames},
    };
    NV_ENC_CODEC_CONFIG *codec_cfg = &cfg->encodeCodecConfig;
    if (c == TWIN_H264) {
        codec_cfg->h264Config.idrPeriod = cfg->gopLength;
        codec_cfg->h264Config.chromaFormatIDC = 1;
        codec_cfg->h264Config.sliceMode = 3;
        codec_cfg->h264Config.sliceModeData = 1;
        codec_cfg->h264Config.h264VUIParameters.videoFormat = NV_ENC_VUI_VIDEO_FORMAT_UNSPECIFIED;
    } else {
        codec_cfg->hevcConfig.idrPeriod = cfg->gopLength;
        codec_cfg->hevcConfig.chromaFormatIDC = 1;
        codec_cfg->hevcConfig.sliceMode = 3;
        codec_cfg->hevcConfig.sliceModeData = 1;
        codec_cfg->hevcConfig.hevcVUIParameters.videoFormat = NV_ENC_VUI_VIDEO_FORMAT_UNSPECIFIED;
    }
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI get_preset_config(void *h, GUID codec, GUID preset, NV_ENC_PRESET_CONFIG *p) {
    return get_preset_config_ex(h, codec, preset, NV_ENC_TUNING_INFO_HIGH_QUALITY, p);
}
