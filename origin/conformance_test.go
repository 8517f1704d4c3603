package origin

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	livePlaylist  = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.m4s\n#EXTINF:2,\n2.m4s\n#EXTINF:2,\n3.m4s\n#EXTINF:2,\n4.m4s\n"
	endedPlaylist = livePlaylist + "#EXT-X-ENDLIST\n"
	segment       = "0123456789abcdef"
)

func TestStoredObjectsAreServedAsTheirKind(t *testing.T) {
	s := newSite(t, Config{})
	for _, tc := range []struct{ path, body, contentType, cache string }{
		{"/origin/a/master.m3u8", livePlaylist, "application/vnd.apple.mpegurl", cacheLive},
		{"/origin/a/720p/media.m3u8", endedPlaylist, "application/vnd.apple.mpegurl", cacheEnded},
		{"/origin/a/manifest.mpd", "<MPD/>", "application/dash+xml", cacheLive},
		{"/origin/b/manifest.mpd", `<MPD type="static"/>`, "application/dash+xml", cacheEnded},
		{"/origin/a/720p/12.m4s", segment, "video/iso.segment", cacheForever},
		{"/origin/a/720p/init-0a1b.mp4", segment, "video/mp4", cacheForever},
		{"/origin/a/whole.mp4", segment, "video/mp4", cacheVerify},
		{"/origin/a/en/7.vtt", "WEBVTT", "text/vtt; charset=utf-8", cacheForever},
		{"/origin/a/en/all.vtt", "WEBVTT", "text/vtt; charset=utf-8", cacheVerify},
		{"/origin/a/evil.html", "<script>", "application/octet-stream", cacheVerify},
	} {
		put := s.want(s.put(tc.path, tc.body, 1), http.StatusCreated)
		got := s.want(s.do("GET", tc.path, ""), http.StatusOK)
		if got.body != tc.body {
			t.Errorf("%s: body %q", tc.path, got.body)
		}
		for name, want := range map[string]string{
			"Content-Type": tc.contentType, "Cache-Control": tc.cache, "ETag": put.header.Get("ETag"),
			"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", tc.path, name, got.header.Get(name), want)
			}
		}
		if _, err := http.ParseTime(got.header.Get("Last-Modified")); err != nil {
			t.Errorf("%s: Last-Modified: %v", tc.path, err)
		}
		head := s.want(s.do("HEAD", tc.path, ""), http.StatusOK)
		if head.body != "" || head.header.Get("ETag") != got.header.Get("ETag") {
			t.Errorf("%s: HEAD differs from GET", tc.path)
		}
	}
}

// Ranges: RFC 9110 §14.
func TestRanges(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/v/1.m4s", segment, 1), http.StatusCreated)
	s.want(s.put("/origin/a/v/media.m3u8", livePlaylist, 1), http.StatusCreated)
	tag := s.do("GET", "/origin/a/v/1.m4s", "").header.Get("ETag")
	for _, tc := range []struct {
		path    string
		headers []string
		code    int
		body    string
	}{
		{"1.m4s", []string{"Range", "bytes=0-3"}, 206, "0123"},
		{"1.m4s", []string{"Range", "bytes=12-"}, 206, "cdef"},
		{"1.m4s", []string{"Range", "bytes=-2"}, 206, "ef"},
		{"1.m4s", []string{"Range", "bytes=99-"}, 416, ""},
		{"1.m4s", []string{"Range", "bytes=0-3", "If-Range", tag}, 206, "0123"},
		{"1.m4s", []string{"Range", "bytes=0-3", "If-Range", `"other"`}, 200, segment},
		{"media.m3u8", []string{"Range", "bytes=0-6", "Accept-Encoding", "gzip"}, 206, "#EXTM3U"},
	} {
		got := s.want(s.do("GET", "/origin/a/v/"+tc.path, "", tc.headers...), tc.code)
		if tc.body != "" && got.body != tc.body {
			t.Errorf("%v: body %q, want %q", tc.headers, got.body, tc.body)
		}
		if got.header.Get("Content-Encoding") != "" {
			t.Errorf("%v: a range of a compressed body", tc.headers)
		}
	}
}

