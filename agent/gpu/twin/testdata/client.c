// A client that FFmpeg is not: it goes the ways that FFmpeg does not take and
// prints what it gets. Its argument is the way.
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/nvEncodeAPI.h>

static void *cuda, *nvenc;
#define CU(name, type) ((type *)dlsym(cuda, name))

static NV_ENCODE_API_FUNCTION_LIST api = {.version = NV_ENCODE_API_FUNCTION_LIST_VER};
static CUcontext context;
static void *session;

enum { W = 320, H = 180 };

static void must(const char *what, int status) {
    if (status) {
        printf("%s: %d %s\n", what, status, session ? api.nvEncGetLastErrorString(session) : "");
        exit(1);
    }
}

static void start(void) {
    cuda = dlopen("libcuda.so.1", RTLD_NOW);
    nvenc = dlopen("libnvidia-encode.so.1", RTLD_NOW);
    if (!cuda || !nvenc) {
        puts(dlerror());
        exit(1);
    }
    must("cuInit", CU("cuInit", tcuInit)(0));
    must("cuCtxCreate", CU("cuCtxCreate_v2", tcuCtxCreate_v2)(&context, 0, 0));
    NVENCSTATUS (*create)(NV_ENCODE_API_FUNCTION_LIST *) = dlsym(nvenc, "NvEncodeAPICreateInstance");
    must("create instance", create(&api));
    NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS open = {.version = NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER,
                                                 .deviceType = NV_ENC_DEVICE_TYPE_CUDA,
                                                 .device = context,
                                                 .apiVersion = NVENCAPI_VERSION};
    must("open session", api.nvEncOpenEncodeSessionEx(&open, &session));
}

static NV_ENC_PRESET_CONFIG preset = {.version = NV_ENC_PRESET_CONFIG_VER, .presetCfg = {.version = NV_ENC_CONFIG_VER}};
static NV_ENC_INITIALIZE_PARAMS init = {.version = NV_ENC_INITIALIZE_PARAMS_VER,
                                        .encodeWidth = W,
                                        .encodeHeight = H,
                                        .darWidth = 16,
                                        .darHeight = 9,
                                        .frameRateNum = 25,
                                        .frameRateDen = 1,
                                        .enablePTD = 1,
                                        .tuningInfo = NV_ENC_TUNING_INFO_LOW_LATENCY,
                                        .encodeConfig = &preset.presetCfg};

static void initialize(int bitrate) {
    init.encodeGUID = NV_ENC_CODEC_H264_GUID;
    init.presetGUID = NV_ENC_PRESET_P4_GUID;
    must("preset", api.nvEncGetEncodePresetConfigEx(session, init.encodeGUID, init.presetGUID, init.tuningInfo, &preset));
    preset.presetCfg.rcParams.averageBitRate = (uint32_t)bitrate;
    preset.presetCfg.gopLength = NVENC_INFINITE_GOPLENGTH;
    must("initialize", api.nvEncInitializeEncoder(session, &init));
}

