package cmaf

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
)

// Sample is one frame of a fragment, in decode order.
type Sample struct {
	Data []byte
	// Offset is presentation − decode time in ticks; negative is fine.
	Offset int32
	Sync   bool
	// Duration in ticks, of a sample that has its own; 0: the fragment's.
	Duration uint32
}

// Fragment is one moof and its mdat: a GOP of video, the frames of an audio
// segment, or the texts of one. A low-latency part is a Fragment too, only shorter.
type Fragment struct {
	Sequence uint32 // mfhd, growing along the track
	Decode   int64  // tfdt: decode time of the first sample, in ticks
	Duration uint32 // of every sample without its own, in ticks
	Samples  []Sample
	// Reference tells when the first sample was on air; zero writes no prft.
	Reference time.Time
	// Events go in front of the fragment.
	Events []Event
}

// Event is an emsg box, version 1.
type Event struct {
	Scheme, Value string
	Timescale     uint32
	Time          uint64
	Duration      uint32
	ID            uint32
	Data          []byte
}

// Range is a run of bytes inside a segment.
type Range struct{ Offset, Size int64 }

// Segment is an encoded media segment.
type Segment struct {
	Bytes []byte
	// IFrames are, for each fragment that begins with a sync sample, the bytes
	// from its moof through that sample: an entry of an I-frame playlist
	// (RFC 8216bis §4.4.3.6).
	IFrames []Range
}

// Sample flags (ISO/IEC 14496-12 §8.8.3.1): a sync sample depends on no other;
// any other one does and is not a sync sample.
const (
	syncFlags    = mp4.SyncSampleFlags
	nonSyncFlags = mp4.NonSyncSampleFlags | mp4.SampleDependsOn1
)

// Encode writes one media segment.
func Encode(fragments ...Fragment) (Segment, error) { return encode(nil, fragments) }

// encode lets protect change each fragment, its frames and its boxes.
func encode(protect func(*mp4.Fragment) error, fragments []Fragment) (Segment, error) {
	var out Segment
	b := bytes.NewBuffer(make([]byte, 0, size(fragments)))
	// msdh: a DASH media segment; cmfs: a CMAF segment (ISO/IEC 23000-19 §7.3).
	if err := mp4.NewStyp("msdh", 0, []string{"msdh", "cmfs"}).Encode(b); err != nil {
		return Segment{}, fmt.Errorf("styp: %w", err)
	}
	for _, f := range fragments {
		i, err := f.encode(b, protect)
		if err != nil {
			return Segment{}, fmt.Errorf("fragment %d: %w", f.Sequence, err)
		}
		if f.Samples[0].Sync {
			out.IFrames = append(out.IFrames, i)
		}
	}
	out.Bytes = b.Bytes()
	return out, nil
}

func size(fragments []Fragment) int {
	n := 64
	for _, f := range fragments {
		n += 256
		for _, s := range f.Samples {
			n += len(s.Data) + 16
		}
	}
	return n
}

// encode appends the fragment and tells where its moof and first sample lie.
func (f Fragment) encode(b *bytes.Buffer, protect func(*mp4.Fragment) error) (Range, error) {
	endless := slices.ContainsFunc(f.Samples, func(s Sample) bool { return f.lasts(s) == 0 })
	if len(f.Samples) == 0 || endless || f.Decode < 0 {
		return Range{}, fmt.Errorf("%d samples of %d ticks at %d: %w", len(f.Samples), f.Duration, f.Decode, ErrMedia)
	}
	if err := f.encodeFront(b); err != nil {
		return Range{}, err
	}
	start := int64(b.Len())
	frag := &mp4.Fragment{}
	moof, mdat := f.moof(), &mp4.MdatBox{}
	frag.AddChild(moof)
	frag.AddChild(mdat)
	for _, s := range f.Samples {
		if protect != nil { // in place, and frames are not ours to change
			mdat.AddSampleData(s.Data)
			continue
		}
		mdat.AddSampleDataPart(s.Data)
	}
	if protect != nil {
		if err := protect(frag); err != nil {
			return Range{}, err
		}
	}
	if err := frag.Encode(b); err != nil {
		return Range{}, err
	}
	head := int64(moof.Size()) + int64(mdat.HeaderSize())
	return Range{start, head + int64(len(f.Samples[0].Data))}, nil
}

