// Package progressive puts CMAF segments together as one MP4 file that plays as
// it is downloaded: the index first, then picture and sound in turn.
//
// Invariants: samples are those of the segments, byte for byte; the file follows
// from the segments alone, so that two workers make the same one; its edit lists
// show each track from its first frame to its last, where the segments have them.
//
// It must not know where segments come from, or sinks.
package progressive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/timeline"
)

// ErrHole: a segment does not begin where the one before ended.
var ErrHole = errors.New("a segment is missing, or not of this clip")

// chunkLength is how much of a track stands together: a player that reads on
// has both tracks within it.
const chunkLength = 500_000 // µs

// File is one that is being written: samples go to the spool, the index is kept.
type File struct {
	spool  io.Writer
	size   int64 // of what was spooled
	tracks []*track
}

type track struct {
	head   *cmaf.Track
	trak   *mp4.TrakBox // of the init segment, whose description it keeps
	start  int64        // ticks at which the first frame decodes
	next   int64
	lowest int64 // composition offset, at most 0
	sizes  []uint32
	sync   []uint32 // numbers from 1; all when their count is that of the sizes
	times  runs     // of durations
	shifts runs     // of composition offsets
	chunks []chunk
	queue  []cmaf.ParsedSample // of the segment at hand
}

type chunk struct {
	offset  int64
	samples uint32
}

// New writes samples to spool in the order of the file.
func New(spool io.Writer) *File { return &File{spool: spool} }

// AddTrack takes a track by its init segment. The first of pictures and the
// first of sounds are the ones that players begin with.
func (f *File) AddTrack(init []byte) error {
	head, err := cmaf.ParseInit(init)
	if err != nil {
		return err
	}
	box, err := mp4.DecodeFile(bytes.NewReader(init))
	if err != nil {
		return fmt.Errorf("init segment: %w", err)
	}
	f.tracks = append(f.tracks, &track{head: head, trak: box.Init.Moov.Trak})
	return nil
}

// Add takes the segments of one number, one of each track; nil where a track
// has none of it.
func (f *File) Add(segments [][]byte) error {
	for i, body := range segments {
		if body == nil {
			continue
		}
		if err := f.tracks[i].enqueue(body); err != nil {
			return err
		}
	}
	for t := f.earliest(); t != nil; t = f.earliest() {
		if err := f.writeChunk(t); err != nil {
			return err
		}
	}
	return nil
}

func (t *track) enqueue(body []byte) error {
	seg, err := cmaf.Parse(t.head, body)
	if err != nil {
		return err
	}
	t.queue = seg.Samples()
	if len(t.sizes) == 0 {
		t.start, t.next = t.queue[0].Decode, t.queue[0].Decode
	}
	if at := t.queue[0].Decode; at != t.next {
		return fmt.Errorf("it decodes at %d, not at %d: %w", at, t.next, ErrHole)
	}
	return nil
}

// earliest is the track whose next sample decodes first; nil when all are through.
func (f *File) earliest() *track {
	var best *track
	for _, t := range f.tracks {
		if len(t.queue) > 0 && (best == nil || t.micros(t.next) < best.micros(best.next)) {
			best = t
		}
	}
	return best
}

func (t *track) micros(ticks int64) int64 {
	return timeline.Rescale(ticks, timeline.Timebase{Num: 1, Den: t.head.Timescale}, timeline.Timebase{Num: 1, Den: 1_000_000})
}

func (f *File) writeChunk(t *track) error {
	c, until := chunk{offset: f.size}, t.micros(t.next)+chunkLength
	for len(t.queue) > 0 && t.micros(t.next) < until {
		s := t.queue[0]
		if s.Decode != t.next {
			return fmt.Errorf("a frame decodes at %d, not at %d: %w", s.Decode, t.next, ErrHole)
		}
		if _, err := f.spool.Write(s.Data); err != nil {
			return err
		}
		f.size += int64(len(s.Data))
		t.queue = t.queue[1:]
		t.index(s)
		c.samples++
	}
	t.chunks = append(t.chunks, c)
	return nil
}

func (t *track) index(s cmaf.ParsedSample) {
	t.next += s.Duration
	t.sizes = append(t.sizes, uint32(len(s.Data)))
	if s.Sync {
		t.sync = append(t.sync, uint32(len(t.sizes)))
	}
	shift := s.Presentation - s.Decode
	t.lowest = min(t.lowest, shift)
	t.times.add(s.Duration)
	t.shifts.add(shift)
}

// runs are equal neighbours, counted.
type runs struct {
	counts []uint32
	values []int64
}

func (r *runs) add(v int64) {
	if n := len(r.values); n > 0 && r.values[n-1] == v {
		r.counts[n-1]++
		return
	}
	r.counts, r.values = append(r.counts, 1), append(r.values, v)
}

// Head is everything that stands before the samples.
func (f *File) Head() ([]byte, error) {
	if f.size == 0 {
		return nil, fmt.Errorf("progressive: %w", ErrHole)
	}
	large := f.size > math.MaxUint32-(64<<20) // with room for the index
	head, err := f.encode(0, large)
	if err != nil {
		return nil, err
	}
	return f.encode(int64(len(head)), large)
}

// encode writes the index of samples that begin at base.
func (f *File) encode(base int64, large bool) ([]byte, error) {
	var b bytes.Buffer
	moov := f.moov(base, large)
	for _, box := range []mp4.Box{mp4.NewFtyp("isom", 512, []string{"isom", "iso6", "mp41"}), moov} {
		if err := box.Encode(&b); err != nil {
			return nil, fmt.Errorf("progressive: %w", err)
		}
	}
	err := mp4.EncodeHeaderWithSize("mdat", uint64(f.size)+mdatHeader(large), large, &b)
	return b.Bytes(), err
}

func mdatHeader(large bool) uint64 {
	if large {
		return 16
	}
	return 8
}
