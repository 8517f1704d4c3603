package libav

import (
	"errors"
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/captions"
	"github.com/galafarm/gala/timeline"
)

// videoEncoder encodes one rendition. It is opened by its first frame, whose
// colour description it carries on.
type videoEncoder struct {
	name string
	v    ladders.Video
	grid timeline.Grid
	live bool
	row  Row
	cc   *astiav.CodecContext
	pkt  *astiav.Packet
	base int64 // grid frame of encoder time 0
	last int64 // grid frame of the last picture
	// captions of pictures in the encoder, by grid frame. They are put into its
	// packets here: not every encoder of libavcodec does, and none of those on all
	// builds.
	captions map[int64][]captions.Triplet
	nal      *nalConverter
	config   media.CodecConfig
}

func newVideoEncoder(name string, v ladders.Video, grid timeline.Grid, live bool) (*videoEncoder, error) {
	r, err := row(v)
	if err != nil {
		return nil, err
	}
	return &videoEncoder{name: name, v: v, grid: grid, live: live, row: r, pkt: astiav.AllocPacket(), captions: map[int64][]captions.Triplet{}}, nil
}

func (e *videoEncoder) rate() timeline.Rate { return e.grid.Rate.Div(e.v.Divisor) }

// open opens the encoder for pictures like f, the first of which is grid frame n.
func (e *videoEncoder) open(f *astiav.Frame, n int64) error {
	codec := astiav.FindEncoderByName(e.row.Name)
	if codec == nil {
		return e.fail("is not in this build of FFmpeg", nil)
	}
	cc := astiav.AllocCodecContext(codec)
	if cc == nil {
		return e.fail("cannot be allocated", nil)
	}
	e.cc, e.base = cc, n
	rate := e.rate()
	cc.SetWidth(e.v.Width)
	cc.SetHeight(e.v.Height)
	cc.SetPixelFormat(f.PixelFormat())
	cc.SetTimeBase(astiav.NewRational(int(rate.Den), int(rate.Num)))
	cc.SetFramerate(astiav.NewRational(int(rate.Num), int(rate.Den)))
	cc.SetSampleAspectRatio(astiav.NewRational(1, 1))
	cc.SetGopSize(int(e.grid.FramesPerGOP / e.v.Divisor))
	cc.SetBitRate(e.v.Bitrate)
	cc.SetRateControlMaxRate(e.v.Maxrate)
	cc.SetRateControlBufferSize(int(e.v.Bufsize))
	cc.SetThreadCount(threads(e.v))
	e.color(f)
	cc.SetFlags(astiav.NewCodecContextFlags(astiav.CodecContextFlagGlobalHeader, astiav.CodecContextFlagClosedGop))
	opts := astiav.NewDictionary()
	defer opts.Free()
	for _, o := range e.row.opts(encodeContext{Video: e.v, rate: rate, gop: e.grid.FramesPerGOP / e.v.Divisor, live: e.live}) {
		if o.Value != "" {
			_ = opts.Set(o.Key, o.Value, 0)
		}
	}
	if err := cc.Open(codec, opts); err != nil {
		return e.fail("does not open", err)
	}
	var err error
	if e.nal, err = newNALConverter(e.v.Codec, cc.ExtraData()); err != nil {
		return e.fail("has an unreadable header", err)
	}
	e.config.Extradata = e.nal.config
	return nil
}

// color carries the picture's description into the stream and the init segment.
func (e *videoEncoder) color(f *astiav.Frame) {
	primaries, transfer := colorDesc(f)
	e.cc.SetColorPrimaries(astiav.ColorPrimaries(primaries))
	e.cc.SetColorTransferCharacteristic(astiav.ColorTransferCharacteristic(transfer))
	e.cc.SetColorSpace(f.ColorSpace())
	e.cc.SetColorRange(astiav.ColorRangeMpeg)
	e.config.Primaries, e.config.Transfer, e.config.Matrix = primaries, transfer, int(f.ColorSpace())
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
	if err := e.cc.SendFrame(f); err != nil && !errors.Is(err, astiav.ErrEof) {
		return e.fail("refused a picture", err)
	}
	for {
		err := e.cc.ReceivePacket(e.pkt)
		if errors.Is(err, astiav.ErrEagain) || errors.Is(err, astiav.ErrEof) {
			return nil
		}
		if err != nil {
			return e.fail("broke off", err)
		}
		p := media.Packet{
			Index: e.pkt.Pts()*e.v.Divisor + e.base,
			Key:   e.pkt.Flags().Has(astiav.PacketFlagKey),
		}
		p.Data = captions.Insert(e.v.Codec, e.nal.convert(e.pkt.Data()), e.captions[p.Index])
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

func (e *videoEncoder) Close() {
	if e.cc != nil {
		e.cc.Free()
	}
	e.pkt.Free()
}
