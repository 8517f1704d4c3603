// libnvidia-encode.so.1: inputs and outputs.
#include "nvenc.h"

#include <stdlib.h>
#include <string.h>

enum { PITCH = 512 };

size_t picture_bytes(NV_ENC_BUFFER_FORMAT format, int pitch, int height) {
    size_t luma = (size_t)pitch * (size_t)height, rows = (size_t)(height + 1) / 2;
    if (format == NV_ENC_BUFFER_FORMAT_YV12 || format == NV_ENC_BUFFER_FORMAT_IYUV)
        return luma + 2 * (size_t)(pitch / 2) * rows;
    return luma + (size_t)pitch * rows;
}

uint8_t *picture_data(const struct surface *f) {
    uint64_t number;
    if (f->data)
        return f->data;
    uint8_t *at = galaTwinMemory(f->address, picture_bytes(f->format, f->pitch, f->height), &number);
    return number == f->number ? at : NULL;
}

// Finds what the client's pointer names: it may be stale.
static struct surface *find_surface(const struct session *s, const void *p) {
    struct surface *f = s->surfaces;
    while (f && f != p)
        f = f->next;
    return f;
}

static struct bitstream *find_bitstream(const struct session *s, const void *p) {
    struct bitstream *b = s->bitstreams;
    while (b && b != p)
        b = b->next;
    return b;
}

static uint64_t surface_cost(const struct surface *f) { return f->data ? picture_bytes(f->format, f->pitch, f->height) : 0; }

static void drop_surface(struct session *s, struct surface *f) {
    struct surface **at = &s->surfaces;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    twin_memory_give(s->device, surface_cost(f));
    free(f->data);
    free(f);
}

void free_surfaces(struct session *s) {
    while (s->surfaces)
        drop_surface(s, s->surfaces);
    while (s->bitstreams) {
        struct bitstream *b = s->bitstreams;
        s->bitstreams = b->next;
        free(b->data);
        free(b);
    }
}

// --- Inputs --------------------------------------------------------------------------------------------------------

NVENCSTATUS NVENCAPI create_input(void *h, NV_ENC_CREATE_INPUT_BUFFER *p) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_CREATE_INPUT_BUFFER_VER);
    if (!s->kind)
        return refuse(s, NV_ENC_ERR_ENCODER_NOT_INITIALIZED, "the session is not initialised");
    if (!takes_format(s, p->bufferFmt))
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the twin takes no pictures of format 0x%x here; give NV12, YV12 or P010",
                      p->bufferFmt);
    struct surface *f = calloc(1, sizeof *f);
    if (!f)
        return NV_ENC_ERR_OUT_OF_MEMORY;
    f->width = (int)p->width;
    f->height = (int)p->height;
    f->format = p->bufferFmt;
    int row = f->width * (f->format == NV_ENC_BUFFER_FORMAT_YUV420_10BIT ? 2 : 1);
    f->pitch = (row + PITCH - 1) / PITCH * PITCH;
    f->data = calloc(1, picture_bytes(f->format, f->pitch, f->height));
    if (!f->data || !twin_memory_take(s->device, surface_cost(f))) {
        free(f->data);
        free(f);
        return refuse(s, NV_ENC_ERR_OUT_OF_MEMORY, "the device has no memory left");
    }
    f->next = s->surfaces;
    s->surfaces = f;
    p->inputBuffer = f;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI destroy_input(void *h, NV_ENC_INPUT_PTR input) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    struct surface *f = find_surface(s, input);
    if (!f || !f->data)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "there is no such input buffer");
    drop_surface(s, f);
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI lock_input(void *h, NV_ENC_LOCK_INPUT_BUFFER *p) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_LOCK_INPUT_BUFFER_VER);
    struct surface *f = find_surface(s, p->inputBuffer);
    if (!f || !f->data || f->locked)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "there is no such input buffer that could be locked");
    f->locked = true;
    p->bufferDataPtr = f->data;
    p->pitch = (uint32_t)f->pitch;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI unlock_input(void *h, NV_ENC_INPUT_PTR input) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    struct surface *f = find_surface(s, input);
    if (!f || !f->locked)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "there is no such locked input buffer");
    f->locked = false;
    return NV_ENC_SUCCESS;
}

// --- Device memory -------------------------------------------------------------------------------------------------

