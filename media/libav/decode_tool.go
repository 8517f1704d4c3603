package libav

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media/card"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// DecodedFrame is one line of DecodeStream.
type DecodedFrame struct {
	Type    string   `json:"type"` // video, audio
	PTS     int64    `json:"pts"`
	Base    [2]int64 `json:"tb"`
	Key     bool     `json:"key"`
	Pict    string   `json:"pict,omitempty"`
	Width   int      `json:"w,omitempty"`
	Height  int      `json:"h,omitempty"`
	Samples int      `json:"samples,omitempty"`
	MD5     string   `json:"md5"`
	// Card is the test card's frame number in the picture, -1 when there is none.
	Card int64 `json:"card"`
	// Luma is the mean of the test card's flash area; Peak the loudest sample, 0..1.
	Luma int     `json:"luma,omitempty"`
	Peak float64 `json:"peak,omitempty"`
}

// DecodeSummary is the last line of DecodeStream.
type DecodeSummary struct {
	Summary  bool     `json:"summary"`
	Frames   int64    `json:"frames"`
	Errors   int64    `json:"errors"`
	Messages []string `json:"messages"`
}

// DecodeStream decodes one track from a byte stream (an init segment and its
// media segments) and writes a JSON line a frame and a summary. It trusts
// nothing: damage is counted, and the first sentences about it are kept.
func DecodeStream(ctx context.Context, in io.Reader, out io.Writer, frames bool) error {
	w := bufio.NewWriter(out)
	defer func() { _ = w.Flush() }()
	enc := json.NewEncoder(w)
	sum := DecodeSummary{Summary: true, Messages: []string{}}
	err := decodeStream(ctx, in, &sum, func(f *astiav.Frame, d *decoder) error {
		sum.Frames++
		if !frames {
			return nil
		}
		line, err := describe(f, d.base)
		if err != nil {
			return err
		}
		return enc.Encode(line)
	})
	if err != nil {
		sum.Errors++
		sum.Messages = append(sum.Messages, err.Error())
	}
	return enc.Encode(sum)
}

// DecodeFile decodes the tracks of a source that a job would take, the chosen
// video and the first audio, and writes what DecodeStream writes.
func DecodeFile(ctx context.Context, name string, out io.Writer, frames bool) error {
	anything := input.Rules{Patterns: []string{"*"}}
	info, err := Probe(ctx, name, anything)
	if err != nil {
		return err
	}
	src, err := openFileSource(ctx, name, anything, info, pacer{})
	if err != nil {
		return err
	}
	defer src.close()
	w := bufio.NewWriter(out)
	defer func() { _ = w.Flush() }()
	enc := json.NewEncoder(w)
	sum := DecodeSummary{Summary: true, Messages: append([]string{}, info.Notes...)}
	var mu sync.Mutex // the tracks decode side by side
	emit := func(base timeline.Timebase) func(*astiav.Frame) error {
		return func(f *astiav.Frame) error {
			mu.Lock()
			defer mu.Unlock()
			sum.Frames++
			if !frames {
				return nil
			}
			line, err := describe(f, base)
			if err != nil {
				return err
			}
			return enc.Encode(line)
		}
	}
	to := sinks{}
	if v := info.BestVideo(); v != nil {
		to.video = emit(v.Base)
	}
	if len(info.Audio) > 0 {
		to.audio = []func(*astiav.Frame) error{emit(info.Audio[0].Base)}
	}
	err = src.run(ctx, to)
	st := src.stats()
	sum.Errors, sum.Messages = st.errors, append(sum.Messages, st.notes...)
	if err != nil {
		sum.Errors++
		sum.Messages = append(sum.Messages, err.Error())
	}
	return enc.Encode(sum)
}

