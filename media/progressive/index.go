package progressive

import (
	"math"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/timeline"
)

func (f *File) moov(base int64, large bool) *mp4.MoovBox {
	scale := f.timescale()
	moov := mp4.NewMoovBox()
	mvhd := mp4.CreateMvhd()
	mvhd.Version, mvhd.Timescale, mvhd.NextTrackID = 1, uint32(scale), uint32(len(f.tracks)+1)
	moov.AddChild(mvhd)
	seen := map[bool]bool{}
	for i, t := range f.tracks {
		trak := t.box(uint32(i+1), scale, base, large)
		if seen[t.head.Video] { // another language: there to be chosen
			trak.Tkhd.Flags &^= 1
		}
		if seen[t.head.Video] = true; !t.head.Video {
			trak.Tkhd.AlternateGroup, trak.Tkhd.Volume = 1, 0x100
		}
		mvhd.Duration = max(mvhd.Duration, trak.Tkhd.Duration)
		moov.AddChild(trak)
	}
	return moov
}

// timescale of the whole, in which every track's edit is exact: the smallest
// that is a multiple of all of theirs, or the first one's where that is too large.
func (f *File) timescale() int64 {
	scale := int64(1)
	for _, t := range f.tracks {
		scale = scale / gcd(scale, t.head.Timescale) * t.head.Timescale
		if scale > math.MaxUint32 {
			return f.tracks[0].head.Timescale
		}
	}
	return scale
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (t *track) box(id uint32, scale, base int64, large bool) *mp4.TrakBox {
	to := func(ticks int64) int64 {
		return timeline.Rescale(ticks, timeline.Timebase{Num: 1, Den: t.head.Timescale}, timeline.Timebase{Num: 1, Den: scale})
	}
	tkhd, mdhd := *t.trak.Tkhd, *t.trak.Mdia.Mdhd
	tkhd.Version, tkhd.TrackID, tkhd.Flags, tkhd.Duration = 1, id, 7, uint64(to(t.next))
	mdhd.Version, mdhd.Duration = 1, uint64(t.next-t.start)
	trak := mp4.NewTrakBox()
	trak.AddChild(&tkhd)
	trak.AddChild(t.edits(to))
	mdia := mp4.NewMdiaBox()
	mdia.AddChild(&mdhd)
	mdia.AddChild(t.trak.Mdia.Hdlr)
	minf := mp4.NewMinfBox()
	for _, c := range t.trak.Mdia.Minf.Children {
		if c.Type() != "stbl" {
			minf.AddChild(c)
		}
	}
	minf.AddChild(t.table(base, large))
	mdia.AddChild(minf)
	trak.AddChild(mdia)
	return trak
}

// edits: nothing until the track begins, then all of it, from its first frame in
// the order of presentation.
func (t *track) edits(to func(int64) int64) *mp4.EdtsBox {
	list := &mp4.ElstBox{Version: 1}
	if t.start > 0 {
		list.Entries = append(list.Entries, mp4.ElstEntry{SegmentDuration: uint64(to(t.start)), MediaTime: -1, MediaRateInteger: 1})
	}
	list.Entries = append(list.Entries, mp4.ElstEntry{SegmentDuration: uint64(to(t.next) - to(t.start)), MediaTime: -t.lowest, MediaRateInteger: 1})
	edts := &mp4.EdtsBox{}
	edts.AddChild(list)
	return edts
}

// table is the index of samples (ISO/IEC 14496-12 §8.5 to §8.7). Composition
// offsets are made positive, which every player knows; the edit takes it back.
func (t *track) table(base int64, large bool) *mp4.StblBox {
	stbl := mp4.NewStblBox()
	stbl.AddChild(t.trak.Mdia.Minf.Stbl.Stsd)
	stts := &mp4.SttsBox{SampleCount: t.times.counts}
	for _, v := range t.times.values {
		stts.SampleTimeDelta = append(stts.SampleTimeDelta, uint32(v))
	}
	stbl.AddChild(stts)
	if len(t.shifts.values) > 1 || t.shifts.values[0] != 0 {
		ctts := &mp4.CttsBox{EndSampleNr: []uint32{0}}
		for i, v := range t.shifts.values {
			ctts.EndSampleNr = append(ctts.EndSampleNr, ctts.EndSampleNr[i]+t.shifts.counts[i])
			ctts.SampleOffset = append(ctts.SampleOffset, int32(v-t.lowest))
		}
		stbl.AddChild(ctts)
	}
	if len(t.sync) < len(t.sizes) {
		stbl.AddChild(&mp4.StssBox{SampleNumber: t.sync})
	}
	stbl.AddChild(&mp4.StszBox{SampleNumber: uint32(len(t.sizes)), SampleSize: t.sizes})
	stbl.AddChild(t.samplesInChunks())
	stbl.AddChild(t.offsets(base, large))
	return stbl
}

func (t *track) samplesInChunks() *mp4.StscBox {
	out := &mp4.StscBox{}
	last := uint32(0)
	for i, c := range t.chunks {
		if c.samples != last {
			last = c.samples
			_ = out.AddEntry(uint32(i+1), c.samples, 1) // errs on number 0 only
		}
	}
	return out
}

func (t *track) offsets(base int64, large bool) mp4.Box {
	if large {
		out := &mp4.Co64Box{}
		for _, c := range t.chunks {
			out.ChunkOffset = append(out.ChunkOffset, uint64(base+c.offset))
		}
		return out
	}
	out := &mp4.StcoBox{}
	for _, c := range t.chunks {
		out.ChunkOffset = append(out.ChunkOffset, uint32(base+c.offset))
	}
	return out
}
