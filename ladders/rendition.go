package ladders

import "github.com/galafarm/gala/timeline"

// Source is what a probe found, as far as applying a ladder needs it.
type Source struct {
	// Video is nil for a source without pictures.
	Video *SourceVideo
	Audio []SourceAudio
	Text  []SourceText
}

// SourceVideo describes the chosen video track. Width and Height are the coded
// size in pixels, before rotation and sample aspect ratio.
type SourceVideo struct {
	Width, Height int
	// SampleAspectNum/Den is the shape of a pixel; 0/0 or 0/1 means square.
	SampleAspectNum, SampleAspectDen int
	Rotation                         int // clockwise degrees: 0, 90, 180, 270
	Rate                             timeline.Rate
	Interlaced                       bool
	BitDepth                         int
	Range                            Range
	// Captions are the closed-caption channels in it: CC1 to CC4, SERVICE1 to
	// SERVICE63.
	Captions []string
}

// SourceAudio describes one audio track.
type SourceAudio struct {
	Channels, SampleRate int
	Language             string // BCP 47, "und" when unknown
	Codec                string // as libav has it: aac, ac3, eac3
	Bitrate              int64  // bits per second, 0 when unknown
}

// SourceText describes one track of subtitles that are text.
type SourceText struct {
	Language string // BCP 47, "und" when unknown
	Title    string
	// Forced subtitles belong to the picture (signs, foreign words); Impaired ones
	// describe sounds, for those who do not hear them.
	Forced, Impaired bool
}

// Rendition is a rung applied to a source: one encoded output. Exactly one of
// Video, Audio and Text is set.
type Rendition struct {
	// Name is the folder under the job's tree.
	Name  string
	Video *Video
	Audio *Audio
	Text  *Text
	// Codecs is the RFC 6381 string that the output will carry.
	Codecs string
	// Bandwidth and AverageBandwidth are derived bits per second with CMAF
	// overhead, for this rendition alone (RFC 8216bis §4.4.6.2 sums at the variant).
	Bandwidth, AverageBandwidth int64
}

// Video is what the encoder of a video rendition is told.
type Video struct {
	Width, Height int // even
	// Divisor: the rendition shows every Divisor-th frame of the grid.
	Divisor                   int64
	Codec                     string // h264, hevc, av1
	Profile, Level            string // "high", "4.0"
	Depth                     int    // bits of a sample: 8 (also 0) or 10
	Range                     Range
	Bitrate, Maxrate, Bufsize int64  // bits per second, bits per second, bits
	Preset                    string // fastest, fast, balanced, quality
	// Encoder is the row of the encoder table; empty until placement chose a device.
	Encoder string
	// Captions are the closed-caption channels that the pictures carry.
	Captions []string
	Scaler   Scaler // empty: DefaultScaler
	// ScaledFrom is the size of the larger rung whose pictures this one's are scaled
	// from, whether or not the same worker encodes it; zero: the source's.
	ScaledFrom Size
	// Picture is done once for all renditions of a job; nil: nothing asked for.
	Picture *Picture
}

// Audio is what the encoder of an audio rendition is told.
type Audio struct {
	Codec                string // aac, opus
	Channels, SampleRate int
	Bitrate              int64
	Language, Label      string
	// Group is the rung: renditions of one group differ in language only.
	Group string
	// Track indexes Source.Audio.
	Track   int
	Default bool
	// Map is what each channel is made of; without it the track is mixed down.
	Map      []Channel
	Gain     Decibel
	Loudness *Loudness
	// Passthrough: the track's own frames, not encoded again.
	Passthrough bool
}

// Text is a rendition of subtitles.
type Text struct {
	Language, Label  string
	Forced, Impaired bool
	// Track indexes Source.Text.
	Track int
}
