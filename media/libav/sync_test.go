package libav

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// maxLag is how far sound may be from where the source's timestamps put it,
// against the picture.
const maxLag = 20 * time.Millisecond

// recorder is a source that keeps what it hands out: its first picture's time
// and the sound of its first track.
type recorder struct {
	source
	video  int64 // time of the first picture
	seen   bool
	frames int
	sound  []timedSound
}

type timedSound struct {
	pts, rate int64
	samples   []float64
}

func (r *recorder) run(ctx context.Context, out sinks) error {
	to := sinks{audio: append([]func(*astiav.Frame) error(nil), out.audio...)}
	if out.video != nil {
		to.video = func(f *astiav.Frame) error {
			if !r.seen {
				r.video, r.seen = f.Pts(), true
			}
			r.frames++
			return out.video(f)
		}
	}
	if len(to.audio) > 0 && to.audio[0] != nil {
		to.audio[0] = func(f *astiav.Frame) error {
			s, err := monoOf(f)
			if err != nil {
				return err
			}
			r.sound = append(r.sound, timedSound{pts: f.Pts(), rate: int64(f.SampleRate()), samples: s})
			return out.audio[0](f)
		}
	}
	return r.source.run(ctx, to)
}

// monoOf mixes a frame of any format.
func monoOf(f *astiav.Frame) ([]float64, error) {
	b, err := frameBytes(f)
	if err != nil {
		return nil, err
	}
	n, ch := f.NbSamples(), f.ChannelLayout().Channels()
	out := make([]float64, n)
	for i := range n * ch {
		at := i / ch
		if f.SampleFormat().IsPlanar() {
			at = i % n
		}
		switch f.SampleFormat() {
		case astiav.SampleFormatFlt, astiav.SampleFormatFltp:
			out[at] += float64(math.Float32frombits(binary.NativeEndian.Uint32(b[4*i:])))
		case astiav.SampleFormatDbl, astiav.SampleFormatDblp:
			out[at] += math.Float64frombits(binary.NativeEndian.Uint64(b[8*i:]))
		case astiav.SampleFormatS16, astiav.SampleFormatS16P:
			out[at] += float64(int16(binary.NativeEndian.Uint16(b[2*i:]))) / (1 << 15)
		case astiav.SampleFormatS32, astiav.SampleFormatS32P:
			out[at] += float64(int32(binary.NativeEndian.Uint32(b[4*i:]))) / (1 << 31)
		default:
			return nil, fmt.Errorf("samples of %s", f.SampleFormat())
		}
	}
	for i := range out {
		out[i] /= float64(ch)
	}
	return out, nil
}

// heard is the source's sound on the clock of the ladder, from second from on:
// the first picture is frame anchor.Frame.
func (r *recorder) heard(p *Pipeline, from float64) (runs []timedRun) {
	origin := seconds(p.anchor.Source, p.anchor.Base)
	if r.seen {
		origin = seconds(r.video, p.facts.BestVideo().Base)
	}
	origin += from - float64(p.anchor.Frame)/rateOf(p.o.Spec.Grid.Rate)
	for _, s := range r.sound {
		runs = append(runs, timedRun{at: seconds(s.pts, p.facts.Audio[0].Base) - origin, rate: float64(s.rate), samples: s.samples})
	}
	return runs
}

type timedRun struct {
	at, rate float64
	samples  []float64
}

func seconds(t int64, b timeline.Timebase) float64 {
	return float64(t) * float64(b.Num) / float64(b.Den)
}

func rateOf(r timeline.Rate) float64 { return float64(r.Num) / float64(r.Den) }

// correlationRate is what both sides are brought to: a lag is found to an
// eighth of a millisecond.
const correlationRate = 8000

