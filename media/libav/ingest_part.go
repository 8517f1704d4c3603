package libav

import (
	"context"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// part is one demuxer of a connection. Its reader alone touches the demuxer;
// all else belongs to the session.
type part struct {
	d         *demuxer
	container string
	began     int64 // when its first bytes came, µs since the Unix epoch
	choice    input.Choice
	clock     *clock
	streams   []partStream
}

// arrived is a packet, or why a part ended.
type arrived struct {
	part   *part
	packet ring.Packet
	// streams are all of the part, when there are more than before.
	streams []partStream
	err     error
}

// partStream may be one that nobody asked for.
type partStream struct {
	ring.Stream
	unwanted bool
}

// newPart is an error where the source lacks what its address asks for.
func newPart(d *demuxer, name string) (*part, error) {
	p := &part{d: d, began: d.began.UnixMicro(), container: d.fc.InputFormat().Name(), choice: input.ChoiceOf(name), clock: newClock(d.fc)}
	all := p.describe()
	p.learn(all) // before its reader begins
	return p, absent(name, d.fc, p.choice, all)
}

// read hands over packets until the part ends.
func (p *part) read(ctx context.Context, in chan<- arrived) {
	pkt := astiav.AllocPacket()
	defer pkt.Free()
	for known := p.d.fc.NbStreams(); ; {
		a := arrived{part: p, err: p.d.read(pkt)}
		if a.err == nil {
			a.packet = toRing(pkt)
			pkt.Unref()
			if n := p.d.fc.NbStreams(); n > known {
				known, a.streams = n, p.describe()
			}
		}
		select {
		case in <- a:
		case <-ctx.Done():
			return
		}
		if a.err != nil {
			return
		}
	}
}

func (p *part) describe() []partStream { return chooseStreams(p.d.fc, p.choice) }

// learn takes the part's streams, of which there are more than before.
func (p *part) learn(streams []partStream) {
	for i := len(p.streams); i < len(streams); i++ {
		p.clock.streams[i] = &trackClock{base: streams[i].Base}
	}
	p.streams = streams
}

func (p *part) wants(stream int) bool { return stream < len(p.streams) && !p.streams[stream].unwanted }

// time is a packet's decode time, or all that is known.
func (p *part) time(pkt ring.Packet) (int64, timeline.Timebase) {
	base := p.streams[pkt.Stream].Base
	if pkt.DTS != ring.NoTime {
		return pkt.DTS, base
	}
	return pkt.PTS, base
}
