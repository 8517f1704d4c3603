// Package encoders is the encoder table: what a rendition becomes on each
// encoder of libavcodec, option by option, each with its reason.
//
// Invariants: the same rendition, grid and machine give the same options; every
// name and value exists in the libavcodec that the worker links (a test of
// media/libav sets each of them); nothing is left to an encoder's defaults that
// the grid depends on.
//
// It must not know libav (programs without it show the table), devices or
// processes.
package encoders

import (
	"slices"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// Encoder is one row of the table.
type Encoder struct {
	Name  string // in libavcodec
	Codec string // h264, hevc, av1
	GPU   bool
	// Eight and Ten are the pixel formats of its input; Ten is empty where it
	// takes 8 bits only.
	Eight, Ten string

	options func(Rung) []Option
	ease    func(Rung) []Option // nil: it cannot work less without another configuration
}

// Option is one setting of an encoder, with the reason for it.
type Option struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Of is the option that this one is a part of (x265-params), empty for one
	// that libavcodec knows by itself.
	Of string `json:"of,omitempty"`
	// Spare: not every card has it. Of one that says so it is less; one that refuses it
	// all the same is asked for less (Less).
	Spare  bool   `json:"spare,omitempty"`
	Reason string `json:"reason"`
}

// Rung is what an option may depend on.
type Rung struct {
	ladders.Video
	Rate timeline.Rate // of this rendition
	GOP  int64         // frames of this rendition in one GOP
	Live bool
	CPUs int // of the machine
	Ease Ease
	Card *Card // the GPU that encodes; nil: none is named
}

// NewRung is a rendition on its grid.
func NewRung(v ladders.Video, g timeline.Grid, live bool, cpus int) Rung {
	return Rung{Video: v, Rate: g.Rate.Div(v.Divisor), GOP: g.FramesPerGOP / v.Divisor, Live: live, CPUs: max(1, cpus)}
}

// Table is every encoder, those of the CPU first.
func Table() []Encoder {
	return []Encoder{
		{Name: "libx264", Codec: "h264", Eight: "yuv420p", options: x264, ease: x264Ease},
		{Name: "libx265", Codec: "hevc", Eight: "yuv420p", Ten: "yuv420p10le", options: x265, ease: x265Ease},
		{Name: "libsvtav1", Codec: "av1", Eight: "yuv420p", Ten: "yuv420p10le", options: svtav1},
		{Name: "h264_nvenc", Codec: "h264", GPU: true, Eight: "yuv420p", options: nvenc, ease: nvencEase},
		{Name: "hevc_nvenc", Codec: "hevc", GPU: true, Eight: "yuv420p", Ten: "p010le", options: nvenc, ease: nvencEase},
		{Name: "av1_nvenc", Codec: "av1", GPU: true, Eight: "yuv420p", Ten: "p010le", options: nvenc, ease: nvencEase},
	}
}

// Find is the encoder of a rendition: by its name, else the CPU's for its codec.
func Find(v ladders.Video) (Encoder, bool) {
	all := Table()
	i := slices.IndexFunc(all, func(e Encoder) bool {
		return e.Name == v.Encoder || v.Encoder == "" && e.Codec == v.Codec && !e.GPU
	})
	if i < 0 {
		return Encoder{}, false
	}
	return all[i], true
}

// PixelFormat is what a rendition is given as, "" where the encoder has not
// the bits.
func (e Encoder) PixelFormat(v ladders.Video) string {
	if v.Depth == 10 {
		return e.Ten
	}
	return e.Eight
}

// Options are what a rendition becomes, one by one.
func (e Encoder) Options(r Rung) []Option {
	all := e.eased(append(common(r), e.options(r)...), r)
	return slices.DeleteFunc(all, func(o Option) bool { return o.Value == "" })
}

// Joined are options as libavcodec takes them: the parts of one put together
// where the first of them stood.
func Joined(options []Option) []Option {
	var out []Option
	at := map[string]int{}
	for _, o := range options {
		if o.Of == "" {
			out = append(out, o)
			continue
		}
		part := o.Key + "=" + o.Value
		if i, ok := at[o.Of]; ok {
			out[i].Value += ":" + part
			continue
		}
		at[o.Of] = len(out)
		out = append(out, Option{Key: o.Of, Value: part, Reason: "the encoder's own settings"})
	}
	return out
}
