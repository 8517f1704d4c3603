package twin

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	maxDevices = 16 // of the C side
	maxFaults  = 64
)

// Spec says which devices there are, what driver, and what goes wrong.
type Spec struct {
	Devices []Device
	// Driver is NVML's driver version; " (Gala driver twin)" is added.
	Driver string
	// CUDA and API are the newest versions that the driver has, such as 12.4.
	CUDA, API Version
	// SessionCap bounds the encoder sessions of all consumer cards of the host
	// together; 0 is no bound. SessionCode is the NVENC status beyond it.
	SessionCap, SessionCode int
	// Throttle is the share of the catalogue's rate at which the cards encode at
	// most: 1 is a card as it is sold, 0.05 what a laptop can rehearse a farm of,
	// and 0 no bound.
	Throttle float64
	Faults   []Fault
}

// Version is a major and a minor number.
type Version struct{ Major, Minor int }

// Device is one card. Memory is in bytes.
type Device struct {
	Model  string // of the catalogue, such as l4
	UUID   string
	Memory int64
	NVENC  int // engines; -1 is as many as the model has
}

// NVENC status codes that a session limit shows itself by: older drivers
// answer with the first, newer ones with the second.
const (
	OutOfMemory           = 10
	IncompatibleClientKey = 21
)

// base is a driver of early 2024, which allows eight sessions on consumer
// cards and has the API that Gala's FFmpeg is built with.
func base() Spec {
	return Spec{Driver: "550.144.03", CUDA: Version{12, 4}, API: Version{12, 2}, SessionCap: 8, SessionCode: OutOfMemory}
}

// Parse reads what `--twin` takes: a list such as l4:2,h200:1, or the name of
// a YAML file. Errors say what would do instead.
func Parse(arg string) (Spec, error) {
	if strings.ContainsAny(arg, "./") {
		text, err := os.ReadFile(arg)
		if err != nil {
			return Spec{}, fmt.Errorf("twin's devices: %w", err)
		}
		return ParseFile(arg, text)
	}
	s := base()
	for item := range strings.SplitSeq(arg, ",") {
		name, number, counted := strings.Cut(item, ":")
		count := 1
		if counted {
			n, err := strconv.Atoi(number)
			if err != nil || n < 1 {
				return Spec{}, fmt.Errorf("twin's devices: %q is no number of cards; give a list such as l4:2,h200:1", number)
			}
			count = n
		}
		if err := s.add(Device{Model: name, NVENC: -1}, count); err != nil {
			return Spec{}, fmt.Errorf("twin's devices: %w", err)
		}
	}
	return s, nil
}

// add puts count such devices at the end, with what the catalogue knows where
// d says nothing.
func (s *Spec) add(d Device, count int) error {
	m, ok := models()[d.Model]
	if !ok {
		return fmt.Errorf("there is no card %q; there are %s", d.Model, modelNames())
	}
	if len(s.Devices)+count > maxDevices {
		return fmt.Errorf("there can be %d cards at most", maxDevices)
	}
	if d.Memory == 0 {
		d.Memory = m.memoryMiB << 20
	}
	if d.NVENC < 0 {
		d.NVENC = m.nvenc
	}
	for range count {
		one := d
		if one.UUID == "" {
			one.UUID = fmt.Sprintf("GPU-7477696e-0000-4000-8000-%012x", len(s.Devices))
		}
		s.Devices = append(s.Devices, one)
	}
	return nil
}

// Kind of a fault.
type Kind string

// What can go wrong. NVENC, CUDA and NVML name the status that programs see.
const (
	NoDevice    Kind = "no-device"    // CUDA 100, no NVML devices
	NoNVENC     Kind = "no-nvenc"     // NVENC 2 for every session
	SessionsMax Kind = "sessions-max" // beyond Limit sessions on a device: NVENC Code
	Lost        Kind = "lost"         // off the bus: NVENC 20, CUDA 999, NVML 15 and XID 79
	XID         Kind = "xid"          // NVML event Limit, and nothing else
	MemoryMax   Kind = "memory-max"   // no more than Limit bytes can be had
	Hang        Kind = "hang"         // calls of Part do not return
	Init        Kind = "init"         // initialising Part ends with Code
	APIMax      Kind = "api-max"      // an old driver: NVENC API of Version at most
	// BrokenContext: a kernel has failed in the contexts that are there. Calls in
	// them end with Code, also when the fault is taken away; NVENC 20.
	BrokenContext Kind = "broken-context"
)

// AnyDevice is a fault's device when it has all of them.
const AnyDevice = -1

// Part is one of the four libraries.
type Part string

// The libraries by what they are for.
const (
	CUDA  Part = "cuda"
	NVENC Part = "nvenc"
	CUVID Part = "cuvid"
	NVML  Part = "nvml"
)

func parts() []string { return []string{string(CUDA), string(NVENC), string(CUVID), string(NVML)} }

// Fault is one thing that goes wrong. Limit, Code, Part and Version are for
// the kinds that name them.
type Fault struct {
	Kind    Kind
	Device  int           // index, or AnyDevice
	After   time.Duration // from when the faults are set
	Limit   int64
	Code    int
	Part    Part
	Version Version
}
