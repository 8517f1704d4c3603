package libav

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/bits"
)

const obuSequenceHeader = 1

// av1Config makes the av1C payload (AV1 in ISOBMFF §2.3.3) of an encoder's
// sequence header; one that is made already is taken as it is. Our pictures are
// 4:2:0 in 8 or 10 bits, their chroma at chroma (AVCHROMA_LOC_*).
func av1Config(extradata []byte, depth, chroma int) ([]byte, error) {
	if len(extradata) > 4 && extradata[0] == 0x81 {
		return bytes.Clone(extradata), nil
	}
	if len(extradata) < 4 || extradata[0]>>3&0xf != obuSequenceHeader || extradata[0]&2 == 0 {
		return nil, errNoParameterSets
	}
	rec := av1.CodecConfRec{Version: 1, ChromaSubsamplingX: 1, ChromaSubsamplingY: 1, ConfigOBUs: extradata}
	if depth == 10 {
		rec.HighBitdepth = 1
	}
	switch chroma { // chroma_sample_position, §6.4.2
	case 1: // left
		rec.ChromaSamplePosition = 1
	case 3: // top left
		rec.ChromaSamplePosition = 2
	}
	if err := av1Level(extradata, &rec); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := rec.Encode(&buf); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// av1Level reads the begin of a sequence header (AV1 §5.5.1): profile, and the
// level and tier of the first operating point.
func av1Level(obu []byte, rec *av1.CodecConfRec) error {
	head := 1
	if obu[0]&4 != 0 { // obu_extension_flag
		head++
	}
	for head < len(obu) && obu[head]&0x80 != 0 { // obu_size, leb128
		head++
	}
	r := bits.NewReader(bytes.NewReader(obu[min(head+1, len(obu)):]))
	rec.SeqProfile = byte(r.Read(3))
	r.Read(1)           // still_picture
	if r.Read(1) == 1 { // reduced_still_picture_header
		rec.SeqLevelIdx0 = byte(r.Read(5))
		return r.AccError()
	}
	if r.Read(1) == 1 { // timing_info_present_flag
		r.Read(32) // num_units_in_display_tick
		r.Read(32) // time_scale
		if r.Read(1) == 1 {
			skipUvlc(r) // num_ticks_per_picture_minus_1
		}
		if r.Read(1) == 1 { // decoder_model_info_present_flag
			r.Read(5)
			r.Read(32)
			r.Read(5 + 5)
		}
	}
	r.Read(1 + 5 + 12) // initial_display_delay_present_flag, operating points, the first's idc
	rec.SeqLevelIdx0 = byte(r.Read(5))
	if rec.SeqLevelIdx0 > 7 {
		rec.SeqTier0 = byte(r.Read(1))
	}
	if err := r.AccError(); err != nil {
		return fmt.Errorf("sequence header: %w", err)
	}
	return nil
}

// skipUvlc reads over a number of AV1 §4.10.3.
func skipUvlc(r *bits.Reader) {
	zeros := 0
	for zeros < 32 && r.AccError() == nil && r.Read(1) == 0 {
		zeros++
	}
	r.Read(zeros % 32)
}
