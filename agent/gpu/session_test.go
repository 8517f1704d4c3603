//go:build cgo && linux

package gpu

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/google/go-cmp/cmp"
)

// fakeLib is a library that lacks what its embedded interfaces have: whatever
// else is called - processes, PCIe - ends the test by a nil pointer.
type fakeLib struct {
	nvml.Interface
	nvml.ExtendedInterface
	lacks   []string
	init    nvml.Return
	devices []*fakeDevice
	set     *fakeSet
	users   int
}

func (l *fakeLib) Extensions() nvml.ExtendedInterface { return l }

func (l *fakeLib) LookupSymbol(name string) error {
	if slices.Contains(l.lacks, name) {
		return errors.New("undefined symbol: " + name)
	}
	return nil
}

func (l *fakeLib) Init() nvml.Return {
	if l.init == nvml.SUCCESS {
		l.users++
	}
	return l.init
}

func (l *fakeLib) Shutdown() nvml.Return                         { l.users--; return nvml.SUCCESS }
func (l *fakeLib) SystemGetDriverVersion() (string, nvml.Return) { return "570.1-twin", nvml.SUCCESS }
func (l *fakeLib) DeviceGetCount() (int, nvml.Return)            { return len(l.devices), nvml.SUCCESS }
func (l *fakeLib) EventSetCreate() (nvml.EventSet, nvml.Return)  { return l.set, nvml.SUCCESS }
func (l *fakeLib) DeviceGetHandleByIndex(i int) (nvml.Device, nvml.Return) {
	return l.devices[i], l.devices[i].is
}

type fakeSet struct {
	nvml.EventSet
	data  nvml.EventData
	ret   nvml.Return
	freed bool
}

func (s *fakeSet) Wait(uint32) (nvml.EventData, nvml.Return) { return s.data, s.ret }
func (s *fakeSet) Free() nvml.Return                         { s.freed = true; return nvml.SUCCESS }

// fakeDevice answers with is, and notes what it is asked.
type fakeDevice struct {
	nvml.Device
	uuid     string
	is       nvml.Return
	sessions []nvml.EncoderSessionInfo
	asked    []string
	events   bool
	// deny is answered by single calls.
	deny map[string]nvml.Return
}

func (d *fakeDevice) ask(call string) nvml.Return {
	d.asked = append(d.asked, call)
	if ret, denied := d.deny[call]; denied {
		return ret
	}
	return d.is
}

