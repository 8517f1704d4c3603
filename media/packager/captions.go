package packager

import (
	"slices"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/captions"
	"github.com/galafarm/gala/media/hls"
)

// captionGroup is the one group of closed captions: all pictures carry the same.
const captionGroup = "cc"

// Captions tells which caption channels the pictures have carried so far. One
// that nobody knew of is listed from then on, in a live job too: players that
// come later offer it.
func (p *Packager) Captions(channels []string) {
	p.mu.Lock()
	p.met = channels
	p.mu.Unlock()
	if !p.spec.Live {
		return // written again at its end
	}
	for _, o := range p.outputs {
		o.stale.Store(true)
	}
}

// captioned is a video rendition with what its pictures carry, promised or met.
func (p *Packager) captioned(v ladders.Video) *ladders.Video {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Concat(v.Captions, p.met)
	captions.Sort(all)
	v.Captions = slices.Compact(all)
	return &v
}

// captionsOf is the group of what is listed; none without pictures or captions.
func captionsOf(present []ladders.Rendition) []hls.Captions {
	i := slices.IndexFunc(present, func(r ladders.Rendition) bool { return r.Video != nil })
	if i < 0 {
		return nil
	}
	var out []hls.Captions
	for _, channel := range present[i].Video.Captions {
		out = append(out, hls.Captions{Group: captionGroup, Name: channel, Channel: channel})
	}
	return out
}
