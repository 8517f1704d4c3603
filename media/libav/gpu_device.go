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
	case code != 0:
		return nil, noGPU("CUDA gives " + cudaError(code))
	}
	hw, err := astiav.CreateHardwareDeviceContext(astiav.HardwareDeviceTypeCUDA, "0", nil, 0)
	if err != nil {
		e := noGPU(model + " gives no CUDA context; the worker's log has CUDA's own words")
		e.Err = err
		return nil, e
	}
	return &gpu{hw: hw, model: model, cards: map[string]encoders.Card{}}, nil
}

func noGPU(why string) *media.Error {
	return &media.Error{Code: media.DeviceLost, Retryable: true, Message: "open the worker's GPU: " + why,
		Advice: "`gala doctor` on that host shows its driver; in a container, see that the GPU is still given to it; the job may run elsewhere meanwhile"}
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
			return g.outOfMemory()
		}
		return g.sessionLimit()
	case nvencUnsupported, nvencUnimplemented:
		return &media.Error{Code: media.EncoderError, Retryable: true, Message: fmt.Sprintf("%s has no encoder for this process (NVENC %d)", g.model, status),
			Advice: "A100, H100 and H200 have none at all; in a container the GPU must be given with the capability `video`"}
	case nvencOldDriver, driverMissing:
		return &media.Error{Code: media.EncoderError, Retryable: true, Message: fmt.Sprintf("the NVIDIA driver is too old for NVENC %d.%d, or its libnvidia-encode.so.1 is not there", nvencAPIMajor, nvencAPIMinor),
			Advice: "install driver 530.41.03 or newer, with its encoder library"}
	}
	return &media.Error{Code: media.EncoderError, Retryable: true, Message: fmt.Sprintf("%s gives no encoder session: NVENC %d", g.model, status), Advice: "the worker's log has the driver's own words"}
}

func (g *gpu) sessionLimit() *media.Error {
	return &media.Error{Code: media.SessionLimit, Retryable: true, Message: g.model + " has as many encoder sessions as its driver allows",
		Advice: "consumer cards share one limit per host, 8 or 12 as the driver is, with every program on it: `gala fleet show HOST` lists the sessions; end some, or use cards without a limit"}
}

func (g *gpu) outOfMemory() *media.Error {
	return &media.Error{Code: media.OutOfMemory, Retryable: true, Message: g.model + " has no memory left",
		Advice: "`gala fleet show HOST` tells who uses it; fewer renditions on this GPU, or smaller sources, need less"}
}

// lost is the error of a device that does not work any more, nil of one that does.
func (g *gpu) lost() *media.Error {
	code := tryDevice(g.hw, 0)
	if code == 0 || code == cudaOutOfMemory {
		return nil
	}
	why := "the driver is gone"
	if code != driverMissing {
		why = "CUDA gives " + cudaError(code)
	}
	return &media.Error{Code: media.DeviceLost, Retryable: true, Message: g.model + " is lost: " + why,
		Advice: "the kernel's log (XID) says why; reset the GPU or its host once drained, the job goes on elsewhere"}
}

// why says what the device's part in a failure was: lost, out of memory or of
// sessions; nil when it was none of these.
func (g *gpu) why(err error, opening bool) *media.Error {
	if e := g.lost(); e != nil {
		return e
	}
	// What FFmpeg's filters lack of the device's memory has no number of its own.
	full := errors.Is(err, averror(syscall.ENOMEM)) || tryDevice(g.hw, spareMemory) == cudaOutOfMemory
	if opening && (full || errors.Is(err, averror(syscall.EINVAL))) {
		switch status := trySession(g.hw); status {
		case nvencOutOfMemory, nvencIncompatibleKey:
			return g.sessionError(status)
		}
	}
	if full {
		return g.outOfMemory()
	}
	return nil
}

// averror is libav's form of an error of the system.
func averror(e syscall.Errno) astiav.Error { return astiav.Error(-int(e)) }
