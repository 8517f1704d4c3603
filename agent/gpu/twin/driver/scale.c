// The kernels of FFmpeg 9.0's scale_cuda, as its PTX has them: the same
// positions, weights, roundings and conversions, also where they are odd. A
// row of the destination is sampled in the source's depth, then converted.
#define _GNU_SOURCE
#include "cuda.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct scale_params) == 128, "scale_cuda's parameters");

// Machines differ in what they do side by side; no sum changes by it.
#define CLONES __attribute__((target_clones("avx2", "default")))

enum { CHANNELS = 4, CURVE_TAPS = 4 };
#define DEFAULT_PARAM 999999.0f

// --- Names ---------------------------------------------------------------------------------------------------------

static const struct {
    const char *word;
    struct picture_format format;
} formats[] = {
    {"planar8", {PLANAR, BITS8, false, false}},
    {"planar10", {PLANAR, BITS10_LOW, false, false}},
    {"planar16", {PLANAR, BITS16, false, false}},
    {"semiplanar8", {SEMIPLANAR, BITS8, false, false}},
    {"semiplanar10", {SEMIPLANAR, BITS10_HIGH, false, false}},
    {"semiplanar16", {SEMIPLANAR, BITS16, false, false}},
    {"rgb0", {PACKED, BITS8, true, false}},
    {"bgr0", {PACKED, BITS8, false, false}},
    {"rgba", {PACKED, BITS8, true, true}},
    {"bgra", {PACKED, BITS8, false, true}},
};

static const char *const methods[] = {"Nearest", "Bilinear", "Bicubic", "Lanczos", "Generic_h", "Generic_v"};

static const char *skip(const char *name, const char *word) {
    size_t n = strlen(word);
    return strncmp(name, word, n) || (name[n] && name[n] != '_') ? NULL : name + n + (name[n] == '_');
}

static const char *read_format(const char *name, struct picture_format *format) {
    for (size_t i = 0; name && i < sizeof formats / sizeof *formats; i++) {
        const char *rest = skip(name, formats[i].word);
        if (rest) {
            *format = formats[i].format;
            return rest;
        }
    }
    return NULL;
}

bool parse_scale_kernel(const char *name, struct scale_kernel *kernel) {
    const char *rest = skip(name, "Subsample"), *after = NULL;
    for (size_t i = 0; rest && !after && i < sizeof methods / sizeof *methods; i++) {
        after = skip(rest, methods[i]);
        kernel->method = i;
    }
    after = read_format(read_format(after, &kernel->from), &kernel->to);
    if (!after || (kernel->from.layout == PACKED) != (kernel->to.layout == PACKED))
        return false;
    kernel->chroma = !strcmp(after, "uv");
    return kernel->chroma || !*after;
}

// --- Reading textures ----------------------------------------------------------------------------------------------

// A texture whose memory was found.
struct source {
    const struct texture *t;
    const unsigned char *data;
};

static CUresult find_source(struct source *s, CUtexObject object) {
    s->t = (const struct texture *)(uintptr_t)object;
    if (!s->t)
        return ILLEGAL_ADDRESS;
    size_t row = s->t->width * (size_t)(s->t->channels * s->t->bytes);
    s->data = device_data(s->t->address, s->t->pitch * (s->t->height - 1) + row);
    return s->data ? CUDA_SUCCESS : ILLEGAL_ADDRESS;
}

static long clamp(long v, long max) { return v < 0 ? 0 : v > max ? max : v; }

// As fminf and fmaxf, which are calls: no number here is none.
static inline float within(float v, float least, float most) { return v < least ? least : v > most ? most : v; }

// Beyond the edges there is what is at the edge.
static inline const unsigned char *source_row(const struct source *s, long y) {
    return s->data + (size_t)clamp(y, (long)s->t->height - 1) * s->t->pitch;
}

static inline int sample(const unsigned char *row, int bytes, long at) { return bytes == 1 ? row[at] : ((const uint16_t *)row)[at]; }

static int texel(const struct source *s, long x, long y, int channel) {
    return sample(source_row(s, y), s->t->bytes, clamp(x, (long)s->t->width - 1) * s->t->channels + channel);
}

