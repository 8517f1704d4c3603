package main

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIDFor(t *testing.T) {
	tests := map[string]string{
		"testcard:?fps=25":                     "testcard",
		"/media/Cup Final (1).mp4":             "Cup-Final-1",
		"../-x.mp4":                            "x",
		".hidden":                              "job",
		"/":                                    "job",
		"日本.mp4":                               "job",
		"take:2.final.mov":                     "take-2.final",
		"http://cdn.example/live/derby.m3u8":   "derby",
		"http://cdn.example/derby/master.m3u8": "derby",
		"http://cdn.example/master.m3u8":       "master",
		"srt://10.0.0.7:9000?streamid=x":       "10-0-0-7",
		"rtmp://in.example/app/key":            "key",
		strings.Repeat("a", 80) + ".mp4":       strings.Repeat("a", 63),
	}
	for input, want := range tests {
		if got := idFor(input); got != want {
			t.Errorf("idFor(%q) = %q, want %q", input, got, want)
		}
	}
}

func TestEverySourceGetsItsOwnGoodID(t *testing.T) {
	good := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	rapid.Check(t, func(t *rapid.T) {
		ids, err := idsFor("", rapid.SliceOfN(rapid.String(), 1, 12).Draw(t, "sources"))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, id := range ids {
			if !good.MatchString(id) || seen[id] {
				t.Fatalf("ids %q", ids)
			}
			seen[id] = true
		}
	})
}

func TestAnIDTooLongForItsNumber(t *testing.T) {
	if _, err := idsFor(strings.Repeat("a", 62), []string{"x", "y"}); err == nil {
		t.Error("an id of 64 letters was taken")
	}
}
