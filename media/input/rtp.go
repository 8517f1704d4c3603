package input

import "encoding/binary"

// reorder puts RTP packets (RFC 3550 §5.1) in the order of their numbers and
// takes their headers off. A packet is waited for until that many newer ones
// are there.
type reorder struct {
	next    uint16
	started bool
	waiting map[uint16][]byte
}

const reorderWindow = 64

// put takes one packet and gives the payloads that are due, and how many before
// them were given up.
func (r *reorder) put(p []byte) (due [][]byte, lost int64) {
	number, payload, ok := rtpPayload(p)
	if !ok {
		return nil, 0
	}
	if !r.started || r.far(number) {
		r.next, r.started, r.waiting = number, true, map[uint16][]byte{}
	}
	if int16(number-r.next) < 0 {
		return nil, 0 // a repetition, or too late
	}
	r.waiting[number] = payload
	for len(r.waiting) > 0 {
		if b, here := r.waiting[r.next]; here {
			due = append(due, b)
			delete(r.waiting, r.next)
		} else if len(r.waiting) < reorderWindow {
			break
		} else {
			lost++
		}
		r.next++
	}
	return due, lost
}

// far: a sender that began anew.
func (r *reorder) far(number uint16) bool {
	d := int16(number - r.next)
	return d > 3000 || d < -3000
}

// rtpPayload takes the header with its extensions and padding off.
func rtpPayload(p []byte) (number uint16, payload []byte, ok bool) {
	if len(p) < 12 || p[0]>>6 != 2 {
		return 0, nil, false
	}
	number = binary.BigEndian.Uint16(p[2:])
	at := 12 + 4*int(p[0]&15)
	if p[0]&0x10 != 0 {
		if len(p) < at+4 {
			return 0, nil, false
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(p[at+2:]))
	}
	end := len(p)
	if p[0]&0x20 != 0 {
		end -= int(p[len(p)-1])
	}
	if at >= end {
		return 0, nil, false
	}
	return number, p[at:end], true
}
