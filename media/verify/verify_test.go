package verify

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/timeline"
)

func judge(t *testing.T, o Options) Report {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// unwell are the rules that did not pass although they were looked at.
func unwell(r Report) []string {
	var out []string
	for _, res := range r.Results {
		if res.Status == Fail || res.Status == Warn {
			out = append(out, res.ID)
		}
	}
	return out
}

func wantOnly(t *testing.T, r Report, ids ...string) {
	t.Helper()
	if got := unwell(r); !slices.Equal(got, ids) {
		var text strings.Builder
		_ = r.WriteText(&text)
		t.Errorf("broken: %v, want %v\n%s", got, ids, text.String())
	}
}

// short are what a 2-second tree is warned about and nothing else.
var short = []string{"apple-7.5", "apple-7.6"}

func TestGoodVOD(t *testing.T) {
	r := judge(t, Options{Target: write(t, vod().files(t)), Decoder: paper{file: footage(276, 276*960)}, Source: "clip"})
	wantOnly(t, r, short...)
	if r.Renditions != 3 || r.Segments != 9 || !r.OK() || ExitCode(r, nil) != ExitPasses {
		t.Errorf("%d renditions, %d segments, exit %d", r.Renditions, r.Segments, ExitCode(r, nil))
	}
}

func TestGoodSixSecondVOD(t *testing.T) {
	f := vod()
	f.gop, f.gops, f.short = 2*time.Second, 3, 0
	wantOnly(t, judge(t, Options{Target: write(t, f.files(t)), Decoder: paper{}}))
}

// An audio rendition may be a variant of its own beside being an alternative.
func TestAudioOnlyVariant(t *testing.T) {
	f := vod()
	f.text = func(p, s string) string {
		if p != "master.m3u8" {
			return s
		}
		return s + "#EXT-X-STREAM-INF:BANDWIDTH=13300,AVERAGE-BANDWIDTH=13300,CODECS=\"mp4a.40.2\",AUDIO=\"stereo\"\naudio/media.m3u8\n"
	}
	wantOnly(t, judge(t, Options{Target: write(t, f.files(t)), Decoder: paper{}}), short...)
}

func TestSourceThatDoesNotDecode(t *testing.T) {
	_, err := Run(t.Context(), Options{Target: write(t, vod().files(t)), Source: "clip", Decoder: paper{}})
	if !errors.Is(err, ErrCannotLook) {
		t.Errorf("%v", err)
	}
}

// 1001-rates, whole to the tick.
func TestGoodNTSC(t *testing.T) {
	f := vod()
	f.rate, f.short = timeline.Rate{Num: 60000, Den: 1001}, 0
	wantOnly(t, judge(t, Options{Target: write(t, f.files(t)), Decoder: paper{}}), short...)
}

func TestGoodHEVC(t *testing.T) {
	f := vod()
	for i := range f.videos {
		f.videos[i].codec = "hevc"
	}
	wantOnly(t, judge(t, Options{Target: write(t, f.files(t)), Decoder: paper{}}), short...)
}

func TestGoodLive(t *testing.T) {
	r := judge(t, Options{Target: write(t, onAir().files(t)), Decoder: paper{}})
	wantOnly(t, r, append(slices.Clone(short), "apple-8.12")...)
	if res, _ := r.Result("apple-1.27"); res.Status != NotApplicable || res.Reason == "" {
		t.Errorf("a VOD rule on a live tree: %+v", res)
	}
}

func TestWithoutDecoderTheDecodeRulesAreNotPassed(t *testing.T) {
	r := judge(t, Options{Target: write(t, vod().files(t))})
	if res, _ := r.Result("decode"); res.Status != NotApplicable || !strings.Contains(res.Reason, "gala-worker") {
		t.Errorf("%+v", res)
	}
}

func TestDirectoryThatHoldsOneTree(t *testing.T) {
	dir := write(t, vod().files(t))
	parent := strings.TrimSuffix(dir, "/job")
	for _, target := range []string{parent, dir + "/master.m3u8"} {
		if r := judge(t, Options{Target: target}); r.Segments != 9 {
			t.Errorf("%s: %d segments", target, r.Segments)
		}
	}
}

func TestCannotLook(t *testing.T) {
	for _, target := range []string{"/nowhere", t.TempDir(), "http://127.0.0.1:1/tree", "http://%zz/"} {
		r, err := Run(t.Context(), Options{Target: target})
		if !errors.Is(err, ErrCannotLook) || ExitCode(r, err) != ExitCannotLook {
			t.Errorf("%s: %v", target, err)
		}
	}
	dir := write(t, vod().files(t))
	if _, err := Run(t.Context(), Options{Target: dir, Against: "/nowhere"}); !errors.Is(err, ErrCannotLook) {
		t.Errorf("second tree: %v", err)
	}
}

// breakage is one way to break one rule.
type breakage struct {
	rule   string
	change func(*fixture, map[string][]byte)
	base   func() *fixture // vod when nil
	opts   func(t *testing.T, o *Options)
}

// fragments changes the fragments of one rendition.
func fragments(name string, number int64, change func(*cmaf.Fragment)) func(*fixture, map[string][]byte) {
	return func(f *fixture, _ map[string][]byte) {
		seen := map[int64]bool{}
		f.fragment = func(r string, n int64, frag *cmaf.Fragment) {
			if r == name && n == f.first+number && !seen[n] {
				seen[n] = true // the first fragment of the segment
				change(frag)
			}
		}
	}
}

// everyFragment from a segment on.
func everyFragment(name string, from int64, change func(*cmaf.Fragment)) func(*fixture, map[string][]byte) {
	return func(f *fixture, _ map[string][]byte) {
		f.fragment = func(r string, n int64, frag *cmaf.Fragment) {
			if r == name && n >= f.first+from {
				change(frag)
			}
		}
	}
}

// text replaces in one playlist, every one when path is "".
func text(path, old, new string) func(*fixture, map[string][]byte) {
	return func(f *fixture, _ map[string][]byte) {
		f.text = func(p, s string) string {
			if path != "" && p != path {
				return s
			}
			if path != "" && !strings.Contains(s, old) {
				panic(p + " has no " + old + ":\n" + s)
			}
			return strings.ReplaceAll(s, old, new)
		}
	}
}

// attribute drops or replaces an attribute in the master playlist.
func attribute(name, value string) func(*fixture, map[string][]byte) {
	return func(f *fixture, _ map[string][]byte) {
		f.text = func(p, s string) string {
			if p != "master.m3u8" {
				return s
			}
			return setAttribute(s, name, value)
		}
	}
}

func setAttribute(s, name, value string) string {
	for _, lead := range []string{",", ":"} {
		i := 0
		for {
			j := strings.Index(s[i:], lead+name+"=")
			if j < 0 {
				break
			}
			from := i + j + 1
			to := from + len(name) + 1
			for quoted := false; to < len(s) && (quoted || s[to] != ',' && s[to] != '\n'); to++ {
				if s[to] == '"' {
					quoted = !quoted
				}
			}
			if value == "" && s[to] == ',' {
				to++
			} else if value == "" {
				from--
			}
			s = s[:from] + value + s[to:]
			i = from
		}
	}
	return s
}

func with(changes ...func(*fixture)) func(*fixture, map[string][]byte) {
	return func(f *fixture, _ map[string][]byte) {
		for _, c := range changes {
			c(f)
		}
	}
}

// level writes a level into every place of a decoder configuration.
func level(sps []byte, at int, value byte) func(*fixture) {
	return func(f *fixture) {
		f.config = func(_ string, c *media.CodecConfig) {
			if i := bytes.Index(c.Extradata, sps); i >= 0 {
				c.Extradata[i+at] = value
			}
		}
	}
}

func rename(old, new string) func(string, []byte) []byte {
	return func(_ string, b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(new), 1) }
}

