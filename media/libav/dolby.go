package libav

import "fmt"

// dolbyNote says what becomes of a Dolby Vision stream, "" for another: its
// base layer alone is decoded.
func (t *probeTrack) dolbyNote() string {
	if t.dec == nil {
		return ""
	}
	profile, compatible, ok := dolbyVision(t.dec.cc)
	switch {
	case !ok:
		return ""
	case compatible == 0:
		return fmt.Sprintf("Dolby Vision profile %d: its base layer is made for Dolby decoders alone, and the colours will be wrong; give an HDR10 or HLG copy", profile)
	}
	return fmt.Sprintf("Dolby Vision profile %d: its base layer is decoded, the enhancement is left out", profile)
}
