// Package s3 knows where objects in S3 buckets are: how s3://bucket/key and its
// options become the address of a request.
//
// It must not know credentials, and opens nothing.
package s3

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// DefaultRegion is that of a bucket of which nothing is said.
const DefaultRegion = "us-east-1"

// ErrEndpoint: it is not the address of a server.
var ErrEndpoint = errors.New("write it as endpoint=https://host or endpoint=http://host:port")

var regions = regexp.MustCompile(`^[a-z0-9-]+$`)

// IsRegion tells a region's name from what must not become a part of a host's.
func IsRegion(s string) bool { return regions.MatchString(s) }

// Endpoint reads the address of a server that is not Amazon's.
func Endpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("endpoint %q is not the address of a server: %w", s, ErrEndpoint)
	}
	u.Path = "/"
	return u, nil
}

// URL is where an object is asked for. path begins with a slash; endpoint is nil
// for Amazon's own. A server of one's own is asked in path style, and so is a
// bucket with dots in its name, which has no certificate as a host.
func URL(bucket, path, region string, endpoint *url.URL) *url.URL {
	host := "s3." + region + ".amazonaws.com"
	target := &url.URL{Scheme: "https", Host: bucket + "." + host, Path: path}
	if endpoint != nil {
		target.Scheme, target.Host, target.Path = endpoint.Scheme, endpoint.Host, "/"+bucket+path
	} else if strings.Contains(bucket, ".") {
		target.Host, target.Path = host, "/"+bucket+path
	}
	target.RawPath = Escape(target.Path)
	return target
}

// Escape is a path as S3 signs it: everything is escaped but what RFC 3986
// leaves alone.
func Escape(path string) string {
	raw := strings.ReplaceAll(url.PathEscape(path), "%2F", "/")
	for plain, escaped := range map[string]string{"$": "%24", "&": "%26", "+": "%2B", ":": "%3A", "=": "%3D", "@": "%40"} {
		raw = strings.ReplaceAll(raw, plain, escaped)
	}
	return raw
}