func decodeStream(ctx context.Context, in io.Reader, sum *DecodeSummary, emit func(*astiav.Frame, *decoder) error) error {
	fc := astiav.AllocFormatContext()
	defer fc.Free()
	ioc, err := astiav.AllocIOContext(ioBuffer, false, func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, astiav.ErrExit
		}
		return in.Read(b)
	}, nil, nil)
	if err != nil {
		return err
	}
	defer ioc.Free()
	fc.SetPb(ioc)
	fc.SetFlags(fc.Flags().Add(astiav.FormatContextFlagCustomIo))
	fc.SetIOOpener(denyNested, func(*astiav.IOContext) error { return nil })
	if err := fc.OpenInput("", astiav.FindInputFormat("mov"), nil); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer fc.CloseInput()
	if fc.NbStreams() != 1 {
		return fmt.Errorf("want one track, found %d", fc.NbStreams())
	}
	d, err := openDecoder(fc.Streams()[0], 1)
	if err != nil {
		return err
	}
	defer d.Close()
	pkt := astiav.AllocPacket()
	defer pkt.Free()
	each := func(f *astiav.Frame) error { return emit(f, d) }
	var shift int64
	for {
		err := fc.ReadFrame(pkt)
		if errors.Is(err, astiav.ErrEof) {
			break
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if pkt.Flags().Has(astiav.PacketFlagKey) {
			// libavformat moves presentation times by the largest negative
			// composition offset so far; an IDR of ours is presented when it decodes.
			shift = pkt.Pts() - pkt.Dts()
		}
		pkt.SetPts(pkt.Pts() - shift)
		err = d.decode(pkt, each)
		pkt.Unref()
		if err != nil {
			return err
		}
	}
	err = d.decode(nil, each)
	sum.Errors += d.errors
	if d.errors > 0 {
		sum.Messages = append(sum.Messages, fmt.Sprintf("%d packets or pictures are damaged", d.errors))
	}
	return err
}

func describe(f *astiav.Frame, base timeline.Timebase) (DecodedFrame, error) {
	line := DecodedFrame{PTS: f.Pts(), Base: [2]int64{base.Num, base.Den}, Card: -1, Key: f.Flags().Has(astiav.FrameFlagKey)}
	data, err := frameBytes(f)
	if err != nil {
		return line, err
	}
	h := md5.Sum(data)
	line.MD5 = hex.EncodeToString(h[:])
	if f.NbSamples() > 0 {
		line.Type, line.Samples, line.Peak = "audio", f.NbSamples(), peak(f, data)
		return line, nil
	}
	line.Type, line.Width, line.Height, line.Pict = "video", f.Width(), f.Height(), f.PictureType().String()
	if n, ok := card.Read(data, f.Width(), f.Width(), f.Height()); ok {
		line.Card = int64(n)
		line.Luma = flashLuma(data, f.Width(), f.Height())
	}
	return line, nil
}

// frameBytes is the frame's samples or planes without padding.
func frameBytes(f *astiav.Frame) ([]byte, error) {
	var n int
	var err error
	if f.NbSamples() > 0 {
		n, err = f.SamplesBufferSize(1)
	} else {
		n, err = f.ImageBufferSize(1)
	}
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if f.NbSamples() > 0 {
		_, err = f.SamplesCopyToBuffer(b, 1)
	} else {
		_, err = f.ImageCopyToBuffer(b, 1)
	}
	return b, err
}

// peak is the loudest sample of a float frame.
func peak(f *astiav.Frame, data []byte) float64 {
	if f.SampleFormat() != astiav.SampleFormatFltp && f.SampleFormat() != astiav.SampleFormatFlt {
		return 0
	}
	return floatPeak(data)
}

// flashLuma is the mean luma of the area where the test card flashes.
func flashLuma(luma []byte, w, h int) int {
	r := (&card.Card{Width: w, Height: h}).FlashArea()
	sum, n := 0, 0
	for y := r.Min.Y + r.Dy()/4; y < r.Max.Y-r.Dy()/4; y++ {
		for x := r.Min.X + r.Dx()/4; x < r.Max.X-r.Dx()/4; x++ {
			sum, n = sum+int(luma[y*w+x]), n+1
		}
	}
	return sum / max(n, 1)
}
