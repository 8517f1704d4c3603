//go:build cgo && linux

package gpu

import (
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// gauge is one call that is made of every GPU once a second. None lists
// processes or measures PCIe: those take milliseconds, during which nobody
// else is served by the driver, encoders included.
type gauge struct {
	// symbol must be in the library; another is tried before it is missed.
	symbol, instead string
	what            string
	read            func(nvml.Device, *Reading) nvml.Return
	readInstead     func(nvml.Device, *Reading) nvml.Return
}

// present are the gauges that a library can read, and what it lacks.
func present(has func(string) bool) (there []gauge, missing []string) {
	for _, g := range gauges {
		switch {
		case has(g.symbol):
			there = append(there, g)
		case g.instead != "" && has(g.instead):
			there = append(there, gauge{symbol: g.instead, what: g.what, read: g.readInstead})
		default:
			missing = append(missing, g.what+" ("+g.symbol+")")
		}
	}
	return there, missing
}

var gauges = []gauge{
	{symbol: "nvmlDeviceGetUtilizationRates", what: "use of SMs and memory", read: func(d nvml.Device, r *Reading) nvml.Return {
		u, ret := d.GetUtilizationRates()
		return r.take(ret, value{SMUse, uint64(u.Gpu)}, value{MemoryUse, uint64(u.Memory)})
	}},
	{symbol: "nvmlDeviceGetEncoderUtilization", what: "use of encoders", read: func(d nvml.Device, r *Reading) nvml.Return {
		u, _, ret := d.GetEncoderUtilization()
		return r.take(ret, value{EncoderUse, uint64(u)})
	}},
	{symbol: "nvmlDeviceGetDecoderUtilization", what: "use of decoders", read: func(d nvml.Device, r *Reading) nvml.Return {
		u, _, ret := d.GetDecoderUtilization()
		return r.take(ret, value{DecoderUse, uint64(u)})
	}},
	{symbol: "nvmlDeviceGetJpgUtilization", what: "use of JPEG engines", read: func(d nvml.Device, r *Reading) nvml.Return {
		u, _, ret := d.GetJpgUtilization()
		return r.take(ret, value{JPEGUse, uint64(u)})
	}},
	{symbol: "nvmlDeviceGetOfaUtilization", what: "use of optical flow engines", read: func(d nvml.Device, r *Reading) nvml.Return {
		u, _, ret := d.GetOfaUtilization()
		return r.take(ret, value{OpticalFlowUse, uint64(u)})
	}},
	{symbol: "nvmlDeviceGetMemoryInfo_v2", what: "memory", read: func(d nvml.Device, r *Reading) nvml.Return {
		m, ret := d.GetMemoryInfo_v2()
		return r.take(ret, value{MemoryTotal, m.Total}, value{MemoryUsed, m.Used}, value{MemoryFree, m.Free}, value{MemoryReserved, m.Reserved})
	}, instead: "nvmlDeviceGetMemoryInfo", readInstead: func(d nvml.Device, r *Reading) nvml.Return {
		m, ret := d.GetMemoryInfo()
		return r.take(ret, value{MemoryTotal, m.Total}, value{MemoryUsed, m.Used}, value{MemoryFree, m.Free})
	}},
	{symbol: "nvmlDeviceGetPowerUsage", what: "power", read: func(d nvml.Device, r *Reading) nvml.Return {
		mw, ret := d.GetPowerUsage()
		return r.take(ret, value{Power, uint64(mw)})
	}},
	{symbol: "nvmlDeviceGetEnforcedPowerLimit", what: "power limit", read: func(d nvml.Device, r *Reading) nvml.Return {
		mw, ret := d.GetEnforcedPowerLimit()
		return r.take(ret, value{PowerLimit, uint64(mw)})
	}},
	{symbol: "nvmlDeviceGetTotalEnergyConsumption", what: "energy", read: func(d nvml.Device, r *Reading) nvml.Return {
		mj, ret := d.GetTotalEnergyConsumption()
		return r.take(ret, value{Energy, mj})
	}},
	{symbol: "nvmlDeviceGetTemperature", what: "temperature", read: func(d nvml.Device, r *Reading) nvml.Return {
		c, ret := d.GetTemperature(nvml.TEMPERATURE_GPU)
		return r.take(ret, value{Temperature, uint64(c)})
	}},
	{symbol: "nvmlDeviceGetClockInfo", what: "clocks", read: func(d nvml.Device, r *Reading) nvml.Return {
		sm, ret := d.GetClockInfo(nvml.CLOCK_SM)
		if r.take(ret, value{SMClock, uint64(sm)}) != nvml.SUCCESS {
			return ret
		}
		mem, ret := d.GetClockInfo(nvml.CLOCK_MEM)
		r.take(ret, value{MemoryClock, uint64(mem)})
		video, ret := d.GetClockInfo(nvml.CLOCK_VIDEO)
		return r.take(ret, value{VideoClock, uint64(video)})
	}},
	{symbol: "nvmlDeviceGetCurrentClocksEventReasons", what: "throttle reasons", read: func(d nvml.Device, r *Reading) nvml.Return {
		bits, ret := d.GetCurrentClocksEventReasons()
		return r.take(ret, value{Throttle, bits})
	}, instead: "nvmlDeviceGetCurrentClocksThrottleReasons", readInstead: func(d nvml.Device, r *Reading) nvml.Return {
		bits, ret := d.GetCurrentClocksThrottleReasons()
		return r.take(ret, value{Throttle, bits})
	}},
	{symbol: "nvmlDeviceGetTotalEccErrors", what: "memory errors", read: func(d nvml.Device, r *Reading) nvml.Return {
		n, ret := d.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.VOLATILE_ECC)
		if r.take(ret, value{ECCCorrected, n}) != nvml.SUCCESS {
			return ret
		}
		n, ret = d.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.VOLATILE_ECC)
		return r.take(ret, value{ECCUncorrected, n})
	}},
	{symbol: "nvmlDeviceGetEncoderStats", what: "number of encode sessions", read: func(d nvml.Device, r *Reading) nvml.Return {
		n, fps, us, ret := d.GetEncoderStats()
		return r.take(ret, value{EncodeSessions, uint64(n)}, value{EncodeFPS, uint64(fps)}, value{EncodeLatency, uint64(us)})
	}},
	{symbol: "nvmlDeviceGetEncoderSessions", what: "encode sessions", read: sessions},
}

