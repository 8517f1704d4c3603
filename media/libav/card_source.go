package libav

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/card"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// cardSpec is a parsed "testcard:?size=1280x720&fps=25&duration=10s".
type cardSpec struct {
	width, height int
	rate          timeline.Rate
	frames        int64 // 0: endless
}

func parseCard(name string) (cardSpec, error) {
	c := cardSpec{width: 1280, height: 720, rate: timeline.Rate{Num: 25, Den: 1}}
	_, query, _ := strings.Cut(strings.TrimPrefix(name, input.TestCard), "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return c, badCard(name, "its query cannot be read")
	}
	for key, v := range q {
		switch key {
		case "size":
			w, h, ok := strings.Cut(v[0], "x")
			c.width, _ = strconv.Atoi(w)
			c.height, _ = strconv.Atoi(h)
			if !ok || c.width < 160 || c.height < 90 || c.width > 4096 || c.height > 4096 {
				return c, badCard(name, "size wants WIDTHxHEIGHT from 160x90 to 4096x4096")
			}
		case "fps":
			if c.rate, err = timeline.ParseRate(v[0]); err != nil || c.rate.Cmp(timeline.Rate{Num: 120, Den: 1}) > 0 {
				return c, badCard(name, "fps wants a rate up to 120, such as 25, 29.97 or 60000/1001")
			}
		case "duration":
			d, err := time.ParseDuration(v[0])
			if err != nil || d <= 0 {
				return c, badCard(name, "duration wants a time such as 10s")
			}
			c.frames = timeline.Rescale(int64(d), timeline.Timebase{Num: 1, Den: int64(time.Second)}, c.base())
		default:
			return c, badCard(name, "it knows size, fps and duration, not "+key)
		}
	}
	return c, nil
}

func badCard(name, why string) error {
	return &media.Error{Code: media.SourceError, Message: "test card " + strconv.Quote(name) + ": " + why, Advice: "write it like testcard:?size=1280x720&fps=25&duration=10s"}
}

// base is one frame of the card: its source timestamps are frame numbers.
func (c cardSpec) base() timeline.Timebase {
	return timeline.Timebase{Num: c.rate.Den, Den: c.rate.Num}
}

func (c cardSpec) info() Info {
	info := Info{Container: "testcard"}
	if c.frames > 0 {
		info.DurationUS = timeline.Rescale(c.frames, c.base(), microseconds)
	}
	info.Video = []VideoInfo{{
		Codec: "testcard", Width: c.width &^ 1, Height: c.height &^ 1, SARNum: 1, SARDen: 1, Rate: c.rate, PixelFormat: "yuv420p", BitDepth: 8,
		Primaries: "bt709", Transfer: "bt709", Matrix: "bt709", Range: "tv", Base: c.base(),
	}}
	info.Audio = []AudioInfo{{Index: 1, Codec: "testcard", Channels: 1, SampleRate: card.SampleRate, Layout: "mono", Language: "und", Base: timeline.Timebase{Num: 1, Den: card.SampleRate}}}
	return info
}
