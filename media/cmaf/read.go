package cmaf

import (
	"fmt"
	"time"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// Track is what an init segment says about its one track.
type Track struct {
	ID            uint32
	Timescale     int64
	Format        string // sample entry: avc1, hvc1, av01, mp4a, wvtt, …
	Video, Text   bool
	Width, Height int // coded size, from the sample entry
	Channels      int
	SampleRate    int
	Language      string
	Brands        []string
	EditList      bool
	// SARNum/SARDen is the pixel shape, 1/1 without a pasp box.
	SARNum, SARDen int
	// Scheme is cbcs or cenc, empty in the clear; Format is then what is inside.
	Scheme string
	KeyID  [16]byte
	Tenc   *mp4.TencBox // nil in the clear
	trex   *mp4.TrexBox
}

// ParseInit reads an init segment with one track.
func ParseInit(b []byte) (*Track, error) {
	init := mp4.NewMP4Init()
	err := eachBox(b, func(_ int64, box mp4.Box) error {
		switch box.(type) {
		case *mp4.FtypBox, *mp4.MoovBox:
			init.AddChild(box)
		case *mp4.MoofBox, *mp4.MdatBox:
			return fmt.Errorf("media in it: %w", ErrMedia)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("init segment: %w", err)
	}
	if init.Moov == nil || len(init.Moov.Traks) != 1 || init.Moov.Mvex == nil || init.Moov.Mvex.Trex == nil {
		return nil, fmt.Errorf("init segment: want moov with one trak and mvex: %w", ErrMedia)
	}
	return newTrack(init)
}

// eachBox walks the top level. The positions are those in b. The library
// panics on some boxes that lie about themselves (found by fuzzing: a styp of
// 4 bytes); whoever verifies strangers' files must not.
func eachBox(b []byte, f func(pos int64, box mp4.Box) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v: %w", r, ErrMedia)
		}
	}()
	sr := bits.NewFixedSliceReader(b)
	for pos := int64(0); pos < int64(len(b)); pos = int64(sr.GetPos()) {
		box, err := mp4.DecodeBoxSR(uint64(pos), sr)
		if err != nil {
			return fmt.Errorf("box at %d: %v: %w", pos, err, ErrMedia)
		}
		if sr.AccError() != nil || int64(sr.GetPos()) <= pos {
			return fmt.Errorf("box at %d is cut: %w", pos, ErrMedia)
		}
		if err := f(pos, box); err != nil {
			return err
		}
	}
	return nil
}

func newTrack(init *mp4.InitSegment) (*Track, error) {
	trak := init.Moov.Trak
	if trak.Tkhd == nil || trak.Mdia == nil || trak.Mdia.Mdhd == nil || trak.Mdia.Mdhd.Timescale == 0 ||
		trak.Mdia.Minf == nil || trak.Mdia.Minf.Stbl == nil || trak.Mdia.Minf.Stbl.Stsd == nil || len(trak.Mdia.Minf.Stbl.Stsd.Children) != 1 {
		return nil, fmt.Errorf("init segment: want tkhd, one sample entry and a timescale: %w", ErrMedia)
	}
	t := &Track{ID: trak.Tkhd.TrackID, EditList: trak.Edts != nil, trex: init.Moov.Mvex.Trex, SARNum: 1, SARDen: 1}
	if init.Ftyp != nil {
		t.Brands = append([]string{init.Ftyp.MajorBrand()}, init.Ftyp.CompatibleBrands()...)
	}
	t.Timescale, t.Language = int64(trak.Mdia.Mdhd.Timescale), trak.Mdia.Mdhd.GetLanguage()
	return t, t.entry(trak.Mdia.Minf.Stbl.Stsd.Children[0])
}

func (t *Track) entry(box mp4.Box) error {
	t.Format = box.Type()
	switch e := box.(type) {
	case *mp4.VisualSampleEntryBox:
		t.Video, t.Width, t.Height = true, int(e.Width), int(e.Height)
		if e.Pasp != nil {
			t.SARNum, t.SARDen = int(e.Pasp.HSpacing), int(e.Pasp.VSpacing)
		}
	case *mp4.AudioSampleEntryBox:
		t.Channels, t.SampleRate = int(e.ChannelCount), int(e.SampleRate)
	case *mp4.WvttBox:
		t.Text = true
	default:
		return fmt.Errorf("init segment: sample entry %s: %w", t.Format, ErrMedia)
	}
	return t.lock(protected(box))
}

// Parsed is a media segment read back.
type Parsed struct {
	Brands    []string
	Fragments []ParsedFragment
}

// ParsedFragment is one moof and mdat.
type ParsedFragment struct {
	Sequence uint32
	Offset   int64 // of the moof in the segment
	Decode   int64 // tfdt
	// TrunVersion 1 has signed composition offsets; TfdtVersion 1 has 64 bits.
	TrunVersion, TfdtVersion int
	DefaultBaseIsMoof        bool
	Reference                time.Time // prft, zero when absent
	Events                   int       // emsg boxes in front
	Samples                  []ParsedSample
	// Lock is what is wrong with the encryption boxes, nil when nothing is, and in
	// the clear.
	Lock error
}

// ParsedSample is one frame.
type ParsedSample struct {
	Decode, Presentation, Duration int64 // ticks
	Range                                // in the segment
	Sync                           bool
	Data                           []byte
	// IDR is what the frame itself says, Types its NAL unit or OBU types.
	IDR   bool
	Types []int
}

// Parse reads a media segment of track t.
func Parse(t *Track, segment []byte) (*Parsed, error) {
	p := &Parsed{}
	next := front{}
	err := eachBox(segment, func(pos int64, box mp4.Box) error {
		switch box := box.(type) {
		case *mp4.StypBox:
			p.Brands = append([]string{box.MajorBrand()}, box.CompatibleBrands()...)
		case *mp4.EmsgBox:
			next.events++
		case *mp4.PrftBox:
			next.reference = box.NTPTimestamp.Time()
		case *mp4.MoofBox:
			f, err := parseFragment(t, next, pos, box, segment)
			if err != nil {
				return fmt.Errorf("fragment %d: %w", len(p.Fragments), err)
			}
			p.Fragments, next = append(p.Fragments, f), front{}
		}
		return nil
	})
	if err == nil && len(p.Fragments) == 0 {
		err = fmt.Errorf("no fragment: %w", ErrMedia)
	}
	if err != nil {
		return nil, fmt.Errorf("media segment: %w", err)
	}
	return p, nil
}

// front is what stood before a moof.
type front struct {
	events    int
	reference time.Time
}

func parseFragment(t *Track, before front, pos int64, moof *mp4.MoofBox, segment []byte) (ParsedFragment, error) {
	if moof.Mfhd == nil || moof.Traf == nil || moof.Traf.Tfhd == nil || moof.Traf.Tfdt == nil {
		return ParsedFragment{}, fmt.Errorf("mfhd, tfhd or tfdt missing: %w", ErrMedia)
	}
	traf := moof.Traf
	if len(moof.Trafs) != 1 || traf.Tfhd.TrackID != t.ID {
		return ParsedFragment{}, fmt.Errorf("want one traf of track %d: %w", t.ID, ErrMedia)
	}
	p := ParsedFragment{
		Sequence:          moof.Mfhd.SequenceNumber,
		Offset:            pos,
		Decode:            int64(traf.Tfdt.BaseMediaDecodeTime()),
		TfdtVersion:       int(traf.Tfdt.Version),
		DefaultBaseIsMoof: traf.Tfhd.DefaultBaseIfMoof(),
		Events:            before.events,
		Reference:         before.reference,
	}
	if err := p.samples(t, traf, segment); err != nil || t.Tenc == nil {
		return p, err
	}
	p.Lock = t.checkLock(moof, p.Samples)
	return p, nil
}

// samples fills in the frames of every trun, checking that each lies in the segment.
func (p *ParsedFragment) samples(t *Track, traf *mp4.TrafBox, segment []byte) error {
	decode, next := p.Decode, int64(-1)
	for _, trun := range traf.Truns {
		trun.AddSampleDefaultValues(traf.Tfhd, t.trex)
		p.TrunVersion = int(trun.Version)
		if trun.HasDataOffset() {
			next = p.Offset + int64(trun.DataOffset)
		}
		for _, s := range trun.Samples {
			end := next + int64(s.Size)
			if next < 0 || end > int64(len(segment)) {
				return fmt.Errorf("sample at %d of %d bytes in a segment of %d: %w", next, s.Size, len(segment), ErrMedia)
			}
			data := segment[next:end]
			offset := int64(s.CompositionTimeOffset)
			if trun.Version == 0 {
				offset = int64(uint32(s.CompositionTimeOffset))
			}
			p.Samples = append(p.Samples, ParsedSample{
				Decode: decode, Presentation: decode + offset, Duration: int64(s.Dur),
				Range: Range{next, int64(s.Size)}, Sync: s.Flags&mp4.NonSyncSampleFlags == 0,
				Data: data, IDR: IDR(t.Format, data), Types: NALTypes(t.Format, data),
			})
			decode, next = decode+int64(s.Dur), end
		}
	}
	if len(p.Samples) == 0 {
		return fmt.Errorf("no samples: %w", ErrMedia)
	}
	return nil
}

// Samples are the frames of every fragment in decode order.
func (p *Parsed) Samples() []ParsedSample {
	var all []ParsedSample
	for _, f := range p.Fragments {
		all = append(all, f.Samples...)
	}
	return all
}

// Decode is the tfdt of the segment's first fragment.
func (p *Parsed) Decode() int64 { return p.Fragments[0].Decode }

// Duration is the sum of the samples' durations.
func (p *Parsed) Duration() int64 {
	var d int64
	for _, f := range p.Fragments {
		for _, s := range f.Samples {
			d += s.Duration
		}
	}
	return d
}

// IFrames are the byte ranges from each fragment's moof through its first
// sample, where that is an IDR: the entries of an I-frame playlist.
func (p *Parsed) IFrames() []Range {
	var out []Range
	for _, f := range p.Fragments {
		if s := f.Samples[0]; s.Sync && s.IDR {
			out = append(out, Range{f.Offset, s.Offset + s.Size - f.Offset})
		}
	}
	return out
}
