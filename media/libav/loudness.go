package libav

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/timeline"
)

// measured is the loudness of a whole programme by EBU R128.
type measured struct {
	lufs, lra, peak float64 // LUFS, LU, dBTP
}

// What R128's gates call silence: there is no loudness to bring anywhere.
const silence = -69

// lift is what brings a programme to its loudness: a gain, and a limiter where
// it would bring peaks above what is allowed.
type lift struct {
	gain  ladders.Decibel
	limit bool
}

func (m measured) lift(want ladders.Loudness) (l lift) {
	if want.Measure || m.lufs <= silence {
		return l
	}
	l.gain = m.missing(want)
	l.limit = m.peak+float64(l.gain)/100 > float64(want.TruePeak)/100
	return l
}

// missing is how far m is below what is wanted.
func (m measured) missing(want ladders.Loudness) ladders.Decibel {
	return want.Target - ladders.Decibel(math.Round(m.lufs*100))
}

func (m measured) String() string {
	if m.lufs <= silence {
		return "silent, or too short to measure"
	}
	return fmt.Sprintf("%.1f LUFS, range %.1f LU, true peak %.1f dBTP", m.lufs, m.lra, m.peak)
}

// soundOf is what a rendition's loudness depends on.
func soundOf(a ladders.Audio, level string) string {
	return fmt.Sprintf("%d %d %v %s", a.Track, a.Channels, a.Map, level)
}

// near is close enough to a target. A limiter takes some loudness away, which
// is given back before it, at most so often.
const near, corrections = ladders.Decibel(15), 3

// measured are the renditions that ask for a loudness.
func (p *Pipeline) measured() (asked []ladders.Rendition) {
	for _, r := range p.o.Spec.Renditions {
		if r.Audio != nil && r.Audio.Loudness != nil && lastTrack(*r.Audio) < len(p.facts.Audio) {
			asked = append(asked, r)
		}
	}
	return asked
}

// measureLoudness reads the whole source, its sound alone, for the renditions
// that ask for it. Every worker of a job finds the same. A stop ends it with
// errFinished: nothing has begun that would have to be finished.
func (p *Pipeline) measureLoudness(ctx context.Context) error {
	asked := p.measured()
	if len(asked) == 0 {
		return nil
	}
	ctx, done := p.untilStop(ctx)
	defer done()
	err := p.measure(ctx, asked)
	if cause := context.Cause(ctx); cause == errFinished { //nolint:errorlint // a sentinel of this package, never wrapped
		return cause
	}
	return err
}

func (p *Pipeline) measure(ctx context.Context, asked []ladders.Rendition) error {
	found, err := p.listen(ctx, asked)
	if err != nil {
		return err
	}
	p.lifts = map[string]lift{}
	for _, r := range asked {
		p.lifts[r.Name] = found[r.Name].lift(*r.Audio.Loudness)
	}
	if err := p.correct(ctx, asked); err != nil {
		return err
	}
	for _, r := range asked {
		p.say(fmt.Sprintf("loudness of %s: %s%s", r.Name, found[r.Name], p.lifts[r.Name].says(*r.Audio.Loudness)))
	}
	return nil
}

// correct listens to what limiters leave until it is loud enough.
func (p *Pipeline) correct(ctx context.Context, asked []ladders.Rendition) error {
	for range corrections {
		asked = slices.DeleteFunc(slices.Clone(asked), func(r ladders.Rendition) bool { return !p.lifts[r.Name].limit })
		left, err := p.listen(ctx, asked)
		if err != nil {
			return err
		}
		var off []ladders.Rendition
		for _, r := range asked {
			if m := left[r.Name].missing(*r.Audio.Loudness); m > near || m < -near {
				l := p.lifts[r.Name]
				l.gain += m
				p.lifts[r.Name], off = l, append(off, r)
			}
		}
		asked = off
	}
	return nil
}

