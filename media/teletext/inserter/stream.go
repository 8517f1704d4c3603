package inserter

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/galafarm/gala/media/teletext"
)

// Listing is an entry of the teletext descriptor.
type Listing struct {
	Language string // three letters
	Type     byte   // EN 300 468 table 94: 2 subtitles, 5 for those who do not hear
	Page     teletext.Page
}

// PID is where the pages are sent.
const PID = 0x240

const size = 188

// Insert is the transport stream with pages, and with a descriptor that lists
// some. It has one programme, whose map fits a packet.
func Insert(ts []byte, listed []Listing, pages ...Page) ([]byte, error) {
	s := stream{in: ts, listed: listed, pages: slices.Clone(pages), clock: -1}
	slices.SortStableFunc(s.pages, func(a, b Page) int { return int(a.At - b.At) })
	if len(ts) == 0 || len(ts)%size != 0 {
		return nil, errors.New("not whole packets")
	}
	if s.first = firstPicture(ts); s.first < 0 {
		return nil, errors.New("no picture with a time")
	}
	for ; len(s.in) > 0; s.in = s.in[size:] {
		if err := s.step(slices.Clone(s.in[:size])); err != nil {
			return nil, err
		}
	}
	return s.out, nil
}

type stream struct {
	in, out  []byte
	listed   []Listing
	pages    []Page
	first    int64 // when the first picture is shown
	mapPID   int
	clock    int64 // PCR in ticks of 1/90000, -1 before the first
	counters byte
}

func (s *stream) step(p []byte) error {
	id := int(binary.BigEndian.Uint16(p[1:]) & 0x1fff)
	switch {
	case id == 0:
		s.mapPID = int(binary.BigEndian.Uint16(p[15:]) & 0x1fff)
	case id == s.mapPID && p[1]&0x40 != 0:
		if err := s.list(p); err != nil {
			return err
		}
	}
	s.out = append(s.out, p...)
	if p[3]&0x20 == 0 || p[4] == 0 || p[5]&0x10 == 0 {
		return nil
	}
	s.clock = int64(binary.BigEndian.Uint32(p[6:]))<<1 | int64(p[10]>>7)
	const ahead = 9000 // a decoder takes up to 40 ms, and clocks are 100 ms apart
	for len(s.pages) > 0 && s.first+s.pages[0].At-ahead <= s.clock {
		s.send(s.pages[0])
		s.pages = s.pages[1:]
	}
	return nil
}

func (s *stream) send(p Page) {
	pes := packet(Payload(p), s.first+p.At)
	for start := byte(0x40); len(pes) > 0; start = 0 {
		s.out = append(s.out, 0x47, start|byte(PID>>8), byte(PID&0xff), 0x10|s.counters&15)
		s.out, pes = append(s.out, pes[:size-4]...), pes[size-4:]
		s.counters++
	}
}

// list adds the stream and its descriptor to a programme map.
func (s *stream) list(p []byte) error {
	section := p[5+int(p[4]):]
	length := int(binary.BigEndian.Uint16(section[1:]) & 0xfff)
	descriptor := []byte{}
	for _, l := range s.listed {
		descriptor = append(append(descriptor, l.Language...), l.Type<<3|byte(l.Page>>8)&7, byte(l.Page))
	}
	entry := []byte{0x06, 0xe0 | byte(PID>>8), byte(PID & 0xff), 0xf0, byte(len(descriptor) + 2), 0x56, byte(len(descriptor))}
	entry = append(entry, descriptor...)
	fresh := append(slices.Clone(section[:3+length-4]), entry...)
	length += len(entry)
	fresh[1], fresh[2] = fresh[1]&0xf0|byte(length>>8), byte(length)
	fresh = binary.BigEndian.AppendUint32(fresh, checksum(fresh))
	if len(fresh) > len(section) {
		return errors.New("the programme map does not fit a packet")
	}
	copy(section, fresh)
	for i := len(fresh); i < len(section); i++ {
		section[i] = 0xff
	}
	return nil
}

// checksum is the CRC of ISO/IEC 13818-1 annex A.
func checksum(b []byte) uint32 {
	crc := ^uint32(0)
	for _, x := range b {
		crc ^= uint32(x) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// firstPicture is the presentation time of the first PES packet of video.
func firstPicture(ts []byte) int64 {
	for ; len(ts) >= size; ts = ts[size:] {
		if ts[1]&0x40 == 0 || ts[3]&0x10 == 0 {
			continue
		}
		p := ts[4:size]
		if ts[3]&0x20 != 0 {
			p = p[1+int(p[0]):]
		}
		if len(p) > 14 && p[2] == 1 && p[0]|p[1] == 0 && p[3]&0xf0 == 0xe0 && p[7]&0x80 != 0 {
			return int64(p[9]&0xe)<<29 | int64(binary.BigEndian.Uint16(p[10:])&^1)<<14 | int64(binary.BigEndian.Uint16(p[12:])>>1)
		}
	}
	return -1
}
