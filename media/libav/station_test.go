package libav

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// station is a live source in this process: numbered cards with flash and beep,
// sent into a ring in real time. It can fall silent, and come back as it likes.
type station struct {
	r       *ring.Ring
	streams []ring.Stream
	packets []ring.Packet // of the clip, in the order in which they are sent

	mu      sync.Mutex
	silent  bool
	session int
	shift   int64 // added to every time, in µs
	waitKey bool
	backlog []ring.Packet // kept back while silent, when keeps is set
	keeps   bool
	frozen  *ring.Packet // a key frame that is sent for every one
}

const stationSeconds = 60

// What the stations send, in pixels.
const smallCard, largeCard = "320x180", "426x240"

var stationClips = struct {
	sync.Mutex
	by map[string]*collector
}{by: map[string]*collector{}}

// stationClip encodes the card once.
func stationClip(t *testing.T, size string) *collector {
	t.Helper()
	stationClips.Lock()
	defer stationClips.Unlock()
	if c := stationClips.by[size]; c != nil {
		return c
	}
	rate := timeline.Rate{Num: 25, Den: 1}
	v := small("v")
	if _, err := fmt.Sscanf(size, "%dx%d", &v.Video.Width, &v.Video.Height); err != nil {
		t.Fatal(err)
	}
	out, _ := play(t, Options{Spec: media.Spec{Job: "clip", Input: fmt.Sprintf("testcard:?size=%s&fps=25&duration=%ds", size, stationSeconds),
		Grid: newGrid(t, rate, time.Second, 1), Renditions: []ladders.Rendition{v, sound("a")}}})
	stationClips.by[size] = out
	return out
}

// newStation goes on air at start, by the wall; its source time there is base µs.
func newStation(t *testing.T, size string, start time.Time, base int64, withSound bool) *station {
	t.Helper()
	clip := stationClip(t, size)
	s := &station{r: ring.New(ring.Limits{Keep: 45 * time.Second, Bytes: 64 << 20}), shift: base}
	ts := timeline.Timebase{Num: 1, Den: 90000}
	var w, h int64
	_, _ = fmt.Sscanf(size, "%dx%d", &w, &h)
	s.streams = []ring.Stream{{ID: 256, Kind: ring.Video, Base: ts, Codec: "h264", Extradata: clip.configs["v"].Extradata,
		Params: map[string]int64{"width": w, "height": h, "avg_frame_rate_num": 25, "avg_frame_rate_den": 1, "video_delay": 2}}}
	for i, p := range clip.packets["v"] {
		s.packets = append(s.packets, ring.Packet{Stream: 0, DTS: int64(i) * 3600, PTS: (p.Index + 2) * 3600, Duration: 3600, Key: p.Key, Data: p.Data})
	}
	if withSound {
		s.streams = append(s.streams, ring.Stream{ID: 257, Kind: ring.Audio, Base: ts, Codec: "aac", Extradata: clip.configs["a"].Extradata, Layout: "mono",
			Params: map[string]int64{"sample_rate": 48000, "format": 8, "frame_size": 1024}})
		for _, p := range clip.packets["a"] {
			at := p.Index*1024*90000/48000 + 2*3600
			s.packets = append(s.packets, ring.Packet{Stream: 1, DTS: at, PTS: at, Duration: 1920, Key: true, Data: p.Data})
		}
	}
	sort.SliceStable(s.packets, func(i, j int) bool { return s.packets[i].DTS < s.packets[j].DTS })
	s.begin()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.send(ctx, start) }()
	t.Cleanup(func() { cancel(); <-ended })
	return s
}

func (s *station) begin() {
	s.session++
	s.r.Begin(ring.Session{Number: s.session, Container: "mpegts", Streams: s.streams})
}

func (s *station) send(ctx context.Context, start time.Time) {
	for _, p := range s.packets {
		if !wait(ctx, time.Until(start.Add(time.Duration(p.DTS*100/9)*time.Microsecond))) {
			return
		}
		s.put(p)
	}
}

func (s *station) put(p ring.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	off := timeline.Rescale(s.shift, microseconds, timeline.Timebase{Num: 1, Den: 90000})
	p.DTS, p.PTS = p.DTS+off, p.PTS+off
	if s.silent {
		if s.keeps {
			s.backlog = append(s.backlog, p)
		}
		return
	}
	if s.waitKey && !(p.Key && p.Stream == 0) {
		return
	}
	s.waitKey = false
	if s.frozen != nil && p.Stream == 0 {
		p.Data, p.Key, p.PTS = s.frozen.Data, true, p.DTS+7200
	}
	for _, late := range append(s.backlog, p) {
		late.Arrival = time.Now().UnixMicro()
		s.r.Put(late)
	}
	s.backlog = nil
}

// mute lets nothing through; keep: what is held back comes all at once afterwards.
func (s *station) mute(keep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent, s.keeps = true, keep
}

// unmute goes on where the time that passed puts it; anew: as another connection,
// with a key frame.
func (s *station) unmute(anew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = false
	if anew {
		s.begin()
		s.waitKey = true
	}
}

