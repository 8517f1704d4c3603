package texture

import (
	"bufio"
	"fmt"
	"io"
)

// Clip is what to draw. Width and Height are even.
type Clip struct {
	Width, Height, Frames int
	Rate                  int // frames a second
}

// WriteTo writes the clip as YUV4MPEG2 in 4:2:0.
func (c Clip) WriteTo(w io.Writer) (int64, error) {
	b := bufio.NewWriterSize(w, 1<<20)
	n := int64(0)
	k, err := fmt.Fprintf(b, "YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg XCOLORRANGE=LIMITED\n", c.Width, c.Height, c.Rate)
	n += int64(k)
	if err != nil {
		return n, err
	}
	frame := make([]byte, c.Width*c.Height*3/2)
	s := newScene()
	for i := range c.Frames {
		s.draw(frame, c.Width, c.Height, i)
		for _, part := range [][]byte{[]byte("FRAME\n"), frame} {
			k, err := b.Write(part)
			n += int64(k)
			if err != nil {
				return n, err
			}
		}
	}
	return n, b.Flush()
}

// side of the square of noise that the layers are cut from; it repeats.
const (
	bits = 9
	side = 1 << bits
	mask = side - 1
)

type scene struct {
	noise [side * side]byte
}

func newScene() *scene {
	s := &scene{}
	for i := range s.noise {
		s.noise[i] = byte(hash(uint32(i)))
	}
	return s
}

// hash mixes 32 bits: each of them turns half of those that come out.
func hash(x uint32) uint32 {
	x = (x ^ x>>16) * 0x7feb352d
	x = (x ^ x>>15) * 0x846ca68b
	return x ^ x>>16
}

// at is the noise at a place in 1/256 of a cell, interpolated.
func (s *scene) at(x, y int) int {
	fx, fy := x&255, y&255
	x, y = x>>8&mask, y>>8&mask
	x1, y1 := (x+1)&mask, (y+1)&mask
	top := int(s.noise[y<<bits|x])*(256-fx) + int(s.noise[y<<bits|x1])*fx
	low := int(s.noise[y1<<bits|x])*(256-fx) + int(s.noise[y1<<bits|x1])*fx
	return (top*(256-fy) + low*fy) >> 16
}

// layer is noise of one scale (pixels a cell, times 16) that drifts by a speed in
// 1/16 pixels a frame.
type layer struct {
	scale, vx, vy, weight int
}

var layers = []layer{{scale: 2600, vx: 5, vy: 1, weight: 12}, {scale: 500, vx: 24, vy: 3, weight: 4}, {scale: 150, vx: 40, vy: -7, weight: 2}, {scale: 40, vx: 24, vy: 3, weight: 1}}

func (s *scene) draw(frame []byte, width, height, n int) {
	luma := frame[:width*height]
	for y := range height {
		for x := range width {
			luma[y*width+x] = byte(s.luma(x, y, n, height))
		}
	}
	size := width / 2 * (height / 2)
	u, v := frame[width*height:width*height+size], frame[width*height+size:]
	for y := range height / 2 {
		for x := range width / 2 {
			a, b := s.chroma(2*x, 2*y, n)
			u[y*(width/2)+x], v[y*(width/2)+x] = byte(a), byte(b)
		}
	}
}

// luma is in 16..235.
func (s *scene) luma(x, y, n, height int) int {
	sum, total := 0, 0
	dx, dy := 0, 0
	if d, inside := disc(x, y, n, height); inside { // another part of the noise, that moves with the disc
		dx, dy = d.x*3, d.y*3+9000
	}
	for _, l := range layers {
		px, py := 16*(x-dx)+l.vx*n, 16*(y-dy)+l.vy*n
		sum += l.weight * s.at(px*256/l.scale, py*256/l.scale)
		total += l.weight
	}
	grain := int(hash(uint32(y*8192+x)^hash(uint32(n)+977))&7) - 4
	return min(235, max(16, 16+sum*200/(255*total)+(y*24)/height+grain))
}

func (s *scene) chroma(x, y, n int) (u, v int) {
	l := layers[0]
	px, py := (16*x+l.vx*n)*256/l.scale, (16*y+l.vy*n)*256/l.scale
	return 104 + s.at(px+77777, py)*3/16, 104 + s.at(px, py+55555)*3/16
}

type place struct{ x, y int }

// disc is the disc that covers a pixel, of five that cross the picture.
func disc(x, y, n, height int) (place, bool) {
	for i := range 5 {
		r := height/14 + i*height/40
		p := place{x: (n*(5+3*i)+i*height/2)%(2*height) - height/8, y: height/6 + i*height/7}
		if dx, dy := x-p.x, y-p.y; dx*dx+dy*dy < r*r {
			return p, true
		}
	}
	return place{}, false
}
