package ladders

import "strings"

// Range is the dynamic range of pictures, as HLS names it (RFC 8216bis
// §4.4.6.2, VIDEO-RANGE). The zero value is SDR.
type Range string

// The dynamic ranges: BT.709, and BT.2100 in its two forms.
const (
	SDR Range = "SDR"
	PQ  Range = "PQ"
	HLG Range = "HLG"
)

// HDR tells PQ and HLG from everything else.
func (r Range) HDR() bool { return r == PQ || r == HLG }

// String is the name, SDR for the zero value.
func (r Range) String() string {
	if r.HDR() {
		return string(r)
	}
	return string(SDR)
}

// CodePoints are r's colour primaries, transfer characteristics and matrix by
// ISO/IEC 23091-2: every output is in one of three colour spaces.
func (r Range) CodePoints() (primaries, transfer, matrix int) {
	switch r {
	case PQ:
		return 9, 16, 9
	case HLG:
		return 9, 18, 9
	}
	return 1, 1, 1
}

// RangeOf is the range of a transfer function by libav's name for it.
func RangeOf(transfer string) Range {
	switch transfer {
	case "smpte2084":
		return PQ
	case "arib-std-b67":
		return HLG
	}
	return SDR
}

// Keep says what a rung does with an HDR source.
type Keep string

// The ways: SDR rungs are tone-mapped, source rungs keep HDR10 and HLG as they
// are and show an SDR source in SDR.
const (
	KeepSDR    Keep = "sdr"
	KeepSource Keep = "source"
)

// of is the range of a rung's rendition of a source.
func (k Keep) of(source Range) Range {
	if k == KeepSource && source.HDR() {
		return source
	}
	return SDR
}

const depthAdvice = "players cannot play 10-bit H.264; use hevc or av1"

// checkDepth makes depth, profile and range agree: Main 10 is 10 bits, and HDR
// needs them (8 bits of PQ show steps).
func checkDepth(got given, v *VideoRung) {
	if v.Codec == "h264" {
		noTenBits(got, v)
		return
	}
	implied := 8
	if v.Profile == "main10" || v.Range == KeepSource && v.Profile == "" || v.Range == KeepSource && v.Codec == "av1" {
		implied = 10
	}
	if v.Depth == 0 {
		v.Depth = implied
	}
	if v.Codec == "hevc" && v.Profile == "" && v.Depth == 10 {
		v.Profile = "main10"
	}
	switch at, stated := got["depth"]; {
	case v.Codec == "hevc" && stated && v.Profile != "" && (v.Profile == "main10") != (v.Depth == 10):
		at.fail("%d does not go with profile %s; main is 8 bits, main10 is 10", v.Depth, v.Profile)
	case v.Range == KeepSource && v.Depth != 10 && v.Codec != "":
		got["range"].fail("%q keeps HDR pictures, which need 10 bits; %s", v.Range, tenBits(v.Codec))
	}
}

func tenBits(codec string) string {
	if codec == "hevc" {
		return "use profile main10"
	}
	return "use depth 10"
}

func noTenBits(got given, v *VideoRung) {
	if at, ok := got["depth"]; ok && v.Depth == 10 {
		at.fail("10 is not offered for h264: %s", depthAdvice)
	}
	if at, ok := got["range"]; ok && v.Range == KeepSource {
		at.fail("h264 rungs are SDR: HDR needs 10 bits, and %s (hevc with profile main10, av1 with depth 10), or range: %s", depthAdvice, KeepSDR)
	}
	v.Depth = 8
}

// depth reads bits of a sample.
func (v value) depth() int {
	n := v.integer(8, 10)
	if n == 9 {
		v.fail("9 is not allowed, want 8 or 10")
		return 0
	}
	return n
}

// keeps names the ranges among renditions, for a note.
func keeps(renditions []Rendition) (kept []string) {
	for _, r := range renditions {
		if r.Video != nil && r.Video.Range.HDR() {
			kept = append(kept, r.Name)
		}
	}
	return kept
}

// hdrNote says what becomes of an HDR source, "" for an SDR one.
func hdrNote(source Range, renditions []Rendition) string {
	if !source.HDR() {
		return ""
	}
	kept := keeps(renditions)
	switch {
	case len(kept) == 0:
		return "the source is HDR (" + source.String() + "); the renditions are SDR"
	case len(kept) == len(renditions):
		return "the source is HDR (" + source.String() + "), and so are the renditions; players that show only SDR have nothing to play"
	}
	return "the source is HDR (" + source.String() + "); " + strings.Join(kept, ", ") + " keep it, the others are SDR"
}
