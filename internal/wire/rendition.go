package wire

import (
	"fmt"

	"github.com/galafarm/gala/ladders"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// RenditionProto is a rendition as a message.
func RenditionProto(r ladders.Rendition) *galav1.Rendition {
	p := &galav1.Rendition{
		Name:             r.Name,
		Codecs:           r.Codecs,
		Bandwidth:        r.Bandwidth,
		AverageBandwidth: r.AverageBandwidth,
	}
	switch {
	case r.Video != nil:
		p.Kind = &galav1.Rendition_Video{Video: videoProto(r.Video)}
	case r.Audio != nil:
		p.Kind = &galav1.Rendition_Audio{Audio: audioProto(r.Audio)}
	case r.Text != nil:
		p.Kind = &galav1.Rendition_Text{Text: textProto(r.Text)}
	}
	return p
}

// RenditionProtos is RenditionProto over a ladder.
func RenditionProtos(rs []ladders.Rendition) []*galav1.Rendition {
	ps := make([]*galav1.Rendition, len(rs))
	for i, r := range rs {
		ps[i] = RenditionProto(r)
	}
	return ps
}

// Rendition reads a rendition; it errs on one that is neither video nor audio nor text.
func Rendition(p *galav1.Rendition) (ladders.Rendition, error) {
	r := ladders.Rendition{
		Name:             p.GetName(),
		Codecs:           p.GetCodecs(),
		Bandwidth:        p.GetBandwidth(),
		AverageBandwidth: p.GetAverageBandwidth(),
	}
	switch kind := p.GetKind().(type) {
	case *galav1.Rendition_Video:
		r.Video = video(kind.Video)
	case *galav1.Rendition_Audio:
		r.Audio = audio(kind.Audio)
	case *galav1.Rendition_Text:
		r.Text = text(kind.Text)
	default:
		return r, fmt.Errorf("rendition %q is neither video nor audio: %w", r.Name, ErrInvalid)
	}
	if r.Name == "" {
		return r, fmt.Errorf("rendition without a name: %w", ErrInvalid)
	}
	if r.Video != nil && r.Video.Divisor <= 0 {
		return r, fmt.Errorf("rendition %q: frame rate divisor %d: %w", r.Name, r.Video.Divisor, ErrInvalid)
	}
	return r, nil
}

// Renditions is Rendition over a ladder.
func Renditions(ps []*galav1.Rendition) ([]ladders.Rendition, error) {
	rs := make([]ladders.Rendition, len(ps))
	for i, p := range ps {
		r, err := Rendition(p)
		if err != nil {
			return nil, err
		}
		rs[i] = r
	}
	return rs, nil
}

func videoProto(v *ladders.Video) *galav1.VideoRendition {
	return &galav1.VideoRendition{
		Width: int32(v.Width), Height: int32(v.Height), FpsDivisor: int32(v.Divisor),
		Codec: v.Codec, Profile: v.Profile, Level: v.Level,
		Bitrate: v.Bitrate, Maxrate: v.Maxrate, Bufsize: v.Bufsize,
		Preset: v.Preset, Encoder: v.Encoder, BitDepth: int32(v.Depth), VideoRange: string(v.Range), Captions: v.Captions,
		Scaler: string(v.Scaler), Picture: pictureProto(v.Picture),
		ScaledFromWidth: int32(v.ScaledFrom.W), ScaledFromHeight: int32(v.ScaledFrom.H),
	}
}

func video(p *galav1.VideoRendition) *ladders.Video {
	return &ladders.Video{
		Width: int(p.GetWidth()), Height: int(p.GetHeight()), Divisor: int64(p.GetFpsDivisor()),
		Codec: p.GetCodec(), Profile: p.GetProfile(), Level: p.GetLevel(),
		Bitrate: p.GetBitrate(), Maxrate: p.GetMaxrate(), Bufsize: p.GetBufsize(),
		Preset: p.GetPreset(), Encoder: p.GetEncoder(), Depth: int(p.GetBitDepth()), Range: ladders.Range(p.GetVideoRange()), Captions: p.GetCaptions(),
		Scaler: ladders.Scaler(p.GetScaler()), Picture: picture(p.GetPicture()),
		ScaledFrom: ladders.Size{W: int(p.GetScaledFromWidth()), H: int(p.GetScaledFromHeight())},
	}
}

func audioProto(a *ladders.Audio) *galav1.AudioRendition {
	return &galav1.AudioRendition{
		Codec: a.Codec, Channels: int32(a.Channels), SampleRate: int32(a.SampleRate),
		Bitrate: a.Bitrate, Language: a.Language, Label: a.Label,
		Track: int32(a.Track), Default: a.Default, Group: a.Group,
		Passthrough: a.Passthrough,
		Map:         channelProtos(a.Map), Gain: int32(a.Gain), Loudness: loudnessProto(a.Loudness),
	}
}

func audio(p *galav1.AudioRendition) *ladders.Audio {
	return &ladders.Audio{
		Codec: p.GetCodec(), Channels: int(p.GetChannels()), SampleRate: int(p.GetSampleRate()),
		Bitrate: p.GetBitrate(), Language: p.GetLanguage(), Label: p.GetLabel(),
		Track: int(p.GetTrack()), Default: p.GetDefault(), Group: p.GetGroup(),
		Passthrough: p.GetPassthrough(),
		Map:         channels(p.GetMap()), Gain: ladders.Decibel(p.GetGain()), Loudness: loudness(p.GetLoudness()),
	}
}

func textProto(t *ladders.Text) *galav1.TextRendition {
	return &galav1.TextRendition{Language: t.Language, Label: t.Label, Forced: t.Forced, Impaired: t.Impaired, Track: int32(t.Track)}
}

func text(p *galav1.TextRendition) *ladders.Text {
	return &ladders.Text{Language: p.GetLanguage(), Label: p.GetLabel(), Forced: p.GetForced(), Impaired: p.GetImpaired(), Track: int(p.GetTrack())}
}

// ThumbnailsProto are thumbnails as a message; nil stays nil.
func ThumbnailsProto(t *ladders.Thumbnails) *galav1.Thumbnails {
	if t == nil {
		return nil
	}
	return &galav1.Thumbnails{From: t.From, Width: int32(t.Width), Height: int32(t.Height), Every: t.Every, Columns: int32(t.Columns), Rows: int32(t.Rows)}
}

// Thumbnails reads thumbnails.
func Thumbnails(p *galav1.Thumbnails) *ladders.Thumbnails {
	if p == nil {
		return nil
	}
	return &ladders.Thumbnails{
		From: p.GetFrom(), Width: int(p.GetWidth()), Height: int(p.GetHeight()), Every: p.GetEvery(), Columns: int(p.GetColumns()), Rows: int(p.GetRows()),
	}
}
