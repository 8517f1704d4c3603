package agent

import (
	"fmt"
	"math"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/agent/supervisor"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var deviceStates = map[gpu.State]galav1.DeviceState{
	gpu.Well: galav1.DeviceState_DEVICE_STATE_WELL, gpu.Stale: galav1.DeviceState_DEVICE_STATE_STALE,
	gpu.Lost: galav1.DeviceState_DEVICE_STATE_LOST,
}

// deviceFigures are the GPUs as they go over the wire, their sessions with the
// names of whoever runs here.
func deviceFigures(s gpu.Snapshot, running []supervisor.Running) (all []*galav1.DeviceFigures) {
	for i := range s.Devices {
		d := &s.Devices[i]
		m := &galav1.DeviceFigures{
			Id: d.UUID, Model: d.Model, Index: uint32(d.Index), Bus: d.Bus,
			State: deviceStates[d.State], Trouble: d.Trouble, XidCounts: d.XidCounts, ReadUs: uint32(d.Took.Microseconds()),
		}
		m.AgeMs = uint32(min(max(0, d.Age.Milliseconds()), math.MaxUint32))
		fill(m, &d.Figures)
		for _, session := range d.Sessions {
			m.Sessions = append(m.Sessions, encodeSession(session, running))
		}
		for _, x := range d.Xids {
			m.Xids = append(m.Xids, &galav1.Xid{Code: x.Code, At: timestamppb.New(x.At), Meaning: x.Words()})
		}
		all = append(all, m)
	}
	return all
}

func fill(m *galav1.DeviceFigures, f *gpu.Figures) {
	for name, to := range map[gpu.Figure]**uint32{
		gpu.SMUse: &m.SmPercent, gpu.MemoryUse: &m.MemoryPercent, gpu.EncoderUse: &m.EncoderPercent,
		gpu.DecoderUse: &m.DecoderPercent, gpu.JPEGUse: &m.JpegPercent, gpu.OpticalFlowUse: &m.OpticalFlowPercent,
		gpu.Power: &m.PowerMw, gpu.PowerLimit: &m.PowerLimitMw, gpu.Temperature: &m.TemperatureCelsius,
		gpu.SMClock: &m.SmClockMhz, gpu.MemoryClock: &m.MemoryClockMhz, gpu.VideoClock: &m.VideoClockMhz,
		gpu.EncodeSessions: &m.EncodeSessions, gpu.EncodeFPS: &m.EncodeFps, gpu.EncodeLatency: &m.EncodeLatencyUs,
	} {
		if v, known := f.Get(name); known {
			small := uint32(v)
			*to = &small
		}
	}
	for name, to := range map[gpu.Figure]**uint64{
		gpu.MemoryTotal: &m.MemoryTotalBytes, gpu.MemoryUsed: &m.MemoryUsedBytes, gpu.MemoryFree: &m.MemoryFreeBytes,
		gpu.MemoryReserved: &m.MemoryReservedBytes, gpu.Energy: &m.EnergyMj, gpu.Throttle: &m.ThrottleBits,
		gpu.ECCCorrected: &m.EccCorrected, gpu.ECCUncorrected: &m.EccUncorrected,
	} {
		if v, known := f.Get(name); known {
			*to = &v
		}
	}
	m.Throttled = f.Throttled()
}

// encodeSession names the worker by its process id: drivers count processes in
// the host's namespace, so an agent in a container of its own finds none.
func encodeSession(s gpu.Session, running []supervisor.Running) *galav1.EncodeSession {
	m := &galav1.EncodeSession{
		Pid: uint32(s.PID), Codec: s.Codec, Width: uint32(s.Width), Height: uint32(s.Height),
		Fps: uint32(s.FPS), LatencyUs: uint32(s.Latency.Microseconds()),
	}
	for _, r := range running {
		if r.PID == s.PID {
			m.Job, m.Assignment, m.Rendition = r.Spec.GetJob(), r.Spec.GetId(), renditionOf(s, r.Spec)
		}
	}
	return m
}

// hangsAfter is how long a worker that was given up has not died when its GPU's driver
// is taken to hang: a file system that hangs for a while keeps it just the same.
const hangsAfter = 25 * time.Second

// workOf this agent's workers on each GPU.
func workOf(running []supervisor.Running, undying []supervisor.Undying, now time.Time) map[string]work {
	all := map[string]work{}
	for _, r := range running {
		w := all[r.Spec.GetDevice()]
		w.jobs = append(w.jobs, r.Spec.GetJob())
		for _, rendition := range r.Spec.GetRenditions() {
			if rendition.GetVideo() != nil {
				w.sessions++
			}
		}
		for _, p := range r.Status.GetRenditions() {
			w.frames += p.GetFrames()
		}
		all[r.Spec.GetDevice()] = w
	}
	for _, u := range undying {
		w := all[u.Device]
		if w.undying == "" && now.Sub(u.Since) >= hangsAfter {
			w.undying = fmt.Sprintf("%s since %s: look for XID lines in the kernel's log, and reboot this host", u, u.Since.UTC().Format("2006-01-02 15:04 UTC"))
		}
		all[u.Device] = w
	}
	return all
}

// renditionOf a session is the only one that has its codec and size. Of two
// that do nothing is said: a driver tells neither bit rate nor preset.
func renditionOf(s gpu.Session, a *galav1.Assignment) (name string) {
	for _, r := range a.GetRenditions() {
		v := r.GetVideo()
		if v.GetCodec() != s.Codec || int(v.GetWidth()) != s.Width || int(v.GetHeight()) != s.Height {
			continue
		}
		if name != "" {
			return ""
		}
		name = r.GetName()
	}
	return name
}
