// The twin's two text files. A line is a word and its values, separated by
// single spaces; they are written by a program, so what is not understood is
// an error and never skipped.
#define _GNU_SOURCE
#include "state.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static struct twin_config config;
static const struct twin_config *loaded;
static char faults_path[PATH_MAX];

static const char *const codec_words[TWIN_CODECS] = {"h264", "hevc", "av1"};

static const struct {
    const char *word;
    unsigned bit;
} feature_words[] = {
    {"h264", TWIN_HAS_H264},
    {"hevc", TWIN_HAS_HEVC},
    {"hevc10", TWIN_HAS_HEVC10},
    {"hevcb", TWIN_HAS_HEVC_B},
};

static bool read_features(char *words, unsigned *features) {
    for (char *rest = NULL, *w = strtok_r(words, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
        size_t i = 0, n = sizeof feature_words / sizeof *feature_words;
        while (i < n && strcmp(w, feature_words[i].word))
            i++;
        if (i == n)
            return false;
        *features |= feature_words[i].bit;
    }
    return true;
}

static bool read_rate(const char *value, struct twin_device *d) {
    char codec[8];
    double r[TWIN_EFFORTS];
    if (sscanf(value, "%7s %lf %lf %lf %lf", codec, &r[0], &r[1], &r[2], &r[3]) != 1 + TWIN_EFFORTS)
        return false;
    for (int c = 0; c < TWIN_CODECS; c++)
        if (!strcmp(codec, codec_words[c])) {
            memcpy(d->rate[c], r, sizeof r);
            return true;
        }
    return false;
}

// Text goes on to the end of the line, for names have spaces.
static bool read_text(const char *value, char *to, size_t size) {
    return (size_t)snprintf(to, size, "%s", value) < size;
}

static bool read_flag(const char *value, bool *to) {
    *to = *value == '1';
    return !strcmp(value, "0") || !strcmp(value, "1");
}

static bool device_line(const char *word, char *value, struct twin_device *d) {
    if (!strcmp(word, "name"))
        return read_text(value, d->name, sizeof d->name);
    if (!strcmp(word, "uuid"))
        return read_text(value, d->uuid, sizeof d->uuid);
    if (!strcmp(word, "pci"))
        return read_text(value, d->pci, sizeof d->pci);
    if (!strcmp(word, "memory"))
        return sscanf(value, "%lu", &d->memory) == 1;
    if (!strcmp(word, "engines"))
        return sscanf(value, "%d %d", &d->nvenc, &d->nvdec) == 2;
    if (!strcmp(word, "compute"))
        return sscanf(value, "%d %d", &d->compute_major, &d->compute_minor) == 2;
    if (!strcmp(word, "features"))
        return read_features(value, &d->features);
    if (!strcmp(word, "capped"))
        return read_flag(value, &d->capped);
    if (!strcmp(word, "power"))
        return sscanf(value, "%d", &d->power_watts) == 1;
    if (!strcmp(word, "clock"))
        return sscanf(value, "%d", &d->clock_mhz) == 1;
    if (!strcmp(word, "rate"))
        return read_rate(value, d);
    return false;
}

static bool driver_line(const char *word, const char *value, struct twin_config *c) {
    if (!strcmp(word, "driver"))
        return read_text(value, c->driver, sizeof c->driver);
    if (!strcmp(word, "cuda"))
        return sscanf(value, "%d", &c->cuda) == 1;
    if (!strcmp(word, "api"))
        return sscanf(value, "%d %d", &c->api_major, &c->api_minor) == 2;
    if (!strcmp(word, "cap"))
        return sscanf(value, "%d %d", &c->cap, &c->cap_code) == 2;
    if (!strcmp(word, "throttle"))
        return read_flag(value, &c->throttle);
    return false;
}

// Cuts the line into word and value; false for an empty line.
static bool split(char *line, char **word, char **value) {
    static char none[] = "";
    line[strcspn(line, "\n")] = 0;
    *word = line;
    char *space = strchr(line, ' ');
    if (space)
        *space = 0;
    *value = space ? space + 1 : none;
    return *line != 0;
}

static bool load(const char *path) {
    FILE *f = fopen(path, "re");
    if (!f) {
        fprintf(stderr, "gala driver twin: %s: %m; GALA_TWIN must name a directory that the Go package twin made\n", path);
        return false;
    }
    char line[512], *word, *value;
    int number = 0;
    bool ok = fgets(line, sizeof line, f) && !strcmp(line, "gala-driver-twin 1\n");
    for (number = 1; ok && fgets(line, sizeof line, f);) {
        number++;
        if (!split(line, &word, &value))
            continue;
        if (!strcmp(word, "device"))
            ok = config.devices++ < TWIN_DEVICES;
        else if (config.devices)
            ok = device_line(word, value, &config.device[config.devices - 1]);
        else
            ok = driver_line(word, value, &config);
    }
    fclose(f);
    if (!ok)
        fprintf(stderr, "gala driver twin: %s:%d: not understood; libraries and gala are of different builds\n", path, number);
    return ok;
}

static void load_once(void) {
    const char *dir = getenv("GALA_TWIN");
    char path[PATH_MAX];
    if (!dir || !*dir) {
        fprintf(stderr, "gala driver twin: GALA_TWIN is not set; it names the twin's directory\n");
        return;
    }
    snprintf(path, sizeof path, "%s/config", dir);
    snprintf(faults_path, sizeof faults_path, "%s/faults", dir);
    if (load(path))
        loaded = &config;
}

const struct twin_config *twin_config(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_once);
    return loaded;
}

