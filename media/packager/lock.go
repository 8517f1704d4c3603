package packager

import (
	"fmt"
	"slices"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/media/keys"
)

// lock is how one rendition is encrypted; nil: it is in the clear.
type lock struct {
	scheme keys.Scheme
	key    keys.Key
}

func lockFor(o Options, r ladders.Rendition) (*lock, error) {
	if o.Spec.Protection == nil {
		return nil, nil
	}
	scheme, err := keys.ParseScheme(o.Spec.Protection.Scheme)
	if err != nil {
		return nil, fmt.Errorf("packager: %w", err)
	}
	key, err := o.Keys.For(r)
	if err != nil {
		return nil, &media.Error{Code: media.SourceError, Message: "keys: " + err.Error(),
			Advice: "add such a key to " + o.Spec.Protection.Keys + ", or one for all"}
	}
	if key == nil {
		return nil, nil
	}
	l := &lock{scheme, *key}
	if len(l.tags()) == 0 {
		return nil, &media.Error{Code: media.SourceError, Message: "keys: no DRM system says how players of HLS get key " + key.ID.String(),
			Advice: "give a system of that key its hls uri or its pssh, or leave systems out for Clear Key"}
	}
	return l, nil
}

func (l *lock) protection() cmaf.Protection {
	p := cmaf.Protection{Scheme: string(l.scheme), KeyID: l.key.ID, Key: l.key.Value, IV: l.key.IV}
	for _, s := range l.key.Systems {
		if len(s.PSSH) > 0 {
			p.PSSH = append(p.PSSH, s.PSSH)
		}
	}
	return p
}

// tags are those of the playlists.
func (l *lock) tags() []hls.Key {
	if l == nil {
		return nil
	}
	method := hls.SampleAES
	if l.scheme == keys.CENC {
		method = hls.SampleAESCTR
	}
	var out []hls.Key
	for _, s := range l.key.Systems {
		if s.URI != "" {
			out = append(out, hls.Key{Method: method, URI: s.URI, Format: s.Format, Versions: s.Versions})
		}
	}
	return out
}

// fingerprint of the key, 0 without one.
func (l *lock) fingerprint() uint64 {
	if l == nil {
		return 0
	}
	return l.key.Fingerprint()
}

func (l *lock) manifest() *dash.Protection {
	if l == nil {
		return nil
	}
	p := &dash.Protection{Scheme: string(l.scheme), KeyID: l.key.ID.String()}
	for _, s := range l.key.Systems {
		if s.ID == keys.ClearKey() {
			// Its box is the W3C's, of another system; with default_KID players need
			// none, and dash.js takes one for a list of key ids.
			s.PSSH = nil
		}
		p.Systems = append(p.Systems, dash.System{ID: s.ID.String(), Name: s.Name(), PSSH: s.PSSH, License: s.License, Pro: s.Pro})
	}
	return p
}

// sessionKeys are the tags of all renditions, each once.
func (p *Packager) sessionKeys(present []ladders.Rendition) []hls.Key {
	var out []hls.Key
	for _, r := range present {
		for _, k := range p.tracks[r.Name].lock.tags() {
			if !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

// otherKeys: what is listed would be played with keys that do not fit.
func otherKeys(rendition string) error {
	return &media.Error{Code: media.SourceError, Message: "the keys of rendition " + rendition + " are not those that its published segments have",
		Advice: "put the keys back that the job began with, or submit it under a new id"}
}

// otherValue: a key has the name of the one that the published segments have, and
// is another. No player could read both.
func otherValue(rendition string, id keys.ID) error {
	return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("key %s of rendition %s is not the one that its published segments are encrypted with: it has changed under the same id", id, rendition),
		Advice: "put the key back that the job began with, or give the new one a new id and submit the job under a new id"}
}