func decoderOf(d Decoder) func(*testing.T, *Options) {
	return func(_ *testing.T, o *Options) { o.Decoder = d }
}

func against(change func(*fixture, map[string][]byte)) func(*testing.T, *Options) {
	return func(t *testing.T, o *Options) {
		f := vod()
		change(f, nil)
		o.Against = write(t, f.files(t))
	}
}

func source(frames, samples int64) func(*testing.T, *Options) {
	return func(_ *testing.T, o *Options) { o.Source, o.Decoder = "clip", paper{file: footage(frames, samples)} }
}

func untouched(*fixture, map[string][]byte) {}

// breakages: every rule is seen failing.
func breakages() []breakage {
	return slices.Concat(treeBreakages(), gridBreakages(), dashBreakages(), outputBreakages(), appleMediaBreakages(), applePlaylistBreakages(), appleMasterBreakages())
}

func treeBreakages() []breakage {
	return []breakage{
		{rule: "playlists", change: text("hi/media.m3u8", "#EXTM3U", "#NO")},
		{rule: "playlists", change: text("hi/media.m3u8", "1.m4s", "../../1.m4s")},
		{rule: "playlists", change: text("hi/media.m3u8", "1.m4s", "http://elsewhere/1.m4s")},
		{rule: "playlists", change: text("master.m3u8", "#EXT-X-STREAM-INF", "#")},
		{rule: "files", change: func(_ *fixture, files map[string][]byte) { delete(files, "hi/1.m4s") }},
		{rule: "files", change: func(_ *fixture, files map[string][]byte) { delete(files, "lo/media.m3u8") }},
		{rule: "names", change: text("hi/media.m3u8", "#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-MEDIA-SEQUENCE:7")},
		{rule: "init", change: with(func(f *fixture) { f.videos[0].width = 128 })},
		{rule: "init", change: with(func(f *fixture) { f.initial = rename("mvex", "free") })},
		{rule: "init-name", change: func(f *fixture, files map[string][]byte) {
			f.text = func(_, s string) string { return strings.ReplaceAll(s, "init-", "init-0") }
			for name, body := range files {
				if strings.Contains(name, "init-") {
					files[strings.Replace(name, "init-", "init-0", 1)] = body
				}
			}
		}},
		{rule: "target", change: text("hi/media.m3u8", "TARGETDURATION:2", "TARGETDURATION:1")},
		{rule: "extinf", change: text("hi/media.m3u8", "2.000000", "1.990000")},
		{rule: "iframes", change: text("hi/iframes.m3u8", "BYTERANGE:", "BYTERANGE:1")},
		{rule: "iframes", change: text("hi/iframes.m3u8", "1.m4s", "2.m4s")},
	}
}

