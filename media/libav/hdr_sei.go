package libav

import (
	"encoding/binary"

	"github.com/galafarm/gala/media"
)

// Payload types of ITU-T H.265 §D.2.1.
const seiMastering, seiLightLevel = 137, 144

// hdrSEI is the NAL unit, with its length of four bytes, that says in an HEVC
// stream on what display the pictures were graded and how bright they are (§D.2.28,
// §D.2.35); nil where neither is known. libavcodec's NVENC does not write it with
// headers older than SDK 13.
func hdrSEI(cfg media.CodecConfig) []byte {
	nal := []byte{39 << 1, 1} // prefix SEI, layer 0, sublayer 0
	if m := cfg.Mastering; m != nil {
		nal = append(nal, seiMastering, 24)
		for _, p := range append(m.Primaries[:], m.White) {
			nal = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nal, p[0]), p[1])
		}
		nal = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nal, m.Max), m.Min)
	}
	if l := cfg.Light; l != nil {
		nal = binary.BigEndian.AppendUint16(append(nal, seiLightLevel, 4), l.Max)
		nal = binary.BigEndian.AppendUint16(nal, l.Average)
	}
	if len(nal) == 2 {
		return nil
	}
	nal = unlikeStartCodes(append(nal, 0x80))
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(nal))), nal...)
}

// unlikeStartCodes puts emulation prevention into a NAL unit (§7.4.2).
func unlikeStartCodes(nal []byte) []byte {
	out, zeros := make([]byte, 0, len(nal)+4), 0
	for _, b := range nal {
		if zeros == 2 && b <= 3 {
			out, zeros = append(out, 3), 0
		}
		if zeros++; b != 0 {
			zeros = 0
		}
		out = append(out, b)
	}
	return out
}
