// libnvidia-ml.so.1 of the driver twin: what a telemetry client asks, answered
// from the sessions and memory that all processes really hold. Load follows
// from the frames that they encode and the catalogue's rates; power, heat and
// clocks are plausible functions of the load and no more than that.
//
// nvml.h is the header that go-nvml brings along. -DTWIN_NVML_OLD leaves out
// the calls that came last, as an old driver's library does.
#include "nvml_twin.h"

#include <stdio.h>
#include <string.h>

static int users;                  // Init less Shutdown
static char handles[TWIN_DEVICES]; // whose addresses are device handles

// --- Library -------------------------------------------------------------------------------------------------------

nvmlReturn_t twin_nvml_ready(void) {
    if (__atomic_load_n(&users, __ATOMIC_SEQ_CST) <= 0)
        return NVML_ERROR_UNINITIALIZED;
    // A driver that is taken away answers nothing any more.
    return (nvmlReturn_t)twin_init_error(TWIN_NVML);
}

nvmlReturn_t nvmlInit_v2(void) {
    if (!twin_config())
        return NVML_ERROR_DRIVER_NOT_LOADED;
    twin_hang(TWIN_NVML, -1);
    nvmlReturn_t error = (nvmlReturn_t)twin_init_error(TWIN_NVML);
    if (!error)
        __atomic_add_fetch(&users, 1, __ATOMIC_SEQ_CST);
    return error;
}

nvmlReturn_t nvmlInit(void) { return nvmlInit_v2(); }
nvmlReturn_t nvmlInitWithFlags(unsigned flags) { return flags > 3 ? NVML_ERROR_INVALID_ARGUMENT : nvmlInit_v2(); }

nvmlReturn_t nvmlShutdown(void) {
    if (__atomic_load_n(&users, __ATOMIC_SEQ_CST) <= 0)
        return NVML_ERROR_UNINITIALIZED;
    __atomic_sub_fetch(&users, 1, __ATOMIC_SEQ_CST);
    return NVML_SUCCESS;
}

const char *nvmlErrorString(nvmlReturn_t code) {
    switch (code) {
    case NVML_SUCCESS: return "The operation was successful";
    case NVML_ERROR_UNINITIALIZED: return "Uninitialized";
    case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
    case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
    case NVML_ERROR_NOT_FOUND: return "Not Found";
    case NVML_ERROR_INSUFFICIENT_SIZE: return "Insufficient Size";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case NVML_ERROR_TIMEOUT: return "Timeout";
    case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
    case NVML_ERROR_RESET_REQUIRED: return "GPU requires restart";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}

static nvmlReturn_t text(const char *from, char *to, unsigned size) {
    if (!to)
        return NVML_ERROR_INVALID_ARGUMENT;
    return (unsigned)snprintf(to, size, "%s", from) < size ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned size) {
    nvmlReturn_t r = twin_nvml_ready();
    return r ? r : text(twin_config()->driver, version, size);
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned size) {
    nvmlReturn_t r = twin_nvml_ready();
    return r ? r : text("12.twin", version, size);
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version) {
    nvmlReturn_t r = twin_nvml_ready();
    if (!r)
        *version = twin_config()->cuda;
    return r;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) { return nvmlSystemGetCudaDriverVersion(version); }

// --- Devices -------------------------------------------------------------------------------------------------------

static int count(void) { return twin_faulty(TWIN_NO_DEVICE, -1, NULL) ? 0 : twin_config()->devices; }

// The state of a device before anything is asked of it.
static nvmlReturn_t reach(int index) {
    twin_hang(TWIN_NVML, index);
    return twin_faulty(TWIN_LOST, index, NULL) ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS;
}

nvmlReturn_t twin_nvml_device(nvmlDevice_t handle, int *index) {
    nvmlReturn_t r = twin_nvml_ready();
    char *at = (char *)handle.handle;
    if (r)
        return r;
    if (at < handles || at >= handles + twin_config()->devices)
        return NVML_ERROR_INVALID_ARGUMENT;
    *index = (int)(at - handles);
    return reach(*index);
}

nvmlDevice_t twin_nvml_handle(int index) { return (nvmlDevice_t){(void *)&handles[index]}; }

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *n) {
    nvmlReturn_t r = twin_nvml_ready();
    if (!r)
        *n = (unsigned)count();
    return r;
}

