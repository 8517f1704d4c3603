package ladders

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/galafarm/gala/timeline"
)

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// anySource draws sources as wild as a probe may report them.
func anySource(t *rapid.T) Source {
	var s Source
	if rapid.IntRange(0, 9).Draw(t, "video") > 0 {
		side := rapid.OneOf(rapid.IntRange(1, 64), rapid.IntRange(1, 4096), rapid.IntRange(1, 65535),
			rapid.SampledFrom([]int{360, 480, 486, 576, 608, 720, 1080, 1088, 1920, 2160, 3840}))
		rates := rapid.OneOf(rapid.Int64Range(-2, 400), rapid.Int64Range(1, 100_000), rapid.Int64())
		aspect := rapid.IntRange(-1, 100)
		s.Video = &SourceVideo{
			Width: side.Draw(t, "w"), Height: side.Draw(t, "h"),
			SampleAspectNum: aspect.Draw(t, "sar"), SampleAspectDen: aspect.Draw(t, "sard"),
			Rotation: rapid.SampledFrom([]int{0, 90, 180, 270, -90, 360, 45}).Draw(t, "rotation"),
			Rate: timeline.Rate{
				Num: rates.Draw(t, "num"),
				Den: rapid.SampledFrom([]int64{1, 1, 1001, 1000, 0, 7, 1 << 40}).Draw(t, "den"),
			},
			Interlaced: rapid.Bool().Draw(t, "interlaced"), Range: rapid.SampledFrom([]Range{"", SDR, PQ, HLG}).Draw(t, "range"),
		}
	}
	s.Audio = rapid.SliceOfN(rapid.Custom(anyAudio), 0, 5).Draw(t, "audio")
	return s
}

func anyAudio(t *rapid.T) SourceAudio {
	return SourceAudio{
		Channels:   rapid.IntRange(0, 24).Draw(t, "channels"),
		SampleRate: rapid.SampledFrom([]int{0, 8000, 44100, 48000, 192000}).Draw(t, "hz"),
		Language:   rapid.SampledFrom([]string{"", "und", "eng", "en", "en-GB", "ger", "deu", "de", "x", "zxx", "qaa", "??", "zh-Hant-TW", "2"}).Draw(t, "lang"),
	}
}

// anyLadder draws a valid ladder through its text, so that what is tested is
// what can be authored.
func anyLadder(t *rapid.T) *Ladder {
	if rapid.Bool().Draw(t, "preset") {
		return rapid.SampledFrom(Presets()).Draw(t, "ladder")
	}
	var b strings.Builder
	b.WriteString("name: drawn\n")
	fmt.Fprintf(&b, "deinterlace: %s\n", rapid.SampledFrom([]string{"auto", "frame", "field"}).Draw(t, "deinterlace"))
	fmt.Fprintf(&b, "scaler: %s\n", rapid.SampledFrom([]string{"bilinear", "bicubic", "spline", "lanczos"}).Draw(t, "scaler"))
	b.WriteString(rapid.SampledFrom([]string{"", "scale_from: larger\n", "scale_from: source\n"}).Draw(t, "scale_from"))
	b.WriteString(rapid.SampledFrom([]string{"", "pad: 16:9\n", "pad: 1:1\ndenoise: light\n", "pad: 9:16\n"}).Draw(t, "pad"))
	b.WriteString(rapid.SampledFrom([]string{"", "overlays: [{logo: a.png}]\n", "overlays:\n  - {text: \"{job} \\\"live\\\" {timecode}\", at: bottom, height: 7.25%, margin: 0%}\n  - {logo: \"no\", at: middle, width: 33.3%, opacity: 5%}\n"}).Draw(t, "overlays"))
	b.WriteString("video:\n")
	for i := range rapid.IntRange(1, 8).Draw(t, "rungs") {
		bits := rapid.Int64Range(minVideoBits, 20_000_000).Draw(t, "bitrate")
		fmt.Fprintf(&b, "  - {name: v%d, %s, fps: %s, codec: %s, bitrate: %d, maxrate: %d, bufsize: %d, upscale: %t}\n", i,
			rapid.SampledFrom([]string{"height: 1080", "height: 720", "height: 234", "height: 17", "width: 640", "size: 333x4000", "size: 16x16", "size: 8192x8192"}).Draw(t, "size"),
			rapid.SampledFrom([]string{"source", "source<=60", "source<=30", "source/2", "source/3<=24", "source<=12.5"}).Draw(t, "fps"),
			rapid.SampledFrom([]string{"h264", "hevc", "av1", "hevc, profile: main10", "hevc, range: source", "av1, depth: 10", "av1, range: source", "av1, range: sdr"}).Draw(t, "codec"), bits,
			bits*rapid.Int64Range(100, 300).Draw(t, "peak")/100, bits*4, rapid.IntRange(0, 4).Draw(t, "up") == 0)
	}
	b.WriteString("audio:\n")
	for i := range rapid.IntRange(1, 4).Draw(t, "sounds") {
		fmt.Fprintf(&b, "  - {name: a%d, codec: %s, channels: %d, bitrate: %s, languages: %s%s}\n", i,
			rapid.SampledFrom([]string{"aac", "opus", "ac-3", "ec-3"}).Draw(t, "codec"), rapid.SampledFrom([]int{1, 2, 6}).Draw(t, "channels"),
			rapid.SampledFrom([]string{"96k", "128k", "192k"}).Draw(t, "bits"), rapid.SampledFrom([]string{"all", "first", "[de]", "[en, de]"}).Draw(t, "languages"),
			rapid.SampledFrom([]string{"", ", gain: -3.5dB", ", gain: 12"}).Draw(t, "gain"))
	}
	b.WriteString(rapid.SampledFrom([]string{"", "thumbnails: {height: 90}", "thumbnails: {width: 480, interval: 1m, columns: 1}", "thumbnails: {height: 33, interval: 700ms, rows: 10}"}).Draw(t, "thumbnails"))
	l, err := Parse("drawn.yaml", []byte(b.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	return l
}

func TestAnySourceResolvesWithinTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkResolved(t, anyLadder(t), anySource(t), rapid.SampledFrom([]Kind{Live, VOD}).Draw(t, "kind"))
	})
}

func TestMarshalIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLadder(t)
		l.About = rapid.StringMatching(`[ -~äé–]{0,30}`).Draw(t, "about")
		l.Name = rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,8}`).Draw(t, "name")
		again, err := Parse("again.yaml", l.Marshal())
		if err != nil {
			t.Fatalf("%v\n%s", err, l.Marshal())
		}
		if diff := cmp.Diff(l, again); diff != "" {
			t.Fatalf("%s\n%s", diff, l.Marshal())
		}
	})
}

// checkResolved holds the package's promises against one ladder and source.
func checkResolved(t failer, l *Ladder, src Source, kind Kind) {
	t.Helper()
	r, err := Resolve(l, src, kind)
	if errors.Is(err, ErrNoRung) && !slices.ContainsFunc(l.Video, func(v VideoRung) bool { return v.Codec != "av1" }) {
		return // SVT-AV1 takes no narrow strips
	}
	if err != nil {
		if compatible(l, src) == nil && !errors.Is(err, ErrNoMatch) && (src.Video == nil || src.Video.Width > 0 && src.Video.Height > 0) {
			t.Fatalf("a usable source is refused: %v", err)
		}
		return
	}
	checkGrid(t, l, r, kind)
	seen := map[string]bool{}
	for _, x := range r.Renditions {
		checkRendition(t, l, src, r, x)
		if id := strings.ToLower(x.Name); seen[id] {
			t.Fatalf("%s twice", x.Name)
		} else {
			seen[id] = true
		}
	}
	if len(r.Renditions) == 0 {
		t.Fatalf("no rendition")
	}
	checkCascades(t, l, r)
	checkTracks(t, l, src, r)
	checkVariants(t, r)
	if r2, _ := Resolve(l, src, kind); !cmp.Equal(r, r2) {
		t.Fatalf("two answers: %s", cmp.Diff(r, r2))
	}
}

// checkCascades: a rendition is scaled from one that is there, larger, of its rate
// and scaled from the source.
func checkCascades(t failer, l *Ladder, r *Resolved) {
	for _, x := range r.Renditions {
		if x.Video == nil || x.Video.ScaledFrom == (Size{}) {
			continue
		}
		if l.ScaleFrom != FromLarger || !slices.ContainsFunc(r.Renditions, func(y Rendition) bool {
			return y.Video != nil && x.Video.ScaledFrom == Size{y.Video.Width, y.Video.Height} && y.Video.ScaledFrom == Size{} &&
				y.Video.Divisor == x.Video.Divisor && y.Video.Width > x.Video.Width && y.Video.Height > x.Video.Height
		}) {
			t.Fatalf("%s is scaled from %s", x.Name, x.Video.ScaledFrom)
		}
	}
}

func checkGrid(t failer, l *Ladder, r *Resolved, kind Kind) {
	g := r.Grid
	gop, count := l.gops(kind)
	if !g.Rate.Valid() || g.GOPsPerSegment != count || g.Timescale <= 0 || g.Timescale > 1<<31 {
		t.Fatalf("grid %+v", g)
	}
	if length := g.TimeOf(g.FramesPerGOP); length > 2*gop+time.Second {
		t.Fatalf("a GOP of %s where %s is wanted, grid %+v", length, gop, g)
	}
}

var codecString = regexp.MustCompile(`^(avc1\.(42C0|4D40|6400)[0-9A-F]{2}|hvc1\.(1\.6|2\.4)\.L[0-9]{2,3}\.90|av01\.0\.[0-9]{2}M\.(08|10|10\.0\.112\.09\.1[68]\.09\.0)|mp4a\.40\.2|opus|ac-3|ec-3)$`)

func checkRendition(t failer, l *Ladder, src Source, r *Resolved, x Rendition) {
	if (x.Video == nil) == (x.Audio == nil) || !codecString.MatchString(x.Codecs) {
		t.Fatalf("%+v", x)
	}
	if x.AverageBandwidth <= 0 || x.Bandwidth < x.AverageBandwidth {
		t.Fatalf("%s: BANDWIDTH %d, average %d", x.Name, x.Bandwidth, x.AverageBandwidth)
	}
	if len(x.Name) > 64 {
		t.Fatalf("the name %s is too long for the wire", x.Name)
	}
	if x.Audio != nil {
		checkAudioRendition(t, src, *x.Audio)
		return
	}
	v := *x.Video
	i := slices.IndexFunc(l.Video, func(rung VideoRung) bool { return rung.Name == x.Name })
	rung := l.Video[i]
	checkSize(t, src, rung, v)
	if r.Grid.FramesPerGOP%v.Divisor != 0 || v.Divisor < rung.FPS.divisor(r.Grid.Rate) {
		t.Fatalf("%s: divisor %d of %+v", x.Name, v.Divisor, r.Grid)
	}
	if v.Bitrate > rung.Bitrate || v.Bitrate <= 0 || v.Maxrate < v.Bitrate || v.Bufsize <= 0 || !knownLevel(v.Codec, v.Level) {
		t.Fatalf("%s: %+v of %+v", x.Name, v, rung)
	}
	hdr := src.Video.Range.HDR() && rung.Range == KeepSource
	if v.Range.HDR() != hdr || hdr && v.Range != src.Video.Range || hdr && v.Depth != 10 || v.Depth == 10 && v.Codec == "h264" || v.Depth != rung.Depth || (v.Profile == "main10") != (v.Depth == 10 && v.Codec == "hevc") {
		t.Fatalf("%s: %+v of %+v from %s", x.Name, v, rung, src.Video.Range)
	}
}

func checkSize(t failer, src Source, rung VideoRung, v Video) {
	s, _ := v.Picture.shaped(src.Video)
	if v.Width%2 != 0 || v.Height%2 != 0 || min(v.Width, v.Height) < minPicture || max(v.Width, v.Height) > maxPicture {
		t.Fatalf("%dx%d of %+v", v.Width, v.Height, src.Video)
	}
	short := min(asFloat(s.w), asFloat(s.h))
	if rung.Upscale || short < minPicture {
		return
	}
	if float64(v.Width) > asFloat(s.w)+1 || float64(v.Height) > asFloat(s.h)+1 {
		t.Fatalf("%dx%d is above the source %s x %s", v.Width, v.Height, s.w.FloatString(2), s.h.FloatString(2))
	}
}

func asFloat(r *big.Rat) float64 { f, _ := r.Float64(); return f }

func checkAudioRendition(t failer, src Source, a Audio) {
	track := src.Audio[a.Track]
	if a.Channels < 1 || track.Channels > 0 && len(a.Map) == 0 && a.Channels > max(2, track.Channels) || a.Bitrate <= 0 || a.SampleRate <= 0 || a.Language == "" {
		t.Fatalf("%+v of %+v", a, track)
	}
}

// checkTracks: a source with pictures gives video where the ladder has any,
// one with sound gives sound, and each group has one default.
func checkTracks(t failer, l *Ladder, src Source, r *Resolved) {
	video, defaults := 0, map[string]int{}
	for _, x := range r.Renditions {
		if x.Video != nil {
			video++
		} else if x.Audio.Default {
			defaults[x.Audio.Group]++
		}
	}
	if (src.Video != nil && len(l.Video) > 0) != (video > 0) || (len(src.Audio) > 0 && len(l.Audio) > 0) != (len(defaults) > 0) {
		t.Fatalf("%d video renditions, audio groups %v", video, defaults)
	}
	for group, n := range defaults {
		if n != 1 {
			t.Fatalf("group %s has %d defaults", group, n)
		}
	}
}

func checkVariants(t failer, r *Resolved) {
	variants := Variants(r.Grid, r.Renditions)
	used := map[string]bool{}
	for i, v := range variants {
		if v.Bandwidth < v.AverageBandwidth || v.Codecs == "" || v.Video == nil && len(v.Audio) == 0 {
			t.Fatalf("variant %+v", v)
		}
		if i > 1 && (v.reach() < variants[i-1].reach() || v.reach() == variants[i-1].reach() && v.Bandwidth > variants[i-1].Bandwidth) {
			t.Fatalf("variant %d is out of order", i)
		}
		if v.Video != nil {
			used[v.Video.Name] = true
			if !v.FrameRate.Valid() || v.Width == 0 {
				t.Fatalf("variant %+v", v)
			}
		}
	}
	for _, x := range r.Renditions {
		if x.Video != nil && !used[x.Name] {
			t.Fatalf("%s is in no variant", x.Name)
		}
	}
}
