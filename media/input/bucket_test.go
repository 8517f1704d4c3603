package input

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// stamp signs by writing who it is and for which region.
type stamp struct{ err error }

func (s stamp) Sign(req *http.Request, region string) error {
	req.Header.Set("Authorization", "stamp for "+region)
	return s.err
}

func (stamp) Region(context.Context) string { return "eu-north-1" }

func (stamp) Place(*url.URL) (*url.URL, error)        { return nil, errors.ErrUnsupported }
func (stamp) Authorize(*http.Request, *url.URL) error { return errors.ErrUnsupported }

// An object in a bucket is read like any other on the web, each request signed.
func TestBucketIsRead(t *testing.T) {
	s := serve(t, 4*headSize)
	s.cut = headSize + 100
	rules := Rules{Patterns: []string{"s3://clips/*", s.URL + "/*"}, Signer: stamp{}}
	for options, want := range map[string]string{"": "stamp for eu-north-1", "&region=eu-west-1&use_path_style=true": "stamp for eu-west-1", "&anonymous=true": ""} {
		r, err := Open(t.Context(), "s3://clips/a%20b/c+d.ts?endpoint="+s.URL+options, rules)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, s.body) {
			t.Errorf("%s: read %d bytes, %v", options, len(got), err)
		}
		if s.path != "/clips/a%20b/c%2Bd.ts" || s.authorization != want {
			t.Errorf("%s: asked for %s by %q, want %q", options, s.path, s.authorization, want)
		}
		_ = r.Close()
	}
}

func TestBucketAddresses(t *testing.T) {
	for input, want := range map[string]string{
		"s3://clips/a.mp4?region=eu-central-1":    "https://clips.s3.eu-central-1.amazonaws.com/a.mp4",
		"s3://with.dots/a.mp4":                    "https://s3.r.amazonaws.com/with.dots/a.mp4",
		"s3://clips/a.mp4?endpoint=https://h:900": "https://h:900/clips/a.mp4",
	} {
		u, err := Parse(input)
		if err != nil {
			t.Fatal(err)
		}
		region := u.Query().Get("region")
		if region == "" {
			region = "r"
		}
		if got, err := objectURL(u, region); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v; want %s", input, got, err, want)
		}
	}
}

func TestBucketRefusals(t *testing.T) {
	for input, words := range map[string]string{
		"s3://clips":                                   "names no object",
		"s3:///a.mp4":                                  "names no object",
		"s3://clips/../other/a.mp4":                    "'..' in its path",
		"s3://clips/a.mp4?profile=root":                `option "profile"`,
		"s3://clips/a.mp4?endpoint=file:///etc":        "not the address of a server",
		"s3://clips/a.mp4?endpoint=http://h/x%3Fy":     "not the address of a server",
		"s3://clips/a.mp4?region=eu.example.com/x%23":  "is no region",
		"s3://clips/a.mp4?region=EU":                   "is no region",
		"s3://other/a.mp4":                             "--allow-source 's3://other/*'",
		"s3://clips/a.mp4?endpoint=http://10.0.0.1:90": "--allow-source 'http://10.0.0.1:90/*'",
		"s3://clips/a.mp4?endpoint=http://169.254.1.1": "169.254.1.1 is never a source",
	} {
		_, err := Open(t.Context(), input, Rules{Patterns: []string{"s3://clips/*"}, Signer: stamp{}})
		wantRefused(t, err, words)
	}
	s := serve(t, 100)
	input := "s3://clips/a.mp4?endpoint=" + s.URL
	_, err := Open(t.Context(), input, Rules{Patterns: []string{"*"}})
	wantRefused(t, err, "no credentials", "anonymous=true")
	_, err = Open(t.Context(), input, Rules{Patterns: []string{"*"}, Signer: stamp{errors.New("nothing found")}})
	wantRefused(t, err, "nothing found", "AWS_ACCESS_KEY_ID")
	s.status, s.location = 307, "https://elsewhere.example/"
	_, err = Open(t.Context(), input, Rules{Patterns: []string{"*"}, Signer: stamp{}})
	if err == nil || !strings.Contains(err.Error(), "elsewhere.example") {
		t.Errorf("a redirect: %v", err)
	}
}
