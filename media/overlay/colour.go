package overlay

import "math"

// Code points of ISO/IEC 23091-2 that decide something here.
const (
	bt709       = 1
	smpte2084   = 16
	hlgTransfer = 18
)

// Logos and letters are made for SDR displays: what is white there is as bright
// in HDR pictures as their own white, in cd/m² (BT.2408 §2), and the rest follows
// with the gamma of an SDR display (BT.1886).
const (
	referenceWhite = 203
	displayGamma   = 2.4
)

// colours turns R'G'B' of BT.709 into the code values of a format.
type colours struct {
	f        Format
	luma     [3]float64    // of R'G'B', by the matrix
	to       [3][3]float64 // linear BT.709 to the picture's primaries
	straight bool          // they are the same, and the transfer function too
	top      float64       // the highest code value
	unit     float64       // a step of 8-bit code values
}

func newColours(f Format) *colours {
	c := &colours{f: f, luma: lumaOf(f.Matrix), top: float64(int(1)<<f.Depth - 1), unit: float64(int(1) << (f.Depth - 8))}
	c.to = mul(inverse(toXYZ(chromaticities(f.Primaries))), toXYZ(chromaticities(bt709)))
	c.straight = chromaticities(f.Primaries) == chromaticities(bt709) && !hdr(f.Transfer)
	return c
}

func hdr(transfer int) bool { return transfer == smpte2084 || transfer == hlgTransfer }

// codes are Y, Cb and Cr of a colour, each component from 0 to 1.
func (c *colours) codes(rgb [3]float64) [3]float64 {
	if !c.straight {
		rgb = c.graded(rgb)
	}
	y := c.luma[0]*rgb[0] + c.luma[1]*rgb[1] + c.luma[2]*rgb[2]
	b, r := (rgb[2]-y)/(2-2*c.luma[2]), (rgb[0]-y)/(2-2*c.luma[0])
	if c.f.Full {
		mid := (c.top + 1) / 2
		return [3]float64{c.code(y * c.top), c.code(mid + b*c.top), c.code(mid + r*c.top)}
	}
	return [3]float64{c.code((16 + 219*y) * c.unit), c.code((128 + 224*b) * c.unit), c.code((128 + 224*r) * c.unit)}
}

func (c *colours) code(v float64) float64 { return max(0, min(v, c.top)) }

// graded is a colour with the primaries and the transfer function of the picture.
func (c *colours) graded(rgb [3]float64) [3]float64 {
	var light [3]float64
	for i, v := range rgb {
		light[i] = math.Pow(v, displayGamma)
	}
	light = apply(c.to, light)
	for i := range light {
		light[i] = max(0, light[i])
	}
	switch c.f.Transfer {
	case smpte2084:
		for i, v := range light {
			light[i] = pq(v * referenceWhite)
		}
	case hlgTransfer:
		return hlg(light)
	default:
		for i, v := range light {
			light[i] = math.Pow(min(1, v), 1/displayGamma)
		}
	}
	return light
}

// pq is the signal for a light in cd/m² (BT.2100 table 4).
func pq(nits float64) float64 {
	const m1, m2, c1, c2, c3 = 2610.0 / 16384, 2523.0 / 32, 3424.0 / 4096, 2413.0 / 128, 2392.0 / 128
	y := math.Pow(nits/10000, m1)
	return math.Pow((c1+c2*y)/(1+c3*y), m2)
}

// hlg is the signal that a display of 1000 cd/m² shows as a light in units of
// reference white (BT.2100 table 5).
func hlg(light [3]float64) [3]float64 {
	const peak, gamma = 1000, 1.2
	luma := lumaOf(9)
	y := (luma[0]*light[0] + luma[1]*light[1] + luma[2]*light[2]) * referenceWhite / peak
	if y == 0 {
		return [3]float64{}
	}
	scene := math.Pow(y, (1-gamma)/gamma) * referenceWhite / peak
	for i, v := range light {
		light[i] = hlgSignal(v * scene)
	}
	return light
}

func hlgSignal(e float64) float64 {
	const a, b, c = 0.17883277, 0.28466892, 0.55991073
	if e <= 1.0/12 {
		return math.Sqrt(3 * e)
	}
	return min(1, a*math.Log(12*e-b)+c)
}

// lumaOf is how much red, green and blue make of luma, by the matrix.
func lumaOf(matrix int) [3]float64 {
	r, b := 0.2126, 0.0722
	switch matrix {
	case 4: // FCC
		r, b = 0.30, 0.11
	case 5, 6: // BT.601
		r, b = 0.299, 0.114
	case 7: // SMPTE 240M
		r, b = 0.212, 0.087
	case 9, 10: // BT.2020
		r, b = 0.2627, 0.0593
	}
	return [3]float64{r, 1 - r - b, b}
}

// chromaticities are x and y of red, green, blue; white is D65 in all of them.
// What is not known is taken for BT.709.
func chromaticities(primaries int) [3][2]float64 {
	switch primaries {
	case 5: // BT.601 of 625 lines
		return [3][2]float64{{0.64, 0.33}, {0.29, 0.60}, {0.15, 0.06}}
	case 6, 7: // BT.601 of 525 lines, SMPTE 240M
		return [3][2]float64{{0.630, 0.340}, {0.310, 0.595}, {0.155, 0.070}}
	case 9: // BT.2020
		return [3][2]float64{{0.708, 0.292}, {0.170, 0.797}, {0.131, 0.046}}
	case 12: // P3 with D65
		return [3][2]float64{{0.680, 0.320}, {0.265, 0.690}, {0.150, 0.060}}
	}
	return [3][2]float64{{0.64, 0.33}, {0.30, 0.60}, {0.15, 0.06}}
}

// toXYZ is the matrix from linear RGB of some primaries to XYZ (SMPTE RP 177).
func toXYZ(p [3][2]float64) (m [3][3]float64) {
	for i, xy := range p {
		m[0][i], m[1][i], m[2][i] = xy[0]/xy[1], 1, (1-xy[0]-xy[1])/xy[1]
	}
	const x, y = 0.3127, 0.3290 // D65
	scale := apply(inverse(m), [3]float64{x / y, 1, (1 - x - y) / y})
	for i := range m {
		for j := range m[i] {
			m[i][j] *= scale[j]
		}
	}
	return m
}

func apply(m [3][3]float64, v [3]float64) (out [3]float64) {
	for i := range m {
		out[i] = m[i][0]*v[0] + m[i][1]*v[1] + m[i][2]*v[2]
	}
	return out
}

func mul(a, b [3][3]float64) (out [3][3]float64) {
	for i := range out {
		for j := range out[i] {
			out[i][j] = a[i][0]*b[0][j] + a[i][1]*b[1][j] + a[i][2]*b[2][j]
		}
	}
	return out
}

func inverse(m [3][3]float64) (out [3][3]float64) {
	minor := func(i, j int) float64 {
		a, b, c, d := (i+1)%3, (i+2)%3, (j+1)%3, (j+2)%3
		return m[a][c]*m[b][d] - m[a][d]*m[b][c]
	}
	det := m[0][0]*minor(0, 0) + m[0][1]*minor(0, 1) + m[0][2]*minor(0, 2)
	for i := range out {
		for j := range out[i] {
			out[i][j] = minor(j, i) / det
		}
	}
	return out
}
