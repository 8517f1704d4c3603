package cmaf

import "fmt"

// OBU types of AV1 (bitstream specification §6.2.2).
const (
	obuTemporalDelimiter = 2
	obuFrameHeader       = 3
	obuFrame             = 6
)

// stripOBUs drops temporal delimiters, which the AV1 binding to ISOBMFF (§2.4)
// does not want in samples.
func stripOBUs(data []byte) ([]byte, error) {
	out := make([]byte, 0, len(data))
	err := eachOBU(data, func(kind int, whole, _ []byte) {
		if kind != obuTemporalDelimiter {
			out = append(out, whole...)
		}
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("temporal unit without frame: %w", ErrFrame)
	}
	return out, err
}

// av1Key tells whether the first frame header shows a new key frame:
// show_existing_frame is 0 and frame_type is KEY_FRAME (§5.9.2).
func av1Key(data []byte) bool {
	key, seen := false, false
	_ = eachOBU(data, func(kind int, _, payload []byte) {
		if !seen && (kind == obuFrame || kind == obuFrameHeader) && len(payload) > 0 {
			key, seen = payload[0]>>5 == 0, true
		}
	})
	return key
}

// eachOBU walks open bitstream units; whole is the unit with its header.
func eachOBU(data []byte, f func(kind int, whole, payload []byte)) error {
	if len(data) == 0 {
		return fmt.Errorf("empty temporal unit: %w", ErrFrame)
	}
	for rest := data; len(rest) > 0; {
		head, size, err := obuHeader(rest)
		if err != nil {
			return err
		}
		f(int(rest[0]>>3&0xf), rest[:head+size], rest[head:head+size])
		rest = rest[head+size:]
	}
	return nil
}

func obuHeader(b []byte) (head, size int, err error) {
	if b[0]&0x80 != 0 {
		return 0, 0, fmt.Errorf("OBU forbidden bit: %w", ErrFrame)
	}
	head = 1
	if b[0]&4 != 0 {
		head = 2
	}
	if b[0]&2 == 0 { // no size field: the last unit of the sample
		if head > len(b) {
			return 0, 0, fmt.Errorf("OBU header cut: %w", ErrFrame)
		}
		return head, len(b) - head, nil
	}
	for shift := 0; shift < 56; shift += 7 {
		if head >= len(b) {
			break
		}
		v := b[head]
		head++
		size |= int(v&0x7f) << shift
		if v&0x80 == 0 {
			if size > len(b)-head {
				break
			}
			return head, size, nil
		}
	}
	return 0, 0, fmt.Errorf("OBU size does not fit: %w", ErrFrame)
}
