// libcuda.so.1: modules, textures, kernels; streams and events.
//
// Kernels are emulated by name. FFmpeg hands over PTX, which says how many
// bytes a kernel's parameters have: a layout that this code was not written
// for is refused, so that another FFmpeg cannot give wrong pictures in
// silence.
#define _GNU_SOURCE
#include "cuda.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct CUfunc_st {
    struct CUfunc_st *next;
    struct scale_kernel scale;
};

struct CUmod_st {
    char *ptx;
    struct CUfunc_st *functions;
};

// Where a driver keeps what it has compiled of a text, the twin, which compiles
// nothing, leaves an empty file that has the text's hash (FNV-1a) for its name.
static void keep_compiled(const char *ptx) {
    const char *dir = getenv("CUDA_CACHE_PATH");
    char path[PATH_MAX];
    uint64_t hash = 0xcbf29ce484222325;
    if (!dir || !*dir)
        return;
    for (const char *p = ptx; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
    snprintf(path, sizeof path, "%s/%016" PRIx64, dir, hash);
    mkdir(dir, 0700);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0)
        close(file);
}

EXPORT tcuModuleLoadData cuModuleLoadData;
CUresult cuModuleLoadData(CUmodule *module, const void *image) {
    struct CUctx_st *c;
    CUresult r = check_current(&c);
    if (r != CUDA_SUCCESS)
        return r;
    if (strncmp(image, "//", 2) && strncmp(image, ".version", 8))
        return NO_BINARY_FOR_GPU; // machine code; only text can be looked at
    struct CUmod_st *m = calloc(1, sizeof *m);
    if (!m || !(m->ptx = strdup(image))) {
        free(m);
        return OUT_OF_MEMORY;
    }
    keep_compiled(m->ptx);
    *module = m;
    return CUDA_SUCCESS;
}

EXPORT tcuModuleUnload cuModuleUnload;
CUresult cuModuleUnload(CUmodule module) {
    if (!module)
        return INVALID_HANDLE;
    while (module->functions) {
        struct CUfunc_st *f = module->functions;
        module->functions = f->next;
        free(f);
    }
    free(module->ptx);
    free(module);
    return CUDA_SUCCESS;
}

// The text between the brackets after the entry's name, or NULL.
static const char *entry(const char *ptx, const char *name, size_t *length) {
    char head[256];
    if ((size_t)snprintf(head, sizeof head, ".entry %s(", name) >= sizeof head)
        return NULL;
    const char *at = strstr(ptx, head);
    if (!at)
        return NULL;
    at += strlen(head);
    const char *end = strchr(at, ')');
    *length = end ? (size_t)(end - at) : 0;
    return end ? at : NULL;
}

// Does the kernel take one struct of that many bytes by value?
static bool takes(const char *parameters, size_t length, size_t bytes) {
    char text[512], size[32];
    if (length >= sizeof text)
        return false;
    memcpy(text, parameters, length);
    text[length] = 0;
    snprintf(size, sizeof size, "[%zu]", bytes);
    return strstr(text, ".param") && !strchr(text, ',') && strstr(text, " .b8 ") && strstr(text, size);
}

EXPORT tcuModuleGetFunction cuModuleGetFunction;
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    struct CUctx_st *c;
    struct scale_kernel kernel;
    size_t length;
    CUresult r = check_current(&c);
    if (r != CUDA_SUCCESS)
        return r;
    const char *parameters = entry(module->ptx, name, &length);
    if (!parameters)
        return NOT_FOUND;
    if (!parse_scale_kernel(name, &kernel)) {
        fprintf(stderr, "gala driver twin: kernel %s is not emulated; use scale_cuda alone, or a GPU\n", name);
        return NOT_SUPPORTED;
    }
    if (!takes(parameters, length, sizeof(struct scale_params))) {
        fprintf(stderr,
                "gala driver twin: kernel %s has parameters of another FFmpeg than 9.0: (%.*s); teach the twin their layout\n",
                name, (int)length, parameters);
        return NOT_SUPPORTED;
    }
    struct CUfunc_st *f = calloc(1, sizeof *f);
    if (!f)
        return OUT_OF_MEMORY;
    f->scale = kernel;
    f->next = module->functions;
    module->functions = f;
    *function = f;
    return CUDA_SUCCESS;
}

EXPORT tcuModuleGetGlobal cuModuleGetGlobal;
CUresult cuModuleGetGlobal(CUdeviceptr *address, size_t *size, CUmodule module, const char *name) {
    (void)address, (void)size, (void)module, (void)name;
    return NOT_SUPPORTED; // scale_cuda has none
}

