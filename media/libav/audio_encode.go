package libav

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// openEncoder opens the encoder alone.
func (s *audioStage) openEncoder() error {
	name := map[string]string{"aac": "aac", "opus": "libopus", "ac-3": "ac3", "ec-3": "eac3"}[s.a.Codec]
	codec := astiav.FindEncoderByName(name)
	if codec == nil {
		return s.fail(fmt.Sprintf("codec %q has no encoder in this build", s.a.Codec), nil)
	}
	s.cc = astiav.AllocCodecContext(codec)
	s.cc.SetSampleRate(s.a.SampleRate)
	s.cc.SetChannelLayout(layout(s.a.Channels))
	if s.a.Codec == "opus" && s.a.Channels == 6 {
		s.cc.SetChannelLayout(astiav.ChannelLayout5Point1Back) // as RFC 7845 names the same places
	}
	s.cc.SetSampleFormat(codec.SupportedSampleFormats()[0])
	s.cc.SetBitRate(s.a.Bitrate)
	s.cc.SetTimeBase(astiav.NewRational(1, s.a.SampleRate))
	s.cc.SetThreadCount(1)
	s.cc.SetFlags(astiav.NewCodecContextFlags(astiav.CodecContextFlagGlobalHeader))
	if err := s.cc.Open(codec, nil); err != nil {
		return s.fail("encoder "+name+" does not open", err)
	}
	return nil
}

func (s *audioStage) open() error {
	if err := s.openEncoder(); err != nil {
		return err
	}
	size := int64(s.cc.FrameSize())
	s.grid = timeline.AudioGrid{SampleRate: int64(s.a.SampleRate), FrameSize: size}
	g := s.p.o.Spec.Grid
	s.first = s.grid.FrameAtOrAfter(g.Ticks(s.p.firstFrame()), g.Timescale)
	s.start = s.grid.Sample(s.first - preRoll)
	s.lead = initialPadding(s.cc) % size
	s.line.rate = s.grid.SampleRate
	s.frame = s.newFrame(int(size))
	s.fifo = astiav.AllocAudioFifo(s.cc.SampleFormat(), s.a.Channels, int(size)*2)
	return s.frame.AllocBuffer(0)
}

func (s *audioStage) newFrame(n int) *astiav.Frame {
	f := astiav.AllocFrame()
	f.SetSampleFormat(s.cc.SampleFormat())
	f.SetChannelLayout(s.cc.ChannelLayout())
	f.SetSampleRate(s.a.SampleRate)
	f.SetNbSamples(n)
	return f
}

func layout(channels int) astiav.ChannelLayout {
	switch channels {
	case 1:
		return astiav.ChannelLayoutMono
	case 6:
		return astiav.ChannelLayout5Point1
	case 8:
		return astiav.ChannelLayout7Point1
	}
	return astiav.ChannelLayoutStereo
}

func (s *audioStage) config() media.CodecConfig {
	c := media.CodecConfig{Extradata: append([]byte(nil), s.cc.ExtraData()...), FrameSize: s.grid.FrameSize}
	switch s.a.Codec {
	case "opus":
		c.Extradata = dOps(s.a, c.Extradata)
	case "ac-3":
		c.Extradata = dac3(s.a)
	case "ec-3":
		c.Extradata = dec3(s.a)
	}
	return c
}

// dOps is the body of the Opus Specific Box (Encapsulation of Opus in ISOBMFF
// §4.3.2). Nothing is to be skipped: the samples are where their times say. How
// more than two channels lie in the streams of a packet is told by the encoder's
// identification header (RFC 7845 §5.1), from its mapping family on.
func dOps(a ladders.Audio, head []byte) []byte {
	b := []byte{0, byte(a.Channels), 0, 0}
	b = binary.BigEndian.AppendUint32(b, uint32(a.SampleRate))
	b = append(b, 0, 0)
	const family = 18
	if len(head) >= family+3+a.Channels && head[family] != 0 {
		return append(b, head[family:family+3+a.Channels]...)
	}
	return append(b, 0)
}

// encodeQueued encodes whole frames from the queue.
func (s *audioStage) encodeQueued(ctx context.Context) error {
	for int64(s.fifo.Size()) >= s.grid.FrameSize {
		if err := s.encodeNext(ctx); err != nil {
			return err
		}
	}
	return nil
}

// encodeNext encodes one frame from the queue.
func (s *audioStage) encodeNext(ctx context.Context) error {
	if err := s.frame.MakeWritable(); err != nil {
		return fmt.Errorf("audio frame: %w", err)
	}
	n, err := s.fifo.Read(s.frame)
	if err != nil {
		return fmt.Errorf("audio queue: %w", err)
	}
	s.frame.SetPts(s.fed)
	s.fed += int64(n)
	return s.encode(ctx, s.frame)
}

func (s *audioStage) encode(ctx context.Context, f *astiav.Frame) error {
	if err := s.cc.SendFrame(f); err != nil && !errors.Is(err, astiav.ErrEof) {
		return s.fail("encoder refused a frame", err)
	}
	for {
		err := s.cc.ReceivePacket(s.pkt)
		if errors.Is(err, astiav.ErrEagain) || errors.Is(err, astiav.ErrEof) {
			return nil
		}
		if err != nil {
			return s.fail("encoder broke off", err)
		}
		// Times count from start and begin below 0 by the encoder's delay, with
		// the lead a whole number of frames.
		size := s.grid.FrameSize
		k := s.first - 2*preRoll + (s.pkt.Pts()+s.lead+preRoll*size+size/2)/size
		data := append([]byte(nil), s.pkt.Data()...)
		s.pkt.Unref()
		if err := s.emit(ctx, k, data); err != nil {
			return err
		}
	}
}

func (s *audioStage) emit(ctx context.Context, k int64, data []byte) error {
	if k < s.first {
		return nil
	}
	if !s.p.at(s.grid.Segment(s.p.o.Spec.Grid, k)) {
		return errFinished
	}
	// What the encoder pads at the end is not programme.
	if s.flushed && s.grid.Sample(k) >= s.end {
		return nil
	}
	s.frames.Add(1)
	return s.p.o.Output.Write(ctx, s.name, media.Packet{Data: data, Index: k, Key: true})
}

// flush encodes what is left, the last frame filled up with silence.
func (s *audioStage) flush(ctx context.Context) error {
	s.flushed = true
	if err := s.pad(); err != nil {
		return err
	}
	for s.fifo.Size() > 0 {
		if err := s.encodeNext(ctx); err != nil {
			return ignoreFinished(err)
		}
	}
	return ignoreFinished(s.encode(ctx, nil))
}

// pad fills the queue with silence to whole frames, and to one more where the
// encoder's lead needs it.
func (s *audioStage) pad() error {
	size := int(s.grid.FrameSize)
	missing := (size - s.fifo.Size()%size) % size
	if s.lead > 0 {
		missing += size
	}
	if missing == 0 {
		return nil
	}
	return s.quiet(missing)
}
