package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/media/cmaf"
)

// initSegment is an init segment read back, with what its decoder
// configuration itself says, not what a playlist does.
type initSegment struct {
	path   string
	body   []byte
	open   []byte // the same in the clear
	track  *cmaf.Track
	codec  string // RFC 6381
	width  int    // from the SPS, 0 where it is not read
	height int
	// H.264: profile_idc and level_idc; HEVC: the same and tier; else 0.
	profile, level int
	// transfer characteristics (ISO/IEC 23091-2), 2 when not said.
	transfer int
}

func parseInit(p string, body []byte) (s *initSegment, err error) {
	track, err := cmaf.ParseInit(body)
	if err != nil {
		return nil, err
	}
	// The library panics on some boxes that lie about themselves.
	defer func() {
		if r := recover(); r != nil {
			s, err = nil, fmt.Errorf("init segment: %v", r)
		}
	}()
	f, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(body))
	if err != nil {
		return nil, err
	}
	moov := f.Moov
	if f.Init != nil {
		moov = f.Init.Moov
	}
	s = &initSegment{path: p, body: body, open: body, track: track}
	if track.Tenc != nil {
		if s.open, err = cmaf.Clear(body); err != nil {
			return nil, err
		}
	}
	return s, s.entry(moov.Trak.Mdia.Minf.Stbl.Stsd.Children[0])
}

func (s *initSegment) entry(box mp4.Box) error {
	if s.track.Tenc != nil {
		switch e := box.(type) { // what is inside
		case *mp4.VisualSampleEntryBox:
			e.SetType(s.track.Format)
		case *mp4.AudioSampleEntryBox:
			e.SetType(s.track.Format)
		}
	}
	switch e := box.(type) {
	case *mp4.VisualSampleEntryBox:
		return s.visual(e)
	case *mp4.AudioSampleEntryBox:
		return s.audio(e)
	}
	return fmt.Errorf("sample entry %s is neither video nor audio", box.Type())
}

func (s *initSegment) visual(e *mp4.VisualSampleEntryBox) error {
	s.transfer = 2
	var colour *mp4.ColrBox
	for _, c := range e.Children {
		if colr, ok := c.(*mp4.ColrBox); ok {
			s.transfer, colour = int(colr.TransferCharacteristics), colr
		}
	}
	switch {
	case e.AvcC != nil && len(e.AvcC.SPSnalus) > 0:
		return s.avc(e)
	case e.HvcC != nil:
		return s.hevc(e)
	case e.Av1C != nil:
		s.codec = cmaf.AV1Codecs(e.Av1C.CodecConfRec, colour)
		return nil
	}
	if _, ours := map[string]bool{"avc1": true, "hvc1": true, "av01": true}[e.Type()]; ours {
		return fmt.Errorf("sample entry %s without decoder configuration", e.Type())
	}
	s.codec = e.Type() // for apple-1.1 to judge
	return nil
}

func (s *initSegment) avc(e *mp4.VisualSampleEntryBox) error {
	sps, err := avc.ParseSPSNALUnit(e.AvcC.SPSnalus[0], false)
	if err != nil {
		return fmt.Errorf("SPS: %w", err)
	}
	s.codec = fmt.Sprintf("%s.%02X%02X%02X", e.Type(), sps.Profile, sps.ProfileCompatibility, sps.Level)
	s.width, s.height = int(sps.Width), int(sps.Height)
	s.profile, s.level = int(sps.Profile), int(sps.Level)
	return nil
}

func (s *initSegment) hevc(e *mp4.VisualSampleEntryBox) error {
	nals := e.HvcC.GetNalusForType(hevc.NALU_SPS)
	if len(nals) == 0 {
		return fmt.Errorf("hvcC without SPS")
	}
	sps, err := hevc.ParseSPSNALUnit(nals[0])
	if err != nil {
		return fmt.Errorf("SPS: %w", err)
	}
	w, h := sps.ImageSize()
	s.codec, s.width, s.height = hevc.CodecString(e.Type(), sps), int(w), int(h)
	s.profile, s.level = int(sps.ProfileTierLevel.GeneralProfileIDC), int(sps.ProfileTierLevel.GeneralLevelIDC)
	return nil
}

func (s *initSegment) audio(e *mp4.AudioSampleEntryBox) error {
	if e.Esds == nil {
		s.codec = e.Type()
		if s.codec == "Opus" {
			s.codec = "opus"
		}
		return nil
	}
	d := e.Esds.DecConfigDescriptor
	if d == nil || d.DecSpecificInfo == nil || len(d.DecSpecificInfo.DecConfig) < 2 {
		return fmt.Errorf("esds without AudioSpecificConfig")
	}
	asc := d.DecSpecificInfo.DecConfig
	object := int(asc[0] >> 3)
	if object == 31 {
		object = 32 + int(asc[0]&7)<<3 | int(asc[1]>>5)
	}
	s.codec = fmt.Sprintf("mp4a.%x.%d", d.ObjectType, object)
	return nil
}

// videoRange as RFC 8216bis §4.4.6.2 names it.
func (s *initSegment) videoRange() string {
	switch s.transfer {
	case 16:
		return "PQ"
	case 18:
		return "HLG"
	}
	return "SDR"
}

// check applies the rules of one init segment.
func (s *initSegment) check(b *book) {
	sum := sha256.Sum256(s.body)
	want := "init-" + hex.EncodeToString(sum[:8]) + ".mp4"
	b.holds("init-name", path.Base(s.path) == want, at(s.path), "its content hashes to %s", want)
	if s.track.Tenc != nil {
		err := s.track.CheckLock()
		b.holds("encrypted", err == nil, at(s.path), "%v", err)
	}
	b.holds("init", !s.track.EditList, at(s.path), "it has an edit list")
	if s.track.Video && s.width > 0 {
		b.holds("init", s.width == s.track.Width && s.height == s.track.Height, at(s.path),
			"the sample entry says %dx%d, the SPS %dx%d", s.track.Width, s.track.Height, s.width, s.height)
	}
	if s.track.Video {
		s.checkVideo(b)
	}
}

func (s *initSegment) checkVideo(b *book) {
	format := s.track.Format
	known := map[string]bool{"avc1": true, "avc3": true, "hvc1": true, "hev1": true, "dvh1": true, "av01": true}
	b.holds("apple-1.1", known[format], at(s.path), "it is %s", format)
	b.holds("apple-1.10", format != "avc3" && format != "hev1", at(s.path), "it is %s", format)
	switch format {
	case "avc1", "avc3":
		b.holds("apple-1.3b", s.profile <= 100 && s.level <= 52, at(s.path), "profile %d, level %d", s.profile, s.level)
	case "hvc1", "hev1":
		b.holds("apple-1.6b", s.profile <= 2 && s.level <= 153, at(s.path), "profile %d, level %d", s.profile, s.level)
	}
}
