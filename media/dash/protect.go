package dash

import (
	"encoding/base64"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// describe writes the descriptors of an encrypted set (ISO/IEC 23009-1 §5.8.4.1;
// ISO/IEC 23001-7 §11): the scheme with the id of the key, then the systems.
func (p *Protection) describe(out *mpd.AdaptationSetType) {
	if p == nil {
		return
	}
	common := protection("urn:mpeg:dash:mp4protection:2011", p.Scheme)
	common.DefaultKID = p.KeyID
	out.ContentProtections = []*mpd.ContentProtectionType{common}
	for _, s := range p.Systems {
		out.ContentProtections = append(out.ContentProtections, s.descriptor())
	}
}

func (s System) descriptor() *mpd.ContentProtectionType {
	out := protection("urn:uuid:"+s.ID, s.Name)
	if len(s.PSSH) > 0 {
		out.Pssh = &mpd.PsshType{Value: base64.StdEncoding.EncodeToString(s.PSSH)}
	}
	if s.License != "" {
		out.LaURL = &mpd.LaURLType{LicenseType: licenseType(s.ID), Value: mpd.AnyURI(s.License)}
	}
	if s.Pro != "" {
		out.MSPro = &mpd.MSProType{Value: s.Pro}
	}
	return out
}

// licenseType tells Clear Key players that keys come from there by EME's own
// protocol (DASH-IF IOP part 6).
func licenseType(system string) string {
	if system == "e2719d58-a985-b3c9-781a-b030af78d30e" {
		return "EME-1.0"
	}
	return ""
}

func protection(scheme, value string) *mpd.ContentProtectionType {
	out := &mpd.ContentProtectionType{}
	out.SchemeIdUri, out.Value = mpd.AnyURI(scheme), value
	return out
}

// keyID is empty in the clear.
func (p *Protection) keyID() string {
	if p == nil {
		return ""
	}
	return p.KeyID
}
