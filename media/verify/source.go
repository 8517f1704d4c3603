package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/galafarm/gala/timeline"
)

// compareSource decodes the source and compares how long its tracks last.
func compareSource(ctx context.Context, b *book, t *tree, o Options) error {
	ids := []string{"source-video", "source-audio"}
	switch {
	case o.Source == "":
		b.skip("no source given", ids...)
		return nil
	case o.Decoder == nil:
		b.skip("no gala-worker beside this program to decode with", ids...)
		return nil
	case !t.complete() || t.onAir():
		b.skip("not a finished VOD tree", ids...)
		return nil
	}
	var video, audio extent
	sum, err := o.Decoder.DecodeFile(ctx, o.Source, func(f Frame) {
		switch f.Type {
		case "video":
			video.add(f)
		case "audio":
			audio.add(f)
		}
	})
	if err != nil {
		return errors.Join(ErrCannotLook, err)
	}
	if video.frames+audio.frames == 0 {
		return fmt.Errorf("%w: nothing of the source decodes: %q", ErrCannotLook, sum.Messages)
	}
	b.note("source: %d video frames in %d µs, %d µs of audio, %d decoder errors", video.frames, video.lasts(), audio.lasts(), sum.Errors)
	t.judgeSource(b, video, audio)
	return nil
}

// extent of a decoded track in microseconds. Samples count audio exactly;
// video lasts from the first frame to the last and its smallest step more.
type extent struct {
	frames           int
	first, last, gap int64
	samples          int64
}

func (e *extent) add(f Frame) {
	at := timeline.Rescale(f.PTS, timeline.Timebase{Num: max(f.TB[0], 1), Den: max(f.TB[1], 1)}, timeline.Timebase{Num: 1, Den: 1_000_000})
	if e.frames == 0 {
		e.first, e.last = at, at
	}
	if step := at - e.last; step > 0 && (e.gap == 0 || step < e.gap) {
		e.gap = step
	}
	e.first, e.last = min(e.first, at), max(e.last, at)
	e.frames++
	e.samples += f.Samples
}

// lasts: the smallest step stands for the last frame's own length; larger ones
// are losses.
func (e extent) lasts() int64 {
	if e.frames == 0 {
		return 0
	}
	return e.last - e.first + e.gap
}

// longestFrame is that of the slowest rendition, 0 of none.
func longestFrame(rs []*rendition) (most int64) {
	for _, r := range rs {
		_, _, frame := r.span()
		most = max(most, frame)
	}
	return most
}

// judgeSource: every track of a ladder covers the time from the first thing
// that decodes to the last; a shorter track is filled.
func (t *tree) judgeSource(b *book, video, audio extent) {
	from, to := union(video, audio)
	// A frame of each kind: tracks never end on the same tick, and the pictures of
	// all rungs end with one of the slowest.
	slack := longestFrame(t.videos()) + longestFrame(t.audios())
	judge := func(rule string, rs []*rendition, source extent) {
		if len(rs) == 0 || source.frames == 0 {
			b.skip("no such track on one side", rule)
			return
		}
		for _, r := range rs[:1] {
			start, end, _ := r.span()
			b.holds(rule, distance(end-start, to-from) <= slack, at(r.path), "%d µs, what decodes of the source lasts %d µs", end-start, to-from)
		}
	}
	judge("source-video", t.videos(), video)
	judge("source-audio", t.audios(), audio)
}

// union is the time that two tracks cover together, in microseconds.
func union(video, audio extent) (from, to int64) {
	switch {
	case video.frames == 0:
		return audio.first, audio.first + audio.lasts()
	case audio.frames == 0:
		return video.first, video.first + video.lasts()
	}
	return min(video.first, audio.first), max(video.first+video.lasts(), audio.first+audio.lasts())
}
