// The board of a twin, as NVML tells it: load, power, heat, clocks, memory
// errors, and XIDs by event.
#include "nvml_twin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// --- Load, power, heat, clocks -------------------------------------------------------------------------------------

// Scaling and the encoders' own kernels keep an SM busy for a part of the time.
static double sm_load(int i) { return 0.3 * twin_encoder_load(i); }

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *u) {
    ASK(device);
    u->gpu = (unsigned)(sm_load(i) * 100 + 0.5);
    u->memory = (unsigned)(sm_load(i) * 60 + 0.5);
    return NVML_SUCCESS;
}

static double limit_mw(const struct twin_device *d) { return d->power_watts * 1000.0; }

static double power_mw(int i) { return limit_mw(&twin_config()->device[i]) * (0.2 + 0.5 * twin_encoder_load(i)); }

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *mw) {
    ASK(device);
    *mw = (unsigned)power_mw(i);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned *mw) {
    ASK(device);
    *mw = (unsigned)limit_mw(d);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device, unsigned *mw) {
    return nvmlDeviceGetEnforcedPowerLimit(device, mw);
}

#ifndef TWIN_NVML_OLD
static int64_t boot_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Idle until this process first asked, and from then on what power said.
nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *mj) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct {
        double mj;
        int64_t at;
    } sums[TWIN_DEVICES];
    ASK(device);
    double mw = power_mw(i);
    int64_t now = boot_ms();
    pthread_mutex_lock(&lock);
    sums[i].mj += (sums[i].at ? mw : 0.2 * limit_mw(d)) * (double)(now - sums[i].at) / 1000;
    sums[i].at = now;
    *mj = (unsigned long long)sums[i].mj;
    pthread_mutex_unlock(&lock);
    return NVML_SUCCESS;
}
#endif

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned *celsius) {
    ASK(device);
    if (sensor != NVML_TEMPERATURE_GPU)
        return NVML_ERROR_INVALID_ARGUMENT;
    *celsius = (unsigned)(34 + 36 * twin_encoder_load(i));
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned *mhz) {
    ASK(device);
    if (type < 0 || type >= NVML_CLOCK_COUNT)
        return NVML_ERROR_INVALID_ARGUMENT;
    *mhz = type == NVML_CLOCK_MEM ? 6251 : (unsigned)(type == NVML_CLOCK_VIDEO ? d->clock_mhz * 0.86 : d->clock_mhz);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned *mhz) {
    nvmlReturn_t error = nvmlDeviceGetMaxClockInfo(device, type, mhz);
    if (error)
        return error;
    ASK(device);
    if (twin_encoder_load(i) == 0) // idle
        *mhz = type == NVML_CLOCK_MEM ? 405 : *mhz / 7;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPerformanceState(nvmlDevice_t device, nvmlPstates_t *state) {
    ASK(device);
    *state = twin_encoder_load(i) > 0 ? NVML_PSTATE_0 : NVML_PSTATE_8;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *reasons) {
    ASK(device);
    *reasons = twin_encoder_load(i) > 0 ? nvmlClocksEventReasonNone : nvmlClocksEventReasonGpuIdle;
    return NVML_SUCCESS;
}

#ifndef TWIN_NVML_OLD
nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *reasons) {
    return nvmlDeviceGetCurrentClocksThrottleReasons(device, reasons);
}
#endif

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current, nvmlEnableState_t *pending) {
    ASK(device);
    *current = *pending = NVML_FEATURE_ENABLED;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter,
                                         unsigned long long *errors) {
    ASK(device);
    if (type >= NVML_MEMORY_ERROR_TYPE_COUNT || counter >= NVML_ECC_COUNTER_TYPE_COUNT)
        return NVML_ERROR_INVALID_ARGUMENT;
    *errors = 0;
    return NVML_SUCCESS;
}

// --- Events --------------------------------------------------------------------------------------------------------

// A set tells of what becomes due while it is there, once.
struct nvmlEventSet_st {
    pthread_mutex_t lock;
    bool registered[TWIN_DEVICES];
    struct twin_fault seen[TWIN_FAULTS]; // due when last looked
    int seen_count;
    struct {
        int device;
        unsigned long long xid;
    } waiting[TWIN_FAULTS * TWIN_DEVICES];
    int waiting_count;
};

nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *types) {
    ASK(device);
    *types = nvmlEventTypeXidCriticalError;
    return NVML_SUCCESS;
}

static bool same(const struct twin_fault *a, const struct twin_fault *b) {
    return a->kind == b->kind && a->device == b->device && a->at == b->at && a->value == b->value;
}

static void announce(struct nvmlEventSet_st *set, const struct twin_fault *f) {
    for (int i = 0; i < twin_config()->devices; i++)
        if (set->registered[i] && (f->device < 0 || f->device == i)) {
            set->waiting[set->waiting_count].device = i;
            set->waiting[set->waiting_count++].xid = f->kind == TWIN_LOST ? 79 : (unsigned long long)f->value;
        }
}

// Notes what has become due; only while nothing waits, so that there is room.
static void look(struct nvmlEventSet_st *set, bool tell) {
    struct twin_fault due[TWIN_FAULTS];
    int n = twin_faults(due, TWIN_FAULTS);
    for (int i = 0; tell && i < n; i++) {
        bool known = due[i].kind != TWIN_LOST && due[i].kind != TWIN_XID;
        for (int k = 0; !known && k < set->seen_count; k++)
            known = same(&due[i], &set->seen[k]);
        if (!known)
            announce(set, &due[i]);
    }
    memcpy(set->seen, due, sizeof due);
    set->seen_count = n;
}

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set) {
    nvmlReturn_t r = twin_nvml_ready();
    if (r)
        return r;
    struct nvmlEventSet_st *new = calloc(1, sizeof *new);
    if (!new)
        return NVML_ERROR_MEMORY;
    pthread_mutex_init(&new->lock, NULL);
    look(new, false);
    set->handle = new;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set) {
    ASK(device);
    if (types & ~(unsigned long long)nvmlEventTypeXidCriticalError)
        return NVML_ERROR_NOT_SUPPORTED;
    pthread_mutex_lock(&set.handle->lock);
    set.handle->registered[i] = true;
    pthread_mutex_unlock(&set.handle->lock);
    return NVML_SUCCESS;
}

static bool take(struct nvmlEventSet_st *set, nvmlEventData_t *data) {
    pthread_mutex_lock(&set->lock);
    if (!set->waiting_count)
        look(set, true);
    bool any = set->waiting_count > 0;
    if (any) {
        *data = (nvmlEventData_t){.device = twin_nvml_handle(set->waiting[0].device), .eventType = nvmlEventTypeXidCriticalError,
                                  .eventData = set->waiting[0].xid, .gpuInstanceId = ~0u, .computeInstanceId = ~0u};
        memmove(&set->waiting[0], &set->waiting[1], sizeof set->waiting[0] * (size_t)--set->waiting_count);
    }
    pthread_mutex_unlock(&set->lock);
    return any;
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned timeout_ms) {
    enum { STEP_MS = 20 };
    for (unsigned waited = 0;; waited += STEP_MS) {
        nvmlReturn_t r = twin_nvml_ready();
        if (r)
            return r;
        if (take(set.handle, data))
            return NVML_SUCCESS;
        if (waited >= timeout_ms)
            return NVML_ERROR_TIMEOUT;
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
}

nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned timeout_ms) {
    return nvmlEventSetWait_v2(set, data, timeout_ms);
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
    pthread_mutex_destroy(&set.handle->lock);
    free(set.handle);
    return NVML_SUCCESS;
}
