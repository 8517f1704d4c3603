// libcuda.so.1: contexts.
#define _GNU_SOURCE
#include "cuda.h"

#include <pthread.h>
#include <stdlib.h>

// What a process costs on a card before it allocates anything; the order of
// magnitude of real drivers.
enum { CONTEXT_BYTES = 200 << 20, CONTEXT_DEPTH = 32 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct CUctx_st *contexts;
static struct CUctx_st *primary[TWIN_DEVICES];
static int primary_users[TWIN_DEVICES];
static unsigned primary_flags[TWIN_DEVICES];
static int contexts_on[TWIN_DEVICES];

static _Thread_local struct CUctx_st *stack[CONTEXT_DEPTH];
static _Thread_local int depth;

static bool lost(int device) { return twin_faulty(TWIN_LOST, device, NULL); }

static bool known(const struct CUctx_st *context) {
    const struct CUctx_st *c = contexts;
    while (c && c != context)
        c = c->next;
    return c;
}

// A context does not recover from a kernel that has failed: its process has to be
// started again.
static CUresult state_of(struct CUctx_st *c) {
    struct twin_fault fault;
    if (!c->broken && twin_faulty(TWIN_BROKEN_CONTEXT, c->device, &fault))
        c->broken = (CUresult)fault.code;
    return c->broken;
}

CUresult check_current(struct CUctx_st **current) {
    if (!cuda_initialized())
        return NOT_INITIALIZED;
    struct CUctx_st *c = depth ? stack[depth - 1] : NULL;
    pthread_mutex_lock(&lock);
    bool good = c && known(c);
    pthread_mutex_unlock(&lock);
    if (!good)
        return INVALID_CONTEXT;
    twin_hang(TWIN_CUDA, c->device);
    *current = c;
    return lost(c->device) ? CUDA_ERROR_UNKNOWN : state_of(c);
}

static CUresult make_context(struct CUctx_st **context, CUdevice device) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r != CUDA_SUCCESS)
        return r;
    int real = (int)(facts - twin_config()->device);
    twin_hang(TWIN_CUDA, real);
    if (lost(real))
        return CUDA_ERROR_UNKNOWN;
    struct CUctx_st *c = calloc(1, sizeof *c);
    pthread_mutex_lock(&lock);
    bool room = c && (contexts_on[real] || twin_memory_take(real, CONTEXT_BYTES));
    if (room) {
        contexts_on[real]++;
        c->device = real;
        c->next = contexts;
        contexts = c;
    }
    pthread_mutex_unlock(&lock);
    if (!room) {
        free(c);
        return OUT_OF_MEMORY;
    }
    *context = c;
    return CUDA_SUCCESS;
}

static CUresult end_context(struct CUctx_st *context) {
    pthread_mutex_lock(&lock);
    struct CUctx_st **at = &contexts;
    while (*at && *at != context)
        at = &(*at)->next;
    bool found = *at;
    if (found) {
        *at = context->next;
        if (!--contexts_on[context->device])
            twin_memory_give(context->device, CONTEXT_BYTES);
    }
    pthread_mutex_unlock(&lock);
    if (!found)
        return INVALID_CONTEXT;
    free_context_memory(context);
    if (depth && stack[depth - 1] == context)
        depth--;
    free(context);
    return CUDA_SUCCESS;
}

EXPORT tcuCtxPushCurrent_v2 cuCtxPushCurrent_v2;
CUresult cuCtxPushCurrent_v2(CUcontext context) {
    pthread_mutex_lock(&lock);
    bool good = known(context) && depth < CONTEXT_DEPTH;
    pthread_mutex_unlock(&lock);
    if (!good)
        return INVALID_CONTEXT;
    stack[depth++] = context;
    return CUDA_SUCCESS;
}

EXPORT tcuCtxPopCurrent_v2 cuCtxPopCurrent_v2;
CUresult cuCtxPopCurrent_v2(CUcontext *context) {
    if (!depth)
        return INVALID_CONTEXT;
    depth--;
    if (context)
        *context = stack[depth];
    return CUDA_SUCCESS;
}

EXPORT tcuCtxCreate_v2 cuCtxCreate_v2;
CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device) {
    (void)flags;
    CUresult r = make_context(context, device);
    return r == CUDA_SUCCESS ? cuCtxPushCurrent_v2(*context) : r;
}

EXPORT tcuCtxDestroy_v2 cuCtxDestroy_v2;
CUresult cuCtxDestroy_v2(CUcontext context) { return end_context(context); }

EXPORT tcuCtxGetCurrent cuCtxGetCurrent;
CUresult cuCtxGetCurrent(CUcontext *context) {
    *context = depth ? stack[depth - 1] : NULL;
    return cuda_initialized() ? CUDA_SUCCESS : NOT_INITIALIZED;
}

EXPORT tcuCtxGetDevice cuCtxGetDevice;
CUresult cuCtxGetDevice(CUdevice *device) {
    struct CUctx_st *c;
    CUresult r = check_current(&c);
    if (r == CUDA_SUCCESS)
        *device = ordinal_of(c->device);
    return r;
}

EXPORT tcuCtxSetLimit cuCtxSetLimit;
CUresult cuCtxSetLimit(CUlimit limit, size_t value) {
    struct CUctx_st *c;
    (void)limit, (void)value;
    return check_current(&c);
}

EXPORT tcuDevicePrimaryCtxRetain cuDevicePrimaryCtxRetain;
CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r == CUDA_SUCCESS && !primary[device])
        r = make_context(&primary[device], device);
    if (r != CUDA_SUCCESS)
        return r;
    primary[device]->primary = true;
    primary_users[device]++;
    *context = primary[device];
    return CUDA_SUCCESS;
}

EXPORT tcuDevicePrimaryCtxReset cuDevicePrimaryCtxReset;
CUresult cuDevicePrimaryCtxReset(CUdevice device) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r != CUDA_SUCCESS || !primary[device])
        return r;
    primary_users[device] = 0;
    r = end_context(primary[device]);
    primary[device] = NULL;
    return r;
}

EXPORT tcuDevicePrimaryCtxRelease cuDevicePrimaryCtxRelease;
CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r != CUDA_SUCCESS)
        return r;
    if (!primary[device])
        return INVALID_CONTEXT;
    return --primary_users[device] ? CUDA_SUCCESS : cuDevicePrimaryCtxReset(device);
}

EXPORT tcuDevicePrimaryCtxSetFlags cuDevicePrimaryCtxSetFlags;
CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned flags) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r == CUDA_SUCCESS)
        primary_flags[device] = flags;
    return r;
}

EXPORT tcuDevicePrimaryCtxGetState cuDevicePrimaryCtxGetState;
CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r == CUDA_SUCCESS) {
        *flags = primary_flags[device];
        *active = primary[device] != NULL;
    }
    return r;
}

// The device of a context, for libnvidia-encode; -1 for what is none.
EXPORT int galaTwinContextDevice(CUcontext context);
int galaTwinContextDevice(CUcontext context) {
    pthread_mutex_lock(&lock);
    int device = known(context) ? context->device : -1;
    pthread_mutex_unlock(&lock);
    return device;
}

// Has a kernel failed in it? Of a context that was destroyed nothing is known.
EXPORT bool galaTwinContextBroken(CUcontext context);
bool galaTwinContextBroken(CUcontext context) {
    pthread_mutex_lock(&lock);
    bool broken = known(context) && state_of(context) != CUDA_SUCCESS;
    pthread_mutex_unlock(&lock);
    return broken;
}