func gridBreakages() []breakage {
	return []breakage{
		{rule: "tfdt", change: everyFragment("hi", 0, func(f *cmaf.Fragment) { f.Decode++ })},
		{rule: "length", change: fragments("hi", 0, func(f *cmaf.Fragment) { f.Samples = f.Samples[:49] })},
		{rule: "frames", change: fragments("hi", 0, func(f *cmaf.Fragment) { f.Samples[4].Offset++ })},
		{rule: "frames", change: fragments("audio", 0, func(f *cmaf.Fragment) { f.Samples[4].Offset, f.Samples[4].Sync = 7, false })},
		{rule: "frames", change: func(_ *fixture, files map[string][]byte) {
			files["hi/1.m4s"] = files["hi/1.m4s"][:len(files["hi/1.m4s"])/2]
		}},
		{rule: "gop", change: fragments("hi", 1, func(f *cmaf.Fragment) { f.Samples[0].Data = nal("h264", false) })},
		{rule: "closed-gop", change: fragments("hi", 1, func(f *cmaf.Fragment) { f.Samples[5].Offset = -6 })},
		{rule: "closed-gop", change: fragments("hi", 1, func(f *cmaf.Fragment) { f.Samples[5].Data = []byte{0, 0, 0, 2, 21 << 1, 1} }),
			base: func() *fixture { f := vod(); f.videos[0].codec, f.videos[1].codec = "hevc", "hevc"; return f }},
		{rule: "trun", change: fragments("hi", 1, func(f *cmaf.Fragment) { f.Samples[0].Offset = 1 })},
		{rule: "sync", change: fragments("hi", 1, func(f *cmaf.Fragment) { f.Samples[3].Sync = true })},
		{rule: "boundaries", change: everyFragment("lo", 1, func(f *cmaf.Fragment) { f.Decode += 2 })},
		{rule: "idr-aligned", change: fragments("lo", 1, func(f *cmaf.Fragment) { f.Samples[1].Data, f.Samples[1].Sync = nal("h264", true), true })},
		{rule: "counts", change: fragments("lo", 1, func(f *cmaf.Fragment) { f.Samples = f.Samples[:20] })},
		{rule: "audio-grid", change: fragments("audio", 1, func(f *cmaf.Fragment) { f.Decode += 1024 })},
		{rule: "audio-grid", change: fragments("audio", 1, func(f *cmaf.Fragment) { f.Samples = f.Samples[1:] })},
		{rule: "no-gap", change: text("hi/media.m3u8", "1.m4s", "#EXT-X-GAP\n1.m4s")},
	}
}

