// Holds encode sessions on a device of the driver twin, and memory, until it is
// killed: holder DEVICE CODEC WIDTH HEIGHT FPS SESSIONS MEBIBYTES
#define _GNU_SOURCE
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int main(int argc, char **argv) {
    if (argc != 8)
        return 2;
    int device = atoi(argv[1]), fps = atoi(argv[5]), sessions = atoi(argv[6]), ids[TWIN_SESSIONS];
    enum twin_codec codec = strcmp(argv[2], "hevc") ? TWIN_H264 : TWIN_HEVC;
    if (!twin_memory_take(device, (uint64_t)atoi(argv[7]) << 20))
        return 3;
    for (int i = 0; i < sessions; i++) {
        if (twin_session_open(device, &ids[i]))
            return 4;
        twin_session_describe(ids[i], codec, atoi(argv[3]), atoi(argv[4]));
    }
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        for (int i = 0; i < sessions; i++)
            twin_session_frame(ids[i], 4, 8000);
        next.tv_nsec += 1000000000L / fps;
        if (next.tv_nsec >= 1000000000L) {
            next.tv_nsec -= 1000000000L;
            next.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}
