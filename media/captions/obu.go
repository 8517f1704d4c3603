package captions

// OBU types (AV1 §6.2.2), and the metadata type of T.35 (§6.7.1).
const (
	obuFrameHeader = 3
	obuMetadata    = 5
	obuFrame       = 6
	metadataT35    = 4
)

// insertOBU puts a metadata OBU before the header of the frame that is shown: the
// last of a temporal unit. Hidden frames before it are shown with later ones.
func insertOBU(data []byte, ts []Triplet) []byte {
	at := -1
	eachOBU(data, func(i, kind int, _ []byte) {
		if kind == obuFrame || kind == obuFrameHeader {
			at = i
		}
	})
	if at < 0 {
		return data
	}
	body := append(append([]byte{metadataT35}, userData(ts)...), 0x80)
	obu := append(leb128([]byte{obuMetadata<<3 | 2}, len(body)), body...)
	out := make([]byte, 0, len(data)+len(obu))
	return append(append(append(out, data[:at]...), obu...), data[at:]...)
}

func extractOBU(data []byte) []Triplet {
	var out []Triplet
	eachOBU(data, func(_, kind int, body []byte) {
		if kind == obuMetadata && len(body) > 0 && body[0] == metadataT35 {
			out = append(out, fromUserData(body[1:])...)
		}
	})
	return out
}

// eachOBU walks a temporal unit; what is cut is left out.
func eachOBU(data []byte, f func(at, kind int, body []byte)) {
	for i := 0; i < len(data); {
		head := 1 + int(data[i]>>2&1)
		size := len(data) - i - head
		if data[i]&2 != 0 {
			n, length := readLEB128(data[min(i+head, len(data)):])
			if length == 0 {
				return
			}
			head, size = head+length, n
		}
		if size < 0 || size > len(data)-i-head {
			return
		}
		f(i, int(data[i]>>3&0xf), data[i+head:i+head+size])
		i += head + size
	}
}

func leb128(out []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

// readLEB128 gives the number and its length, 0 when it is cut.
func readLEB128(b []byte) (n, length int) {
	for i := 0; i < min(len(b), 5); i++ {
		if n |= int(b[i]&0x7f) << (7 * i); b[i]&0x80 == 0 {
			return n, i + 1
		}
	}
	return 0, 0
}
