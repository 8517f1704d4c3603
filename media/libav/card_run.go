package libav

import (
	"context"
	"fmt"
	"image"
	"sync/atomic"
	"time"

	"github.com/asticode/go-astiav"
	"golang.org/x/sync/errgroup"

	"github.com/galafarm/gala/media/card"
	"github.com/galafarm/gala/timeline"
)

// cardSource generates the test card. Its clock is the wall clock: live frame s
// is the s-th frame of its rate since the Unix epoch, so it can be generated
// again from any point, on any host.
type cardSource struct {
	spec    cardSpec
	pace    pacer
	first   int64 // frame to start with
	painted atomic.Int64
}

func (c *cardSource) info() Info         { return c.spec.info() }
func (c *cardSource) stats() sourceStats { return sourceStats{decoded: c.painted.Load()} }
func (c *cardSource) close()             {}

func (c *cardSource) run(ctx context.Context, out sinks) error {
	g, ctx := errgroup.WithContext(ctx)
	if out.video != nil {
		g.Go(func() error { return c.video(ctx, out.video) })
	}
	if len(out.audio) > 0 && out.audio[0] != nil {
		g.Go(func() error { return c.audio(ctx, out.audio[0]) })
	}
	return g.Wait()
}

func (c *cardSource) end() int64 {
	if c.spec.frames > 0 {
		return c.first + c.spec.frames
	}
	return 1 << 62
}

func (c *cardSource) video(ctx context.Context, emit func(*astiav.Frame) error) error {
	painter, err := card.New(c.spec.width, c.spec.height, c.spec.rate)
	if err != nil {
		return err
	}
	for s := c.first; s < c.end(); s++ {
		c.pace.aged(s, c.spec.base())
		if err := c.pace.wait(ctx, s, c.spec.base()); err != nil {
			return err
		}
		f, err := c.paint(painter, s)
		if err != nil {
			return err
		}
		c.painted.Add(1)
		err = emit(f)
		f.Free()
		if err != nil {
			return err
		}
	}
	return nil
}

// paint makes frame s of the card, a BT.709 limited-range picture.
func (c *cardSource) paint(painter *card.Card, s int64) (*astiav.Frame, error) {
	f := astiav.AllocFrame()
	f.SetWidth(painter.Width)
	f.SetHeight(painter.Height)
	f.SetPixelFormat(astiav.PixelFormatYuv420P)
	f.SetSampleAspectRatio(astiav.NewRational(1, 1))
	f.SetColorRange(astiav.ColorRangeMpeg)
	f.SetColorSpace(astiav.ColorSpaceBt709)
	setColorDesc(f, 1, 1)
	f.SetPts(s)
	if err := f.AllocBuffer(0); err != nil {
		f.Free()
		return nil, fmt.Errorf("card picture: %w", err)
	}
	t := time.UnixMicro(timeline.Rescale(s, c.spec.base(), microseconds))
	painter.Paint(yuv(f), s, t)
	return f, nil
}

// yuv is a frame's own 4:2:0 planes as a picture.
func yuv(f *astiav.Frame) *image.YCbCr {
	ys, cs := f.Linesize()[0], f.Linesize()[1]
	half := (f.Height() + 1) / 2
	return &image.YCbCr{
		Y: plane(f, 0, ys*f.Height()), Cb: plane(f, 1, cs*half), Cr: plane(f, 2, cs*half),
		YStride: ys, CStride: cs, SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, f.Width(), f.Height()),
	}
}

// cardAudioFrame is how many samples one audio frame of the card holds.
const cardAudioFrame = 1024

func (c *cardSource) audio(ctx context.Context, emit func(*astiav.Frame) error) error {
	painter, err := card.New(160, 90, c.spec.rate)
	if err != nil {
		return err
	}
	base := timeline.Timebase{Num: 1, Den: card.SampleRate}
	first, end := timeline.Rescale(c.first, c.spec.base(), base), int64(1)<<62
	if c.spec.frames > 0 {
		end = timeline.Rescale(c.end(), c.spec.base(), base)
	}
	for at := first; at < end; at += cardAudioFrame {
		n := min(cardAudioFrame, end-at)
		// A sample exists when its time has passed.
		if err := c.pace.wait(ctx, at+n, base); err != nil {
			return err
		}
		f, err := monoFrame(painter, at, int(n))
		if err != nil {
			return err
		}
		err = emit(f)
		f.Free()
		if err != nil {
			return err
		}
	}
	return nil
}

func monoFrame(painter *card.Card, at int64, n int) (*astiav.Frame, error) {
	f := astiav.AllocFrame()
	f.SetSampleFormat(astiav.SampleFormatFlt)
	f.SetChannelLayout(astiav.ChannelLayoutMono)
	f.SetSampleRate(card.SampleRate)
	f.SetNbSamples(n)
	f.SetPts(at)
	samples := make([]float32, n)
	painter.Audio(at, samples)
	err := f.AllocBuffer(0)
	if err == nil {
		err = f.Data().SetBytes(floatBytes(samples), 1)
	}
	if err != nil {
		f.Free()
		return nil, err
	}
	return f, nil
}