func outputBreakages() []breakage {
	drop := func(f *Frame) bool { return f.PTS != 7 }
	return []breakage{
		{rule: "decode", change: untouched, opts: decoderOf(paper{errors: 1})},
		{rule: "decode", change: untouched, opts: decoderOf(paper{spoil: drop})},
		{rule: "decode", change: untouched, opts: decoderOf(paper{spoil: func(f *Frame) bool { f.Samples--; return true }})},
		{rule: "decode", change: untouched, opts: decoderOf(paper{spoil: func(f *Frame) bool { f.PTS++; return true }})},
		{rule: "card", change: untouched, opts: decoderOf(paper{card: func(i int64) int64 { return i - i/100 }})},
		{rule: "against-names", change: untouched, opts: against(with(func(f *fixture) { f.videos = f.videos[:1] }))},
		{rule: "against-names", change: with(func(f *fixture) { f.videos = f.videos[:1] }), opts: against(untouched)},
		{rule: "against-names", change: untouched, opts: against(with(func(f *fixture) { f.segments = 2; f.short = 0 }))},
		{rule: "against-names", change: untouched, opts: against(with(func(f *fixture) { f.config = func(_ string, c *media.CodecConfig) { c.Matrix = 1 } }))},
		{rule: "against-grid", change: untouched, opts: against(everyFragment("hi", 0, func(f *cmaf.Fragment) { f.Decode++ }))},
		{rule: "against-grid", change: untouched, opts: against(fragments("hi", 0, func(f *cmaf.Fragment) { f.Samples = f.Samples[:48] }))},
		{rule: "against-grid", change: untouched, opts: against(fragments("hi", 0, func(f *cmaf.Fragment) { f.Samples[1].Data = nal("h264", true) }))},
		{rule: "source-video", change: untouched, opts: source(280, 276*960)},
		{rule: "source-audio", change: untouched, opts: source(300, 300*960)},
	}
}

