package wire

import (
	"fmt"

	"github.com/galafarm/gala/ladders"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Source reads what a probe found, as far as applying a ladder needs it. A
// source with no chosen picture gives a nil Video.
func Source(p *galav1.SourceInfo) (ladders.Source, error) {
	var s ladders.Source
	if t := ChosenVideo(p); t != nil {
		v, err := sourceVideo(t)
		if err != nil {
			return s, fmt.Errorf("source %s, video stream %d: %w", p.GetUrl(), t.GetIndex(), err)
		}
		s.Video = v
	}
	for _, t := range p.GetAudio() {
		s.Audio = append(s.Audio, sourceAudio(t))
	}
	for _, t := range p.GetText() {
		s.Text = append(s.Text, ladders.SourceText{Language: t.GetLanguage(), Title: t.GetTitle(), Forced: t.GetForced(), Impaired: t.GetImpaired()})
	}
	return s, nil
}

// ChosenVideo is the track that will be encoded; nil when there is none.
func ChosenVideo(p *galav1.SourceInfo) *galav1.VideoTrack {
	i := p.GetChosenVideo()
	if i < 0 || int(i) >= len(p.GetVideo()) {
		return nil
	}
	return p.GetVideo()[i]
}

func sourceVideo(t *galav1.VideoTrack) (*ladders.SourceVideo, error) {
	rate, err := Rate(t.GetFps())
	if err != nil {
		return nil, err
	}
	return &ladders.SourceVideo{
		Width: int(t.GetWidth()), Height: int(t.GetHeight()),
		SampleAspectNum: int(t.GetSampleAspect().GetNum()),
		SampleAspectDen: int(t.GetSampleAspect().GetDen()),
		Rotation:        int(t.GetRotation()),
		Rate:            rate,
		Interlaced:      t.GetInterlaced(),
		BitDepth:        int(t.GetBitDepth()),
		Range:           ladders.RangeOf(t.GetColorTransfer()),
		Captions:        t.GetCaptions(),
	}, nil
}

func sourceAudio(t *galav1.AudioTrack) ladders.SourceAudio {
	return ladders.SourceAudio{
		Channels:   int(t.GetChannels()),
		SampleRate: int(t.GetSampleRate()),
		Language:   t.GetLanguage(),
		Codec:      t.GetCodec(),
		Bitrate:    t.GetBitrate(),
	}
}
