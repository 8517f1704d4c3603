package ladders

import (
	"time"

	"github.com/galafarm/gala/timeline"
)

// Ladder is an authored ladder, as its file says with the defaults filled in.
type Ladder struct {
	Name string
	// About is one sentence for people who choose a ladder.
	About   string
	Segment Segment
	// GOP is the distance of IDR frames; 0 takes the longest that divides the
	// segment and is at most two seconds (Apple 1.13).
	GOP         time.Duration
	Deinterlace Deinterlace
	// Scaler is of the rungs that name none.
	Scaler Scaler
	// ScaleFrom is larger or source.
	ScaleFrom ScaleFrom
	// What is done to pictures once, before they are scaled.
	Crop       *Crop
	Pad        Aspect
	Denoise    Denoise
	Overlays   []Overlay // drawn in this order
	Video      []VideoRung
	Audio      []AudioRung
	Subtitles  Subtitles
	Thumbnails *ThumbnailRung // nil: none
}

// Segment is the wanted length of a segment per kind of job.
type Segment struct{ Live, VOD time.Duration }

// Kind is the kind of job a ladder is applied for.
type Kind int

// The kinds of job.
const (
	Live Kind = iota + 1
	VOD
)

func (k Kind) String() string {
	if k == Live {
		return "live"
	}
	return "vod"
}

// Deinterlace says what an interlaced source becomes.
type Deinterlace string

// The ways to deinterlace: one picture per frame (25i gives 25) or one per
// field (25i gives 50, smooth motion for sport). Auto is fields where a rung
// states a rate that only they reach.
const (
	AutoRate  Deinterlace = "auto"
	FrameRate Deinterlace = "frame"
	FieldRate Deinterlace = "field"
)

// VideoRung is one authored size and quality.
type VideoRung struct {
	Name string
	// Height alone names a 16:9 box (720 is 1280x720), Width alone a limit to
	// the long side, both a box. A portrait source turns the box.
	Width, Height             int
	FPS                       FPS
	Codec                     string
	Profile                   string
	Level                     string // empty: derived
	Depth                     int    // 8 or 10 bits
	Range                     Keep
	Bitrate, Maxrate, Bufsize int64
	Preset                    string
	Upscale                   bool
	Scaler                    Scaler
}

// AudioRung is one authored sound quality.
type AudioRung struct {
	Name       string
	Codec      string
	Channels   int
	Bitrate    int64
	SampleRate int
	Languages  Languages
	Map        []Channel // one per channel; nil: the track as it is, mixed down
	Gain       Decibel
	Loudness   *Loudness
	// Passthrough takes tracks that have the rung's codec as they are.
	Passthrough bool
}

// Languages chooses among a source's audio tracks. The zero value takes one
// track per language.
type Languages struct {
	First bool     // only the first track
	Only  []string // these, as BCP 47
}

// Subtitles chooses among a source's text tracks. The zero value takes them all.
type Subtitles struct {
	None bool
	Only []string // these languages, as BCP 47
}

// What a ladder file leaves out.
const (
	defaultLive       = 2 * time.Second
	defaultVOD        = 6 * time.Second
	maxDefaultGOP     = 2 * time.Second
	defaultPreset     = "balanced"
	defaultSampleRate = 48000
)

// segment is the wanted segment length for kind.
func (l *Ladder) segment(kind Kind) time.Duration {
	if kind == Live {
		return l.Segment.Live
	}
	return l.Segment.VOD
}

// gops is how a segment of kind divides into GOPs.
func (l *Ladder) gops(kind Kind) (gop time.Duration, count int64) {
	segment := l.segment(kind)
	gop = l.GOP
	if gop == 0 {
		count = int64((segment + maxDefaultGOP - 1) / maxDefaultGOP)
		return segment / time.Duration(count), count
	}
	return gop, int64(segment / gop)
}

// grid is the ladder's grid at rate for rungs that divide it by divisors.
func (l *Ladder) grid(rate timeline.Rate, kind Kind, divisors []int64) (timeline.Grid, error) {
	gop, count := l.gops(kind)
	return timeline.NewGrid(rate, gop, count, divisors...)
}
