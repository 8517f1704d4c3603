package cmaf

import (
	"encoding/binary"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/media"
)

// hdrBoxes are the mastering display colour volume and the content light level
// (ISO/IEC 14496-12 §12.1.7, §12.1.8), where the pictures say them.
func hdrBoxes(cfg media.CodecConfig) []mp4.Box {
	var out []mp4.Box
	if m := cfg.Mastering; m != nil {
		var b []byte
		for _, p := range append(m.Primaries[:], m.White) {
			b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, p[0]), p[1])
		}
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, m.Max), m.Min)
		out = append(out, plainBox("mdcv", b))
	}
	if l := cfg.Light; l != nil {
		b := binary.BigEndian.AppendUint16(nil, l.Max)
		out = append(out, plainBox("clli", binary.BigEndian.AppendUint16(b, l.Average)))
	}
	return out
}

func plainBox(name string, payload []byte) mp4.Box {
	return mp4.CreateUnknownBox(name, uint64(8+len(payload)), payload)
}
