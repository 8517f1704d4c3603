package libav

import (
	"encoding/binary"
	"math"
)

func floatBytes(v []float32) []byte {
	out := make([]byte, 0, 4*len(v))
	for _, x := range v {
		out = binary.NativeEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}

func floatPeak(b []byte) float64 {
	loudest := float64(0)
	for ; len(b) >= 4; b = b[4:] {
		loudest = max(loudest, math.Abs(float64(math.Float32frombits(binary.NativeEndian.Uint32(b)))))
	}
	return loudest
}