func (d *fakeDevice) GetUUID() (string, nvml.Return) { return d.uuid, d.is }
func (d *fakeDevice) GetName() (string, nvml.Return) { return "NVIDIA L4 (driver twin)", d.is }
func (d *fakeDevice) GetMemoryInfo() (nvml.Memory, nvml.Return) {
	return nvml.Memory{Total: 24 << 30, Used: 2 << 30, Free: 22 << 30}, d.ask("nvmlDeviceGetMemoryInfo")
}
func (d *fakeDevice) GetPciInfo() (p nvml.PciInfo, ret nvml.Return) {
	for i, c := range "00000000:01:00.0" {
		p.BusId[i] = int8(c)
	}
	return p, d.ask("nvmlDeviceGetPciInfo_v3")
}
func (d *fakeDevice) RegisterEvents(types uint64, _ nvml.EventSet) nvml.Return {
	d.events = types == nvml.EventTypeXidCriticalError
	return d.is
}
func (d *fakeDevice) GetUtilizationRates() (nvml.Utilization, nvml.Return) {
	return nvml.Utilization{Gpu: 11, Memory: 7}, d.ask("nvmlDeviceGetUtilizationRates")
}
func (d *fakeDevice) GetEncoderUtilization() (uint32, uint32, nvml.Return) {
	return 44, 167000, d.ask("nvmlDeviceGetEncoderUtilization")
}
func (d *fakeDevice) GetDecoderUtilization() (uint32, uint32, nvml.Return) {
	return 12, 167000, d.ask("nvmlDeviceGetDecoderUtilization")
}
func (d *fakeDevice) GetJpgUtilization() (uint32, uint32, nvml.Return) {
	return 1, 167000, d.ask("nvmlDeviceGetJpgUtilization")
}
func (d *fakeDevice) GetOfaUtilization() (uint32, uint32, nvml.Return) {
	return 2, 167000, d.ask("nvmlDeviceGetOfaUtilization")
}
func (d *fakeDevice) GetMemoryInfo_v2() (nvml.Memory_v2, nvml.Return) {
	return nvml.Memory_v2{Total: 24 << 30, Used: 1 << 30, Free: 22 << 30, Reserved: 1 << 30}, d.ask("nvmlDeviceGetMemoryInfo_v2")
}
func (d *fakeDevice) GetPowerUsage() (uint32, nvml.Return) {
	return 31000, d.ask("nvmlDeviceGetPowerUsage")
}
func (d *fakeDevice) GetEnforcedPowerLimit() (uint32, nvml.Return) {
	return 72000, d.ask("nvmlDeviceGetEnforcedPowerLimit")
}
func (d *fakeDevice) GetTotalEnergyConsumption() (uint64, nvml.Return) {
	return 1 << 40, d.ask("nvmlDeviceGetTotalEnergyConsumption")
}
func (d *fakeDevice) GetTemperature(nvml.TemperatureSensors) (uint32, nvml.Return) {
	return 49, d.ask("nvmlDeviceGetTemperature")
}
func (d *fakeDevice) GetClockInfo(t nvml.ClockType) (uint32, nvml.Return) {
	return 1000 + uint32(t), d.ask("nvmlDeviceGetClockInfo")
}
func (d *fakeDevice) GetCurrentClocksEventReasons() (uint64, nvml.Return) {
	return 0x4 | 0x40 | 0x1, d.ask("nvmlDeviceGetCurrentClocksEventReasons")
}
func (d *fakeDevice) GetCurrentClocksThrottleReasons() (uint64, nvml.Return) {
	return 0x8, d.ask("nvmlDeviceGetCurrentClocksThrottleReasons")
}
func (d *fakeDevice) GetTotalEccErrors(t nvml.MemoryErrorType, _ nvml.EccCounterType) (uint64, nvml.Return) {
	return 100 + uint64(t), d.ask("nvmlDeviceGetTotalEccErrors")
}
func (d *fakeDevice) GetEncoderStats() (int, uint32, uint32, nvml.Return) {
	return len(d.sessions), 30, 8000, d.ask("nvmlDeviceGetEncoderStats")
}
func (d *fakeDevice) GetEncoderSessions() ([]nvml.EncoderSessionInfo, nvml.Return) {
	return d.sessions, d.ask("nvmlDeviceGetEncoderSessions")
}

func onePair() *fakeLib {
	return &fakeLib{
		devices: []*fakeDevice{{uuid: "GPU-a"}, {uuid: "GPU-b"}},
		set:     &fakeSet{ret: nvml.ERROR_TIMEOUT},
	}
}

func opened(t *testing.T, lib *fakeLib) (s *session, missing []string) {
	t.Helper()
	s, missing, err := newSession(lib)
	if err != nil {
		t.Fatal(err)
	}
	return s, missing
}

// known are the figures of a reading.
func known(r Reading) map[Figure]uint64 {
	all := map[Figure]uint64{}
	for f := range figureCount {
		if v, told := r.Get(f); told {
			all[f] = v
		}
	}
	return all
}

var everything = map[Figure]uint64{
	SMUse: 11, MemoryUse: 7, EncoderUse: 44, DecoderUse: 12, JPEGUse: 1, OpticalFlowUse: 2,
	MemoryTotal: 24 << 30, MemoryUsed: 1 << 30, MemoryFree: 22 << 30, MemoryReserved: 1 << 30,
	Power: 31000, PowerLimit: 72000, Energy: 1 << 40, Temperature: 49, SMClock: 1001, MemoryClock: 1002, VideoClock: 1003,
	Throttle: 0x45, ECCCorrected: 100, ECCUncorrected: 101, EncodeSessions: 2, EncodeFPS: 30, EncodeLatency: 8000,
}

