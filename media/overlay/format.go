package overlay

// Format is the kind of pictures that are drawn on: planes of Y, Cb and Cr.
type Format struct {
	Width, Height  int
	SARNum, SARDen int // the shape of a pixel; 0: square
	// ChromaX and ChromaY tell whether there is half the chroma in a direction.
	ChromaX, ChromaY bool
	// BetweenX and BetweenY tell where halved chroma lies: between two samples of
	// luma, or on the first of them.
	BetweenX, BetweenY bool
	Depth              int // bits of a sample; more than 8 are two bytes, the low one first
	// ISO/IEC 23091-2 code points.
	Primaries, Transfer, Matrix int
	Full                        bool // range
}

// stretch is how much wider a pixel is than high.
func (f Format) stretch() float64 {
	if f.SARNum <= 0 || f.SARDen <= 0 {
		return 1
	}
	return float64(f.SARNum) / float64(f.SARDen)
}
