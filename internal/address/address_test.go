package address

import "testing"

func TestPublic(t *testing.T) {
	for in, want := range map[string]string{
		"/srv/www": "/srv/www",
		"https://gala:secret@origin.example/in/derby":                          "https://origin.example/in/derby",
		"https://cdn.example/in?token=secret&ingest=cmaf":                      "https://cdn.example/in?ingest=cmaf",
		"https://cdn.example/in?token=secret":                                  "https://cdn.example/in",
		"s3://bucket/live?region=eu-north-1&endpoint=https%3A%2F%2Fminio:9000": "s3://bucket/live?endpoint=https%3A%2F%2Fminio%3A9000&region=eu-north-1",
		"azblob://live/x?storage_account=studio&sig=secret":                    "azblob://live/x?storage_account=studio",
		"%zz":                      "an address that cannot be read",
		"http://gala:SEC RET@%zz/": "an address that cannot be read",
	} {
		if got := Public(in); got != want {
			t.Errorf("%s is told as %s, want %s", in, got, want)
		}
	}
}

// A replica's folder lies in the path, before the options.
func TestBelowAndAbove(t *testing.T) {
	for tree, below := range map[string]string{
		"http://origin/in/derby":                     "http://origin/in/derby/r2",
		"s3://bucket/derby?endpoint=http://x:9000":   "s3://bucket/derby/r2?endpoint=http://x:9000",
		"/srv/what?/derby":                           "/srv/what?/derby/r2",
		"https://cdn.example/derby?ingest=cmaf&t=ab": "https://cdn.example/derby/r2?ingest=cmaf&t=ab",
	} {
		if got := Below(tree, "r2"); got != below {
			t.Errorf("%s: %s, want %s", tree, got, below)
		}
		if got := Above(below, "r2"); got != tree {
			t.Errorf("above %s: %s, want %s", below, got, tree)
		}
		if Below(tree, "") != tree || Above(tree, "r2") != tree {
			t.Errorf("%s is no replica's", tree)
		}
	}
}