nvmlReturn_t nvmlDeviceGetCount(unsigned *n) { return nvmlDeviceGetCount_v2(n); }

static nvmlReturn_t hand_out(int index, nvmlDevice_t *handle) {
    nvmlReturn_t r = reach(index);
    *handle = twin_nvml_handle(index);
    return r;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *handle) {
    nvmlReturn_t r = twin_nvml_ready();
    if (r)
        return r;
    return index < (unsigned)count() ? hand_out((int)index, handle) : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned index, nvmlDevice_t *handle) {
    return nvmlDeviceGetHandleByIndex_v2(index, handle);
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *handle) {
    nvmlReturn_t r = twin_nvml_ready();
    for (int i = 0; !r && i < count(); i++)
        if (!strcmp(uuid, twin_config()->device[i].uuid))
            return hand_out(i, handle);
    return r ? r : NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus, nvmlDevice_t *handle) {
    nvmlReturn_t r = twin_nvml_ready();
    for (int i = 0; !r && i < count(); i++)
        if (!strcasecmp(bus, twin_config()->device[i].pci))
            return hand_out(i, handle);
    return r ? r : NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned size) {
    ASK(device);
    return text(d->name, name, size);
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned size) {
    ASK(device);
    return text(d->uuid, uuid, size);
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index) {
    ASK(device);
    *index = (unsigned)i;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor) { return nvmlDeviceGetIndex(device, minor); }

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci) {
    ASK(device);
    memset(pci, 0, sizeof *pci);
    if (sscanf(d->pci, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device) != 3)
        return NVML_ERROR_UNKNOWN;
    snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:%02X.0", pci->domain, pci->bus & 0xff, pci->device & 0x1f);
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", pci->domain & 0xffff, pci->bus & 0xff, pci->device & 0x1f);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v2(nvmlDevice_t device, nvmlPciInfo_t *pci) { return nvmlDeviceGetPciInfo_v3(device, pci); }

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor) {
    ASK(device);
    *major = d->compute_major;
    *minor = d->compute_minor;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
    ASK(device);
    *current = *pending = NVML_DEVICE_MIG_DISABLE;
    return NVML_SUCCESS;
}

// --- Memory --------------------------------------------------------------------------------------------------------

// What a driver keeps for itself.
static uint64_t reserved(const struct twin_device *d) { return d->memory / 48; }

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *m) {
    ASK(device);
    uint64_t taken = twin_memory_used(i) + reserved(d); // version 1 counts the driver's own as used
    m->total = d->memory;
    m->used = taken < d->memory ? taken : d->memory;
    m->free = m->total - m->used;
    return NVML_SUCCESS;
}

#ifndef TWIN_NVML_OLD
nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *m) {
    ASK(device);
    if (m->version != nvmlMemory_v2)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    uint64_t left = d->memory - reserved(d), taken = twin_memory_used(i);
    m->total = d->memory;
    m->reserved = reserved(d);
    m->used = taken < left ? taken : left;
    m->free = left - m->used;
    return NVML_SUCCESS;
}
#endif

// Processes that hold memory. A client that asks for none learns their number.
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *n, nvmlProcessInfo_t *infos) {
    ASK(device);
    struct twin_holder all[TWIN_HOLDERS];
    unsigned room = infos ? *n : 0;
    *n = (unsigned)twin_memory_holders(i, all, TWIN_HOLDERS);
    if (*n > room)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned k = 0; k < *n; k++)
        infos[k] = (nvmlProcessInfo_t){.pid = (unsigned)all[k].pid, .usedGpuMemory = all[k].bytes,
                                       .gpuInstanceId = ~0u, .computeInstanceId = ~0u};
    return NVML_SUCCESS;
}

