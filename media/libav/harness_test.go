package libav

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asticode/go-astiav"
	"go.uber.org/goleak"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/card"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

func TestMain(m *testing.M) {
	astiav.SetLogLevel(astiav.LogLevelQuiet)
	goleak.VerifyTestMain(m)
}

// anything allows what tests open.
var anything = input.Rules{Patterns: []string{"*"}}

// collector is an Output that keeps packets. on, where set, sees each packet
// first and may fail.
type collector struct {
	mu      sync.Mutex
	configs map[string]media.CodecConfig
	packets map[string][]media.Packet
	on      func(rendition string, p media.Packet) error
}

func newCollector() *collector {
	return &collector{configs: map[string]media.CodecConfig{}, packets: map[string][]media.Packet{}}
}

func (c *collector) Init(r string, cfg media.CodecConfig) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.configs[r] = cfg
	return nil
}

func (c *collector) Write(_ context.Context, r string, p media.Packet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on != nil {
		if err := c.on(r, p); err != nil {
			return err
		}
	}
	c.packets[r] = append(c.packets[r], p)
	return nil
}

// indexes of a rendition's packets, sorted.
func (c *collector) indexes(r string) []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []int64
	for _, p := range c.packets[r] {
		all = append(all, p.Index)
	}
	slices.Sort(all)
	return all
}

// wantRun checks that a rendition has exactly the indexes first, first+step, …
// n of them, with key frames on the grid and nowhere else.
func (c *collector) wantRun(t *testing.T, r string, g timeline.Grid, first, n, step int64) {
	t.Helper()
	all := c.indexes(r)
	if int64(len(all)) != n {
		t.Errorf("%s: %d packets, want %d", r, len(all), n)
	}
	for i, index := range all {
		if want := first + int64(i)*step; index != want {
			t.Fatalf("%s: packet %d has index %d, want %d", r, i, index, want)
		}
	}
	for _, p := range c.packets[r] {
		if g.FramesPerGOP > 0 && p.Key != g.IDR(p.Index) {
			t.Fatalf("%s: key of frame %d is %v", r, p.Index, p.Key)
		}
	}
}

// small is an H.264 rendition that costs little.
func small(name string) ladders.Rendition {
	return ladders.Rendition{Name: name, Video: &ladders.Video{Width: 320, Height: 180, Divisor: 1, Codec: "h264", Profile: "main", Bitrate: 600_000, Maxrate: 800_000, Bufsize: 1_600_000, Preset: "fastest"}}
}

func sound(name string) ladders.Rendition {
	return ladders.Rendition{Name: name, Audio: &ladders.Audio{Codec: "aac", Channels: 1, SampleRate: 48000, Bitrate: 96_000}}
}

