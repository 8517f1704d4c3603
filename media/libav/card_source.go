package libav

import (
	"maps"
	"net/url"
	"slices"
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
	duration      time.Duration
	frames        int64 // in duration; 0: endless
}

func parseCard(name string) (cardSpec, error) {
	c := cardSpec{width: 1280, height: 720, rate: timeline.Rate{Num: 25, Den: 1}}
	_, query, _ := strings.Cut(strings.TrimPrefix(name, input.TestCard), "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return c, badCard(name, "its query cannot be read")
	}
	for _, key := range slices.Sorted(maps.Keys(q)) {
		if err := c.set(name, key, q.Get(key)); err != nil {
			return c, err
		}
	}
	c.frames = timeline.Rescale(int64(c.duration), timeline.Timebase{Num: 1, Den: int64(time.Second)}, c.base())
	return c, nil
}

func (c *cardSpec) set(name, key, value string) (err error) {
	switch key {
	case "size":
		w, h, ok := strings.Cut(value, "x")
		c.width, _ = strconv.Atoi(w)
		c.height, _ = strconv.Atoi(h)
		if !ok || c.width < 160 || c.height < 90 || c.width > 4096 || c.height > 4096 {
			return badCard(name, "size wants WIDTHxHEIGHT from 160x90 to 4096x4096")
		}
	case "fps":
		if c.rate, err = timeline.ParseRate(value); err != nil || c.rate.Cmp(timeline.Rate{Num: 120, Den: 1}) > 0 {
			return badCard(name, "fps wants a rate up to 120, such as 25, 29.97 or 60000/1001")
		}
	case "duration":
		if c.duration, err = time.ParseDuration(value); err != nil || c.duration <= 0 {
			return badCard(name, "duration wants a time such as 10s")
		}
	default:
		return badCard(name, "it knows size, fps and duration, not "+key)
	}
	return nil
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
