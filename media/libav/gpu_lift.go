package libav

import (
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// lifter brings pictures into a GPU's memory. Whatever makes them on the processor
// - a decoder, a filter, the slate - they go this one way.
type lifter struct {
	gpu   *gpu
	pools map[string]*astiav.HardwareFramesContext
	g     *graph // brings pictures of other forms to one that is lifted
	built string
}

func newLifter(g *gpu) *lifter {
	return &lifter{gpu: g, pools: map[string]*astiav.HardwareFramesContext{}}
}

// lift copies f into the device's memory, in a pixel format of limited range, and
// with all that it says beside its samples. The caller frees what it gets.
func (l *lifter) lift(f *astiav.Frame, format string, by ladders.Scaler) (up *astiav.Frame, err error) {
	if liftable(f, format) {
		return l.copy(f)
	}
	w, h := f.Width()+f.Width()%2, f.Height()+f.Height()%2
	chain := fmt.Sprintf("%s,format=%s", scaling(f, int64(w), int64(h), by, format), format)
	if key := geometry(f) + chain; l.built != key {
		l.closeGraph()
		if l.g, err = newVideoGraph(f, timeline.Timebase{Num: 1, Den: 1}, chain, 1); err != nil {
			l.g = nil
			return nil, &media.Error{Code: media.EncoderError, Message: "bring " + geometry(f) + " to " + format, Err: err, Advice: "the source's picture format is not supported: convert it to 4:2:0"}
		}
		l.built = key
	}
	err = l.g.push(f, func(out *astiav.Frame) error {
		out.SetPts(f.Pts())
		up, err = l.copy(out)
		return err
	})
	if err == nil && up == nil {
		err = fmt.Errorf("lift: no picture came out")
	}
	return up, err
}

// liftable tells pictures that are lifted as they are. Those that a filter has
// turned upside down lie backwards in memory.
func liftable(f *astiav.Frame, format string) bool {
	for _, n := range f.Linesize() {
		if n < 0 {
			return false
		}
	}
	return f.PixelFormat().Name() == format && f.ColorRange() != astiav.ColorRangeJpeg && f.Width()%2 == 0 && f.Height()%2 == 0
}

func (l *lifter) copy(f *astiav.Frame) (*astiav.Frame, error) {
	pool, err := l.pool(f)
	if err != nil {
		return nil, err
	}
	up := astiav.AllocFrame()
	if err = up.AllocHardwareBuffer(pool); err == nil {
		err = f.TransferHardwareData(up)
	}
	if err == nil {
		err = copyProps(up, f)
	}
	if err != nil {
		up.Free()
		return nil, l.gpu.fail("copy a picture into its memory", err)
	}
	return up, nil
}

// pool is the device memory of pictures like f. It grows to as many as are under
// way at once, which the queues and the encoders' surfaces bound. It stays as long as
// the worker: NVENC knows a picture's memory by its address, and takes what comes to
// lie there later for the same. A source has few kinds of pictures.
func (l *lifter) pool(f *astiav.Frame) (*astiav.HardwareFramesContext, error) {
	key := fmt.Sprintf("%dx%d %s", f.Width(), f.Height(), f.PixelFormat())
	if p := l.pools[key]; p != nil {
		return p, nil
	}
	p := astiav.AllocHardwareFramesContext(l.gpu.hw)
	if p == nil {
		return nil, fmt.Errorf("allocate frames of a GPU")
	}
	p.SetHardwarePixelFormat(astiav.PixelFormatCuda)
	p.SetSoftwarePixelFormat(f.PixelFormat())
	p.SetWidth(f.Width())
	p.SetHeight(f.Height())
	if err := p.Initialize(); err != nil {
		p.Free()
		return nil, l.gpu.fail("take pictures of "+key, err)
	}
	l.pools[key] = p
	return p, nil
}

func (l *lifter) closeGraph() {
	if l.g != nil {
		l.g.Close()
		l.g, l.built = nil, ""
	}
}

func (l *lifter) Close() {
	if l != nil {
		l.closeGraph()
		for _, p := range l.pools {
			p.Free()
		}
	}
}