func newGrid(t testing.TB, r timeline.Rate, gop time.Duration, gops int64, divisors ...int64) timeline.Grid {
	t.Helper()
	g, err := timeline.NewGrid(r, gop, gops, divisors...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// clipSpec is a VOD job of one small rendition of each kind that a source has.
func clipSpec(t *testing.T, name string, facts Info) media.Spec {
	t.Helper()
	rate := timeline.Rate{Num: 25, Den: 1}
	var r []ladders.Rendition
	if v := facts.BestVideo(); v != nil {
		rate, r = v.Rate, append(r, small("v"))
	}
	if len(facts.Audio) > 0 {
		a := sound("a")
		a.Audio.Channels = min(2, facts.Audio[0].Channels)
		r = append(r, a)
	}
	return media.Spec{Job: "t", Input: name, Grid: newGrid(t, rate, 2*time.Second, 3), Renditions: r}
}

// play runs a whole job.
func play(t *testing.T, o Options) (*collector, Status) {
	t.Helper()
	out, ok := o.Output.(*collector)
	if !ok {
		out = newCollector()
		o.Output = out
	}
	p := open(t, o)
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out, p.Status()
}

func open(t *testing.T, o Options) *Pipeline {
	t.Helper()
	if o.Rules.Patterns == nil {
		o.Rules = anything
	}
	if os.Getenv(twinDevices) != "" {
		o.Spec.Renditions = onGPU(o.Spec.Renditions)
	}
	p, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantError checks the form of every failure: typed, with advice, and with the
// words that tell the reason.
func wantError(t *testing.T, err error, code media.Code, words ...string) {
	t.Helper()
	me, ok := errors.AsType[*media.Error](err)
	if !ok {
		t.Fatalf("error %v (%T), want a *media.Error", err, err)
	}
	if me.Code != code || me.Advice == "" {
		t.Errorf("error %+v, want %s with advice", me, code)
	}
	for _, w := range words {
		if !strings.Contains(me.Error()+" | "+me.Advice, w) {
			t.Errorf("error %q (advice %q) does not say %q", me, me.Advice, w)
		}
	}
}

// mediaDir finds the real media, or says loudly that there is none.
func mediaDir(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("GALA_MEDIA"), "../../../shared/media/open"} {
		if _, err := os.Stat(filepath.Join(dir, "MANIFEST.tsv")); dir != "" && err == nil {
			abs, err := filepath.Abs(dir)
			if err != nil {
				t.Fatal(err)
			}
			return abs
		}
	}
	t.Skip("NO REAL MEDIA: set GALA_MEDIA to the folder with MANIFEST.tsv to run this test")
	return ""
}

// picture is one decoded frame of an output.
type picture struct {
	index int64
	card  int64 // -1: none
	flash int   // luma of the card's flash area
	w, h  int
	luma  []byte
}

// pictures decodes a video rendition as a player does, in presentation order.
func pictures(t *testing.T, codec astiav.CodecID, cfg media.CodecConfig, packets []media.Packet) []picture {
	t.Helper()
	var out []picture
	framesOf(t, codec, cfg, packets, func(f *astiav.Frame) { out = append(out, pictureOf(t, f)) })
	return out
}

// framesOf hands every decoded frame of a video rendition to see.
func framesOf(t *testing.T, codec astiav.CodecID, cfg media.CodecConfig, packets []media.Packet, see func(*astiav.Frame)) {
	t.Helper()
	cc := newDecoderFor(t, codec, cfg)
	defer cc.Free()
	pkt, f := astiav.AllocPacket(), astiav.AllocFrame()
	defer pkt.Free()
	defer f.Free()
	receive := func() {
		for cc.ReceiveFrame(f) == nil {
			see(f)
			f.Unref()
		}
	}
	for _, p := range packets {
		if err := pkt.FromData(p.Data); err != nil {
			t.Fatal(err)
		}
		pkt.SetPts(p.Index)
		if err := cc.SendPacket(pkt); err != nil {
			t.Fatalf("frame %d does not decode: %v", p.Index, err)
		}
		pkt.Unref()
		receive()
	}
	if err := cc.SendPacket(nil); err != nil {
		t.Fatal(err)
	}
	receive()
}

func newDecoderFor(t *testing.T, id astiav.CodecID, cfg media.CodecConfig) *astiav.CodecContext {
	t.Helper()
	codec := astiav.FindDecoder(id)
	if codec == nil {
		t.Fatalf("no decoder for %s", id)
	}
	cc := astiav.AllocCodecContext(codec)
	if err := cc.SetExtraData(cfg.Extradata); err != nil {
		t.Fatal(err)
	}
	if err := cc.Open(codec, nil); err != nil {
		t.Fatal(err)
	}
	return cc
}

func pictureOf(t *testing.T, f *astiav.Frame) picture {
	t.Helper()
	data, err := frameBytes(f)
	if err != nil {
		t.Fatal(err)
	}
	p := picture{index: f.Pts(), card: -1, w: f.Width(), h: f.Height(), luma: luma8(data, f)}
	if n, ok := card.Read(p.luma, p.w, p.w, p.h); ok {
		p.card, p.flash = int64(n), flashLuma(p.luma, p.w, p.h)
	}
	return p
}

// luma8 is the luma plane in 8 bits.
func luma8(data []byte, f *astiav.Frame) []byte {
	n := f.Width() * f.Height()
	if bitDepth(f.PixelFormat()) == 8 {
		return data[:n]
	}
	out := make([]byte, n)
	for i := range out {
		out[i] = byte((int(data[2*i]) | int(data[2*i+1])<<8) >> 2)
	}
	return out
}

// wantCards checks that every picture shows the card's frame that is one after
// the one before, the first being number.
func wantCards(t *testing.T, pics []picture, number int64) {
	t.Helper()
	for i, p := range pics {
		if want := int64(uint32(number + int64(i))); p.card != want {
			t.Fatalf("picture %d (grid frame %d) shows card frame %d, want %d", i, p.index, p.card, want)
		}
	}
}

// quiet is a log that nobody reads.
var quiet = slog.New(slog.DiscardHandler)

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