// freeze sends one picture from now on, as key frames.
func (s *station) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = &s.packets[0]
}

func (s *station) input(name string) LiveInput { return LiveInput{Name: name, Ring: LocalRing(s.r)} }

// lapsing is a collector that notes lapses, and when pictures came.
type lapsing struct {
	*collector
	noted sync.Mutex
	marks []string
	last  int64 // grid frame
	at    map[int64]time.Time
}

func newLapsing() *lapsing { return &lapsing{collector: newCollector(), at: map[int64]time.Time{}} }

func (l *lapsing) Lapse(on bool, n int64, _ string) {
	l.noted.Lock()
	defer l.noted.Unlock()
	l.marks = append(l.marks, fmt.Sprint(on, " ", n))
}

func (l *lapsing) Write(ctx context.Context, r string, p media.Packet) error {
	if err := l.collector.Write(ctx, r, p); err != nil || r != "v" {
		return err
	}
	l.noted.Lock()
	defer l.noted.Unlock()
	l.last = max(l.last, p.Index)
	l.at[p.Index] = time.Now()
	return nil
}

// newest is the newest grid frame that was encoded.
func (l *lapsing) newest() int64 {
	l.noted.Lock()
	defer l.noted.Unlock()
	return l.last
}

// show is a live job of the stations, while it runs.
type show struct {
	t     *testing.T
	spec  media.Spec
	out   *lapsing
	p     *Pipeline
	ended chan error
}

func stationSpec(t *testing.T) media.Spec {
	return media.Spec{Job: "show", Input: "udp://127.0.0.1:9", Live: true, Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, time.Second, 1),
		Renditions: []ladders.Rendition{small("v"), sound("a")}}
}

func startShow(t *testing.T, o Options) *show {
	t.Helper()
	s := &show{t: t, spec: o.Spec, out: newLapsing(), ended: make(chan error, 1)}
	o.Output = s.out
	s.p = open(t, o)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { s.ended <- s.p.Run(ctx) }()
	t.Cleanup(cancel)
	return s
}

// awaits waits for a condition, a minute at most.
func awaits(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		wait(t.Context(), 10*time.Millisecond)
	}
}

// runs lets the job make so many more frames.
func (s *show) runs(frames int64) {
	s.t.Helper()
	to := s.out.newest() + frames
	awaits(s.t, fmt.Sprintf("%d more frames", frames), func() bool { return s.out.newest() >= to })
}

func (s *show) stop() {
	s.t.Helper()
	s.p.Stop()
	if err := <-s.ended; err != nil {
		s.t.Fatal(err)
	}
	wantWhole(s.t, s.spec, s.out.collector)
}

func (s *show) events() (kinds []string) {
	source := s.p.Status().Source
	if source == nil { // the desk has not looked yet
		return nil
	}
	for _, e := range source.Events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func (s *show) awaitEvent(kind string, n int) {
	s.t.Helper()
	awaits(s.t, fmt.Sprintf("event %s, %d times", kind, n), func() bool {
		count := 0
		for _, k := range s.events() {
			if k == kind {
				count++
			}
		}
		return count >= n
	})
}

// shown is what a picture shows: a card, or the one before again, or no card.
func (s *show) pictures() []picture {
	return pictures(s.t, astiav.CodecIDH264, s.out.configs["v"], s.out.packets["v"])
}

// programme checks that every picture which is not a repetition or the slate shows
// the card that its place asks for, and gives how many do not show programme, lapse
// by lapse. off is how many cards it may be elsewhere.
func (s *show) programme(pics []picture, off int64) (lapses []int) {
	s.t.Helper()
	base := pics[0].index - pics[0].card
	filled, shown := 0, 0
	for i, p := range pics {
		dist := p.index - p.card - base
		// Where a source breaks off, pictures may be missing between the last ones:
		// that is one lapse with what follows.
		if on := p.card >= 0 && max(dist, -dist) <= off; on {
			if shown++; filled > 0 && shown > 4 {
				lapses, filled = append(lapses, filled), 0
			}
			continue
		}
		shown = 0
		filled++
		if i == 0 || p.card >= 0 && p.card != pics[i-1].card {
			s.t.Fatalf("frame %d shows card %d after %d, want %d", p.index, p.card, pics[i-1].card, p.index-base)
		}
	}
	if filled > 0 {
		lapses = append(lapses, filled)
	}
	return lapses
}

// wantOnTime: no frame from this one on came later than so long after the moment
// that it stands for, less the lag that the job had at its start.
func (s *show) wantOnTime(from int64, most time.Duration) {
	s.t.Helper()
	s.out.noted.Lock()
	defer s.out.noted.Unlock()
	worst := time.Duration(0)
	for n, at := range s.out.at {
		if n >= from {
			worst = max(worst, time.Duration(at.UnixNano())-s.spec.Grid.TimeOf(n)-s.p.Lag())
		}
	}
	s.t.Logf("the latest frame came %v after its moment", worst.Round(time.Millisecond))
	if worst > most {
		s.t.Errorf("a frame came %v after its moment, want at most %v", worst, most)
	}
}

func percentile(all []int, p int) int {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
}
