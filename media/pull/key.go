package pull

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
)

// key is how one segment is encrypted: AES-128 over the whole of it (RFC 8216bis
// §5.2).
type key struct {
	at string // resolved
	iv [aes.BlockSize]byte
}

// identity is the key format that gives a key as it is; the default.
const identity = "identity"

// key is what the key lines before a segment say, nil for none. Of several
// formats the identity one is taken.
func (p *playlist) key(keys []m3u8.Key, number uint64) (*key, error) {
	var use *m3u8.Key
	var other string
	for i, k := range keys {
		switch {
		case k.Method == "NONE":
			use, other = nil, ""
		case k.Method == "AES-128" && (k.Keyformat == "" || k.Keyformat == identity):
			use = &keys[i]
		default:
			other = k.Method
			if k.Keyformat != "" && k.Keyformat != identity {
				other += " with keys by " + k.Keyformat
			}
		}
	}
	if use == nil && other == "" {
		return nil, nil
	}
	if use == nil {
		return nil, refusal(fmt.Sprintf("source %s is encrypted (%s)", p.name(), other), "give a source in clear, or one that is encrypted by AES-128 with its key at an address")
	}
	u, err := p.at.Parse(use.URI)
	if err != nil || use.URI == "" {
		return nil, noAddress(p.name(), use.URI)
	}
	iv, err := vector(use.IV, number)
	if err != nil {
		return nil, refusal(fmt.Sprintf("source %s: %v", p.name(), err), "correct the EXT-X-KEY line")
	}
	return &key{at: u.String(), iv: iv}, nil
}

// vector is the initialization vector that is given, or the segment's number.
func vector(given string, number uint64) (iv [aes.BlockSize]byte, err error) {
	if given == "" {
		binary.BigEndian.PutUint64(iv[8:], number)
		return iv, nil
	}
	digits := strings.TrimPrefix(strings.ToLower(given), "0x")
	b, err := hex.DecodeString(fmt.Sprintf("%0*s", 2*aes.BlockSize, digits))
	if err != nil || len(b) != aes.BlockSize {
		return iv, fmt.Errorf("initialization vector %q is no number of 128 bits", given)
	}
	return [aes.BlockSize]byte(b), nil
}

// keyring keeps the key that was fetched last: it serves until the next.
type keyring struct {
	at    string
	block cipher.Block
}

// open decrypts a whole object.
func (r *keyring) open(ctx context.Context, f *input.Fetcher, k *key, body []byte) ([]byte, error) {
	if r.block == nil || r.at != k.at {
		block, err := fetchKey(ctx, f, k.at)
		if err != nil {
			return nil, err
		}
		r.at, r.block = k.at, block
	}
	if len(body) == 0 || len(body)%aes.BlockSize != 0 {
		return nil, undecipherable(fmt.Errorf("%d bytes are not whole blocks", len(body)))
	}
	cipher.NewCBCDecrypter(r.block, k.iv[:]).CryptBlocks(body, body)
	pad := int(body[len(body)-1])
	if pad < 1 || pad > aes.BlockSize {
		return nil, undecipherable(errors.New("its padding is wrong"))
	}
	return body[:len(body)-pad], nil
}

func fetchKey(ctx context.Context, f *input.Fetcher, at string) (cipher.Block, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, noAddress("of a key", at)
	}
	b, _, err := f.Get(ctx, u, input.Range{}, playlistBytes)
	switch {
	case errors.Is(err, input.ErrGone):
		return nil, keyError(u, errors.New("it is not there")) // which is no hole in the source
	case err != nil:
		return nil, err
	case len(b) != aes.BlockSize:
		return nil, keyError(u, fmt.Errorf("it has %d bytes, want %d", len(b), aes.BlockSize))
	}
	return aes.NewCipher(b)
}

func keyError(u *url.URL, err error) error {
	return &media.Error{Code: media.SourceError, Message: "fetch the source's key at " + input.DisplayURL(u), Err: err, Retryable: true,
		Advice: "check that the key server gives this farm the key: 16 bytes, without a login"}
}

func undecipherable(err error) error {
	return &media.Error{Code: media.SourceError, Message: "decrypt a segment of the source", Err: err, Retryable: true,
		Advice: "check that the playlist names the key that the segments were encrypted with"}
}
