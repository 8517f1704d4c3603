// What the two halves of the twin's NVML share.
#ifndef GALA_TWIN_NVML_H
#define GALA_TWIN_NVML_H

#define _GNU_SOURCE
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#pragma GCC visibility push(default) // what the header declares is what the library exports
#include <nvml.h>
#pragma GCC visibility pop
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include "state.h"

// Initialised, and the driver is there?
nvmlReturn_t twin_nvml_ready(void);
// The index of a device that answers; hangs and lost GPUs are met here.
nvmlReturn_t twin_nvml_device(nvmlDevice_t handle, int *index);
nvmlDevice_t twin_nvml_handle(int index);

// ASK begins a call about one device, d with the index i.
#define ASK(handle)                                          \
    int i;                                                   \
    nvmlReturn_t r = twin_nvml_device(handle, &i);           \
    if (r)                                                   \
        return r;                                            \
    const struct twin_device *d = &twin_config()->device[i]; \
    (void)d

#endif
