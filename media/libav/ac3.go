package libav

import (
	"slices"

	"github.com/galafarm/gala/ladders"
)

// The bodies of the AC-3 and E-AC-3 specific boxes (ETSI TS 102 366 annex F):
// the encoders make one independent stream of the whole programme, so that
// everything follows from the rung.

// dac3: fscod 2, bsid 5, bsmod 3, acmod 3, lfeon 1, bit_rate_code 5, 5 reserved.
func dac3(a ladders.Audio) []byte {
	mode, lfe := ac3Mode(a.Channels)
	v := ac3Rate(a.SampleRate)<<22 | 8<<17 | mode<<11 | lfe<<10 | ac3BitRate(a.Bitrate)<<5
	return []byte{byte(v >> 16), byte(v >> 8), byte(v)}
}

// dec3: data_rate 13 (kbit/s), num_ind_sub 3 (less one); then fscod 2, bsid 5,
// reserved 1, asvc 1, bsmod 3, acmod 3, lfeon 1, reserved 3, num_dep_sub 4,
// reserved 1.
func dec3(a ladders.Audio) []byte {
	mode, lfe := ac3Mode(a.Channels)
	rate := uint32(a.Bitrate/1000) << 3
	v := ac3Rate(a.SampleRate)<<22 | 16<<17 | mode<<9 | lfe<<8
	return []byte{byte(rate >> 8), byte(rate), byte(v >> 16), byte(v >> 8), byte(v)}
}

// ac3Mode is acmod (§4.4.2.3) and lfeon.
func ac3Mode(channels int) (mode, lfe uint32) {
	switch channels {
	case 1:
		return 1, 0
	case 6:
		return 7, 1
	}
	return 2, 0
}

// ac3Rate is fscod (§4.4.1.3).
func ac3Rate(hz int) uint32 {
	switch hz {
	case 44100:
		return 1
	case 32000:
		return 2
	}
	return 0
}

// ac3BitRate is bit_rate_code: half of frmsizecod (table 4.13).
func ac3BitRate(bits int64) uint32 {
	i, _ := slices.BinarySearch(ladders.AC3BitRates(), bits)
	return uint32(i)
}
