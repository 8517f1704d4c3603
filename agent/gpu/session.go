//go:build cgo && linux

package gpu

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// session is the driver by NVML, from Init to Shutdown.
type session struct {
	lib     nvml.Interface
	driver  string
	found   []Device
	handles []nvml.Device // of found
	trouble string
	gauges  []gauge // those whose symbols are there
	events  nvml.EventSet
	call    atomic.Pointer[string]
}

// openDriver opens one session after the other. What the library lacks is
// logged by the first.
func openDriver(log *slog.Logger) func() (driver, error) {
	lib := nvml.New(nvml.WithLibraryPath(library))
	told := map[string]bool{}
	return func() (driver, error) {
		if reason := lacks(library, needed); reason != "" {
			return nil, errors.New(reason)
		}
		s, missing, err := newSession(lib)
		for _, m := range missing {
			if !told[m] {
				log.Info("the NVIDIA driver is too old for a figure", "missing", m)
				told[m] = true
			}
		}
		if err != nil { // lest a nil session become a driver
			return nil, err
		}
		return s, nil
	}
}

// newSession needs the symbols in needed; what else is missing costs figures
// and is returned.
func newSession(lib nvml.Interface) (s *session, missing []string, err error) {
	if ret := lib.Init(); ret != nvml.SUCCESS {
		return nil, nil, errors.New(unavailable(ret))
	}
	s = &session{lib: lib}
	has := func(symbol string) bool { return lib.Extensions().LookupSymbol(symbol) == nil }
	s.gauges, missing = present(has)
	if err := s.enumerate(has); err != nil {
		lib.Shutdown()
		return nil, missing, err
	}
	if !s.subscribe(has) {
		missing = append(missing, "XIDs by event")
	}
	return s, missing, nil
}

func (s *session) enumerate(has func(string) bool) error {
	s.driver, _ = s.lib.SystemGetDriverVersion()
	n, ret := s.lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return errors.New("cannot count GPUs: " + describe(ret))
	}
	var troubles []string
	for i := range n {
		g, h, err := device(s.lib, i)
		if err != nil {
			troubles = append(troubles, err.Error())
			continue
		}
		s.found = append(s.found, Device{GPU: g, Index: i, Bus: bus(has, h)})
		s.handles = append(s.handles, h)
	}
	if n == 0 {
		troubles = append(troubles, "the NVIDIA driver sees no GPU")
	}
	s.trouble = strings.Join(troubles, "; ")
	return nil
}

func bus(has func(string) bool, d nvml.Device) string {
	if !has("nvmlDeviceGetPciInfo_v3") {
		return ""
	}
	pci, ret := d.GetPciInfo()
	if ret != nvml.SUCCESS {
		return ""
	}
	var text []byte
	for _, c := range pci.BusId {
		if c == 0 {
			break
		}
		text = append(text, byte(c))
	}
	return string(text)
}

// subscribe to the XIDs of every GPU that tells them.
func (s *session) subscribe(has func(string) bool) bool {
	for _, symbol := range []string{"nvmlEventSetCreate", "nvmlDeviceRegisterEvents", "nvmlEventSetWait_v2", "nvmlEventSetFree"} {
		if !has(symbol) {
			return false
		}
	}
	set, ret := s.lib.EventSetCreate()
	if ret != nvml.SUCCESS {
		return false
	}
	s.events = set
	for _, d := range s.handles {
		d.RegisterEvents(nvml.EventTypeXidCriticalError, set) // some GPUs have none
	}
	return true
}

func (s *session) version() string             { return s.driver }
func (s *session) devices() ([]Device, string) { return s.found, s.trouble }

// read one GPU. One that a call finds lost is asked nothing more.
func (s *session) read(i int) (r Reading, err error) {
	defer s.call.Store(nil)
	var failed error
	for k := range s.gauges {
		g := &s.gauges[k]
		s.call.Store(&g.symbol)
		ret := g.read(s.handles[i], &r)
		switch ret {
		case nvml.SUCCESS, nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_NO_DATA, nvml.ERROR_NO_PERMISSION:
		case nvml.ERROR_GPU_IS_LOST:
			return r, fmt.Errorf("%w: the driver says %s; drain this agent, stop it, and reset the GPU with `nvidia-smi --gpu-reset`, or reboot this host", errLost, describe(ret))
		case nvml.ERROR_RESET_REQUIRED:
			return r, fmt.Errorf("%w: the driver says %s; drain this agent, stop it (it has the GPU open), and reset the GPU with `nvidia-smi --gpu-reset`", errLost, describe(ret))
		case nvml.ERROR_UNINITIALIZED, nvml.ERROR_DRIVER_NOT_LOADED, nvml.ERROR_LIB_RM_VERSION_MISMATCH:
			return r, fmt.Errorf("%w: %s", errReopen, describe(ret))
		default:
			failed = fmt.Errorf("%s: %s", g.symbol, describe(ret))
		}
	}
	if r.known == 0 && failed != nil {
		return r, failed
	}
	return r, nil
}

// wait leaves a GPU that is none of ours alone: it came later.
func (s *session) wait(limit time.Duration) (uuid string, code uint64, err error) {
	if s.events == nil {
		return "", 0, errors.ErrUnsupported
	}
	e, ret := s.events.Wait(uint32(limit.Milliseconds()))
	switch {
	case ret == nvml.ERROR_TIMEOUT:
		return "", 0, nil
	case ret != nvml.SUCCESS:
		return "", 0, errors.New("wait for XIDs: " + describe(ret))
	}
	for i, h := range s.handles {
		if h == e.Device && e.EventType == nvml.EventTypeXidCriticalError {
			return s.found[i].UUID, e.EventData, nil
		}
	}
	return "", 0, nil
}

func (s *session) doing() string {
	if call := s.call.Load(); call != nil {
		return *call
	}
	return ""
}

func (s *session) close() {
	if s.events != nil {
		s.events.Free()
	}
	s.lib.Shutdown()
}
