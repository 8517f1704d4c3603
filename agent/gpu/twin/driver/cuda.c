// libcuda.so.1: which devices a process sees, and what they say of themselves.
#define _GNU_SOURCE
#include "cuda.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool initialized;
static int visible[TWIN_DEVICES], visible_count;

static void see(int device) {
    if (!twin_faulty(TWIN_NO_DEVICE, device, NULL))
        visible[visible_count++] = device;
}

static int device_named(const char *word) {
    const struct twin_config *c = twin_config();
    char *end;
    long index = strtol(word, &end, 10);
    if (*word && !*end)
        return index >= 0 && index < c->devices ? (int)index : -1;
    for (int i = 0; *word && i < c->devices; i++)
        if (!strncasecmp(c->device[i].uuid, word, strlen(word)))
            return i;
    return -1;
}

// CUDA_VISIBLE_DEVICES lists indexes or beginnings of UUIDs; it ends where it
// names something that there is not.
static void find_visible(void) {
    const char *env = getenv("CUDA_VISIBLE_DEVICES");
    if (!env) {
        for (int i = 0; i < twin_config()->devices; i++)
            see(i);
        return;
    }
    char list[1024], *rest = NULL;
    snprintf(list, sizeof list, "%s", env);
    for (char *w = strtok_r(list, ",", &rest); w && visible_count < TWIN_DEVICES; w = strtok_r(NULL, ",", &rest)) {
        int device = device_named(w);
        if (device < 0)
            return;
        see(device);
    }
}

EXPORT tcuInit cuInit;
CUresult cuInit(unsigned flags) {
    int64_t error;
    if (!twin_config())
        return NO_DEVICE;
    if (flags)
        return INVALID_VALUE;
    twin_hang(TWIN_CUDA, -1);
    if ((error = twin_init_error(TWIN_CUDA)))
        return (CUresult)error;
    pthread_mutex_lock(&lock);
    if (!initialized)
        find_visible();
    initialized = visible_count;
    pthread_mutex_unlock(&lock);
    return initialized ? CUDA_SUCCESS : NO_DEVICE;
}

EXPORT tcuDriverGetVersion cuDriverGetVersion;
CUresult cuDriverGetVersion(int *version) {
    if (!twin_config() || !version)
        return INVALID_VALUE;
    *version = twin_config()->cuda;
    return CUDA_SUCCESS;
}

bool cuda_initialized(void) { return initialized; }

int ordinal_of(int device) {
    int i = 0;
    while (i < visible_count && visible[i] != device)
        i++;
    return i;
}

// --- Devices -------------------------------------------------------------------------------------------------------

EXPORT tcuDeviceGetCount cuDeviceGetCount;
CUresult cuDeviceGetCount(int *count) {
    if (!initialized)
        return NOT_INITIALIZED;
    *count = visible_count;
    return CUDA_SUCCESS;
}

EXPORT tcuDeviceGet cuDeviceGet;
CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    if (!initialized)
        return NOT_INITIALIZED;
    if (ordinal < 0 || ordinal >= visible_count)
        return INVALID_DEVICE;
    *device = ordinal;
    return CUDA_SUCCESS;
}

CUresult facts_of(CUdevice device, const struct twin_device **facts) {
    if (!initialized)
        return NOT_INITIALIZED;
    if (device < 0 || device >= visible_count)
        return INVALID_DEVICE;
    *facts = &twin_config()->device[visible[device]];
    return CUDA_SUCCESS;
}

EXPORT tcuDeviceGetName cuDeviceGetName;
CUresult cuDeviceGetName(char *name, int size, CUdevice device) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r == CUDA_SUCCESS)
        snprintf(name, (size_t)size, "%s", facts->name);
    return r;
}

EXPORT tcuDeviceGetUuid cuDeviceGetUuid;
CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r != CUDA_SUCCESS)
        return r;
    int n = 0;
    unsigned byte;
    for (const char *p = facts->uuid + strlen("GPU-"); n < 16 && sscanf(p, "%2x", &byte) == 1; p += p[2] == '-' ? 3 : 2)
        uuid->bytes[n++] = (char)byte;
    return n == 16 ? CUDA_SUCCESS : INVALID_VALUE;
}

EXPORT tcuDeviceGetUuid_v2 cuDeviceGetUuid_v2;
CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) { return cuDeviceGetUuid(uuid, device); }

EXPORT tcuDeviceGetPCIBusId cuDeviceGetPCIBusId;
CUresult cuDeviceGetPCIBusId(char *id, int size, CUdevice device) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r == CUDA_SUCCESS)
        snprintf(id, (size_t)size, "%s", facts->pci + 4); // CUDA writes four digits of the domain, NVML eight
    return r;
}

EXPORT tcuDeviceGetByPCIBusId cuDeviceGetByPCIBusId;
CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *id) {
    for (int i = 0; i < visible_count; i++) {
        const char *pci = twin_config()->device[visible[i]].pci;
        if (!strcasecmp(pci, id) || !strcasecmp(pci + 4, id)) {
            *device = i;
            return CUDA_SUCCESS;
        }
    }
    return initialized ? INVALID_DEVICE : NOT_INITIALIZED;
}

EXPORT tcuDeviceComputeCapability cuDeviceComputeCapability;
CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r == CUDA_SUCCESS) {
        *major = facts->compute_major;
        *minor = facts->compute_minor;
    }
    return r;
}

EXPORT tcuDeviceGetAttribute cuDeviceGetAttribute;
CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    const struct twin_device *facts;
    CUresult r = facts_of(device, &facts);
    if (r != CUDA_SUCCESS)
        return r;
    unsigned domain = 0, bus = 0, slot = 0;
    sscanf(facts->pci, "%x:%x:%x", &domain, &bus, &slot);
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
        *value = facts->clock_mhz * 1000;
        break;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT:
        *value = TEXTURE_ALIGNMENT;
        break;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT:
        *value = TEXTURE_PITCH_ALIGNMENT;
        break;
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
        *value = 1;
        break;
    case CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID:
        *value = (int)domain;
        break;
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID:
        *value = (int)bus;
        break;
    case CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID:
        *value = (int)slot;
        break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = facts->compute_major;
        break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        *value = facts->compute_minor;
        break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_MODE:
    case CU_DEVICE_ATTRIBUTE_INTEGRATED:
    case CU_DEVICE_ATTRIBUTE_TCC_DRIVER:
    case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
    case CU_DEVICE_ATTRIBUTE_MULTI_GPU_BOARD:
    case CU_DEVICE_ATTRIBUTE_MULTI_GPU_BOARD_GROUP_ID:
        *value = 0;
        break;
    default: // the twin has no multiprocessors to be counted
        return INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}
