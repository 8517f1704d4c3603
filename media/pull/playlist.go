package pull

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/media/input"
)

// playlist is a media playlist of HLS.
type playlist struct {
	fetch  *input.Fetcher
	at     *url.URL
	next   uint64 // media sequence number of the next segment
	placed bool
}

func (p *playlist) name() string { return input.DisplayURL(p.at) }

// behind is how many segments before the end a live playlist is joined (RFC
// 8216bis §6.3.3): nearer ones may not be there yet.
const behind = 3

// load implements list. Where nothing is new, the next look is due after half a
// target duration (RFC 8216bis §6.3.4).
func (p *playlist) load(ctx context.Context) (news, error) {
	text, at, err := p.fetch.Get(ctx, p.at, input.Range{}, playlistBytes)
	if err != nil {
		return news{}, err
	}
	parsed, err := parse(at, text)
	if err != nil {
		return news{}, err
	}
	list, ok := parsed.(*m3u8.MediaPlaylist)
	if !ok {
		return news{}, malformed(at, errors.New("a media playlist was expected"))
	}
	joins := !p.placed
	p.at = at
	all, err := p.resolve(list)
	if err != nil {
		return news{}, err
	}
	n := p.take(list.SeqNo, all)
	n.again = time.Now().Add(time.Duration(max(1, list.TargetDuration)) * time.Second / 2)
	if list.Closed && (joins || len(n.segments) == 0) {
		return news{}, io.EOF
	}
	return n, nil
}

// stale is how far back a cache may answer with an older copy.
const stale = 8

// take gives the segments that are new; the first of all has number first.
func (p *playlist) take(first uint64, all []segment) news {
	end := first + uint64(len(all))
	if !p.placed && len(all) > 0 {
		p.placed = true
		p.next = first + uint64(joint(all))
	}
	if end+stale < p.next { // the numbers began anew
		p.next = first
	}
	var n news
	if first > p.next {
		n.missed = int64(first - p.next)
		p.next = first
	}
	if p.next < end {
		n.segments = all[p.next-first:]
		p.next = end
	}
	return n
}

// joint is where to begin: near the end, with what has one init segment.
func joint(all []segment) int {
	at := max(0, len(all)-behind)
	for i := len(all) - 1; i > at; i-- {
		if all[i].init != all[i-1].init {
			return i
		}
	}
	return at
}

// resolve gives every segment its address, and what the lines before it say of
// it: an init segment and a key hold until the next (RFC 8216bis §4.4.4).
func (p *playlist) resolve(list *m3u8.MediaPlaylist) ([]segment, error) {
	var all []segment
	init, keys := list.Map, []m3u8.Key(nil)
	for i, s := range list.GetAllSegments() {
		if s.Map != nil {
			init = s.Map
		}
		if len(s.Keys) > 0 {
			keys = s.Keys
		}
		k, err := p.key(keys, list.SeqNo+uint64(i))
		if err != nil {
			return nil, err
		}
		one := segment{gap: s.Gap, began: s.ProgramDateTime, key: k}
		if one.object, err = p.object(s.URI, s.Offset, s.Limit); err != nil {
			return nil, err
		}
		if init != nil && init.URI != "" {
			if one.init, err = p.object(init.URI, init.Offset, init.Limit); err != nil {
				return nil, err
			}
		}
		all = append(all, one)
	}
	return all, nil
}

func (p *playlist) object(name string, offset, length int64) (object, error) {
	u, err := p.at.Parse(name)
	if err != nil {
		return object{}, noAddress(p.name(), name)
	}
	return object{u.String(), input.Range{Offset: offset, Length: length}}, nil
}
