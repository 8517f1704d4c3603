package pull

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/timeline"
)

// retimer moves the times of ISO fragments to where their list has them, and
// makes composition offsets positive: libavformat would show pictures later by
// the most negative one, and so out of step with the sound.
type retimer struct {
	scale   int64 // of the track
	reorder int64 // the most negative offset so far, in ticks
}

// place is where a Period puts its media: media time offset is shown at start.
type place struct {
	start  int64 // ns
	offset int64 // in base
	base   timeline.Timebase
}

var nanoseconds = timeline.Timebase{Num: 1, Den: 1_000_000_000}

// ticks to add to media times.
func (r *retimer) ticks(p place) int64 {
	if p.base.Den == 0 {
		return 0
	}
	own := timeline.Timebase{Num: 1, Den: r.scale}
	return timeline.Rescale(p.start, nanoseconds, own) - timeline.Rescale(p.offset, p.base, own)
}

var errISO = errors.New("its ISO boxes are damaged")

// newRetimer reads an init segment.
func newRetimer(head []byte) (r *retimer, err error) {
	defer outlive(&err)
	f, err := mp4.DecodeFile(bytes.NewReader(head))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errISO, err)
	}
	if f.Init == nil || f.Init.Moov == nil || f.Init.Moov.Trak == nil || f.Init.Moov.Trak.Mdia == nil || f.Init.Moov.Trak.Mdia.Mdhd == nil || f.Init.Moov.Trak.Mdia.Mdhd.Timescale == 0 {
		return nil, fmt.Errorf("%w: the init segment has no track", errISO)
	}
	return &retimer{scale: int64(f.Init.Moov.Trak.Mdia.Mdhd.Timescale)}, nil
}

// outlive makes an error of what the library panics with on damaged boxes.
func outlive(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%w: %v", errISO, v)
	}
}

// move gives the segment with its times moved. Only moof boxes are touched.
func (r *retimer) move(body []byte, add int64) (moved []byte, err error) {
	defer outlive(&err)
	for len(body) > 0 {
		n, err := boxSize(body)
		if err != nil {
			return nil, err
		}
		box := body[:n]
		if string(box[4:8]) == "moof" {
			if box, err = r.moof(box, add); err != nil {
				return nil, err
			}
		}
		moved, body = append(moved, box...), body[n:]
	}
	return moved, nil
}

// boxSize is that of the first box of b (ISO/IEC 14496-12 §4.2).
func boxSize(b []byte) (uint64, error) {
	if len(b) < 8 {
		return 0, errISO
	}
	n := uint64(binary.BigEndian.Uint32(b))
	switch {
	case n == 0:
		n = uint64(len(b))
	case n == 1 && len(b) >= 16:
		n = binary.BigEndian.Uint64(b[8:])
	}
	if n < 8 || n > uint64(len(b)) {
		return 0, errISO
	}
	return n, nil
}

func (r *retimer) moof(b []byte, add int64) ([]byte, error) {
	box, err := mp4.DecodeBoxSR(0, bits.NewFixedSliceReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errISO, err)
	}
	moof, ok := box.(*mp4.MoofBox)
	if !ok {
		return nil, errISO
	}
	for _, traf := range moof.Trafs {
		if traf.Tfdt != nil {
			r.traf(traf, add)
		}
	}
	// Data lies as far behind the moof as before.
	grown := int32(int64(moof.Size()) - int64(len(b)))
	for _, traf := range moof.Trafs {
		for _, trun := range traf.Truns {
			if trun.HasDataOffset() {
				trun.DataOffset += grown
			}
		}
	}
	sw := bits.NewFixedSliceWriter(int(moof.Size()))
	err = moof.EncodeSW(sw)
	return sw.Bytes(), err
}

func (r *retimer) traf(t *mp4.TrafBox, add int64) {
	for _, trun := range t.Truns {
		for _, s := range trun.Samples {
			r.reorder = max(r.reorder, -int64(s.CompositionTimeOffset))
		}
	}
	at := max(0, int64(t.Tfdt.BaseMediaDecodeTime())+add)
	back := min(r.reorder, at)
	t.Tfdt.SetBaseMediaDecodeTime(uint64(at - back))
	if back == 0 {
		return
	}
	for _, trun := range t.Truns {
		trun.Version, trun.Flags = 1, trun.Flags|mp4.TrunSampleCompositionTimeOffsetPresentFlag
		for i := range trun.Samples {
			trun.Samples[i].CompositionTimeOffset += int32(back)
		}
	}
}
