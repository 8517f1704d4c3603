package libav

// What go-astiav has no accessor for, about GPUs, and what libavcodec does not
// tell: the driver's own answers. Only names that FFmpeg's loader wants too are
// called.

/*
#cgo pkg-config: libavcodec libavutil
#define FFNV_LOG_FUNC(...)
#define FFNV_DEBUG_LOG_FUNC(...)
#include <ffnvcodec/dynlink_loader.h>
#include <libavutil/frame.h>
#include <libavutil/hwcontext.h>
#include <libavutil/hwcontext_cuda.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

// gala_driver_missing: there is no driver, or it lacks what is called here.
enum { gala_driver_missing = -1 };

static int gala_copy_props(AVFrame *to, const AVFrame *from) { return av_frame_copy_props(to, from); }

static void *gala_pool(const AVFrame *f) { return f->hw_frames_ctx ? f->hw_frames_ctx->data : NULL; }

static int gala_sw_format(const AVFrame *f) {
	return f->hw_frames_ctx ? ((AVHWFramesContext *)f->hw_frames_ctx->data)->sw_format : f->format;
}

static CUcontext gala_context(const AVBufferRef *device) {
	return ((AVCUDADeviceContext *)((AVHWDeviceContext *)device->data)->hwctx)->cuda_ctx;
}

// gala_gpus asks for the number of GPUs, and for the name of the first.
static int gala_gpus(int *n, char *name, int room) {
	CudaFunctions *cu = NULL;
	if (cuda_load_functions(&cu, NULL))
		return gala_driver_missing;
	CUdevice device;
	CUresult r = cu->cuInit(0);
	if (!r)
		r = cu->cuDeviceGetCount(n);
	if (!r && *n && !(r = cu->cuDeviceGet(&device, 0)))
		r = cu->cuDeviceGetName(name, room, device);
	cuda_free_functions(&cu);
	return r;
}

static void gala_cuda_name(int error, char *name, size_t room) {
	CudaFunctions *cu = NULL;
	const char *s = NULL;
	*name = 0;
	if (cuda_load_functions(&cu, NULL))
		return;
	if (!cu->cuGetErrorName(error, &s) && s)
		snprintf(name, room, "%s", s);
	cuda_free_functions(&cu);
}

// gala_try_context makes a context on the first GPU and ends it again.
static int gala_try_context(void) {
	CudaFunctions *cu = NULL;
	CUdevice device;
	CUcontext context;
	if (cuda_load_functions(&cu, NULL))
		return gala_driver_missing;
	CUresult r = cu->cuInit(0);
	if (!r && !(r = cu->cuDeviceGet(&device, 0)) && !(r = cu->cuCtxCreate(&context, 0, device)))
		r = cu->cuCtxDestroy(context);
	cuda_free_functions(&cu);
	return r;
}

// gala_try waits for the device's work, and takes bytes of its memory for a moment
// where it is asked to: what CUDA says of either.
static int gala_try(const AVBufferRef *device, size_t bytes) {
	CudaFunctions *cu = NULL;
	CUcontext old;
	CUdeviceptr p;
	if (cuda_load_functions(&cu, NULL))
		return gala_driver_missing;
	CUresult r = cu->cuCtxPushCurrent(gala_context(device));
	if (!r) {
		r = cu->cuStreamSynchronize(NULL);
		if (!r && bytes && !(r = cu->cuMemAlloc(&p, bytes)))
			r = cu->cuMemFree(p);
		cu->cuCtxPopCurrent(&old);
	}
	cuda_free_functions(&cu);
	return r;
}

struct gala_card { int encodes, b_frames, b_reference, temporal_aq, lookahead, ten_bit, least_width, least_height, width, height, engines; };

static int gala_cap(const NV_ENCODE_API_FUNCTION_LIST *api, void *session, GUID codec, NV_ENC_CAPS cap) {
	NV_ENC_CAPS_PARAM p = { .version = NV_ENC_CAPS_PARAM_VER, .capsToQuery = cap };
	int v = 0;
	return api->nvEncGetEncodeCaps(session, codec, &p, &v) == NV_ENC_SUCCESS ? v : 0;
}

static int gala_encodes(const NV_ENCODE_API_FUNCTION_LIST *api, void *session, GUID codec) {
	GUID all[16];
	uint32_t n = 0;
	if (api->nvEncGetEncodeGUIDs(session, all, 16, &n) != NV_ENC_SUCCESS)
		return 0;
	for (uint32_t i = 0; i < n && i < 16; i++)
		if (!memcmp(&all[i], &codec, sizeof codec))
			return 1;
	return 0;
}

static void gala_ask(const NV_ENCODE_API_FUNCTION_LIST *api, void *session, GUID codec, struct gala_card *c) {
	if (!(c->encodes = gala_encodes(api, session, codec)))
		return;
	c->b_frames = gala_cap(api, session, codec, NV_ENC_CAPS_NUM_MAX_BFRAMES);
	c->b_reference = !!(gala_cap(api, session, codec, NV_ENC_CAPS_SUPPORT_BFRAME_REF_MODE) & 2);
	c->temporal_aq = gala_cap(api, session, codec, NV_ENC_CAPS_SUPPORT_TEMPORAL_AQ);
	c->lookahead = gala_cap(api, session, codec, NV_ENC_CAPS_SUPPORT_LOOKAHEAD);
	c->ten_bit = gala_cap(api, session, codec, NV_ENC_CAPS_SUPPORT_10BIT_ENCODE);
	c->least_width = gala_cap(api, session, codec, NV_ENC_CAPS_WIDTH_MIN);
	c->least_height = gala_cap(api, session, codec, NV_ENC_CAPS_HEIGHT_MIN);
	c->width = gala_cap(api, session, codec, NV_ENC_CAPS_WIDTH_MAX);
	c->height = gala_cap(api, session, codec, NV_ENC_CAPS_HEIGHT_MAX);
	c->engines = gala_cap(api, session, codec, NV_ENC_CAPS_NUM_ENCODER_ENGINES);
}

// gala_session opens an encoder session and ends it again: NVENC's own status.
// codec is 0 for H.264, 1 for HEVC, 2 for AV1; c may be NULL.
static int gala_session(const AVBufferRef *device, int codec, struct gala_card *c) {
	const GUID codecs[] = { NV_ENC_CODEC_H264_GUID, NV_ENC_CODEC_HEVC_GUID, NV_ENC_CODEC_AV1_GUID };
	NvencFunctions *nv = NULL;
	NV_ENCODE_API_FUNCTION_LIST api = { .version = NV_ENCODE_API_FUNCTION_LIST_VER };
	NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS p = {
		.version = NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER, .apiVersion = NVENCAPI_VERSION,
		.deviceType = NV_ENC_DEVICE_TYPE_CUDA, .device = gala_context(device),
	};
	uint32_t most = 0;
	void *session = NULL;
	if (nvenc_load_functions(&nv, NULL))
		return gala_driver_missing;
	NVENCSTATUS s = nv->NvEncodeAPIGetMaxSupportedVersion(&most);
	if (!s && most < (NVENCAPI_MAJOR_VERSION << 4 | NVENCAPI_MINOR_VERSION))
		s = NV_ENC_ERR_INVALID_VERSION;
	if (!s)
		s = nv->NvEncodeAPICreateInstance(&api);
	if (!s && !(s = api.nvEncOpenEncodeSessionEx(&p, &session))) {
		if (c)
			gala_ask(&api, session, codecs[codec], c);
		api.nvEncDestroyEncoder(session);
	}
	nvenc_free_functions(&nv);
	return s;
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media/encoders"
)

// driverMissing is what the calls below return besides the driver's own codes.
const driverMissing = C.gala_driver_missing

// Codes of CUDA and NVENC that decide something here.
const (
	cudaOutOfMemory      = 2
	cudaNoDevice         = 100
	cudaIllegalAddress   = 700
	cudaLaunchFailed     = 719
	nvencUnsupported     = C.NV_ENC_ERR_UNSUPPORTED_DEVICE
	nvencOutOfMemory     = C.NV_ENC_ERR_OUT_OF_MEMORY
	nvencOldDriver       = C.NV_ENC_ERR_INVALID_VERSION
	nvencIncompatibleKey = C.NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY
	nvencUnimplemented   = C.NV_ENC_ERR_UNIMPLEMENTED
	nvencAPIMajor        = C.NVENCAPI_MAJOR_VERSION
	nvencAPIMinor        = C.NVENCAPI_MINOR_VERSION
)

// A HardwareDeviceContext is a struct around the one pointer.
func cDevice(d *astiav.HardwareDeviceContext) *C.AVBufferRef {
	return *(**C.AVBufferRef)(unsafe.Pointer(d))
}

// visibleGPU is the name of the first GPU that this process sees, "" with none, and CUDA's
// code.
func visibleGPU() (name string, code int) {
	var n C.int
	var text [256]C.char
	code = int(C.gala_gpus(&n, &text[0], C.int(len(text))))
	return C.GoString(&text[0]), code
}

// cudaError is CUDA's own word for one of its codes.
func cudaError(code int) string {
	var text [128]C.char
	C.gala_cuda_name(C.int(code), &text[0], C.size_t(len(text)))
	if text[0] == 0 {
		return fmt.Sprintf("CUDA error %d", code)
	}
	return fmt.Sprintf("%s (%d)", C.GoString(&text[0]), code)
}

// tryContext makes a context on the first GPU that this process sees and ends it
// again; the code is CUDA's.
func tryContext() int { return int(C.gala_try_context()) }

// tryDevice waits for a device's work and takes some of its memory for a moment;
// the code is CUDA's.
func tryDevice(d *astiav.HardwareDeviceContext, bytes int64) int {
	return int(C.gala_try(cDevice(d), C.size_t(bytes)))
}

// trySession opens an encoder session and ends it again; the status is NVENC's.
func trySession(d *astiav.HardwareDeviceContext) int {
	return int(C.gala_session(cDevice(d), 0, nil))
}

// askCard is what a device's encoder can do for a codec; the status is NVENC's.
func askCard(d *astiav.HardwareDeviceContext, codec string) (encoders.Card, int) {
	var c C.struct_gala_card
	status := C.gala_session(cDevice(d), C.int(map[string]int{"h264": 0, "hevc": 1, "av1": 2}[codec]), &c)
	return encoders.Card{
		Encodes: c.encodes != 0, BFrames: int(c.b_frames), BReference: c.b_reference != 0, TemporalAQ: c.temporal_aq != 0, Lookahead: c.lookahead != 0,
		TenBit: c.ten_bit != 0, LeastWidth: int(c.least_width), LeastHeight: int(c.least_height), Width: int(c.width), Height: int(c.height), Engines: int(c.engines),
	}, int(status)
}

// copyProps gives a picture all that another says beside its samples.
func copyProps(to, from *astiav.Frame) error {
	if rc := C.gala_copy_props(cFrame(to), cFrame(from)); rc < 0 {
		return astiav.Error(rc)
	}
	return nil
}

// poolOf tells the pictures of one pool in a device's memory from others; 0 for
// those in the host's.
func poolOf(f *astiav.Frame) uintptr { return uintptr(C.gala_pool(cFrame(f))) }

// samplesOf is the pixel format of a picture's samples, wherever they are.
func samplesOf(f *astiav.Frame) astiav.PixelFormat {
	return astiav.PixelFormat(C.gala_sw_format(cFrame(f)))
}
