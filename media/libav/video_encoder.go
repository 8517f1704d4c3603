package libav

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"syscall"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/captions"
	"github.com/galafarm/gala/media/encoders"
	"github.com/galafarm/gala/timeline"
)

// videoEncoder encodes one rendition. It is opened by its first frame, which
// says where its chroma lies and what display it was graded on.
type videoEncoder struct {
	name   string
	v      ladders.Video
	grid   timeline.Grid
	live   bool
	ease   encoders.Ease
	row    encoders.Encoder
	format string         // pixel format of the samples
	gpu    *gpu           // that it encodes on, nil: the processor
	card   *encoders.Card // as it says, or what it takes of that
	spared string         // what it says to have and refuses, "" for nothing
	cc     *astiav.CodecContext
	pkt    *astiav.Packet
	base   int64 // grid frame of encoder time 0
	last   int64 // grid frame of the last picture
	// captions of pictures in the encoder, by grid frame. They are put into its
	// packets here: not every encoder of libavcodec does, and none of those on all
	// builds.
	captions map[int64][]captions.Triplet
	nal      *nalConverter
	config   media.CodecConfig
	// refused is an ease that would have changed the parameter sets; Full is none.
	refused encoders.Ease
	// fed: it has had a picture. drained: it was told that none follows.
	fed, drained bool
}

func newVideoEncoder(name string, v ladders.Video, grid timeline.Grid, live bool) (*videoEncoder, error) {
	row, ok := encoders.Find(v)
	if !ok {
		return nil, &media.Error{Code: media.EncoderError, Message: fmt.Sprintf("no encoder %q for codec %q", v.Encoder, v.Codec), Advice: "use codec h264, hevc or av1 in the ladder"}
	}
	e := &videoEncoder{name: name, v: v, grid: grid, live: live, row: row, format: row.PixelFormat(v), pkt: astiav.AllocPacket(), captions: map[int64][]captions.Triplet{}}
	if e.format == "" {
		return nil, e.fail(fmt.Sprintf("has no %d bits", v.Depth), nil)
	}
	return e, nil
}

// on says which device it encodes on, and refuses what that cannot encode.
func (e *videoEncoder) on(g *gpu) error {
	card, err := g.card(e.row.Codec)
	if err != nil {
		return err
	}
	e.gpu, e.card = g, &card
	if why := card.Refuses(e.rung()); why != "" {
		return &media.Error{Code: media.EncoderError, Retryable: true, Message: fmt.Sprintf("rendition %s: %s", e.name, why), Advice: "`gala fleet show HOST` lists what its GPUs encode: place the job on another, or change the rung"}
	}
	return nil
}

// rung is what its options depend on.
func (e *videoEncoder) rung() encoders.Rung {
	r := encoders.NewRung(e.v, e.grid, e.live, runtime.NumCPU())
	r.Ease, r.Card = e.ease, e.card
	return r
}

func (e *videoEncoder) rate() timeline.Rate { return e.grid.Rate.Div(e.v.Divisor) }

// open opens the encoder for pictures like f, the first of which is grid frame n.
func (e *videoEncoder) open(f *astiav.Frame, n int64) error {
	codec := astiav.FindEncoderByName(e.row.Name)
	if codec == nil {
		return e.fail("is not in this build of FFmpeg", nil)
	}
	e.base = n
	err := e.attempt(codec, f, e.row.Options(e.rung()))
	if e.gpu != nil && unsupported(err) && e.less(codec, f) {
		err = nil
	}
	if err != nil {
		return e.failed("does not open", err, true)
	}
	if e.nal, err = newNALConverter(e.v, e.cc.ExtraData(), chromaLocation(f)); err != nil {
		return e.fail("has an unreadable header", err)
	}
	e.config.Extradata = e.nal.config
	if e.gpu != nil && e.v.Codec == "hevc" && nvencAPIMajor < 13 {
		e.nal.sei = hdrSEI(e.config)
	}
	return nil
}

// unsupported tells errors by which a driver refuses options.
func unsupported(err error) bool {
	return errors.Is(err, averror(syscall.ENOSYS)) || errors.Is(err, averror(syscall.EINVAL))
}

