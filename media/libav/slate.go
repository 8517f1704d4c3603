package libav

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/overlay"
)

// What a slate is where the job says nothing of it.
const slateColor, slateText = "1c1c1e", "NO SIGNAL"

// drawSlate is the job's slate, a BT.709 picture of the size of the largest rendition.
func drawSlate(spec media.Spec) (*astiav.Frame, error) {
	w, h := largestVideo(spec.Renditions)
	f := astiav.AllocFrame()
	f.SetWidth(w)
	f.SetHeight(h)
	f.SetPixelFormat(astiav.PixelFormatYuv420P)
	f.SetSampleAspectRatio(astiav.NewRational(1, 1))
	f.SetColorRange(astiav.ColorRangeMpeg)
	f.SetColorSpace(astiav.ColorSpaceBt709)
	setColorDesc(f, bt709, bt709)
	setChromaLocation(f, 1) // left, as decoders say it of what has no other
	err := f.AllocBuffer(0)
	if err == nil {
		err = paintSlate(f, spec)
	}
	if err != nil {
		f.Free()
		return nil, &media.Error{Code: media.EncoderError, Message: "draw the slate", Err: err, Advice: "give the slate a PNG image as for a logo, a colour such as 1c1c1e and a line of text, or leave it out"}
	}
	return f, nil
}

func largestVideo(all []ladders.Rendition) (w, h int) {
	for _, r := range all {
		if r.Video != nil && r.Video.Width*r.Video.Height > w*h {
			w, h = r.Video.Width, r.Video.Height
		}
	}
	return w, h
}

func paintSlate(f *astiav.Frame, spec media.Spec) error {
	s := spec.Slate
	y, cb, cr, err := slateCodes(cmp.Or(s.Color, slateColor))
	if err != nil {
		return err
	}
	img := yuv(f)
	for plane, value := range map[*[]byte]byte{&img.Y: y, &img.Cb: cb, &img.Cr: cr} {
		for i := range *plane {
			(*plane)[i] = value
		}
	}
	var list []ladders.Overlay
	logos := overlay.Logos{}
	if len(s.Image) > 0 {
		if logos["slate"], err = overlay.ReadLogo(s.Image); err != nil {
			return err
		}
		list = append(list, ladders.Overlay{Logo: "slate", At: "middle", Width: 10000, Opacity: 10000})
	}
	if text := cmp.Or(s.Text, slateText); text != " " && (s.Text != "" || len(s.Image) == 0) {
		list = append(list, ladders.Overlay{Text: text, At: "middle", Height: 800, Margin: 500, Opacity: 10000})
	}
	format := formatOf(f)
	board, err := overlay.New(format, list, logos, overlay.Words{Job: spec.Job, Rate: spec.Grid.Rate, OfDay: true})
	if err != nil {
		return err
	}
	strides := f.Linesize()
	for _, plate := range board.Plates(0) {
		for i := range plate.Planes {
			p := &plate.Planes[i]
			p.Draw(plane(f, i, p.Rect.Max.Y*strides[i]), strides[i], format.Depth)
		}
	}
	return nil
}

// slateCodes are the BT.709 code values of a colour.
func slateCodes(color string) (y, cb, cr byte, err error) {
	v, err := strconv.ParseUint(color, 16, 32)
	if err != nil || len(color) != 6 {
		return 0, 0, 0, fmt.Errorf("colour %q: want rrggbb", color)
	}
	r, g, b := float64(v>>16&255)/255, float64(v>>8&255)/255, float64(v&255)/255
	luma := 0.2126*r + 0.7152*g + 0.0722*b
	return byte(16.5 + 219*luma), byte(128.5 + 224*(b-luma)/1.8556), byte(128.5 + 224*(r-luma)/1.5748), nil
}
