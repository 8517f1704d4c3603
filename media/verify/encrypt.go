package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/media/cmaf"
	"github.com/galafarm/gala/media/keys"
)

func encryptionRules() []Rule {
	return []Rule{
		{"encrypted", "ISO/IEC 23001-7 §7", Must, "encrypted segments say which bytes are: senc, saiz and saio agree, subsamples cover whole frames", "look at the moof of the named segment; the packager wrote it"},
		{"encrypted-said", "RFC 8216bis §4.4.4.4", Must, "playlists and manifest say of each rendition whether and how it is encrypted", "the packager writes EXT-X-KEY, EXT-X-SESSION-KEY and ContentProtection for every rendition with a key"},
		{"key-ids", "ISO/IEC 23001-7 §8", Must, "init segments, playlists and manifest name the same key", "the keys of a job must not change while it runs; submit it again under a new id"},
	}
}

// locked is the reason that nothing is decoded.
const locked = "it is encrypted: it was not decoded; give the keys with --keys FILE"

// method of EXT-X-KEY for a scheme.
func method(scheme string) string {
	return map[string]string{"cbcs": "SAMPLE-AES", "cenc": "SAMPLE-AES-CTR"}[scheme]
}

// checkLock applies the rules of an encrypted track's own segment.
func (s *segment) checkLock(b *book, p *cmaf.Parsed) {
	if s.init.track.Tenc == nil {
		return
	}
	b.looked("encrypted")
	for _, f := range p.Fragments {
		if f.Lock != nil {
			b.broke("encrypted", at(s.path).byte(f.Offset), "%v", f.Lock)
		}
	}
}

// unlock decrypts what is about to be decoded; ok is false where the key is not
// at hand.
func (k unlocker) unlock(init *initSegment, body []byte) (open []byte, ok bool, err error) {
	if init.track.Tenc == nil {
		return body, true, nil
	}
	secret, ok := k[init.track.KeyID]
	if !ok {
		return nil, false, nil
	}
	open, err = init.track.Decrypt(body, secret)
	return open, true, err
}

// unlocker is keys by their id.
type unlocker map[[16]byte][16]byte

func newUnlocker(set keys.Set) unlocker {
	out := unlocker{}
	for _, k := range set {
		out[k.ID] = k.Value
	}
	return out
}

// judgeLocks compares what playlists and manifest say with the init segments.
func (t *tree) judgeLocks(b *book) {
	for _, r := range t.renditions {
		if len(r.segments) == 0 {
			continue
		}
		for _, list := range []*playlist{&r.list, r.iframes} {
			if list != nil {
				judgeTags(b, list, r.segments[0].init.track)
			}
		}
		t.judgeSession(b, r)
		t.judgeProtections(b, r)
	}
}

func judgeTags(b *book, list *playlist, track *cmaf.Track) {
	if track.Tenc == nil {
		if len(list.keys) > 0 {
			b.broke("encrypted-said", at(list.path), "it has EXT-X-KEY, and the media are in the clear")
		}
		return
	}
	b.holds("encrypted-said", len(list.keys) > 0, at(list.path), "the media are encrypted by %s, and it has no EXT-X-KEY", track.Scheme)
	for _, k := range list.keys {
		b.holds("encrypted-said", k.Method == method(track.Scheme), at(list.path), "METHOD is %s; %s is %s", k.Method, track.Scheme, method(track.Scheme))
		if ids := idsIn(k); len(ids) > 0 {
			b.holds("key-ids", slices.Contains(ids, track.KeyID), at(list.path), "the EXT-X-KEY of %s names another key than the init segment, %x", k.Keyformat, track.KeyID)
		}
	}
}

// idsIn are the key ids that a tag's URI holds; none where it holds none.
func idsIn(k m3u8.Key) [][16]byte {
	_, encoded, ok := strings.Cut(k.URI, ";base64,")
	body, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return nil
	}
	if k.Keyformat == "org.w3.clearkey" && len(body) == 16 {
		return [][16]byte{[16]byte(body)}
	}
	return keys.IDsIn(body)
}

// judgeSession: the master playlist has the tags of every media playlist, so
// that players can ask for all licenses at once.
func (t *tree) judgeSession(b *book, r *rendition) {
	for _, k := range r.list.keys {
		there := slices.ContainsFunc(t.master.SessionKeys, func(s *m3u8.Key) bool { return s != nil && *s == k })
		b.holds("encrypted-said", there, at(t.masterPath), "an EXT-X-KEY of %s is no EXT-X-SESSION-KEY", r.name)
	}
}

// judgeProtections does the same for the manifest.
func (t *tree) judgeProtections(b *book, r *rendition) {
	if t.manifest == nil {
		return
	}
	track := r.segments[0].init.track
	for _, p := range t.manifest.promises {
		if p.r != r {
			continue
		}
		common := commonProtection(p.set)
		if track.Tenc == nil {
			b.looked("encrypted-said")
			if common != nil {
				b.broke("encrypted-said", at(manifestName), "%s has ContentProtection, and is in the clear", r.name)
			}
			continue
		}
		b.holds("encrypted-said", common != nil && common.Value == track.Scheme, at(manifestName), "%s is encrypted by %s, and no ContentProtection says so", r.name, track.Scheme)
		if common == nil {
			continue
		}
		id, err := hex.DecodeString(strings.ReplaceAll(common.DefaultKID, "-", ""))
		b.holds("key-ids", err == nil && bytes.Equal(id, track.KeyID[:]), at(manifestName), "default_KID of %s is %s, the init segment's key %x", r.name, common.DefaultKID, track.KeyID)
	}
}

func commonProtection(set *mpd.AdaptationSetType) *mpd.ContentProtectionType {
	i := slices.IndexFunc(set.ContentProtections, func(c *mpd.ContentProtectionType) bool {
		return c.SchemeIdUri == "urn:mpeg:dash:mp4protection:2011"
	})
	if i < 0 {
		return nil
	}
	return set.ContentProtections[i]
}