// Noise, which takes all bits that it is given.
static void paint(CUdeviceptr to, size_t size) {
    static unsigned seed = 1;
    unsigned char *picture = malloc(size);
    for (size_t i = 0; i < size; i++)
        picture[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
    must("upload", CU("cuMemcpyHtoD_v2", tcuMemcpyHtoD_v2)(to, picture, size));
    free(picture);
}

static CUdeviceptr memory;
static NV_ENC_REGISTER_RESOURCE reg = {.version = NV_ENC_REGISTER_RESOURCE_VER,
                                       .resourceType = NV_ENC_INPUT_RESOURCE_TYPE_CUDADEVICEPTR,
                                       .width = W,
                                       .height = H,
                                       .pitch = 512,
                                       .bufferFormat = NV_ENC_BUFFER_FORMAT_NV12};
static NV_ENC_MAP_INPUT_RESOURCE map = {.version = NV_ENC_MAP_INPUT_RESOURCE_VER};
static NV_ENC_CREATE_BITSTREAM_BUFFER output = {.version = NV_ENC_CREATE_BITSTREAM_BUFFER_VER};

static void prepare(void) {
    must("memory", CU("cuMemAlloc_v2", tcuMemAlloc_v2)(&memory, 512 * H * 3 / 2));
    reg.resourceToRegister = (void *)memory;
    must("register", api.nvEncRegisterResource(session, &reg));
    map.registeredResource = reg.registeredResource;
    must("output", api.nvEncCreateBitstreamBuffer(session, &output));
}

static NV_ENC_PIC_PARAMS picture(void) {
    return (NV_ENC_PIC_PARAMS){.version = NV_ENC_PIC_PARAMS_VER,
                               .inputWidth = W,
                               .inputHeight = H,
                               .inputPitch = 512,
                               .inputBuffer = map.mappedResource ? map.mappedResource : reg.registeredResource,
                               .outputBitstream = output.bitstreamBuffer,
                               .bufferFmt = NV_ENC_BUFFER_FORMAT_NV12,
                               .pictureStruct = NV_ENC_PIC_STRUCT_FRAME};
}

// Encodes a second of pictures; returns the bytes, and the IDR pictures in idr.
static unsigned second(int *idr) {
    unsigned bytes = 0;
    for (int i = 0; i < 25; i++) {
        paint(memory, 512 * H * 3 / 2);
        NV_ENC_PIC_PARAMS p = picture();
        must("encode", api.nvEncEncodePicture(session, &p));
        NV_ENC_LOCK_BITSTREAM lock = {.version = NV_ENC_LOCK_BITSTREAM_VER, .outputBitstream = output.bitstreamBuffer};
        must("lock", api.nvEncLockBitstream(session, &lock));
        bytes += lock.bitstreamSizeInBytes;
        *idr += lock.pictureType == NV_ENC_PIC_TYPE_IDR;
        must("unlock", api.nvEncUnlockBitstream(session, output.bitstreamBuffer));
    }
    return bytes;
}

static void change_rate(void) {
    int idr = 0;
    initialize(4000000);
    prepare();
    must("map", api.nvEncMapInputResource(session, &map));
    unsigned before = second(&idr);
    NV_ENC_RECONFIGURE_PARAMS r = {.version = NV_ENC_RECONFIGURE_PARAMS_VER, .reInitEncodeParams = init, .resetEncoder = 1, .forceIDR = 1};
    preset.presetCfg.rcParams.averageBitRate = 800000;
    must("reconfigure", api.nvEncReconfigureEncoder(session, &r));
    unsigned after = second(&idr);
    printf("before %u after %u idr %d\n", before, after, idr);
}

// Calls that are wrong, with the status of each.
static void wrong_calls(void) {
    NV_ENC_PIC_PARAMS p = picture();
    printf("no session %d\n", api.nvEncEncodePicture(NULL, &p));
    printf("before initialising %d\n", api.nvEncEncodePicture(session, &p));
    initialize(1000000);
    NV_ENC_CREATE_BITSTREAM_BUFFER old = {.version = NV_ENC_CREATE_BITSTREAM_BUFFER_VER - 1};
    printf("struct version %d\n", api.nvEncCreateBitstreamBuffer(session, &old));
    prepare();
    p = picture();
    printf("not mapped %d\n", api.nvEncEncodePicture(session, &p));
    must("map", api.nvEncMapInputResource(session, &map));
    printf("still mapped %d\n", api.nvEncUnregisterResource(session, reg.registeredResource));
    reg.resourceToRegister = session;
    printf("host memory %d\n", api.nvEncRegisterResource(session, &reg));
    printf("initialised twice %d\n", api.nvEncInitializeEncoder(session, &init));
}

// Kernels as PTX declares them: one with the parameters of another FFmpeg, one
// with those that the twin knows, and one that is not there.
static void kernels(void) {
    CUmodule module;
    CUfunction f;
    must("module", CU("cuModuleLoadData", tcuModuleLoadData)(&module, ".version 3.2\n"
                   ".visible .entry Subsample_Nearest_planar8_planar8(\n\t.param .align 8 .b8 p_0[136]\n)\n{\n}\n"
                   ".visible .entry Subsample_Bilinear_planar8_planar8(\n\t.param .align 8 .b8 p_0[128]\n)\n{\n}\n"));
    tcuModuleGetFunction *get = CU("cuModuleGetFunction", tcuModuleGetFunction);
    printf("another size %d\n", get(&f, module, "Subsample_Nearest_planar8_planar8"));
    printf("known %d\n", get(&f, module, "Subsample_Bilinear_planar8_planar8"));
    printf("absent %d\n", get(&f, module, "Subsample_Bicubic_planar8_planar8"));
}

// Memory that was freed, as the input of everything that takes some: the status of each.
static void freed(void) {
    enum { SIZE = 512 * H * 3 / 2 };
    static unsigned char host[SIZE];
    tcuMemFree_v2 *release = CU("cuMemFree_v2", tcuMemFree_v2);
    initialize(1000000);
    prepare();
    must("map", api.nvEncMapInputResource(session, &map));
    must("free", release(memory));
    NV_ENC_PIC_PARAMS p = picture();
    printf("encode %d\n", api.nvEncEncodePicture(session, &p));
    must("unmap", api.nvEncUnmapInputResource(session, map.mappedResource));
    printf("map %d\n", api.nvEncMapInputResource(session, &map));

    CUdeviceptr old = memory;
    CUDA_MEMCPY2D rows = {.srcMemoryType = CU_MEMORYTYPE_DEVICE, .srcDevice = old, .srcPitch = 512, .dstMemoryType = CU_MEMORYTYPE_HOST,
                          .dstHost = host, .dstPitch = 512, .WidthInBytes = W, .Height = H};
    printf("copy %d\n", CU("cuMemcpyDtoH_v2", tcuMemcpyDtoH_v2)(host, old, SIZE));
    printf("copy of rows %d\n", CU("cuMemcpy2D_v2", tcuMemcpy2D_v2)(&rows));
    printf("copy into it %d\n", CU("cuMemcpyHtoD_v2", tcuMemcpyHtoD_v2)(old, host, SIZE));

    // Memory comes to lie at old addresses again; NVENC knows the resource by its own.
    CUdeviceptr more[8];
    bool again = false;
    for (int i = 0; i < 8; i++) {
        must("memory", CU("cuMemAlloc_v2", tcuMemAlloc_v2)(&more[i], SIZE));
        again |= more[i] == old;
    }
    printf("map, other memory there: %s %d\n", again ? "yes" : "no", api.nvEncMapInputResource(session, &map));

    CUmodule module;
    CUfunction f;
    CUtexObject texture;
    must("module", CU("cuModuleLoadData", tcuModuleLoadData)(&module, ".version 3.2\n"
                   ".visible .entry Subsample_Bilinear_planar8_planar8(\n\t.param .align 8 .b8 p_0[128]\n)\n{\n}\n"));
    must("function", CU("cuModuleGetFunction", tcuModuleGetFunction)(&f, module, "Subsample_Bilinear_planar8_planar8"));
    CUDA_TEXTURE_DESC how = {.filterMode = CU_TR_FILTER_MODE_LINEAR, .flags = CU_TRSF_READ_AS_INTEGER};
    CUDA_RESOURCE_DESC what = {.resType = CU_RESOURCE_TYPE_PITCH2D,
                               .res.pitch2D = {.devPtr = more[0], .format = CU_AD_FORMAT_UNSIGNED_INT8, .numChannels = 1, .width = W,
                                               .height = H, .pitchInBytes = 512}};
    must("texture", CU("cuTexObjectCreate", tcuTexObjectCreate)(&texture, &what, &how, NULL));
    struct {
        CUtexObject source[4];
        CUdeviceptr to[4];
        int width, height, pitch, left, top, source_width, source_height;
        float param;
        int limited;
        CUdeviceptr weights, offsets;
        int taps;
    } scale = {.source = {texture}, .to = {more[1]}, .width = 32, .height = 16, .pitch = 512, .source_width = W, .source_height = H};
    void *parameters[] = {&scale};
    tcuLaunchKernel *launch = CU("cuLaunchKernel", tcuLaunchKernel);
    must("kernel", launch(f, 1, 1, 1, 32, 16, 1, 0, NULL, parameters, NULL));
    must("free", release(more[0]));
    printf("kernel %d\n", launch(f, 1, 1, 1, 32, 16, 1, 0, NULL, parameters, NULL));
    printf("then memory %d\n", CU("cuMemAlloc_v2", tcuMemAlloc_v2)(&more[0], SIZE));
    printf("then a stream %d\n", CU("cuStreamSynchronize", tcuStreamSynchronize)(NULL));
    printf("then NVENC %d\n", api.nvEncMapInputResource(session, &map));
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    start();
    if (!strcmp(way, "change-rate")) {
        change_rate();
    } else if (!strcmp(way, "wrong-calls")) {
        wrong_calls();
    } else if (!strcmp(way, "kernels")) {
        kernels();
    } else if (!strcmp(way, "touch")) {
        must("memory", CU("cuMemAlloc_v2", tcuMemAlloc_v2)(&memory, 4096));
        puts("touching");
        fflush(stdout);
        printf("read %d\n", *(volatile char *)memory);
    } else if (!strcmp(way, "freed")) {
        freed();
    } else if (!strcmp(way, "free-twice")) {
        must("memory", CU("cuMemAlloc_v2", tcuMemAlloc_v2)(&memory, 4096));
        must("free", CU("cuMemFree_v2", tcuMemFree_v2)(memory));
        printf("again %d\n", CU("cuMemFree_v2", tcuMemFree_v2)(memory));
    } else {
        puts("there is no such way");
        return 1;
    }
    return 0;
}