// --- Faults --------------------------------------------------------------------------------------------------------

static const char *const fault_words[TWIN_FAULT_KINDS] = {
    [TWIN_NO_DEVICE] = "no-device", [TWIN_NO_NVENC] = "no-nvenc", [TWIN_SESSIONS_MAX] = "sessions-max",
    [TWIN_LOST] = "lost",           [TWIN_XID] = "xid",           [TWIN_MEMORY_MAX] = "memory-max",
    [TWIN_HANG] = "hang",           [TWIN_INIT] = "init",         [TWIN_API_MAX] = "api-max",
    [TWIN_BROKEN_CONTEXT] = "broken-context",
};

static pthread_mutex_t faults_lock = PTHREAD_MUTEX_INITIALIZER;
static struct twin_fault faults[TWIN_FAULTS];
static int faults_count;
static struct stat faults_seen;

// A line is: milliseconds, kind, device, value, code.
static void read_faults(void) {
    FILE *f = fopen(faults_path, "re");
    char line[256], word[32];
    faults_count = 0;
    while (f && fgets(line, sizeof line, f)) {
        struct twin_fault *to = &faults[faults_count];
        int kind = 0;
        bool ok = faults_count < TWIN_FAULTS &&
                  sscanf(line, "%ld %31s %d %ld %ld", &to->at, word, &to->device, &to->value, &to->code) == 5;
        while (ok && kind < TWIN_FAULT_KINDS && strcmp(word, fault_words[kind]))
            kind++;
        if (!ok || kind == TWIN_FAULT_KINDS) {
            fprintf(stderr, "gala driver twin: %s: line %d not understood\n", faults_path, faults_count + 1);
            abort(); // a test that went on without its fault would prove nothing
        }
        to->kind = kind;
        faults_count++;
    }
    if (f)
        fclose(f);
}

int twin_faults(struct twin_fault *out, int max) {
    struct stat now = {0};
    struct timespec t;
    int n = 0;
    if (!twin_config())
        return 0;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t ms = t.tv_sec * 1000 + t.tv_nsec / 1000000;
    pthread_mutex_lock(&faults_lock);
    if (stat(faults_path, &now))
        memset(&now, 0, sizeof now);
    // It is replaced by rename, so another file has another inode or time.
    if (now.st_ino != faults_seen.st_ino || now.st_size != faults_seen.st_size ||
        now.st_mtim.tv_sec != faults_seen.st_mtim.tv_sec || now.st_mtim.tv_nsec != faults_seen.st_mtim.tv_nsec) {
        read_faults();
        faults_seen = now;
    }
    for (int i = 0; i < faults_count && n < max; i++)
        if (faults[i].at <= ms)
            out[n++] = faults[i];
    pthread_mutex_unlock(&faults_lock);
    return n;
}

bool twin_faulty(enum twin_fault_kind kind, int device, struct twin_fault *out) {
    struct twin_fault due[TWIN_FAULTS];
    for (int i = twin_faults(due, TWIN_FAULTS) - 1; i >= 0; i--)
        if (due[i].kind == kind && (due[i].device < 0 || due[i].device == device)) {
            if (out)
                *out = due[i];
            return true;
        }
    return false;
}

static bool part_faulty(enum twin_fault_kind kind, enum twin_part part, int device, int64_t *code) {
    struct twin_fault due[TWIN_FAULTS];
    for (int i = twin_faults(due, TWIN_FAULTS) - 1; i >= 0; i--)
        if (due[i].kind == kind && due[i].value == part && (due[i].device < 0 || due[i].device == device)) {
            *code = due[i].code;
            return true;
        }
    return false;
}

int64_t twin_init_error(enum twin_part part) {
    int64_t code = 0;
    return part_faulty(TWIN_INIT, part, -1, &code) ? code : 0;
}

void twin_hang(enum twin_part part, int device) {
    int64_t code;
    while (part_faulty(TWIN_HANG, part, device, &code))
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}