// users-ask 25: what the engines do. And 2: sessions are counted as the driver
// has them, one per rendition.
func TestOneLookAtAGPU(t *testing.T) {
	lib := onePair()
	lib.devices[0].sessions = []nvml.EncoderSessionInfo{
		{Pid: 4711, CodecType: 0, HResolution: 1920, VResolution: 1080, AverageFps: 50, AverageLatency: 8300},
		{Pid: 4711, CodecType: 1, HResolution: 1280, VResolution: 720, AverageFps: 25, AverageLatency: 12000},
	}
	s, missing := opened(t, lib)
	if len(missing) != 0 {
		t.Errorf("missing %q", missing)
	}
	if found, trouble := s.devices(); len(found) != 2 || trouble != "" || found[1].Index != 1 || found[0].Bus != "00000000:01:00.0" ||
		found[0].GPU != (GPU{UUID: "GPU-a", Model: "NVIDIA L4 (driver twin)", Memory: 24 << 30}) || !lib.devices[1].events {
		t.Errorf("%+v %q", found, trouble)
	}
	r, err := s.read(0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(everything, known(r)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Session{
		{PID: 4711, Codec: "h264", Width: 1920, Height: 1080, FPS: 50, Latency: 8300 * time.Microsecond},
		{PID: 4711, Codec: "hevc", Width: 1280, Height: 720, FPS: 25, Latency: 12 * time.Millisecond},
	}, r.Sessions); diff != "" {
		t.Error(diff)
	}
	if got := r.Throttled(); !slices.Equal(got, []string{"power cap", "heat (hardware)"}) {
		t.Errorf("throttled %q", got)
	}
	if s.doing() != "" {
		t.Errorf("still in %s", s.doing())
	}
	s.close()
	if lib.users != 0 || !lib.set.freed {
		t.Error("the library is kept")
	}
}

// Without sessions the driver is not asked for a list of them. What is asked
// once a second, and docs/gpus.md counts, is no more than this.
func TestNoSessionsNoList(t *testing.T) {
	lib := onePair()
	s, _ := opened(t, lib)
	lib.devices[0].asked = nil
	r, err := s.read(0)
	if n := len(lib.devices[0].asked); n != 17 {
		t.Errorf("%d calls in one look: %q", n, lib.devices[0].asked)
	}
	if n, _ := r.Get(EncodeSessions); err != nil || n != 0 || slices.Contains(lib.devices[0].asked, "nvmlDeviceGetEncoderSessions") {
		t.Errorf("%v, asked %q", err, lib.devices[0].asked)
	}
}

// A symbol that is missing costs its figure, and is never called.
func TestSymbolsThatAreMissing(t *testing.T) {
	for _, g := range gauges {
		lib := onePair()
		lib.devices[0].sessions = make([]nvml.EncoderSessionInfo, 2)
		lib.lacks = []string{g.symbol}
		if g.instead != "" {
			lib.lacks = append(lib.lacks, g.instead)
		}
		s, missing := opened(t, lib)
		lib.devices[0].asked = nil // what was asked once, at the start
		r, err := s.read(0)
		if err != nil || len(missing) != 1 || !strings.Contains(missing[0], g.symbol) {
			t.Errorf("without %s: %v, missing %q", g.symbol, err, missing)
		}
		for _, symbol := range lib.lacks {
			if slices.Contains(lib.devices[0].asked, symbol) {
				t.Errorf("%s was called", symbol)
			}
		}
		if want := len(everything); len(known(r)) >= want && g.symbol != "nvmlDeviceGetEncoderSessions" {
			t.Errorf("without %s all %d figures are known", g.symbol, want)
		}
	}
}

func TestOlderCalls(t *testing.T) {
	lib := onePair()
	lib.lacks = []string{"nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetCurrentClocksEventReasons"}
	s, missing := opened(t, lib)
	r, err := s.read(0)
	used, _ := r.Get(MemoryUsed)
	_, reserved := r.Get(MemoryReserved)
	if err != nil || len(missing) != 0 || used != 2<<30 || reserved || !slices.Equal(r.Throttled(), []string{"hardware slowdown"}) {
		t.Errorf("%v %q %+v", err, missing, known(r))
	}
}

// What a GPU does not have is absent and no fault: a card without NVENC, ECC
// that is off, MIG.
func TestFiguresThatAGPUDoesNotHave(t *testing.T) {
	lib := onePair()
	lib.devices[0].deny = map[string]nvml.Return{}
	for _, call := range []string{"nvmlDeviceGetEncoderUtilization", "nvmlDeviceGetEncoderStats", "nvmlDeviceGetEncoderSessions", "nvmlDeviceGetTotalEccErrors"} {
		lib.devices[0].deny[call] = nvml.ERROR_NOT_SUPPORTED
	}
	s, _ := opened(t, lib)
	r, err := s.read(0)
	all := known(r)
	for _, f := range []Figure{EncoderUse, EncodeSessions, EncodeFPS, ECCCorrected, ECCUncorrected} {
		if _, there := all[f]; there {
			t.Errorf("figure %d is there", f)
		}
	}
	if err != nil || len(all) != len(everything)-6 {
		t.Errorf("%v, %d figures", err, len(all))
	}
}

// users-ask 9: what is lost is asked nothing more.
func TestErrorsOfADevice(t *testing.T) {
	tests := []struct {
		ret  nvml.Return
		is   error
		want string
	}{
		{nvml.ERROR_GPU_IS_LOST, errLost, "NVML 15"},
		{nvml.ERROR_RESET_REQUIRED, errLost, "--gpu-reset"},
		{nvml.ERROR_UNINITIALIZED, errReopen, "NVML 1"},
		{nvml.ERROR_DRIVER_NOT_LOADED, errReopen, "NVML 9"},
		{nvml.ERROR_LIB_RM_VERSION_MISMATCH, errReopen, "NVML 18"},
	}
	for _, tt := range tests {
		lib := onePair()
		s, _ := opened(t, lib)
		lib.devices[0].is, lib.devices[0].asked = tt.ret, nil
		_, err := s.read(0)
		if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) || len(lib.devices[0].asked) != 1 {
			t.Errorf("%v: %v after %q", tt.ret, err, lib.devices[0].asked)
		}
		if r, err := s.read(1); err != nil || len(known(r)) == 0 {
			t.Errorf("its neighbour: %v", err)
		}
	}
	// users-ask 8: a container that lost its GPUs meets errors without a name.
	lib := onePair()
	s, _ := opened(t, lib)
	lib.devices[0].is = nvml.ERROR_UNKNOWN
	if _, err := s.read(0); err == nil || !strings.Contains(err.Error(), "NVML 999") {
		t.Errorf("%v", err)
	}
	lib.devices[0].is = nvml.SUCCESS
	lib.devices[0].deny = map[string]nvml.Return{"nvmlDeviceGetTotalEccErrors": nvml.ERROR_UNKNOWN}
	if r, err := s.read(0); err != nil || len(known(r)) != len(everything)-2 {
		t.Errorf("one figure fails: %v, %d figures", err, len(known(r)))
	}
}

