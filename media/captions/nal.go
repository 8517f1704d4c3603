package captions

import (
	"encoding/binary"
	"slices"
)

// Insert puts captions into a coded frame as a sample has it: NAL units with
// lengths of four bytes (h264, hevc) or OBUs (av1). Without captions it returns
// data itself.
func Insert(codec string, data []byte, ts []Triplet) []byte {
	switch {
	case len(ts) == 0:
		return data
	case codec == "av1":
		return insertOBU(data, ts)
	}
	at, header := firstSlice(codec, data)
	if at < 0 {
		return data
	}
	nal := escape(append(append(header, sei(userData(ts))...), 0x80))
	out := make([]byte, 0, len(data)+4+len(nal))
	out = append(out, data[:at]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(nal)))
	out = append(out, nal...)
	return append(out, data[at:]...)
}

// Extract reads the captions of a coded frame in a sample.
func Extract(codec string, data []byte) []Triplet {
	if codec == "av1" {
		return extractOBU(data)
	}
	var out []Triplet
	eachNAL(data, func(_ int, nal []byte) bool {
		if head := seiHeader(codec, nal); head > 0 {
			eachSEI(unescape(nal[head:]), func(payload []byte) { out = append(out, fromUserData(payload)...) })
		}
		return true
	})
	return out
}

// firstSlice is where the first coded slice begins, before which SEI stands,
// and the header of a SEI NAL unit for this frame; -1 when there is no slice.
func firstSlice(codec string, data []byte) (at int, header []byte) {
	at = -1
	eachNAL(data, func(i int, nal []byte) bool {
		switch {
		case codec == "hevc" && nal[0]>>1&0x3f < 32 && len(nal) > 1:
			// Prefix SEI has the layer and the sublayer of its picture.
			at, header = i, []byte{39<<1 | nal[0]&1, nal[1]}
		case codec != "hevc" && nal[0]&0x1f >= 1 && nal[0]&0x1f <= 5:
			at, header = i, []byte{6}
		}
		return at < 0
	})
	return at, header
}

// seiHeader is the length of the NAL unit header, 0 when it is no (prefix) SEI.
func seiHeader(codec string, nal []byte) int {
	switch {
	case codec == "hevc" && nal[0]>>1&0x3f == 39 && len(nal) > 2:
		return 2
	case codec != "hevc" && nal[0]&0x1f == 6:
		return 1
	}
	return 0
}

// eachNAL walks a sample until f says no; what is cut is left out.
func eachNAL(data []byte, f func(at int, nal []byte) bool) {
	for i := 0; i+4 < len(data); {
		n := int(binary.BigEndian.Uint32(data[i:]))
		if n <= 0 || n > len(data)-i-4 || !f(i, data[i+4:i+4+n]) {
			return
		}
		i += 4 + n
	}
}

const userDataRegistered = 4 // payload type

// sei is a message: both numbers in steps of 255.
func sei(payload []byte) []byte {
	out := []byte{userDataRegistered}
	n := len(payload)
	for ; n >= 255; n -= 255 {
		out = append(out, 255)
	}
	return append(append(out, byte(n)), payload...)
}

// eachSEI hands out the payloads of registered user data.
func eachSEI(b []byte, f func(payload []byte)) {
	for len(b) > 2 {
		var kind, size int
		var ok bool
		if kind, b, ok = seiNumber(b); !ok {
			return
		}
		if size, b, ok = seiNumber(b); !ok || size > len(b) {
			return
		}
		if kind == userDataRegistered {
			f(b[:size])
		}
		b = b[size:]
	}
}

func seiNumber(b []byte) (n int, rest []byte, ok bool) {
	for i, v := range b {
		if n += int(v); v != 255 {
			return n, b[i+1:], true
		}
	}
	return 0, nil, false
}

// escape adds emulation prevention bytes (H.264 §7.4.1).
func escape(b []byte) []byte {
	out := make([]byte, 0, len(b)+8)
	zeros := 0
	for _, v := range b {
		if zeros == 2 && v <= 3 {
			out, zeros = append(out, 3), 0
		}
		out = append(out, v)
		if zeros++; v != 0 {
			zeros = 0
		}
	}
	return out
}

// unescape removes them; b itself where there are none.
func unescape(b []byte) []byte {
	var out []byte
	for i := 2; i < len(b); i++ {
		if b[i] != 3 || b[i-1] != 0 || b[i-2] != 0 {
			continue
		}
		out = append(out, b[:i]...)
		b = b[i+1:]
		i = 1 // zeros before an escape do not count for the next
	}
	if out == nil {
		return b
	}
	return slices.Concat(out, b)
}