EXPORT tcuLaunchKernel cuLaunchKernel;
CUresult cuLaunchKernel(CUfunction f, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                        unsigned block_z, unsigned shared, CUstream stream, void **parameters, void **extra) {
    struct CUctx_st *c;
    (void)shared, (void)stream, (void)extra;
    CUresult r = check_current(&c);
    if (r != CUDA_SUCCESS)
        return r;
    if (!f || !parameters)
        return INVALID_VALUE;
    const struct scale_params *p = parameters[0];
    // The kernel leaves out what is beyond the picture; threads that are
    // missing would leave out what is not.
    if (grid_z * block_z != 1 || (long)grid_x * block_x < p->width || (long)grid_y * block_y < p->height ||
        block_x * block_y > 1024)
        return INVALID_VALUE;
    r = run_scale_kernel(&f->scale, p);
    if (r == ILLEGAL_ADDRESS)
        c->broken = r;
    return r;
}

// --- Textures ------------------------------------------------------------------------------------------------------

EXPORT tcuTexObjectCreate cuTexObjectCreate;
CUresult cuTexObjectCreate(CUtexObject *object, const CUDA_RESOURCE_DESC *resource, const CUDA_TEXTURE_DESC *how,
                           const CUDA_RESOURCE_VIEW_DESC *view) {
    struct CUctx_st *c;
    CUresult r = check_current(&c);
    if (r != CUDA_SUCCESS)
        return r;
    const __typeof__(resource->res.pitch2D) *p = &resource->res.pitch2D;
    bool bytes = p->format == CU_AD_FORMAT_UNSIGNED_INT8, words = p->format == CU_AD_FORMAT_UNSIGNED_INT16;
    if (view || resource->resType != CU_RESOURCE_TYPE_PITCH2D || !(bytes || words))
        return NOT_SUPPORTED;
    size_t row = p->width * p->numChannels * (words ? 2 : 1);
    if (p->devPtr % TEXTURE_ALIGNMENT || p->pitchInBytes % TEXTURE_PITCH_ALIGNMENT || p->pitchInBytes < row || !p->height ||
        !p->width || (p->numChannels != 1 && p->numChannels != 2 && p->numChannels != 4))
        return INVALID_VALUE;
    struct texture *t = malloc(sizeof *t);
    if (!t)
        return OUT_OF_MEMORY;
    *t = (struct texture){p->devPtr,
                          p->width,
                          p->height,
                          p->pitchInBytes,
                          (int)p->numChannels,
                          words ? 2 : 1,
                          how->filterMode == CU_TR_FILTER_MODE_LINEAR,
                          how->flags & CU_TRSF_READ_AS_INTEGER};
    *object = (uintptr_t)t;
    return CUDA_SUCCESS;
}

EXPORT tcuTexObjectDestroy cuTexObjectDestroy;
CUresult cuTexObjectDestroy(CUtexObject object) {
    free((void *)(uintptr_t)object);
    return CUDA_SUCCESS;
}

// --- Streams and events --------------------------------------------------------------------------------------------

struct CUstream_st {
    int unused;
};

struct CUevent_st {
    int unused;
};

static CUresult current(void) {
    struct CUctx_st *c;
    return check_current(&c);
}

EXPORT tcuStreamCreate cuStreamCreate;
CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
    (void)flags;
    CUresult r = current();
    if (r == CUDA_SUCCESS && !(*stream = calloc(1, sizeof **stream)))
        r = OUT_OF_MEMORY;
    return r;
}

EXPORT tcuStreamDestroy_v2 cuStreamDestroy_v2;
CUresult cuStreamDestroy_v2(CUstream stream) {
    free(stream);
    return CUDA_SUCCESS;
}

EXPORT tcuStreamQuery cuStreamQuery;
CUresult cuStreamQuery(CUstream stream) { return (void)stream, current(); }

EXPORT tcuStreamSynchronize cuStreamSynchronize;
CUresult cuStreamSynchronize(CUstream stream) { return (void)stream, current(); }

EXPORT tcuStreamWaitEvent cuStreamWaitEvent;
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags) {
    return (void)stream, (void)event, (void)flags, current();
}

EXPORT tcuStreamAddCallback cuStreamAddCallback;
CUresult cuStreamAddCallback(CUstream stream, CUstreamCallback *callback, void *data, unsigned flags) {
    (void)flags;
    CUresult r = current();
    callback(stream, r, data);
    return r;
}

EXPORT tcuEventCreate cuEventCreate;
CUresult cuEventCreate(CUevent *event, unsigned flags) {
    (void)flags;
    CUresult r = current();
    if (r == CUDA_SUCCESS && !(*event = calloc(1, sizeof **event)))
        r = OUT_OF_MEMORY;
    return r;
}

EXPORT tcuEventDestroy_v2 cuEventDestroy_v2;
CUresult cuEventDestroy_v2(CUevent event) {
    free(event);
    return CUDA_SUCCESS;
}

EXPORT tcuEventRecord cuEventRecord;
CUresult cuEventRecord(CUevent event, CUstream stream) { return (void)event, (void)stream, current(); }

EXPORT tcuEventQuery cuEventQuery;
CUresult cuEventQuery(CUevent event) { return (void)event, current(); }

EXPORT tcuEventSynchronize cuEventSynchronize;
CUresult cuEventSynchronize(CUevent event) { return (void)event, current(); }
