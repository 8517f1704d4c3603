// What is behind the NVENC API: an encoder in software that takes pictures in
// the order of display and gives them back in the order of coding, some
// pictures later. It knows no NVENC, and NVENC's code knows no x264.
#ifndef GALA_TWIN_ENCODER_H
#define GALA_TWIN_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rate_mode { RATE_CONSTANT_QP, RATE_QUALITY, RATE_AVERAGE, RATE_CONSTANT };

struct encoder_settings {
    int width, height;
    int fps_num, fps_den;
    int sar_num, sar_den;       // 0: not told
    int effort;                 // preset, 1 to 7
    int b_frames;               // between two others
    bool b_reference;           // the middle one is referred to
    bool ten_bit;
    bool headers_in_band;       // with every IDR
    bool delimiters;            // access unit delimiters
    bool cavlc;
    const char *profile;        // of x264; NULL: whatever is needed
    int level;                  // ten times the level's number; 0: chosen by the encoder
    bool high_tier;
    int references;             // 0: chosen by the encoder
    int slices, slice_bytes;    // 0: one slice, as large as it is
    bool adaptive_quantization;
    bool picture_timing;        // SEI of every picture
    enum rate_mode rate;
    int bitrate, max_bitrate, buffer; // bits per second and bits; 0: not told
    int qp_intra, qp, qp_b;     // of RATE_CONSTANT_QP
    double quality;             // of RATE_QUALITY
    int qp_min, qp_max;         // -1: not told
    bool colour_told, range_told; // the next are to be written
    int video_format, primaries, transfer, matrix;
    bool full_range;
    int chroma_location;        // -1: not told
};

enum { ENCODER_SEI_MAX = 16 };

struct encoder_sei {
    int type;
    int size;
    const uint8_t *data;
};

enum picture_type { PICTURE_P, PICTURE_B, PICTURE_I, PICTURE_IDR, PICTURE_ANY };

// Samples are 8 bit, or 10 bit in the upper bits of 16. With two planes the
// second has both kinds of chroma.
struct encoder_picture {
    int64_t number; // counts up by one
    enum picture_type type; // PICTURE_I, PICTURE_IDR, or PICTURE_ANY
    const uint8_t *plane[3];
    int stride[3], planes;
    struct encoder_sei sei[ENCODER_SEI_MAX];
    int seis;
};

struct encoder_output {
    const uint8_t *data; // until the next call
    size_t size;
    int64_t number;
    enum picture_type type;
    int qp;
};

struct encoder;

// An encoder is one of these. open returns NULL when the settings are none
// that it has; encode returns 1 with an output, 0 without one and -1 on an
// error; a NULL picture asks for what is left, until 0.
struct encoder_kind {
    struct encoder *(*open)(const struct encoder_settings *);
    int (*encode)(struct encoder *, const struct encoder_picture *, struct encoder_output *);
    // Parameter sets in Annex B; returns their size, 0 when they do not fit.
    size_t (*headers)(struct encoder *, uint8_t *to, size_t size);
    void (*close)(struct encoder *);
};

extern const struct encoder_kind encoder_h264, encoder_hevc;
// Has the library of this machine an encoder for 10 bit HEVC?
bool encoder_hevc_ten_bit(void);

#endif
