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
// video lasts from the first frame to the last and one usual step more.
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
	if step := at - e.last; step > 0 {
		e.gap = step
	}
	e.first, e.last = min(e.first, at), max(e.last, at)
	e.frames++
	e.samples += f.Samples
}

// lasts: the last step stands for the last frame's own length.
func (e extent) lasts() int64 {
	if e.frames == 0 {
		return 0
	}
	return e.last - e.first + e.gap
}

// syncSlack is the A/V tolerance of the product, 20 ms.
const syncSlack = 20_000

func (t *tree) judgeSource(b *book, video, audio extent) {
	if videos := t.videos(); len(videos) > 0 && video.frames > 0 {
		from, to, frame := videos[0].span()
		want := video.lasts()
		if audio.frames > 0 {
			// The first picture stands while sound runs ahead of it.
			want += max(0, video.first-audio.first)
		}
		b.holds("source-video", distance(to-from, want) <= max(frame, video.gap), at(videos[0].path),
			"%d µs, the source's lasts %d µs", to-from, want)
	} else {
		b.skip("no video on one side", "source-video")
	}
	for _, r := range t.audios() {
		from, to, frame := r.span()
		if audio.frames == 0 {
			break
		}
		// The longer of the two tracks of a source sets the length of both here.
		want := max(audio.lasts(), video.lasts())
		b.holds("source-audio", distance(to-from, want) <= frame+syncSlack || distance(to-from, audio.lasts()) <= frame+syncSlack, at(r.path),
			"%d µs, the source's lasts %d µs", to-from, audio.lasts())
	}
	if len(t.audios()) == 0 || audio.frames == 0 {
		b.skip("no audio on one side", "source-audio")
	}
}
