package libav

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// collector is an Output that keeps the places of packets.
type collector struct {
	mu      sync.Mutex
	configs map[string]media.CodecConfig
	packets map[string][]media.Packet
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
	c.packets[r] = append(c.packets[r], p)
	return nil
}

func newCollector() *collector {
	return &collector{configs: map[string]media.CodecConfig{}, packets: map[string][]media.Packet{}}
}

// testSpec is a small H.264 and AAC spec for a probed source.
func testSpec(t *testing.T, name string, facts Info) media.Spec {
	t.Helper()
	rate := timeline.Rate{Num: 25, Den: 1}
	var r []ladders.Rendition
	if v := facts.BestVideo(); v != nil {
		rate = v.Rate
		r = append(r, ladders.Rendition{Name: "v", Video: &ladders.Video{Width: 320, Height: 180, Divisor: 1, Codec: "h264", Profile: "main", Bitrate: 300_000, Maxrate: 400_000, Bufsize: 800_000, Preset: "fastest"}})
	}
	if len(facts.Audio) > 0 {
		r = append(r, ladders.Rendition{Name: "a", Audio: &ladders.Audio{Codec: "aac", Channels: min(2, facts.Audio[0].Channels), SampleRate: 48000, Bitrate: 96_000}})
	}
	g, err := timeline.NewGrid(rate, 2*time.Second, 3)
	if err != nil {
		t.Fatal(err)
	}
	return media.Spec{Job: "t", Input: name, Grid: g, Renditions: r}
}

// mediaDir finds the real media, or says loudly that there is none.
func mediaDir(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("GALA_MEDIA"), "../../../shared/media/open"} {
		if dir == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "MANIFEST.tsv")); err == nil {
			abs, _ := filepath.Abs(dir)
			return abs
		}
	}
	t.Skip("SKIPPED LOUDLY: no real media; set GALA_MEDIA to the folder with MANIFEST.tsv")
	return ""
}

func TestSmokeAllMedia(t *testing.T) {
	dir := mediaDir(t)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() || strings.HasSuffix(e.Name(), ".tsv") || strings.HasPrefix(e.Name(), "long_1080") || os.Getenv("ONLY") != "" && !strings.Contains(e.Name(), os.Getenv("ONLY")) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		start := time.Now()
		facts, err := Probe(context.Background(), name, input.Rules{Patterns: input.Local})
		if err != nil {
			fmt.Printf("%-42s ERR %v\n", e.Name(), err)
			continue
		}
		out := newCollector()
		p, err := Open(context.Background(), Options{Spec: testSpec(t, name, facts), Rules: input.Rules{Patterns: input.Local}, Output: out})
		if err != nil {
			fmt.Printf("%-42s OPEN ERR %v\n", e.Name(), err)
			continue
		}
		err = p.Run(context.Background())
		st := p.Status()
		rate := "-"
		if v := facts.BestVideo(); v != nil {
			rate = fmt.Sprintf("%s var=%v %dx%d", v.Rate, v.Variable, v.Width, v.Height)
		}
		last := func(r string) int64 {
			ps := out.packets[r]
			if len(ps) == 0 {
				return -1
			}
			idx := make([]int, len(ps))
			for i := range ps {
				idx[i] = int(ps[i].Index)
			}
			sort.Ints(idx)
			for i := range idx {
				if idx[i] != i {
					t.Errorf("%s %s: index %d at place %d", e.Name(), r, idx[i], i)
					break
				}
			}
			return int64(idx[len(idx)-1]) + 1
		}
		v, a := last("v"), last("a")
		fmt.Printf("%-42s %-28s v=%d a=%d (%.3fs) dec=%d dbl=%d drop=%d bad=%d %v err=%v %s\n", e.Name(), rate, v, a, float64(a)*1024/48000, st.Decoded, st.Doubled, st.Dropped, st.Damaged, time.Since(start).Round(time.Millisecond), err, strings.Join(st.Notes, " | "))
	}
}
