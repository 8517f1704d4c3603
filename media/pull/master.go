package pull

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// playlistBytes and segmentBytes bound what one object may hold.
const playlistBytes, segmentBytes = 8 << 20, 256 << 20

// Open finds the tracks of a playlist or manifest: the richest picture, and the
// sound where that is apart. Every error is a *media.Error.
func Open(ctx context.Context, name string, rules input.Rules) ([]*Track, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, refusal("source "+name+" is no URL", "write it as https://host/path.m3u8")
	}
	f := input.NewFetcher(rules)
	text, at, err := f.Get(ctx, u, input.Range{}, playlistBytes)
	if err != nil {
		return nil, typed(err)
	}
	if isManifest(text) {
		return openManifest(ctx, f, u, at, text)
	}
	list, err := parse(at, text)
	if err != nil {
		return nil, err
	}
	master, ok := list.(*m3u8.MasterPlaylist)
	if !ok {
		return startAll([]*Track{newTrack(ctx, f, &playlist{fetch: f, at: at})})
	}
	return openMaster(ctx, f, at, master)
}

// openManifest makes a track of the best picture, and of each language.
func openManifest(ctx context.Context, f *input.Fetcher, asked, at *url.URL, text []byte) ([]*Track, error) {
	doc, err := parseManifest(at, text)
	if err != nil {
		return nil, err
	}
	var tracks []*Track
	for _, c := range choices(doc) {
		tracks = append(tracks, newTrack(ctx, f, &manifest{fetch: f, ask: asked, at: at, pick: c}))
	}
	if len(tracks) == 0 {
		return nil, refusal("source "+input.DisplayURL(at)+" is a manifest without pictures or sound in MP4", "give the address of a live manifest of CMAF or ISO segments")
	}
	return startAll(tracks)
}

func openMaster(ctx context.Context, f *input.Fetcher, at *url.URL, m *m3u8.MasterPlaylist) ([]*Track, error) {
	best := richest(m.Variants)
	if best == nil {
		return nil, refusal("source "+input.DisplayURL(at)+" is a playlist without a variant", "give the address of a live playlist")
	}
	names := []string{best.URI}
	if sound := soundOf(best); sound != "" {
		names = append(names, sound)
	}
	var tracks []*Track
	for _, name := range names {
		u, err := at.Parse(name)
		if err != nil {
			return nil, refusal(fmt.Sprintf("source %s names %q, which is no address", input.DisplayURL(at), input.Display(name)), "give the address of a live playlist")
		}
		tracks = append(tracks, newTrack(ctx, f, &playlist{fetch: f, at: u}))
	}
	return startAll(tracks)
}

func startAll(tracks []*Track) ([]*Track, error) {
	for _, t := range tracks {
		if err := t.start(); err != nil {
			for _, t := range tracks {
				_ = t.Close()
			}
			return nil, err
		}
	}
	return tracks, nil
}

// richest is the variant of the highest rate; trick-play ones do not count.
func richest(all []*m3u8.Variant) *m3u8.Variant {
	var best *m3u8.Variant
	for _, v := range all {
		if !v.Iframe && (best == nil || v.Bandwidth > best.Bandwidth) {
			best = v
		}
	}
	return best
}

// soundOf is the playlist of a variant's default sound, "" where it is in the
// variant's own segments.
func soundOf(v *m3u8.Variant) string {
	var first *m3u8.Alternative
	for _, a := range v.Alternatives {
		if a.Type != "AUDIO" || a.GroupId != v.Audio {
			continue
		}
		if first == nil || a.Default && !first.Default {
			first = a
		}
	}
	if first == nil {
		return ""
	}
	return first.URI
}

// parse outlives the library, which panics on some malformed lines.
func parse(at *url.URL, text []byte) (list m3u8.Playlist, err error) {
	defer func() {
		if r := recover(); r != nil {
			list, err = nil, malformed(at, fmt.Errorf("%v", r))
		}
	}()
	if !bytes.HasPrefix(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), []byte("#EXTM3U")) {
		return nil, malformed(at, fmt.Errorf("it does not begin with #EXTM3U"))
	}
	list, _, err = m3u8.DecodeFrom(strings.NewReader(string(text)), false)
	if err != nil {
		return nil, malformed(at, err)
	}
	return list, nil
}

func malformed(at *url.URL, err error) error {
	return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("source %s is no HLS playlist", input.DisplayURL(at)), Err: err, Advice: "open the address in a browser and correct it"}
}

func refusal(message, advice string) error {
	return &media.Error{Code: media.SourceError, Message: message, Advice: advice}
}
