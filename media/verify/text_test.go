package verify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media/webvtt"
)

// subtitles adds a rendition of text in step with the pictures.
func (f *fixture) subtitles(t testing.TB, out map[string][]byte) {
	t.Helper()
	g := f.grid(t)
	list := fmt.Sprintf("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:%d\n", int(f.gop.Seconds())*int(f.gops), f.first)
	if !f.live {
		list += "#EXT-X-PLAYLIST-TYPE:VOD\n"
	}
	var all [][]webvtt.Cue
	for n := f.first; n < f.first+f.segments; n++ {
		start := g.TimeOf(g.FirstFrame(n)).Microseconds()
		length := g.TimeOf(f.framesOf(g, n)).Microseconds()
		cues := []webvtt.Cue{{Start: max(0, start-500_000), End: start + 500_000, Text: "over"}}
		out[fmt.Sprintf("text/%d.vtt", n)] = webvtt.Segment(cues)
		all = append(all, cues)
		if f.live {
			list += "#EXT-X-PROGRAM-DATE-TIME:" + time.Unix(2*n, 0).UTC().Format(time.RFC3339) + "\n"
			f.boxes(t, out, n, cues[0])
		}
		list += fmt.Sprintf("#EXTINF:%.6f,\n%d.vtt\n", float64(length)/1e6, n)
	}
	if f.live {
		out["text/media.m3u8"] = []byte(list)
		return
	}
	out["text/media.m3u8"] = []byte(list + "#EXT-X-ENDLIST\n")
	out["text/whole.vtt"] = webvtt.File(webvtt.Gather(all))
}

func subtitled() *fixture {
	f := vod()
	f.texts = true
	return f
}

func TestGoodSubtitles(t *testing.T) {
	wantOnly(t, judge(t, Options{Target: write(t, subtitled().files(t)), Decoder: paper{}}), short...)
}

func TestBrokenSubtitles(t *testing.T) {
	change := func(file, old, fresh string) func(map[string][]byte) {
		return func(files map[string][]byte) {
			if !strings.Contains(string(files[file]), old) {
				t.Fatalf("%s does not say %q", file, old)
			}
			files[file] = []byte(strings.Replace(string(files[file]), old, fresh, 1))
		}
	}
	for name, c := range map[string]struct {
		spoil func(map[string][]byte)
		rules []string
	}{
		"no map":         {change("text/1.vtt", "X-TIMESTAMP-MAP", "X-MAP"), []string{"webvtt", "dash-text"}},
		"another clock":  {change("text/1.vtt", "MPEGTS:0", "MPEGTS:900000"), []string{"webvtt", "dash-text"}},
		"a segment less": {change("text/media.m3u8", "#EXTINF:1.520000,\n2.vtt\n", ""), []string{"text-aligned", "dash-text"}},
		"a longer one":   {change("text/media.m3u8", "#EXTINF:2.000000,\n1", "#EXTINF:1.900000,\n1"), []string{"text-aligned"}},
		"a variant less": {change("master.m3u8", `,SUBTITLES="text"`, ""), []string{"text-aligned"}},
		"a gap":          {change("text/media.m3u8", "1.vtt", "#EXT-X-GAP\n1.vtt"), []string{"no-gap", "dash-text"}},
		"not there":      {func(files map[string][]byte) { delete(files, "text/1.vtt") }, []string{"files", "dash-text"}},
		"another name":   {change("text/media.m3u8", "1.vtt", "2.vtt"), []string{"names", "dash-text"}},
		"not in DASH":    {change("manifest.mpd", `contentType="text"`, `contentType="other"`), []string{"dash", "dash-sets", "dash-text"}},
		"another type":   {change("manifest.mpd", `text/vtt`, `application/ttml+xml`), []string{"dash-text"}},
		"leads nowhere":  {change("manifest.mpd", `whole.vtt`, `all.vtt`), []string{"dash-text"}},
		"a cue less":     {func(files map[string][]byte) { files["text/whole.vtt"] = webvtt.File(nil) }, []string{"dash-text"}},
		"no file":        {change("text/whole.vtt", "WEBVTT", "SUBTITLES"), []string{"dash-text"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := subtitled().files(t)
			c.spoil(files)
			wantOnly(t, judge(t, Options{Target: write(t, files), Decoder: paper{}}), append(c.rules, short...)...)
		})
	}
}
