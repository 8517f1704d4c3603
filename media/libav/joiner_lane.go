package libav

import (
	"fmt"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/timeline"
)

// lane is one track as samples of the joiner's rate: runs in a row, the oldest
// first. A stretch in which nothing came is counted, not stored.
type lane struct {
	base    timeline.Timebase
	g       *graph
	built   string
	begun   bool
	at, end int64 // samples at which the first run begins and the last one ends
	runs    []run
	held    *backlog
}

func (l *lane) rebuild(f *astiav.Frame, rate int64) error {
	key := audioKey(f)
	if l.built == key {
		return nil
	}
	if err := l.drain(rate); err != nil {
		return err
	}
	if l.g != nil {
		l.g.Close()
	}
	var err error
	if l.g, err = newAudioGraph(f, l.base, fmt.Sprintf("aresample=%d,aformat=sample_fmts=fltp", rate)); err != nil {
		return fmt.Errorf("join tracks: %w", err)
	}
	l.built = key
	return nil
}

// drain takes what the resampler holds back: it follows what came last.
func (l *lane) drain(rate int64) error {
	if l.g == nil || !l.begun {
		return nil
	}
	return l.g.push(nil, func(out *astiav.Frame) error {
		samples, err := planar(out)
		if err == nil {
			err = l.add(l.end, samples, rate)
		}
		return err
	})
}

// add puts samples of time at behind what is there: counted on, unless their
// time says that some are missing or come twice.
func (l *lane) add(at int64, samples [][]float32, rate int64) error {
	if !l.begun {
		l.begun, l.at, l.end = true, at, at
	}
	switch off := at - l.end; {
	case off > rate*laneStray/1000 && off < rate*laneGap:
		l.quiet(off)
	case off < -rate*laneStray/1000:
		for i := range samples {
			samples[i] = samples[i][min(-off, int64(len(samples[i]))):]
		}
	}
	return l.append(samples)
}

// quiet goes on with n samples of silence.
func (l *lane) quiet(n int64) {
	if last := len(l.runs) - 1; last < 0 || !l.runs[last].silent() {
		l.runs = append(l.runs, run{})
	}
	l.runs[len(l.runs)-1].n += n
	l.end += n
}

// append goes on with samples. Runs that are full may leave memory.
func (l *lane) append(samples [][]float32) error {
	for len(samples) > 0 && len(samples[0]) > 0 {
		r := l.open(len(samples))
		n := min(l.held.full-r.n, int64(len(samples[0])))
		for i := range samples {
			r.lines[i] = append(r.lines[i], samples[i][:n]...)
			samples[i] = samples[i][n:]
		}
		r.n, l.end = r.n+n, l.end+n
		if err := l.held.grown(r, n); err != nil {
			return err
		}
	}
	return nil
}

// open is the run that goes on: the last one, or another where that is silent,
// full, or of another number of channels (a splice).
func (l *lane) open(channels int) *run {
	if last := len(l.runs) - 1; last < 0 || len(l.runs[last].lines) != channels || l.runs[last].n >= l.held.full {
		l.runs = append(l.runs, run{lines: make([][]float32, channels)})
	}
	return &l.runs[len(l.runs)-1]
}

// part is n samples of a channel from sample at on, silent where it has none.
func (l *lane) part(channel int, at, n int64) ([]float32, error) {
	out := make([]float32, n)
	begin := l.at
	for i := range l.runs {
		r := &l.runs[i]
		if begin >= at+n {
			break
		}
		if begin+r.n > at {
			if err := l.held.fetch(r); err != nil {
				return nil, err
			}
			r.copy(out, channel, begin-at)
		}
		begin += r.n
	}
	return out, nil
}

// forget lets go of what was handed out.
func (l *lane) forget(before int64) {
	if !l.begun {
		return
	}
	for len(l.runs) > 0 && l.at < before {
		r := &l.runs[0]
		n := min(before-l.at, r.n)
		l.held.cut(r, n)
		l.at += n
		if r.n == 0 {
			*r = run{}
			l.runs = l.runs[1:]
		}
	}
	l.at = max(l.at, before)
	l.end = max(l.end, l.at)
}

// run is n samples in a row: silence, or a line for each channel, in memory or
// in the backlog's file.
type run struct {
	n      int64
	lines  [][]float32
	places []int64
}

func (r *run) silent() bool { return r.lines == nil && r.places == nil }

// copy puts a channel's samples into out, the first of them at its index at.
func (r *run) copy(out []float32, channel int, at int64) {
	if channel >= len(r.lines) {
		return
	}
	to, from := max(0, at), max(0, -at)
	if to < int64(len(out)) && from < r.n {
		copy(out[to:], r.lines[channel][from:])
	}
}