func appleMediaBreakages() []breakage {
	fast := func() *fixture { f := vod(); f.rate, f.short = timeline.Rate{Num: 100, Den: 1}, 0; return f }
	long := func() *fixture { f := vod(); f.gop, f.gops, f.short = 4*time.Second, 1, 0; return f }
	hevc := func() *fixture { f := vod(); f.videos[0].codec, f.videos[1].codec = "hevc", "hevc"; return f }
	hour := func() *fixture { f := onAir(); f.rate, f.segments = timeline.Rate{Num: 4, Den: 1}, 320; return f }
	return []breakage{
		{rule: "apple-1.1", change: with(func(f *fixture) { f.initial = rename("avc1", "vp08") })},
		{rule: "apple-1.3b", change: with(level([]byte{0x67}, 3, 62))},
		{rule: "apple-1.6b", change: with(level([]byte{0x42, 0x01}, 17, 186)), base: hevc},
		{rule: "apple-1.10", change: with(func(f *fixture) { f.initial = rename("avc1", "avc3") })},
		{rule: "apple-1.13", change: untouched, base: long},
		{rule: "apple-1.19", change: untouched, base: fast},
		{rule: "apple-1.26", change: attribute("AVERAGE-BANDWIDTH", "AVERAGE-BANDWIDTH=900000")},
		{rule: "apple-1.27", change: attribute("BANDWIDTH", "BANDWIDTH=900000")},
		{rule: "apple-1.28", change: attribute("AVERAGE-BANDWIDTH", "AVERAGE-BANDWIDTH=2000"), base: hour},
		{rule: "apple-1.29", change: attribute("BANDWIDTH", "BANDWIDTH=2000"), base: onAir},
		{rule: "apple-1.30", change: fragments("hi", 0, func(f *cmaf.Fragment) {
			f.Samples[3].Data = append([]byte{0, 0, 0xea, 0x60, 0x41}, make([]byte, 59999)...)
		})},
		{rule: "apple-2.3", change: with(func(f *fixture) { f.channels = 6 })},
		{rule: "apple-6.1", change: text("master.m3u8", "#EXT-X-I-FRAME-STREAM-INF", "#")},
		{rule: "apple-6.8", change: text("hi/iframes.m3u8", "#EXT-X-I-FRAMES-ONLY\n", "")},
		{rule: "apple-6.10", change: text("hi/iframes.m3u8", "@", "@1")},
		{rule: "apple-6.11", change: text("hi/iframes.m3u8", "TARGETDURATION:2", "TARGETDURATION:3"), base: onAir},
		{rule: "apple-7.1", change: everyFragment("hi", 1, func(f *cmaf.Fragment) { f.Decode++ })},
		{rule: "apple-7.3", change: everyFragment("hi", 1, func(f *cmaf.Fragment) { f.Decode-- })},
		{rule: "apple-7.4", change: fragments("hi", 1, func(f *cmaf.Fragment) { f.Samples[0].Data = nal("h264", false) })},
		{rule: "apple-7.5", change: untouched},
		{rule: "apple-7.6", change: untouched},
		{rule: "apple-7.7", change: text("hi/media.m3u8", "TARGETDURATION:2", "TARGETDURATION:1")},
	}
}

func applePlaylistBreakages() []breakage {
	few := func() *fixture { f := onAir(); f.segments = 5; return f }
	return []breakage{
		{rule: "apple-8.1", change: text("hi/media.m3u8", "2.000000", "2.015000")},
		{rule: "apple-8.2", change: text("audio/media.m3u8", "TARGETDURATION:2", "TARGETDURATION:3")},
		{rule: "apple-8.3", change: fragments("audio", 2, func(f *cmaf.Fragment) { f.Samples = f.Samples[:20] })},
		{rule: "apple-8.4", change: text("", "#EXT-X-PROGRAM-DATE-TIME", "#"), base: onAir},
		{rule: "apple-8.6", change: text("hi/media.m3u8", "#EXT-X-PLAYLIST-TYPE:VOD\n", "")},
		{rule: "apple-8.7", change: text("lo/media.m3u8", "#EXTINF:1.520000,\n2.m4s\n", "")},
		{rule: "apple-8.9", change: func(f *fixture, _ map[string][]byte) {
			f.text = func(p, s string) string {
				if p != "master.m3u8" {
					return s
				}
				s = strings.Replace(s, "#EXT-X-MEDIA:", "#", 1)
				return s + "#EXT-X-STREAM-INF:BANDWIDTH=9000,AVERAGE-BANDWIDTH=8000,CODECS=\"mp4a.40.2\"\naudio/media.m3u8\n"
			}
		}},
		{rule: "apple-8.10", change: attribute("LANGUAGE", "")},
		{rule: "apple-8.11", change: untouched, base: few},
		{rule: "apple-8.12", change: untouched, base: onAir},
		{rule: "apple-8.15", change: text("hi/media.m3u8", "#EXTINF:1.520000", "#EXT-X-DISCONTINUITY\n#EXTINF:1.520000")},
		{rule: "apple-8.20", change: text("hi/media.m3u8", "#EXT-X-MAP", "#")},
		{rule: "apple-8.22", change: fragments("audio", 1, func(f *cmaf.Fragment) { f.Decode += 3 * 1024 })},
	}
}

