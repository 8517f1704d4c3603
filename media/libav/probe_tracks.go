package libav

import (
	"cmp"
	"fmt"
	"math"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// frame takes the facts of the first decoded frame.
func (t *probeTrack) frame(f *astiav.Frame) error {
	if t.seen {
		return nil
	}
	t.seen = true
	if t.audio != nil {
		t.audio.First = f.Pts()
		t.audio.Channels, t.audio.SampleRate = f.ChannelLayout().Channels(), f.SampleRate()
		t.audio.Layout = f.ChannelLayout().String()
		return nil
	}
	v := t.video
	v.First = f.Pts()
	v.Width, v.Height = f.Width(), f.Height()
	v.PixelFormat = f.PixelFormat().Name()
	v.BitDepth = bitDepth(f.PixelFormat())
	v.colour(f)
	v.Interlaced = f.Flags().Has(astiav.FrameFlagInterlaced)
	if sar := f.SampleAspectRatio(); sar.Num() > 0 && sar.Den() > 0 && v.SARNum == 0 {
		v.SARNum, v.SARDen = sar.Num(), sar.Den()
	}
	return nil
}

// colour fills in what the container does not say.
func (v *VideoInfo) colour(f *astiav.Frame) {
	primaries, transfer := colorDesc(f)
	v.Primaries = cmp.Or(v.Primaries, primariesName(astiav.ColorPrimaries(primaries)))
	v.Transfer = cmp.Or(v.Transfer, transferName(astiav.ColorTransferCharacteristic(transfer)))
	v.Matrix = cmp.Or(v.Matrix, known(f.ColorSpace().Name()))
	v.Range = cmp.Or(v.Range, known(f.ColorRange().Name()))
}

func (t *probeTrack) reason() string {
	kind := "audio"
	if t.video != nil {
		kind = "video"
	}
	name := t.s.CodecParameters().CodecID().String()
	switch {
	case t.err != nil:
		return fmt.Sprintf("%s stream %d (%s): %v", kind, t.s.Index(), name, t.err)
	case t.packets == 0:
		return fmt.Sprintf("%s stream %d (%s) is announced, but no packet of it arrives", kind, t.s.Index(), name)
	}
	return fmt.Sprintf("%s stream %d (%s): none of its %d packets decodes", kind, t.s.Index(), name, t.packets)
}

// rate decides the grid rate that the track calls for, from its own
// timestamps before the header's claims.
func (t *probeTrack) rate() {
	v := t.video
	avg, _ := timeline.NewRate(int64(t.s.AvgFrameRate().Num()), int64(t.s.AvgFrameRate().Den()))
	r, _ := timeline.NewRate(int64(t.s.RFrameRate().Num()), int64(t.s.RFrameRate().Den()))
	if v.Rate, v.Variable = timeline.NominalRate(avg, r, v.Base, t.pts); !v.Rate.Valid() {
		v.Rate = timeline.Rate{Num: 25, Den: 1}
	}
	if t.untimed() {
		v.Variable = false // it only looks so
	}
	// Field pictures come as two packets; the grid counts frames.
	if half := v.Rate.Div(2); v.Interlaced && avg.Valid() && timeline.Standard(avg) == half {
		v.Rate = half
	}
}

// untimed: most packets carry no timestamp. (Second fields have none of their own.)
func (t *probeTrack) untimed() bool { return t.missing*5 > t.packets*3 }

func videoInfo(s *astiav.Stream) *VideoInfo {
	cp := s.CodecParameters()
	v := &VideoInfo{
		Index: s.Index(), Codec: cp.CodecID().Name(), Profile: cp.ProfileName(), Width: cp.Width(), Height: cp.Height(),
		Bitrate: cp.BitRate(), Base: timebase(s.TimeBase()), Rotation: rotation(cp),
		Primaries: primariesName(cp.ColorPrimaries()), Transfer: transferName(cp.ColorTransferCharacteristic()),
		Matrix: known(cp.ColorSpace().Name()), Range: known(cp.ColorRange().Name()),
	}
	if sar := s.SampleAspectRatio(); sar.Num() > 0 && sar.Den() > 0 {
		v.SARNum, v.SARDen = sar.Num(), sar.Den()
	} else if sar := cp.SampleAspectRatio(); sar.Num() > 0 && sar.Den() > 0 {
		v.SARNum, v.SARDen = sar.Num(), sar.Den()
	}
	return v
}

func audioInfo(s *astiav.Stream) *AudioInfo {
	cp := s.CodecParameters()
	return &AudioInfo{Index: s.Index(), Codec: cp.CodecID().Name(), Bitrate: cp.BitRate(), Language: cmp.Or(tag(s, "language"), "und"), Base: timebase(s.TimeBase())}
}

// tag is an entry of a stream's metadata, "" without it.
func tag(s *astiav.Stream, key string) string {
	if md := s.Metadata(); md != nil {
		if e := md.Get(key, nil, 0); e != nil {
			return e.Value()
		}
	}
	return ""
}

// rotation is the clockwise turn that puts the picture upright, to the nearest
// quarter.
func rotation(cp *astiav.CodecParameters) int {
	m, ok := cp.SideData().DisplayMatrix().Get()
	if !ok {
		return 0
	}
	r := m.Rotation()
	if math.IsNaN(r) {
		return 0
	}
	return ((int(math.Round(r/90))*90)%360 + 360) % 360
}
