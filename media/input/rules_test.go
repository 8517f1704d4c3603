package input

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/galafarm/gala/media"
)

// wantRefused checks the form that every refusal has: typed, not to be tried
// again, with advice, and with the words that tell the reason.
func wantRefused(t *testing.T, err error, words ...string) {
	t.Helper()
	me, ok := errors.AsType[*media.Error](err)
	if !ok {
		t.Fatalf("error %v (%T), want a *media.Error", err, err)
	}
	if me.Code != media.SourceError || me.Advice == "" || me.Retryable {
		t.Errorf("error %+v, want a final source_error with advice", me)
	}
	for _, w := range words {
		if !strings.Contains(me.Error()+" | "+me.Advice, w) {
			t.Errorf("error %q (advice %q) does not say %q", me, me.Advice, w)
		}
	}
}

func TestRulesCheck(t *testing.T) {
	media := []string{"file:/media/*", "https://cdn.example.com/*", "http://10.0.0.7:8000/archive/*"}
	for _, c := range []struct {
		patterns []string
		input    string
		refusal  string // a part of it; "" allowed
	}{
		{nil, "testcard:", ""},
		{nil, "testcard:?fps=50", ""},
		{nil, "/media/a.mp4", "not on this farm's list"},
		{media, "/media/a.mp4", ""},
		{media, "/media/deep/er/a.mp4", ""},
		{media, "file:///media/a.mp4", ""},
		{media, "file://localhost/media/a.mp4", ""},
		{media, "file:/media/a.mp4", ""},
		{media, "FILE:///media/a.mp4", ""},
		{media, "file:///media/a%20b.mp4", ""},
		{media, "/media/a\nb.mp4", ""},
		{media, "/media/../etc/passwd", "/etc/passwd is not on"},
		{media, "file:///media/%2e%2e/etc/passwd", "/etc/passwd is not on"},
		{media, "/media", "not on this farm's list"},
		{media, "/mediax/a.mp4", "--allow-source 'file:/mediax/*'"},
		{media, "file://elsewhere/media/a.mp4", "not a file of this machine"},
		{media, "file:media/a.mp4", "not a file of this machine"},
		{media, "media/a.mp4", "neither an absolute path nor a URL"},
		{media, "-i", "neither an absolute path nor a URL"},
		{media, "", "neither an absolute path nor a URL"},
		{media, "https://cdn.example.com/x/y.mp4?token=1", ""},
		{media, "https://CDN.example.com/x.mp4", ""},
		{media, "https://cdn.example.com", ""},
		{media, "http://cdn.example.com/x.mp4", "--allow-source 'http://cdn.example.com/*'"},
		{media, "https://cdn.example.com.evil.test/x.mp4", "not on"},
		{media, "https://cdn.example.com@evil.test/x.mp4", "not on"},
		{media, "https://evil.test/https://cdn.example.com/x", "not on"},
		{media, "https://cdn.example.com:8443/x.mp4", "not on"},
		{media, "http://10.0.0.7:8000/archive/1.ts", ""},
		{media, "http://10.0.0.7:8000/archive/../secret", "'..' in its path"},
		{media, "http://10.0.0.7:8000/archive/%2e%2e/secret", "'..' in its path"},
		{media, "http://10.0.0.7:8000/archive/..%5csecret", "'..' in its path"},
		{media, "http://10.0.0.7:8000/archive/a..b.ts", ""},
		{media, "http:///x.mp4", "names no host"},
		{Local, "/any/where.mp4", ""},
		{Local, "http://127.0.0.1/x.mp4", ""},
		{Local, "http://127.0.0.1:8080/x.mp4", ""},
		{Local, "http://localhost:8080/x.mp4", ""},
		{Local, "https://[::1]:8080/x.mp4", ""},
		{Local, "http://127.0.0.1.evil.test/x.mp4", "not on"},
		{Local, "http://localhost.evil.test/x.mp4", "not on"},
		{Local, "http://127.0.0.1:80@evil.test/x.mp4", "not on"},
		{Local, "http://169.254.169.254/latest/meta-data", "source host 169.254.169.254 is never a source"},
		{[]string{"*"}, "http://[fe80::1]/x.mp4", "source host fe80::1 is never a source"},
		{[]string{"*"}, "http://[::ffff:169.254.169.254]/x.mp4", "resolves to 169.254.169.254, which is never a source"},
		{[]string{"*"}, "https://anywhere.test/x.mp4", ""},
		{[]string{"*"}, "ftp://host/x.mp4", `sources of type "ftp:"`},
		{[]string{"*"}, "rtsp://host/live", `sources of type "rtsp:"`},
		{[]string{"*"}, "concat:/etc/passwd|/etc/hosts", `sources of type "concat:"`},
		{[]string{"*"}, "subfile,,start,0,end,9,,:/etc/passwd", "neither an absolute path nor a URL"},
		{[]string{"*"}, "data:text/plain,x", `sources of type "data:"`},
		{[]string{"*"}, "pipe:0", `sources of type "pipe:"`},
	} {
		err := Rules{Patterns: c.patterns}.Check(c.input)
		if c.refusal == "" {
			if err != nil {
				t.Errorf("%q under %v: %v, want allowed", c.input, c.patterns, err)
			}
			continue
		}
		t.Run(c.input, func(t *testing.T) { wantRefused(t, err, c.refusal) })
	}
}