// window gives contiguous source sound from frame i on, at correlationRate,
// and between which times its frames say that it begins. A frame further than
// stray seconds from where the one before ends it.
func window(runs []timedRun, i int, length, stray float64) (from, to float64, x []float64) {
	var joined, offs []float64
	first, rate := runs[i].at, runs[i].rate
	for ; i < len(runs) && float64(len(joined)) < length*rate && runs[i].rate == rate; i++ {
		off := runs[i].at - (first + float64(len(joined))/rate)
		if math.Abs(off) > stray {
			break
		}
		offs = append(offs, off)
		joined = append(joined, runs[i].samples...)
	}
	return first + slices.Min(offs), first + slices.Max(offs), resample(joined, rate, 0, int(float64(len(joined))/rate*correlationRate))
}

// resample averages over each period of correlationRate.
func resample(x []float64, rate, from float64, n int) []float64 {
	out := make([]float64, n)
	step := rate / correlationRate
	for j := range out {
		a := from*rate + float64(j)*step
		lo, hi := int(math.Round(a)), int(math.Round(a+step))
		if hi <= lo {
			hi = lo + 1
		}
		for i := max(lo, 0); i < min(hi, len(x)); i++ {
			out[j] += x[i] / float64(hi-lo)
		}
	}
	return out
}

// shortest sound that can be found again.
const shortest = correlationRate / 12

// searched is how far from its place a window is looked for.
const searched = 0.25

// lagOf finds x in y around second at (both at correlationRate, y from second
// 0). ok is false where the sound is too quiet, absent or too regular to tell.
func lagOf(x, y []float64, at float64) (lag, match float64, ok bool) {
	ex := energy(x)
	if len(x) < shortest || ex/float64(len(x)) < 1e-7 {
		return 0, 0, false
	}
	centre := at * correlationRate
	reach := int(searched * correlationRate)
	scores := make([]float64, 2*reach+1)
	best := 0
	for d := -reach; d <= reach; d++ {
		o := int(math.Round(centre)) + d
		if o < 0 || o+len(x) > len(y) {
			continue
		}
		part := y[o : o+len(x)]
		dot, ey := 0.0, 0.0
		for i, v := range x {
			dot += v * part[i]
			ey += part[i] * part[i]
		}
		scores[d+reach] = dot / math.Sqrt(ex*ey+1e-12)
		if scores[d+reach] > scores[best] {
			best = d + reach
		}
	}
	rival := 0.0
	for i, s := range scores {
		if max(i-best, best-i) > correlationRate/200 {
			rival = max(rival, s)
		}
	}
	match = scores[best]
	lag = (math.Round(centre) + float64(best-reach) - centre) / correlationRate
	return lag, match, match > 0.6 && rival < 0.93*match
}

func energy(x []float64) (e float64) {
	for _, v := range x {
		e += v * v
	}
	return e
}

// lagAt is one measured point of a clip.
type lagAt struct{ at, lag, match float64 }

// measureLags looks at the whole clip every step seconds.
func measureLags(runs []timedRun, out []float64, step float64) []lagAt {
	y := resample(out, 48000, 0, len(out)/(48000/correlationRate))
	var lags []lagAt
	next := math.Inf(-1)
	for i := range runs {
		if runs[i].at < next || runs[i].at < 0 {
			continue
		}
		from, to, x := window(runs, i, 0.25, 0.0015)
		if len(x) < shortest { // frames share their times: a muxer's mistake
			from, to, x = window(runs, i, 0.25, 0.025)
		}
		at := (from + to) / 2
		if lag, match, ok := lagOf(x, y, at); ok {
			lags = append(lags, lagAt{at, outside(lag, (to-from)/2), match})
			next = runs[i].at + step
		}
	}
	return lags
}

// outside is how far lag is beyond ±slack.
func outside(lag, slack float64) float64 {
	if math.Abs(lag) <= slack {
		return 0
	}
	return lag - math.Copysign(slack, lag)
}

// decodeAAC is the sound of packets, the first of which is frame from.
func decodeAAC(t *testing.T, cfg media.CodecConfig, packets []media.Packet, from int64) []float64 {
	t.Helper()
	return decodeSound(t, astiav.CodecIDAac, 1024, cfg, packets, from)
}

