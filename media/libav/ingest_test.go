package libav

import (
	"context"
	"log/slog"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/ring"
	"github.com/galafarm/gala/timeline"
)

// freePort is a port of this machine that nobody holds now.
func freePort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port)
}

// sender runs the ffmpeg program of our own build until the test's end, or stop.
// While nobody listens yet it is started again.
func sender(t *testing.T, args ...string) (stop func()) {
	t.Helper()
	program := filepath.Join(os.Getenv("GALA_FFMPEG"), "bin", "ffmpeg")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("NO FFMPEG PROGRAM at %s: source tools/setup/env.sh to run this test", program)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = exec.CommandContext(ctx, program, append([]string{"-hide_banner", "-nostdin", "-loglevel", "quiet", "-re"}, args...)...).Run()
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

// waveLoop is the clip with a code in every frame, for ever, as it is.
func waveLoop(t *testing.T) []string {
	return []string{"-stream_loop", "-1", "-i", filepath.Join(mediaDir(t), waveFile), "-c", "copy"}
}

// hold runs an ingest until the test's end.
func hold(t *testing.T, name string) *ring.Ring {
	t.Helper()
	r := ring.New(ring.Limits{Keep: 30 * time.Second, Bytes: 256 << 20})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.End(Ingest(ctx, IngestOptions{Input: name, Rules: anything, Ring: r, Log: slog.New(slog.DiscardHandler), Now: time.Now}))
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return r
}

// liveFrom is a job of one small rendition and the sound of what a ring holds.
func liveFrom(t *testing.T, name string, r *ring.Ring) media.Spec {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	facts, err := ProbeRing(ctx, name, LocalRing(r))
	if err != nil {
		t.Fatal(err)
	}
	spec := clipSpec(t, name, facts)
	spec.Renditions[0] = readable("v")
	spec.Live, spec.Grid = true, newGrid(t, spec.Grid.Rate, time.Second, 1)
	return spec
}

// patient is a spec for which a machine that is late is no source that is lost.
func patient(spec media.Spec) media.Spec {
	spec.Loss.After = 5 * time.Second
	return spec
}

// watchLive runs a live job from a ring for a number of frames.
func watchLive(t *testing.T, spec media.Spec, r *ring.Ring, frames int64) (*collector, *Pipeline) {
	t.Helper()
	out := newCollector()
	p := open(t, Options{Spec: spec, Output: out, Ring: LocalRing(r)})
	out.on = func(name string, _ media.Packet) error {
		if name == "v" && int64(len(out.packets[name])) >= frames {
			p.Stop()
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return out, p
}

// wantOnce wants whole segments, and every frame of the clip once and in order.
func wantOnce(t *testing.T, spec media.Spec, out *collector) {
	t.Helper()
	wantWhole(t, spec, out)
	numbers := waveNumbers(t, out)
	for i, n := range numbers {
		if want := (numbers[0]+int64(i)-1)%waveFrames + 1; n != want {
			t.Fatalf("picture %d shows frame %d, want %d", i, n, want)
		}
	}
}

// Every way in brings every frame, once, in order, from the first segment on.
func TestLiveSourcesLoseNothing(t *testing.T) {
	ts := func(to string) []string { return append(waveLoop(t), "-f", "mpegts", to) }
	for _, tt := range []struct {
		name string
		from func(port string) string
		send func(port string) []string
	}{
		{"udp", func(p string) string { return "udp://127.0.0.1:" + p }, func(p string) []string { return ts("udp://127.0.0.1:" + p + "?pkt_size=1316") }},
		{"rtp", func(p string) string { return "rtp://127.0.0.1:" + p }, func(p string) []string {
			return append(waveLoop(t), "-f", "rtp_mpegts", "rtp://127.0.0.1:"+p)
		}},
		{"srt listener", func(p string) string { return "srt://127.0.0.1:" + p + "?mode=listener&passphrase=a-good-passphrase" },
			func(p string) []string { return ts("srt://127.0.0.1:" + p + "?passphrase=a-good-passphrase") }},
		{"srt caller", func(p string) string { return "srt://127.0.0.1:" + p + "?latency=200" },
			func(p string) []string { return ts("srt://127.0.0.1:" + p + "?mode=listener") }},
		{"rtmp push", func(p string) string { return "rtmp://127.0.0.1:" + p + "/live/gala?mode=listener" },
			func(p string) []string { return append(waveLoop(t), "-f", "flv", "rtmp://127.0.0.1:"+p+"/live/gala") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port := freePort(t)
			from := tt.from(port)
			r := hold(t, from)
			sender(t, tt.send(port)...)
			spec := patient(liveFrom(t, from, r))
			out, p := watchLive(t, spec, r, 100)
			wantOnce(t, spec, out)
			if st := p.Status(); st.Doubled != 0 || st.Dropped != 0 || st.Damaged != 0 {
				t.Errorf("%d doubled, %d dropped, %d damaged; %v", st.Doubled, st.Dropped, st.Damaged, st.Notes)
			}
			if lag := p.Lag(); lag < 0 || lag > 2500*time.Millisecond {
				t.Errorf("the grid runs %v ahead of the source", lag)
			}
		})
	}
}

// A successor catches up from the ring faster than real time, and shows the
// same frames at the same places.
func TestRingCatchesUp(t *testing.T) {
	port := freePort(t)
	from := "rtmp://127.0.0.1:" + port + "/live/gala?mode=listener" // nothing is lost on its way
	r := hold(t, from)
	sender(t, append(waveLoop(t), "-f", "flv", "rtmp://127.0.0.1:"+port+"/live/gala")...)
	spec := patient(liveFrom(t, from, r))
	first, p := watchLive(t, spec, r, 150)
	wantWhole(t, spec, first)
	anchor := p.anchor
	segment := spec.Grid.Segment(first.indexes("v")[0]) + 2
	spec.Anchor, spec.Resume, spec.FirstSegment = &anchor, true, segment
	began := time.Now()
	again, q := watchLive(t, spec, r, 75)
	// Half a second when the machine has nothing else to do.
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("three seconds of the past took %v", took)
	}
	wantWhole(t, spec, again)
	if q.anchor != anchor {
		t.Errorf("the anchor moved from %+v to %+v", anchor, q.anchor)
	}
	offset := again.indexes("v")[0] - first.indexes("v")[0]
	if want := spec.Grid.FirstFrame(2); offset != want {
		t.Fatalf("it began %d frames later, want %d", offset, want)
	}
	before, after := waveNumbers(t, first), waveNumbers(t, again)
	for i := range min(len(after), len(before)-int(offset)) {
		if after[i] != before[i+int(offset)] {
			t.Fatalf("frame %d shows %d in one run and %d in the other", i, before[i+int(offset)], after[i])
		}
	}
}

// A source that breaks off and comes back - counting on, or from zero - goes on
// at the place where the time that passed puts it.
func TestSourceComesBack(t *testing.T) {
	for _, name := range []string{"mpegts", "flv"} {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			from, to := "srt://127.0.0.1:"+port+"?mode=listener", "srt://127.0.0.1:"+port
			if name == "flv" {
				from, to = "rtmp://127.0.0.1:"+port+"/live/gala?mode=listener", "rtmp://127.0.0.1:"+port+"/live/gala"
			}
			r := hold(t, from)
			stop := sender(t, append(waveLoop(t), "-f", name, to)...)
			spec := liveFrom(t, from, r)
			out := newCollector()
			p := open(t, Options{Spec: spec, Output: out, Ring: LocalRing(r)})
			enough := make(chan struct{}, 1)
			behind := func(index int64) time.Duration {
				return time.Duration(time.Now().UnixNano()) - spec.Grid.TimeOf(index)
			}
			out.on = func(name string, pkt media.Packet) error {
				switch n := len(out.packets[name]); {
				case name == "v" && n == 60:
					enough <- struct{}{}
				case name == "v" && r.Stats().Sessions > 1 && n > 100 && behind(pkt.Index) < 4*time.Second:
					p.Stop() // it has caught up with the clock
				}
				return nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			<-enough
			stop()
			sender(t, append(waveLoop(t), "-f", name, to)...)
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			wantWhole(t, spec, out)
			if all := out.indexes("v"); behind(all[len(all)-1]) < -time.Second {
				t.Errorf("after the break the job is %v ahead of the clock", -behind(all[len(all)-1]))
			}
			if st := p.Status(); st.Doubled == 0 || r.Stats().Sessions < 2 {
				t.Errorf("%d doubled, %d sessions: it never broke off", st.Doubled, r.Stats().Sessions)
			}
		})
	}
}

// What is never to be had says so.
func TestLiveSourceRefused(t *testing.T) {
	for _, name := range []string{"srt://169.254.1.1:9000", "srt://127.0.0.1", "udp://127.0.0.1:9?speed=fast", "rtmp://127.0.0.1"} {
		err := Ingest(t.Context(), IngestOptions{Input: name, Rules: anything, Ring: ring.New(ring.Limits{}), Log: slog.New(slog.DiscardHandler), Now: time.Now})
		wantError(t, err, media.SourceError, "source")
	}
	_, err := Open(t.Context(), Options{Spec: media.Spec{Input: "udp://127.0.0.1:9", Grid: newGrid(t, timeline.Rate{Num: 25, Den: 1}, time.Second, 1)}, Rules: anything, Output: newCollector()})
	wantError(t, err, media.SourceError, "live job")
}

// losing is a place in a ring that is too slow once, when it is told.
type losing struct {
	Packets
	now *atomic.Bool
}

func (l losing) Next(ctx context.Context) (ring.Item, error) {
	it, err := l.Packets.Next(ctx)
	if it.Session == nil && l.now.CompareAndSwap(true, false) {
		it.Lost = 7
	}
	return it, err
}

// What is found on the way is said while the job runs: a live source has no end.
func TestLiveNotesAreSaidAtOnce(t *testing.T) {
	port := freePort(t)
	from := "rtmp://127.0.0.1:" + port + "/live/gala?mode=listener"
	r := hold(t, from)
	sender(t, append(waveLoop(t), "-f", "flv", "rtmp://127.0.0.1:"+port+"/live/gala")...)
	out, lose := newCollector(), &atomic.Bool{}
	p := open(t, Options{Spec: liveFrom(t, from, r), Output: out, Ring: func(ctx context.Context, from int64) (Packets, error) {
		packets, err := LocalRing(r)(ctx, from)
		if from == math.MaxInt64 { // who only listens does not tell
			return packets, err
		}
		return losing{packets, lose}, err
	}})
	said, first := false, true
	out.on = func(string, media.Packet) error {
		if first { // opened and probed: what is lost now is lost on air
			first = false
			lose.Store(true)
		}
		if said = said || strings.Contains(strings.Join(p.Status().Notes, "\n"), "too slow for the source: 7 packets"); said {
			p.Stop()
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if !said {
		t.Error("nothing was said")
	}
}
