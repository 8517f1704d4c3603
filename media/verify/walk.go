package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/galafarm/gala/media/cmaf"
)

// walk reads every segment of a rendition once, in order: checks it, keeps its
// summary and hands it to the decoder.
func (t *tree) walk(ctx context.Context, b *book, r *rendition, d Decoder, k unlocker) error {
	s := newSession(d, k)
	for _, e := range r.list.entries {
		if err := t.step(ctx, b, r, e, s); err != nil {
			return errors.Join(err, s.close())
		}
	}
	if err := s.close(); err != nil {
		return err
	}
	s.judge(b, r)
	return nil
}

func (t *tree) step(ctx context.Context, b *book, r *rendition, e entry, s *session) error {
	b.holds("names", e.named() == e.number, at(e.path), "its media sequence number is %d", e.number)
	b.looked("no-gap")
	if e.gap {
		b.broke("no-gap", at(e.path), "segment %d is a gap", e.number)
		return nil
	}
	init, err := t.initOf(ctx, b, r, e)
	if err != nil || init == nil {
		return err
	}
	o, err := t.store.get(ctx, e.path)
	if errors.Is(err, errNotThere) {
		return t.missing(ctx, b, r, e)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannotLook, err)
	}
	b.looked("files")
	seg := t.read(b, r, e, init, o.body)
	if seg == nil {
		return nil
	}
	open, ok, err := s.keys.unlock(init, o.body)
	switch {
	case err != nil:
		b.holds("decode", false, at(e.path), "it does not decrypt: %v", err)
		return nil
	case !ok:
		s.locked = true
		return nil
	}
	return s.feed(ctx, init, seg, open)
}

// read parses a segment and applies the rules that it can break alone.
func (t *tree) read(b *book, r *rendition, e entry, init *initSegment, body []byte) *segment {
	p, err := cmaf.Parse(init.track, body)
	if err != nil {
		b.broke("frames", at(e.path), "%v", err)
		return nil
	}
	seg := newSegment(e, init, body, p)
	r.segments = append(r.segments, seg)
	b.counted(seg.frames, seg.size)
	seg.checkLock(b, p)
	if init.track.Video {
		seg.checkVideo(b, p)
		r.checkIFrames(b, e, p)
		r.seeCaptions(init.track.Format, p.Samples())
	} else {
		seg.checkAudio(b, p)
	}
	return seg
}

// missing: a segment that slid out of a live window while we read is no fault.
func (t *tree) missing(ctx context.Context, b *book, r *rendition, e entry) error {
	if r.list.sliding() {
		again, err := t.readPlaylist(ctx, b, r.path)
		if err != nil {
			return err
		}
		if again != nil && len(again.entries) > 0 && again.entries[0].number > e.number {
			return nil
		}
	}
	b.holds("files", false, at(e.path), "listed, but not there")
	return nil
}

// initOf reads the init segment of an entry, once.
func (t *tree) initOf(ctx context.Context, b *book, r *rendition, e entry) (*initSegment, error) {
	b.holds("apple-8.20", e.init != "", at(r.path), "segment %d has no EXT-X-MAP", e.number)
	if init, ok := r.inits[e.init]; ok || e.init == "" {
		return init, nil
	}
	r.inits[e.init] = nil
	o, err := t.store.get(ctx, e.init)
	if errors.Is(err, errNotThere) {
		b.holds("files", false, at(e.init), "listed, but not there")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotLook, err)
	}
	b.looked("init")
	init, err := parseInit(e.init, o.body)
	if err != nil {
		b.broke("init", at(e.init), "%v", err)
		return nil, nil
	}
	init.check(b)
	r.inits[e.init] = init
	return init, nil
}

// checkIFrames compares the I-frame playlist's entries of one segment with the
// fragments that it really has.
func (r *rendition) checkIFrames(b *book, e entry, p *cmaf.Parsed) {
	if r.iframes == nil {
		return
	}
	listed, real := r.ranges[e.path], p.IFrames()
	b.looked("iframes", "apple-6.10")
	// The two playlists of a job that goes on are not written at one instant.
	if len(listed) == 0 && !r.list.closed {
		return
	}
	if len(listed) != len(real) {
		b.broke("iframes", at(r.iframes.path), "%d ranges of %s, which has %d IDR fragments", len(listed), e.path, len(real))
	}
	for i := range min(len(listed), len(real)) {
		if listed[i].Offset != real[i].Offset {
			b.broke("apple-6.10", at(e.path).byte(listed[i].Offset), "the range does not begin at the moof at %d", real[i].Offset)
		}
		if listed[i] != real[i] {
			b.broke("iframes", at(e.path).byte(listed[i].Offset), "the range is %d bytes at %d; the IDR is %d bytes at %d",
				listed[i].Size, listed[i].Offset, real[i].Size, real[i].Offset)
		}
	}
}
