// What the four libraries of the driver twin share: which devices there are,
// which faults they have, and what all processes together hold of them.
//
// The environment variable GALA_TWIN names a directory with three files:
//   config  devices and driver, written once by the Go package twin
//   faults  what goes wrong and when; replaced by rename while programs run
//   state   memory shared by all processes, made by the first one
//
// Every library has a copy of this code of its own; they meet in `state`.
#ifndef GALA_TWIN_STATE_H
#define GALA_TWIN_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    TWIN_DEVICES = 16,
    TWIN_SESSIONS = 512, // of all processes
    TWIN_HOLDERS = 512,  // processes times devices
    TWIN_FAULTS = 64,
    TWIN_EFFORTS = 4, // P1, P3, P5, P7
};

enum twin_codec { TWIN_H264, TWIN_HEVC, TWIN_AV1, TWIN_CODECS };

// What a card's encoder can do, beside its number of engines.
enum twin_feature {
    TWIN_HAS_H264 = 1 << 0,
    TWIN_HAS_HEVC = 1 << 1,
    TWIN_HAS_HEVC10 = 1 << 2,
    TWIN_HAS_HEVC_B = 1 << 3,
};

struct twin_device {
    char name[96];  // says that it is a twin
    char uuid[48];  // GPU-........-....-....-....-............
    char pci[32];   // 00000000:01:00.0
    uint64_t memory; // bytes
    int nvenc, nvdec; // engines
    int compute_major, compute_minor;
    unsigned features; // of enum twin_feature
    bool capped;       // shares the host's session cap
    int power_watts;   // limit
    int clock_mhz;     // SM, highest
    // 1080p frames per second and engine at P1, P3, P5 and P7; 0 where the
    // catalogue knows none.
    double rate[TWIN_CODECS][TWIN_EFFORTS];
};

struct twin_config {
    char driver[64];           // NVML's driver version
    int cuda;                  // 12040 is CUDA 12.4
    int api_major, api_minor;  // the newest NVENC API that the driver has
    int cap, cap_code;         // sessions on all capped cards together (0: no cap), NVENC status beyond
    bool throttle;             // encode no faster than the devices' rates
    int devices;
    struct twin_device device[TWIN_DEVICES];
};

enum twin_fault_kind {
    TWIN_NO_DEVICE,   // the driver finds no GPU
    TWIN_NO_NVENC,    // sessions end with NVENC 2, as on a card without encoder
    TWIN_SESSIONS_MAX, // value: sessions on the device (or, for any device, on each); code: NVENC status beyond
    TWIN_LOST,        // NVML 15 and XID 79, CUDA 999, NVENC 20
    TWIN_XID,         // an XID event; value: its number. Nothing else happens
    TWIN_MEMORY_MAX,  // value: bytes that can be had at all
    TWIN_HANG,        // calls do not return; value: enum twin_part
    TWIN_INIT,        // initialising fails; value: enum twin_part, code: its error
    TWIN_API_MAX,     // an old driver; value: NVENC API major * 16 + minor
    TWIN_BROKEN_CONTEXT, // a kernel has failed: calls in contexts that are there end with code, from now on
    TWIN_FAULT_KINDS
};

// The library that a fault concerns.
enum twin_part { TWIN_CUDA, TWIN_NVENC, TWIN_CUVID, TWIN_NVML, TWIN_PARTS };

struct twin_fault {
    enum twin_fault_kind kind;
    int device;        // index, or -1 for any
    int64_t at;        // milliseconds since the Unix epoch; 0: from the start
    int64_t value, code;
};

// The devices, or NULL after a message on stderr when GALA_TWIN names no
// directory that can be used. The same pointer for the life of the process.
const struct twin_config *twin_config(void);

// Copies the faults that are due, at most max, in the order of the file;
// returns their number. They are read anew when the file was replaced.
int twin_faults(struct twin_fault *out, int max);

// Is there a due fault of that kind for the device (-1: only those for any
// device)? The last one is copied to out, which may be NULL.
bool twin_faulty(enum twin_fault_kind kind, int device, struct twin_fault *out);

// The error with which the part is to fail when initialised; 0 for none.
int64_t twin_init_error(enum twin_part part);

// Returns when no due TWIN_HANG for the part and device is left: maybe never.
void twin_hang(enum twin_part part, int device);

// An encoder session as others see it.
struct twin_session {
    pid_t pid;
    int device;
    enum twin_codec codec;
    int width, height;
    unsigned fps;        // frames per second of the last second
    unsigned latency_us; // from picture to bitstream, averaged over about 16 frames
    uint64_t frames;     // encoded so far
};

// Counts a session and gives its id; or returns the NVENC status that the
// limit answers with.
int twin_session_open(int device, int *id);
// What the session encodes, once that is known.
void twin_session_describe(int id, enum twin_codec codec, int width, int height);
// One frame is done. effort is the preset, 1 to 7; where the config asks for
// it this call takes as long as the card would be busy.
void twin_session_frame(int id, int effort, unsigned latency_us);
void twin_session_close(int id);
// The device's sessions (-1: all), at most max; returns how many there are.
int twin_sessions(int device, struct twin_session *out, int max);
// How busy the device's encoders are by the catalogue, 0 to 1.
double twin_encoder_load(int device);

// Takes device memory for this process; false when there is not enough.
bool twin_memory_take(int device, uint64_t bytes);
void twin_memory_give(int device, uint64_t bytes);
uint64_t twin_memory_used(int device);
// Who holds memory of the device, at most max; returns how many there are.
struct twin_holder {
    pid_t pid;
    uint64_t bytes;
};
int twin_memory_holders(int device, struct twin_holder *out, int max);

#endif
