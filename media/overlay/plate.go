package overlay

import (
	"encoding/binary"
	"image"
)

// whole is the cover of a sample that hides what is behind it.
const (
	wholeBits = 12
	whole     = 1 << wholeBits
)

// Plate is one overlay in the samples of its format.
type Plate struct{ Planes [3]Plane } // Y, Cb, Cr

// Plane is a rectangle of one plane of the picture. A sample s becomes
// (s·(4096 − Cover) + Fill) / 4096.
type Plane struct {
	Rect  image.Rectangle
	Cover []uint16
	Fill  []uint32 // code values times Cover
}

// Draw lays the plane over samples of depth bits, stride bytes a line.
func (p *Plane) Draw(dst []byte, stride, depth int) {
	w := p.Rect.Dx()
	for y := range p.Rect.Dy() {
		cover, fill := p.Cover[y*w:][:w], p.Fill[y*w:][:w]
		line := dst[(p.Rect.Min.Y+y)*stride:]
		if depth > 8 {
			draw16(line[2*p.Rect.Min.X:][:2*w], cover, fill)
			continue
		}
		draw8(line[p.Rect.Min.X:][:w], cover, fill)
	}
}

func draw8(line []byte, cover []uint16, fill []uint32) {
	for x, c := range cover {
		if c != 0 {
			line[x] = byte((uint32(line[x])*(whole-uint32(c)) + fill[x] + whole/2) >> wholeBits)
		}
	}
}

func draw16(line []byte, cover []uint16, fill []uint32) {
	for x, c := range cover {
		if c != 0 {
			s := line[2*x : 2*x+2]
			v := uint32(binary.LittleEndian.Uint16(s))
			binary.LittleEndian.PutUint16(s, uint16((v*(whole-uint32(c))+fill[x]+whole/2)>>wholeBits))
		}
	}
}

// layer is an overlay with a sample of each component for every pixel.
type layer struct {
	rect  image.Rectangle // within the picture
	cover []uint16
	fill  [3][]uint32
	grey  uint32 // in place of fill[1] and fill[2]: the code value of no colour
}

// plate halves the chroma where the format has half.
func (l *layer) plate(f Format) *Plate {
	p := &Plate{}
	p.Planes[0] = Plane{l.rect, l.cover, l.fill[0]}
	if !f.ChromaX && !f.ChromaY {
		for i := 1; i < 3; i++ {
			p.Planes[i] = Plane{l.rect, l.cover, l.whole(i)}
		}
		return p
	}
	xs, ys := taps(l.rect.Min.X, l.rect.Max.X, f.Width, f.ChromaX, f.BetweenX), taps(l.rect.Min.Y, l.rect.Max.Y, f.Height, f.ChromaY, f.BetweenY)
	rect := image.Rect(xs.first, ys.first, xs.first+len(xs.at), ys.first+len(ys.at))
	cover := halved(xs, ys, l.rect.Dx(), l.cover)
	for i := 1; i < 3; i++ {
		p.Planes[i] = Plane{Rect: rect, Cover: cover}
		if l.fill[i] == nil {
			p.Planes[i].Fill = times(cover, l.grey)
		} else {
			p.Planes[i].Fill = halved(xs, ys, l.rect.Dx(), l.fill[i])
		}
	}
	return p
}

func (l *layer) whole(i int) []uint32 {
	if l.fill[i] != nil {
		return l.fill[i]
	}
	return times(l.cover, l.grey)
}

func times(cover []uint16, value uint32) []uint32 {
	out := make([]uint32, len(cover))
	for i, c := range cover {
		out[i] = uint32(c) * value
	}
	return out
}

// tapped is how samples of chroma come of those of luma in one direction.
type tapped struct {
	first int
	at    []taps3
}

// taps3 are up to three places, counted within the layer, with their weights;
// these sum to four less what lies outside of the layer.
type taps3 [3]struct{ place, weight int }

// taps is for luma from low to high of a picture that has size. Chroma between
// two samples is their mean, chroma on a sample has half of it and a quarter of
// each neighbour; the picture's edge is its own neighbour.
func taps(low, high, size int, half, between bool) tapped {
	weighted := func(x int, weights ...int) (out taps3) {
		for i, w := range weights {
			if at := max(0, min(x+i, size-1)); at >= low && at < high {
				out[i].place, out[i].weight = at-low, w
			}
		}
		return out
	}
	t, end := tapped{first: low}, high
	if half {
		t.first, end = low/2, (high+1)/2
		if !between && high%2 == 0 {
			end = min(end+1, (size+1)/2) // the last sample is the next one's neighbour
		}
	}
	for c := t.first; c < end; c++ {
		switch {
		case !half:
			t.at = append(t.at, weighted(c, 4))
		case between:
			t.at = append(t.at, weighted(2*c, 2, 2))
		default:
			t.at = append(t.at, weighted(2*c-1, 1, 2, 1))
		}
	}
	return t
}

// halved is first one line for each line of chroma, then its samples.
func halved[S uint16 | uint32](xs, ys tapped, stride int, from []S) []S {
	out, line := make([]S, 0, len(xs.at)*len(ys.at)), make([]uint64, stride)
	for _, rows := range ys.at {
		clear(line)
		for _, r := range rows {
			if r.weight == 0 {
				continue
			}
			for x, v := range from[r.place*stride:][:stride] {
				line[x] += uint64(v) * uint64(r.weight)
			}
		}
		for i := range xs.at {
			c := &xs.at[i]
			sum := line[c[0].place]*uint64(c[0].weight) + line[c[1].place]*uint64(c[1].weight) + line[c[2].place]*uint64(c[2].weight)
			out = append(out, S((sum+8)/16))
		}
	}
	return out
}
