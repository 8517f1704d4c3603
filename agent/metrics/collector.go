package metrics

import (
	"strconv"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/prometheus/client_golang/prometheus"
)

// collector turns the newest view into samples.
type collector struct {
	host   string
	newest func() *View
	now    func() time.Time
}

// Describe nothing: which series there are depends on the host's hardware.
func (collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	v := c.newest()
	if v == nil {
		return
	}
	t, late := v.Telemetry, c.now().Sub(v.At)
	hostLoad.send(out, t.GetCpuLoad())
	hostMemoryUsed.send(out, float64(t.GetMemoryUsedBytes()))
	hostMemoryTotal.send(out, float64(t.GetMemoryTotalBytes()))
	for _, d := range t.GetGpus() {
		c.gpu(out, d, t.GetGpuDriver(), late)
	}
	c.workers(out, v)
}

func (c collector) gpu(out chan<- prometheus.Metric, d *galav1.DeviceFigures, driver string, late time.Duration) {
	index := strconv.Itoa(int(d.GetIndex()))
	of := []string{index, d.GetId(), d.GetBus(), "nvidia" + index, d.GetModel(), c.host, driver}
	well := d.GetState() == galav1.DeviceState_DEVICE_STATE_WELL
	if well {
		for _, f := range dcgm {
			if v, known := f.of(d); known {
				f.send(out, v, of...)
			}
		}
		readTime.send(out, float64(d.GetReadUs())/1e6, d.GetId(), d.GetModel())
		for _, reason := range d.GetThrottled() {
			throttled.send(out, 1, d.GetId(), d.GetModel(), reason)
		}
	}
	last := uint64(0)
	if x := d.GetXids(); len(x) > 0 {
		last = x[len(x)-1].GetCode()
	}
	xidErrors.send(out, float64(last), of...)
	for code, n := range d.GetXidCounts() {
		xidCount.send(out, float64(n), d.GetId(), d.GetModel(), strconv.FormatUint(code, 10))
	}
	up.send(out, number(well), d.GetId(), d.GetModel())
	if d.GetState() != galav1.DeviceState_DEVICE_STATE_UNSPECIFIED {
		age.send(out, (late + time.Duration(d.GetAgeMs())*time.Millisecond).Seconds(), d.GetId(), d.GetModel())
	}
	for i, s := range d.GetSessions() {
		labels := []string{d.GetId(), d.GetModel(), strconv.Itoa(i), strconv.Itoa(int(s.GetPid())), s.GetCodec(), strconv.Itoa(int(s.GetWidth())),
			strconv.Itoa(int(s.GetHeight())), s.GetJob(), s.GetAssignment(), s.GetRendition()}
		sessionFPS.send(out, float64(s.GetFps()), labels...)
		sessionLatency.send(out, float64(s.GetLatencyUs())/1e6, labels...)
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func (c collector) workers(out chan<- prometheus.Metric, v *View) {
	usage := map[string]*galav1.WorkerUsage{}
	for _, u := range v.Telemetry.GetWorkers() {
		usage[u.GetAssignment()] = u
	}
	for _, r := range v.Running {
		job, id := r.Spec.GetJob(), r.Spec.GetId()
		if u := usage[id]; u != nil {
			workerCPU.send(out, float64(u.GetCpuUs())/1e6, job, id, r.Spec.GetDevice())
			workerMemory.send(out, float64(u.GetRssBytes()), job, id, r.Spec.GetDevice())
		}
		for _, p := range r.Status.GetRenditions() {
			for _, f := range renditions {
				f.send(out, f.of(p), job, id, p.GetName())
			}
		}
	}
}
