package libav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// joiner makes one track of channels of several: broadcasters' files have a
// track for each. Channels meet by their timestamps; what one lacks is silence.
type joiner struct {
	a     ladders.Audio
	base  timeline.Timebase // of what comes out
	rate  int64
	lanes map[int]*lane // by index of the track
	skew  int64         // samples that a lane may be behind before it counts as silent
	held  *backlog      // of all lanes
	emit  func(*astiav.Frame) error

	mu    sync.Mutex // tracks are decoded side by side
	next  int64      // the sample that comes out next
	begun bool
}

// How long a live source's lane is waited for before it counts as silent, in
// seconds; a file's lanes are waited for to its end, wherever they lie in it. How
// far timestamps may stray before samples are added or cut, and how much silence
// one gap may be.
const (
	liveSkew  = 3
	laneStray = 20   // ms
	laneGap   = 3600 // seconds
	joinAt    = 1024 // samples
)

// joins tells a rendition that is made of channels of several tracks.
func joins(a ladders.Audio) bool { return len(a.Map) > 0 && a.Map[0].Track > 0 }

func newJoiner(a ladders.Audio, tracks []AudioInfo, live bool, emit func(*astiav.Frame) error) *joiner {
	j := &joiner{a: a, skew: math.MaxInt64, base: tracks[a.Track].Base, rate: int64(a.SampleRate), lanes: map[int]*lane{}, held: newBacklog(int64(a.SampleRate)), emit: emit}
	if live {
		j.skew = liveSkew * j.rate
	}
	for _, c := range a.Map {
		j.lanes[c.Track-1] = &lane{base: tracks[c.Track-1].Base, held: j.held}
	}
	return j
}

// put takes a frame of one track.
func (j *joiner) put(track int, f *astiav.Frame) error {
	if f.SampleRate() <= 0 || f.NbSamples() <= 0 {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.lanes[track]
	at := timeline.Rescale(f.Pts(), l.base, timeline.Timebase{Num: 1, Den: j.rate})
	if err := l.rebuild(f, j.rate); err != nil {
		return err
	}
	if err := l.g.push(f, func(out *astiav.Frame) error {
		samples, err := planar(out)
		if err == nil {
			err = l.add(at, samples, j.rate)
			at += int64(out.NbSamples())
		}
		return err
	}); err != nil {
		return err
	}
	return j.give(joinAt, false)
}

// give hands out what every lane has, at least so many samples. At the end, or
// where one is too far behind, silence stands for what is missing.
func (j *joiner) give(least int64, all bool) error {
	first, from, to, furthest := int64(math.MaxInt64), true, int64(math.MaxInt64), int64(math.MinInt64)
	for _, l := range j.lanes {
		if !l.begun {
			from = false
			continue
		}
		first, to, furthest = min(first, l.at), min(to, l.end), max(furthest, l.end)
	}
	if first == math.MaxInt64 {
		return nil
	}
	if !j.begun {
		j.next = first
	}
	late := j.skew < furthest-j.next
	switch {
	case all:
		to = furthest
	case late:
		to = furthest - j.skew
	case !from:
		return nil
	}
	if to-j.next < least && !(all && to > j.next) {
		return nil
	}
	j.begun = true
	for j.next < to {
		if err := j.one(min(to-j.next, 4*joinAt)); err != nil {
			return err
		}
	}
	return nil
}

// one hands out n samples.
func (j *joiner) one(n int64) error {
	var samples []float32
	for _, c := range j.a.Map {
		line, err := j.lanes[c.Track-1].part(c.Channel-1, j.next, n)
		if err != nil {
			return err
		}
		samples = append(samples, line...)
	}
	f := astiav.AllocFrame()
	defer f.Free()
	f.SetSampleFormat(astiav.SampleFormatFltp)
	f.SetChannelLayout(layout(len(j.a.Map)))
	f.SetSampleRate(int(j.rate))
	f.SetNbSamples(int(n))
	f.SetPts(timeline.Rescale(j.next, timeline.Timebase{Num: 1, Den: j.rate}, j.base))
	if err := errors.Join(f.AllocBuffer(1), f.Data().SetBytes(floatBytes(samples), 1)); err != nil {
		return fmt.Errorf("join tracks: %w", err)
	}
	j.next += n
	for _, l := range j.lanes {
		l.forget(j.next)
	}
	return j.emit(f)
}

// flush hands out the rest.
func (j *joiner) flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lanes {
		if err := l.drain(j.rate); err != nil {
			return err
		}
	}
	return j.give(1, true)
}

func (j *joiner) close() {
	for _, l := range j.lanes {
		if l.g != nil {
			l.g.Close()
		}
	}
	j.held.close()
}

// planar are a frame's samples, a line for each channel.
func planar(f *astiav.Frame) ([][]float32, error) {
	n, channels := f.NbSamples(), f.ChannelLayout().Channels()
	size, err := f.SamplesBufferSize(1)
	if err != nil {
		return nil, fmt.Errorf("read samples: %w", err)
	}
	b := make([]byte, size)
	if _, err := f.SamplesCopyToBuffer(b, 1); err != nil {
		return nil, fmt.Errorf("read samples: %w", err)
	}
	out := make([][]float32, channels)
	for c := range out {
		out[c] = make([]float32, n)
		for i := range out[c] {
			out[c][i] = math.Float32frombits(binary.NativeEndian.Uint32(b[4*(c*n+i):]))
		}
	}
	return out, nil
}
