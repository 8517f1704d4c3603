package libav

import (
	"bytes"
	"encoding/binary"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/asticode/go-astiav"
)

// standsAlone tells whether a packet that the container calls a key frame lets
// a decoder begin: all pictures that are shown after it come out as they would
// have in the middle of the stream. Those that lead it (open GOP) need not.
// Other codecs' key frames are not known to do.
func standsAlone(id astiav.CodecID, data []byte, prefix int) bool {
	if len(data) == 0 {
		return false
	}
	switch id {
	case astiav.CodecIDH264: // ISO/IEC 14496-10: an IDR picture, not a recovery point
		t := firstSlice(data, prefix, func(b byte) int { return int(b & 31) }, 1, 5)
		return t == int(avc.NALU_IDR)
	case astiav.CodecIDHevc: // ISO/IEC 23008-2: any IRAP; what it may not decode is shown before it
		t := firstSlice(data, prefix, func(b byte) int { return int(b >> 1 & 63) }, 0, 31)
		return t >= int(hevc.NALU_BLA_W_LP) && t <= int(hevc.NALU_CRA)
	case astiav.CodecIDMpeg1Video, astiav.CodecIDMpeg2Video:
		return intraPicture(data)
	case astiav.CodecIDVp8: // RFC 6386 §9.1
		return data[0]&1 == 0
	case astiav.CodecIDVp9:
		return vp9Key(data[0])
	case astiav.CodecIDAv1:
		return true // of a sync sample the containers ask just that
	}
	return intraOnly(id)
}

// firstSlice is the type of the first NAL unit whose type lies between low and
// high, -1 for none.
func firstSlice(data []byte, prefix int, kind func(byte) int, low, high int) int {
	for len(data) > 0 {
		var unit []byte
		if unit, data = nextUnit(data, prefix); len(unit) == 0 {
			continue
		}
		if t := kind(unit[0]); t >= low && t <= high {
			return t
		}
	}
	return -1
}

// nextUnit cuts a NAL unit off data; after a start code it is all that follows,
// of which only the first byte counts.
func nextUnit(data []byte, prefix int) (unit, rest []byte) {
	if prefix == 0 {
		i := bytes.Index(data, []byte{0, 0, 1})
		if i < 0 {
			return nil, nil
		}
		return data[i+3:], data[i+3:]
	}
	if len(data) < prefix {
		return nil, nil
	}
	var n [8]byte
	copy(n[8-prefix:], data)
	size := binary.BigEndian.Uint64(n[:])
	if data = data[prefix:]; size > uint64(len(data)) {
		return nil, nil
	}
	return data[:size], data[size:]
}

// lengthBytes is how long the lengths before NAL units are, as a container says
// (ISO/IEC 14496-15 §5.3.3.1, §8.3.3.1); 0 for start codes.
func lengthBytes(id astiav.CodecID, extradata []byte) int {
	switch {
	case id == astiav.CodecIDH264 && len(extradata) > 6 && extradata[0] == 1:
		return int(extradata[4]&3) + 1
	case id == astiav.CodecIDHevc && len(extradata) > 22 && extradata[0] == 1:
		return int(extradata[21]&3) + 1
	}
	return 0
}

// intraPicture: the first picture header of MPEG-1 or MPEG-2 video says I
// (ISO/IEC 13818-2 §6.2.3).
func intraPicture(data []byte) bool {
	i := bytes.Index(data, []byte{0, 0, 1, 0})
	return i >= 0 && len(data) > i+5 && data[i+5]>>3&7 == 1
}

// vp9Key: the first byte of the uncompressed header holds marker, profile,
// show_existing_frame and frame_type.
func vp9Key(b byte) bool {
	if b>>4&3 == 3 { // profile 3 has a reserved bit
		b <<= 1
	}
	return b&0x0c == 0
}
