package progressive

import (
	"errors"
	"fmt"
	"io"

	"github.com/Eyevinn/mp4ff/mp4"
)

// ErrFile: not a file that plays as it is downloaded.
var ErrFile = errors.New("not a progressive MP4 file")

// maxIndex bounds what is read of a stranger's file: an index of a day.
const maxIndex = 512 << 20

// Track is what a file's index says of one of its tracks.
type Track struct {
	Video     bool
	Timescale int64
	Samples   int64
	Start     int64 // when it is shown first, in ticks
	Shown     int64 // for how long, in ticks, to the nearest
	Lasts     int64 // what its samples last together, in ticks
	LastChunk int64 // where it begins, in bytes of the file
}

// Read reads the index, no more of the file than that.
func Read(r io.Reader) (tracks []Track, err error) {
	defer func() {
		if p := recover(); p != nil { // the library does, of boxes that lie
			err = fmt.Errorf("%v: %w", p, ErrFile)
		}
	}()
	r = io.LimitReader(r, maxIndex)
	for pos := uint64(0); ; {
		box, err := mp4.DecodeBox(pos, r)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", err, ErrFile)
		}
		switch box := box.(type) {
		case *mp4.MoovBox:
			return describe(box)
		case *mp4.MdatBox:
			return nil, fmt.Errorf("its samples stand before the index: %w", ErrFile)
		}
		pos += box.Size()
	}
}

func describe(moov *mp4.MoovBox) (out []Track, err error) {
	for _, trak := range moov.Traks {
		stbl, scale := trak.Mdia.Minf.Stbl, int64(trak.Mdia.Mdhd.Timescale)
		if stbl.Stsz == nil || stbl.Stts == nil || stbl.Stsc == nil || stbl.Stco == nil && stbl.Co64 == nil || moov.Mvhd.Timescale == 0 {
			return nil, fmt.Errorf("a track has no index: %w", ErrFile)
		}
		t := Track{Video: trak.Mdia.Hdlr.HandlerType == "vide", Timescale: scale, Samples: int64(stbl.Stsz.GetNrSamples())}
		for i, n := range stbl.Stts.SampleCount {
			t.Lasts += int64(n) * int64(stbl.Stts.SampleTimeDelta[i])
		}
		t.edits(trak, int64(moov.Mvhd.Timescale))
		t.LastChunk = lastChunk(stbl)
		out = append(out, t)
	}
	return out, nil
}

// edits: without any, the track is shown as it decodes.
func (t *Track) edits(trak *mp4.TrakBox, movie int64) {
	ticks := func(d uint64) int64 { return (int64(d)*t.Timescale + movie/2) / movie }
	if trak.Edts == nil || len(trak.Edts.Elst) == 0 {
		t.Shown = t.Lasts
		return
	}
	for _, e := range trak.Edts.Elst[0].Entries {
		if e.MediaTime < 0 {
			t.Start += ticks(e.SegmentDuration)
		} else {
			t.Shown += ticks(e.SegmentDuration)
		}
	}
}

func lastChunk(stbl *mp4.StblBox) int64 {
	if c := stbl.Co64; c != nil && len(c.ChunkOffset) > 0 {
		return int64(c.ChunkOffset[len(c.ChunkOffset)-1])
	}
	if c := stbl.Stco; c != nil && len(c.ChunkOffset) > 0 {
		return int64(c.ChunkOffset[len(c.ChunkOffset)-1])
	}
	return 0
}