// value of a figure.
type value struct {
	name Figure
	of   uint64
}

// take notes what a call told, unless it failed.
func (r *Reading) take(ret nvml.Return, told ...value) nvml.Return {
	if ret == nvml.SUCCESS {
		for _, v := range told {
			r.set(v.name, v.of)
		}
	}
	return ret
}

var encoderCodecs = map[uint32]string{
	uint32(nvml.ENCODER_QUERY_H264): "h264", uint32(nvml.ENCODER_QUERY_HEVC): "hevc", uint32(nvml.ENCODER_QUERY_AV1): "av1",
}

// sessions are asked for only where there are some.
func sessions(d nvml.Device, r *Reading) (ret nvml.Return) {
	if n, known := r.Get(EncodeSessions); known && n == 0 {
		return nvml.SUCCESS
	}
	// go-nvml takes the first of an empty list where a driver says that none is
	// too many for the room.
	defer func() {
		if recover() != nil {
			ret = nvml.ERROR_NO_DATA
		}
	}()
	all, ret := d.GetEncoderSessions()
	for _, s := range all {
		r.Sessions = append(r.Sessions, Session{
			PID: int(s.Pid), Codec: encoderCodecs[s.CodecType], Width: int(s.HResolution), Height: int(s.VResolution),
			FPS: int(s.AverageFps), Latency: time.Duration(s.AverageLatency) * time.Microsecond,
		})
	}
	return ret
}
