package publish

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/s3"
)

// Signer signs requests for buckets; it knows the credentials.
type Signer interface {
	// SignBody and Region are for s3. SignBody takes the SHA-256 of the body, or
	// S3's word for an unsigned one.
	SignBody(req *http.Request, region, hash string) error
	Region(ctx context.Context) string
	// Place and Authorize are for gs and azblob: where what an address names is
	// asked for, and what a request for it needs.
	Place(u *url.URL) (*url.URL, error)
	Authorize(req *http.Request, u *url.URL) error
}

// Bucket is a sink in a bucket: S3's, or of a server that speaks S3, Google's or
// Azure's. It does not fence, but writes on condition: the first of two segments
// of one name stays, and a playlist is replaced only where it is the one that this
// writer wrote last, or has looked at.
type Bucket struct {
	http    *HTTP
	dialect dialect
	// plain: the server knows no conditions.
	plain atomic.Bool

	mu   sync.Mutex
	tags map[string]string // of what this writer wrote last, by path
}

// dialect is how a kind of bucket has things said.
type dialect struct {
	tag          string      // the header of answers that tells versions apart
	match        string      // the header of the version that a write replaces
	create       http.Header // of a write that replaces nothing
	cacheControl string      // the header that an object keeps as its Cache-Control
	put          http.Header // of every write
	most         int64       // bytes that one write takes
}

var s3Dialect = dialect{tag: "Etag", match: "If-Match", create: http.Header{"If-None-Match": {"*"}}, cacheControl: "Cache-Control", most: 5 << 30}

// newBucket makes a sink for the tree at base, whose requests before readies.
func newBucket(base *url.URL, p Patience, d dialect, before func(req *http.Request, body *media.Content) error) *Bucket {
	h := NewHTTP(base, 0, p)
	h.tag = d.tag
	h.before = func(req *http.Request, body *media.Content) error {
		req.Header.Del(EpochHeader)
		req.Header.Del(ingestHeader)
		// JoinPath left the rest of the path as it was written.
		req.URL.RawPath = s3.Escape(req.URL.Path)
		return before(req, body)
	}
	return &Bucket{http: h, dialect: d, tags: map[string]string{}}
}

// errBucket says how a bucket's address is written.
var errBucket = errors.New("write it as s3://bucket/folder, with ?region=… and, for a server that is not Amazon's, endpoint=https://host")

// OpenBucket makes a sink for the tree at s3://bucket/folder. Its options are
// region and endpoint, as those of sources.
func OpenBucket(ctx context.Context, u *url.URL, p Patience, signer Signer) (*Bucket, error) {
	region, server, err := bucketOptions(u)
	if err != nil {
		return nil, badBucket(u, err)
	}
	if signer == nil {
		return nil, badBucket(u, errors.New("this program has no credentials for buckets"))
	}
	region = cmp.Or(region, signer.Region(ctx), s3.DefaultRegion)
	base := s3.URL(u.Host, path.Join("/", u.Path), region, server)
	return newBucket(base, p, s3Dialect, func(req *http.Request, body *media.Content) error { return prepare(req, body, signer, region) }), nil
}

// CheckBucket tells what is wrong with the address of a bucket, nil for nothing.
func CheckBucket(u *url.URL) error {
	_, _, err := bucketOptions(u)
	return err
}

func bucketOptions(u *url.URL) (region string, server *url.URL, err error) {
	if u.Host == "" || u.User != nil || u.Port() != "" {
		return "", nil, errBucket
	}
	q := u.Query()
	for name := range q {
		switch name {
		case "region", "endpoint", "use_path_style":
		default:
			return "", nil, fmt.Errorf("buckets have no option %q: %w", name, errBucket)
		}
	}
	if region = q.Get("region"); region != "" && !s3.IsRegion(region) {
		return "", nil, fmt.Errorf("%q is no region", region)
	}
	if e := q.Get("endpoint"); e != "" {
		server, err = s3.Endpoint(e)
	}
	return region, server, err
}

func badBucket(u *url.URL, err error) error {
	return &media.Error{Code: media.SinkError, Message: "destination " + u.Redacted(), Err: err, Advice: "submit the job with another destination"}
}

// unsigned is what stands for the hash of a body that TLS protects; hashing it
// for each of many takers would cost more than sending it.
const unsigned = "UNSIGNED-PAYLOAD"

