package libav

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// A picture of the input on air that is on its way to the stage gets there before
// another input takes over.
func TestWhatWasAdmittedComesBeforeTheCut(t *testing.T) {
	spec := stationSpec(t)
	synctest.Test(t, func(t *testing.T) {
		p := &Pipeline{o: Options{Spec: spec, Now: time.Now, Inputs: []LiveInput{{Name: "udp://127.0.0.1:9"}, {Name: "udp://127.0.0.1:10"}}},
			anchor: timeline.Anchor{Generation: 1, Base: microseconds}, facts: Info{Video: []VideoInfo{{Base: microseconds}}}}
		d := newDesk(p)
		feeds := make([]*feed, 2)
		for i, in := range d.inputs {
			feeds[i] = &feed{in: in, facts: p.facts, anchor: p.anchor, cancel: func() {}}
		}
		d.air, d.coming, d.next = feeds[0], feeds[1], 10
		var mu sync.Mutex
		var got []int64
		release := make(chan struct{})
		d.out.video = func(f *astiav.Frame) error {
			n := d.frameOf(f.Pts(), microseconds)
			if n == 10 {
				<-release
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, n)
			return nil
		}
		show := func(f *feed, n int64) {
			fr := astiav.AllocFrame()
			defer fr.Free()
			fr.SetPts(n * 40_000)
			if err := d.picture(t.Context(), f, fr); err != nil {
				t.Error(err)
			}
		}
		var all sync.WaitGroup
		all.Go(func() { show(feeds[0], 10) })
		synctest.Wait()
		all.Go(func() { show(feeds[1], 11) })
		synctest.Wait()
		if !d.onAir(feeds[0]) {
			t.Error("the other input took over while a picture was on its way")
		}
		close(release)
		all.Wait()
		if want := []int64{10, 11}; !slices.Equal(got, want) || !d.onAir(feeds[1]) {
			t.Errorf("pictures came as %v, want %v", got, want)
		}
	})
}
