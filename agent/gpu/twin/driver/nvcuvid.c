// libnvcuvid.so.1: the twin does not decode. FFmpeg's loader stops at a
// missing name, so each is there and says NOT_SUPPORTED, as a card would for
// a codec that it does not know.
#include <ffnvcodec/dynlink_cuda.h>

#define NOT_SUPPORTED ((CUresult)801)

// Called with arguments that nobody looks at.
#define REFUSED(name)                                                     \
    __attribute__((visibility("default"))) CUresult name(void);           \
    CUresult name(void) { return NOT_SUPPORTED; }

REFUSED(cuvidGetDecoderCaps)
REFUSED(cuvidCreateDecoder)
REFUSED(cuvidDestroyDecoder)
REFUSED(cuvidDecodePicture)
REFUSED(cuvidGetDecodeStatus)
REFUSED(cuvidReconfigureDecoder)
REFUSED(cuvidMapVideoFrame)
REFUSED(cuvidUnmapVideoFrame)
REFUSED(cuvidMapVideoFrame64)
REFUSED(cuvidUnmapVideoFrame64)
REFUSED(cuvidCtxLockCreate)
REFUSED(cuvidCtxLockDestroy)
REFUSED(cuvidCtxLock)
REFUSED(cuvidCtxUnlock)
REFUSED(cuvidCreateVideoSource)
REFUSED(cuvidCreateVideoSourceW)
REFUSED(cuvidDestroyVideoSource)
REFUSED(cuvidSetVideoSourceState)
REFUSED(cuvidGetVideoSourceState)
REFUSED(cuvidGetSourceVideoFormat)
REFUSED(cuvidGetSourceAudioFormat)
REFUSED(cuvidCreateVideoParser)
REFUSED(cuvidParseVideoData)
REFUSED(cuvidDestroyVideoParser)
