// libnvidia-encode.so.1: pictures. Outputs are filled in the order in which
// they were given, with pictures in the order of coding.
#include "nvenc.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SEI_UNREGISTERED = 5 };

// In every IDR picture: whoever looks at the bitstream sees what made it.
static const uint8_t marker[] = "\x3f\xa1\x9c\x52\x0b\x7d\x4e\x86\x9a\x47\x74\x77\x69\x6e\x00\x01"
                                "gala driver twin";

static NV_ENC_PIC_TYPE type_of(enum picture_type t) {
    switch (t) {
    case PICTURE_IDR:
        return NV_ENC_PIC_TYPE_IDR;
    case PICTURE_I:
        return NV_ENC_PIC_TYPE_I;
    case PICTURE_B:
        return NV_ENC_PIC_TYPE_B;
    default:
        return NV_ENC_PIC_TYPE_P;
    }
}

// Puts a coded picture into the output that has waited for longest.
static NVENCSTATUS fill(struct session *s, const struct encoder_output *o) {
    struct bitstream *b = s->first_waiting;
    if (!b)
        return refuse(s, NV_ENC_ERR_GENERIC, "the encoder behind the twin gave more pictures than it was given");
    if (b->room < o->size) {
        uint8_t *more = realloc(b->data, o->size);
        if (!more)
            return NV_ENC_ERR_OUT_OF_MEMORY;
        b->data = more;
        b->room = o->size;
    }
    memcpy(b->data, o->data, o->size);
    const struct submitted *p = &s->submitted[o->number % SUBMITTED];
    b->size = o->size;
    b->timestamp = p->timestamp;
    b->duration = p->duration;
    b->frame = p->frame;
    b->type = type_of(o->type);
    b->qp = o->qp;
    b->waiting = false;
    b->filled = true;
    s->first_waiting = b->after;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS drain(struct session *s) {
    struct encoder_output o;
    NVENCSTATUS status = NV_ENC_SUCCESS;
    int n = 0;
    while (s->encoder && status == NV_ENC_SUCCESS && (n = s->kind->encode(s->encoder, NULL, &o)) > 0)
        status = fill(s, &o);
    if (n < 0)
        status = refuse(s, NV_ENC_ERR_GENERIC, "the encoder behind the twin failed");
    if (s->encoder)
        s->kind->close(s->encoder);
    s->encoder = NULL;
    s->started = false;
    return status;
}

// Where the planes of a surface are, at this moment.
static bool find_planes(const struct surface *f, struct encoder_picture *p) {
    const uint8_t *at = picture_data(f);
    if (!at)
        return false;
    p->plane[0] = at;
    p->stride[0] = f->pitch;
    p->plane[1] = at + (size_t)f->pitch * (size_t)f->height;
    p->stride[1] = f->pitch;
    p->planes = 2;
    bool yv12 = f->format == NV_ENC_BUFFER_FORMAT_YV12;
    if (!yv12 && f->format != NV_ENC_BUFFER_FORMAT_IYUV)
        return true;
    const uint8_t *second = p->plane[1] + (size_t)(f->pitch / 2) * (size_t)((f->height + 1) / 2);
    p->planes = 3;
    p->stride[1] = p->stride[2] = f->pitch / 2;
    p->plane[2] = yv12 ? p->plane[1] : second;
    p->plane[1] = yv12 ? second : p->plane[1];
    return true;
}

static NVENCSTATUS add_sei(struct session *s, struct encoder_picture *to, const NV_ENC_PIC_PARAMS *p) {
    const NV_ENC_SEI_PAYLOAD *sei = p->codecPicParams.h264PicParams.seiPayloadArray;
    uint32_t count = p->codecPicParams.h264PicParams.seiPayloadArrayCnt;
    if (s->codec == TWIN_HEVC) {
        sei = p->codecPicParams.hevcPicParams.seiPayloadArray;
        count = p->codecPicParams.hevcPicParams.seiPayloadArrayCnt;
    }
    if (count && !sei)
        return refuse(s, NV_ENC_ERR_INVALID_PTR, "%u SEI messages at no address", count);
    if (count >= ENCODER_SEI_MAX)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "the twin takes %d SEI messages for a picture", ENCODER_SEI_MAX - 1);
    if (to->type == PICTURE_IDR)
        to->sei[to->seis++] = (struct encoder_sei){SEI_UNREGISTERED, sizeof marker - 1, marker};
    for (uint32_t i = 0; i < count; i++)
        to->sei[to->seis++] = (struct encoder_sei){(int)sei[i].payloadType, (int)sei[i].payloadSize, sei[i].payload};
    return NV_ENC_SUCCESS;
}