// --- Encoders ------------------------------------------------------------------------------------------------------

static bool encodes(int i) { return twin_config()->device[i].nvenc > 0 && !twin_faulty(TWIN_NO_NVENC, i, NULL); }

enum { SAMPLED_US = 167000 };

static nvmlReturn_t busy(double load, unsigned *percent, unsigned *period_us) {
    *percent = (unsigned)(load * 100 + 0.5);
    *period_us = SAMPLED_US;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned *percent, unsigned *period_us) {
    ASK(device);
    return encodes(i) ? busy(twin_encoder_load(i), percent, period_us) : NVML_ERROR_NOT_SUPPORTED;
}

// Decoders are not counted by the twin: they are never busy.
nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned *percent, unsigned *period_us) {
    ASK(device);
    return d->nvdec ? busy(0, percent, period_us) : NVML_ERROR_NOT_SUPPORTED;
}

#ifndef TWIN_NVML_OLD
nvmlReturn_t nvmlDeviceGetJpgUtilization(nvmlDevice_t device, unsigned *percent, unsigned *period_us) {
    ASK(device);
    return busy(0, percent, period_us);
}

nvmlReturn_t nvmlDeviceGetOfaUtilization(nvmlDevice_t device, unsigned *percent, unsigned *period_us) {
    ASK(device);
    return busy(0, percent, period_us);
}
#endif

nvmlReturn_t nvmlDeviceGetEncoderCapacity(nvmlDevice_t device, nvmlEncoderType_t type, unsigned *percent) {
    ASK(device);
    if (!encodes(i) || type > NVML_ENCODER_QUERY_HEVC)
        return NVML_ERROR_NOT_SUPPORTED;
    *percent = 100 - (unsigned)(twin_encoder_load(i) * 100);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEncoderStats(nvmlDevice_t device, unsigned *n, unsigned *fps, unsigned *latency_us) {
    ASK(device);
    if (!encodes(i))
        return NVML_ERROR_NOT_SUPPORTED;
    struct twin_session all[TWIN_SESSIONS];
    *n = (unsigned)twin_sessions(i, all, TWIN_SESSIONS);
    uint64_t frames = 0, latency = 0;
    for (unsigned k = 0; k < *n; k++) {
        frames += all[k].fps;
        latency += all[k].latency_us;
    }
    *fps = *n ? (unsigned)(frames / *n) : 0;
    *latency_us = *n ? (unsigned)(latency / *n) : 0;
    return NVML_SUCCESS;
}

// Without a session the answer is 0 and success whatever room there is:
// go-nvml would take the address of nothing otherwise.
nvmlReturn_t nvmlDeviceGetEncoderSessions(nvmlDevice_t device, unsigned *n, nvmlEncoderSessionInfo_t *infos) {
    ASK(device);
    static const nvmlEncoderType_t types[TWIN_CODECS] = {
        [TWIN_H264] = NVML_ENCODER_QUERY_H264, [TWIN_HEVC] = NVML_ENCODER_QUERY_HEVC, [TWIN_AV1] = NVML_ENCODER_QUERY_AV1};
    if (!encodes(i))
        return NVML_ERROR_NOT_SUPPORTED;
    struct twin_session all[TWIN_SESSIONS];
    unsigned room = infos ? *n : 0;
    *n = (unsigned)twin_sessions(i, all, TWIN_SESSIONS);
    if (*n > room)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned k = 0; k < *n; k++)
        infos[k] = (nvmlEncoderSessionInfo_t){
            .sessionId = k + 1, .pid = (unsigned)all[k].pid, .codecType = types[all[k].codec],
            .hResolution = (unsigned)all[k].width, .vResolution = (unsigned)all[k].height,
            .averageFps = all[k].fps, .averageLatency = all[k].latency_us};
    return NVML_SUCCESS;
}
