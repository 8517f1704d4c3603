// What the files of libnvidia-encode.so.1 share.
//
// As with the real library, one session is used by one thread at a time.
#ifndef GALA_TWIN_NVENC_H
#define GALA_TWIN_NVENC_H

#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/nvEncodeAPI.h>

#include "encoder.h"
#include "state.h"

#define EXPORT __attribute__((visibility("default")))

// Of libcuda.so.1 of the twin.
EXPORT int galaTwinContextDevice(CUcontext context);
EXPORT bool galaTwinContextBroken(CUcontext context);
EXPORT void *galaTwinMemory(CUdeviceptr address, size_t size, uint64_t *number);

// An input: a buffer of ours, or device memory that the client registered.
struct surface {
    struct surface *next;
    int width, height, pitch; // pitch in bytes
    NV_ENC_BUFFER_FORMAT format;
    uint8_t *data;       // of a buffer
    CUdeviceptr address; // of registered memory
    uint64_t number;     // of its allocation
    bool mapped, locked;
};

// An output. It waits from EncodePicture until the encoder gives something
// back; in between it belongs to nobody.
struct bitstream {
    struct bitstream *next;
    struct bitstream *after; // in the queue of those that wait
    bool waiting, filled, locked;
    uint8_t *data;
    size_t size, room;
    uint64_t timestamp, duration;
    uint32_t frame;
    NV_ENC_PIC_TYPE type;
    int qp;
};

// What is remembered of a picture until it comes back.
struct submitted {
    uint64_t timestamp, duration;
    uint32_t frame;
};

enum { SUBMITTED = 64 }; // more than any encoder holds back

struct session {
    uint32_t magic;
    int device, id; // id of the shared state
    CUcontext context;
    char error[256];
    const struct encoder_kind *kind; // NULL until it is initialised
    struct encoder *encoder;         // NULL after a flush, until the next picture
    bool started;                    // the encoder has had a picture
    struct encoder_settings settings;
    enum twin_codec codec;
    uint64_t taken; // bytes of device memory, without surfaces
    uint32_t gop;   // pictures; NVENC_INFINITE_GOPLENGTH: one
    uint32_t since_idr;
    int64_t pictures;
    struct submitted submitted[SUBMITTED];
    struct surface *surfaces;
    struct bitstream *bitstreams, *first_waiting, *last_waiting;
};

// The session behind a handle, for a call that can do its work; *status is
// why not. Blocks while the device hangs.
struct session *enter(void *handle, NVENCSTATUS *status);
// Notes why a call is refused, for nvEncGetLastErrorString.
NVENCSTATUS refuse(struct session *s, NVENCSTATUS status, const char *format, ...) __attribute__((format(printf, 3, 4)));

// A struct of another header than the one that this was compiled with would
// be read wrongly.
#define CHECK_VERSION(s, p, ver) \
    if (!(p))                    \
        return refuse(s, NV_ENC_ERR_INVALID_PTR, #ver ": no struct"); \
    if ((p)->version != (ver))   \
        return refuse(s, NV_ENC_ERR_INVALID_VERSION, #ver " is 0x%x, not 0x%x: other headers than the twin's", (p)->version, ver)

bool same_guid(const GUID *a, const GUID *b);
// The codec of a GUID that the device has; false for any other.
bool codec_of(const struct session *s, const GUID *guid, enum twin_codec *codec);
// 1 to 7, or 0.
int preset_number(const GUID *guid);
// Bytes of a picture in a buffer or in registered memory.
size_t picture_bytes(NV_ENC_BUFFER_FORMAT format, int pitch, int height);
// Where a surface's picture is, or NULL when its memory was freed since it was
// registered: what lies at its address now is another's.
uint8_t *picture_data(const struct surface *f);
bool takes_format(const struct session *s, NV_ENC_BUFFER_FORMAT format);
void free_surfaces(struct session *s);
// Takes device memory; gives it back when the session ends.
bool take_memory(struct session *s, uint64_t bytes);
// Encodes what the encoder holds back into the outputs that wait, and ends it.
NVENCSTATUS drain(struct session *s);

NVENCSTATUS NVENCAPI get_guid_count(void *, uint32_t *);
NVENCSTATUS NVENCAPI get_guids(void *, GUID *, uint32_t, uint32_t *);
NVENCSTATUS NVENCAPI get_profile_count(void *, GUID, uint32_t *);
NVENCSTATUS NVENCAPI get_profiles(void *, GUID, GUID *, uint32_t, uint32_t *);
NVENCSTATUS NVENCAPI get_format_count(void *, GUID, uint32_t *);
NVENCSTATUS NVENCAPI get_formats(void *, GUID, NV_ENC_BUFFER_FORMAT *, uint32_t, uint32_t *);
NVENCSTATUS NVENCAPI get_preset_count(void *, GUID, uint32_t *);
NVENCSTATUS NVENCAPI get_presets(void *, GUID, GUID *, uint32_t, uint32_t *);
NVENCSTATUS NVENCAPI get_preset_config(void *, GUID, GUID, NV_ENC_PRESET_CONFIG *);
NVENCSTATUS NVENCAPI get_preset_config_ex(void *, GUID, GUID, NV_ENC_TUNING_INFO, NV_ENC_PRESET_CONFIG *);
NVENCSTATUS NVENCAPI get_caps(void *, GUID, NV_ENC_CAPS_PARAM *, int *);
NVENCSTATUS NVENCAPI initialize(void *, NV_ENC_INITIALIZE_PARAMS *);
NVENCSTATUS NVENCAPI reconfigure(void *, NV_ENC_RECONFIGURE_PARAMS *);
NVENCSTATUS NVENCAPI get_sequence(void *, NV_ENC_SEQUENCE_PARAM_PAYLOAD *);
NVENCSTATUS NVENCAPI create_input(void *, NV_ENC_CREATE_INPUT_BUFFER *);
NVENCSTATUS NVENCAPI destroy_input(void *, NV_ENC_INPUT_PTR);
NVENCSTATUS NVENCAPI lock_input(void *, NV_ENC_LOCK_INPUT_BUFFER *);
NVENCSTATUS NVENCAPI unlock_input(void *, NV_ENC_INPUT_PTR);
NVENCSTATUS NVENCAPI register_resource(void *, NV_ENC_REGISTER_RESOURCE *);
NVENCSTATUS NVENCAPI unregister_resource(void *, NV_ENC_REGISTERED_PTR);
NVENCSTATUS NVENCAPI map_resource(void *, NV_ENC_MAP_INPUT_RESOURCE *);
NVENCSTATUS NVENCAPI unmap_resource(void *, NV_ENC_INPUT_PTR);
NVENCSTATUS NVENCAPI create_bitstream(void *, NV_ENC_CREATE_BITSTREAM_BUFFER *);
NVENCSTATUS NVENCAPI destroy_bitstream(void *, NV_ENC_OUTPUT_PTR);
NVENCSTATUS NVENCAPI lock_bitstream(void *, NV_ENC_LOCK_BITSTREAM *);
NVENCSTATUS NVENCAPI unlock_bitstream(void *, NV_ENC_OUTPUT_PTR);
NVENCSTATUS NVENCAPI encode_picture(void *, NV_ENC_PIC_PARAMS *);

#endif
