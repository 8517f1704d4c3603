package gpu

import (
	"slices"
	"time"
)

// Figure names one number that a driver tells of a GPU.
type Figure int

// The figures. Use is in percent of the driver's last sampling period, which
// is a sixth of a second to a second long.
const (
	SMUse          Figure = iota // time in which a kernel ran
	MemoryUse                    // time in which device memory was read or written
	EncoderUse                   // NVENC, all engines together
	DecoderUse                   // NVDEC
	JPEGUse                      // NVJPG
	OpticalFlowUse               // OFA
	MemoryTotal                  // bytes
	MemoryUsed                   // bytes, without what the driver keeps for itself
	MemoryFree                   // bytes
	MemoryReserved               // bytes
	Power                        // milliwatts of the board
	PowerLimit                   // milliwatts that hold now
	Energy                       // millijoules since the driver was loaded
	Temperature                  // degrees Celsius
	SMClock                      // MHz
	MemoryClock                  // MHz
	VideoClock                   // MHz of encoders and decoders
	Throttle                     // a set of bits, see Throttled
	ECCCorrected                 // memory errors since the driver was loaded
	ECCUncorrected               // the same, that lost data
	EncodeSessions               // open NVENC sessions
	EncodeFPS                    // average of them
	EncodeLatency                // average of them, microseconds
	figureCount
)

// Figures of one GPU. One that its driver does not tell is absent, never 0.
type Figures struct {
	values [figureCount]uint64
	known  uint32
}

// Get says whether the driver told it.
func (f *Figures) Get(name Figure) (uint64, bool) {
	return f.values[name], f.known&(1<<name) != 0
}

func (f *Figures) set(name Figure, value uint64) {
	f.values[name], f.known = value, f.known|1<<name
}

// Session is one open NVENC session, of whichever process.
type Session struct {
	PID           int // in the namespace of the driver: the host's
	Codec         string
	Width, Height int
	FPS           int
	Latency       time.Duration // average, from a frame's submission to its packet
}

// Xid is an error that the driver reported by event.
type Xid struct {
	Code uint64
	At   time.Time
}

// Reading is what one look at one GPU found.
type Reading struct {
	Figures
	Sessions []Session
}

// throttles are the reasons for a lower clock that are worth telling, by their
// bit in nvml.h (nvmlClocksEventReason*). That a GPU is idle, or runs at
// clocks that somebody set, is no trouble.
var throttles = []struct {
	bit  uint64
	word string
}{
	{0x4, "power cap"},
	{0x8, "hardware slowdown"},
	{0x20, "heat (driver)"},
	{0x40, "heat (hardware)"},
	{0x80, "power brake"},
	{0x200, "board limit"},
	{0x400, "low voltage"},
}

// Throttled says what holds the clocks down, in words.
func (f *Figures) Throttled() (reasons []string) {
	bits, _ := f.Get(Throttle)
	for _, t := range throttles {
		if bits&t.bit != 0 {
			reasons = append(reasons, t.word)
		}
	}
	return reasons
}

// xidWords are the errors that people who run video meet, by NVIDIA's numbers.
var xidWords = map[uint64]string{
	13:  "a program's fault in an engine",
	31:  "a program read memory that is not its own",
	43:  "a program's channel was stopped",
	45:  "work was taken back after an error",
	48:  "memory error that could not be corrected; reset the GPU",
	61:  "fault of the GPU's own controller; reset the GPU",
	62:  "fault of the GPU's own controller; reset the GPU",
	63:  "a memory row was retired",
	64:  "a memory row could not be retired; reset the GPU",
	69:  "fault of an engine",
	74:  "NVLink error",
	79:  "the GPU fell off the bus; check power and seat, then reboot",
	92:  "many corrected memory errors",
	94:  "memory error, kept to one program",
	95:  "memory error that reached several programs; reset the GPU",
	119: "the GPU's system processor does not answer; reset the GPU",
	120: "error of the GPU's system processor; reset the GPU",
}

// Words say what an error means, "" where this program does not know.
func (x Xid) Words() string { return xidWords[x.Code] }

// maxXids are kept of each GPU.
const maxXids = 16

func appendXid(list []Xid, x Xid) []Xid {
	list = append(list, x)
	return slices.Clone(list[max(0, len(list)-maxXids):])
}
