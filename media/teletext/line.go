package teletext

import (
	"math/bits"
	"slices"
)

// A PES packet of teletext is a data identifier and data units of 46 bytes, each
// a line of the picture (EN 300 472 §4.4): unit id, length, place of the line,
// framing code, then 42 bytes of packet address and data (EN 300 706 §7.1).
const (
	dataIdentifier = 0x10
	unitSubtitles  = 0x03
	unitStuffing   = 0xff
	unitLength     = 0x2c
	unitSize       = 2 + unitLength
	addressAt      = 4
)

// line is a data unit of teletext.
type line []byte

// lines of a PES packet's payload; what is cut off or of another kind is left
// out.
func lines(payload []byte) []line {
	if len(payload) == 0 || payload[0] < dataIdentifier || payload[0] > 0x1f {
		return nil
	}
	var out []line
	for rest := payload[1:]; len(rest) >= 2 && len(rest) >= 2+int(rest[1]); {
		size := 2 + int(rest[1])
		if (rest[0] == 0x02 || rest[0] == unitSubtitles) && size == unitSize {
			out = append(out, line(rest[:size]))
		}
		rest = rest[size:]
	}
	return out
}

// nibble is the Hamming 8/4 value of the i-th byte after the framing code (EN
// 300 706 §8.2), -1 where more than one bit is wrong.
func (l line) nibble(i int) int { return unham(bits.Reverse8(l[addressAt+i])) }

// address is where a line belongs: its magazine as it is sent, and its packet
// number, Y.
func (l line) address() (magazine, packet int, ok bool) {
	low, high := l.nibble(0), l.nibble(1)
	if low < 0 || high < 0 {
		return 0, 0, false
	}
	return low & 7, low>>3 | high<<1, true
}

// header is what packet 0 says of its page (§9.3.1).
type header struct {
	page                   Page
	erase, subtitle, apart bool // C4, C6, and not C11: magazines are sent side by side
}

func (l line) header(magazine int) (header, bool) {
	var n [8]int
	for i := range n {
		if n[i] = l.nibble(2 + i); n[i] < 0 {
			return header{}, false
		}
	}
	return header{page: page(magazine, n[1]<<4|n[0]), erase: n[3]&8 != 0, subtitle: n[5]&8 != 0, apart: n[7]&1 == 0}, true
}

// closing is a header like l that closes its page and opens none: page FF is for
// filling time (§3.1, §9.3.1).
func (l line) closing() line {
	out := slices.Clone(l)
	for i, v := range []int{0xf, 0xf, 0xf, 0x7, 0xf, 0x3} {
		out[addressAt+2+i] = bits.Reverse8(hamming[v])
	}
	return out
}

// hamming are the 16 code words.
var hamming = [16]byte{0x15, 0x02, 0x49, 0x5e, 0x64, 0x73, 0x38, 0x2f, 0xd0, 0xc7, 0x8c, 0x9b, 0xa1, 0xb6, 0xfd, 0xea}

// unham is the value whose code word differs in no more than one bit.
func unham(b byte) int {
	return slices.IndexFunc(hamming[:], func(word byte) bool { return bits.OnesCount8(word^b) <= 1 })
}

// pack makes a payload of lines that decoders of whole PES packets take: those
// are multiples of 184 bytes, 45 of them the header (EN 300 472 §4.2).
func pack(all []line) []byte {
	out := []byte{dataIdentifier}
	for _, l := range all {
		out = append(out, l...)
	}
	for (len(out)-1)/unitSize%4 != 3 {
		out = append(out, unitStuffing, unitLength)
		for range unitLength {
			out = append(out, 0xff)
		}
	}
	return out
}
