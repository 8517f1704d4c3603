package captions

// Triplet is one cc_data_pkt: marker bits, cc_valid and cc_type, then two bytes.
type Triplet [3]byte

// The cc_types (CTA-708 table 9): a byte pair of line 21, or of a DTVCC packet.
const (
	field1 = iota
	field2
	packetData
	packetStart
)

func (t Triplet) kind() int { return int(t[0] & 3) }

// valid is false for padding of either kind.
func (t Triplet) valid() bool { return t[0]&4 != 0 }

// line tells byte pairs of line 21 (CEA-608).
func (t Triplet) line() bool { return t.kind() <= field2 }

// empty is a byte pair that says nothing: it keeps line 21 busy.
func (t Triplet) empty() bool { return t.line() && t[1]&0x7f == 0 && t[2]&0x7f == 0 }

// Triplets cuts cc_data_pkts, as decoders hand them out; a cut one at the end
// is dropped.
func Triplets(b []byte) []Triplet {
	out := make([]Triplet, 0, len(b)/3)
	for ; len(b) >= 3; b = b[3:] {
		out = append(out, Triplet(b[:3]))
	}
	return out
}

// Bytes is the other way round.
func Bytes(ts []Triplet) []byte {
	out := make([]byte, 0, 3*len(ts))
	for _, t := range ts {
		out = append(out, t[:]...)
	}
	return out
}
