package blob

import (
	"net/url"
	"strings"
	"testing"
)

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCheck(t *testing.T) {
	for _, good := range []string{
		"gs://clips/a.mp4", "gs://with.dots_and-1/a", "gs://clips/a.mp4?anonymous=true",
		"azblob://clips/a.mp4", "azblob://$web/a", "azblob://clips/a?storage_account=studio2&anonymous=true",
	} {
		if err := Check(parse(t, good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, words := range map[string]string{
		"gs:///a.mp4":                                     "names no bucket",
		"gs://../a.mp4":                                   "names no bucket",
		"gs://user:hunter2@clips/a.mp4":                   "names no bucket",
		"gs://clips:443/a.mp4":                            "names no bucket",
		"gs://clips/a.mp4?endpoint=http://evil.test":      `no option "endpoint"`,
		"gs://clips/a.mp4?storage_account=studio":         `no option "storage_account"`,
		"azblob://Clips/a.mp4":                            "names no bucket",
		"azblob://with.dots/a.mp4":                        "names no bucket",
		"azblob://clips/a.mp4?domain=evil.test":           "AZURE_STORAGE_DOMAIN",
		"azblob://clips/a.mp4?localemu=true":              `no option "localemu"`,
		"azblob://clips/a.mp4?storage_account=evil.test/": "no storage account",
		"azblob://clips/a.mp4?storage_account=":           "no storage account",
		"azblob://clips/a.mp4?a=%zz":                      "cannot be read",
	} {
		if err := Check(parse(t, bad)); err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", bad, err, words)
		}
	}
}

func TestURL(t *testing.T) {
	google := func(emulator string) (*url.URL, error) { return GoogleServer(emulator) }
	azure := func(domain, protocol string, emulator bool) func(string) (*url.URL, error) {
		return func(string) (*url.URL, error) { return AzureServer("studio", domain, protocol, emulator) }
	}
	for _, c := range []struct {
		server   func(string) (*url.URL, error)
		emulator string
		want     string
	}{
		{google, "", "https://storage.googleapis.com/clips/a%20b%2Bc"},
		{google, "127.0.0.1:9023", "http://127.0.0.1:9023/clips/a%20b%2Bc"},
		{google, "https://gcs.test", "https://gcs.test/clips/a%20b%2Bc"},
		{azure("", "", false), "", "https://studio.blob.core.windows.net/clips/a%20b%2Bc"},
		{azure("blob.core.usgovcloudapi.net", "", false), "", "https://studio.blob.core.usgovcloudapi.net/clips/a%20b%2Bc"},
		{azure("127.0.0.1:10000", "http", false), "", "http://127.0.0.1:10000/studio/clips/a%20b%2Bc"},
		{azure("azurite:10000", "http", true), "", "http://azurite:10000/studio/clips/a%20b%2Bc"},
	} {
		server, err := c.server(c.emulator)
		if err != nil {
			t.Fatal(err)
		}
		if got := URL(server, "clips", "/a b+c").String(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	for what, server := range map[string]func() (*url.URL, error){
		"an emulator with a path": func() (*url.URL, error) { return GoogleServer("http://host/path") },
		"an emulator by ftp":      func() (*url.URL, error) { return GoogleServer("ftp://host") },
		"a domain with a path":    func() (*url.URL, error) { return AzureServer("studio", "evil.test/x", "", false) },
		"a domain with a user":    func() (*url.URL, error) { return AzureServer("studio", "x@evil.test", "", false) },
		"another protocol":        func() (*url.URL, error) { return AzureServer("studio", "", "ftp", false) },
	} {
		if u, err := server(); err == nil {
			t.Errorf("%s is taken for %v", what, u)
		}
	}
}
