package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/media/captions"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/webvtt"
)

// tree is one job's output.
type tree struct {
	store      store
	masterPath string
	master     *m3u8.MasterPlaylist
	// masterObject keeps the headers of the delivery.
	masterObject object
	renditions   []*rendition
	manifest     *manifest    // nil without
	texts        []*rendition // of subtitles
	gallery      *gallery     // nil without thumbnails
	singles      []single     // MP4 files
}

// rendition is one media playlist of the tree and what was read of it.
type rendition struct {
	name     string // folder
	path     string // of the media playlist
	list     playlist
	iframes  *playlist               // nil without
	ranges   map[string][]cmaf.Range // of the I-frame playlist, by segment
	variants []*m3u8.Variant
	alts     []*m3u8.Alternative
	inits    map[string]*initSegment // by path
	segments []*segment              // that could be read, in order
	captions captions.Channels
	cues     [][]webvtt.Cue // of subtitles, by segment
	said     map[int64][]webvtt.Cue
}

// open finds the tree and reads its master playlist.
func open(ctx context.Context, target string) (*tree, error) {
	s, master, err := openStore(ctx, target)
	if err != nil {
		return nil, err
	}
	t := &tree{store: s, masterPath: master}
	if t.masterObject, err = s.get(ctx, master); err != nil {
		return nil, fmt.Errorf("%w: master playlist: %w", ErrCannotLook, err)
	}
	return t, nil
}

// readPlaylists parses the master playlist and every playlist that it names. A
// playlist that does not parse is a broken rule and its rendition is left out.
func (t *tree) readPlaylists(ctx context.Context, b *book) error {
	b.looked("playlists")
	list, kind, err := m3u8.DecodeWith(strings.NewReader(string(t.masterObject.body)), true, nil)
	master, ok := list.(*m3u8.MasterPlaylist)
	if err != nil || !ok || kind != m3u8.MASTER {
		b.broke("playlists", at(t.masterPath), "not a master playlist: %v", err)
		return nil
	}
	t.master = master
	for _, v := range master.Variants {
		if !v.Iframe {
			r := t.rendition(b, v.URI)
			r.variants = append(r.variants, v)
		}
	}
	for _, a := range master.GetAllAlternatives() {
		if a.Type == "AUDIO" && a.URI != "" {
			r := t.rendition(b, a.URI)
			r.alts = append(r.alts, a)
		}
	}
	t.listTexts(b)
	if len(t.renditions) == 0 {
		b.broke("playlists", at(t.masterPath), "no variant is listed")
	}
	return t.readMedia(ctx, b)
}

// rendition of a media playlist, once each.
func (t *tree) rendition(b *book, uri string) *rendition {
	p := t.resolve(b, t.masterPath, uri)
	for _, r := range t.renditions {
		if r.path == p {
			return r
		}
	}
	r := &rendition{name: path.Dir(p), path: p, inits: map[string]*initSegment{}}
	t.renditions = append(t.renditions, r)
	return r
}

// resolve is the path in the tree of a URI that stands in the playlist from.
func (t *tree) resolve(b *book, from, uri string) string {
	p := path.Join(path.Dir(from), uri)
	if strings.Contains(uri, "://") || strings.HasPrefix(uri, "/") || strings.HasPrefix(p, "..") {
		b.broke("playlists", at(from), "%q points out of the tree", uri)
	}
	return p
}

func (t *tree) readMedia(ctx context.Context, b *book) (err error) {
	if t.renditions, err = t.readable(ctx, b, t.renditions); err != nil {
		return err
	}
	if t.texts, err = t.readable(ctx, b, t.texts); err != nil {
		return err
	}
	return t.readIFrames(ctx, b)
}

// readable reads the playlists of renditions and leaves out those that have none.
func (t *tree) readable(ctx context.Context, b *book, all []*rendition) ([]*rendition, error) {
	var out []*rendition
	for _, r := range all {
		list, err := t.readPlaylist(ctx, b, r.path)
		if err != nil {
			return nil, err
		}
		if list != nil {
			r.list = *list
			out = append(out, r)
		}
	}
	return out, nil
}

// readIFrames attaches each I-frame playlist to the rendition in whose folder
// it stands.
func (t *tree) readIFrames(ctx context.Context, b *book) error {
	for _, v := range t.master.Variants {
		if !v.Iframe {
			continue
		}
		p := t.resolve(b, t.masterPath, v.URI)
		i := slices.IndexFunc(t.renditions, func(r *rendition) bool { return r.name == path.Dir(p) })
		if i < 0 {
			b.broke("playlists", at(p), "the I-frame playlist belongs to no rendition")
			continue
		}
		list, err := t.readPlaylist(ctx, b, p)
		if err != nil {
			return err
		}
		if list != nil {
			t.renditions[i].iframes, t.renditions[i].ranges = list, list.ranges()
		}
	}
	return nil
}

// readPlaylist is nil where the playlist is missing or does not parse.
func (t *tree) readPlaylist(ctx context.Context, b *book, p string) (*playlist, error) {
	o, err := t.store.get(ctx, p)
	if errors.Is(err, errNotThere) {
		b.holds("files", false, at(p), "the playlist is not there")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotLook, err)
	}
	list, err := parsePlaylist(p, o)
	if err != nil {
		b.broke("playlists", at(p), "%v", err)
		return nil, nil
	}
	return list, nil
}

// live tells whether playlists slide; a VOD job that is still encoded is not.
func (t *tree) live() bool {
	return slices.ContainsFunc(t.renditions, func(r *rendition) bool { return r.list.sliding() })
}

// dated: its segments say when they were on air, as those of a live job do to the end.
func (t *tree) dated() bool {
	return slices.ContainsFunc(t.renditions, func(r *rendition) bool { return len(r.list.entries) > 0 && !r.list.entries[0].time.IsZero() })
}

// complete: every playlist is at its end.
func (t *tree) complete() bool {
	return !slices.ContainsFunc(t.renditions, func(r *rendition) bool { return !r.list.closed })
}

// videos are the renditions with pictures, fastest first.
func (t *tree) videos() []*rendition {
	var out []*rendition
	for _, r := range t.renditions {
		if r.video() && len(r.segments) > 0 {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(x, y *rendition) int { return y.rate().Cmp(x.rate()) })
	return out
}

func (t *tree) audios() []*rendition {
	var out []*rendition
	for _, r := range t.renditions {
		if !r.video() && len(r.segments) > 0 {
			out = append(out, r)
		}
	}
	return out
}
