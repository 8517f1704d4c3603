package libav

import (
	"context"
	"errors"
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// samples is the sample of an audio grid at which time t of the source belongs.
func (p *Pipeline) samples(t int64, base timeline.Timebase, grid timeline.AudioGrid) int64 {
	a, g := p.anchor, p.o.Spec.Grid
	one := timeline.Timebase{Num: 1, Den: grid.SampleRate}
	return timeline.Rescale(t, base, one) - timeline.Rescale(a.Source, a.Base, one) + grid.SampleAt(g.Ticks(a.Frame), g.Timescale)
}

func (s *audioStage) position(t int64) int64 { return s.p.samples(t, s.base, s.grid) }

func (s *audioStage) take(ctx context.Context, f *astiav.Frame) error {
	if f.SampleRate() <= 0 || f.NbSamples() <= 0 {
		return nil // damage that a decoder let pass
	}
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
	steady := fmt.Sprintf(":async=%d:min_comp=0.004:min_hard_comp=0.015:comp_duration=0.5:first_pts=0", s.a.SampleRate/200)
	return fmt.Sprintf("%s%s,aformat=channel_layouts=%s%s,aformat=sample_fmts=%s:channel_layouts=%s",
		mapped(s.a), mixed(s.a.SampleRate, steady), s.cc.ChannelLayout(), s.level, s.cc.SampleFormat(), s.cc.ChannelLayout())
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
