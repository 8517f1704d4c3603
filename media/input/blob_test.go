package input

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/galafarm/gala/media/blob"
)

// counter is a signer for whom all is at one server; each request gets a number.
type counter struct {
	stamp
	server *url.URL
	err    error
	signed int
}

func (c *counter) Place(u *url.URL) (*url.URL, error) { return blob.URL(c.server, u.Host, u.Path), nil }

func (c *counter) Authorize(req *http.Request, u *url.URL) error {
	c.signed++
	req.Header.Set("Authorization", u.Scheme+" for "+req.Header.Get("Range"))
	req.URL.RawQuery = "sig=secret"
	return c.err
}

func counting(t *testing.T, s *served) *counter {
	t.Helper()
	u, err := url.Parse(s.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	return &counter{server: u}
}

// A blob is read, resumed and sought in like any other object on the web, each
// request authorized when its headers are there.
func TestBlobIsRead(t *testing.T) {
	for _, scheme := range []string{"gs", "azblob"} {
		s := serve(t, 4*headSize)
		s.cut = headSize + 100
		signer := counting(t, s)
		r, err := Open(t.Context(), scheme+"://clips/a%20b/c+d.ts", Rules{Patterns: []string{scheme + "://clips/*"}, Signer: signer})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, s.body) {
			t.Errorf("%s: read %d bytes, %v", scheme, len(got), err)
		}
		if n := len(s.ranges); s.path != "/clips/a%20b/c%2Bd.ts" || s.authorization != scheme+" for "+s.ranges[n-1] || signer.signed != n || n < 4 {
			t.Errorf("asked %d times, signed %d times, last for %s by %q", n, signer.signed, s.path, s.authorization)
		}
		if r.Size() != int64(len(s.body)) || !r.Seekable() {
			t.Errorf("size %d, seekable: %v", r.Size(), r.Seekable())
		}
		if _, err := r.Seek(-10, io.SeekEnd); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, s.body[len(s.body)-10:]) {
			t.Errorf("%s: the last bytes: %d of them, %v", scheme, len(got), err)
		}
		_ = r.Close()
	}
}

func TestBlobRefusals(t *testing.T) {
	for input, words := range map[string]string{
		"gs://clips":                                               "names no object",
		"gs:///a.mp4":                                              "names no object",
		"gs://clips/../other/a":                                    "'..' in its path",
		"gs://clips/%2e%2e/a":                                      "'..' in its path",
		"gs://u:hunter2@clips/a":                                   "names no object",
		"gs://clips:443/a":                                         "names no object",
		"gs://clips/a#growing":                                     "cannot be followed",
		"gs://clips/a#program=abc":                                 "program",
		"gs://clips/a?endpoint=http://169.254.169.254":             `no option "endpoint"`,
		"gs://other/a.mp4":                                         "--allow-source 'gs://other/*'",
		"azblob://clips/a?domain=evil.test":                        `no option "domain"`,
		"azblob://clips/a?sv=2021&sig=hunter2":                     "has no option",
		"azblob://Clips/a":                                         "names no bucket",
		"azblob://clips/a?storage_account=evil.test%2F":            "no storage account",
		"azblob://clips/a?storage_account=stranger&anonymous=true": "--allow-source 'https://stranger.blob.core.windows.net/*'",
		"azblob://other/a.mp4":                                     "--allow-source 'azblob://other/*'",
		"b2://clips/a":                                             "gs://bucket/key, azblob://container/key",
		"clips/a":                                                  "azblob://",
	} {
		_, err := Open(t.Context(), input, Rules{Patterns: []string{"gs://clips/*", "azblob://clips/*"}, Signer: &counter{}})
		wantRefused(t, err, words)
		if err != nil && strings.Contains(err.Error()+adviceOf(err)+Display(input), "hunter2") {
			t.Errorf("%s: told as %v, shown as %s", input, err, Display(input))
		}
	}
	rules := Rules{Patterns: []string{"azblob://clips/*", "https://stranger.blob.core.windows.net/*"}}
	if err := rules.Check("azblob://clips/a?storage_account=stranger"); err != nil {
		t.Errorf("an account that is allowed: %v", err)
	}
}

// An account that an address names is read where the rules allow, wherever the
// environment has its server; the environment's own needs no rule.
func TestBlobAccountElsewhere(t *testing.T) {
	s := serve(t, 100)
	patterns := []string{"azblob://clips/*", "https://stranger.blob.core.windows.net/*"}
	open := func(address string, patterns ...string) error {
		r, err := Open(t.Context(), address, Rules{Patterns: patterns, Signer: counting(t, s)})
		if err == nil {
			err = r.Close()
		}
		return err
	}
	const named = "azblob://clips/a?storage_account=stranger&anonymous=true"
	wantRefused(t, open(named, patterns...), "--allow-source '"+s.URL+"/*'")
	if len(s.ranges) != 0 {
		t.Errorf("asked %d times", len(s.ranges))
	}
	if err := open(named, append(patterns, s.URL+"/*")...); err != nil {
		t.Errorf("allowed: %v", err)
	}
	if err := open("azblob://clips/a", patterns...); err != nil {
		t.Errorf("the environment's own: %v", err)
	}
}

// Whatever goes wrong, the signature in the request's address is not told.
func TestBlobErrorsKeepSignatures(t *testing.T) {
	s := serve(t, 100)
	signer := counting(t, s)
	open := func() error {
		_, err := Open(t.Context(), "azblob://clips/a.ts", Rules{Patterns: []string{"*"}, Signer: signer})
		if err != nil && strings.Contains(err.Error()+adviceOf(err), "secret") {
			t.Errorf("%v tells the signature", err)
		}
		return err
	}
	s.status, s.location = 307, "https://elsewhere.example/?sig=secret"
	wantRefused(t, open(), "redirected")
	s.status = 403
	wantRefused(t, open(), "source azblob://clips/a.ts answered 403")
	s.Close()
	wantRetryable(t, open(), "read source azblob://clips/a.ts")
	signer.err = errors.New("nothing found")
	wantRefused(t, open(), "nothing found", "AZURE_STORAGE_KEY")
	signer.err = soon{}
	wantRetryable(t, open(), "no token yet")
	_, err := Open(t.Context(), "gs://clips/a.ts", Rules{Patterns: []string{"*"}})
	wantRefused(t, err, "no credentials")
}

type soon struct{}

func (soon) Error() string   { return "no token yet" }
func (soon) Temporary() bool { return true }
