package cmaf

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Brands that tell receivers what a segment is (ISO/IEC 23009-1 §6.3.4.2; DASH-IF
// live media ingest, requirements of interface 1, 18 and 19).
const (
	// LastBrand says that no segment of the track follows.
	LastBrand = "lmsg"
	// SlateBrand says that the source was lost and something else fills the segment,
	// so that a receiver may take another's.
	SlateBrand = "slat"
)

// Last is the segment with the brand of a track's last one.
func (s Segment) Last() (Segment, error) { return s.branded(LastBrand) }

// Slate is the segment with the brand of one that fills a lapse of its source.
func (s Segment) Slate() (Segment, error) { return s.branded(SlateBrand) }

// branded adds a compatible brand. Positions inside of fragments count from their
// moof, so nothing but the I-frames' moves.
func (s Segment) branded(brand string) (Segment, error) {
	if len(s.Bytes) < 16 || string(s.Bytes[4:8]) != "styp" || int(binary.BigEndian.Uint32(s.Bytes)) > len(s.Bytes) {
		return Segment{}, fmt.Errorf("segment with the brand %s: no styp: %w", brand, ErrMedia)
	}
	size := int(binary.BigEndian.Uint32(s.Bytes))
	out := Segment{Bytes: slices.Concat(s.Bytes[:size], []byte(brand), s.Bytes[size:])}
	binary.BigEndian.PutUint32(out.Bytes, uint32(size+len(brand)))
	for _, r := range s.IFrames {
		out.IFrames = append(out.IFrames, Range{r.Offset + int64(len(brand)), r.Size})
	}
	return out, nil
}