// Weights of linear interpolation have 8 bits of fraction in hardware.
static int linear(const struct source *s, float x, float y, int channel) {
    float fx = floorf(x - 0.5f), fy = floorf(y - 0.5f);
    float a = rintf((x - 0.5f - fx) * 256) / 256, b = rintf((y - 0.5f - fy) * 256) / 256;
    float top = texel(s, (long)fx, (long)fy, channel) * (1 - a) + texel(s, (long)fx + 1, (long)fy, channel) * a;
    float low = texel(s, (long)fx, (long)fy + 1, channel) * (1 - a) + texel(s, (long)fx + 1, (long)fy + 1, channel) * a;
    return (int)rintf(top * (1 - b) + low * b);
}

// --- Sampling: a row of the destination, channels beside each other -------------------------------------------------

struct job {
    const struct scale_params *p;
    struct source source;
    const float *weights;
    const int *offsets;
    float x_scale, y_scale;
    int *columns;  // the first one of the source that each column is made of, or the nearest
    float *curves; // the weights of a curve's columns, CURVE_TAPS of each; of a filter's, column beside column
    float *line;   // a row of the source
    float *sums;   // a row of the destination before it is stored
    uint16_t *row; // and after
};

CLONES static void nearest_row(const struct job *j, int y, uint16_t *row) {
    const struct texture *t = j->source.t;
    const unsigned char *from = source_row(&j->source, (long)floorf(((float)y + 0.5f) * j->y_scale + (float)j->p->top));
    if (t->channels == 1 && t->bytes == 1) // by far the most
        for (int x = 0; x < j->p->width; x++)
            row[x] = from[j->columns[x]];
    else
        for (int x = 0; x < j->p->width; x++)
            for (int c = 0; c < t->channels; c++)
                *row++ = (uint16_t)sample(from, t->bytes, (long)j->columns[x] * t->channels + c);
}

// The half width of a tent, made of two reads that interpolate.
static float spread(float scale) {
    float w = within(0.5f * (scale - 1), 0, 1);
    return w / (0.5f + w);
}

static void bilinear_row(const struct job *j, int y, uint16_t *row) {
    float dx = spread(j->x_scale), dy = spread(j->y_scale), sy = ((float)y + 0.5f) * j->y_scale + (float)j->p->top;
    for (int x = 0; x < j->p->width; x++) {
        float sx = ((float)x + 0.5f) * j->x_scale + (float)j->p->left;
        for (int c = 0; c < j->source.t->channels; c++) {
            int sum = linear(&j->source, sx - dx, sy - dy, c) + linear(&j->source, sx + dx, sy - dy, c) +
                      linear(&j->source, sx - dx, sy + dy, c) + linear(&j->source, sx + dx, sy + dy, c);
            *row++ = (uint16_t)((sum + 2) >> 2);
        }
    }
}

static float sinc_window(float x) { return x == 0 ? 1 : sinf(x) * sinf(x / 2) / (x * x / 2); }

static void curve(const struct scale_kernel *k, float x, float param, float w[CURVE_TAPS]) {
    if (k->method == LANCZOS) {
        float sum = 0;
        for (int i = 0; i < CURVE_TAPS; i++)
            sum += w[i] = sinc_window((float)M_PI * (x + 1 - (float)i));
        for (int i = 0; i < CURVE_TAPS; i++)
            w[i] /= sum;
        return;
    }
    float a = param == DEFAULT_PARAM ? 0 : -param, y = 1 - x;
    w[0] = a * x * y * y; // Keys' cubic, in its factored form
    w[1] = ((a + 2) * x - (a + 3)) * x * x + 1;
    w[2] = ((a + 2) * y - (a + 3)) * y * y + 1;
    w[3] = 1 - w[0] - w[1] - w[2];
}