func appleMasterBreakages() []breakage {
	one := func() *fixture {
		f := vod()
		f.videos = f.videos[:1]
		f.videos[0].width, f.videos[0].height = 640, 360
		return f
	}
	hd := func() *fixture { f := vod(); f.videos[0].width, f.videos[0].height = 1280, 720; return f }
	return []breakage{
		{rule: "apple-9.1", change: text("master.m3u8", ",mp4a.40.2", "")},
		{rule: "apple-9.1", change: text("master.m3u8", "avc1.", "avc1.4D")},
		{rule: "apple-9.2", change: text("master.m3u8", "RESOLUTION=96x64,FRAME", "RESOLUTION=640x360,FRAME")},
		{rule: "apple-9.3", change: attribute("CODECS", "")},
		{rule: "apple-9.4", change: attribute("RESOLUTION", "")},
		{rule: "apple-9.9", change: untouched, base: one},
		{rule: "apple-9.10", change: untouched, base: hd},
		{rule: "apple-9.11", change: text("master.m3u8", "#EXT-X-INDEPENDENT-SEGMENTS\n", "")},
		{rule: "apple-9.12", change: text("", "#EXT-X-INDEPENDENT-SEGMENTS\n", "")},
		{rule: "apple-9.13", change: attribute("BANDWIDTH", "BANDWIDTH=100")},
		{rule: "apple-9.14", change: attribute("AVERAGE-BANDWIDTH", "")},
		{rule: "apple-9.15", change: text("master.m3u8", "FRAME-RATE=50.000", "FRAME-RATE=49.950")},
		{rule: "apple-9.16", change: with(func(f *fixture) { f.config = func(_ string, c *media.CodecConfig) { c.Transfer = 16 } })},
	}
}

func TestEveryRuleIsSeenFailing(t *testing.T) {
	seen := map[string]bool{
		"apple-8.18": true, "apple-8.24": true, "apple-10.1": true, // over HTTP, in web_test.go
		"captions": true, "captions-group": true, "dash-captions": true, // in captions_test.go
		"thumbnails": true, "dash-thumbnails": true, // in thumbnails_test.go
		"mp4":    true,                                          // in mp4_test.go
		"webvtt": true, "text-aligned": true, "dash-text": true, // in text_test.go
		"wvtt":      true,                                          // in wvtt_test.go
		"encrypted": true, "encrypted-said": true, "key-ids": true, // in encrypt_test.go
		"against-whole": true,                      // in against_test.go
		"steering":      true,                      // in steering_test.go
		"brands":        true, "dash-lapses": true, // in lapses_test.go
	}
	for _, c := range breakages() {
		seen[c.rule] = true
		t.Run(c.rule, func(t *testing.T) {
			f := vod()
			if c.base != nil {
				f = c.base()
			}
			c.change(f, map[string][]byte{})
			files := f.files(t)
			c.change(f, files)
			o := Options{Target: write(t, files), Decoder: paper{}}
			if c.opts != nil {
				c.opts(t, &o)
			}
			wantBroken(t, judge(t, o), c.rule)
		})
	}
	for _, r := range Rules() {
		if !seen[r.ID] {
			t.Errorf("no test breaks rule %s", r.ID)
		}
	}
}

func wantBroken(t *testing.T, r Report, id string) {
	t.Helper()
	res, ok := r.Result(id)
	want := Fail
	if res.Level == Should {
		want = Warn
	}
	if ok && res.Status == want && len(res.Findings) > 0 && res.Findings[0].What != "" {
		return
	}
	t.Errorf("%s is %q, want %s; broken are %v, findings %v", id, res.Status, want, unwell(r), res.Findings)
}
