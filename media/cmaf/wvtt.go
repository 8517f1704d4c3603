package cmaf

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/ladders"
)

// Cue is a text in a sample of WebVTT (ISO/IEC 14496-30 §7). The sample says when.
type Cue struct {
	// Source is the same in all samples that show parts of one cue; 0 for a cue
	// that is whole in its sample.
	Source         uint32
	Settings, Text string
}

// webvttBrand is that of CMAF's profile for WebVTT (ISO/IEC 23000-19 §11.2).
const webvttBrand = "cwvt"

// InitText makes the init segment of a rendition of subtitles.
func InitText(t ladders.Text, timescale int64) (Init, error) {
	seg, trak := emptyInit("text", timescale, iso639(t.Language))
	seg.Ftyp.AddCompatibleBrands([]string{webvttBrand})
	entry := mp4.NewWvttBox()
	entry.AddChild(&mp4.VttCBox{Config: "WEBVTT"})
	trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	return finishInit(seg, config{format: "wvtt", codecs: "wvtt"})
}

// CueSample is a sample with these cues on screen, or with nothing.
func CueSample(cues []Cue) ([]byte, error) {
	var b bytes.Buffer
	if len(cues) == 0 {
		err := (&mp4.VtteBox{}).Encode(&b)
		return b.Bytes(), err
	}
	for _, c := range cues {
		box := &mp4.VttcBox{}
		if c.Source != 0 {
			box.AddChild(&mp4.VsidBox{SourceID: c.Source})
		}
		if c.Settings != "" {
			box.AddChild(&mp4.SttgBox{Settings: c.Settings})
		}
		box.AddChild(&mp4.PaylBox{CueText: c.Text})
		if err := box.Encode(&b); err != nil {
			return nil, fmt.Errorf("cue: %w", err)
		}
	}
	return b.Bytes(), nil
}

// ParseCues reads a sample: the cues on screen in it, none of an empty one.
func ParseCues(sample []byte) (cues []Cue, err error) {
	boxes := 0
	err = eachBox(sample, func(_ int64, box mp4.Box) error {
		boxes++
		switch box := box.(type) {
		case *mp4.VtteBox:
			if boxes > 1 {
				return fmt.Errorf("vtte beside other boxes: %w", ErrMedia)
			}
		case *mp4.VttcBox:
			if box.Payl == nil {
				return fmt.Errorf("vttc without payl: %w", ErrMedia)
			}
			c := Cue{Text: box.Payl.CueText}
			if box.Sttg != nil {
				c.Settings = box.Sttg.Settings
			}
			if box.Vsid != nil {
				c.Source = box.Vsid.SourceID
			}
			cues = append(cues, c)
		default:
			return fmt.Errorf("box %s in a sample of WebVTT: %w", box.Type(), ErrMedia)
		}
		return nil
	})
	if err == nil && boxes == 0 {
		err = fmt.Errorf("empty sample of WebVTT: %w", ErrMedia)
	}
	return cues, err
}