// A GPU that is lost from the start keeps nobody from the others.
func TestSomeGPUsAreFound(t *testing.T) {
	lib := onePair()
	lib.devices[0].is = nvml.ERROR_GPU_IS_LOST
	s, _ := opened(t, lib)
	found, trouble := s.devices()
	if len(found) != 1 || found[0].UUID != "GPU-b" || found[0].Index != 1 || !strings.Contains(trouble, "GPU 0") || !strings.Contains(trouble, "NVML 15") {
		t.Errorf("%+v, %q", found, trouble)
	}
	if r, err := s.read(0); err != nil || len(known(r)) == 0 {
		t.Errorf("%v", err)
	}
	lib.init = nvml.ERROR_LIB_RM_VERSION_MISMATCH
	if _, _, err := newSession(lib); err == nil || !strings.Contains(err.Error(), "restart gala-agent") {
		t.Errorf("%v", err)
	}
}

func TestEvents(t *testing.T) {
	lib := onePair()
	s, _ := opened(t, lib)
	if uuid, _, err := s.wait(time.Second); uuid != "" || err != nil {
		t.Errorf("no event: %q %v", uuid, err)
	}
	lib.set.ret, lib.set.data = nvml.SUCCESS, nvml.EventData{Device: lib.devices[1], EventType: nvml.EventTypeXidCriticalError, EventData: 79}
	if uuid, code, err := s.wait(time.Second); uuid != "GPU-b" || code != 79 || err != nil {
		t.Errorf("%q %d %v", uuid, code, err)
	}
	lib.set.data.Device = &fakeDevice{}
	if uuid, _, err := s.wait(time.Second); uuid != "" || err != nil {
		t.Errorf("of a GPU that is none of ours: %q %v", uuid, err)
	}
	lib.set.ret = nvml.ERROR_GPU_IS_LOST
	if _, _, err := s.wait(time.Second); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	without := onePair()
	without.lacks = []string{"nvmlEventSetWait_v2"}
	s, missing := opened(t, without)
	if _, _, err := s.wait(time.Second); !errors.Is(err, errors.ErrUnsupported) || len(missing) != 1 {
		t.Errorf("%v, missing %q", err, missing)
	}
}

// BenchmarkOneLook is what this program adds to the driver's own time for one
// GPU with eight sessions.
func BenchmarkOneLook(b *testing.B) {
	lib := onePair()
	lib.devices[0].sessions = make([]nvml.EncoderSessionInfo, 8)
	s, _, err := newSession(lib)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		lib.devices[0].asked = lib.devices[0].asked[:0]
		if _, err := s.read(0); err != nil {
			b.Fatal(err)
		}
	}
}
