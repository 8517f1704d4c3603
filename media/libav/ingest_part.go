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
	program   int   // the only one wanted, 0 for all
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

// partStream may belong to a programme that nobody asked for.
type partStream struct {
	ring.Stream
	unwanted bool
}

func newPart(d *demuxer, name string) *part {
	p := &part{d: d, began: d.began.UnixMicro(), container: d.fc.InputFormat().Name(), program: input.Program(name), clock: newClock(d.fc)}
	p.learn(p.describe()) // before its reader begins
	return p
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

func (p *part) describe() []partStream {
	wanted := programStreams(p.d.fc, p.program)
	var all []partStream
	for i, st := range p.d.fc.Streams() {
		all = append(all, partStream{Stream: describeStream(st), unwanted: wanted != nil && !wanted[i]})
	}
	return all
}

// programStreams are the streams of a programme, nil for all.
func programStreams(fc *astiav.FormatContext, id int) map[int]bool {
	if id == 0 {
		return nil
	}
	wanted := map[int]bool{}
	for _, p := range fc.Programs() {
		if p.ID() != id {
			continue
		}
		for _, st := range p.Streams() {
			wanted[st.Index()] = true
		}
	}
	return wanted
}

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
