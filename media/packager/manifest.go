package packager

import (
	"path"
	"strings"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/hls"
)

// master turns the ladder's variants into a multivariant playlist.
func (p *Packager) master(present []ladders.Rendition, iframes func(*ladders.Rendition) hls.Rates) hls.Master {
	m := hls.Master{Captions: captionsOf(present), Subtitles: subtitles(present)}
	grouped, shown := map[string]bool{}, map[string]bool{}
	for _, v := range ladders.Variants(p.spec.Grid, present) {
		out := hls.Variant{Codecs: strings.Split(v.Codecs, ","), Rates: hls.Rates{Peak: v.Bandwidth, Average: v.AverageBandwidth}, AudioGroup: v.AudioGroup}
		if v.Video == nil {
			out.URI = path.Join(v.Audio[0].Name, playlistName)
		} else {
			p.picture(&out, v)
			if !shown[v.Video.Name] {
				shown[v.Video.Name] = true
				out.IFrameURI, out.IFrameRates = path.Join(v.Video.Name, iframesName), iframes(v.Video)
			}
		}
		if len(m.Captions) > 0 {
			out.CaptionGroup = captionGroup
		}
		if len(m.Subtitles) > 0 {
			out.SubtitleGroup = textGroup
		}
		if v.AudioGroup != "" && !grouped[v.AudioGroup] {
			grouped[v.AudioGroup] = true
			m.Audio = append(m.Audio, alternatives(v)...)
		}
		m.Variants = append(m.Variants, out)
	}
	m.Keys = p.sessionKeys(present)
	return m
}

// picture fills in what only video has. The size is the one to show.
func (p *Packager) picture(out *hls.Variant, v ladders.Variant) {
	out.URI = path.Join(v.Video.Name, playlistName)
	out.Width, out.Height, out.FrameRate = v.Width, v.Height, v.FrameRate
	out.VideoRange = v.Video.Video.Range.String()
	opened := p.tracks[v.Video.Name].opened.Load()
	if opened == nil { // resumed when nothing was left to encode
		return
	}
	cfg := opened.cfg
	if cfg.SARNum > 0 && cfg.SARDen > 0 {
		out.Width = v.Width * cfg.SARNum / cfg.SARDen
	}
	switch cfg.Transfer { // ISO/IEC 23091-2 §8.2
	case 16:
		out.VideoRange = string(ladders.PQ)
	case 18:
		out.VideoRange = string(ladders.HLG)
	}
}

// alternatives of a group: one default, names that differ (RFC 8216bis §4.4.6.1.1).
func alternatives(v ladders.Variant) []hls.Audio {
	var out []hls.Audio
	names := map[string]bool{}
	for i, r := range v.Audio {
		a := hls.Audio{Group: v.AudioGroup, Name: r.Audio.Label, Language: r.Audio.Language, URI: path.Join(r.Name, playlistName),
			Default: i == 0, Channels: r.Audio.Channels}
		if a.Name == "" || names[a.Name] {
			a.Name = r.Name
		}
		names[a.Name] = true
		out = append(out, a)
	}
	return out
}
