package input

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/blob"
)

// TestCard is the scheme of the generated source.
const TestCard = "testcard:"

// Rules say what may be opened. The zero value allows nothing but the test card.
type Rules struct {
	// Patterns over the whole address, '*' standing for anything:
	// "file:/media/*", "https://cdn.example.com/*". "*" allows every address but
	// link-local ones.
	Patterns []string
	// Signer signs requests for objects in buckets; nil reads public ones of s3
	// only.
	Signer Signer
	// Glance: a source that grows ends where it stands for a moment, for who only
	// looks at what it is.
	Glance bool
	// Pause waits for a source that grows; nil: by the clock.
	Pause func(context.Context, time.Duration) error
}

// Local is what a one-machine farm may read: the user's files and this
// machine's own web servers.
var Local = []string{
	"file:*",
	"http://127.0.0.1/*", "http://127.0.0.1:*", "http://localhost/*", "http://localhost:*", "http://[::1]/*", "http://[::1]:*",
	"https://127.0.0.1/*", "https://127.0.0.1:*", "https://localhost/*", "https://localhost:*", "https://[::1]/*", "https://[::1]:*",
	"srt://127.0.0.1:*", "rtmp://127.0.0.1/*", "rtmp://127.0.0.1:*", "udp://127.0.0.1:*", "rtp://127.0.0.1:*",
}

// Check holds an input's address against the rules, without opening it. The
// error is a *media.Error that names the rule to add.
func (r Rules) Check(input string) error {
	if strings.HasPrefix(input, TestCard) {
		return nil
	}
	u, err := Parse(input)
	if err != nil {
		return err
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := checkHost(u, addr); err != nil {
			return err
		}
	}
	if r.match(address(u)) {
		return r.checkEndpoint(u)
	}
	return refused(fmt.Sprintf("source %s is not on this farm's list of allowed sources", display(u)),
		fmt.Sprintf("start the farm with --allow-source '%s', or give a source that is allowed", suggestion(u)))
}

func checkHost(u *url.URL, addr netip.Addr) error {
	if live(u.Scheme) {
		return checkLive(u, addr.Unmap())
	}
	return checkAddr(u.Hostname(), addr)
}

func (r Rules) match(address string) bool {
	return slices.ContainsFunc(r.Patterns, func(p string) bool { return match(p, address) })
}

// checkLinks holds the file that a path really leads to against the rules: a
// symbolic link is no way out of a folder. A folder that the rules name may
// itself be reached by a link.
func (r Rules) checkLinks(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return notOpened(path, err)
	}
	if real == path || r.match("file:"+real) || slices.ContainsFunc(r.Patterns, func(p string) bool { return match(realPattern(p), "file:"+real) }) {
		return nil
	}
	return refused(fmt.Sprintf("source %s leads to %s, which is not on this farm's list of allowed sources", path, real),
		fmt.Sprintf("start the farm with --allow-source 'file:%s/*', or give a source that is allowed", filepath.Dir(real)))
}

// realPattern is a file pattern with the links in its fixed folder followed.
func realPattern(p string) string {
	path, ok := strings.CutPrefix(p, "file:")
	fixed, _, _ := strings.Cut(path, "*")
	dir := filepath.Dir(fixed + "x")
	real, err := filepath.EvalSymlinks(dir)
	if !ok || err != nil {
		return p
	}
	return "file:" + real + strings.TrimPrefix(path, dir)
}

// Parse reads a path or URL: files, http and https, and what is live.
func Parse(input string) (*url.URL, error) {
	if filepath.IsAbs(input) {
		return &url.URL{Scheme: "file", Path: filepath.Clean(input)}, nil
	}
	u, err := url.Parse(input)
	if err != nil || u.Scheme == "" {
		return nil, refused(fmt.Sprintf("source %q is neither an absolute path nor a URL", displayText(input)),
			"give an absolute path, an http(s) URL, s3://, gs:// or azblob://bucket/key, or testcard:")
	}
	switch u.Scheme {
	case "srt", "rtmp", "udp", "rtp":
		return parseLive(u)
	case "http", "https":
		if u.Hostname() == "" {
			return nil, refused(fmt.Sprintf("source %q names no host", displayText(input)), "write the URL as https://host/path")
		}
		if dotDot(u.Path) {
			return nil, refused(fmt.Sprintf("source %s has '..' in its path", display(u)), "write the path that is meant")
		}
		return u, checkFragment(u)
	case "s3":
		return parseBucket(u)
	case blob.Google, blob.Azure:
		return parseBlob(u)
	case "file":
		if u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(u.Path) {
			return nil, refused(fmt.Sprintf("source %q is not a file of this machine", displayText(input)), "write file:///absolute/path")
		}
		u = &url.URL{Scheme: "file", Path: filepath.Clean(u.Path), Fragment: u.Fragment}
		return u, checkFragment(u)
	}
	return nil, refused(fmt.Sprintf("sources of type %q cannot be read", u.Scheme+":"),
		"give a file, an http(s) URL, s3://bucket/key, gs://bucket/key, azblob://container/key, srt://, rtmp://, udp://, rtp:// or testcard:")
}

// address is the form that patterns are matched against; no query, no user.
func address(u *url.URL) string {
	if u.Scheme == "file" {
		return "file:" + u.Path
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return u.Scheme + "://" + strings.ToLower(u.Host) + path
}

func suggestion(u *url.URL) string {
	if u.Scheme == "file" {
		return "file:" + filepath.Dir(u.Path) + "/*"
	}
	return u.Scheme + "://" + strings.ToLower(u.Host) + "/*"
}

// dotDot tells whether a path climbs; u.Path is decoded, so "%2e%2e" does too.
func dotDot(path string) bool {
	return slices.Contains(strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == '\\' }), "..")
}

func match(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	ok, err := regexp.MatchString("(?s)^"+strings.Join(parts, ".*")+"$", s)
	return err == nil && ok
}

// checkAddr refuses addresses that no source legitimately has: link-local (the
// cloud metadata services live there), multicast and unspecified. Loopback is
// refused unless the URL itself said loopback, so that a name cannot be pointed
// there behind the rules' back.
func checkAddr(host string, addr netip.Addr) error {
	addr = addr.Unmap()
	says := fmt.Sprintf("source host %s resolves to %s, which", host, addr)
	if host == addr.String() {
		says = "source host " + host
	}
	switch {
	case addr.IsLinkLocalUnicast(), addr.IsMulticast(), addr.IsUnspecified(), slices.Contains(metadata, addr.String()):
		return refused(says+" is never a source",
			"give the source's own address; link-local and metadata addresses are always refused")
	case addr.IsLoopback() && !saysLoopback(host):
		return refused(fmt.Sprintf("source host %s resolves to this machine (%s)", host, addr),
			"name 127.0.0.1 or localhost itself if that is meant")
	}
	return nil
}

// metadata services of clouds that are not link-local.
var metadata = []string{"fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"}

func saysLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func refused(message, advice string) error {
	return &media.Error{Code: media.SourceError, Message: message, Advice: advice}
}