static void curve_row(const struct job *j, const struct scale_kernel *k, int y, uint16_t *row) {
    const struct texture *t = j->source.t;
    long last = (long)t->width - 1;
    float top = t->bytes == 1 ? 255 : 65535, wy[CURVE_TAPS];
    float sy = ((float)y + 0.5f) * j->y_scale - 0.5f + (float)j->p->top, fy = floorf(sy);
    curve(k, sy - fy, j->p->param, wy);
    const unsigned char *from[CURVE_TAPS];
    for (int v = 0; v < CURVE_TAPS; v++)
        from[v] = source_row(&j->source, (long)fy - 1 + v);
    for (int x = 0; x < j->p->width; x++) {
        const float *wx = j->curves + (size_t)x * CURVE_TAPS;
        long at[CURVE_TAPS];
        for (int h = 0; h < CURVE_TAPS; h++)
            at[h] = clamp(j->columns[x] + h, last) * t->channels;
        for (int c = 0; c < t->channels; c++) {
            float sum = 0;
            for (int v = 0; v < CURVE_TAPS; v++)
                for (int h = 0; h < CURVE_TAPS; h++)
                    sum += wy[v] * wx[h] * (float)sample(from[v], t->bytes, at[h] + c);
            *row++ = (uint16_t)rintf(within(sum, 0, top));
        }
    }
}

// What the columns are made of is the same in all rows.
static void plan_columns(const struct job *j, const struct scale_kernel *k) {
    bool curved = k->method == BICUBIC || k->method == LANCZOS;
    for (int x = 0; x < j->p->width; x++) {
        float sx = ((float)x + 0.5f) * j->x_scale + (float)j->p->left;
        if (curved) {
            sx = ((float)x + 0.5f) * j->x_scale - 0.5f + (float)j->p->left;
            curve(k, sx - floorf(sx), j->p->param, j->curves + (size_t)x * CURVE_TAPS);
        }
        if (k->method == FILTER_H && j->p->taps > 0) {
            j->columns[x] = j->p->left + j->offsets[x];
            for (int i = 0; i < j->p->taps; i++)
                j->curves[i * j->p->width + x] = j->weights[x * j->p->taps + i];
            continue;
        }
        j->columns[x] = curved ? (int)floorf(sx) - 1 : (int)clamp((long)floorf(sx), (long)j->source.t->width - 1);
    }
}

// The result of a filter is cut off, not rounded, and of 8 bits the low byte
// is kept: what overshoots comes out dark, as it would on a card.
CLONES static void store_sums(const struct job *j, uint16_t *row) {
    unsigned mask = j->source.t->bytes == 1 ? 0xff : 0xffff;
    for (int i = 0; i < j->p->width * j->source.t->channels; i++)
        row[i] = (uint16_t)((unsigned)within(j->sums[i], 0, 65535) & mask);
}

CLONES static void read_line(const struct job *j, long y) {
    const struct texture *t = j->source.t;
    const unsigned char *from = source_row(&j->source, y);
    int n = (int)t->width * t->channels;
    if (t->bytes == 1)
        for (int i = 0; i < n; i++)
            j->line[i] = (float)from[i];
    else
        for (int i = 0; i < n; i++)
            j->line[i] = (float)((const uint16_t *)from)[i];
}

static float filter_h(const struct job *j, int x, int channel) {
    const struct texture *t = j->source.t;
    float sum = 0;
    for (int i = 0; i < j->p->taps; i++)
        sum += j->weights[x * j->p->taps + i] * j->line[clamp(j->columns[x] + i, (long)t->width - 1) * t->channels + channel];
    return sum;
}

// As many columns as read nothing beyond the edges, all of one tap at a time: sums of
// the same order, side by side.
CLONES static void filter_h_inside(const struct job *j, int from, int n) {
    const int *columns = j->columns + from;
    float *sums = j->sums + from;
    memset(sums, 0, (size_t)n * sizeof *sums);
    for (int i = 0; i < j->p->taps; i++) {
        const float *w = j->curves + (size_t)i * (size_t)j->p->width + from, *line = j->line + i;
        for (int x = 0; x < n; x++)
            sums[x] += w[x] * line[columns[x]];
    }
}

static void filter_h_row(const struct job *j, int y, uint16_t *row) {
    int channels = j->source.t->channels, taps = j->p->taps, from = 0, to = 0;
    if (taps > 0)
        read_line(j, j->p->top + y);
    if (channels == 1 && taps > 0) {
        for (to = j->p->width; to > 0 && j->columns[to - 1] + taps > (int)j->source.t->width; to--)
            ;
        while (from < to && j->columns[from] < 0)
            from++;
        filter_h_inside(j, from, to - from);
    }
    for (int x = 0; x < j->p->width; x++)
        for (int c = 0; c < channels && (x < from || x >= to); c++)
            j->sums[x * channels + c] = filter_h(j, x, c);
    store_sums(j, row);
}

