package input

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/blob"
	"github.com/galafarm/gala/media/s3"
)

// Signer signs requests for objects in buckets; it knows the credentials.
type Signer interface {
	// Sign and Region are for s3.
	Sign(req *http.Request, region string) error
	Region(ctx context.Context) string
	// Place and Authorize are for gs and azblob: where what an address names is
	// asked for, and what a request for it needs.
	Place(u *url.URL) (*url.URL, error)
	Authorize(req *http.Request, u *url.URL) error
}

// An object in a bucket is s3://bucket/key. Options, as gocloud.dev has them:
// region, endpoint (another server than Amazon's), anonymous=true, and
// use_path_style, which every endpoint of one's own is spoken to with anyway.
func parseBucket(u *url.URL) (*url.URL, error) {
	written := "write the URL as s3://bucket/key, with ?region=… and, for a server that is not Amazon's, endpoint=https://host"
	if err := checkObject(u, written); err != nil {
		return nil, err
	}
	for name := range u.Query() {
		switch name {
		case "region", "endpoint", "anonymous", "use_path_style":
		default:
			return nil, refused(fmt.Sprintf("source %s has the option %q, which buckets do not", display(u), name), written)
		}
	}
	// It becomes a part of the host's name that requests are signed for.
	if region := u.Query().Get("region"); region != "" && !s3.IsRegion(region) {
		return nil, refused(fmt.Sprintf("source %s: %q is no region", display(u), region), "write it as region=eu-central-1")
	}
	if e := u.Query().Get("endpoint"); e != "" {
		if _, err := parseEndpoint(e); err != nil {
			return nil, err
		}
	}
	return u, checkFragment(u)
}

// checkObject refuses what names no object in a bucket of whatever kind.
func checkObject(u *url.URL, written string) error {
	if u.Host == "" || strings.Trim(u.Path, "/") == "" || u.User != nil || u.Port() != "" {
		return refused(fmt.Sprintf("source %s names no object in a bucket", display(u)), written)
	}
	if dotDot(u.Path) {
		return refused(fmt.Sprintf("source %s has '..' in its path", display(u)), "write the path that is meant")
	}
	if fragment(u).Has(growingWord) {
		return refused(fmt.Sprintf("source %s cannot be followed: an object in a bucket is whole, or is not there", display(u)), "leave #growing out, and submit it when its upload is complete")
	}
	return nil
}

func parseEndpoint(s string) (*url.URL, error) {
	u, err := s3.Endpoint(s)
	if err != nil {
		return nil, refused(fmt.Sprintf("endpoint %q is not the address of a server", displayText(s)), s3.ErrEndpoint.Error())
	}
	return u, nil
}

// checkEndpoint holds a server that a bucket's address names, or an account,
// against the rules, like any other.
func (r Rules) checkEndpoint(u *url.URL) error {
	if account := blob.Account(u); u.Scheme == blob.Azure && account != "" {
		return r.Check("https://" + account + "." + blob.AzureDomain + "/")
	}
	e := u.Query().Get("endpoint")
	if u.Scheme != "s3" || e == "" {
		return nil
	}
	server, err := parseEndpoint(e)
	if err != nil {
		return err
	}
	return r.Check(server.String())
}

// openBucket reads an object by the same reader as any other on the web: it is
// asked for by https, and each request is signed.
func openBucket(ctx context.Context, u *url.URL, rules Rules) (*web, error) {
	q := u.Query()
	region := q.Get("region")
	if region == "" && rules.Signer != nil {
		region = rules.Signer.Region(ctx)
	}
	region = cmp.Or(region, s3.DefaultRegion)
	target, err := objectURL(u, region)
	if err != nil {
		return nil, err
	}
	sign := func(req *http.Request) error { return signed(req, rules.Signer, region, display(u)) }
	if q.Get("anonymous") == "true" {
		sign = nil
	}
	// The address is the bucket's, which the rules allowed; a redirect is none.
	w := newWeb(ctx, target, display(u), Rules{})
	w.sign = sign
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

func signed(req *http.Request, s Signer, region, name string) error {
	if s == nil {
		return refused("source "+name+" is in a bucket, and this program has no credentials", "add anonymous=true for a bucket that is public")
	}
	if err := s.Sign(req, region); err != nil {
		return &media.Error{Code: media.SourceError, Message: "open source " + name, Err: err,
			Advice: "give the agent credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or add anonymous=true for a bucket that is public"}
	}
	return nil
}

// objectURL is where an object is asked for.
func objectURL(u *url.URL, region string) (*url.URL, error) {
	var server *url.URL
	if e := u.Query().Get("endpoint"); e != "" {
		var err error
		if server, err = parseEndpoint(e); err != nil {
			return nil, err
		}
	}
	return s3.URL(u.Host, u.Path, region, server), nil
}
