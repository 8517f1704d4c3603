package cmaf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"
	"golang.org/x/text/language"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
)

// Init is a finished init segment. Its name is the hash of its content: two
// writers with equal decoder configurations write the same object.
type Init struct {
	Bytes  []byte
	Name   string // init-<hash>.mp4
	Codecs string // RFC 6381, from the real configuration
	Format string // sample entry: avc1, hvc1, av01, mp4a, Opus, ac-3, ec-3, wvtt; of an encrypted track, what is inside
	// Cipher encrypts its segments; nil: they stay in the clear.
	Cipher *Cipher
}

// InitVideo makes the init segment of a video rendition.
func InitVideo(v ladders.Video, cfg media.CodecConfig, timescale int64) (Init, error) {
	conf, err := videoConfig(v.Codec, cfg)
	if err != nil {
		return Init{}, fmt.Errorf("%s init segment: %w", v.Codec, err)
	}
	seg, trak := emptyInit("video", timescale, "und")
	entry := mp4.CreateVisualSampleEntryBox(conf.format, uint16(v.Width), uint16(v.Height), conf.box)
	entry.CompressorName = ""
	num, den := squareByDefault(cfg.SARNum, cfg.SARDen)
	if c := colour(cfg); c != nil {
		entry.AddChild(c)
	}
	for _, b := range hdrBoxes(cfg) {
		entry.AddChild(b)
	}
	entry.AddChild(&mp4.PaspBox{HSpacing: uint32(num), VSpacing: uint32(den)})
	trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	// The display size is what a player should show: pixels made square.
	trak.Tkhd.Width = mp4.Fixed32(int64(v.Width) * int64(num) << 16 / int64(den))
	trak.Tkhd.Height = mp4.Fixed32(v.Height << 16)
	return finishInit(seg, conf)
}

// InitAudio makes the init segment of an audio rendition; its timescale is the
// sample rate.
func InitAudio(a ladders.Audio, cfg media.CodecConfig) (Init, error) {
	conf, err := audioConfig(a.Codec, cfg.Extradata)
	if err != nil {
		return Init{}, fmt.Errorf("%s init segment: %w", a.Codec, err)
	}
	seg, trak := emptyInit("audio", int64(a.SampleRate), iso639(a.Language))
	// The field has 16 bits for the rate; higher ones are told by the timescale
	// and the codec's own configuration (ISO/IEC 14496-12 §12.2.3).
	rate := uint16(0)
	if a.SampleRate < 1<<16 {
		rate = uint16(a.SampleRate)
	}
	entry := mp4.CreateAudioSampleEntryBox(conf.format, uint16(a.Channels), 16, rate, conf.box)
	trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	return finishInit(seg, conf)
}

// config is a decoder configuration made ready for a sample entry.
type config struct {
	format string
	codecs string
	box    mp4.Box
}

func emptyInit(kind string, timescale int64, lang string) (*mp4.InitSegment, *mp4.TrakBox) {
	seg := mp4.NewMP4Init()
	// cmf2 promises what we do: no edit lists, signed offsets, defaults in each
	// fragment (ISO/IEC 23000-19 §7.7).
	seg.AddChild(mp4.NewFtyp("cmf2", 0, []string{"iso6", "cmfc", "cmf2"}))
	moov := mp4.NewMoovBox()
	seg.AddChild(moov)
	mvhd := mp4.CreateMvhd()
	mvhd.Timescale = uint32(timescale)
	moov.AddChild(mvhd)
	trak := mp4.CreateEmptyTrak(1, uint32(timescale), kind, lang)
	moov.AddChild(trak)
	mvex := mp4.NewMvexBox()
	moov.AddChild(mvex)
	mvex.AddChild(mp4.CreateTrex(1))
	return seg, trak
}

func finishInit(seg *mp4.InitSegment, conf config) (Init, error) {
	var b bytes.Buffer
	if err := seg.Encode(&b); err != nil {
		return Init{}, fmt.Errorf("%s init segment: %w", conf.format, err)
	}
	return Init{Bytes: b.Bytes(), Name: InitName(b.Bytes()), Codecs: conf.codecs, Format: conf.format}, nil
}

// InitName is the name of an init segment with this content.
func InitName(b []byte) string {
	sum := sha256.Sum256(b)
	return "init-" + hex.EncodeToString(sum[:8]) + ".mp4"
}

func squareByDefault(num, den int) (int, int) {
	if num <= 0 || den <= 0 {
		return 1, 1
	}
	return num, den
}

// colour is the nclx box, nil when nothing is known (2 is "unspecified").
func colour(cfg media.CodecConfig) *mp4.ColrBox {
	known := func(v int) bool { return v != 0 && v != 2 }
	if !known(cfg.Primaries) && !known(cfg.Transfer) && !known(cfg.Matrix) && !cfg.FullRange {
		return nil
	}
	point := func(v int) uint16 {
		if v == 0 {
			return 2
		}
		return uint16(v)
	}
	return &mp4.ColrBox{
		ColorType:               mp4.ColorTypeOnScreenColors,
		ColorPrimaries:          point(cfg.Primaries),
		TransferCharacteristics: point(cfg.Transfer),
		// Matrix 0 is a real value (identity, RGB), but nothing here encodes RGB.
		MatrixCoefficients: point(cfg.Matrix),
		FullRangeFlag:      cfg.FullRange,
	}
}

// iso639 is the three letters that mdhd has room for.
func iso639(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return "und"
	}
	base, conf := t.Base()
	if conf < language.High || len(base.ISO3()) != 3 {
		return "und"
	}
	return base.ISO3()
}
