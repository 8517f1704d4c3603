package libav

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// audioStage resamples one track onto the audio frame grid and encodes it. The
// sample position is exact at the join and then counted. What the source's
// timestamps say otherwise (steady) is resampled away, inaudibly slowly, or past
// 15 ms filled with silence or cut: 20 ms are never passed for longer than it
// takes to be sure.
type audioStage struct {
	p     *Pipeline
	name  string
	a     ladders.Audio
	track int
	in    chan *astiav.Frame
	done  chan struct{}
	base  timeline.Timebase
	grid  timeline.AudioGrid

	cc      *astiav.CodecContext
	pkt     *astiav.Packet
	frame   *astiav.Frame // one encoder frame
	fifo    *astiav.AudioFifo
	line    steady
	g       *graph
	built   string
	began   int64 // the encoder's sample at which the resampler's first frame lies
	skip    int   // samples of the resampler that lie before the encoder's next one
	start   int64 // sample at which the encoder starts: a few frames early
	first   int64 // first frame that is handed out
	lead    int64 // samples of encoder delay beyond whole frames: the input is that much early
	fed     int64 // samples given to the encoder
	end     int64 // sample after the last real one
	frames  atomic.Int64
	flushed bool
}

// preRoll is how many frames before the join the encoder starts, so that the
// join is inaudible.
const preRoll = 3

// audioFrames is how many decoded frames may wait.
const audioFrames = 64

func newAudioStage(p *Pipeline, r ladders.Rendition) (*audioStage, error) {
	s := &audioStage{p: p, name: r.Name, a: *r.Audio, track: r.Audio.Track, in: make(chan *astiav.Frame, audioFrames), done: make(chan struct{}), base: p.facts.Audio[r.Audio.Track].Base, pkt: astiav.AllocPacket()}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *audioStage) open() error {
	name := map[string]string{"aac": "aac", "opus": "libopus", "ac-3": "ac3"}[s.a.Codec]
	codec := astiav.FindEncoderByName(name)
	if codec == nil {
		return s.fail(fmt.Sprintf("codec %q has no encoder in this build", s.a.Codec), nil)
	}
	s.cc = astiav.AllocCodecContext(codec)
	s.cc.SetSampleRate(s.a.SampleRate)
	s.cc.SetChannelLayout(layout(s.a.Channels))
	s.cc.SetSampleFormat(codec.SupportedSampleFormats()[0])
	s.cc.SetBitRate(s.a.Bitrate)
	s.cc.SetTimeBase(astiav.NewRational(1, s.a.SampleRate))
	s.cc.SetThreadCount(1)
	s.cc.SetFlags(astiav.NewCodecContextFlags(astiav.CodecContextFlagGlobalHeader))
	if err := s.cc.Open(codec, nil); err != nil {
		return s.fail("encoder "+name+" does not open", err)
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
	}
	return astiav.ChannelLayoutStereo
}

func (s *audioStage) config() media.CodecConfig {
	c := media.CodecConfig{Extradata: append([]byte(nil), s.cc.ExtraData()...), FrameSize: s.grid.FrameSize}
	if s.a.Codec == "opus" {
		c.Extradata = dOps(s.a)
	}
	return c
}

// dOps is the body of the Opus Specific Box (Encapsulation of Opus in ISOBMFF
// §4.3.2). Nothing is to be skipped: the samples are where their times say.
func dOps(a ladders.Audio) []byte {
	b := []byte{0, byte(a.Channels), 0, 0}
	b = binary.BigEndian.AppendUint32(b, uint32(a.SampleRate))
	return append(b, 0, 0, 0)
}