// decodeSound is the sound of packets of size samples each, without a gap.
func decodeSound(t *testing.T, id astiav.CodecID, size int, cfg media.CodecConfig, packets []media.Packet, from int64) (out []float64) {
	t.Helper()
	cc := newDecoderFor(t, id, cfg)
	pkt, f := astiav.AllocPacket(), astiav.AllocFrame()
	defer cc.Free()
	defer pkt.Free()
	defer f.Free()
	for i, p := range packets {
		if p.Index != from+int64(i) {
			t.Fatalf("audio frame %d comes where %d belongs", p.Index, from+int64(i))
		}
		if err := pkt.FromData(p.Data); err != nil {
			t.Fatal(err)
		}
		if err := cc.SendPacket(pkt); err != nil {
			t.Fatalf("audio frame %d: %v", p.Index, err)
		}
		pkt.Unref()
		for cc.ReceiveFrame(f) == nil {
			s, err := monoOf(f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s...)
			f.Unref()
		}
	}
	if len(out) != size*len(packets) {
		t.Fatalf("%d packets decode to %d samples", len(packets), len(out))
	}
	return out
}

// played runs a clip through a pipeline and returns both sides' sound.
func played(t *testing.T, p *Pipeline) (source []timedRun, made []float64) {
	t.Helper()
	r, out := &recorder{source: p.src}, newCollector()
	p.src, p.o.Output = r, out
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	packets := out.packets["a"]
	if len(packets) == 0 {
		t.Fatal("no sound at all")
	}
	from := packets[0].Index
	return r.heard(p, float64(from*1024)/48000), decodeAAC(t, out.configs["a"], packets, from)
}

// Every real file with picture and sound: the ladder's sound is where the
// source's timestamps put it.
func TestSoundStaysWithThePicture(t *testing.T) {
	dir := mediaDir(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	measured := 0
	for _, e := range entries {
		t.Run(e.Name(), func(t *testing.T) {
			name := filepath.Join(dir, e.Name())
			facts, err := Probe(t.Context(), name, input.Rules{Patterns: input.Local})
			if err != nil || facts.BestVideo() == nil || len(facts.Audio) == 0 {
				return // not a pair of picture and sound
			}
			spec := clipSpec(t, name, facts)
			for _, r := range spec.Renditions {
				if r.Video != nil {
					r.Video.Width, r.Video.Height = 128, 72 // only its time counts here
				}
			}
			source, made := played(t, open(t, Options{Spec: spec}))
			if silent(source) {
				t.Logf("%-40s silent", e.Name())
				return
			}
			report(t, measureLags(source, made, 0.25))
			measured++
		})
	}
	if measured < 30 {
		t.Errorf("only %d files were measured", measured)
	}
}

// silent: no frame is louder than -80 dB.
func silent(runs []timedRun) bool {
	for _, r := range runs {
		if energy(r.samples) > 1e-8*float64(len(r.samples)) {
			return false
		}
	}
	return true
}

// report says the lag at the start, in the middle and at the end, and fails on
// any point past the bound.
func report(t *testing.T, lags []lagAt) {
	t.Helper()
	if len(lags) == 0 {
		t.Error("nothing that could be measured")
		return
	}
	worst := lags[0]
	for _, l := range lags {
		if math.Abs(l.lag) > math.Abs(worst.lag) {
			worst = l
		}
		if os.Getenv("LAGS") != "" {
			t.Logf("   %.3f s: %+.2f ms (%.2f)", l.at, l.lag*1e3, l.match)
		}
	}
	first, middle, last := lags[0], lags[len(lags)/2], lags[len(lags)-1]
	t.Logf("%-40s %3d points: %+6.2f ms at %4.1f s, %+6.2f ms at %4.1f s, %+6.2f ms at %4.1f s; worst %+6.2f ms at %4.1f s", filepath.Base(t.Name()), len(lags),
		first.lag*1e3, first.at, middle.lag*1e3, middle.at, last.lag*1e3, last.at, worst.lag*1e3, worst.at)
	if math.Abs(worst.lag) > maxLag.Seconds() {
		t.Errorf("sound is off by %+.1f ms at %.2f s", worst.lag*1e3, worst.at)
	}
}