NVENCSTATUS NVENCAPI register_resource(void *h, NV_ENC_REGISTER_RESOURCE *p) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_REGISTER_RESOURCE_VER);
    if (p->resourceType != NV_ENC_INPUT_RESOURCE_TYPE_CUDADEVICEPTR || p->bufferUsage != NV_ENC_INPUT_IMAGE)
        return refuse(s, NV_ENC_ERR_UNIMPLEMENTED, "the twin takes CUDA pointers as input pictures, nothing else");
    if (!takes_format(s, p->bufferFormat))
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the twin takes no pictures of format 0x%x here; give NV12, YV12 or P010",
                      p->bufferFormat);
    CUdeviceptr address = (uintptr_t)p->resourceToRegister;
    uint64_t number;
    if (p->pitch < p->width || !galaTwinMemory(address, picture_bytes(p->bufferFormat, (int)p->pitch, (int)p->height), &number))
        return refuse(s, NV_ENC_ERR_RESOURCE_REGISTER_FAILED, "%ux%u of pitch %u is not device memory from end to end", p->width, p->height,
                      p->pitch);
    struct surface *f = calloc(1, sizeof *f);
    if (!f)
        return NV_ENC_ERR_OUT_OF_MEMORY;
    *f = (struct surface){s->surfaces, (int)p->width, (int)p->height, (int)p->pitch, p->bufferFormat, NULL, address, number, false, false};
    s->surfaces = f;
    p->registeredResource = f;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI unregister_resource(void *h, NV_ENC_REGISTERED_PTR resource) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    struct surface *f = find_surface(s, resource);
    if (!f || f->data)
        return refuse(s, NV_ENC_ERR_RESOURCE_NOT_REGISTERED, "there is no such registered resource");
    if (f->mapped)
        return refuse(s, NV_ENC_ERR_INVALID_CALL, "the resource is still mapped");
    drop_surface(s, f);
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI map_resource(void *h, NV_ENC_MAP_INPUT_RESOURCE *p) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_MAP_INPUT_RESOURCE_VER);
    struct surface *f = find_surface(s, p->registeredResource);
    if (!f || f->data)
        return refuse(s, NV_ENC_ERR_RESOURCE_NOT_REGISTERED, "there is no such registered resource");
    if (f->mapped)
        return refuse(s, NV_ENC_ERR_MAP_FAILED, "the resource is mapped already");
    if (!picture_data(f))
        return refuse(s, NV_ENC_ERR_MAP_FAILED, "the device memory of the resource was freed since it was registered");
    f->mapped = true;
    p->mappedResource = f;
    p->mappedBufferFmt = f->format;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI unmap_resource(void *h, NV_ENC_INPUT_PTR mapped) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    struct surface *f = find_surface(s, mapped);
    if (!f || !f->mapped)
        return refuse(s, NV_ENC_ERR_RESOURCE_NOT_MAPPED, "there is no such mapped resource");
    f->mapped = false;
    return NV_ENC_SUCCESS;
}

// --- Outputs -------------------------------------------------------------------------------------------------------

NVENCSTATUS NVENCAPI create_bitstream(void *h, NV_ENC_CREATE_BITSTREAM_BUFFER *p) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_CREATE_BITSTREAM_BUFFER_VER);
    if (!s->kind)
        return refuse(s, NV_ENC_ERR_ENCODER_NOT_INITIALIZED, "the session is not initialised");
    if (!take_memory(s, (uint64_t)s->settings.width * (uint64_t)s->settings.height))
        return refuse(s, NV_ENC_ERR_OUT_OF_MEMORY, "the device has no memory left");
    struct bitstream *b = calloc(1, sizeof *b);
    if (!b)
        return NV_ENC_ERR_OUT_OF_MEMORY;
    b->next = s->bitstreams;
    s->bitstreams = b;
    p->bitstreamBuffer = b;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI destroy_bitstream(void *h, NV_ENC_OUTPUT_PTR output) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    struct bitstream **at = &s->bitstreams;
    while (*at && *at != output)
        at = &(*at)->next;
    struct bitstream *b = *at;
    if (!b || b->waiting)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "there is no such output that nothing waits for");
    *at = b->next;
    free(b->data);
    free(b);
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI lock_bitstream(void *h, NV_ENC_LOCK_BITSTREAM *p) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_LOCK_BITSTREAM_VER);
    struct bitstream *b = find_bitstream(s, p->outputBitstream);
    if (!b || b->locked)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "there is no such output that could be locked");
    if (b->waiting) // a card would be done by now; the twin needs another picture first
        return refuse(s, NV_ENC_ERR_LOCK_BUSY, "the twin holds %d pictures back; give it more before this output is locked",
                      s->settings.b_frames + 1);
    if (!b->filled)
        return refuse(s, NV_ENC_ERR_INVALID_CALL, "nothing was encoded into this output");
    b->locked = true;
    p->frameIdx = b->frame;
    p->hwEncodeStatus = 0;
    p->numSlices = 1;
    p->bitstreamSizeInBytes = (uint32_t)b->size;
    p->outputTimeStamp = b->timestamp;
    p->outputDuration = b->duration;
    p->bitstreamBufferPtr = b->data;
    p->pictureType = b->type;
    p->pictureStruct = NV_ENC_PIC_STRUCT_FRAME;
    p->frameAvgQP = (uint32_t)b->qp;
    p->frameIdxDisplay = b->frame;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI unlock_bitstream(void *h, NV_ENC_OUTPUT_PTR output) {
    NVENCSTATUS status;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    struct bitstream *b = find_bitstream(s, output);
    if (!b || !b->locked)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "there is no such locked output");
    b->locked = b->filled = false;
    return NV_ENC_SUCCESS;
}
