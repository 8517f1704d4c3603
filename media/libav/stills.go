package libav

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// errEnough ends a decode early.
var errEnough = errors.New("enough")

// Stills are the pictures of a CMAF segment that are presented at these times,
// in ticks of its track, scaled to a size with even sides, as a JPEG wants them:
// full range, BT.601. It decodes no further than it must.
func Stills(ctx context.Context, init, segment []byte, at []int64, width, height int) ([]*image.YCbCr, error) {
	out := make([]*image.YCbCr, len(at))
	left := len(at)
	var scale *graph
	defer func() {
		if scale != nil {
			scale.Close()
		}
	}()
	err := decodeStream(ctx, io.MultiReader(bytes.NewReader(init), bytes.NewReader(segment)), &DecodeSummary{}, func(f *astiav.Frame, _ *decoder) error {
		i := slices.Index(at, f.Pts())
		if i < 0 || out[i] != nil {
			return nil
		}
		if scale == nil {
			var err error
			if scale, err = newVideoGraph(f, timeline.Timebase{Num: 1, Den: 1}, stillChain(width, height), 1); err != nil {
				return err
			}
		}
		err := scale.push(f, func(small *astiav.Frame) (err error) {
			out[i], err = still(small, width, height)
			return err
		})
		if left--; err == nil && left == 0 {
			return errEnough
		}
		return err
	})
	switch {
	case left == 0 && (err == nil || errors.Is(err, errEnough)):
		return out, nil
	case err == nil:
		err = fmt.Errorf("%d pictures are not in the segment", left)
	}
	return nil, fmt.Errorf("stills: %w", err)
}

// stillChain gives the same samples on every CPU.
func stillChain(width, height int) string {
	return fmt.Sprintf("scale=w=%d:h=%d:flags=area+accurate_rnd+bitexact:out_range=pc:out_color_matrix=bt601,format=yuv420p", width, height)
}

func still(f *astiav.Frame, width, height int) (*image.YCbCr, error) {
	planes, err := frameBytes(f)
	if err != nil {
		return nil, err
	}
	luma, chroma := width*height, width*height/4
	if len(planes) < luma+2*chroma {
		return nil, fmt.Errorf("a picture of %d bytes", len(planes))
	}
	return &image.YCbCr{
		Y: planes[:luma], Cb: planes[luma : luma+chroma], Cr: planes[luma+chroma : luma+2*chroma], YStride: width, CStride: width / 2,
		SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, width, height),
	}, nil
}
