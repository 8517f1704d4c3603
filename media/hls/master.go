package hls

import (
	"fmt"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/timeline"
)

// Master is a multivariant playlist.
type Master struct {
	Variants  []Variant
	Audio     []Audio
	Captions  []Captions
	Subtitles []Subtitles
	// Keys let players ask for the licenses before they read a media playlist.
	Keys []Key
}

// Variant is a video rendition with the audio group that goes with it, or an
// audio rendition alone.
type Variant struct {
	URI    string
	Codecs []string // of everything that plays together, video first
	Rates
	// Video only.
	Width, Height int
	FrameRate     timeline.Rate
	VideoRange    string // SDR, PQ, HLG
	AudioGroup    string // empty: no audio
	// CaptionGroup is empty where the pictures carry no closed captions. All
	// variants have one, or none has (RFC 8216bis §4.4.6.2).
	CaptionGroup string
	// SubtitleGroup is empty without subtitles.
	SubtitleGroup string
	// IFrameURI is empty without an I-frame playlist.
	IFrameURI   string
	IFrameRates Rates
}

// Audio is one alternative of an audio group.
type Audio struct {
	Group, Name, Language, URI string
	Default                    bool
	Channels                   int
}

// Captions is one closed-caption channel in the pictures.
type Captions struct {
	Group, Name string
	Channel     string // CC1 to CC4, SERVICE1 to SERVICE63
}

// Subtitles is one rendition of a group of subtitles.
type Subtitles struct {
	Group, Name, Language, URI string
	Forced                     bool
	// Impaired subtitles describe sounds too.
	Impaired bool
}

// Encode is the playlist. The order of variants is kept: a player starts with
// the first.
func (m Master) Encode() []byte {
	p := m3u8.NewMasterPlaylist()
	p.SetIndependentSegments(true)
	for _, v := range m.Variants {
		p.Append(v.URI, nil, v.params(m))
	}
	for _, v := range m.Variants {
		if v.IFrameURI != "" {
			p.Append(v.IFrameURI, nil, v.iframeParams())
		}
	}
	for _, k := range m.Keys {
		tag := k.tag()
		p.SessionKeys = append(p.SessionKeys, &tag)
	}
	p.SetVersion(Version)
	return p.Encode().Bytes()
}

func (v Variant) params(m Master) m3u8.VariantParams {
	p := m3u8.VariantParams{
		Bandwidth: uint32(v.Peak), AverageBandwidth: uint32(v.Average), Codecs: strings.Join(v.Codecs, ","),
		Captions: "NONE", // said, so that players do not offer them
	}
	if v.Height > 0 {
		p.Resolution = fmt.Sprintf("%dx%d", v.Width, v.Height)
		p.FrameRate = float64(v.FrameRate.Num) / float64(v.FrameRate.Den)
		p.VideoRange = v.VideoRange
	}
	if v.AudioGroup != "" {
		p.Audio = v.AudioGroup
		for _, a := range m.Audio {
			if a.Group == v.AudioGroup {
				p.Alternatives = append(p.Alternatives, a.alternative())
			}
		}
	}
	if v.CaptionGroup != "" {
		p.Captions = v.CaptionGroup
		for _, c := range m.Captions {
			if c.Group == v.CaptionGroup {
				p.Alternatives = append(p.Alternatives, c.alternative())
			}
		}
	}
	if v.SubtitleGroup != "" {
		p.Subtitles = v.SubtitleGroup
		for _, s := range m.Subtitles {
			if s.Group == v.SubtitleGroup {
				p.Alternatives = append(p.Alternatives, s.alternative())
			}
		}
	}
	return p
}

// iframeParams: no audio, no frame rate (RFC 8216bis §4.4.6.3).
func (v Variant) iframeParams() m3u8.VariantParams {
	return m3u8.VariantParams{
		Iframe: true, Bandwidth: uint32(v.IFrameRates.Peak), AverageBandwidth: uint32(v.IFrameRates.Average),
		Codecs: v.Codecs[0], Resolution: fmt.Sprintf("%dx%d", v.Width, v.Height), VideoRange: v.VideoRange,
	}
}

func (a Audio) alternative() *m3u8.Alternative {
	return &m3u8.Alternative{
		Type: "AUDIO", GroupId: a.Group, Name: a.Name, Language: a.Language, URI: a.URI,
		Default: a.Default, Autoselect: true, Channels: &m3u8.Channels{Amount: a.Channels},
	}
}

func (c Captions) alternative() *m3u8.Alternative {
	return &m3u8.Alternative{Type: "CLOSED-CAPTIONS", GroupId: c.Group, Name: c.Name, InstreamId: c.Channel, Autoselect: true}
}

// forImpaired are the characteristics of RFC 8216bis §4.4.6.1.
const forImpaired = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"

func (s Subtitles) alternative() *m3u8.Alternative {
	a := &m3u8.Alternative{
		Type: "SUBTITLES", GroupId: s.Group, Name: s.Name, Language: s.Language, URI: s.URI, Autoselect: true, Forced: s.Forced,
	}
	if s.Impaired {
		a.Characteristics = forImpaired
	}
	return a
}
