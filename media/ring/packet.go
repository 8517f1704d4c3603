package ring

import (
	"math"

	"github.com/galafarm/gala/timeline"
)

// NoTime is a timestamp that the source did not give.
const NoTime = math.MinInt64

// Packet is one compressed access unit. Its data is shared by all readers.
type Packet struct {
	Stream             int // index into Session.Streams
	PTS, DTS, Duration int64
	Key, Corrupt       bool
	Data               []byte
	SideData           []SideData
	// Arrival is when the packet came in, in µs since the Unix epoch.
	Arrival int64
}

// SideData is what a container says beside the data; Kind is the demuxer's own
// number for it.
type SideData struct {
	Kind int
	Data []byte
}

// Stream describes one elementary stream as its container does.
type Stream struct {
	ID        int // the container's own: a PID
	Kind      Kind
	Base      timeline.Timebase
	Codec     string
	Extradata []byte
	Language  string
	Layout    string // of the channels
	// Params are the decoder's other numbers by name.
	Params   map[string]int64
	SideData []SideData
}

// Kind of a stream.
type Kind int

// The kinds of streams that a worker can use.
const (
	Other Kind = iota
	Video
	Audio
	Subtitle
)

// Session is what holds from one connection to the source to the next, or to a
// change of its streams.
type Session struct {
	Number    int // counts up from 1
	Container string
	Streams   []Stream
	// Wall is the source's own clock, where it has one.
	Wall *Wall
	// Skew is the least that a packet's arrival was later than its source time
	// so far, in µs: those that came in a burst are no measure. NoTime before
	// the first packet.
	Skew int64
	// Notes are sentences about what is odd.
	Notes []string
}

// Wall says that source time At (µs) was captured at Time (µs since the Unix
// epoch), by the source's clock.
type Wall struct{ At, Time int64 }

var micros = timeline.Timebase{Num: 1, Den: 1_000_000}

// At is when p is presented, or decoded where that is all that is known, in µs;
// NoTime where neither is.
func (s *Session) At(p Packet) int64 {
	t := p.PTS
	if t == NoTime {
		t = p.DTS
	}
	if t == NoTime || p.Stream >= len(s.Streams) {
		return NoTime
	}
	return timeline.Rescale(t, s.Streams[p.Stream].Base, micros)
}

// Lead is the stream whose key frames readers start at: the first picture, or
// the first sound; -1 without either.
func (s *Session) Lead() int {
	best := -1
	for i, st := range s.Streams {
		if st.Kind == Video {
			return i
		}
		if st.Kind == Audio && best < 0 {
			best = i
		}
	}
	return best
}
