package cmaf

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"
)

// Protection is how a track is encrypted (ISO/IEC 23001-7).
type Protection struct {
	Scheme string // cenc or cbcs
	KeyID  [16]byte
	Key    [16]byte
	// IV is the constant one of cbcs, of 8 or 16 bytes.
	IV []byte
	// PSSH are whole boxes.
	PSSH [][]byte
}

// Cipher encrypts the segments that belong to one init segment.
type Cipher struct {
	data  *mp4.InitProtectData
	key   [16]byte
	keyID [16]byte
	iv    []byte
}

// Protect is the init segment of the same track, encrypted.
func (i Init) Protect(p Protection) (Init, error) {
	out, err := i.protect(p)
	if err != nil {
		return Init{}, fmt.Errorf("encrypt %s track by %s: %w", i.Format, p.Scheme, err)
	}
	return out, nil
}

func (i Init) protect(p Protection) (Init, error) {
	if i.Format == "av01" {
		return Init{}, fmt.Errorf("AV1 is not encrypted here: %w", ErrConfig)
	}
	f, err := mp4.DecodeFile(bytes.NewReader(i.Bytes))
	if err != nil {
		return Init{}, err
	}
	var boxes []*mp4.PsshBox
	for _, b := range p.PSSH {
		box, err := mp4.DecodeBox(0, bytes.NewReader(b))
		pssh, ok := box.(*mp4.PsshBox)
		if err != nil || !ok {
			return Init{}, fmt.Errorf("broken pssh: %w", ErrConfig)
		}
		boxes = append(boxes, pssh)
	}
	c := &Cipher{key: p.Key, keyID: p.KeyID, iv: p.constantIV()}
	if c.data, err = mp4.InitProtect(f.Init, c.key[:], c.iv, p.Scheme, mp4.UUID(p.KeyID[:]), boxes); err != nil {
		return Init{}, err
	}
	var b bytes.Buffer
	if err := f.Init.Encode(&b); err != nil {
		return Init{}, err
	}
	i.Bytes, i.Name, i.Cipher = b.Bytes(), InitName(b.Bytes()), c
	return i, nil
}

// constantIV is the one given or, so that every worker writes the same init
// segment, one that follows from the key.
func (p Protection) constantIV() []byte {
	if len(p.IV) > 0 {
		return append([]byte(nil), p.IV...)
	}
	return p.hash("constant IV")[:16]
}

func (p Protection) hash(what string) []byte {
	h := hmac.New(sha256.New, p.Key[:])
	h.Write(append(p.KeyID[:], what...))
	return h.Sum(nil)
}

// Encode writes one media segment, encrypted where c is not nil. The label is
// the rendition's name and number the segment's.
func (c *Cipher) Encode(label string, number int64, fragments ...Fragment) (Segment, error) {
	if c == nil {
		return Encode(fragments...)
	}
	iv := c.startIV(label, number, fragments)
	return encode(func(f *mp4.Fragment) (err error) {
		iv, err = mp4.EncryptFragment(f, c.key[:], iv, c.data)
		return err
	}, fragments)
}

// startIV is where a segment's counter starts. It is never random: two workers
// that make the same segment must write the same bytes. It follows from key id,
// rendition and number, and from the frames too: a successor with another
// encoder makes another segment of the same number, and two texts under one
// counter give both away. Hashed with the key, it tells nothing about them. The
// lower half counts blocks, and no segment has 2^64.
func (c *Cipher) startIV(label string, number int64, fragments []Fragment) []byte {
	if c.data.Scheme == "cbcs" {
		return c.iv
	}
	h := hmac.New(sha256.New, c.key[:])
	h.Write(c.keyID[:])
	h.Write(append([]byte(label), 0))
	_ = binary.Write(h, binary.BigEndian, number)
	for _, f := range fragments {
		for _, s := range f.Samples {
			_ = binary.Write(h, binary.BigEndian, int64(len(s.Data)))
			h.Write(s.Data)
		}
	}
	return append(h.Sum(nil)[:8], make([]byte, 8)...)
}
