package input

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestDisplay(t *testing.T) {
	for input, want := range map[string]string{
		"https://h/a.mp4?sv=2021&sig=SECRET":                     "https://h/a.mp4?sv=xxxxx&sig=xxxxx",
		"https://h/a.mp4?Signature=SECRET&Expires=1":             "https://h/a.mp4?Signature=xxxxx&Expires=xxxxx",
		"https://h/a.mp4?X-Amz-Signature=SECRET":                 "https://h/a.mp4?X-Amz-Signature=xxxxx",
		"https://h/a.mp4?SECRET":                                 "https://h/a.mp4?xxxxx",
		"https://h/a.mp4?s%69g=SECRET":                           "https://h/a.mp4?xxxxx",
		"https://h/a.mp4?token%3DSECRET":                         "https://h/a.mp4?xxxxx",
		"https://h/a.mp4?token=SECRET#program=2":                 "https://h/a.mp4?token=xxxxx#program=2",
		"https://user:SECRET@h/a.mp4?key=SECRET":                 "https://user:xxxxx@h/a.mp4?key=xxxxx",
		"azblob://clips/a?account_key=SECRET":                    "azblob://clips/a?account_key=xxxxx",
		"azblob://clips/a?storage_account=studio&anonymous=true": "azblob://clips/a?storage_account=studio&anonymous=true",
		"s3://clips/a?region=eu-north-1&endpoint=http://h:9000":  "s3://clips/a?region=eu-north-1&endpoint=http://h:9000",
		"s3://clips/a?endpoint=http%3A%2F%2Fu%3ASECRET%40h":      "s3://clips/a?endpoint=xxxxx",
		"srt://h:9000?mode=caller&latency=200&streamid=a%2Fb":    "srt://h:9000?mode=caller&latency=200&streamid=a%2Fb",
		"srt://h:9000?streamid=read:gala:user:SECRET":            "srt://h:9000?streamid=xxxxx",
		"srt://h:9000?streamid=%23!::r=gala,s=SECRET":            "srt://h:9000?streamid=xxxxx",
		"udp://@239.1.1.1:5000?interface=eth1&program=2&video=1": "udp://@239.1.1.1:5000?interface=eth1&program=2&video=1",
		"testcard:?size=320x240&fps=25&duration=2s":              "testcard:?size=320x240&fps=25&duration=2s",
		"srt://h:9000?mode=caller;passphrase=SECRET":             "srt://h:9000?mode=xxxxx",
		"gs://user:SECRET@clips/%zz":                             "gs://xxxxx@clips/%zz",
		"gs://user:SEC/RET@clips/a%zz?token=SECRET":              "gs://xxxxx@clips/a%zz?token=xxxxx",
		"gs://user:SEC?RET@clips/a":                              "gs://xxxxx?xxxxx",
		"https://user:SECRET@h/%zz?sig=a@SECRET":                 "https://xxxxx@h/%zz?sig=xxxxx",
		"user:SECRET@h/a.mp4":                                    "xxxxx@h/a.mp4",
		"clips/a@b.mp4":                                          "clips/a@b.mp4",
		"/media/a@b?c=d.mp4":                                     "/media/a@b?c=d.mp4",
	} {
		if got := Display(input); got != want {
			t.Errorf("%s is shown as %s, want %s", input, got, want)
		}
		if err := (Rules{}).Check(input); err != nil && strings.Contains(err.Error()+adviceOf(err), "SECRET") {
			t.Errorf("%s: %v tells the secret", input, err)
		}
	}
}

// Whatever a server answers, an address that is signed keeps its signature.
func TestErrorsKeepSignatures(t *testing.T) {
	s := serve(t, 100)
	f := NewFetcher(Rules{Patterns: Local})
	defer f.Close()
	for _, query := range []string{"?sv=2021-12-02&sig=SECRET", "?Expires=1&Signature=SECRET"} {
		u, err := url.Parse(s.URL + "/clip.ts" + query)
		if err != nil {
			t.Fatal(err)
		}
		for name, ask := range map[string]func() error{
			"open":  func() error { _, err := Open(t.Context(), u.String(), Rules{Patterns: Local}); return err },
			"get":   func() error { _, _, err := f.Get(t.Context(), u, Range{}, 10); return err },
			"post":  func() error { _, err := f.Post(t.Context(), u, nil, nil, 10); return err },
			"check": func() error { return Rules{}.Check(u.String()) },
		} {
			for status, location := range map[int]string{403: "", 404: "", 503: "", 200: "", 307: "https://elsewhere.test/" + query} {
				s.set(func(s *served) { s.status, s.troubled, s.location = status, 0, location })
				err := ask()
				if err == nil && status == 200 {
					continue // opened
				}
				if err == nil || strings.Contains(err.Error()+adviceOf(err), "SECRET") || !strings.Contains(err.Error(), "/clip.ts") && status != 307 && name != "check" {
					t.Errorf("%s%s, %d: %v", name, query, status, err)
				}
				if name == "get" && status == 404 && !errors.Is(err, ErrGone) {
					t.Errorf("404: %v", err)
				}
			}
		}
	}
}
