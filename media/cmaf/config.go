package cmaf

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/media"
)

func videoConfig(codec string, cfg media.CodecConfig) (config, error) {
	extradata := cfg.Extradata
	if len(extradata) == 0 {
		return config{}, fmt.Errorf("no configuration: %w", ErrConfig)
	}
	switch codec {
	case "h264":
		return avcConfig(extradata)
	case "hevc":
		return hevcConfig(extradata)
	case "av1":
		return av1Config(extradata, cfg)
	}
	return config{}, fmt.Errorf("video codec %q: %w", codec, ErrConfig)
}

func avcConfig(b []byte) (config, error) {
	rec, err := avcRecord(b)
	if err != nil {
		return config{}, fmt.Errorf("avcC: %v: %w", err, ErrConfig)
	}
	if len(rec.SPSnalus) == 0 || len(rec.PPSnalus) == 0 {
		return config{}, fmt.Errorf("avcC without parameter sets: %w", ErrConfig)
	}
	codecs := fmt.Sprintf("avc1.%02X%02X%02X", rec.AVCProfileIndication, rec.ProfileCompatibility, rec.AVCLevelIndication)
	return config{"avc1", codecs, &mp4.AvcCBox{DecConfRec: rec}}, nil
}

// avcRecord also takes Annex B parameter sets: what encoders hand out as is.
func avcRecord(b []byte) (avc.DecConfRec, error) {
	if !annexB(b) {
		return avc.DecodeAVCDecConfRec(b)
	}
	sets := parameterSets(b, func(header byte) int { return int(header & 0x1f) })
	sps, pps := sets[7], sets[8]
	if len(sps) == 0 || len(pps) == 0 {
		return avc.DecConfRec{}, fmt.Errorf("no SPS or PPS in Annex B headers")
	}
	rec, err := avc.CreateAVCDecConfRec(sps, pps, true)
	if err != nil {
		return avc.DecConfRec{}, err
	}
	return *rec, nil
}

func hevcConfig(b []byte) (config, error) {
	rec, err := hevcRecord(b)
	if err != nil {
		return config{}, fmt.Errorf("hvcC: %v: %w", err, ErrConfig)
	}
	var sps []byte
	for i, a := range rec.NaluArrays {
		// hvc1 promises that every parameter set is here (ISO/IEC 14496-15 §8.4.1.1).
		rec.NaluArrays[i] = hevc.NewNaluArray(true, a.NaluType(), a.Nalus)
		if a.NaluType() == hevc.NALU_SPS && len(a.Nalus) > 0 {
			sps = a.Nalus[0]
		}
	}
	parsed, err := hevc.ParseSPSNALUnit(sps)
	if err != nil {
		return config{}, fmt.Errorf("hvcC: SPS: %v: %w", err, ErrConfig)
	}
	return config{"hvc1", hevc.CodecString("hvc1", parsed), &mp4.HvcCBox{DecConfRec: rec}}, nil
}

func hevcRecord(b []byte) (hevc.DecConfRec, error) {
	if !annexB(b) {
		return hevc.DecodeHEVCDecConfRec(b)
	}
	sets := parameterSets(b, func(header byte) int { return int(header >> 1 & 0x3f) })
	vps, sps, pps := sets[32], sets[33], sets[34]
	if len(vps) == 0 || len(sps) == 0 || len(pps) == 0 {
		return hevc.DecConfRec{}, fmt.Errorf("no VPS, SPS or PPS in Annex B headers")
	}
	return hevc.CreateHEVCDecConfRec(vps, sps, pps, true, true, true, true)
}

func av1Config(b []byte, cfg media.CodecConfig) (config, error) {
	rec, err := av1.DecodeAV1CodecConfRec(b)
	if err != nil {
		return config{}, fmt.Errorf("av1C: %v: %w", err, ErrConfig)
	}
	return config{"av01", AV1Codecs(rec, colour(cfg)), &mp4.Av1CBox{CodecConfRec: rec}}, nil
}

// AV1Codecs is the RFC 6381 string of AV1 (AV1 in ISOBMFF §5). Its end, from
// monochrome on, is given where colours are not the BT.709 that it stands for.
func AV1Codecs(rec av1.CodecConfRec, c *mp4.ColrBox) string {
	tier := "M"
	if rec.SeqTier0 == 1 {
		tier = "H"
	}
	depth := 8 + 2*int(rec.HighBitdepth) + 2*int(rec.HighBitdepth&rec.TwelveBit)
	s := fmt.Sprintf("av01.%d.%02d%s.%02d", rec.SeqProfile, rec.SeqLevelIdx0, tier, depth)
	if c == nil || c.TransferCharacteristics != 16 && c.TransferCharacteristics != 18 {
		return s
	}
	full := 0
	if c.FullRangeFlag {
		full = 1
	}
	return s + fmt.Sprintf(".%d.%d%d%d.%02d.%02d.%02d.%d", rec.MonoChrome, rec.ChromaSubsamplingX, rec.ChromaSubsamplingY, rec.ChromaSamplePosition,
		c.ColorPrimaries, c.TransferCharacteristics, c.MatrixCoefficients, full)
}

func audioConfig(codec string, extradata []byte) (config, error) {
	if len(extradata) == 0 {
		return config{}, fmt.Errorf("no configuration: %w", ErrConfig)
	}
	switch codec {
	case "aac":
		return aacConfig(extradata)
	case "opus":
		// The sample entry is Opus, but players know the codec in lower case.
		return boxConfig("Opus", "opus", "dOps", extradata)
	case "ac-3":
		return boxConfig("ac-3", "ac-3", "dac3", extradata)
	case "ec-3":
		return boxConfig("ec-3", "ec-3", "dec3", extradata)
	}
	return config{}, fmt.Errorf("audio codec %q: %w", codec, ErrConfig)
}

// aacConfig needs no more of the AudioSpecificConfig than its object type.
func aacConfig(asc []byte) (config, error) {
	if len(asc) < 2 {
		return config{}, fmt.Errorf("AudioSpecificConfig of %d bytes: %w", len(asc), ErrConfig)
	}
	object := int(asc[0] >> 3)
	if object == 31 {
		object = 32 + int(asc[0]&7)<<3 | int(asc[1]>>5)
	}
	if object == 0 {
		return config{}, fmt.Errorf("AudioSpecificConfig without object type: %w", ErrConfig)
	}
	return config{"mp4a", fmt.Sprintf("mp4a.40.%d", object), mp4.CreateEsdsBox(asc)}, nil
}

// boxConfig wraps a payload that already is the body of a configuration box.
func boxConfig(format, codecs, name string, payload []byte) (config, error) {
	box, err := decodeBox(name, payload)
	if err != nil {
		return config{}, fmt.Errorf("%s: %v: %w", name, err, ErrConfig)
	}
	return config{format, codecs, box}, nil
}

func decodeBox(name string, payload []byte) (mp4.Box, error) {
	size := len(payload) + 8
	raw := []byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}
	raw = append(append(raw, name...), payload...)
	return mp4.DecodeBox(0, bytes.NewReader(raw))
}

// annexB tells start codes from a configuration record, whose first byte is 1
// (avcC, hvcC) or has its top bit set (av1C).
func annexB(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0, 0, 1}) || bytes.HasPrefix(b, []byte{0, 0, 0, 1})
}

// parameterSets are the NAL units of an Annex B stream by type.
func parameterSets(b []byte, kind func(header byte) int) map[int][][]byte {
	sets := map[int][][]byte{}
	_ = eachNAL(FromAnnexB(b), func(nal []byte) { sets[kind(nal[0])] = append(sets[kind(nal[0])], nal) })
	return sets
}
