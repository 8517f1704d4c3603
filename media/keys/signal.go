package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"
)

// read takes what an answer says about one system.
func (s answerSystem) read() (System, error) {
	id, err := ParseID(s.System)
	if err != nil {
		return System{}, errors.New("a DRM system without a system id")
	}
	out := System{ID: id}
	box, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s.PSSH))
	ok := true
	if len(box) > 0 {
		out.PSSH, ok = boxOf(id, box)
	}
	if err != nil || !ok {
		return out, fmt.Errorf("the PSSH of system %s is broken", id)
	}
	if err := out.manifest(s.Manifest); err != nil {
		return out, err
	}
	for _, h := range s.HLS {
		if h.Playlist == "master" {
			continue // what media playlists say serves both
		}
		if err := out.tag(h.Lines); err != nil {
			return out, err
		}
	}
	return out, nil
}

// tag reads an EXT-X-KEY line, in base64.
func (s *System) tag(encoded string) error {
	line, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return fmt.Errorf("the HLSSignalingData of system %s is not base64", s.ID)
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	text := "#EXTM3U\n#EXT-X-TARGETDURATION:1\n" + string(bytes.TrimSpace(line)) + "\n#EXTINF:1,\n0\n"
	list, kind, err := m3u8.DecodeFrom(strings.NewReader(text), false)
	p, ok := list.(*m3u8.MediaPlaylist)
	if err != nil || !ok || kind != m3u8.MEDIA {
		return fmt.Errorf("the HLSSignalingData of system %s is no EXT-X-KEY", s.ID)
	}
	found := p.Keys
	if segments := p.GetAllSegments(); len(found) == 0 && len(segments) > 0 {
		found = segments[0].Keys
	}
	if len(found) == 0 || found[0].URI == "" {
		return fmt.Errorf("the HLSSignalingData of system %s is no EXT-X-KEY with a URI", s.ID)
	}
	s.URI, s.Format, s.Versions = found[0].URI, found[0].Keyformat, found[0].Keyformatversions
	return nil
}

// manifest reads what a ContentProtection element is to hold, in base64: of
// that only the license address and PlayReady's object are not in the PSSH.
func (s *System) manifest(encoded string) error {
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return fmt.Errorf("the ContentProtectionData of system %s is not base64", s.ID)
	}
	var doc struct {
		License string `xml:"Laurl"`
		Pro     string `xml:"pro"`
		Inner   *struct {
			License string `xml:"Laurl"`
			Pro     string `xml:"pro"`
		} `xml:"ContentProtection"`
	}
	if err := xml.Unmarshal([]byte("<all>"+string(text)+"</all>"), &doc); err != nil {
		return fmt.Errorf("the ContentProtectionData of system %s is not XML", s.ID)
	}
	s.License, s.Pro = doc.License, strings.TrimSpace(doc.Pro)
	if doc.Inner != nil {
		s.License, s.Pro = doc.Inner.License, strings.TrimSpace(doc.Inner.Pro)
	}
	return nil
}
