// A stand-in for libnvidia-ml.so.1: two GPUs, the second one lost.
// Built by the tests; -DOLD leaves out a symbol.
#include <string.h>

typedef struct { unsigned long long total, free, used; } memory;

int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code == 15 ? "GPU is lost" : "an error"; }
int nvmlSystemGetDriverVersion(char *text, unsigned n) { strncpy(text, "570.1-twin", n); return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **device) {
	*device = (void *)(long)(i + 1);
	return i == 1 ? 15 : 0;
}
int nvmlDeviceGetUUID(void *device, char *text, unsigned n) { strncpy(text, "GPU-twin-0", n); return 0; }
int nvmlDeviceGetName(void *device, char *text, unsigned n) { strncpy(text, "NVIDIA Twin", n); return 0; }
#ifndef OLD
int nvmlDeviceGetMemoryInfo(void *device, memory *m) { m->total = 24ULL << 30; return 0; }
#endif
