// The memory that all processes share: who has a session, who holds how much.
// An entry belongs to the process that wrote it. It counts while that process
// lives: ids of processes are used again, so its start time is part of it.
#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LAYOUT = 1 };

struct owner {
    pid_t pid; // 0: the entry is free
    uint64_t started;
};

struct session {
    struct owner owner;
    int device, codec, width, height;
    uint64_t frames;
    double latency_us;
    int64_t window_ns, last_ns, free_ns; // the rate's window; last frame; when the session is done with its frames
    unsigned window_frames, fps;
};

struct holder {
    struct owner owner;
    int device;
    uint64_t bytes;
};

struct shared {
    int layout;
    pthread_mutex_t lock;
    struct session sessions[TWIN_SESSIONS];
    struct holder holders[TWIN_HOLDERS];
    int64_t engine_ns[TWIN_DEVICES][8]; // until when each encoder is busy
};

static struct shared *shared;
static struct owner self;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); // the same for all processes of a machine
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

// The start time of a process in clock ticks since boot; 0 when it is gone,
// also while it waits for its parent only.
static uint64_t started(pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    char *p = strrchr(text, ')'); // the name before it may hold anything
    if (!p || p[1] != ' ' || strchr("ZXx", p[2]))
        return 0;
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p, NULL, 10) : 0;
}

static bool alive(const struct owner *o) { return started(o->pid) == o->started; }

static bool mine(const struct owner *o) { return o->pid == self.pid && o->started == self.started; }

static void map_state(void) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/state", getenv("GALA_TWIN"));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || flock(fd, LOCK_EX))
        goto broken;
    struct stat st;
    if (fstat(fd, &st) || (st.st_size != sizeof *shared && (st.st_size || ftruncate(fd, sizeof *shared))))
        goto broken;
    struct shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (s == MAP_FAILED)
        goto broken;
    if (!s->layout) { // the lock of the file is held: nobody else makes it now
        pthread_mutexattr_t a;
        pthread_mutexattr_init(&a);
        pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&s->lock, &a);
        s->layout = LAYOUT;
    } else if (s->layout != LAYOUT) {
        errno = EPROTO;
        goto broken;
    }
    flock(fd, LOCK_UN); // the mapping keeps the file open, and would keep the lock
    close(fd);
    shared = s;
    return;
broken:
    // Without it sessions would not be counted, and no test would notice.
    fprintf(stderr, "gala driver twin: %s: %m; remove the twin's directory and make it anew\n", path);
    abort();
}

// Another process may have died with the lock: what it left half-done is one
// entry of its own, which is reaped with it.
static void lock(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!twin_config())
        abort(); // the libraries refuse before they come here
    pthread_once(&once, map_state);
    if (pthread_mutex_lock(&shared->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&shared->lock);
    if (self.pid != getpid()) { // first use, or a child after fork
        self.pid = getpid();
        self.started = started(self.pid);
    }
}

static void unlock(void) { pthread_mutex_unlock(&shared->lock); }

static void reap(void) {
    for (int i = 0; i < TWIN_SESSIONS; i++)
        if (shared->sessions[i].owner.pid && !alive(&shared->sessions[i].owner))
            shared->sessions[i].owner.pid = 0;
    for (int i = 0; i < TWIN_HOLDERS; i++)
        if (shared->holders[i].owner.pid && !alive(&shared->holders[i].owner))
            shared->holders[i].owner.pid = 0;
}

// --- Sessions ------------------------------------------------------------------------------------------------------

enum { OUT_OF_MEMORY = 10 }; // NV_ENC_ERR_OUT_OF_MEMORY

// The NVENC status with which one more session on the device is refused; 0
// when it is not. Cards of one kind share one cap for the whole host.
static int refusal(int device) {
    const struct twin_config *c = twin_config();
    struct twin_fault limit;
    int here = 0, capped = 0;
    for (int i = 0; i < TWIN_SESSIONS; i++) {
        const struct session *s = &shared->sessions[i];
        here += s->owner.pid && s->device == device;
        capped += s->owner.pid && c->device[s->device].capped;
    }
    if (twin_faulty(TWIN_SESSIONS_MAX, device, &limit) && here >= limit.value)
        return (int)limit.code;
    return c->cap && c->device[device].capped && capped >= c->cap ? c->cap_code : 0;
}

int twin_session_open(int device, int *id) {
    lock();
    reap();
    int status = refusal(device), free = 0;
    while (free < TWIN_SESSIONS && shared->sessions[free].owner.pid)
        free++;
    if (!status && free == TWIN_SESSIONS)
        status = OUT_OF_MEMORY;
    if (!status) {
        shared->sessions[free] = (struct session){.device = device};
        shared->sessions[free].owner = self;
        *id = free;
    }
    unlock();
    return status;
}

void twin_session_describe(int id, enum twin_codec codec, int width, int height) {
    lock();
    struct session *s = &shared->sessions[id];
    s->codec = codec;
    s->width = width;
    s->height = height;
    unlock();
}

// 1080p frames per second of one engine; presets between those of the
// catalogue are half-way.
static double rate_of(const struct session *s, int effort) {
    const double *r = twin_config()->device[s->device].rate[s->codec];
    effort = effort < 1 ? 1 : effort > 7 ? 7 : effort;
    int i = (effort - 1) / 2;
    return effort % 2 ? r[i] : (r[i] + r[i + 1]) / 2;
}