// less asks less of a card that refuses what it says to have, from now on.
func (e *videoEncoder) less(codec *astiav.Codec, f *astiav.Frame) bool {
	for _, l := range e.row.Less(e.rung()) {
		if e.attempt(codec, f, e.row.Options(l.Rung)) == nil {
			e.card, e.spared = l.Rung.Card, l.Without
			return true
		}
	}
	return false
}

// attempt opens the encoder with these options.
func (e *videoEncoder) attempt(codec *astiav.Codec, f *astiav.Frame, options []encoders.Option) error {
	if e.cc != nil {
		e.cc.Free()
	}
	e.cc = astiav.AllocCodecContext(codec)
	if e.cc == nil {
		return errors.New("allocate encoder")
	}
	e.describe(f)
	for _, o := range encoders.Joined(options) {
		if err := setOption(e.cc, o.Key, o.Value); err != nil {
			return err
		}
	}
	if e.v.Range.HDR() {
		if err := passHDR(e.cc, f); err != nil {
			return err
		}
		e.config.Mastering, e.config.Light = mastering(f), lightLevel(f)
	}
	return e.cc.Open(codec, nil)
}

// describe tells the encoder what pictures come.
func (e *videoEncoder) describe(f *astiav.Frame) {
	cc, rate := e.cc, e.rate()
	cc.SetWidth(e.v.Width)
	cc.SetHeight(e.v.Height)
	cc.SetPixelFormat(f.PixelFormat())
	cc.SetHardwareFramesContext(f.HardwareFramesContext())
	cc.SetTimeBase(astiav.NewRational(int(rate.Den), int(rate.Num)))
	cc.SetFramerate(astiav.NewRational(int(rate.Num), int(rate.Den)))
	cc.SetSampleAspectRatio(astiav.NewRational(1, 1))
	cc.SetFlags(astiav.NewCodecContextFlags(astiav.CodecContextFlagGlobalHeader))
	e.color(f)
}

// color says in the stream and the init segment what the rendition shows; the
// pictures have been brought to it.
func (e *videoEncoder) color(f *astiav.Frame) {
	primaries, transfer, matrix := e.v.Range.CodePoints()
	e.cc.SetColorPrimaries(astiav.ColorPrimaries(primaries))
	e.cc.SetColorTransferCharacteristic(astiav.ColorTransferCharacteristic(transfer))
	e.cc.SetColorSpace(astiav.ColorSpace(matrix))
	e.cc.SetColorRange(astiav.ColorRangeMpeg)
	setCodecChroma(e.cc, chromaLocation(f))
	e.config.Primaries, e.config.Transfer, e.config.Matrix = primaries, transfer, matrix
	e.config.SARNum, e.config.SARDen = 1, 1
}

// encode takes the picture of grid frame n (nil drains) and hands out what is
// finished. The picture's type and time are overwritten.
func (e *videoEncoder) encode(f *astiav.Frame, n int64, emit func(media.Packet) error) error {
	if f != nil {
		e.last = n
		if ts := captions.Triplets(takeA53(f)); len(ts) > 0 {
			e.captions[n] = ts
		}
		f.SetPts((n - e.base) / e.v.Divisor)
		f.SetPictureType(astiav.PictureTypeNone)
		if e.grid.IDR(n) {
			f.SetPictureType(astiav.PictureTypeI)
		}
	}
	e.fed, e.drained = true, f == nil
	if err := e.cc.SendFrame(f); err != nil && !errors.Is(err, astiav.ErrEof) {
		return e.failed("refused a picture", err, false)
	}
	for {
		err := e.cc.ReceivePacket(e.pkt)
		if errors.Is(err, astiav.ErrEagain) || errors.Is(err, astiav.ErrEof) {
			return nil
		}
		if err != nil {
			return e.failed("broke off", err, false)
		}
		p := media.Packet{
			Index: e.pkt.Pts()*e.v.Divisor + e.base,
			Key:   e.pkt.Flags().Has(astiav.PacketFlagKey),
		}
		p.Data = captions.Insert(e.v.Codec, e.nal.convert(e.pkt.Data(), p.Key), e.captions[p.Index])
		delete(e.captions, p.Index)
		e.pkt.Unref()
		if p.Key != e.grid.IDR(p.Index) {
			return e.fail(fmt.Sprintf("put a key frame off the grid or left one out, at frame %d", p.Index), nil)
		}
		if err := emit(p); err != nil {
			return err
		}
	}
}