// prepare signs a request.
func prepare(req *http.Request, body *media.Content, signer Signer, region string) error {
	hash := unsigned
	if req.URL.Scheme != "https" || body == nil {
		h := sha256.New()
		if body != nil {
			_, _ = io.Copy(h, body.Open()) // errs when it is sent
		}
		hash = hex.EncodeToString(h.Sum(nil))
	}
	if err := signer.SignBody(req, region, hash); err != nil {
		return fmt.Errorf("%w: give the agent credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)", err)
	}
	return nil
}

// Put stores body. A segment that is there already stays.
func (b *Bucket) Put(ctx context.Context, name string, body []byte) error {
	if !immutable(name) || b.plain.Load() {
		_, err := b.put(ctx, name, content(body), nil)
		return err
	}
	_, err := b.put(ctx, name, content(body), b.dialect.create)
	if !changed(err) {
		return err
	}
	old, err := b.Get(ctx, name)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, body) {
		return fmt.Errorf("%s: %w", name, ErrKept)
	}
	return nil
}

// PutFile is Put of what is too large for memory, up to what a bucket takes at
// once: 5 GiB of S3, 5000 MiB of Azure, 5 TiB of Google.
func (b *Bucket) PutFile(ctx context.Context, name string, file media.Content) error {
	if most := b.dialect.most; file.Size > most {
		return fmt.Errorf("%s has %d bytes, and a bucket takes %d at once", name, file.Size, most)
	}
	_, err := b.put(ctx, name, file, nil)
	return err
}

// put goes on without a condition where the server has none.
func (b *Bucket) put(ctx context.Context, name string, file media.Content, condition http.Header) (answer, error) {
	plain := http.Header{b.dialect.cacheControl: {CacheControl(name)}}
	maps.Copy(plain, b.dialect.put)
	header := maps.Clone(plain)
	maps.Copy(header, condition)
	a, err := b.http.put(ctx, name, file, header)
	var s Status
	if condition != nil && errors.As(err, &s) && s.Code == http.StatusNotImplemented {
		b.plain.Store(true)
		a, err = b.http.put(ctx, name, file, plain)
	}
	return a, err
}

// Replace writes on the condition that what is there is what this writer wrote
// last, and looks where that does not hold.
func (b *Bucket) Replace(ctx context.Context, name string, body []byte, may func(old []byte) error) error {
	b.mu.Lock()
	tag := b.tags[name]
	b.mu.Unlock()
	for try := 1; ; try++ {
		condition := http.Header{b.dialect.match: {tag}}
		if tag == "" || b.plain.Load() {
			var err error
			if condition, err = b.look(ctx, name, may); err != nil {
				return err
			}
		}
		a, err := b.put(ctx, name, content(body), condition)
		if err == nil {
			tag = a.tag
			b.mu.Lock()
			b.tags[name] = tag
			b.mu.Unlock()
			return nil
		}
		// 404: what we wrote was deleted.
		var s Status
		if gone := errors.As(err, &s) && s.Code == http.StatusNotFound; !gone && !changed(err) || try == guardTries {
			return err
		}
		tag = ""
	}
}

// look asks may about what is there.
func (b *Bucket) look(ctx context.Context, name string, may func(old []byte) error) (http.Header, error) {
	old, err := b.http.glance(ctx, name)
	switch {
	case errors.Is(err, media.ErrNotFound):
		return b.dialect.create, nil
	case Unseen(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := may(old.body); err != nil {
		return nil, err
	}
	if old.tag == "" {
		return nil, nil
	}
	return http.Header{b.dialect.match: {old.tag}}, nil
}

// Get reads an object back.
func (b *Bucket) Get(ctx context.Context, name string) ([]byte, error) { return b.http.Get(ctx, name) }

// Delete removes an object.
func (b *Bucket) Delete(ctx context.Context, name string) error { return b.http.Delete(ctx, name) }

// Close drops idle connections.
func (b *Bucket) Close() error { return b.http.Close() }

// CacheControl is how long an object may be kept by who gets it from a bucket:
// for ever where it is written once, no longer than a moment where it is
// rewritten.
func CacheControl(name string) string {
	stem := strings.TrimSuffix(path.Base(name), path.Ext(name))
	numbered := stem != "" && strings.Trim(stem, "0123456789") == ""
	switch {
	case path.Ext(name) == ".m4s", strings.HasPrefix(stem, "init-"), path.Ext(name) == ".vtt" && numbered:
		return "public, max-age=31536000, immutable"
	case path.Ext(name) == ".m3u8", path.Ext(name) == ".mpd", path.Ext(name) == ".json": // which steers players
		return "public, max-age=0, s-maxage=1, must-revalidate"
	}
	return "no-cache"
}
