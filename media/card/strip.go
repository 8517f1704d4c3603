package card

import (
	"image"
	"math/bits"
)

// The strip along the top edge carries 32 bits of frame number and 8 of check,
// between a white and a black cell at either end, as black and white cells
// large enough to survive any rung of a ladder.

const (
	stripBits  = 40
	stripCells = stripBits + 4
	stripShare = 10 // the strip is a tenth of the picture's height
)

// check is 8 bits that a misread strip is unlikely to have.
func check(n uint32) uint8 {
	h := n * 2654435761
	return uint8(h>>24) ^ uint8(bits.OnesCount32(n)*37)
}

func cell(width, i int) (x0, x1 int) {
	return width * i / stripCells, width * (i + 1) / stripCells
}

func writeStrip(img *image.YCbCr, n uint32) {
	w, h := img.Rect.Dx(), img.Rect.Dy()/stripShare
	word := uint64(n)<<8 | uint64(check(n))
	for i := range stripCells {
		luma := uint8(lumaBlack)
		switch {
		case i == 0, i == stripCells-2:
			luma = lumaWhite
		case i >= 2 && i < stripBits+2 && word>>(stripBits-1-(i-2))&1 == 1:
			luma = lumaWhite
		}
		x0, x1 := cell(w, i)
		fill(img, image.Rect(x0, 0, x1, h), luma)
	}
}

// Read finds the frame number in a luma plane of any size, ok when the strip is
// there and its check holds.
func Read(luma []byte, stride, width, height int) (n uint32, ok bool) {
	if width < stripCells*2 || height < stripShare*2 {
		return 0, false
	}
	at := func(i int) int {
		x0, x1 := cell(width, i)
		y := height / stripShare / 2
		sum, count := 0, 0
		for x := x0 + (x1-x0)/4; x <= x1-1-(x1-x0)/4; x++ {
			sum, count = sum+int(luma[y*stride+x]), count+1
		}
		return sum / max(count, 1)
	}
	white, black := at(0), at(1)
	if white-black < 80 || at(stripCells-2) < (white+black)/2 || at(stripCells-1) > (white+black)/2 {
		return 0, false
	}
	var word uint64
	for i := range stripBits {
		word <<= 1
		if at(i+2) > (white+black)/2 {
			word |= 1
		}
	}
	n = uint32(word >> 8)
	return n, uint8(word) == check(n)
}
