package cmaf

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// protected is what the sample entry of an encrypted track says; nil: clear.
func protected(box mp4.Box) *mp4.SinfBox {
	switch e := box.(type) {
	case *mp4.VisualSampleEntryBox:
		return e.Sinf
	case *mp4.AudioSampleEntryBox:
		return e.Sinf
	}
	return nil
}

// lock reads how the track is encrypted.
func (t *Track) lock(sinf *mp4.SinfBox) error {
	if sinf == nil {
		return nil
	}
	if sinf.Frma == nil || sinf.Schm == nil || sinf.Schi == nil || sinf.Schi.Tenc == nil || len(sinf.Schi.Tenc.DefaultKID) != 16 {
		return fmt.Errorf("init segment: sinf without frma, schm or tenc: %w", ErrMedia)
	}
	t.Format, t.Scheme, t.Tenc = sinf.Frma.DataFormat, sinf.Schm.SchemeType, sinf.Schi.Tenc
	t.KeyID = [16]byte(t.Tenc.DefaultKID)
	return nil
}

// Clear is the init segment of the same track, decrypted.
func Clear(init []byte) (out []byte, err error) {
	defer outlive(&err)
	f, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(init))
	if err != nil {
		return nil, fmt.Errorf("init segment: %v: %w", err, ErrMedia)
	}
	if _, err := mp4.DecryptInit(f.Init); err != nil {
		return nil, fmt.Errorf("init segment: %v: %w", err, ErrMedia)
	}
	var b bytes.Buffer
	err = f.Init.Encode(&b)
	return b.Bytes(), err
}

// Decrypt is a media segment of an encrypted track in the clear.
func (t *Track) Decrypt(segment []byte, key [16]byte) (out []byte, err error) {
	defer outlive(&err)
	if t.Tenc == nil {
		return segment, nil
	}
	f, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(bytes.Clone(segment))) // the library decrypts in place
	if err != nil {
		return nil, fmt.Errorf("media segment: %v: %w", err, ErrMedia)
	}
	sinf := &mp4.SinfBox{Frma: &mp4.FrmaBox{DataFormat: t.Format}, Schm: &mp4.SchmBox{SchemeType: t.Scheme}, Schi: &mp4.SchiBox{Tenc: t.Tenc}}
	info := mp4.DecryptInfo{TrackInfos: []mp4.DecryptTrackInfo{{TrackID: t.ID, Sinf: sinf, Trex: t.trex}}}
	var b bytes.Buffer
	for _, s := range f.Segments {
		if err := mp4.DecryptSegment(s, info, key[:]); err != nil {
			return nil, fmt.Errorf("media segment: %v: %w", err, ErrMedia)
		}
		if err := s.Encode(&b); err != nil {
			return nil, fmt.Errorf("media segment: %v: %w", err, ErrMedia)
		}
	}
	return b.Bytes(), nil
}

// outlive makes an error of what the library panics on (see eachBox).
func outlive(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%v: %w", r, ErrMedia)
	}
}
