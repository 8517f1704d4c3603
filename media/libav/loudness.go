package libav

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

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

// lift is the gain that brings m to what is wanted, with a limiter where peaks
// would come above what is allowed.
func (m measured) lift(want ladders.Loudness) (gain ladders.Decibel, limit bool) {
	if want.Measure || m.lufs <= silence {
		return 0, false
	}
	gain = want.Target - ladders.Decibel(math.Round(m.lufs*100))
	return gain, m.peak+float64(gain)/100 > float64(want.TruePeak)/100
}

func (m measured) String() string {
	if m.lufs <= silence {
		return "silent, or too short to measure"
	}
	return fmt.Sprintf("%.1f LUFS, range %.1f LU, true peak %.1f dBTP", m.lufs, m.lra, m.peak)
}

// meters measure what renditions will be made of. Those that sound alike share one.
type meters struct {
	p    *Pipeline
	all  map[string]*meter
	made map[string]string // of a rendition: its meter
}

// soundOf is what a rendition's loudness depends on.
func soundOf(a ladders.Audio) string {
	return fmt.Sprintf("%d %d %v", a.Track, a.Channels, a.Map)
}

// measureLoudness reads the whole source once, its sound alone, for the
// renditions that ask for it. Every worker of a job measures the same.
func (p *Pipeline) measureLoudness(ctx context.Context) error {
	m := meters{p: p, all: map[string]*meter{}, made: map[string]string{}}
	defer m.close()
	out := sinks{audio: make([]func(*astiav.Frame) error, len(p.facts.Audio))}
	for _, r := range p.o.Spec.Renditions {
		if r.Audio == nil || r.Audio.Loudness == nil || r.Audio.Track >= len(p.facts.Audio) {
			continue
		}
		key := soundOf(*r.Audio)
		m.made[r.Name] = key
		if m.all[key] == nil {
			t := &meter{a: *r.Audio, seen: &p.metered, base: p.facts.Audio[r.Audio.Track].Base}
			m.all[key] = t
			out.hear(*r.Audio, p.facts.Audio, t.take)
		}
	}
	defer out.close()
	if len(m.all) == 0 {
		return nil
	}
	src, err := p.again(ctx)
	if err != nil {
		return err
	}
	defer src.close()
	if err := src.run(ctx, out); err != nil {
		return err
	}
	if err := out.flush(); err != nil {
		return err
	}
	return m.tell()
}

// again opens the source a second time, from its start.
func (p *Pipeline) again(ctx context.Context) (source, error) {
	if strings.HasPrefix(p.o.Spec.Input, input.TestCard) {
		spec, err := parseCard(p.o.Spec.Input)
		return &cardSource{spec: spec, pace: pacer{}}, err
	}
	return openFileSource(ctx, p.o.Spec.Input, p.o.Rules, p.facts, pacer{})
}

// tell keeps what was found, in the renditions' order.
func (m *meters) tell() error {
	m.p.loud = map[string]measured{}
	for _, key := range slices.Sorted(maps.Keys(m.all)) {
		if err := m.all[key].finish(); err != nil {
			return err
		}
	}
	for _, r := range m.p.o.Spec.Renditions {
		if key, ok := m.made[r.Name]; ok {
			found := m.all[key].found
			m.p.loud[r.Name] = found
			m.p.say(fmt.Sprintf("loudness of %s: %s%s", r.Name, found, lifted(found, *r.Audio.Loudness)))
		}
	}
	return nil
}

func lifted(m measured, want ladders.Loudness) string {
	gain, limit := m.lift(want)
	switch {
	case want.Measure || m.lufs <= silence:
		return ""
	case limit:
		return fmt.Sprintf("; brought to %s LUFS by %s dB, peaks limited to %s dBTP", want.Target, gain, want.TruePeak)
	}
	return fmt.Sprintf("; brought to %s LUFS by %s dB", want.Target, gain)
}

func (m *meters) close() {
	for _, t := range m.all {
		if t.g != nil {
			t.g.Close()
		}
	}
}

// meter is one programme's.
type meter struct {
	a     ladders.Audio
	base  timeline.Timebase
	seen  interface{ Add(int64) int64 }
	g     *graph
	built string
	found measured
}

func (t *meter) take(f *astiav.Frame) error {
	t.seen.Add(1)
	if f.SampleRate() <= 0 || f.NbSamples() <= 0 {
		return nil
	}
	if key := audioKey(f); t.built != key {
		if t.g != nil {
			return nil // a splice to another format: what came before it is measured
		}
		chain := fmt.Sprintf("%s%s,aformat=sample_rates=48000:channel_layouts=%s,ebur128=peak=true:metadata=1:framelog=quiet", mapped(t.a), mixed(48000, ""), layout(t.a.Channels))
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
	return t.g.push(nil, t.look)
}
