package cmaf

import (
	"encoding/binary"
	"fmt"
)

// FromAnnexB turns an access unit with start codes into one with 4-byte
// lengths, the form that Strip and segments want.
func FromAnnexB(b []byte) []byte {
	out := make([]byte, 0, len(b)+16)
	for len(b) > 0 {
		start := startCode(b)
		if start < 0 {
			break
		}
		b = b[start:]
		n := nextStartCode(b)
		nal := b[:n]
		// Zero bytes before the next start code are not part of the NAL unit.
		for len(nal) > 0 && nal[len(nal)-1] == 0 {
			nal = nal[:len(nal)-1]
		}
		if len(nal) > 0 {
			out = binary.BigEndian.AppendUint32(out, uint32(len(nal)))
			out = append(out, nal...)
		}
		b = b[n:]
	}
	return out
}

// startCode is the offset just after the first 00 00 01, or -1.
func startCode(b []byte) int {
	if n := nextStartCode(b); n+3 <= len(b) {
		return n + 3
	}
	return -1
}

// nextStartCode is the offset of the first 00 00 01, or the length of b.
func nextStartCode(b []byte) int {
	for i := 0; i+3 <= len(b); i++ {
		switch {
		case b[i+2] > 1:
			i += 2
		case b[i] == 0 && b[i+1] == 0 && b[i+2] == 1:
			return i
		}
	}
	return len(b)
}

// Strip is the frame as its sample in the track: without what the init segment
// already says (parameter sets) and, for AV1, without temporal delimiters.
// It returns data itself when there is nothing to drop.
func Strip(format string, data []byte) ([]byte, error) {
	switch format {
	case "avc1":
		return stripNALs(data, func(h byte) bool { t := h & 0x1f; return t == 7 || t == 8 || t == 13 })
	case "hvc1":
		return stripNALs(data, func(h byte) bool { t := h >> 1 & 0x3f; return t >= 32 && t <= 34 })
	case "av01":
		return stripOBUs(data)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("empty frame: %w", ErrFrame)
	}
	return data, nil
}

// IDR tells whether the frame is one at which decoding can begin and before
// which nothing is referred to afterwards. Every audio frame is.
func IDR(format string, data []byte) bool {
	found := false
	switch format {
	case "avc1":
		_ = eachNAL(data, func(nal []byte) { found = found || nal[0]&0x1f == 5 })
	case "hvc1":
		_ = eachNAL(data, func(nal []byte) { t := nal[0] >> 1 & 0x3f; found = found || t == 19 || t == 20 })
	case "av01":
		return av1Key(data)
	default:
		return true
	}
	return found
}

// NALTypes are the NAL unit types of a sample of this format, the OBU types for AV1.
func NALTypes(format string, data []byte) []int {
	var types []int
	switch format {
	case "avc1", "avc3":
		_ = eachNAL(data, func(nal []byte) { types = append(types, int(nal[0]&0x1f)) })
	case "hvc1", "hev1":
		_ = eachNAL(data, func(nal []byte) { types = append(types, int(nal[0]>>1&0x3f)) })
	case "av01":
		_ = eachOBU(data, func(kind int, _, _ []byte) { types = append(types, kind) })
	}
	return types
}

func stripNALs(data []byte, drop func(header byte) bool) ([]byte, error) {
	dropped := 0
	if err := eachNAL(data, func(nal []byte) {
		if drop(nal[0]) {
			dropped += 4 + len(nal)
		}
	}); err != nil {
		return nil, err
	}
	if dropped == 0 {
		return data, nil
	}
	out := make([]byte, 0, len(data)-dropped)
	err := eachNAL(data, func(nal []byte) {
		if !drop(nal[0]) {
			out = binary.BigEndian.AppendUint32(out, uint32(len(nal)))
			out = append(out, nal...)
		}
	})
	if len(out) == 0 {
		return nil, fmt.Errorf("frame of parameter sets only: %w", ErrFrame)
	}
	return out, err
}

func eachNAL(data []byte, f func(nal []byte)) error {
	if len(data) == 0 {
		return fmt.Errorf("empty frame: %w", ErrFrame)
	}
	for rest := data; len(rest) > 0; {
		if len(rest) < 5 {
			return fmt.Errorf("%d stray bytes after the last NAL unit: %w", len(rest), ErrFrame)
		}
		n := int64(binary.BigEndian.Uint32(rest))
		if n == 0 || n > int64(len(rest)-4) {
			return fmt.Errorf("NAL unit of %d bytes in %d: %w", n, len(rest)-4, ErrFrame)
		}
		f(rest[4 : 4+n])
		rest = rest[4+n:]
	}
	return nil
}