// listen measures renditions as they are lifted so far. Those that sound alike
// share a meter.
func (p *Pipeline) listen(ctx context.Context, rs []ladders.Rendition) (map[string]measured, error) {
	out := sinks{audio: make([]func(*astiav.Frame) error, len(p.facts.Audio))}
	all, made := map[string]*meter{}, map[string]*meter{}
	defer func() {
		out.close()
		for _, t := range all {
			t.close()
		}
	}()
	for _, r := range rs {
		level := p.lifts[r.Name].filters(*r.Audio)
		key := soundOf(*r.Audio, level)
		if all[key] == nil {
			all[key] = &meter{a: *r.Audio, level: level, heard: &p.metered, base: p.facts.Audio[r.Audio.Track].Base, found: measured{lufs: silence - 1}}
			out.hear(*r.Audio, p.facts.Audio, all[key].take)
		}
		made[r.Name] = all[key]
	}
	if len(all) == 0 {
		return nil, nil
	}
	if err := p.runAgain(ctx, out); err != nil {
		return nil, err
	}
	found := map[string]measured{}
	for name, t := range made {
		if err := t.finish(); err != nil {
			return nil, err
		}
		found[name] = t.found
	}
	return found, nil
}

func (p *Pipeline) runAgain(ctx context.Context, out sinks) error {
	src, err := p.again(ctx)
	if err != nil {
		return err
	}
	defer src.close()
	if err := src.run(ctx, out); err != nil {
		return err
	}
	return out.flush()
}

// again opens the source a second time, from its start.
func (p *Pipeline) again(ctx context.Context) (source, error) {
	if strings.HasPrefix(p.o.Spec.Input, input.TestCard) {
		spec, err := parseCard(p.o.Spec.Input)
		return &cardSource{spec: spec, pace: pacer{}}, err
	}
	return openFileSource(ctx, p.o.Spec.Input, p.o.Rules, p.facts, pacer{})
}

// filters are a lift's, with the comma before them.
func (l lift) filters(a ladders.Audio) string {
	return levelled(l.gain, l.limit, a.Loudness.TruePeak, a.SampleRate)
}

// says what is done, for the job's notes.
func (l lift) says(want ladders.Loudness) string {
	switch {
	case l == lift{}:
		return ""
	case l.limit:
		return fmt.Sprintf("; brought to %s LUFS by %s dB, peaks limited to %s dBTP", want.Target, l.gain, want.TruePeak)
	}
	return fmt.Sprintf("; brought to %s LUFS by %s dB", want.Target, l.gain)
}

// meter is one programme's.
type meter struct {
	a     ladders.Audio
	level string // filters before it
	base  timeline.Timebase
	heard *atomic.Int64 // frames
	g     *graph
	built string
	ended bool
	found measured
}

func (t *meter) close() {
	if t.g != nil {
		t.g.Close()
	}
}

func (t *meter) take(f *astiav.Frame) error {
	t.heard.Add(1)
	if f.SampleRate() <= 0 || f.NbSamples() <= 0 {
		return nil
	}
	if key := audioKey(f); t.built != key {
		if t.g != nil {
			return nil // a splice to another format: what came before it is measured
		}
		chain := fmt.Sprintf("%s%s,aformat=channel_layouts=%s%s,ebur128=peak=true:metadata=1:framelog=quiet", mapped(t.a), mixed(t.a.SampleRate, ""), layout(t.a.Channels), t.level)
		var err error
		if t.g, err = newAudioGraph(f, t.base, chain); err != nil {
			return &media.Error{Code: media.EncoderError, Message: "measure loudness", Advice: "leave loudness out of the ladder", Err: err}
		}
		t.built = key
	}
	return t.g.push(f, t.look)
}

// look reads what the meter says so far.
func (t *meter) look(f *astiav.Frame) error {
	d := f.Metadata()
	if d == nil {
		return nil
	}
	get := func(key string) float64 {
		e := d.Get("lavfi.r128."+key, nil, astiav.NewDictionaryFlags())
		if e == nil {
			return math.NaN()
		}
		v, err := strconv.ParseFloat(e.Value(), 64)
		if err != nil {
			return math.NaN()
		}
		return v
	}
	// Peaks are told as samples are, 1 being full scale.
	if m := (measured{get("I"), get("LRA"), 20 * math.Log10(get("true_peak"))}); !math.IsNaN(m.lufs + m.lra) {
		t.found = m
	}
	return nil
}

func (t *meter) finish() error {
	if t.g == nil {
		t.found = measured{lufs: silence - 1}
		return nil
	}
	if t.ended {
		return nil
	}
	t.ended = true
	return t.g.push(nil, t.look)
}
