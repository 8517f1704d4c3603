// What the files of libcuda.so.1 share.
#ifndef GALA_TWIN_CUDA_H
#define GALA_TWIN_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ffnvcodec/dynlink_cuda.h>

#include "state.h"

#define EXPORT __attribute__((visibility("default")))

// The error codes of CUDA that the twin answers with; the header has few.
#define INVALID_VALUE ((CUresult)1)
#define OUT_OF_MEMORY ((CUresult)2)
#define NOT_INITIALIZED ((CUresult)3)
#define NO_DEVICE ((CUresult)100)
#define INVALID_DEVICE ((CUresult)101)
#define INVALID_CONTEXT ((CUresult)201)
#define NO_BINARY_FOR_GPU ((CUresult)209)
#define INVALID_HANDLE ((CUresult)400)
#define NOT_FOUND ((CUresult)500)
#define ILLEGAL_ADDRESS ((CUresult)700)
#define LAUNCH_FAILED ((CUresult)719)
#define NOT_SUPPORTED ((CUresult)801)

enum { PITCH_ALIGNMENT = 512, TEXTURE_ALIGNMENT = 512, TEXTURE_PITCH_ALIGNMENT = 32 };

// Has cuInit found a device?
bool cuda_initialized(void);
// What is known of a visible device; an error when it is none.
CUresult facts_of(CUdevice device, const struct twin_device **facts);
// The number by which the process knows a device of the machine.
int ordinal_of(int device);

struct CUctx_st {
    struct CUctx_st *next;
    int device; // of the machine, whatever is visible
    bool primary;
    CUresult broken; // what every call gives since a kernel has failed; 0 while none has
};

// Is the calling thread's context there and its device alive? Blocks while
// the device hangs.
CUresult check_current(struct CUctx_st **current);

// Device memory. The address is of pages that nobody may touch, as the CPU
// cannot touch a card's memory; what is in it lies elsewhere.
// Where size bytes at the address really are, or NULL when they are not all
// of one allocation.
void *device_data(CUdeviceptr address, size_t size);
// Frees what was allocated in the context.
void free_context_memory(const struct CUctx_st *context);

// A texture as cuTexObjectCreate was told.
struct texture {
    CUdeviceptr address;
    size_t width, height, pitch; // pitch in bytes
    int channels, bytes;         // bytes of a channel: 1 or 2
    bool linear, integer;
};

// scale_cuda's parameters as FFmpeg 9.0 hands them over.
struct scale_params {
    CUtexObject source[4];
    CUdeviceptr to[4];
    int width, height, pitch; // of the destination, pitch in bytes
    int left, top, source_width, source_height;
    float param; // of the bicubic curve
    int limited; // range
    CUdeviceptr weights, offsets;
    int taps;
};

enum layout { PLANAR, SEMIPLANAR, PACKED };
enum depth { BITS8, BITS10_LOW, BITS10_HIGH, BITS16 };

struct picture_format {
    enum layout layout;
    enum depth depth;
    bool red_first, alpha; // of PACKED
};

struct scale_kernel {
    enum { NEAREST, BILINEAR, BICUBIC, LANCZOS, FILTER_H, FILTER_V } method;
    struct picture_format from, to;
    bool chroma;
};

// Understands a name such as Subsample_Generic_h_planar8_planar8_uv.
bool parse_scale_kernel(const char *name, struct scale_kernel *kernel);
CUresult run_scale_kernel(const struct scale_kernel *kernel, const struct scale_params *params);

#endif
