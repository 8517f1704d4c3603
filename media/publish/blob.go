package publish

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"

	"github.com/galafarm/gala/internal/address"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/blob"
)

// Google knows versions of an object as generations, and 0 as none; its If-Match
// is for reading alone.
var googleDialect = dialect{tag: "X-Goog-Generation", match: "X-Goog-If-Generation-Match", create: http.Header{"X-Goog-If-Generation-Match": {"0"}},
	cacheControl: "Cache-Control", most: 5 << 40}

var azureDialect = dialect{tag: "Etag", match: "If-Match", create: http.Header{"If-None-Match": {"*"}},
	cacheControl: "X-Ms-Blob-Cache-Control", put: http.Header{"X-Ms-Blob-Type": {"BlockBlob"}}, most: 5000 << 20}

// OpenBlob makes a sink for the tree at gs://bucket/folder or
// azblob://container/folder.
func OpenBlob(u *url.URL, p Patience, signer Signer) (*Bucket, error) {
	if err := CheckBlob(u); err != nil {
		return nil, badBlob(u, err)
	}
	if signer == nil {
		return nil, badBlob(u, errors.New("this program has no credentials for buckets"))
	}
	folder := *u
	folder.Path = path.Join("/", u.Path)
	base, err := signer.Place(&folder)
	if err != nil {
		return nil, badBlob(u, err)
	}
	d := googleDialect
	if u.Scheme == blob.Azure {
		d = azureDialect
	}
	b := newBucket(base, p, d, func(req *http.Request, _ *media.Content) error {
		if err := signer.Authorize(req, u); err != nil {
			return fmt.Errorf("%w: give the agent credentials for %s://", err, u.Scheme)
		}
		return nil
	})
	// A bucket leads nowhere else, and where one does it may repeat a signature.
	b.http.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b, nil
}

// CheckBlob tells what is wrong with the address of a folder in Google's or Azure's
// storage, nil for nothing.
func CheckBlob(u *url.URL) error {
	if blob.Anonymous(u) {
		return errors.New("nobody writes to a bucket without credentials: leave anonymous=true out")
	}
	return blob.Check(u)
}

func badBlob(u *url.URL, err error) error {
	return &media.Error{Code: media.SinkError, Message: "destination " + address.Public(u.String()), Err: err, Advice: "submit the job with another destination"}
}
