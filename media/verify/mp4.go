package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/galafarm/gala/media/progressive"
)

// single is one MP4 file of a rendition, by its index.
type single struct {
	path   string
	of     *rendition
	tracks []progressive.Track
	size   int64 // -1 where it is not told
}

// readMP4s finds the files beside the renditions. They are made on request, of
// clips.
func (t *tree) readMP4s(ctx context.Context, b *book) error {
	for _, r := range t.renditions {
		if t.live() || !r.video() {
			continue
		}
		s := single{path: r.name + ".mp4", of: r}
		body, size, err := t.store.open(ctx, s.path)
		if errors.Is(err, errNotThere) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrCannotLook, s.path, err)
		}
		s.size = size
		s.tracks, err = progressive.Read(body)
		_ = body.Close() // it was only read
		if b.holds("mp4", err == nil, at(s.path), "%v", err); err == nil {
			t.singles = append(t.singles, s)
		}
	}
	if len(t.singles) == 0 {
		b.skip("no MP4 file", "mp4")
	}
	return nil
}

// judgeMP4s: a file has the frames of the segments, and shows them when they do.
func (t *tree) judgeMP4s(b *book) {
	for _, s := range t.singles {
		pictures := 0
		for i, track := range s.tracks {
			where := at(s.path)
			b.holds("mp4", s.size < 0 || track.LastChunk < s.size, where, "track %d has samples at byte %d of %d", i, track.LastChunk, s.size)
			b.holds("mp4", track.Shown == track.Lasts, where, "track %d shows %d ticks of %d", i, track.Shown, track.Lasts)
			if track.Video {
				pictures++
				b.holds("mp4", sameAs(track, s.of), where, "it has %d frames, %d ticks from %d, %s has %s", track.Samples, track.Lasts, track.Start, s.of.name, s.of.sum())
				continue
			}
			b.holds("mp4", slices.ContainsFunc(t.audios(), func(r *rendition) bool { return sameAs(track, r) }), where, "track %d has %d frames, %d ticks from %d, and no rendition of sound has that",
				i, track.Samples, track.Lasts, track.Start)
		}
		b.holds("mp4", pictures == 1, at(s.path), "it has %d tracks of pictures", pictures)
		b.holds("mp4", len(s.tracks) > pictures || len(t.audios()) == 0, at(s.path), "it has no sound")
	}
}

func sameAs(track progressive.Track, r *rendition) bool {
	if len(r.segments) == 0 {
		return false
	}
	first, last := r.segments[0], r.segments[len(r.segments)-1]
	return track.Samples == r.frameCount() && track.Timescale == first.timescale() && track.Start == first.start && track.Lasts == last.end-first.start
}

func (r *rendition) frameCount() (n int64) {
	for _, s := range r.segments {
		n += int64(s.frames)
	}
	return n
}

func (r *rendition) sum() string {
	if len(r.segments) == 0 {
		return "none"
	}
	first, last := r.segments[0], r.segments[len(r.segments)-1]
	return fmt.Sprintf("%d, %d ticks from %d", r.frameCount(), last.end-first.start, first.start)
}
