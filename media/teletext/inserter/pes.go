package inserter

import (
	"encoding/binary"
	"math/bits"
)

// Payload is what a PES packet of these pages holds (EN 300 472 §4.3).
func Payload(pages ...Page) []byte {
	out := []byte{0x10}
	units := 0
	for _, p := range pages {
		for _, l := range p.lines() {
			out = append(out, 0x03, 0x2c, byte(0xe0|7+units%16), 0xe4)
			for _, b := range l {
				out = append(out, bits.Reverse8(b))
			}
			units++
		}
	}
	for ; units%4 != 3; units++ { // packets are full to the last byte
		out = append(out, 0xff, 0x2c)
		for range 0x2c {
			out = append(out, 0xff)
		}
	}
	return out
}

const pesHeader = 45 // EN 300 472 §4.2

// packet is a PES packet of private_stream_1.
func packet(payload []byte, pts int64) []byte {
	out := make([]byte, pesHeader, pesHeader+len(payload))
	copy(out, []byte{0, 0, 1, 0xbd})
	binary.BigEndian.PutUint16(out[4:], uint16(pesHeader-6+len(payload)))
	out[6], out[7], out[8] = 0x84, 0x80, pesHeader-9
	out[9] = byte(0x21 | pts>>29&0xe)
	binary.BigEndian.PutUint16(out[10:], uint16(pts>>14)|1)
	binary.BigEndian.PutUint16(out[12:], uint16(pts<<1)|1)
	for i := 14; i < pesHeader; i++ {
		out[i] = 0xff
	}
	return append(out, payload...)
}
