package input

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// inspectHead refuses texts that would make a demuxer open other things, and
// texts that are plainly not media. rest gives the whole text when needed.
func inspectHead(name string, head []byte, rest func() []byte) error {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	lower := bytes.ToLower(text[:min(len(text), 512)])
	switch {
	case bytes.HasPrefix(text, []byte("#EXTM3U")):
		return refusePlaylist(name, "an HLS playlist", rest())
	case bytes.HasPrefix(text, []byte("ffconcat version")):
		return refusePlaylist(name, "a concat script", rest())
	case bytes.HasPrefix(lower, []byte("<")) && bytes.Contains(lower, []byte("<mpd")):
		return refusePlaylist(name, "a DASH manifest", rest())
	case bytes.HasPrefix(lower, []byte("<!doctype html")), bytes.HasPrefix(lower, []byte("<html")):
		return refused("source "+name+" is an HTML page, not media"+pageTitle(head),
			"the address probably answered with an error page: open it in a browser and correct it")
	case allZero(head) && allZero(rest()):
		return refused("source "+name+" begins with nothing but zero bytes", "the file was never written or is damaged: upload it again")
	}
	return nil
}

func refusePlaylist(name, kind string, text []byte) error {
	reasons := reaches(text)
	message := fmt.Sprintf("source %s is %s, and playlists are not opened as sources", name, kind)
	if len(reasons) > 0 {
		message = fmt.Sprintf("source %s is %s that reaches for %s: refused", name, kind, strings.Join(reasons, ", "))
	}
	return refused(message, "give the media file itself, by path or http(s) URL")
}

var quotedURI = regexp.MustCompile(`URI="([^"]*)"`)

// reaches lists where a playlist's references lead, worst first, at most three.
func reaches(text []byte) []string {
	var out []string
	add := func(s string) {
		for _, have := range out {
			if have == s {
				return
			}
		}
		if len(out) < 3 {
			out = append(out, s)
		}
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		for _, m := range quotedURI.FindAllStringSubmatch(line, -1) {
			if r := reach(m[1]); r != "" {
				add(r)
			}
		}
		ref := line
		if f, ok := strings.CutPrefix(line, "file "); ok {
			ref = strings.Trim(f, `'"`)
		} else if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "ffconcat") {
			continue
		}
		if r := reach(ref); r != "" {
			add(r)
		}
	}
	return out
}

func reach(ref string) string {
	u, err := url.Parse(ref)
	switch {
	case err != nil:
		return "an unreadable address"
	case u.Host != "" && (u.Scheme == "" || u.Scheme == "http" || u.Scheme == "https"):
		if internal(u.Hostname()) {
			return "an internal address (" + u.Host + ")"
		}
	case u.Scheme == "file", strings.HasPrefix(ref, "/"):
		return "a local file (" + u.Path + ")"
	case u.Scheme != "":
		return "another protocol (" + u.Scheme + ":)"
	case dotDot(u.Path):
		return "a path outside its folder (" + ref + ")"
	}
	return ""
}

// internal tells whether a host is one that a stranger's playlist has no
// business with.
func internal(host string) bool {
	ip := net.ParseIP(host)
	return saysLoopback(host) || ip != nil && (ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsPrivate() || ip.IsUnspecified())
}

var title = regexp.MustCompile(`(?is)<title>\s*(.{1,80}?)\s*</title>`)

func pageTitle(head []byte) string {
	if m := title.FindSubmatch(head); m != nil {
		return fmt.Sprintf(" (%q)", m[1])
	}
	return ""
}

func allZero(b []byte) bool {
	return len(b) >= 188 && len(bytes.Trim(b, "\x00")) == 0
}
