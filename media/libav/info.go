package libav

import "github.com/galafarm/gala/timeline"

// Info is what a probe found: the header's claims and what the first frames say.
type Info struct {
	Container  string
	DurationUS int64 // what the header claims; 0 unknown or endless
	Video      []VideoInfo
	Audio      []AudioInfo
	Text       []TextInfo
	// Chosen indexes Video, -1 when nothing there decodes.
	Chosen int
	Notes  []string
}

// VideoInfo describes one video track.
type VideoInfo struct {
	Index          int // stream index in the container
	Codec, Profile string
	Width, Height  int
	SARNum, SARDen int
	Rotation       int // clockwise degrees
	Rate           timeline.Rate
	Variable       bool
	Interlaced     bool
	PixelFormat    string
	BitDepth       int
	// ISO/IEC 23091-2 names as libav has them, "" unknown.
	Primaries, Transfer, Matrix, Range string
	Bitrate                            int64
	Base                               timeline.Timebase
	// First is the timestamp of the first frame that decodes.
	First int64
	// Captions are the closed-caption channels of the first seconds: CC1, SERVICE1.
	Captions []string
}

// AudioInfo describes one audio track that decodes.
type AudioInfo struct {
	Index                int
	Codec                string
	Channels, SampleRate int
	Layout, Language     string
	Bitrate              int64
	Base                 timeline.Timebase
	First                int64
}

// TextInfo describes one track of subtitles that are text.
type TextInfo struct {
	Index            int
	Codec            string
	Language, Title  string
	Forced, Impaired bool
	// Page is that of teletext, as teletext.Page has it; 0 where it is not known.
	Page int
	Base timeline.Timebase
}

// HDR tells PQ and HLG pictures from SDR ones.
func (v VideoInfo) HDR() bool { return v.Transfer == "smpte2084" || v.Transfer == "arib-std-b67" }

// BestVideo is the chosen track, nil without one.
func (i Info) BestVideo() *VideoInfo {
	if i.Chosen < 0 || i.Chosen >= len(i.Video) {
		return nil
	}
	return &i.Video[i.Chosen]
}
