// libnvidia-encode.so.1: the two entry points, sessions, and the table of
// functions.
#include "nvenc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The structs that this file was written for, of API 12.1. Other headers have
// other layouts and say so here: look at each struct that changed, then write
// its new version down.
#define KNOWN(ver, number, top) static_assert((ver) == (NVENCAPI_STRUCT_VERSION(number) | (uint32_t)(top) << 31), #ver " is new to the twin")
KNOWN(NV_ENCODE_API_FUNCTION_LIST_VER, 2, 0);
KNOWN(NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER, 1, 0);
KNOWN(NV_ENC_CAPS_PARAM_VER, 1, 0);
KNOWN(NV_ENC_PRESET_CONFIG_VER, 4, 1);
KNOWN(NV_ENC_CONFIG_VER, 8, 1);
KNOWN(NV_ENC_INITIALIZE_PARAMS_VER, 6, 1);
KNOWN(NV_ENC_RECONFIGURE_PARAMS_VER, 1, 1);
KNOWN(NV_ENC_SEQUENCE_PARAM_PAYLOAD_VER, 1, 0);
KNOWN(NV_ENC_CREATE_INPUT_BUFFER_VER, 1, 0);
KNOWN(NV_ENC_LOCK_INPUT_BUFFER_VER, 1, 0);
KNOWN(NV_ENC_REGISTER_RESOURCE_VER, 4, 0);
KNOWN(NV_ENC_MAP_INPUT_RESOURCE_VER, 4, 0);
KNOWN(NV_ENC_CREATE_BITSTREAM_BUFFER_VER, 1, 0);
KNOWN(NV_ENC_LOCK_BITSTREAM_VER, 1, 1);
KNOWN(NV_ENC_PIC_PARAMS_VER, 6, 1);
static_assert(NVENCAPI_MAJOR_VERSION == 12 && NVENCAPI_MINOR_VERSION == 1, "the NVENC API is new to the twin");

enum { MAGIC = 0x7477696e };

// The newest API that the driver claims, as the entry point codes it.
static uint32_t newest_api(void) {
    struct twin_fault old;
    uint32_t newest = (uint32_t)(twin_config()->api_major << 4 | twin_config()->api_minor);
    if (twin_faulty(TWIN_API_MAX, -1, &old) && (uint32_t)old.value < newest)
        newest = (uint32_t)old.value;
    return newest;
}

// --- Errors --------------------------------------------------------------------------------------------------------

NVENCSTATUS refuse(struct session *s, NVENCSTATUS status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(s->error, sizeof s->error, format, args);
    va_end(args);
    return status;
}

struct session *enter(void *handle, NVENCSTATUS *status) {
    struct session *s = handle;
    *status = NV_ENC_ERR_INVALID_PTR;
    if (!s || s->magic != MAGIC)
        return NULL;
    twin_hang(TWIN_NVENC, s->device);
    if (twin_faulty(TWIN_LOST, s->device, NULL)) {
        *status = refuse(s, NV_ENC_ERR_GENERIC, "EncodeAPI Internal Error.");
        return NULL;
    }
    if (galaTwinContextBroken(s->context)) {
        *status = refuse(s, NV_ENC_ERR_GENERIC, "a kernel has failed in the session's context");
        return NULL;
    }
    *status = NV_ENC_SUCCESS;
    return s;
}

static const char *NVENCAPI get_last_error(void *handle) {
    const struct session *s = handle;
    return s && s->magic == MAGIC ? s->error : "";
}

// --- Sessions ------------------------------------------------------------------------------------------------------