CLONES static void filter_v_row(const struct job *j, int y, uint16_t *row) {
    const struct texture *t = j->source.t;
    int channels = t->channels, n = j->p->width * channels, first = j->p->left * channels;
    memset(j->sums, 0, (size_t)n * sizeof *j->sums);
    for (int i = 0; i < j->p->taps; i++) {
        float w = j->weights[y * j->p->taps + i];
        long sy = clamp(j->p->top + j->offsets[y] + i, (long)t->height - 1);
        const unsigned char *from = j->source.data + (size_t)sy * t->pitch;
        if (first + n > (int)t->width * channels) // the last columns repeat the edge
            for (int x = 0; x < n; x++)
                j->sums[x] += w * (float)texel(&j->source, j->p->left + x / channels, sy, x % channels);
        else if (t->bytes == 1)
            for (int x = 0; x < n; x++)
                j->sums[x] += w * (float)from[first + x];
        else
            for (int x = 0; x < n; x++)
                j->sums[x] += w * (float)((const uint16_t *)from)[first + x];
    }
    store_sums(j, row);
}

static void sample_row(const struct job *j, const struct scale_kernel *k, int y, uint16_t *row) {
    switch (k->method) {
    case NEAREST:
        nearest_row(j, y, row);
        break;
    case BILINEAR:
        bilinear_row(j, y, row);
        break;
    case BICUBIC:
    case LANCZOS:
        curve_row(j, k, y, row);
        break;
    case FILTER_H:
        filter_h_row(j, y, row);
        break;
    case FILTER_V:
        filter_v_row(j, y, row);
        break;
    }
}

// --- Converting and writing -----------------------------------------------------------------------------------------

static inline unsigned convert(unsigned v, enum depth from, enum depth to, bool limited) {
    if (from == to)
        return v;
    switch (to) {
    case BITS8:
        return from == BITS10_LOW ? v >> 2 : v >> 8;
    case BITS10_LOW:
        return from != BITS8 ? v >> 6 : limited ? v << 2 : v << 2 | v >> 6;
    case BITS10_HIGH:
        return from == BITS10_LOW ? v << 6 : from == BITS16 ? v & 0xffc0 : limited ? v << 8 : (v << 8 | v) & 0xffc0;
    case BITS16:
        if (from == BITS8)
            return limited ? v << 8 : v << 8 | v;
        if (from == BITS10_LOW)
            return limited ? v << 6 : v << 6 | v >> 4;
        return limited ? v : v | v >> 10;
    }
    return v;
}

static inline void put(unsigned char *row, int at, enum depth depth, unsigned value) {
    if (depth == BITS8)
        row[at] = (unsigned char)value;
    else
        ((uint16_t *)row)[at] = (uint16_t)value;
}

// Writes channel `from` of n sampled columns as channel `to` of the row.
CLONES static void write_channel(const struct scale_kernel *k, const struct scale_params *p, const uint16_t *sampled, int channels,
                          int from, unsigned char *row, int width, int to) {
    enum depth was = k->from.depth, is = k->to.depth;
    bool limited = p->limited;
    int n = p->width; // of their own: what is written might be anything
    for (int x = 0; x < n; x++)
        put(row, x * width + to, is, convert(sampled[x * channels + from], was, is, limited));
}

static void write_packed(const struct scale_kernel *k, const struct scale_params *p, const uint16_t *sampled, unsigned char *row) {
    bool swap = k->from.red_first != k->to.red_first;
    for (int x = 0; x < p->width; x++, row += CHANNELS, sampled += CHANNELS) {
        for (int c = 0; c < 3; c++)
            row[c] = (unsigned char)sampled[swap ? 2 - c : c];
        row[3] = k->to.alpha && !k->from.alpha ? 0xff : (unsigned char)sampled[3];
    }
}

// One plane of the source, sampled into `plane` of the destination as its
// first channel.
struct pass {
    int source, plane, channel;
};

