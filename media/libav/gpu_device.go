package libav

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/encoders"
)

// gpu is the one device of a worker that encodes on it: one CUDA context, which
// the pictures of every rung and their encoder sessions share. Who started the
// worker shows it that device alone (CUDA_VISIBLE_DEVICES), so it is the first.
type gpu struct {
	hw    *astiav.HardwareDeviceContext
	model string
	cards map[string]encoders.Card // by codec, as they were asked for
}

// openGPU opens the device that this process sees. Every error is a *media.Error.
func openGPU() (*gpu, error) {
	model, code := visibleGPU()
	switch {
	case code == driverMissing:
		return nil, noGPU("libcuda.so.1, the NVIDIA driver's library, is not on this host")
	case code == cudaNoDevice, code == 0 && model == "":
		return nil, noGPU("the driver shows this process none")
	case code == cudaOutOfMemory:
		return nil, full("the worker's GPU")
	case code != 0:
		return nil, noGPU("CUDA gives " + cudaError(code))
	}
	hw, err := astiav.CreateHardwareDeviceContext(astiav.HardwareDeviceTypeCUDA, "0", nil, 0)
	if err != nil {
		return nil, noContext(model, err)
	}
	return &gpu{hw: hw, model: model, cards: map[string]encoders.Card{}}, nil
}

func noGPU(why string) *media.Error {
	return &media.Error{Code: media.DeviceLost, Retryable: true, Message: "open the worker's GPU: " + why,
		Advice: "`gala doctor` on that host shows its driver; in a container, see that the GPU is still given to it; the job may run elsewhere meanwhile"}
}

// noContext asks the driver why there is no context, because FFmpeg has one code for
// all that CUDA gives. One that comes a moment later is taken to have lacked memory.
func noContext(model string, err error) *media.Error {
	e := full(model)
	if code := tryContext(); code != 0 && code != cudaOutOfMemory {
		e = noGPU(model + " gives no CUDA context: " + cudaError(code))
	}
	e.Err = err
	return e
}

// card is what the device's encoder can do for a codec. The first question opens
// an encoder session for a moment, before this worker has any other.
func (g *gpu) card(codec string) (encoders.Card, error) {
	if c, ok := g.cards[codec]; ok {
		return c, nil
	}
	c, status := askCard(g.hw, codec)
	if status != 0 {
		return c, g.sessionError(status)
	}
	c.Model = g.model
	g.cards[codec] = c
	return c, nil
}

func (g *gpu) Close() {
	if g != nil {
		g.hw.Free()
	}
}

// spareMemory is what a device has left when it is not its memory that an encoder
// session lacked.
const spareMemory = 64 << 20

// sessionError is NVENC's refusal of a session. Its "out of memory" is, on older
// drivers, how they say that there are as many sessions as the card may have.
func (g *gpu) sessionError(status int) *media.Error {
	if e := g.lost(); e != nil {
		return e
	}
	switch status {
	case nvencIncompatibleKey:
		return g.sessionLimit()
	case nvencOutOfMemory:
		if tryDevice(g.hw, spareMemory) == cudaOutOfMemory {
			return full(g.model)
		}
		return g.sessionLimit()
	case nvencUnsupported, nvencUnimplemented:
		return &media.Error{Code: media.EncoderError, Retryable: true, Message: fmt.Sprintf("%s has no encoder for this process (NVENC %d)", g.model, status),
			Advice: "A100, H100 and H200 have none at all; in a container the GPU must be given with the capability `video`"}
	case nvencOldDriver:
		return &media.Error{Code: media.EncoderError, Retryable: true, Message: fmt.Sprintf("the NVIDIA driver is too old for NVENC %d.%d", nvencAPIMajor, nvencAPIMinor),
			Advice: "install driver 530.41.03 or newer"}
	case driverMissing:
		return &media.Error{Code: media.EncoderError, Retryable: true, Message: "libnvidia-encode.so.1, the NVIDIA driver's encoder library, cannot be loaded",
			Advice: "in a container NVIDIA_DRIVER_CAPABILITIES must have `video` (docs/gpus.md); on a host install the driver's encoder library"}
	}
	return &media.Error{Code: media.EncoderError, Retryable: true, Message: fmt.Sprintf("%s gives no encoder session: NVENC %d", g.model, status), Advice: "the worker's log has the driver's own words"}
}

func (g *gpu) sessionLimit() *media.Error {
	return &media.Error{Code: media.SessionLimit, Retryable: true, Message: g.model + " has as many encoder sessions as its driver allows",
		Advice: "consumer cards share one limit per host, 8 or 12 as the driver is, with every program on it: `gala fleet show HOST` lists the sessions; end some, or use cards without a limit"}
}

// full: another device may have room, or this one later.
func full(model string) *media.Error {
	return &media.Error{Code: media.OutOfMemory, Retryable: true, Message: model + " has no memory left",
		Advice: "`gala fleet show HOST` tells who uses it; fewer renditions on this GPU, or smaller sources, need less"}
}

// lost is the error of a device, or of this process's context on it, that does not
// work any more, nil while both do.
func (g *gpu) lost() *media.Error {
	code := tryDevice(g.hw, 0)
	switch {
	case code == 0, code == cudaOutOfMemory:
		return nil
	case code >= cudaIllegalAddress && code <= cudaLaunchFailed:
		return g.broken(code)
	}
	why := "the driver is gone"
	if code != driverMissing {
		why = "CUDA gives " + cudaError(code)
	}
	return &media.Error{Code: media.DeviceLost, Retryable: true, Message: g.model + " is lost: " + why,
		Advice: "the kernel's log (XID) says why; reset the GPU or its host once drained, the job goes on elsewhere"}
}

// broken: by the driver API's words for its codes from 700 on, a kernel that failed leaves its
// process's context unusable until that ends. The device serves the next one.
func (g *gpu) broken(code int) *media.Error {
	return &media.Error{Code: media.EncoderError, Retryable: true, Message: fmt.Sprintf("%s: work of this process has failed and broken its CUDA context: %s", g.model, cudaError(code)),
		Advice: "the job starts again by itself; if it happens again with this source, report it with the worker's log and the XID lines of the kernel's"}
}

// why says what the device's part in a failure was: lost, a broken context, out of memory
// or of sessions; nil when it was none of these.
func (g *gpu) why(err error, opening bool) *media.Error {
	if e := g.lost(); e != nil {
		return e
	}
	// FFmpeg has one code for all that CUDA gives, and others for what else goes wrong.
	noMemory := errors.Is(err, averror(syscall.ENOMEM)) || errors.Is(err, astiav.ErrExternal) && tryDevice(g.hw, spareMemory) == cudaOutOfMemory
	if opening && (noMemory || errors.Is(err, averror(syscall.EINVAL))) {
		switch status := trySession(g.hw); status {
		case nvencOutOfMemory, nvencIncompatibleKey:
			return g.sessionError(status)
		}
	}
	if noMemory {
		return full(g.model)
	}
	return nil
}

// averror is libav's form of an error of the system.
func averror(e syscall.Errno) astiav.Error { return astiav.Error(-int(e)) }
