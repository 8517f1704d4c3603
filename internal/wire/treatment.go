package wire

import (
	"github.com/galafarm/gala/ladders"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

func pictureProto(p *ladders.Picture) *galav1.PictureTreatment {
	if p == nil {
		return nil
	}
	out := &galav1.PictureTreatment{Fields: p.Fields, PadWidth: int32(p.Pad.W), PadHeight: int32(p.Pad.H), Denoise: string(p.Denoise)}
	for _, o := range p.Overlays {
		out.Overlays = append(out.Overlays, &galav1.Overlay{Logo: o.Logo, Text: o.Text, At: string(o.At),
			Width: int32(o.Width), Height: int32(o.Height), Margin: int32(o.Margin), Opacity: int32(o.Opacity)})
	}
	if c := p.Crop; c != nil {
		out.Crop = &galav1.CropRect{Width: int32(c.W), Height: int32(c.H), Left: int32(c.X), Top: int32(c.Y)}
	}
	return out
}

func picture(p *galav1.PictureTreatment) *ladders.Picture {
	if p == nil {
		return nil
	}
	out := &ladders.Picture{Fields: p.GetFields(), Pad: ladders.Aspect{W: int(p.GetPadWidth()), H: int(p.GetPadHeight())}, Denoise: ladders.Denoise(p.GetDenoise())}
	for _, o := range p.GetOverlays() {
		out.Overlays = append(out.Overlays, ladders.Overlay{Logo: o.GetLogo(), Text: o.GetText(), At: ladders.Place(o.GetAt()),
			Width: ladders.Percent(o.GetWidth()), Height: ladders.Percent(o.GetHeight()), Margin: ladders.Percent(o.GetMargin()), Opacity: ladders.Percent(o.GetOpacity())})
	}
	if c := p.GetCrop(); c != nil {
		out.Crop = &ladders.Rect{W: int(c.GetWidth()), H: int(c.GetHeight()), X: int(c.GetLeft()), Y: int(c.GetTop())}
	}
	return out
}

func channelProtos(m []ladders.Channel) (out []*galav1.SourceChannel) {
	for _, c := range m {
		out = append(out, &galav1.SourceChannel{Track: int32(c.Track), Channel: int32(c.Channel)})
	}
	return out
}

func channels(m []*galav1.SourceChannel) (out []ladders.Channel) {
	for _, c := range m {
		out = append(out, ladders.Channel{Track: int(c.GetTrack()), Channel: int(c.GetChannel())})
	}
	return out
}

func loudnessProto(l *ladders.Loudness) *galav1.Loudness {
	if l == nil {
		return nil
	}
	return &galav1.Loudness{MeasureOnly: l.Measure, Target: int32(l.Target), TruePeak: int32(l.TruePeak)}
}

func loudness(p *galav1.Loudness) *ladders.Loudness {
	if p == nil {
		return nil
	}
	return &ladders.Loudness{Measure: p.GetMeasureOnly(), Target: ladders.Decibel(p.GetTarget()), TruePeak: ladders.Decibel(p.GetTruePeak())}
}
