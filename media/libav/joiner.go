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
	skew  int64         // samples that lanes may run apart
	emit  func(*astiav.Frame) error

	mu    sync.Mutex // tracks are decoded side by side
	next  int64      // the sample that comes out next
	begun bool
}

// lane is one track as samples of the joiner's rate.
type lane struct {
	base  timeline.Timebase
	g     *graph
	built string
	at    int64       // the sample at which data begins
	data  [][]float32 // a line of samples for each channel
	begun bool
}

// How far lanes may run apart, in seconds: a file's tracks are decoded side by
// side, each at its own pace; of a live source one waits until another counts
// as silent. How far timestamps may stray before samples are added or cut, and
// how much silence one gap may be.
const (
	fileSkew, liveSkew = 60, 3
	laneStray          = 20   // ms
	laneGap            = 3600 // seconds
	joinAt             = 1024 // samples
)

// joins tells a rendition that is made of channels of several tracks.
func joins(a ladders.Audio) bool { return len(a.Map) > 0 && a.Map[0].Track > 0 }

func newJoiner(a ladders.Audio, tracks []AudioInfo, live bool, emit func(*astiav.Frame) error) *joiner {
	j := &joiner{a: a, skew: fileSkew * int64(a.SampleRate), base: tracks[a.Track].Base, rate: int64(a.SampleRate), lanes: map[int]*lane{}, emit: emit}
	if live {
		j.skew = liveSkew * j.rate
	}
	for _, c := range a.Map {
		j.lanes[c.Track-1] = &lane{base: tracks[c.Track-1].Base}
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
	if err := l.rebuild(f, int(j.rate)); err != nil {
		return err
	}
	if err := l.g.push(f, func(out *astiav.Frame) error {
		samples, err := planar(out)
		if err == nil {
			l.add(at, samples, j.rate)
			at += int64(out.NbSamples())
		}
		return err
	}); err != nil {
		return err
	}
	return j.give(joinAt, false)
}

func (l *lane) rebuild(f *astiav.Frame, rate int) (err error) {
	key := audioKey(f)
	if l.built == key {
		return nil
	}
	if l.g != nil {
		l.g.Close()
	}
	if l.g, err = newAudioGraph(f, l.base, fmt.Sprintf("aresample=%d,aformat=sample_fmts=fltp", rate)); err != nil {
		return fmt.Errorf("join tracks: %w", err)
	}
	l.built = key
	return nil
}

// add puts samples of time at behind what is there: counted on, unless their
// time says that some are missing or come twice.
func (l *lane) add(at int64, samples [][]float32, rate int64) {
	if !l.begun {
		l.begun, l.at, l.data = true, at, make([][]float32, len(samples))
	}
	switch off := at - l.end(); {
	case off > rate*laneStray/1000 && off < rate*laneGap:
		l.extend(off)
	case off < -rate*laneStray/1000:
		for i := range samples {
			samples[i] = samples[i][min(-off, int64(len(samples[i]))):]
		}
	}
	for i := range min(len(l.data), len(samples)) {
		l.data[i] = append(l.data[i], samples[i]...)
	}
	l.square()
}

// square makes all channels as long as the first: a splice may bring fewer.
func (l *lane) square() {
	for i := range l.data {
		if n := len(l.data[0]) - len(l.data[i]); n > 0 {
			l.data[i] = append(l.data[i], make([]float32, n)...)
		}
	}
}

func (l *lane) end() int64 {
	if len(l.data) == 0 {
		return l.at
	}
	return l.at + int64(len(l.data[0]))
}

func (l *lane) extend(n int64) {
	for i := range l.data {
		l.data[i] = append(l.data[i], make([]float32, n)...)
	}
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
		first, to, furthest = min(first, l.at), min(to, l.end()), max(furthest, l.end())
	}
	if first == math.MaxInt64 {
		return nil
	}
	if !j.begun {
		j.next = first
	}
	late := furthest-j.next > j.skew
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
		samples = append(samples, j.lanes[c.Track-1].part(c.Channel-1, j.next, n)...)
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

// part is n samples of a channel from sample at on, silent where it has none.
func (l *lane) part(channel int, at, n int64) []float32 {
	out := make([]float32, n)
	if channel >= len(l.data) {
		return out
	}
	have := l.data[channel]
	to, from := max(0, l.at-at), max(0, at-l.at)
	if to < n && from < int64(len(have)) {
		copy(out[to:], have[from:])
	}
	return out
}

// forget lets go of what was handed out.
func (l *lane) forget(before int64) {
	n := before - l.at
	if n <= 0 || !l.begun {
		return
	}
	for i := range l.data {
		l.data[i] = l.data[i][min(n, int64(len(l.data[i]))):]
	}
	l.at = before
}

// flush hands out the rest.
func (j *joiner) flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.give(1, true)
}

func (j *joiner) close() {
	for _, l := range j.lanes {
		if l.g != nil {
			l.g.Close()
		}
	}
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
