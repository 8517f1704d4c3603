package media

import "fmt"

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
	// Sizes of the pictures that it takes, as the driver says.
	Sizes PictureSizes `json:"sizes,omitzero"`
}

// PictureSizes are those that an encoder takes, in samples of luma; 0 where
// nothing is known.
type PictureSizes struct {
	LeastWidth  int `json:"least_width,omitempty"`
	LeastHeight int `json:"least_height,omitempty"`
	MostWidth   int `json:"most_width,omitempty"`
	MostHeight  int `json:"most_height,omitempty"`
}

// Refuses says in words which sizes there are, where one of a rung is not of them,
// and "" where it is.
func (s PictureSizes) Refuses(width, height int) string {
	switch {
	case width < s.LeastWidth || height < s.LeastHeight:
		return fmt.Sprintf("from %dx%d", s.LeastWidth, s.LeastHeight)
	case s.MostWidth > 0 && width > s.MostWidth || s.MostHeight > 0 && height > s.MostHeight:
		return fmt.Sprintf("up to %dx%d", s.MostWidth, s.MostHeight)
	}
	return ""
}
