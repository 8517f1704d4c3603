package libav

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/timeline"
)

// endless is a live card that runs as fast as it can; whatever goes wrong, no
// end of the source will cover it up.
func endless(t *testing.T, renditions ...ladders.Rendition) (media.Spec, *clockAt) {
	t.Helper()
	return media.Spec{Job: "live", Live: true, Input: "testcard:?size=320x180&fps=25", Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, time.Second, 1), Renditions: renditions}, &clockAt{at: evening}
}

// patience is far above what anything here takes: past it, it hangs.
const patience = 20 * time.Second

// runEndless runs an endless job to its failure.
func runEndless(t *testing.T, ctx context.Context, o Options) error {
	t.Helper()
	spec, clock := endless(t, o.Spec.Renditions...)
	o.Spec, o.Now = spec, clock.now
	p := open(t, o)
	clock.free.Store(true)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := p.Run(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatal("the failure was not told: the pipeline went on")
	}
	return err
}

// Whichever part fails, the run ends at once with that failure, though the
// others could go on for ever.
func TestOneFailureEndsTheRun(t *testing.T) {
	full := errors.New("disk is full")
	for _, rendition := range []string{"v", "w", "a"} {
		t.Run("output "+rendition, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			wide := small("w")
			wide.Video.Width = 256
			out := newCollector()
			out.on = func(r string, p media.Packet) error {
				if r == rendition && len(out.packets[r]) >= 30 {
					return full
				}
				return nil
			}
			if err := runEndless(t, t.Context(), Options{Spec: media.Spec{Renditions: []ladders.Rendition{small("v"), wide, sound("a")}}, Output: out}); !errors.Is(err, full) {
				t.Errorf("ended with %v", err)
			}
		})
	}
	t.Run("encoder", func(t *testing.T) {
		odd := small("odd")
		odd.Video.Profile = "no such profile"
		err := runEndless(t, t.Context(), Options{Spec: media.Spec{Renditions: []ladders.Rendition{small("v"), odd, sound("a")}}, Output: newCollector()})
		wantError(t, err, media.EncoderError, "rendition odd: encoder libx264 does not open", "gala doctor")
	})
}

// refusing is an Output that takes no init segment of one rendition.
type refusing struct {
	*collector
	name string
	err  error
}

func (r refusing) Init(name string, cfg media.CodecConfig) error {
	if name == r.name {
		return r.err
	}
	return r.collector.Init(name, cfg)
}

func TestRefusedInitEndsTheRun(t *testing.T) {
	no := errors.New("not this one")
	for _, name := range []string{"v", "a"} {
		err := runEndless(t, t.Context(), Options{Spec: media.Spec{Renditions: []ladders.Rendition{small("v"), sound("a")}}, Output: refusing{newCollector(), name, no}})
		if !errors.Is(err, no) {
			t.Errorf("%s: ended with %v", name, err)
		}
	}
}

// An output that does not take what it is given holds a clip back, and lets go
// when the job is cancelled.
func TestCancelWhileTheOutputBlocks(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	stuck := make(chan struct{})
	out := blocked{newCollector(), func(ctx context.Context) error {
		select {
		case stuck <- struct{}{}:
		case <-ctx.Done():
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, small("v"), sound("a"))
	p := open(t, Options{Spec: spec, Output: out})
	go func() { <-stuck; cancel() }()
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	cancel()
}

type blocked struct {
	*collector
	wait func(context.Context) error
}

func (b blocked) Write(ctx context.Context, _ string, _ media.Packet) error { return b.wait(ctx) }

// Cancelled in the middle, a pipeline leaves no goroutine, whatever it reads.
func TestCancelInTheMiddle(t *testing.T) {
	dir := mediaDir(t)
	for _, c := range []struct {
		name string
		live bool
	}{{filepath.Join(dir, "flower_540p2997_h264_aac.mp4"), false}, {filepath.Join(dir, "train_360p30.ts"), true}, {"testcard:?size=320x180&duration=1h", false}, {"testcard:?size=320x180", true}} {
		t.Run(filepath.Base(c.name), func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			facts, err := Probe(t.Context(), c.name, anything)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			spec := clipSpec(t, c.name, facts)
			spec.Live = c.live
			out, clock := newCollector(), &clockAt{at: evening}
			out.on = func(r string, _ media.Packet) error {
				if r == "v" && len(out.packets["v"]) == 20 {
					cancel()
				}
				return nil
			}
			p := open(t, Options{Spec: spec, Output: out, Now: clock.now})
			clock.free.Store(true)
			if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// In real time a live source waits for its frames; cancelling ends the wait.
func TestCancelWhileWaiting(t *testing.T) {
	spec, clock := endless(t, small("v"), sound("a"))
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	p := open(t, Options{Spec: spec, Output: newCollector(), Now: func() time.Time {
		if asked.Add(1) > 100 {
			cancel()
		}
		return clock.at.Add(-time.Hour) // the first frame is due in an hour
	}})
	go func() { // the pacer asks once, then waits
		for asked.Load() < 101 && ctx.Err() == nil {
			p.o.Now()
		}
	}()
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// Twenty pipelines, one after the other, end where the first few did: nothing
// of C's memory is left behind.
func TestMemoryStaysFlat(t *testing.T) {
	file := filepath.Join(mediaDir(t), "lateaudio_1s15.mp4")
	facts, err := Probe(t.Context(), file, anything)
	if err != nil {
		t.Fatal(err)
	}
	spec := clipSpec(t, file, facts)
	run := func() {
		play(t, Options{Spec: spec})
		if _, err := Probe(t.Context(), file, anything); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		run()
	}
	before := resident(t)
	for range 20 {
		run()
	}
	if grown := resident(t) - before; grown > 16<<20 {
		t.Errorf("20 pipelines left %d MiB", grown>>20)
	}
}

// resident is the process's memory in bytes.
func resident(t *testing.T) int64 {
	t.Helper()
	runtime.GC()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc here")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// Stop, called at any moment and by many, ends all renditions with one segment.
func TestStopAtAnyMoment(t *testing.T) {
	for _, at := range []int{0, 1, 24, 25, 26, 49, 50, 77} {
		half := small("half")
		half.Video.Divisor = 2
		spec, clock := endless(t, small("v"), half, sound("a"))
		spec.Grid = newGrid(t, spec.Grid.Rate, time.Second, 1, 2)
		out := newCollector()
		p := open(t, Options{Spec: spec, Output: out, Now: clock.now})
		clock.free.Store(true)
		if at == 0 {
			p.Stop()
		}
		out.on = func(r string, _ media.Packet) error {
			if r == "v" && len(out.packets["v"]) >= at {
				p.Stop()
			}
			return nil
		}
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantWhole(t, spec, out)
	}
}

func TestNoRenditionFits(t *testing.T) {
	spec := cardSpec5(t, timeline.Rate{Num: 25, Den: 1})
	p := open(t, Options{Spec: spec, Output: newCollector()})
	wantError(t, p.Run(t.Context()), media.SourceError, "no rendition of the ladder fits", "add a rung")
}

func TestTrackThatIsNotThere(t *testing.T) {
	far := sound("a")
	far.Audio.Track = 3
	p := open(t, Options{Spec: cardSpec5(t, timeline.Rate{Num: 25, Den: 1}, small("v"), far), Output: newCollector()})
	wantError(t, p.Run(t.Context()), media.SourceError, "wants audio track 3, the source has 1", "submit the job again")
}
