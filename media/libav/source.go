package libav

import (
	"context"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// source delivers decoded frames in order, each stream to its own sink. Frames'
// Pts are in the stream's base, continuous over splices and loops; a live
// source's are its own clock since the Unix epoch and come no earlier than that.
type source interface {
	// info is what was probed, Video and Audio in the order of the sinks.
	info() Info
	// run delivers until the end of the source, ctx, or an error of a sink.
	run(ctx context.Context, out sinks) error
	// stats so far, safe to call at any time.
	stats() sourceStats
	close()
}

// sinks take frames; they must not keep them (Clone to keep). A nil video sink
// and nil audio sinks want nothing.
type sinks struct {
	video func(*astiav.Frame) error
	audio []func(*astiav.Frame) error // by index into Info.Audio
	text  []textSink                  // by index into Info.Text
	// packets take a track's packets as they are, each after its frames, at a time
	// in the track's base or at noPTS; nil at noPTS is one that did not decode, nil at
	// a time a pause up to there. By index into Info.Audio. They copy what they keep.
	packets []func(p *astiav.Packet, at int64) error
	// joiners hold back what the end of the source has to push out.
	joiners []*joiner
	live    bool
}

// flush pushes out what joiners hold, when the source has ended.
func (s *sinks) flush() error {
	for _, j := range s.joiners {
		if err := j.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (s *sinks) close() {
	for _, j := range s.joiners {
		j.close()
	}
}

// hear brings to take what a rendition is made of: frames of one track, or of
// several as one.
func (s *sinks) hear(a ladders.Audio, tracks []AudioInfo, take func(*astiav.Frame) error) {
	if !joins(a) {
		s.audio[a.Track] = tee(s.audio[a.Track], take)
		return
	}
	j := newJoiner(a, tracks, s.live, take)
	s.joiners = append(s.joiners, j)
	for t := range j.lanes {
		s.audio[t] = tee(s.audio[t], func(f *astiav.Frame) error { return j.put(t, f) })
	}
}

type sourceStats struct {
	decoded, errors int64
	notes           []string
}

// pacer holds frames back until their time has come.
type pacer struct {
	now   func() time.Time
	live  bool
	gauge *gauge // of pictures, where they are live
}

// aged tells the gauge how long after t ticks of base since the epoch a picture is
// handed on.
func (p pacer) aged(t int64, base timeline.Timebase) {
	if !p.live || p.gauge == nil {
		return
	}
	at := time.Duration(timeline.Rescale(t, base, microseconds)) * time.Microsecond
	p.gauge.note(time.Duration(p.now().UnixNano())-at, at)
}

// wait returns when the wall clock reaches t ticks of base since the epoch.
func (p pacer) wait(ctx context.Context, t int64, base timeline.Timebase) error {
	if !p.live {
		return ctx.Err()
	}
	at := time.UnixMicro(timeline.Rescale(t, base, microseconds))
	d := at.Sub(p.now())
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