// encodeFront writes what stands before a moof: emsg, then prft.
func (f Fragment) encodeFront(b *bytes.Buffer) error {
	for _, e := range f.Events {
		box := &mp4.EmsgBox{Version: 1, TimeScale: e.Timescale, PresentationTime: e.Time, EventDuration: e.Duration,
			ID: e.ID, SchemeIDURI: e.Scheme, Value: e.Value, MessageData: e.Data}
		if err := box.Encode(b); err != nil {
			return fmt.Errorf("emsg: %w", err)
		}
	}
	if f.Reference.IsZero() {
		return nil
	}
	prft := mp4.CreatePrftBox(1, mp4.PrftTimeArbitraryConsitent, 1, ntp(f.Reference), uint64(f.Decode))
	if err := prft.Encode(b); err != nil {
		return fmt.Errorf("prft: %w", err)
	}
	return nil
}

// ntp is t in NTP short form, in integers.
func ntp(t time.Time) mp4.NTP64 {
	seconds := uint64(t.Unix()) + mp4.NTPEpochOffset
	return mp4.NTP64(seconds<<32 | uint64(t.Nanosecond())<<32/1e9)
}

func (f Fragment) moof() *mp4.MoofBox {
	moof := &mp4.MoofBox{}
	_ = moof.AddChild(mp4.CreateMfhd(f.Sequence))
	traf := &mp4.TrafBox{}
	_ = moof.AddChild(traf) // errs on a second track only
	flags := uint32(mp4.TfhdDefaultBaseIsMoofFlag | mp4.TfhdDefaultSampleFlagsPresentFlag)
	if f.Duration > 0 {
		flags |= mp4.TfhdDefaultSampleDurationPresentFlag
	}
	_ = traf.AddChild(&mp4.TfhdBox{
		Flags:                 flags,
		TrackID:               1,
		DefaultSampleDuration: f.Duration,
		DefaultSampleFlags:    f.defaultFlags(),
	})
	tfdt := &mp4.TfdtBox{Version: 1}
	tfdt.SetBaseMediaDecodeTime(uint64(f.Decode))
	tfdt.Version = 1 // always 64 bits, so that sizes do not depend on the time
	_ = traf.AddChild(tfdt)
	_ = traf.AddChild(f.trun())
	return moof
}

// defaultFlags are those of a fragment whose samples are all alike; otherwise
// trun carries them per sample.
func (f Fragment) defaultFlags() uint32 {
	if f.allSync() {
		return syncFlags
	}
	return nonSyncFlags
}

// lasts is how long a sample is shown.
func (f Fragment) lasts(s Sample) uint32 { return cmp.Or(s.Duration, f.Duration) }

func (f Fragment) allSync() bool {
	for _, s := range f.Samples {
		if !s.Sync {
			return false
		}
	}
	return true
}

func (f Fragment) trun() *mp4.TrunBox {
	trun := mp4.CreateTrun(0)
	trun.Version = 1 // signed composition offsets
	trun.Flags = mp4.TrunDataOffsetPresentFlag | mp4.TrunSampleSizePresentFlag
	if !f.allSync() {
		trun.Flags |= mp4.TrunSampleFlagsPresentFlag
	}
	if !f.allSync() || f.Samples[0].Offset != 0 {
		trun.Flags |= mp4.TrunSampleCompositionTimeOffsetPresentFlag
	}
	for _, s := range f.Samples {
		flags := uint32(nonSyncFlags)
		if s.Sync {
			flags = syncFlags
		}
		if s.Duration > 0 {
			trun.Flags |= mp4.TrunSampleDurationPresentFlag
		}
		trun.AddSample(mp4.NewSample(flags, f.lasts(s), uint32(len(s.Data)), s.Offset))
	}
	return trun
}