func (s *audioStage) run(ctx context.Context) error {
	defer s.close()
	tell := sync.OnceFunc(func() { s.p.ends.at(samplesUS(s.wholeFrames(s.end), s.grid)) })
	defer tell()
	if err := s.p.o.Output.Init(s.name, s.config()); err != nil {
		return s.drainInput(err)
	}
	for f := range s.in {
		err := s.take(ctx, f)
		f.Free()
		if err != nil {
			return s.drainInput(err)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := s.feed(ctx, s.line.drain()); err != nil {
		return ignoreFinished(err)
	}
	if s.g != nil {
		if err := s.g.push(nil, func(out *astiav.Frame) error { return s.resampled(ctx, out) }); err != nil {
			return ignoreFinished(err)
		}
	}
	tell()
	if !s.p.o.Spec.Live {
		if err := s.silence(ctx); err != nil {
			return ignoreFinished(err)
		}
	}
	return s.flush(ctx)
}

// silence follows the last sample until the longest track ends, where more
// than a frame is missing.
func (s *audioStage) silence(ctx context.Context) error {
	end, err := s.p.ends.wait(ctx)
	if err != nil {
		return err
	}
	until := timeline.Rescale(end, microseconds, timeline.Timebase{Num: 1, Den: s.grid.SampleRate})
	if until-s.end <= s.grid.FrameSize {
		return nil
	}
	s.end = until
	return s.quietUntil(ctx, until-s.start-s.lead)
}

// wholeFrames is the end of the frame that holds the sample before at.
func (s *audioStage) wholeFrames(at int64) int64 {
	size := s.grid.FrameSize
	if r := at % size; r > 0 {
		return at - r + size
	}
	return at
}

// quiet puts n samples of silence into the queue.
func (s *audioStage) quiet(n int) error {
	f := s.newFrame(n)
	defer f.Free()
	if err := f.AllocBuffer(0); err != nil {
		return fmt.Errorf("silence: %w", err)
	}
	if err := f.SamplesFillSilence(); err != nil {
		return fmt.Errorf("silence: %w", err)
	}
	_, err := s.fifo.Write(f)
	return err
}

// drainInput frees what is still coming after the stop or a failure.
func (s *audioStage) drainInput(err error) error {
	s.finish()
	if err = ignoreFinished(err); err != nil {
		_ = s.p.failed(err)
	}
	for f := range s.in {
		f.Free()
	}
	return err
}

func (s *audioStage) finish() {
	select {
	case <-s.done:
	default:
		close(s.done)
	}
}

// position is the sample of the grid at which source time t belongs.
func (s *audioStage) position(t int64) int64 {
	a, g := s.p.anchor, s.p.o.Spec.Grid
	one := timeline.Timebase{Num: 1, Den: s.grid.SampleRate}
	return timeline.Rescale(t, s.base, one) - timeline.Rescale(a.Source, a.Base, one) + s.grid.SampleAt(g.Ticks(a.Frame), g.Timescale)
}

func (s *audioStage) take(ctx context.Context, f *astiav.Frame) error {
	c := f.Clone()
	if c == nil {
		return errors.New("allocate frame")
	}
	return s.feed(ctx, s.line.put(c, s.position(f.Pts())-s.start))
}

// feed gives the resampler frames at their places, and frees them.
func (s *audioStage) feed(ctx context.Context, frames []steadyFrame) (err error) {
	for _, x := range frames {
		if err == nil {
			err = s.place(ctx, x)
		}
		x.f.Free()
	}
	return err
}

func (s *audioStage) place(ctx context.Context, x steadyFrame) error {
	at, end := x.at>>steadyBits, (x.at+x.length)>>steadyBits
	if end <= 0 {
		return nil
	}
	s.end = max(s.end, s.start+end)
	if key := audioKey(x.f); s.built != key {
		if err := s.rebuild(ctx, x.f, key, at-s.lead); err != nil {
			return err
		}
	}
	x.f.SetPts(at - s.lead - s.began)
	return s.g.push(x.f, func(out *astiav.Frame) error { return s.resampled(ctx, out) })
}

func audioKey(f *astiav.Frame) string {
	return fmt.Sprintf("%d %s %s", f.SampleRate(), f.SampleFormat(), f.ChannelLayout())
}

// rebuild makes the resampler for frames like f, the first of which begins at
// sample at of the encoder, exactly: silence before it, or a cut.
func (s *audioStage) rebuild(ctx context.Context, f *astiav.Frame, key string, at int64) error {
	if s.g != nil {
		if err := s.g.push(nil, func(out *astiav.Frame) error { return s.resampled(ctx, out) }); err != nil {
			return err
		}
		s.g.Close()
		s.g = nil
	}
	gap := at - s.queued()
	s.skip = int(max(-gap, 0))
	if err := s.quietUntil(ctx, at); err != nil {
		return err
	}
	var err error
	s.g, err = newAudioGraph(f, timeline.Timebase{Num: 1, Den: s.grid.SampleRate}, s.chain())
	if err != nil {
		return s.fail("resampler", err)
	}
	s.built, s.began = key, at
	return nil
}

// chain resamples. A distance between timestamps and samples of 4 ms is closed
// at 0.5 % (9 cents, nobody hears it), one of 15 ms at once. The first sample is
// at 0, said so because the resampler otherwise forgets it when it starts to
// stretch.
func (s *audioStage) chain() string {
	return fmt.Sprintf("aresample=%d:async=%d:min_comp=0.004:min_hard_comp=0.015:comp_duration=0.5:first_pts=0,aformat=sample_fmts=%s:channel_layouts=%s",
		s.a.SampleRate, s.a.SampleRate/200, s.cc.SampleFormat(), s.cc.ChannelLayout())
}

// queued is how many samples the encoder has or will have.
func (s *audioStage) queued() int64 { return s.fed + int64(s.fifo.Size()) }

// quietUntil gives the encoder silence up to its sample at.
func (s *audioStage) quietUntil(ctx context.Context, at int64) error {
	for n := at - s.queued(); n > 0; n = at - s.queued() {
		if err := s.quiet(int(min(n, s.grid.FrameSize))); err != nil {
			return err
		}
		if err := s.encodeQueued(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *audioStage) resampled(ctx context.Context, f *astiav.Frame) error {
	if s.skip > 0 {
		return s.skipped(ctx, f)
	}
	if _, err := s.fifo.Write(f); err != nil {
		return fmt.Errorf("audio queue: %w", err)
	}
	return s.encodeQueued(ctx)
}

// skipped lets go of the samples at the start of f that lie before the
// encoder's next one.
func (s *audioStage) skipped(ctx context.Context, f *astiav.Frame) error {
	n := f.NbSamples()
	cut := min(s.skip, n)
	s.skip -= cut
	if cut == n {
		return nil
	}
	q := astiav.AllocAudioFifo(s.cc.SampleFormat(), s.a.Channels, n)
	defer q.Free()
	if _, err := q.Write(f); err != nil {
		return fmt.Errorf("audio queue: %w", err)
	}
	for _, size := range []int{cut, n - cut} {
		if err := f.MakeWritable(); err != nil {
			return fmt.Errorf("audio frame: %w", err)
		}
		f.SetNbSamples(size)
		if _, err := q.Read(f); err != nil {
			return fmt.Errorf("audio queue: %w", err)
		}
	}
	return s.resampled(ctx, f)
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

func ignoreFinished(err error) error {
	if err == errFinished { //nolint:errorlint // a sentinel of this package, never wrapped
		return nil
	}
	return err
}

func (s *audioStage) fail(what string, err error) error {
	return &media.Error{Code: media.EncoderError, Message: fmt.Sprintf("rendition %s: %s", s.name, what), Advice: "change the audio rung of the ladder (aac at 48 kHz, 1, 2 or 6 channels)", Err: err}
}

func (s *audioStage) close() {
	s.finish()
	s.line.free()
	if s.g != nil {
		s.g.Close()
	}
	s.fifo.Free()
	s.frame.Free()
	s.pkt.Free()
	s.cc.Free()
}
