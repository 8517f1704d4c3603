package metrics

import (
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/prometheus/client_golang/prometheus"
)

// series is one metric: its samples differ in the values of its labels.
type series struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func (s series) send(out chan<- prometheus.Metric, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(s.desc, s.kind, value, labels...)
}

func gauge(name, help string, labels ...string) series {
	return series{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) series {
	return series{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue}
}

// dcgmLabels are those of DCGM's exporter.
var dcgmLabels = []string{"gpu", "UUID", "pci_bus_id", "device", "modelName", "Hostname", "DCGM_FI_DRIVER_VERSION"}

// figure is a series of which a GPU has a value or not.
type figure struct {
	series
	of func(*galav1.DeviceFigures) (float64, bool)
}

// in divides into the unit that DCGM has.
func in[T uint32 | uint64](unit float64, value func(*galav1.DeviceFigures) *T) func(*galav1.DeviceFigures) (float64, bool) {
	return func(d *galav1.DeviceFigures) (float64, bool) {
		v := value(d)
		if v == nil {
			return 0, false
		}
		return float64(*v) / unit, true
	}
}

const mebibyte = 1 << 20

type device = galav1.DeviceFigures

var dcgm = []figure{
	{gauge("DCGM_FI_DEV_SM_CLOCK", "Clock of the SMs, MHz.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.SmClockMhz })},
	{gauge("DCGM_FI_DEV_MEM_CLOCK", "Clock of the memory, MHz.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.MemoryClockMhz })},
	{gauge("DCGM_FI_DEV_VIDEO_CLOCK", "Clock of encoders and decoders, MHz.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.VideoClockMhz })},
	{gauge("DCGM_FI_DEV_GPU_TEMP", "Temperature, degrees Celsius.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.TemperatureCelsius })},
	{gauge("DCGM_FI_DEV_POWER_USAGE", "Power of the board, watts.", dcgmLabels...), in(1000, func(d *device) *uint32 { return d.PowerMw })},
	{gauge("DCGM_FI_DEV_ENFORCED_POWER_LIMIT", "Power limit that holds now, watts.", dcgmLabels...), in(1000, func(d *device) *uint32 { return d.PowerLimitMw })},
	{counter("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "Energy since the driver was loaded, millijoules.", dcgmLabels...), in(1, func(d *device) *uint64 { return d.EnergyMj })},
	{gauge("DCGM_FI_DEV_GPU_UTIL", "Time in which a kernel ran, percent.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.SmPercent })},
	{gauge("DCGM_FI_DEV_MEM_COPY_UTIL", "Time in which memory was read or written, percent.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.MemoryPercent })},
	{gauge("DCGM_FI_DEV_ENC_UTIL", "Use of the encoders, percent.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.EncoderPercent })},
	{gauge("DCGM_FI_DEV_DEC_UTIL", "Use of the decoders, percent.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.DecoderPercent })},
	{gauge("DCGM_FI_DEV_FB_TOTAL", "Memory, MiB.", dcgmLabels...), in(mebibyte, func(d *device) *uint64 { return d.MemoryTotalBytes })},
	{gauge("DCGM_FI_DEV_FB_FREE", "Memory that is free, MiB.", dcgmLabels...), in(mebibyte, func(d *device) *uint64 { return d.MemoryFreeBytes })},
	{gauge("DCGM_FI_DEV_FB_USED", "Memory that is used, MiB.", dcgmLabels...), in(mebibyte, func(d *device) *uint64 { return d.MemoryUsedBytes })},
	{gauge("DCGM_FI_DEV_FB_RESERVED", "Memory that the driver keeps for itself, MiB.", dcgmLabels...), in(mebibyte, func(d *device) *uint64 { return d.MemoryReservedBytes })},
	{gauge("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "What sets the clocks, a set of bits.", dcgmLabels...), in(1, func(d *device) *uint64 { return d.ThrottleBits })},
	{counter("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "Memory errors that were corrected, since the driver was loaded.", dcgmLabels...), in(1, func(d *device) *uint64 { return d.EccCorrected })},
	{counter("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "Memory errors that were not corrected, since the driver was loaded.", dcgmLabels...), in(1, func(d *device) *uint64 { return d.EccUncorrected })},
	{gauge("gala_gpu_jpeg_percent", "Use of the JPEG engines.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.JpegPercent })},
	{gauge("gala_gpu_optical_flow_percent", "Use of the optical flow engine.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.OpticalFlowPercent })},
	{gauge("gala_gpu_encode_sessions", "Open sessions of the encoder, of all processes.", dcgmLabels...), in(1, func(d *device) *uint32 { return d.EncodeSessions })},
}

var (
	xidErrors = gauge("DCGM_FI_DEV_XID_ERRORS", "Code of the newest XID error, 0 for none since the agent started.", dcgmLabels...)

	up        = gauge("gala_gpu_up", "1 while the driver gives figures of the GPU, 0 when it is lost or does not answer.", "UUID", "modelName")
	age       = gauge("gala_gpu_figures_age_seconds", "How old the figures of the GPU are.", "UUID", "modelName")
	readTime  = gauge("gala_gpu_read_seconds", "How long the newest reading of the GPU took, once a second.", "UUID", "modelName")
	xidCount  = counter("gala_gpu_xid_errors_total", "XID errors since the agent started.", "UUID", "modelName", "xid")
	throttled = gauge("gala_gpu_throttled", "1 for each reason that holds the clocks down.", "UUID", "modelName", "reason")

	sessionLabels  = []string{"UUID", "modelName", "session", "pid", "codec", "width", "height", "job", "assignment", "rendition"}
	sessionFPS     = gauge("gala_encode_session_fps", "Frames per second of a session of the encoder, as the driver counts them.", sessionLabels...)
	sessionLatency = gauge("gala_encode_session_latency_seconds", "Average time from a frame to its packet, as the driver counts it.", sessionLabels...)

	hostLoad        = gauge("gala_host_cpu_load_ratio", "Share of all cores that was busy in the last second.")
	hostMemoryUsed  = gauge("gala_host_memory_used_bytes", "Memory that cannot be had back.")
	hostMemoryTotal = gauge("gala_host_memory_total_bytes", "Memory of the host.")

	workerLabels = []string{"job", "assignment", "device"}
	workerCPU    = counter("gala_worker_cpu_seconds_total", "Processor time of a worker.", workerLabels...)
	workerMemory = gauge("gala_worker_resident_memory_bytes", "Memory of a worker.", workerLabels...)
)

// rendition is a series of which every running rendition has a value.
type rendition struct {
	series
	of func(*galav1.RenditionProgress) float64
}

var renditionLabels = []string{"job", "assignment", "rendition"}

type progress = galav1.RenditionProgress

var renditions = []rendition{
	{counter("gala_rendition_frames_total", "Frames that its worker encoded.", renditionLabels...), func(p *progress) float64 { return float64(p.GetFrames()) }},
	{gauge("gala_rendition_fps", "Frames encoded per second.", renditionLabels...), func(p *progress) float64 { return p.GetFps() }},
	{gauge("gala_rendition_speed", "Media time per time; 1 is real time.", renditionLabels...), func(p *progress) float64 { return p.GetSpeed() }},
	{gauge("gala_rendition_bitrate_bits_per_second", "Bit rate, measured.", renditionLabels...), func(p *progress) float64 { return float64(p.GetBitrate()) }},
	{counter("gala_rendition_segments_total", "Segments that its worker published.", renditionLabels...), func(p *progress) float64 { return float64(p.GetSegments()) }},
	{counter("gala_rendition_late_segments_total", "Those that came late.", renditionLabels...), func(p *progress) float64 { return float64(p.GetLateSegments()) }},
	{counter("gala_rendition_bytes_total", "Bytes that its worker published.", renditionLabels...), func(p *progress) float64 { return float64(p.GetBytes()) }},
	{gauge("gala_rendition_resting", "1 while it is left out because the machine cannot keep up.", renditionLabels...), func(p *progress) float64 { return number(p.GetResting()) }},
}
