package libav

import (
	"fmt"
	"strings"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
)

// scaling is the filter that brings a picture to w×h in a format of limited
// range: zimg, which puts chroma where it belongs and costs least, for what it
// takes; libswscale for the rest (RGB, semi-planar, odd sizes) and for 10 bits
// that become 8, which it dithers more finely. The kernel is the same in both.
func scaling(f *astiav.Frame, w, h int64, by ladders.Scaler, format string) string {
	if !zimgTakes(f) || bitDepth(f.PixelFormat()) > 8 && format == "yuv420p" {
		matrix := ""
		if f.ColorSpace() == astiav.ColorSpaceRgb {
			matrix = ":out_color_matrix=bt709"
		}
		return fmt.Sprintf("scale=w=%d:h=%d:flags=%s+accurate_rnd:out_range=tv%s", w, h, by.Or(), matrix)
	}
	// zscale has no format option of its own, and converts to the one that the
	// next filter wants.
	return fmt.Sprintf("zscale=w=%d:h=%d:filter=%s:range=limited,format=%s", w, h, zimgKernel(by), format)
}

func zimgTakes(f *astiav.Frame) bool {
	name := f.PixelFormat().Name()
	planar := strings.HasPrefix(name, "yuv420p") || strings.HasPrefix(name, "yuv422p") || strings.HasPrefix(name, "yuv444p")
	return planar && !strings.HasSuffix(name, "be") && f.Width()%2 == 0 && f.Height()%2 == 0
}

// zimgKernel is zscale's name of a kernel.
func zimgKernel(s ladders.Scaler) string {
	if s == ladders.Spline {
		return "spline36"
	}
	return string(s.Or())
}