// What a pass reads: the texture, and the weights of a filter.
static CUresult find_inputs(struct job *j, const struct scale_kernel *k, const struct pass *pass) {
    const struct scale_params *p = j->p;
    CUresult r = find_source(&j->source, p->source[pass->source]);
    if (r != CUDA_SUCCESS)
        return r;
    int channels = k->from.layout == PACKED ? CHANNELS : k->from.layout == SEMIPLANAR && k->chroma ? 2 : 1;
    if (j->source.t->channels != channels)
        return ILLEGAL_ADDRESS;
    j->x_scale = (float)p->source_width / (float)p->width;
    j->y_scale = (float)p->source_height / (float)p->height;
    if (p->taps <= 0 || (k->method != FILTER_H && k->method != FILTER_V))
        return CUDA_SUCCESS;
    size_t lines = (size_t)(k->method == FILTER_H ? p->width : p->height);
    j->weights = device_data(p->weights, sizeof(float) * lines * (size_t)p->taps);
    j->offsets = device_data(p->offsets, sizeof(int) * lines);
    return j->weights && j->offsets ? CUDA_SUCCESS : ILLEGAL_ADDRESS;
}

static CUresult write_plane(const struct job *j, const struct scale_kernel *k, const struct pass *pass) {
    const struct scale_params *p = j->p;
    int channels = j->source.t->channels;
    int samples = k->to.layout == PACKED ? CHANNELS : k->to.layout == SEMIPLANAR && k->chroma ? 2 : 1;
    size_t bytes = (size_t)samples * (k->to.depth == BITS8 ? 1 : 2);
    size_t span = (size_t)p->pitch * (size_t)(p->height - 1) + bytes * (size_t)p->width;
    bool apart = channels == 2 && k->to.layout == PLANAR; // the second channel has a plane of its own
    unsigned char *to = device_data(p->to[pass->plane], span), *second = apart ? device_data(p->to[2], span) : to;
    if (!to || !second)
        return ILLEGAL_ADDRESS;
    for (int y = 0; y < p->height; y++, to += p->pitch, second += p->pitch) {
        sample_row(j, k, y, j->row);
        if (k->to.layout == PACKED) {
            write_packed(k, p, j->row, to);
            continue;
        }
        write_channel(k, p, j->row, channels, 0, to, samples, pass->channel);
        if (channels == 2)
            write_channel(k, p, j->row, channels, 1, second, samples, apart ? 0 : 1);
    }
    return CUDA_SUCCESS;
}

static CUresult run_pass(const struct scale_kernel *k, const struct scale_params *p, struct pass pass) {
    struct job j = {.p = p};
    CUresult r = find_inputs(&j, k, &pass);
    if (r != CUDA_SUCCESS)
        return r;
    size_t n = (size_t)p->width * CHANNELS;
    j.columns = malloc((size_t)p->width * sizeof *j.columns);
    j.curves = malloc((size_t)p->width * (size_t)(p->taps > CURVE_TAPS ? p->taps : CURVE_TAPS) * sizeof *j.curves);
    j.line = malloc(j.source.t->width * CHANNELS * sizeof *j.line);
    j.sums = malloc(n * sizeof *j.sums);
    j.row = malloc(n * sizeof *j.row);
    r = OUT_OF_MEMORY;
    if (j.columns && j.curves && j.line && j.sums && j.row) {
        plan_columns(&j, k);
        r = write_plane(&j, k, &pass);
    }
    free(j.columns);
    free(j.curves);
    free(j.line);
    free(j.sums);
    free(j.row);
    return r;
}

CUresult run_scale_kernel(const struct scale_kernel *k, const struct scale_params *p) {
    if (p->width <= 0 || p->height <= 0 || (k->chroma && k->from.layout == PACKED))
        return CUDA_SUCCESS; // no thread has anything to do
    if (!k->chroma)
        return run_pass(k, p, (struct pass){0, 0, 0});
    CUresult r = run_pass(k, p, (struct pass){1, 1, 0});
    if (r == CUDA_SUCCESS && k->from.layout == PLANAR)
        r = run_pass(k, p, k->to.layout == PLANAR ? (struct pass){2, 2, 0} : (struct pass){2, 1, 1});
    return r;
}
