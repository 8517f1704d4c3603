// libcuda.so.1: error texts, and what FFmpeg's loader wants but the twin does
// not have. A missing name would stop the loader, so each is there and says
// NOT_SUPPORTED.
#include "cuda.h"

static const struct {
    CUresult code;
    const char *name, *text;
} errors[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_TIMEOUT, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static int find(CUresult code) {
    int last = (int)(sizeof errors / sizeof *errors) - 1;
    for (int i = 0; i < last; i++)
        if (errors[i].code == code)
            return i;
    return last;
}

EXPORT tcuGetErrorName cuGetErrorName;
CUresult cuGetErrorName(CUresult code, const char **name) {
    *name = errors[find(code)].name;
    return CUDA_SUCCESS;
}

EXPORT tcuGetErrorString cuGetErrorString;
CUresult cuGetErrorString(CUresult code, const char **text) {
    *text = errors[find(code)].text;
    return CUDA_SUCCESS;
}

// Called with arguments that nobody looks at.
#define REFUSED(name)          \
    EXPORT CUresult name(void); \
    CUresult name(void) { return NOT_SUPPORTED; }

REFUSED(cuMemAllocManaged)
REFUSED(cuLinkCreate)
REFUSED(cuLinkAddData)
REFUSED(cuLinkComplete)
REFUSED(cuLinkDestroy)
REFUSED(cuArrayCreate_v2)
REFUSED(cuArray3DCreate_v2)
REFUSED(cuArrayDestroy)
REFUSED(cuDeviceGetLuid)
REFUSED(cuGLGetDevices_v2)
REFUSED(cuGraphicsGLRegisterImage)
REFUSED(cuGraphicsUnregisterResource)
REFUSED(cuGraphicsMapResources)
REFUSED(cuGraphicsUnmapResources)
REFUSED(cuGraphicsSubResourceGetMappedArray)
REFUSED(cuGraphicsResourceGetMappedPointer_v2)
REFUSED(cuImportExternalMemory)
REFUSED(cuDestroyExternalMemory)
REFUSED(cuExternalMemoryGetMappedBuffer)
REFUSED(cuExternalMemoryGetMappedMipmappedArray)
REFUSED(cuMipmappedArrayGetLevel)
REFUSED(cuMipmappedArrayDestroy)
REFUSED(cuImportExternalSemaphore)
REFUSED(cuDestroyExternalSemaphore)
REFUSED(cuSignalExternalSemaphoresAsync)
REFUSED(cuWaitExternalSemaphoresAsync)
REFUSED(cuEGLStreamProducerConnect)
REFUSED(cuEGLStreamProducerDisconnect)
REFUSED(cuEGLStreamConsumerDisconnect)
REFUSED(cuEGLStreamProducerPresentFrame)
REFUSED(cuEGLStreamProducerReturnFrame)
REFUSED(cuD3D11GetDevice)
REFUSED(cuD3D11GetDevices)
REFUSED(cuGraphicsD3D11RegisterResource)
