package libav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// judge looks at what an input on air shows, where its job asks for that: whether
// the picture is black or stands, and whether there is any sound. It looks at few
// samples of few pictures, so that it costs nothing.
type judge struct {
	loss         media.Loss
	seen         []byte // samples of the picture looked at before
	next         int64  // time of the next picture to look at, µs
	black, still span
	quiet        map[int]*span // by audio track
}

// span is since when something lasts, in µs.
type span struct {
	on    bool
	since int64
	last  int64
}

// see notes at time t whether it lasts, and tells for how long.
func (s *span) see(on bool, t int64) time.Duration {
	if on && !s.on {
		s.since = t
	}
	s.on, s.last = on, t
	return s.lasted()
}

func (s *span) lasted() time.Duration {
	if !s.on {
		return 0
	}
	return time.Duration(s.last-s.since) * time.Microsecond
}

const (
	judgeEvery                   = 200_000 // µs
	judgeWide, judgeHigh         = 64, 36  // samples of a picture
	blackLevel                   = 32      // of 8 bits, in limited range: a little above black
	blackShare                   = 98      // % of the samples
	stillMost                    = 0.5     // mean difference, of 8 bits: less than an encoder's noise
	silenceMost          float64 = 0.001   // of full scale: -60 dB
)

// picture is what is wrong with the pictures up to this one, "" for nothing.
func (j *judge) picture(f *astiav.Frame, us int64) string {
	if j.loss.Black == 0 && j.loss.Freeze == 0 || us < j.next {
		return ""
	}
	j.next = us + judgeEvery
	now := someLuma(f)
	if now == nil {
		return ""
	}
	dark, diff := 0, 0
	for i, v := range now {
		if v <= blackLevel {
			dark++
		}
		if len(j.seen) == len(now) {
			diff += max(int(v)-int(j.seen[i]), int(j.seen[i])-int(v))
		}
	}
	still := len(j.seen) == len(now) && float64(diff) <= stillMost*float64(len(now))
	j.seen = now
	black, stands := j.black.see(dark*100 >= blackShare*len(now), us), j.still.see(still, us)
	switch {
	case j.loss.Black > 0 && black >= j.loss.Black:
		return fmt.Sprintf("its picture has been black for %v", black.Round(100*time.Millisecond))
	case j.loss.Freeze > 0 && stands >= j.loss.Freeze:
		return fmt.Sprintf("its picture has stood for %v", stands.Round(100*time.Millisecond))
	}
	return ""
}

// someLuma is some samples of the luma in 8 bits, nil for pictures without any
// that can be read.
func someLuma(f *astiav.Frame) []byte {
	if _, ok := drawable(f.PixelFormat()); !ok {
		return nil
	}
	w, h, stride, deep := f.Width(), f.Height(), f.Linesize()[0], bitDepth(f.PixelFormat())
	if w < judgeWide || h < judgeHigh || stride <= 0 {
		return nil
	}
	luma := plane(f, 0, stride*h)
	out := make([]byte, 0, judgeWide*judgeHigh)
	for y := range judgeHigh {
		row := luma[(2*y+1)*h/(2*judgeHigh)*stride:]
		for x := range judgeWide {
			at := (2*x + 1) * w / (2 * judgeWide)
			if deep > 8 {
				out = append(out, byte(binary.NativeEndian.Uint16(row[2*at:])>>(deep-8)))
				continue
			}
			out = append(out, row[at])
		}
	}
	return out
}

// sound is what is wrong with the sound up to this frame of a track, "" for
// nothing: all of the tracks have to be silent.
func (j *judge) sound(track int, f *astiav.Frame, base timeline.Timebase) string {
	if j.loss.Silence == 0 {
		return ""
	}
	top, err := loudest(f)
	if err != nil {
		return ""
	}
	if j.quiet == nil {
		j.quiet = map[int]*span{}
	}
	if j.quiet[track] == nil {
		j.quiet[track] = &span{}
	}
	least := j.quiet[track].see(top <= silenceMost, timeline.Rescale(f.Pts(), base, microseconds))
	for _, s := range j.quiet {
		least = min(least, s.lasted())
	}
	if least < j.loss.Silence {
		return ""
	}
	return fmt.Sprintf("it has been silent for %v", least.Round(100*time.Millisecond))
}

var errSamples = errors.New("samples of another format")

// loudest is the loudest sample of a frame, of full scale.
func loudest(f *astiav.Frame) (float64, error) {
	size, err := f.SamplesBufferSize(1)
	if err != nil {
		return 0, err
	}
	b := make([]byte, size)
	if _, err := f.SamplesCopyToBuffer(b, 1); err != nil {
		return 0, err
	}
	top := 0.0
	switch f.SampleFormat() {
	case astiav.SampleFormatFlt, astiav.SampleFormatFltp:
		for ; len(b) >= 4; b = b[4:] {
			top = max(top, math.Abs(float64(math.Float32frombits(binary.NativeEndian.Uint32(b)))))
		}
	case astiav.SampleFormatS16, astiav.SampleFormatS16P:
		for ; len(b) >= 2; b = b[2:] {
			top = max(top, math.Abs(float64(int16(binary.NativeEndian.Uint16(b))))/(1<<15))
		}
	case astiav.SampleFormatS32, astiav.SampleFormatS32P:
		for ; len(b) >= 4; b = b[4:] {
			top = max(top, math.Abs(float64(int32(binary.NativeEndian.Uint32(b))))/(1<<31))
		}
	default:
		return 0, errSamples
	}
	return top, nil
}