// change goes on with another ease from frame n on, the first of a segment. Where
// the parameter sets would not stay the same nothing changes.
func (e *videoEncoder) change(to encoders.Ease, f *astiav.Frame, n int64, emit func(media.Packet) error) error {
	if to == e.ease || to == e.refused || !e.row.Eases() {
		return nil
	}
	if e.gpu != nil {
		return e.reopen(to, f, n, emit)
	}
	next, err := newVideoEncoder(e.name, e.v, e.grid, e.live)
	if err != nil {
		return err
	}
	next.ease = to
	if err := next.open(f, n); err != nil || !bytes.Equal(next.nal.config, e.nal.config) {
		next.Close()
		e.refused = to
		return nil //nolint:nilerr // it goes on as it was
	}
	if err := e.encode(nil, 0, emit); err != nil {
		next.Close()
		return err
	}
	e.cc, next.cc = next.cc, e.cc
	e.nal, e.ease, e.base, e.refused, e.fed, e.drained = next.nal, to, n, encoders.Full, false, false
	next.fed, next.drained = true, true
	next.Close()
	return nil
}

// reopen is change on a GPU, where a rendition never has more than its one encoder
// session: what is open ends first, and comes back where nothing may change.
func (e *videoEncoder) reopen(to encoders.Ease, f *astiav.Frame, n int64, emit func(media.Packet) error) error {
	was, card, spared, config := e.ease, e.card, e.spared, e.nal.config
	if err := e.finish(emit); err != nil {
		return err
	}
	e.ease = to
	if err := e.open(f, n); err == nil && bytes.Equal(e.nal.config, config) {
		e.refused = encoders.Full
		return nil
	}
	if e.cc != nil {
		e.cc.Free()
		e.cc = nil
	}
	e.ease, e.card, e.spared, e.refused = was, card, spared, to
	return e.open(f, n)
}

// finish ends the stream: the next picture opens the encoder again.
func (e *videoEncoder) finish(emit func(media.Packet) error) error {
	if err := e.encode(nil, 0, emit); err != nil {
		return err
	}
	e.cc.Free()
	e.cc, e.nal, e.fed, e.drained = nil, nil, false, false
	clear(e.captions)
	return nil
}

// giveUp ends a stream that breaks off, and tells whether the encoder may be
// freed. SVT-AV1 waits for ever when it is freed in mid-stream, and also when
// it never saw a picture: then a worker that ends anyway rather leaks it.
func (e *videoEncoder) giveUp() bool {
	if e.row.Name != "libsvtav1" || e.nal == nil || e.drained {
		return true
	}
	if !e.fed || e.cc.SendFrame(nil) != nil {
		return false
	}
	for e.cc.ReceivePacket(e.pkt) == nil {
		e.pkt.Unref()
	}
	return true
}

// captionLast adds what is left over to the last picture, which every encoder
// that looks ahead still holds.
func (e *videoEncoder) captionLast(rest []captions.Triplet) {
	if len(rest) > 0 {
		e.captions[e.last] = append(e.captions[e.last], rest...)
	}
}

func (e *videoEncoder) fail(what string, err error) error {
	advice := "gala doctor shows what this build can encode; the worker's log has the encoder's own words"
	return &media.Error{Code: media.EncoderError, Message: fmt.Sprintf("rendition %s: encoder %s %s", e.name, e.row.Name, what), Advice: advice, Retryable: err != nil, Err: err}
}

// failed is fail, or what the device's part in it was.
func (e *videoEncoder) failed(what string, err error, opening bool) error {
	if e.gpu != nil {
		if why := e.gpu.why(err, opening); why != nil {
			why.Message, why.Err = fmt.Sprintf("rendition %s: %s", e.name, why.Message), err
			return why
		}
	}
	return e.fail(what, err)
}

func (e *videoEncoder) Close() {
	if e.cc != nil && e.giveUp() {
		e.cc.Free()
	}
	e.pkt.Free()
}
