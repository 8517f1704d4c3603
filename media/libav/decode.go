package libav

import (
	"errors"
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// decoder turns packets of one stream into frames whose Pts is in base.
type decoder struct {
	cc      *astiav.CodecContext
	base    timeline.Timebase
	step    int64 // expected distance of frames in ticks, 0 unknown
	next    int64
	have    bool
	frame   *astiav.Frame
	errors  int64 // packets and pictures that are damaged
	guessed int64 // frames whose timestamp had to be made up
}

const maxDrainErrors = 1000

// openDecoder opens a decoder for a stream as its container describes it.
func openDecoder(s *astiav.Stream, threads int) (*decoder, error) {
	return newDecoder(s, threads, func(cc *astiav.CodecContext) error {
		if err := s.CodecParameters().ToCodecContext(cc); err != nil {
			return fmt.Errorf("decoder parameters: %w", err)
		}
		if encryptedStream(cc) {
			return errEncrypted
		}
		return nil
	})
}

// openBareDecoder opens a decoder that learns everything from the packets: what
// is known about a stream that changed may be about what it was before.
func openBareDecoder(s *astiav.Stream, threads int) (*decoder, error) {
	return newDecoder(s, threads, func(*astiav.CodecContext) error { return nil })
}

func newDecoder(s *astiav.Stream, threads int, describe func(*astiav.CodecContext) error) (*decoder, error) {
	id := s.CodecParameters().CodecID()
	codec := astiav.FindDecoder(id)
	if codec == nil {
		return nil, &media.Error{Code: media.SourceError, Message: fmt.Sprintf("no decoder for %s", id), Advice: "convert the source to a common codec (H.264, HEVC, AV1, MPEG-2, ProRes; AAC, AC-3, Opus, PCM)"}
	}
	cc := astiav.AllocCodecContext(codec)
	if cc == nil {
		return nil, errors.New("allocate decoder")
	}
	d := &decoder{cc: cc, base: timebase(s.TimeBase()), frame: astiav.AllocFrame()}
	if err := describe(cc); err != nil {
		d.Close()
		return nil, err
	}
	setPacketTimebase(cc, s.TimeBase())
	cc.SetThreadCount(threads)
	if err := cc.Open(codec, nil); err != nil {
		d.Close()
		return nil, &media.Error{Code: media.SourceError, Message: "open decoder " + codec.Name(), Err: err, Advice: "the stream's header is damaged: give another copy of the source"}
	}
	return d, nil
}

// decode feeds one packet (nil drains) and hands every frame that comes out to
// emit, which must not keep it. Damaged packets are counted and passed over.
func (d *decoder) decode(p *astiav.Packet, emit func(*astiav.Frame) error) error {
	if err := d.cc.SendPacket(p); err != nil && !errors.Is(err, astiav.ErrEof) {
		if errors.Is(err, astiav.ErrEagain) {
			return fmt.Errorf("decoder is full: %w", err)
		}
		d.errors++
	}
	for failures := 0; ; {
		err := d.cc.ReceiveFrame(d.frame)
		switch {
		case errors.Is(err, astiav.ErrEagain), errors.Is(err, astiav.ErrEof):
			return nil
		case err != nil:
			// A drain goes on past damage: good frames may lie behind it.
			d.errors++
			if failures++; p != nil || failures > maxDrainErrors {
				return nil
			}
			continue
		}
		if damaged(d.frame) {
			d.errors++
		}
		d.stamp()
		err = emit(d.frame)
		d.frame.Unref()
		if err != nil {
			return err
		}
	}
}

// stamp gives the frame the best timestamp there is: the decoder's, else the
// one that follows from its predecessor.
func (d *decoder) stamp() {
	t := bestEffort(d.frame)
	if t == noPTS {
		t = 0
		if d.have {
			t = d.next
		}
		d.guessed++
	}
	step := frameDuration(d.frame)
	if n := d.frame.NbSamples(); n > 0 && d.frame.SampleRate() > 0 {
		step = timeline.Rescale(int64(n), timeline.Timebase{Num: 1, Den: int64(d.frame.SampleRate())}, d.base)
	} else if step <= 0 {
		step = d.step
	}
	d.next, d.have = t+step, true
	d.frame.SetPts(t)
}

// follow expects the first frame where another decoder's next one would be.
func (d *decoder) follow(o *decoder) {
	d.next, d.have = timeline.Rescale(o.next, o.base, d.base), o.have
}

func (d *decoder) flush() { flushDecoder(d.cc); d.have = false }

func (d *decoder) Close() {
	if d.frame != nil {
		d.frame.Free()
	}
	d.cc.Free()
}
