package keys

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // UUID version 5 is made of it
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/galafarm/gala/ladders"
)

// Scheme is a protection scheme of Common Encryption (ISO/IEC 23001-7).
type Scheme string

// The schemes: AES-CBC over one block of ten, which every player of today
// reads, and AES-CTR over everything, which older ones want.
const (
	CBCS Scheme = "cbcs"
	CENC Scheme = "cenc"
)

// ParseScheme reads a scheme's name.
func ParseScheme(s string) (Scheme, error) {
	if s == string(CBCS) || s == string(CENC) {
		return Scheme(s), nil
	}
	return "", fmt.Errorf("encryption scheme %q: want cbcs or cenc", s)
}

// ID names a key or a DRM system.
type ID [16]byte

// String is the form of a UUID.
func (id ID) String() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ParseID reads 32 hexadecimal digits, with the dashes of a UUID or without.
func ParseID(s string) (ID, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 {
		return ID{}, fmt.Errorf("want 32 hexadecimal digits, or a UUID")
	}
	return ID(b), nil
}

// Secret is a content key. However it is printed, it is stars.
type Secret [16]byte

// Format implements fmt.Formatter for every verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "***") }

// MarshalText keeps it out of JSON and logs too.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Fingerprint tells one key from another without telling anything else of it: the
// first bits of HMAC-SHA256 (RFC 2104) over its id, under the key itself. HMAC is a
// pseudorandom function, so without the key they are as good as random, and to
// find a key that gives them is to try 2^128. A key that can be guessed is no
// safer without them: the segments beside them prove a guess as well. Never 0.
func (k Key) Fingerprint() uint64 {
	mac := hmac.New(sha256.New, k.Value[:])
	_, _ = mac.Write([]byte("gala key fingerprint 1 " + k.ID.String()))
	return max(1, binary.BigEndian.Uint64(mac.Sum(nil)))
}

// Key is a content key with what players are told about it.
type Key struct {
	ID    ID
	Value Secret
	// IV is the constant one of cbcs; empty: made from the key's id.
	IV      []byte
	Systems []System
}

// System is what players of one DRM system need to know about a key.
type System struct {
	ID ID
	// PSSH is the whole box, for init segments and manifests; may be empty.
	PSSH []byte
	// Format, Versions and URI are those of EXT-X-KEY; no URI: HLS has no tag of
	// this system.
	Format, Versions, URI string
	// License is where players get the key, for manifests; may be empty.
	License string
	// Pro is the PlayReady object, in base64; may be empty.
	Pro string
}

// Kind is which tracks a key is for.
type Kind string

// The kinds, as key files name them: those of one size stand before Video, and
// any of them before All.
const (
	All   Kind = "all"
	Video Kind = "video"
	SD    Kind = "sd"  // less than 720 lines
	HD    Kind = "hd"  // up to 1080 lines
	UHD   Kind = "uhd" // more
	Audio Kind = "audio"
)

// Set is the keys of a job.
type Set map[Kind]Key

// For is the key of a rendition. Subtitles have none: they stay in the clear.
func (s Set) For(r ladders.Rendition) (*Key, error) {
	if r.Text != nil {
		return nil, nil
	}
	for _, kind := range kindsOf(r) {
		if k, ok := s[kind]; ok {
			return &k, nil
		}
	}
	return nil, fmt.Errorf("no key is for rendition %s (it would take one for %v)", r.Name, kindsOf(r))
}

func kindsOf(r ladders.Rendition) []Kind {
	if r.Video == nil {
		return []Kind{Audio, All}
	}
	lines := min(r.Video.Width, r.Video.Height)
	switch {
	case lines < 720:
		return []Kind{SD, Video, All}
	case lines <= 1080:
		return []Kind{HD, Video, All}
	}
	return []Kind{UHD, Video, All}
}

// Content is whose keys are asked for.
type Content struct {
	Job    string
	Scheme Scheme
}

// Source is where keys come from. The same content has the same keys whenever
// it is asked. Errors are *media.Error and hold no key.
type Source interface {
	Keys(ctx context.Context, c Content) (Set, error)
}

// namespace of the ids that are made here, a UUID of its own (RFC 9562 §5.5).
var namespace = ID{0x6c, 0x1b, 0x37, 0x9e, 0x52, 0x0c, 0x4d, 0x43, 0x9d, 0x0a, 0x9f, 0xe8, 0x1e, 0x5a, 0x77, 0x21}

// nameID is the UUID, version 5, of a name: every worker of a job makes the
// same, and no two names share one.
func nameID(name string) ID {
	sum := sha1.Sum(append(namespace[:], name...)) //nolint:gosec // as above
	id := ID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	return id
}