// The group of pictures is counted from its IDR, forced or not.
static enum picture_type choose_type(struct session *s, uint32_t flags) {
    bool due = s->gop != NVENC_INFINITE_GOPLENGTH && s->since_idr >= s->gop;
    if (!s->started || due || flags & NV_ENC_PIC_FLAG_FORCEIDR)
        return PICTURE_IDR;
    return flags & NV_ENC_PIC_FLAG_FORCEINTRA ? PICTURE_I : PICTURE_ANY;
}

static NVENCSTATUS take(struct session *s, const NV_ENC_PIC_PARAMS *p, struct encoder_picture *picture, struct bitstream **output) {
    const struct surface *f = s->surfaces;
    struct bitstream *b = s->bitstreams;
    while (f && f != p->inputBuffer)
        f = f->next;
    while (b && b != p->outputBitstream)
        b = b->next;
    if (!f || !b)
        return refuse(s, NV_ENC_ERR_INVALID_PTR, "there is no such input or output");
    if (!f->data && !f->mapped)
        return refuse(s, NV_ENC_ERR_RESOURCE_NOT_MAPPED, "the input is not mapped");
    if (f->locked || b->waiting || b->filled)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "the input is locked, or the output holds a picture that was not fetched");
    if (p->bufferFmt != f->format || f->width < s->settings.width || f->height < s->settings.height)
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "the picture has another format or less than %dx%d", s->settings.width,
                      s->settings.height);
    if (p->pictureStruct != NV_ENC_PIC_STRUCT_FRAME)
        return refuse(s, NV_ENC_ERR_UNSUPPORTED_PARAM, "the twin encodes no fields");
    if (!find_planes(f, picture))
        return refuse(s, NV_ENC_ERR_INVALID_PARAM, "the device memory of the input was freed");
    *output = b;
    return NV_ENC_SUCCESS;
}

static void wait_for(struct session *s, struct bitstream *b) {
    b->waiting = true;
    b->after = NULL;
    if (s->first_waiting)
        s->last_waiting->after = b;
    else
        s->first_waiting = b;
    s->last_waiting = b;
}

static unsigned micros_since(const struct timespec *t) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned)((now.tv_sec - t->tv_sec) * 1000000 + (now.tv_nsec - t->tv_nsec) / 1000);
}

NVENCSTATUS NVENCAPI encode_picture(void *h, NV_ENC_PIC_PARAMS *p) {
    NVENCSTATUS status;
    struct encoder_picture picture = {0};
    struct encoder_output o;
    struct bitstream *output = NULL;
    struct timespec start;
    struct session *s = enter(h, &status);
    if (!s)
        return status;
    CHECK_VERSION(s, p, NV_ENC_PIC_PARAMS_VER);
    if (!s->kind)
        return refuse(s, NV_ENC_ERR_ENCODER_NOT_INITIALIZED, "the session is not initialised");
    if (p->encodePicFlags & NV_ENC_PIC_FLAG_EOS)
        return drain(s);
    status = take(s, p, &picture, &output);
    if (status != NV_ENC_SUCCESS)
        return status;
    clock_gettime(CLOCK_MONOTONIC, &start);
    picture.number = s->pictures;
    picture.type = choose_type(s, p->encodePicFlags);
    status = add_sei(s, &picture, p);
    if (status != NV_ENC_SUCCESS)
        return status;
    if (!s->encoder && !(s->encoder = s->kind->open(&s->settings)))
        return refuse(s, NV_ENC_ERR_GENERIC, "the encoder behind the twin does not start");
    s->submitted[s->pictures % SUBMITTED] = (struct submitted){p->inputTimeStamp, p->inputDuration, p->frameIdx};
    s->since_idr = picture.type == PICTURE_IDR ? 1 : s->since_idr + 1;
    s->pictures++;
    s->started = true;
    wait_for(s, output);
    int n = s->kind->encode(s->encoder, &picture, &o);
    if (n < 0)
        return refuse(s, NV_ENC_ERR_GENERIC, "the encoder behind the twin failed");
    status = n ? fill(s, &o) : NV_ENC_ERR_NEED_MORE_INPUT;
    twin_session_frame(s->id, s->settings.effort, micros_since(&start));
    return status;
}
