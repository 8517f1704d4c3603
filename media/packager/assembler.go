package packager

import (
	"fmt"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/cmaf"
)

// assembler gathers the packets of one rendition, in decode order, into whole
// segments, and refuses what is not on the grid. It is pure.
type assembler struct {
	pace
	format string
	// number is the segment being filled.
	number  int64
	started bool
	// snap lets the first packet choose the segment (live): the first whole one
	// not before number.
	snap bool
	// skipped counts frames before the first segment: not published.
	skipped int64

	frames  []frame
	present []bool // of the GOP being filled, by display order
}

// frame is a packet in its place.
type frame struct {
	index int64 // own frame number
	data  []byte
}

// batch is a whole segment's frames.
type batch struct {
	number      int64
	first, next int64 // own frame numbers
	frames      []frame
}

// add takes the next packet; a batch comes back when it was the segment's last.
func (a *assembler) add(p media.Packet) (*batch, error) {
	if p.Index%a.divisor != 0 {
		return nil, fmt.Errorf("frame %d is none of this rendition, which shows every %d-th", p.Index, a.divisor)
	}
	f := p.Index / a.divisor
	if !a.started {
		if a.snap {
			a.number, a.snap = max(a.number, a.startingAt(f)), false
		}
		if f < a.first(a.number) {
			a.skipped++
			return nil, nil
		}
		a.started = true
	}
	data, err := cmaf.Strip(a.format, p.Data)
	if err != nil {
		return nil, fmt.Errorf("frame %d: %w", p.Index, err)
	}
	if err := a.place(f, data, p.Key); err != nil {
		return nil, err
	}
	a.frames = append(a.frames, frame{f, data})
	if a.first(a.number)+int64(len(a.frames)) == a.first(a.number+1) {
		return a.close(), nil
	}
	return nil, nil
}

// place checks that frame f may come next.
func (a *assembler) place(f int64, data []byte, key bool) error {
	next := a.first(a.number) + int64(len(a.frames))
	if a.gop == 0 {
		if f != next {
			return fmt.Errorf("audio frame %d came where %d belongs", f, next)
		}
		return nil
	}
	at := int64(len(a.frames)) % a.gop
	if at == 0 {
		a.present = make([]bool, a.gop)
	}
	start := next - at
	switch idr := cmaf.IDR(a.format, data); {
	case at == 0 && (f != start || !idr || !key):
		return fmt.Errorf("frame %d (IDR: %v) came where the IDR of frame %d belongs", f*a.divisor, idr && key, start*a.divisor)
	case f < start || f >= start+a.gop:
		return fmt.Errorf("frame %d came while frame %d of the GOP at %d is missing", f*a.divisor, a.missing(start)*a.divisor, start*a.divisor)
	case a.present[f-start]:
		return fmt.Errorf("frame %d came twice", f*a.divisor)
	case at > 0 && idr:
		return fmt.Errorf("frame %d is an IDR inside the GOP at %d", f*a.divisor, start*a.divisor)
	}
	a.present[f-start] = true
	return nil
}

// missing is the first frame not yet seen of the GOP that starts at start.
func (a *assembler) missing(start int64) int64 {
	for i, seen := range a.present {
		if !seen {
			return start + int64(i)
		}
	}
	return start + a.gop
}

func (a *assembler) close() *batch {
	first := a.first(a.number)
	b := &batch{number: a.number, first: first, next: first + int64(len(a.frames)), frames: a.frames}
	a.number++
	a.frames = make([]frame, 0, len(b.frames))
	return b
}

// flush closes a short last segment; nil when there is none. Its last GOP must
// have no hole.
func (a *assembler) flush() (*batch, error) {
	if len(a.frames) == 0 {
		return nil, nil
	}
	if a.gop > 0 {
		at := int64(len(a.frames)) % a.gop
		next := a.first(a.number) + int64(len(a.frames))
		if at > 0 && a.missing(next-at) < next {
			return nil, fmt.Errorf("frame %d never came", a.missing(next-at)*a.divisor)
		}
	}
	return a.close(), nil
}