// Conditional reads: RFC 9110 §13.
func TestConditionalReads(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/master.m3u8", livePlaylist, 1), http.StatusCreated)
	first := s.do("GET", "/origin/a/master.m3u8", "")
	zipped := s.do("GET", "/origin/a/master.m3u8", "", "Accept-Encoding", "gzip")
	for _, tc := range []struct {
		headers []string
		code    int
	}{
		{[]string{"If-None-Match", first.header.Get("ETag")}, 304},
		{[]string{"If-None-Match", zipped.header.Get("ETag"), "Accept-Encoding", "gzip"}, 304},
		{[]string{"If-None-Match", `"other"`}, 200},
		{[]string{"If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, 304},
		{[]string{"If-Modified-Since", "Mon, 02 Jan 2006 15:04:05 GMT"}, 200},
		{[]string{"If-Match", `"other"`}, 412},
	} {
		s.want(s.do("GET", "/origin/a/master.m3u8", "", tc.headers...), tc.code)
	}
	s.want(s.put("/origin/a/master.m3u8", endedPlaylist, 1), http.StatusNoContent)
	s.want(s.do("GET", "/origin/a/master.m3u8", "", "If-None-Match", first.header.Get("ETag")), http.StatusOK)
}

// Apple's HLS authoring rule 10.1: playlists are compressed for who accepts it.
func TestPlaylistsAreCompressed(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/v/media.m3u8", livePlaylist, 1), http.StatusCreated)
	s.want(s.put("/origin/a/v/1.m4s", strings.Repeat("a", 9999), 1), http.StatusCreated)
	for accept, zipped := range map[string]bool{
		"gzip": true, "deflate, gzip;q=0.5": true, "*": true, "br, x-gzip": true,
		"identity": false, "gzip;q=0": false, "br": false, "*;q=0": false, "gzip;q=x": false,
	} {
		got := s.want(s.do("GET", "/origin/a/v/media.m3u8", "", "Accept-Encoding", accept), http.StatusOK)
		if got.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: Vary is %q", accept, got.header.Get("Vary"))
		}
		text := got.body
		if is := got.header.Get("Content-Encoding") == "gzip"; is != zipped {
			t.Errorf("%s: compressed %t, want %t", accept, is, zipped)
		} else if is {
			text = unzip(t, got.body)
		}
		if text != livePlaylist {
			t.Errorf("%s: text %q", accept, text)
		}
	}
	if got := s.do("GET", "/origin/a/v/1.m4s", "", "Accept-Encoding", "gzip"); got.header.Get("Content-Encoding") != "" {
		t.Error("a segment was compressed")
	}
}

func unzip(t *testing.T, body string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Conditional writes: what a writer read back is what it replaces (DESIGN §4).
func TestConditionalWrites(t *testing.T) {
	s := newSite(t, Config{})
	const path = "/origin/a/master.m3u8"
	put := func(body string, headers ...string) answer {
		return s.do("PUT", path, body, append(headers, EpochHeader, "1")...)
	}
	s.want(put("x", "If-Match", "*"), http.StatusPreconditionFailed)
	s.want(put(livePlaylist, "If-None-Match", "*"), http.StatusCreated)
	s.want(put("x", "If-None-Match", "*"), http.StatusPreconditionFailed)
	plain := s.do("GET", path, "").header.Get("ETag")
	zipped := s.do("GET", path, "", "Accept-Encoding", "gzip").header.Get("ETag")
	if plain == zipped {
		t.Error("the compressed body has the tag of the plain one")
	}
	s.want(put(endedPlaylist, "If-Match", `"other", `+zipped), http.StatusNoContent)
	s.want(put("x", "If-Match", plain), http.StatusPreconditionFailed)
	s.want(put("x", "If-Match", `W/`+plain), http.StatusPreconditionFailed)
	if got := s.do("GET", path, "").body; got != endedPlaylist {
		t.Errorf("a refused write left %q", got)
	}
}

func TestSegmentsAreImmutable(t *testing.T) {
	s := newSite(t, Config{})
	for i, name := range []string{"5.m4s", "init-ab.mp4", "5.vtt"} {
		path := fmt.Sprintf("/origin/a/v%d/%s", i, name)
		s.want(s.put(path, "first", 1), http.StatusCreated)
		for body, want := range map[string]string{"first": Identical, "other": KeptFirst, "longer than the first": KeptFirst, "": KeptFirst} {
			got := s.want(s.put(path, body, 2), http.StatusOK)
			if got.header.Get(DuplicateHeader) != want {
				t.Errorf("%s put again as %q: %q, want %q", name, body, got.header.Get(DuplicateHeader), want)
			}
		}
		if got := s.do("GET", path, "").body; got != "first" {
			t.Errorf("%s is now %q", name, got)
		}
	}
	s.want(s.put("/origin/a/poster.jpg", "one", 2), http.StatusCreated)
	s.want(s.put("/origin/a/poster.jpg", "two", 2), http.StatusNoContent)
}

func TestDelete(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/v/1.m4s", segment, 3), http.StatusCreated)
	s.want(s.do("DELETE", "/origin/a/v/1.m4s", "", EpochHeader, "2"), http.StatusConflict)
	s.want(s.do("DELETE", "/origin/a/v/1.m4s", "", EpochHeader, "3"), http.StatusNoContent)
	s.want(s.do("GET", "/origin/a/v/1.m4s", ""), http.StatusNotFound)
	s.want(s.do("DELETE", "/origin/a/v/1.m4s", "", EpochHeader, "3"), http.StatusNotFound)
	s.want(s.do("DELETE", "/origin/a/v/", "", EpochHeader, "3"), http.StatusBadRequest)
	s.want(s.do("DELETE", "/origin/", "", EpochHeader, "3"), http.StatusBadRequest)
	s.want(s.put("/origin/a/v/1.m4s", "again", 3), http.StatusCreated)
}

func TestTreeIsDeletedWithItsEpochs(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/master.m3u8", livePlaylist, 7), http.StatusCreated)
	s.want(s.put("/origin/a/v/1.m4s", segment, 9), http.StatusCreated)
	s.want(s.do("GET", "/origin/a/master.m3u8", ""), http.StatusOK)
	s.want(s.do("DELETE", "/origin/a/", "", EpochHeader, "8"), http.StatusConflict)
	s.want(s.do("DELETE", "/origin/a/", ""), http.StatusNoContent)
	s.want(s.do("GET", "/origin/a/master.m3u8", ""), http.StatusNotFound)
	s.want(s.do("DELETE", "/origin/a/", ""), http.StatusNotFound)
	s.want(s.put("/origin/a/v/1.m4s", "a new job of that name", 1), http.StatusCreated)
}

func TestListing(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/b/v/1.m4s", segment, 1), http.StatusCreated)
	s.want(s.put("/origin/a/master.m3u8", livePlaylist, 1), http.StatusCreated)
	got := s.want(s.do("GET", "/origin/", ""), http.StatusOK)
	var l Listing
	if err := json.Unmarshal([]byte(got.body), &l); err != nil {
		t.Fatal(err)
	}
	if len(l.Trees) != 2 || l.Trees[0].Job != "a" || l.Trees[0].Master != "/origin/a/master.m3u8" || l.Trees[1].Job != "b" || l.Trees[1].Master != "" {
		t.Errorf("listing %+v", l)
	}
	s.want(s.do("HEAD", "/origin/", ""), http.StatusOK)
	s.want(s.do("GET", "/origin/a/", ""), http.StatusNotFound)
	s.want(s.do("GET", "/origin/a", ""), http.StatusNotFound)
}

func TestRefusals(t *testing.T) {
	s := newSite(t, Config{MaxObject: 20})
	s.want(s.put("/origin/a/v/1.m4s", segment, 0), http.StatusCreated)
	for _, tc := range []struct {
		what, method, path, body string
		headers                  []string
		code                     int
	}{
		{"missing", "GET", "/origin/a/v/2.m4s", "", nil, 404},
		{"other method", "POST", "/origin/a/v/2.m4s", "", nil, 405},
		{"object on top", "PUT", "/origin/a", "x", nil, 400},
		{"folder", "PUT", "/origin/a/v/", "x", nil, 400},
		{"name of a folder", "PUT", "/origin/a/v", "x", nil, 409},
		{"folder under an object", "PUT", "/origin/a/v/1.m4s/x", "x", nil, 409},
		{"too large", "PUT", "/origin/a/v/2.m4s", strings.Repeat("x", 21), nil, 413},
		{"part of an object", "PUT", "/origin/a/v/2.m4s", "x", []string{"Content-Range", "bytes 0-0/2"}, 400},
		{"compressed", "PUT", "/origin/a/v/2.m4s", "x", []string{"Content-Encoding", "gzip"}, 415},
		{"epoch not a number", "PUT", "/origin/a/v/2.m4s", "x", []string{EpochHeader, "new"}, 400},
		{"epoch below zero", "PUT", "/origin/a/v/2.m4s", "x", []string{EpochHeader, "-1"}, 400},
	} {
		got := s.do(tc.method, tc.path, tc.body, tc.headers...)
		if got.code != tc.code {
			t.Errorf("%s: answered %d %q, want %d", tc.what, got.code, got.body, tc.code)
		}
		if got.header.Get("Cache-Control") != cacheNever || strings.TrimSpace(got.body) == "" {
			t.Errorf("%s: Cache-Control %q, body %q; want no-store and a sentence", tc.what, got.header.Get("Cache-Control"), got.body)
		}
	}
}

func TestChunkedBodyIsTaken(t *testing.T) {
	s := newSite(t, Config{})
	req, err := http.NewRequest("PUT", s.URL+"/origin/a/v/1.m4s", io.MultiReader(strings.NewReader("part one, "), strings.NewReader("part two")))
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.send(req), http.StatusCreated)
	if got := s.do("GET", "/origin/a/v/1.m4s", "").body; got != "part one, part two" {
		t.Errorf("stored %q", got)
	}
	big := newSite(t, Config{MaxObject: 8})
	req, err = http.NewRequest("PUT", big.URL+"/origin/a/v/1.m4s", io.MultiReader(bytes.NewReader(make([]byte, 9))))
	if err != nil {
		t.Fatal(err)
	}
	big.want(big.send(req), http.StatusRequestEntityTooLarge)
}

func TestPreflightAllowsReadingOnly(t *testing.T) {
	s := newSite(t, Config{})
	got := s.want(s.do("OPTIONS", "/origin/a/v/1.m4s", "", "Origin", "https://example.org", "Access-Control-Request-Method", "PUT"), http.StatusNoContent)
	if methods := got.header.Get("Access-Control-Allow-Methods"); methods != "GET, HEAD, OPTIONS" {
		t.Errorf("allows %q", methods)
	}
	if !strings.Contains(got.header.Get("Access-Control-Allow-Headers"), "Range") {
		t.Error("a player may not ask for ranges")
	}
}

func TestObserveIsToldOfEveryRequest(t *testing.T) {
	var seen []Request
	s := newSite(t, Config{Observe: func(r Request) { r.Duration = 0; seen = append(seen, r) }})
	s.put("/origin/a/v/1.m4s", segment, 1)
	s.do("GET", "/origin/a/v/1.m4s", "")
	s.do("GET", "/origin/a/v/9.m4s", "")
	s.do("GET", "/origin/", "")
	want := []Request{
		{Method: "PUT", Class: ClassSegment, Status: 201, Bytes: 16},
		{Method: "GET", Class: ClassSegment, Status: 200, Bytes: 16},
		{Method: "GET", Class: ClassSegment, Status: 404, Bytes: int64(len(errNotFound.text)) + 1},
		{Method: "GET", Class: ClassListing, Status: 200, Bytes: seen[3].Bytes},
	}
	for i, w := range want {
		if seen[i] != w {
			t.Errorf("request %d: %+v, want %+v", i, seen[i], w)
		}
	}
}

// Another process may write into the directory: a job whose destination is it.
func TestFileWrittenBesideTheOriginIsSeen(t *testing.T) {
	s := newSite(t, Config{})
	s.want(s.put("/origin/a/master.m3u8", livePlaylist, 1), http.StatusCreated)
	s.want(s.do("GET", "/origin/a/master.m3u8", ""), http.StatusOK)
	replaceFile(t, s.cfg.Root+"/a/master.m3u8", endedPlaylist)
	if got := s.do("GET", "/origin/a/master.m3u8", "").body; got != endedPlaylist {
		t.Errorf("served %q", got)
	}
}
