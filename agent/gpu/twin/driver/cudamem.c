// libcuda.so.1: memory and copies.
#define _GNU_SOURCE
#include "cuda.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct allocation {
    struct allocation *next;
    const struct CUctx_st *context;
    CUdeviceptr address;
    size_t size, pages; // bytes asked for, and in whole pages
    unsigned char *data;
    uint64_t number; // another one for each allocation; addresses come again
    int device;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct allocation *allocations;
static uint64_t newest;

static void release(struct allocation *a) {
    munmap((void *)(uintptr_t)a->address, a->pages);
    munmap(a->data, a->pages);
    twin_memory_give(a->device, a->pages);
    free(a);
}

static CUresult allocate(CUdeviceptr *address, size_t size) {
    struct CUctx_st *context;
    CUresult r = check_current(&context);
    if (r != CUDA_SUCCESS)
        return r;
    if (!size)
        return INVALID_VALUE;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page * page;
    if (!twin_memory_take(context->device, pages))
        return OUT_OF_MEMORY;
    struct allocation *a = malloc(sizeof *a);
    void *shadow = mmap(NULL, pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    void *data = mmap(NULL, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!a || shadow == MAP_FAILED || data == MAP_FAILED)
        abort(); // the machine's own memory is at its end, which is no fault of the device
    *a = (struct allocation){NULL, context, (uintptr_t)shadow, size, pages, data, 0, context->device};
    pthread_mutex_lock(&lock);
    a->number = ++newest;
    a->next = allocations;
    allocations = a;
    pthread_mutex_unlock(&lock);
    *address = a->address;
    return CUDA_SUCCESS;
}

static const struct allocation *holding(CUdeviceptr address) {
    const struct allocation *a = allocations;
    while (a && (address < a->address || address >= a->address + a->size))
        a = a->next;
    return a;
}

void *device_data(CUdeviceptr address, size_t size) {
    pthread_mutex_lock(&lock);
    const struct allocation *a = holding(address);
    unsigned char *data = a && size <= a->size - (address - a->address) ? a->data + (address - a->address) : NULL;
    pthread_mutex_unlock(&lock);
    return data;
}

// The same for libnvidia-encode, and the number of the allocation.
EXPORT void *galaTwinMemory(CUdeviceptr address, size_t size, uint64_t *number);
void *galaTwinMemory(CUdeviceptr address, size_t size, uint64_t *number) {
    pthread_mutex_lock(&lock);
    const struct allocation *a = holding(address);
    *number = a ? a->number : 0;
    pthread_mutex_unlock(&lock);
    return device_data(address, size);
}

void free_context_memory(const struct CUctx_st *context) {
    pthread_mutex_lock(&lock);
    for (struct allocation **at = &allocations; *at;) {
        struct allocation *a = *at;
        if (a->context != context) {
            at = &a->next;
            continue;
        }
        *at = a->next;
        release(a);
    }
    pthread_mutex_unlock(&lock);
}

EXPORT tcuMemAlloc_v2 cuMemAlloc_v2;
CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t size) { return allocate(address, size); }

EXPORT tcuMemAllocPitch_v2 cuMemAllocPitch_v2;
CUresult cuMemAllocPitch_v2(CUdeviceptr *address, size_t *pitch, size_t width, size_t height, unsigned element) {
    if (element != 4 && element != 8 && element != 16)
        return INVALID_VALUE;
    *pitch = (width + PITCH_ALIGNMENT - 1) / PITCH_ALIGNMENT * PITCH_ALIGNMENT;
    return allocate(address, *pitch * height);
}

EXPORT tcuMemFree_v2 cuMemFree_v2;
CUresult cuMemFree_v2(CUdeviceptr address) {
    struct CUctx_st *context;
    if (!address)
        return CUDA_SUCCESS;
    pthread_mutex_lock(&lock);
    struct allocation **at = &allocations, *a;
    while (*at && (*at)->address != address)
        at = &(*at)->next;
    if ((a = *at)) {
        *at = a->next;
        release(a);
    }
    pthread_mutex_unlock(&lock);
    CUresult r = check_current(&context); // of a lost device the call fails, but the memory is gone all the same
    return a ? r : INVALID_VALUE;
}

