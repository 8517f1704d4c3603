package dash

import (
	"time"

	"github.com/galafarm/gala/timeline"
)

// Manifest is what a job's MPD says.
type Manifest struct {
	Grid timeline.Grid
	// Live: times count from the Unix epoch. Otherwise the manifest is that of a
	// clip which is whole.
	Live bool
	// Ended: nothing more comes of a live job.
	Ended bool
	// Start is when a live segment that ended at time 0 would have been
	// available: the epoch, later by what the farm and its source take.
	Start time.Time
	// TextDelay is how much later than the others segments of subtitles come, live
	// only. Start has it in it.
	TextDelay time.Duration
	// Window is how many segments a player may go back, live only.
	Window int
	// Published is when this version was made, live only.
	Published time.Time
	// LastTicks is the length of the last segment of an ended live job, in the
	// grid's timescale; 0: a whole one.
	LastTicks       int64
	Representations []Representation
	// Lapses of a live job, in order.
	Lapses []Lapse
	// Texts of a clip; listed where it is one Period, whose time is theirs.
	Texts []Text
	// Tiles likewise, nil for none.
	Tiles *Tiles
}

// Lapse is frames [From, To) of the grid in which a live job has no programme: its
// last picture stands, or its slate. To is math.MaxInt64 while it lasts.
type Lapse struct{ From, To int64 }

// Representation is a rendition.
type Representation struct {
	Name      string // its id, and its folder
	Bandwidth int64  // bits per second that never stall a player which holds one segment (§5.3.5.4)
	Video     *Video
	Audio     *Audio
	Text      *Subtitles // of a live job, in boxes
	Runs      []Run      // in order; gaps between them are segments that are missing
	Resting   bool       // on air, no segment follows the last run for the present
	// Protection is nil in the clear.
	Protection *Protection
}

// Protection is how a Representation is encrypted.
type Protection struct {
	Scheme  string // cenc or cbcs
	KeyID   string // as a UUID
	Systems []System
}

// System is what players of one DRM system need to know.
type System struct {
	ID      string // as a UUID
	Name    string // for people
	PSSH    []byte // may be empty
	License string // may be empty
	Pro     string // the PlayReady object, in base64; may be empty
}

// Run is segments that follow each other and share an init segment. That of a
// live job may begin before the window; the last one goes on until the job ends.
type Run struct {
	Init   string // file in the rendition's folder
	Codecs string // RFC 6381
	// From is the first number, To one past the last.
	From, To int64
	// Times are when each segment begins, and at last when the last one ends, in
	// the track's timescale; clips only.
	Times []int64
}

// Video is what a player must know of a picture before it has one.
type Video struct {
	Codec          string // family: h264, hevc, av1
	Width, Height  int    // coded
	SARNum, SARDen int    // 0 for square pixels
	Rate           timeline.Rate
	Colour         Colour
	// Captions are the channels inside the pictures, as EXT-X-MEDIA names them.
	Captions []string
}

// Colour is code points of ISO/IEC 23091-2; 0 and 2 are unspecified.
type Colour struct{ Primaries, Transfer, Matrix int }

// Audio is the same of sound.
type Audio struct {
	Codec, Language, Label string
	Channels, SampleRate   int
	Default                bool
}

// timescale of the track's own decode times, of pictures and sound.
func (r Representation) timescale(g timeline.Grid) int64 {
	if r.Audio != nil {
		return int64(r.Audio.SampleRate)
	}
	return g.Timescale
}

// Delay is how many segments a player stays behind what is available, as
// EXT-X-TARGETDURATION has it for HLS: three (RFC 8216bis §4.4.3.8).
const Delay = 3

// segment is the length of one, rounded up to a nanosecond.
func (m Manifest) segment() time.Duration { return m.at(1) }

// at is when segment number begins.
func (m Manifest) at(number int64) time.Duration {
	return m.Grid.TimeOf(m.Grid.FirstFrame(number))
}
