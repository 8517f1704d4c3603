package ac3

import "fmt"

// Unit is one access unit: the frame of the programme, and how it is announced.
type Unit struct {
	Frame
	// Data is the frame itself. Dependent substreams, which add channels to a
	// programme that is complete without them, are left out, and Left says so.
	Data []byte
	Left bool
}

// Parse reads an access unit of a container.
func Parse(b []byte) (Unit, error) {
	f, err := parse(b)
	if err != nil {
		return Unit{}, err
	}
	switch {
	case f.Dependent || f.Substream != 0:
		return Unit{}, fmt.Errorf("%w: it begins with a part of a frame", ErrDamaged)
	case f.Size < header || f.Size > len(b):
		return Unit{}, fmt.Errorf("%w: %d bytes of %d", ErrDamaged, len(b), f.Size)
	case f.Blocks != 6:
		return Unit{}, fmt.Errorf("frames of %d blocks cannot be passed on, six are needed", f.Blocks)
	}
	rest, err := parse(b[f.Size:])
	return Unit{Frame: f, Data: b[:f.Size], Left: err == nil && rest.Dependent}, nil
}

// Box is the body of the AC-3 or E-AC-3 specific box (§F.4, §F.6).
func (u Unit) Box() []byte {
	if u.Enhanced {
		rate := uint32(u.Size*8*u.SampleRate/Samples/1000) << 3 // num_ind_sub 0: one
		v := u.fscod<<22 | u.bsid<<17 | u.bsmod<<12 | u.acmod<<9 | u.lfe<<8
		return []byte{byte(rate >> 8), byte(rate), byte(v >> 16), byte(v >> 8), byte(v)}
	}
	v := u.fscod<<22 | u.bsid<<17 | u.bsmod<<14 | u.acmod<<11 | u.lfe<<10 | u.rateCode<<5
	return []byte{byte(v >> 16), byte(v >> 8), byte(v)}
}
