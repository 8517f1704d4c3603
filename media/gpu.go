package media

// GPUTrouble is why something could not be done on a GPU; the closed set by
// which devices are judged.
type GPUTrouble string

// The troubles. What a driver says is ambiguous in places: Refused is also what
// used-up memory looks like, and NoNVENC what a container does that was not
// given the encoder.
const (
	GPUNoLibrary GPUTrouble = "no_library" // of the driver, in the loader's reach
	GPUNoDevice  GPUTrouble = "no_device"  // CUDA sees none, or may not use it
	GPUOldDriver GPUTrouble = "old_driver" // older than the headers that FFmpeg is built with
	GPUNoNVENC   GPUTrouble = "no_nvenc"   // NVENC 2 of a session: unsupported device
	GPURefused   GPUTrouble = "refused"    // NVENC 10 or 21 of a session
	GPUNoMemory  GPUTrouble = "no_memory"
	GPULacks     GPUTrouble = "lacks"  // this codec, or these bits
	GPUBroken    GPUTrouble = "broken" // anything else
)

// OfDevice tells a trouble that another encoder would have too.
func (t GPUTrouble) OfDevice() bool { return t != "" && t != GPULacks && t != GPUBroken }

// GPUReport is what opening a GPU and encoding on it found.
type GPUReport struct {
	Device string `json:"device"` // UUID
	// Trouble says why it could not be opened at all, or does not scale pictures, empty
	// when it does. Said is FFmpeg's own line.
	Trouble GPUTrouble `json:"trouble,omitempty"`
	Said    string     `json:"said,omitempty"`
	// Sessions were tried one after the other, until a trouble that is the
	// device's.
	Sessions []GPUSession `json:"sessions"`
}

// GPUSession is one encoder at one depth. Without a trouble its pictures came
// out, an IDR picture first.
type GPUSession struct {
	Encoder string     `json:"encoder"` // row of the encoder table
	Depth   int        `json:"depth"`   // bits
	Trouble GPUTrouble `json:"trouble,omitempty"`
	Said    string     `json:"said,omitempty"`
}
