package verify

import (
	"context"
	"fmt"
	"maps"
	"path"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/galafarm/gala/media/keys"
)

// Options say what to look at.
type Options struct {
	// Target is a directory (the tree, or one that holds exactly one), an
	// http(s) URL of a tree, or either's master.m3u8.
	Target string
	// Against is a second tree that should be interchangeable with the first.
	Against string
	// Source is the file that the tree was made from.
	Source string
	// Keys open encrypted renditions for the decoder; without the key of one,
	// only how it is encrypted is judged.
	Keys keys.Set
	// Decoder decodes; without one the decode rules are not applicable.
	Decoder Decoder
	// Parallel renditions at a time; 0 means 2.
	Parallel int
}

// Run looks at everything and reports. It errs with ErrCannotLook when there
// is nothing to judge; a broken rule is in the report, not an error.
func Run(ctx context.Context, o Options) (Report, error) {
	t, b, err := settled(ctx, o.Target)
	if err != nil {
		return Report{}, err
	}
	if err := t.look(ctx, b, o); err != nil {
		return Report{}, err
	}
	t.judge(b)
	compared, err := compare(ctx, b, t, o)
	if err != nil {
		return Report{}, err
	}
	if err := compareSource(ctx, b, t, o); err != nil {
		return Report{}, err
	}
	out := b.report(t.store.String(), len(t.renditions))
	out.Compared = compared
	return out, nil
}

// How often lists that disagree are read again, and after how long.
const (
	againMost  = 10
	againAfter = 300 * time.Millisecond
)

// settled reads the playlists and the manifest. Those of a job that goes on are
// written one after the other: where they name different renditions they are read
// again, and what they say at last is judged.
func settled(ctx context.Context, target string) (*tree, *book, error) {
	for again := 0; ; again++ {
		t, err := open(ctx, target)
		if err != nil {
			return nil, nil, err
		}
		b := newBook(Rules())
		if err := t.readLists(ctx, b); err != nil {
			return nil, nil, err
		}
		if again == againMost || t.complete() || t.agree() {
			return t, b, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(againAfter):
		}
	}
}

func (t *tree) readLists(ctx context.Context, b *book) (err error) {
	if err := t.readPlaylists(ctx, b); err != nil {
		return err
	}
	t.manifest, err = t.readManifest(ctx, b)
	return err
}

// agree tells whether the master playlist and the manifest's last Period name the
// same pictures and sound, or one of them is missing.
func (t *tree) agree() bool {
	if t.manifest == nil || len(t.manifest.doc.Periods) == 0 {
		return true
	}
	listed, promised := map[string]bool{}, map[string]bool{}
	for _, r := range t.renditions {
		listed[r.name] = true
	}
	last := t.manifest.doc.Periods[len(t.manifest.doc.Periods)-1]
	for _, set := range last.AdaptationSets {
		if set.ContentType != "video" && set.ContentType != "audio" {
			continue
		}
		for _, r := range set.Representations {
			for _, base := range t.manifest.bases() {
				promised[path.Join(base, r.Id)] = true
			}
		}
	}
	return maps.Equal(listed, promised)
}

// look reads every segment of every rendition.
func (t *tree) look(ctx context.Context, b *book, o Options) (err error) {
	if err := t.judgeSteering(ctx, b); err != nil {
		return err
	}
	if t.gallery, err = t.readThumbnails(ctx, b); err != nil {
		return err
	}
	outer := ctx
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(o.parallel())
	for _, r := range t.renditions {
		g.Go(func() error {
			if err := t.walk(ctx, b, r, o.Decoder, newUnlocker(o.Keys)); err != nil {
				return fmt.Errorf("rendition %s: %w", r.name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := t.readMP4s(outer, b); err != nil {
		return err
	}
	if err := t.walkTexts(outer, b); err != nil {
		return err
	}
	return t.walkBoxes(outer, b)
}

func (o Options) parallel() int {
	if o.Parallel > 0 {
		return o.Parallel
	}
	return 2
}

// judge applies the rules that need more than one segment.
func (t *tree) judge(b *book) {
	for _, r := range t.renditions {
		t.judgeTrack(b, r)
	}
	t.judgeAlignment(b)
	t.judgeMaster(b)
	t.judgeManifest(b)
	t.judgeBrands(b)
	t.judgeLapses(b)
	t.judgeLocks(b)
	t.judgeCaptions(b)
	t.judgeDashCaptions(b)
	t.judgeDashTexts(b)
	t.judgeThumbnails(b)
	t.judgeMP4s(b)
	t.judgeTexts(b)
	t.judgeApple(b)
}

// Exit codes of `gala verify`.
const (
	ExitPasses     = 0
	ExitBroken     = 1
	ExitCannotLook = 2
)

// ExitCode is what the command ends with.
func ExitCode(r Report, err error) int {
	switch {
	case err != nil:
		return ExitCannotLook
	case !r.OK():
		return ExitBroken
	}
	return ExitPasses
}
