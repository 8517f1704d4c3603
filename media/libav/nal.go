package libav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"

	"github.com/galafarm/gala/ladders"
)

// nalConverter turns an encoder's byte stream (ISO/IEC 14496-10 annex B) into
// length-prefixed NAL units, parameter sets left out: they live in the init
// segment (avc1/hvc1, ISO/IEC 14496-15 §5.3.3).
type nalConverter struct {
	codec  string
	config []byte // avcC, hvcC or av1C payload
	// sei is what an HEVC encoder says once, in its header, or leaves to us:
	// mastering display and light level. Every IDR repeats it, for players that join.
	sei []byte
}

// newNALConverter reads the header of the encoder of v, whose pictures have
// their chroma at chroma (AVCHROMA_LOC_*).
func newNALConverter(v ladders.Video, extradata []byte, chroma int) (*nalConverter, error) {
	c := &nalConverter{codec: v.Codec}
	var err error
	switch v.Codec {
	case "h264":
		c.config, err = avcConfig(extradata)
	case "hevc":
		c.config, err = hevcConfig(extradata)
		c.sei = lengthPrefixed(extradata, func(nalu []byte) bool { return hevc.GetNaluType(nalu[0]) != hevc.NALU_SEI_PREFIX })
	case "av1":
		c.config, err = av1Config(extradata, v.Depth, chroma)
	}
	if err != nil {
		return nil, fmt.Errorf("%s parameter sets: %w", v.Codec, err)
	}
	return c, nil
}

var errNoParameterSets = errors.New("missing in the encoder's header")

func avcConfig(extradata []byte) ([]byte, error) {
	sps := avc.ExtractNalusOfTypeFromByteStream(avc.NALU_SPS, extradata, false)
	pps := avc.ExtractNalusOfTypeFromByteStream(avc.NALU_PPS, extradata, false)
	if len(sps) == 0 || len(pps) == 0 {
		return nil, errNoParameterSets
	}
	rec, err := avc.CreateAVCDecConfRec(sps, pps, true)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	err = rec.Encode(&buf)
	return buf.Bytes(), err
}

func hevcConfig(extradata []byte) ([]byte, error) {
	// (mp4ff overlooks a parameter set that ends the stream.)
	vps, sps, pps := hevcUnits(extradata, hevc.NALU_VPS), hevcUnits(extradata, hevc.NALU_SPS), hevcUnits(extradata, hevc.NALU_PPS)
	if len(vps) == 0 || len(sps) == 0 || len(pps) == 0 {
		return nil, errNoParameterSets
	}
	rec, err := hevc.CreateHEVCDecConfRec(vps, sps, pps, true, true, true, true)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	err = rec.Encode(&buf)
	return buf.Bytes(), err
}

// hevcUnits are the NAL units of one type in a byte stream.
func hevcUnits(stream []byte, kind hevc.NaluType) [][]byte {
	var out [][]byte
	units := lengthPrefixed(stream, func(nalu []byte) bool { return hevc.GetNaluType(nalu[0]) != kind })
	for len(units) > 0 {
		n := binary.BigEndian.Uint32(units)
		out, units = append(out, units[4:4+n]), units[4+n:]
	}
	return out
}

// convert copies one access unit into sample form.
func (c *nalConverter) convert(au []byte, key bool) []byte {
	switch c.codec {
	case "h264":
		return lengthPrefixed(au, func(nalu []byte) bool {
			t := avc.GetNaluType(nalu[0])
			return t == avc.NALU_SPS || t == avc.NALU_PPS || t == avc.NALU_AUD
		})
	case "hevc":
		out := lengthPrefixed(au, func(nalu []byte) bool {
			t := hevc.GetNaluType(nalu[0])
			return t >= hevc.NALU_VPS && t <= hevc.NALU_AUD
		})
		if key && len(c.sei) > 0 {
			return append(bytes.Clone(c.sei), out...)
		}
		return out
	}
	return bytes.Clone(au)
}

// lengthPrefixed rewrites start codes as 4-byte lengths and leaves out what drop says.
func lengthPrefixed(au []byte, drop func([]byte) bool) []byte {
	out := make([]byte, 0, len(au)+16)
	for len(au) > 0 {
		start := bytes.Index(au, []byte{0, 0, 1})
		if start < 0 {
			break
		}
		au = au[start+3:]
		end := bytes.Index(au, []byte{0, 0, 1})
		nalu := au
		if end >= 0 {
			nalu = au[:end]
		}
		nalu = bytes.TrimRight(nalu, "\x00") // trailing_zero_8bits and the next start code's first byte
		if len(nalu) > 0 && !drop(nalu) {
			out = binary.BigEndian.AppendUint32(out, uint32(len(nalu)))
			out = append(out, nalu...)
		}
	}
	return out
}
