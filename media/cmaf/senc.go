package cmaf

import (
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"
)

// checkLock is what is wrong with how a fragment of an encrypted track says
// which bytes are encrypted (ISO/IEC 23001-7 §7), nil when nothing is.
func (t *Track) checkLock(moof *mp4.MoofBox, samples []ParsedSample) error {
	traf := moof.Traf
	there, parsed := traf.ContainsSencBox()
	if !there || traf.Saiz == nil || traf.Saio == nil {
		return fmt.Errorf("senc, saiz or saio is missing")
	}
	if !parsed {
		if err := traf.ParseReadSenc(t.Tenc.DefaultPerSampleIVSize, moof.StartPos); err != nil {
			return fmt.Errorf("senc: %w", err)
		}
	}
	senc := traf.Senc
	if senc == nil || int(senc.SampleCount) != len(samples) {
		return fmt.Errorf("senc does not have one entry for each of %d frames", len(samples))
	}
	if at := sencAt(moof); len(traf.Saio.Offset) != 1 || traf.Saio.Offset[0] != at {
		return fmt.Errorf("saio points at %v, senc's entries are at %d", traf.Saio.Offset, at)
	}
	for i, s := range samples {
		if err := t.checkSample(senc, traf.Saiz, i, s.Size); err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
	}
	return nil
}

// sencAt is where the entries of senc begin, from the moof on.
func sencAt(moof *mp4.MoofBox) int64 {
	at := int64(8)
	for _, box := range moof.Children {
		if box != mp4.Box(moof.Traf) {
			at += int64(box.Size())
			continue
		}
		at += 8
		for _, c := range moof.Traf.Children {
			if c.Type() == "senc" {
				return at + 16
			}
			at += int64(c.Size())
		}
	}
	return -1
}

func (t *Track) checkSample(senc *mp4.SencBox, saiz *mp4.SaizBox, i int, size int64) error {
	want := int(t.Tenc.DefaultPerSampleIVSize)
	if want > 0 && (i >= len(senc.IVs) || len(senc.IVs[i]) != want) {
		return fmt.Errorf("it has no IV of %d bytes", want)
	}
	if t.Video {
		if i >= len(senc.SubSamples) {
			return fmt.Errorf("it has no subsamples: its headers would be encrypted")
		}
		var covered int64
		for _, s := range senc.SubSamples[i] {
			covered += int64(s.BytesOfClearData) + int64(s.BytesOfProtectedData)
		}
		if covered != size {
			return fmt.Errorf("its subsamples cover %d bytes of %d", covered, size)
		}
		want += 2 + 6*len(senc.SubSamples[i])
	}
	said := int(saiz.DefaultSampleInfoSize)
	if said == 0 && i < len(saiz.SampleInfo) {
		said = int(saiz.SampleInfo[i])
	}
	if said != want {
		return fmt.Errorf("saiz says %d bytes, senc has %d", said, want)
	}
	return nil
}

// CheckLock is what is wrong with an encrypted track's init segment, nil when
// nothing is: players know the pattern of cbcs in one form only.
func (t *Track) CheckLock() error {
	e := t.Tenc
	switch {
	case t.Scheme != "cbcs" && t.Scheme != "cenc":
		return fmt.Errorf("scheme %q is neither cbcs nor cenc", t.Scheme)
	case e.DefaultIsProtected != 1:
		return fmt.Errorf("tenc says that it is not protected")
	case t.Scheme == "cenc" && (e.DefaultPerSampleIVSize != 8 && e.DefaultPerSampleIVSize != 16):
		return fmt.Errorf("cenc with IVs of %d bytes", e.DefaultPerSampleIVSize)
	case t.Scheme == "cbcs" && (e.Version != 1 || e.DefaultPerSampleIVSize != 0 || len(e.DefaultConstantIV) == 0):
		return fmt.Errorf("cbcs without a constant IV")
	case t.Scheme == "cbcs" && t.Video && (e.DefaultCryptByteBlock != 1 || e.DefaultSkipByteBlock != 9):
		return fmt.Errorf("cbcs encrypts %d blocks and skips %d, not 1 and 9", e.DefaultCryptByteBlock, e.DefaultSkipByteBlock)
	}
	return nil
}