// An end of a copy: memory of the device where the address is of it, else of
// the host, as unified addressing has it.
static void *either(CUdeviceptr address, size_t size) {
    pthread_mutex_lock(&lock);
    bool device = holding(address);
    pthread_mutex_unlock(&lock);
    return device ? device_data(address, size) : (void *)(uintptr_t)address;
}

static CUresult copy(void *to, const void *from, size_t size) {
    struct CUctx_st *context;
    CUresult r = check_current(&context);
    if (r != CUDA_SUCCESS)
        return r;
    if (!to || !from)
        return INVALID_VALUE;
    memmove(to, from, size);
    return CUDA_SUCCESS;
}

EXPORT tcuMemcpy cuMemcpy;
CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t size) { return copy(either(to, size), either(from, size), size); }

EXPORT tcuMemcpyAsync cuMemcpyAsync;
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t size, CUstream s) { return (void)s, cuMemcpy(to, from, size); }

EXPORT tcuMemcpyHtoD_v2 cuMemcpyHtoD_v2;
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t size) { return copy(device_data(to, size), from, size); }

EXPORT tcuMemcpyHtoDAsync_v2 cuMemcpyHtoDAsync_v2;
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t size, CUstream s) {
    return (void)s, cuMemcpyHtoD_v2(to, from, size);
}

EXPORT tcuMemcpyDtoH_v2 cuMemcpyDtoH_v2;
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t size) { return copy(to, device_data(from, size), size); }

EXPORT tcuMemcpyDtoHAsync_v2 cuMemcpyDtoHAsync_v2;
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t size, CUstream s) {
    return (void)s, cuMemcpyDtoH_v2(to, from, size);
}

EXPORT tcuMemcpyDtoD_v2 cuMemcpyDtoD_v2;
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t size) {
    return copy(device_data(to, size), device_data(from, size), size);
}

EXPORT tcuMemcpyDtoDAsync_v2 cuMemcpyDtoDAsync_v2;
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t size, CUstream s) {
    return (void)s, cuMemcpyDtoD_v2(to, from, size);
}

EXPORT tcuMemsetD8Async cuMemsetD8Async;
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t size, CUstream stream) {
    struct CUctx_st *context;
    (void)stream;
    CUresult r = check_current(&context);
    if (r != CUDA_SUCCESS)
        return r;
    void *data = device_data(to, size);
    if (!data)
        return INVALID_VALUE;
    memset(data, value, size);
    return CUDA_SUCCESS;
}

// Where a side of a 2D copy begins; span is the bytes from its first to its last.
static unsigned char *side(CUmemorytype type, void *host, CUdeviceptr device, size_t x, size_t y, size_t pitch, size_t span) {
    if (type == CU_MEMORYTYPE_HOST)
        return host ? (unsigned char *)host + y * pitch + x : NULL;
    if (type == CU_MEMORYTYPE_DEVICE)
        return device_data(device + y * pitch + x, span);
    return NULL; // arrays: none can be made
}

EXPORT tcuMemcpy2D_v2 cuMemcpy2D_v2;
CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *c) {
    struct CUctx_st *context;
    CUresult r = check_current(&context);
    if (r != CUDA_SUCCESS || !c->Height || !c->WidthInBytes)
        return r;
    size_t from_pitch = c->srcPitch ? c->srcPitch : c->WidthInBytes, to_pitch = c->dstPitch ? c->dstPitch : c->WidthInBytes;
    if (from_pitch < c->WidthInBytes || to_pitch < c->WidthInBytes)
        return INVALID_VALUE;
    const unsigned char *from = side(c->srcMemoryType, (void *)c->srcHost, c->srcDevice, c->srcXInBytes, c->srcY, from_pitch,
                                     from_pitch * (c->Height - 1) + c->WidthInBytes);
    unsigned char *to = side(c->dstMemoryType, c->dstHost, c->dstDevice, c->dstXInBytes, c->dstY, to_pitch,
                             to_pitch * (c->Height - 1) + c->WidthInBytes);
    if (!from || !to)
        return INVALID_VALUE;
    for (size_t y = 0; y < c->Height; y++)
        memcpy(to + y * to_pitch, from + y * from_pitch, c->WidthInBytes);
    return CUDA_SUCCESS;
}

EXPORT tcuMemcpy2DAsync_v2 cuMemcpy2DAsync_v2;
CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *c, CUstream stream) { return (void)stream, cuMemcpy2D_v2(c); }