func TestRefusalsKeepPasswords(t *testing.T) {
	err := Rules{}.Check("https://user:hunter2@host/x.mp4")
	wantRefused(t, err, "https://user:xxxxx@host/x.mp4")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%q tells the password", err)
	}
}

func TestCheckAddr(t *testing.T) {
	for _, c := range []struct {
		host, addr string
		refusal    string
	}{
		{"cdn.example.com", "93.184.216.34", ""},
		{"nas", "192.168.1.9", ""},
		{"nas", "fd12::9", ""},
		{"localhost", "127.0.0.1", ""},
		{"LocalHost", "::1", ""},
		{"127.0.0.1", "127.0.0.1", ""},
		{"::1", "::1", ""},
		{"127.0.0.53", "127.0.0.53", ""},
		{"rebind.test", "127.0.0.1", "resolves to this machine"},
		{"rebind.test", "::1", "resolves to this machine"},
		{"rebind.test", "::ffff:127.0.0.1", "resolves to this machine"},
		{"127.1", "127.0.0.1", "resolves to this machine"},
		{"169.254.169.254", "169.254.169.254", "never a source"},
		{"metadata.test", "169.254.169.254", "never a source"},
		{"metadata.test", "::ffff:169.254.169.254", "never a source"},
		{"metadata.test", "fd00:ec2::254", "never a source"},
		{"metadata.test", "100.100.100.200", "never a source"},
		{"metadata.test", "168.63.129.16", "never a source"},
		{"x.test", "fe80::1", "never a source"},
		{"x.test", "fe80::1%eth0", "never a source"},
		{"x.test", "224.0.0.1", "never a source"},
		{"x.test", "ff02::1", "never a source"},
		{"0.0.0.0", "0.0.0.0", "never a source"},
		{"::", "::", "never a source"},
	} {
		err := checkAddr(c.host, netip.MustParseAddr(c.addr))
		if c.refusal == "" {
			if err != nil {
				t.Errorf("%s at %s: %v, want allowed", c.host, c.addr, err)
			}
			continue
		}
		t.Run(c.host+"@"+c.addr, func(t *testing.T) { wantRefused(t, err, c.refusal) })
	}
}

func TestLinksLeadNowhereElse(t *testing.T) {
	root := realDir(t)
	inside, outside := filepath.Join(root, "media"), filepath.Join(root, "secret")
	for _, dir := range []string{inside, outside} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "a.ts"), []byte("not empty"))
	}
	link := func(to, at string) {
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	link(filepath.Join(outside, "a.ts"), filepath.Join(inside, "out.ts"))
	link("a.ts", filepath.Join(inside, "in.ts"))
	link(inside, filepath.Join(root, "shelf"))
	rules := Rules{Patterns: []string{"file:" + inside + "/*", "file:" + root + "/shelf/*"}}
	open := func(path string) error {
		r, err := Open(t.Context(), path, rules)
		if err == nil {
			err = r.Close()
		}
		return err
	}
	wantRefused(t, open(filepath.Join(inside, "out.ts")), "leads to "+outside+"/a.ts", "--allow-source 'file:"+outside+"/*'")
	if err := open(filepath.Join(inside, "in.ts")); err != nil {
		t.Errorf("a link within the folder: %v", err)
	}
	if err := open(filepath.Join(root, "shelf", "a.ts")); err != nil {
		t.Errorf("an allowed folder that is itself a link: %v", err)
	}
	wantRefused(t, open(filepath.Join(root, "shelf", "out.ts")), "leads to")
}

// realDir is a temporary folder whose own path holds no links.
func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path string, body []byte) {
	t.Helper()
	if err := os.WriteFile(path, body, 0o644); err != nil {
		t.Fatal(err)
	}
}
