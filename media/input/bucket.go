package input

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/galafarm/gala/media"
)

// Signer signs requests for objects in buckets; it knows the credentials.
type Signer interface {
	Sign(req *http.Request, region string) error
	Region(ctx context.Context) string
}

// An object in a bucket is s3://bucket/key. Options, as gocloud.dev has them:
// region, endpoint (another server than Amazon's), anonymous=true, and
// use_path_style, which every endpoint of one's own is spoken to with anyway.
func parseBucket(u *url.URL) (*url.URL, error) {
	written := "write the URL as s3://bucket/key, with ?region=… and, for a server that is not Amazon's, endpoint=https://host"
	if u.Host == "" || strings.Trim(u.Path, "/") == "" || u.User != nil || u.Port() != "" {
		return nil, refused(fmt.Sprintf("source %s names no object in a bucket", display(u)), written)
	}
	if dotDot(u.Path) {
		return nil, refused(fmt.Sprintf("source %s has '..' in its path", display(u)), "write the path that is meant")
	}
	if fragment(u).Has(growingWord) {
		return nil, refused(fmt.Sprintf("source %s cannot be followed: an object in a bucket is whole, or is not there", display(u)), "leave #growing out, and submit it when its upload is complete")
	}
	for name := range u.Query() {
		switch name {
		case "region", "endpoint", "anonymous", "use_path_style":
		default:
			return nil, refused(fmt.Sprintf("source %s has the option %q, which buckets do not", display(u), name), written)
		}
	}
	// It becomes a part of the host's name that requests are signed for.
	if region := u.Query().Get("region"); region != "" && !regions.MatchString(region) {
		return nil, refused(fmt.Sprintf("source %s: %q is no region", display(u), region), "write it as region=eu-central-1")
	}
	if e := u.Query().Get("endpoint"); e != "" {
		if _, err := parseEndpoint(e); err != nil {
			return nil, err
		}
	}
	return u, checkFragment(u)
}

var regions = regexp.MustCompile(`^[a-z0-9-]+$`)

func parseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, refused(fmt.Sprintf("endpoint %q is not the address of a server", s), "write it as endpoint=https://host or endpoint=http://host:port")
	}
	u.Path = "/"
	return u, nil
}

// checkEndpoint holds a bucket's own server against the rules, like any other.
func (r Rules) checkEndpoint(u *url.URL) error {
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
	region = cmp.Or(region, "us-east-1")
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

// objectURL is where an object is asked for. A bucket with dots in its name has
// no certificate as a host.
func objectURL(u *url.URL, region string) (*url.URL, error) {
	host := "s3." + region + ".amazonaws.com"
	target := &url.URL{Scheme: "https", Host: u.Host + "." + host, Path: u.Path}
	if e := u.Query().Get("endpoint"); e != "" {
		server, err := parseEndpoint(e)
		if err != nil {
			return nil, err
		}
		target.Scheme, target.Host, target.Path = server.Scheme, server.Host, "/"+u.Host+u.Path
	} else if strings.Contains(u.Host, ".") {
		target.Host, target.Path = host, "/"+u.Host+u.Path
	}
	// S3 signs the path with everything escaped but what RFC 3986 leaves alone.
	target.RawPath = strings.ReplaceAll(url.PathEscape(target.Path), "%2F", "/")
	for plain, escaped := range map[string]string{"$": "%24", "&": "%26", "+": "%2B", ":": "%3A", "=": "%3D", "@": "%40"} {
		target.RawPath = strings.ReplaceAll(target.RawPath, plain, escaped)
	}
	return target, nil
}
