package libav

import (
	"encoding/binary"
	"math"
	"os"

	"github.com/galafarm/gala/media"
)

// backlog is what the lanes of a joiner keep while it waits for other lanes. Some
// files have one track minutes after another, or all of it: what is more than
// memory should hold waits in a temporary file.
type backlog struct {
	full   int64    // samples of a whole run; one line of it is one place of the file
	most   int64    // bytes in memory before runs go to the file
	memory int64    // bytes
	file   *os.File // without a name: it goes with the process
	places int64    // of the file
	free   []int64
}

// laneMemory is how much of a joiner's sound waits in memory: some minutes of
// stereo. One run of each lane comes to that.
const laneMemory = 64 << 20

// newBacklog keeps runs of a second.
func newBacklog(rate int64) *backlog { return &backlog{full: rate, most: laneMemory} }

// grown counts n samples more of r, which leaves memory where that is too much.
func (b *backlog) grown(r *run, n int64) error {
	b.memory += 4 * n * int64(len(r.lines))
	if r.n < b.full || b.memory <= b.most {
		return nil
	}
	for _, line := range r.lines {
		place, err := b.put(line)
		if err != nil {
			return b.failed(err)
		}
		r.places = append(r.places, place)
	}
	b.memory -= 4 * r.n * int64(len(r.lines))
	r.lines = nil
	return nil
}

// fetch brings r back to memory.
func (b *backlog) fetch(r *run) error {
	for _, place := range r.places {
		line := make([]byte, 4*r.n)
		if _, err := b.file.ReadAt(line, 4*b.full*place); err != nil {
			return b.failed(err)
		}
		r.lines = append(r.lines, floatsOf(line))
		b.memory += 4 * r.n
	}
	b.free, r.places = append(b.free, r.places...), nil
	return nil
}

// cut lets go of the first n samples of r. One that is on the file goes whole.
func (b *backlog) cut(r *run, n int64) {
	r.n -= n
	for i := range r.lines {
		r.lines[i] = r.lines[i][n:]
		b.memory -= 4 * n
	}
	if r.n == 0 {
		b.free, r.places = append(b.free, r.places...), nil
	}
}

func (b *backlog) put(line []float32) (place int64, err error) {
	if b.file == nil {
		if b.file, err = os.CreateTemp("", "gala-sound-"); err != nil {
			return 0, err
		}
		if err = os.Remove(b.file.Name()); err != nil {
			return 0, err
		}
	}
	if last := len(b.free) - 1; last >= 0 {
		place, b.free = b.free[last], b.free[:last]
	} else {
		place, b.places = b.places, b.places+1
	}
	_, err = b.file.WriteAt(floatBytes(line), 4*b.full*place)
	return place, err
}

func (b *backlog) failed(err error) error {
	return &media.Error{Code: media.SourceError, Message: "keep sound on disk: the tracks that the ladder joins lie far apart in the source", Err: err, Retryable: true,
		Advice: "make room in the temporary folder (TMPDIR), or interleave the source's tracks (ffmpeg -i in -map 0 -c copy out)"}
}

func (b *backlog) close() {
	if b.file != nil {
		_ = b.file.Close()
	}
}

func floatsOf(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.NativeEndian.Uint32(b[4*i:]))
	}
	return out
}
