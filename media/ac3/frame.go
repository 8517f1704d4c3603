package ac3

import (
	"errors"
	"fmt"
)

// Samples of a whole access unit: six blocks of 256.
const Samples = 1536

// ErrDamaged is a frame that is not what its header says.
var ErrDamaged = errors.New("not a frame of AC-3 or E-AC-3")

// Frame is the header of one syncframe.
type Frame struct {
	Enhanced   bool // E-AC-3
	SampleRate int  // Hz
	Blocks     int  // of 256 samples
	Size       int  // bytes
	Dependent  bool // extends the substream before it with channels
	Substream  int

	fscod, bsid, bsmod, acmod, lfe uint32
	rateCode                       uint32 // AC-3: bit_rate_code of dac3
}

// Channels that the frame has.
func (f Frame) Channels() int { return []int{2, 1, 2, 3, 3, 4, 4, 5}[f.acmod] + int(f.lfe) }

// kbits are the bit rates by frmsizecod / 2 (table 4.13).
var kbits = []int{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640}

var rates = []int{48000, 44100, 32000}

// header is how many bytes parse looks at.
const header = 7

func parse(b []byte) (Frame, error) {
	if len(b) < header || b[0] != 0x0b || b[1] != 0x77 {
		return Frame{}, ErrDamaged
	}
	bsid := uint32(b[5] >> 3)
	switch {
	case bsid <= 10:
		return parseAC3(b, bsid)
	case bsid <= 16:
		return parseEnhanced(b, bsid)
	}
	return Frame{}, fmt.Errorf("%w: bit stream of version %d", ErrDamaged, bsid)
}

// parseAC3 reads syncinfo and bsi (§4.3.1, §4.3.2).
func parseAC3(b []byte, bsid uint32) (Frame, error) {
	f := Frame{Blocks: 6, bsid: bsid, fscod: uint32(b[4] >> 6), bsmod: uint32(b[5] & 7), acmod: uint32(b[6] >> 5)}
	code := int(b[4] & 0x3f)
	if f.fscod == 3 || code/2 >= len(kbits) {
		return f, fmt.Errorf("%w: reserved rate", ErrDamaged)
	}
	f.SampleRate, f.rateCode = rates[f.fscod], uint32(code/2)
	f.Size = kbits[code/2] * 1000 * Samples / 16 / f.SampleRate * 2
	if f.SampleRate == 44100 {
		f.Size += code & 1 * 2
	}
	// lfeon follows cmixlev, surmixlev and dsurmod, each of two bits and there
	// for some modes only.
	skip := 3
	if f.acmod&1 != 0 && f.acmod != 1 {
		skip += 2
	}
	if f.acmod&4 != 0 {
		skip += 2
	}
	if f.acmod == 2 {
		skip += 2
	}
	f.lfe = uint32(b[6]>>(7-skip)) & 1
	return f, nil
}

// parseEnhanced reads syncinfo and the start of bsi (§E.1.2.1, §E.1.2.2). bsmod
// lies behind optional metadata and is taken for 0, a complete main service.
func parseEnhanced(b []byte, bsid uint32) (Frame, error) {
	f := Frame{Enhanced: true, bsid: bsid, Substream: int(b[2] >> 3 & 7), Size: (int(b[2]&7)<<8 | int(b[3])) * 2, acmod: uint32(b[4] >> 1 & 7), lfe: uint32(b[4] & 1)}
	f.Size += 2
	f.fscod = uint32(b[4] >> 6)
	kind, blocks := b[2]>>6, b[4]>>4&3
	switch {
	case kind == 3:
		return f, fmt.Errorf("%w: reserved stream type", ErrDamaged)
	case f.fscod == 3: // half the rate, which MP4 cannot announce by this code alone
		return f, fmt.Errorf("%w: reduced sample rate", ErrDamaged)
	}
	f.Dependent = kind == 1
	f.SampleRate, f.Blocks = rates[f.fscod], []int{1, 2, 3, 6}[blocks]
	return f, nil
}
