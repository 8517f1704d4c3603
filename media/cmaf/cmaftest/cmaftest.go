// Package cmaftest gives tests encoded frames: small clips that it carries,
// and any MP4 file, taken apart into the packets that an encoder would hand
// over. Frames are numbered by display order from 0, so a clip of constant
// frame rate sits on a grid as it is.
//
// Only tests import it.
package cmaftest

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/galafarm/gala/media"
)

// The clips: test pictures of 96x64 at 25 fps with a GOP of 25 (h264_aac with
// three B-frames, 75 frames and a 440 Hz tone; hevc, 25 frames; av1, 10), and
// half-second tones in stereo.
//
//go:embed testdata/*.mp4
var clips embed.FS

// Track is one track taken apart.
type Track struct {
	Codec                string // as ladders name it: h264, hevc, av1, aac, opus, ac-3, ec-3
	Config               media.CodecConfig
	Width, Height        int
	Channels, SampleRate int
	Packets              []media.Packet
}

// Clip is one of the clips by name, without ".mp4".
func Clip(name string) ([]Track, error) {
	b, err := clips.ReadFile("testdata/" + name + ".mp4")
	if err != nil {
		return nil, err
	}
	return Read(b)
}

// Shared finds a file of the media set by GALA_MEDIA or in a folder
// shared/media/open above; ok is false where the set is not at hand.
func Shared(name string) (path string, ok bool) {
	if dir := os.Getenv("GALA_MEDIA"); dir != "" {
		return existing(filepath.Join(dir, name))
	}
	dir, err := os.Getwd()
	for err == nil {
		if p, ok := existing(filepath.Join(dir, "shared", "media", "open", name)); ok {
			return p, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return "", false
}

func existing(path string) (string, bool) {
	_, err := os.Stat(path)
	return path, err == nil
}

// Read takes a progressive MP4 apart.
func Read(b []byte) ([]Track, error) {
	f, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var out []Track
	for _, trak := range f.Moov.Traks {
		t, err := track(trak, b)
		if err != nil {
			return nil, err
		}
		if t.Codec != "" {
			out = append(out, t)
		}
	}
	return out, nil
}

func track(trak *mp4.TrakBox, file []byte) (Track, error) {
	var t Track
	var err error
	switch e := trak.Mdia.Minf.Stbl.Stsd.Children[0].(type) {
	case *mp4.VisualSampleEntryBox:
		t.Codec = map[string]string{"avc1": "h264", "hvc1": "hevc", "hev1": "hevc", "av01": "av1"}[e.Type()]
		t.Width, t.Height = int(e.Width), int(e.Height)
		t.Config.Extradata, err = payload(e.Children[0])
	case *mp4.AudioSampleEntryBox:
		t.Codec = map[string]string{"mp4a": "aac", "Opus": "opus", "ac-3": "ac-3", "ec-3": "ec-3"}[e.Type()]
		t.Config.FrameSize = map[string]int64{"mp4a": 1024, "Opus": 960, "ac-3": 1536, "ec-3": 1536}[e.Type()]
		t.Channels, t.SampleRate = int(e.ChannelCount), int(e.SampleRate)
		if e.Esds != nil {
			t.Config.Extradata = e.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
		} else {
			t.Config.Extradata, err = payload(e.Children[0])
		}
	}
	if err == nil && t.Codec != "" {
		t.Packets, err = packets(trak, file)
	}
	return t, err
}

// payload is a box without its header.
func payload(box mp4.Box) ([]byte, error) {
	var b bytes.Buffer
	err := box.Encode(&b)
	return b.Bytes()[8:], err
}

func packets(trak *mp4.TrakBox, file []byte) ([]media.Packet, error) {
	n := trak.GetNrSamples()
	samples, err := trak.GetSampleData(1, n)
	if err != nil {
		return nil, fmt.Errorf("samples: %w", err)
	}
	out := make([]media.Packet, n)
	shown := make([]int64, n) // presentation times
	var at int64
	for i, s := range samples {
		ranges, err := trak.GetRangesForSampleInterval(uint32(i+1), uint32(i+1))
		if err != nil {
			return nil, err
		}
		from := ranges[0].Offset
		out[i].Data = bytes.Clone(file[from : from+ranges[0].Size])
		out[i].Key = !mp4.DecodeSampleFlags(s.Flags).SampleIsNonSync
		shown[i] = at + int64(s.CompositionTimeOffset)
		at += int64(s.Dur)
	}
	number(out, shown)
	return out, nil
}

// number gives each packet its place in display order.
func number(packets []media.Packet, shown []int64) {
	order := make([]int, len(packets))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(shown[a], shown[b]) })
	for n, i := range order {
		packets[i].Index = int64(n)
	}
}