static NVENCSTATUS NVENCAPI open_session_ex(NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS *p, void **handle) {
    int64_t error;
    if (!p || !handle || !p->device)
        return NV_ENC_ERR_INVALID_PTR;
    *handle = NULL;
    if (p->version != NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER || p->apiVersion != NVENCAPI_VERSION)
        return NV_ENC_ERR_INVALID_VERSION;
    if (p->deviceType != NV_ENC_DEVICE_TYPE_CUDA)
        return NV_ENC_ERR_UNSUPPORTED_DEVICE;
    int device = galaTwinContextDevice(p->device);
    if (device < 0)
        return NV_ENC_ERR_INVALID_ENCODERDEVICE;
    twin_hang(TWIN_NVENC, device);
    if ((error = twin_init_error(TWIN_NVENC)))
        return (NVENCSTATUS)error;
    if (twin_faulty(TWIN_LOST, device, NULL) || galaTwinContextBroken(p->device))
        return NV_ENC_ERR_GENERIC;
    if (!twin_config()->device[device].nvenc || twin_faulty(TWIN_NO_NVENC, device, NULL))
        return NV_ENC_ERR_UNSUPPORTED_DEVICE;
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return NV_ENC_ERR_OUT_OF_MEMORY;
    s->device = device;
    s->context = p->device;
    int status = twin_session_open(device, &s->id);
    if (status) {
        free(s);
        return (NVENCSTATUS)status;
    }
    s->magic = MAGIC;
    *handle = s;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS NVENCAPI open_session(void *device, uint32_t type, void **handle) {
    (void)device, (void)type, (void)handle;
    return NV_ENC_ERR_UNIMPLEMENTED; // has been so in drivers for ten years
}

// A session of a lost device ends too: what the process holds of it is its own.
static NVENCSTATUS NVENCAPI destroy_encoder(void *handle) {
    struct session *s = handle;
    if (!s || s->magic != MAGIC)
        return NV_ENC_ERR_INVALID_PTR;
    twin_hang(TWIN_NVENC, s->device);
    if (s->encoder)
        s->kind->close(s->encoder);
    free_surfaces(s);
    twin_memory_give(s->device, s->taken);
    twin_session_close(s->id);
    s->magic = 0;
    free(s);
    return NV_ENC_SUCCESS;
}

bool take_memory(struct session *s, uint64_t bytes) {
    if (!twin_memory_take(s->device, bytes))
        return false;
    s->taken += bytes;
    return true;
}

static NVENCSTATUS NVENCAPI set_streams(void *handle, NV_ENC_CUSTREAM_PTR input, NV_ENC_CUSTREAM_PTR output) {
    NVENCSTATUS status;
    (void)input, (void)output; // work is done when a call returns
    enter(handle, &status);
    return status;
}

// --- What is not there ---------------------------------------------------------------------------------------------

static NVENCSTATUS NVENCAPI no_stats(void *h, NV_ENC_STAT *p) { return (void)h, (void)p, NV_ENC_ERR_UNIMPLEMENTED; }
static NVENCSTATUS NVENCAPI no_event(void *h, NV_ENC_EVENT_PARAMS *p) { return (void)h, (void)p, NV_ENC_ERR_UNIMPLEMENTED; }
static NVENCSTATUS NVENCAPI no_invalidate(void *h, uint64_t t) { return (void)h, (void)t, NV_ENC_ERR_UNIMPLEMENTED; }
static NVENCSTATUS NVENCAPI no_vectors(void *h, NV_ENC_CREATE_MV_BUFFER *p) { return (void)h, (void)p, NV_ENC_ERR_UNIMPLEMENTED; }
static NVENCSTATUS NVENCAPI no_destroy(void *h, NV_ENC_OUTPUT_PTR p) { return (void)h, (void)p, NV_ENC_ERR_UNIMPLEMENTED; }
static NVENCSTATUS NVENCAPI no_motion(void *h, NV_ENC_MEONLY_PARAMS *p) { return (void)h, (void)p, NV_ENC_ERR_UNIMPLEMENTED; }
static NVENCSTATUS NVENCAPI no_restore(void *h, NV_ENC_RESTORE_ENCODER_STATE_PARAMS *p) {
    return (void)h, (void)p, NV_ENC_ERR_UNIMPLEMENTED;
}
static NVENCSTATUS NVENCAPI no_lookahead(void *h, NV_ENC_LOOKAHEAD_PIC_PARAMS *p) {
    return (void)h, (void)p, NV_ENC_ERR_UNIMPLEMENTED;
}
static NVENCSTATUS NVENCAPI no_sequence_ex(void *h, NV_ENC_INITIALIZE_PARAMS *i, NV_ENC_SEQUENCE_PARAM_PAYLOAD *p) {
    return (void)h, (void)i, (void)p, NV_ENC_ERR_UNIMPLEMENTED;
}

// --- Entry points --------------------------------------------------------------------------------------------------

EXPORT NVENCSTATUS NVENCAPI NvEncodeAPIGetMaxSupportedVersion(uint32_t *version);
NVENCSTATUS NVENCAPI NvEncodeAPIGetMaxSupportedVersion(uint32_t *version) {
    if (!version)
        return NV_ENC_ERR_INVALID_PTR;
    if (!twin_config())
        return NV_ENC_ERR_NO_ENCODE_DEVICE;
    *version = newest_api();
    return NV_ENC_SUCCESS;
}

EXPORT NVENCSTATUS NVENCAPI NvEncodeAPICreateInstance(NV_ENCODE_API_FUNCTION_LIST *f);
NVENCSTATUS NVENCAPI NvEncodeAPICreateInstance(NV_ENCODE_API_FUNCTION_LIST *f) {
    if (!f)
        return NV_ENC_ERR_INVALID_PTR;
    if (!twin_config())
        return NV_ENC_ERR_NO_ENCODE_DEVICE;
    if (f->version != NV_ENCODE_API_FUNCTION_LIST_VER || (NVENCAPI_MAJOR_VERSION << 4 | NVENCAPI_MINOR_VERSION) > newest_api())
        return NV_ENC_ERR_INVALID_VERSION;
    *f = (NV_ENCODE_API_FUNCTION_LIST){
        .version = f->version,
        .nvEncOpenEncodeSession = open_session,
        .nvEncGetEncodeGUIDCount = get_guid_count,
        .nvEncGetEncodeProfileGUIDCount = get_profile_count,
        .nvEncGetEncodeProfileGUIDs = get_profiles,
        .nvEncGetEncodeGUIDs = get_guids,
        .nvEncGetInputFormatCount = get_format_count,
        .nvEncGetInputFormats = get_formats,
        .nvEncGetEncodeCaps = get_caps,
        .nvEncGetEncodePresetCount = get_preset_count,
        .nvEncGetEncodePresetGUIDs = get_presets,
        .nvEncGetEncodePresetConfig = get_preset_config,
        .nvEncInitializeEncoder = initialize,
        .nvEncCreateInputBuffer = create_input,
        .nvEncDestroyInputBuffer = destroy_input,
        .nvEncCreateBitstreamBuffer = create_bitstream,
        .nvEncDestroyBitstreamBuffer = destroy_bitstream,
        .nvEncEncodePicture = encode_picture,
        .nvEncLockBitstream = lock_bitstream,
        .nvEncUnlockBitstream = unlock_bitstream,
        .nvEncLockInputBuffer = lock_input,
        .nvEncUnlockInputBuffer = unlock_input,
        .nvEncGetEncodeStats = no_stats,
        .nvEncGetSequenceParams = get_sequence,
        .nvEncRegisterAsyncEvent = no_event,
        .nvEncUnregisterAsyncEvent = no_event,
        .nvEncMapInputResource = map_resource,
        .nvEncUnmapInputResource = unmap_resource,
        .nvEncDestroyEncoder = destroy_encoder,
        .nvEncInvalidateRefFrames = no_invalidate,
        .nvEncOpenEncodeSessionEx = open_session_ex,
        .nvEncRegisterResource = register_resource,
        .nvEncUnregisterResource = unregister_resource,
        .nvEncReconfigureEncoder = reconfigure,
        .nvEncCreateMVBuffer = no_vectors,
        .nvEncDestroyMVBuffer = no_destroy,
        .nvEncRunMotionEstimationOnly = no_motion,
        .nvEncGetLastErrorString = get_last_error,
        .nvEncSetIOCudaStreams = set_streams,
        .nvEncGetEncodePresetConfigEx = get_preset_config_ex,
        .nvEncGetSequenceParamEx = no_sequence_ex,
        .nvEncRestoreEncoderState = no_restore,
        .nvEncLookaheadPicture = no_lookahead,
    };
    return NV_ENC_SUCCESS;
}
