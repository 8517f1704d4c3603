package captions

import "bytes"

// identifier of ATSC user data with cc_data in it (A/53 part 4 §6.2.3).
var identifier = []byte{'G', 'A', '9', '4', 3}

// t35 is what registers it in SEI and OBUs (ITU-T T.35): USA, ATSC.
var t35 = []byte{0xb5, 0x00, 0x31}

// userData is a T.35 payload with these triplets.
func userData(ts []Triplet) []byte {
	ts = ts[:min(len(ts), maxCount)]
	out := append(append([]byte(nil), t35...), identifier...)
	out = append(out, 0xc0|byte(len(ts)), 0xff) // process_cc_data_flag; em_data
	return append(append(out, Bytes(ts)...), 0xff)
}

// fromUserData reads a T.35 payload; nil when it is something else.
func fromUserData(b []byte) []Triplet {
	rest, ok := bytes.CutPrefix(b, t35)
	if ok {
		rest, ok = bytes.CutPrefix(rest, identifier)
	}
	if !ok {
		return nil
	}
	return ccData(rest)
}

// ccData reads cc_data().
func ccData(b []byte) []Triplet {
	if len(b) < 2 || b[0]&0x40 == 0 {
		return nil
	}
	n := 3 * int(b[0]&0x1f)
	if len(b) < 2+n {
		return nil
	}
	return Triplets(b[2 : 2+n])
}

// Sniff finds captions in a packet of a source, whatever its codec and framing:
// the identifier is long enough to be sought. It says what a source may have, not
// what its decoder will make of it.
func Sniff(packet []byte) []Triplet {
	var out []Triplet
	for {
		i := bytes.Index(packet, identifier)
		if i < 0 {
			return out
		}
		packet = packet[i+len(identifier):]
		// Emulation prevention of H.264 and HEVC; MPEG-2 and AV1 have none, and
		// cc_data with two zeros before a three is no valid one.
		out = append(out, ccData(unescape(packet[:min(len(packet), 2*(2+3*maxCount))]))...)
	}
}