static double full_hds(const struct session *s) { return s->width * (double)s->height / (1920 * 1080); }

// When the card would be done with one frame more. A session is on one engine
// at a time, so it is never faster than one.
static int64_t occupy(struct session *s, double seconds) {
    int64_t *engines = shared->engine_ns[s->device];
    int count = twin_config()->device[s->device].nvenc, first = 0;
    for (int i = 1; i < count && i < 8; i++)
        if (engines[i] < engines[first])
            first = i;
    int64_t start = now_ns();
    if (engines[first] > start)
        start = engines[first];
    if (s->free_ns > start)
        start = s->free_ns;
    return engines[first] = s->free_ns = start + (int64_t)(seconds * 1e9);
}

static void count_frame(struct session *s, unsigned latency_us) {
    int64_t now = now_ns();
    s->latency_us += s->frames ? (latency_us - s->latency_us) / 16 : latency_us;
    s->frames++;
    s->last_ns = now;
    s->window_frames++;
    if (!s->window_ns)
        s->window_ns = now;
    if (now - s->window_ns < 1000000000L)
        return;
    s->fps = (unsigned)(s->window_frames * 1000000000L / (now - s->window_ns));
    s->window_ns = now;
    s->window_frames = 0;
}

void twin_session_frame(int id, int effort, unsigned latency_us) {
    int64_t until = 0;
    lock();
    struct session *s = &shared->sessions[id];
    double rate = rate_of(s, effort);
    if (twin_config()->throttle && rate > 0)
        until = occupy(s, full_hds(s) / rate);
    count_frame(s, latency_us);
    unlock();
    struct timespec t = {until / 1000000000L, until % 1000000000L};
    while (until && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

void twin_session_close(int id) {
    lock();
    if (mine(&shared->sessions[id].owner))
        shared->sessions[id].owner.pid = 0;
    unlock();
}

static unsigned current_fps(const struct session *s) {
    return now_ns() - s->last_ns > 2000000000L ? 0 : s->fps ? s->fps : s->window_frames;
}

int twin_sessions(int device, struct twin_session *out, int max) {
    int n = 0;
    lock();
    reap();
    for (int i = 0; i < TWIN_SESSIONS; i++) {
        const struct session *s = &shared->sessions[i];
        if (!s->owner.pid || (device >= 0 && s->device != device))
            continue;
        if (n < max)
            out[n] = (struct twin_session){s->owner.pid, s->device,      s->codec,
                                           s->width,     s->height,      current_fps(s),
                                           (unsigned)s->latency_us, s->frames};
        n++;
    }
    unlock();
    return n;
}

double twin_encoder_load(int device) {
    double engines = 0;
    int count = twin_config() ? twin_config()->device[device].nvenc : 0;
    if (!count)
        return 0;
    lock();
    reap();
    for (int i = 0; i < TWIN_SESSIONS; i++) {
        const struct session *s = &shared->sessions[i];
        double rate = s->owner.pid && s->device == device ? rate_of(s, 4) : 0;
        if (rate > 0)
            engines += current_fps(s) * full_hds(s) / rate;
    }
    unlock();
    return engines > count ? 1 : engines / count;
}

// --- Memory --------------------------------------------------------------------------------------------------------

static uint64_t used(int device) {
    uint64_t sum = 0;
    for (int i = 0; i < TWIN_HOLDERS; i++)
        if (shared->holders[i].owner.pid && shared->holders[i].device == device)
            sum += shared->holders[i].bytes;
    return sum;
}

static struct holder *holding(int device) {
    struct holder *free = NULL;
    for (int i = 0; i < TWIN_HOLDERS; i++) {
        struct holder *h = &shared->holders[i];
        if (mine(&h->owner) && h->device == device)
            return h;
        if (!h->owner.pid && !free)
            free = h;
    }
    if (free) {
        *free = (struct holder){.device = device};
        free->owner = self;
    }
    return free;
}

bool twin_memory_take(int device, uint64_t bytes) {
    uint64_t size = twin_config()->device[device].memory;
    struct twin_fault limit;
    if (twin_faulty(TWIN_MEMORY_MAX, device, &limit) && (uint64_t)limit.value < size)
        size = (uint64_t)limit.value;
    lock();
    reap();
    struct holder *h = used(device) + bytes <= size ? holding(device) : NULL;
    if (h)
        h->bytes += bytes;
    unlock();
    return h;
}

void twin_memory_give(int device, uint64_t bytes) {
    lock();
    struct holder *h = holding(device);
    if (h) {
        h->bytes -= bytes < h->bytes ? bytes : h->bytes;
        if (!h->bytes)
            h->owner.pid = 0;
    }
    unlock();
}

uint64_t twin_memory_used(int device) {
    lock();
    reap();
    uint64_t sum = used(device);
    unlock();
    return sum;
}

int twin_memory_holders(int device, struct twin_holder *out, int max) {
    int n = 0;
    lock();
    reap();
    for (int i = 0; i < TWIN_HOLDERS; i++) {
        const struct holder *h = &shared->holders[i];
        if (!h->owner.pid || h->device != device)
            continue;
        if (n < max)
            out[n] = (struct twin_holder){h->owner.pid, h->bytes};
        n++;
    }
    unlock();
    return n;
}
