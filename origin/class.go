package origin

import (
	"bytes"
	"path"
	"strings"
)

// Class is what an object is, by its name.
type Class string

const (
	ClassPlaylist Class = "playlist" // m3u8 and mpd: rewritten, compressed, revalidated
	ClassSegment  Class = "segment"  // media and init segments: written once
	ClassOther    Class = "other"    // rewritten, revalidated
	ClassListing  Class = "listing"
)

// contentTypes covers what the farm writes; everything else is opaque bytes,
// which no browser will run as a page of this host.
var contentTypes = map[string]string{
	".m3u8": "application/vnd.apple.mpegurl",
	".mpd":  "application/dash+xml",
	".m4s":  "video/iso.segment",
	".cmfv": "video/mp4",
	".cmfa": "audio/mp4",
	".cmft": "application/mp4",
	".mp4":  "video/mp4",
	".m4v":  "video/mp4",
	".m4a":  "audio/mp4",
	".ts":   "video/mp2t",
	".aac":  "audio/aac",
	".vtt":  "text/vtt; charset=utf-8",
	".jpg":  "image/jpeg",
	".png":  "image/png",
	".json": "application/json",
	".txt":  "text/plain; charset=utf-8",
}

func contentType(name string) string {
	if t, ok := contentTypes[path.Ext(name)]; ok {
		return t
	}
	return "application/octet-stream"
}

func classOf(name string) Class {
	switch path.Ext(name) {
	case ".m3u8", ".mpd":
		return ClassPlaylist
	case ".m4s", ".cmfv", ".cmfa", ".cmft", ".ts":
		return ClassSegment
	case ".mp4", ".vtt", ".aac":
		if isInit(name) || isNumbered(name) {
			return ClassSegment
		}
	}
	return ClassOther
}

// isInit: init-<hash>.mp4, named by its content.
func isInit(name string) bool {
	return strings.HasPrefix(name, "init-") && path.Ext(name) == ".mp4"
}

// isNumbered: 123.vtt, a name on the grid.
func isNumbered(name string) bool {
	stem := strings.TrimSuffix(name, path.Ext(name))
	return stem != "" && strings.Trim(stem, "0123456789") == ""
}

const (
	cacheForever = "public, max-age=31536000, immutable"
	// A browser asks every time and is mostly answered 304; a CDN may hold a
	// live playlist for a second, half of the shortest target duration.
	cacheLive   = "public, max-age=0, s-maxage=1, must-revalidate"
	cacheEnded  = "public, max-age=60"
	cacheVerify = "no-cache"
	cacheNever  = "no-store"
)

func cacheControl(c Class, content []byte) string {
	switch {
	case c == ClassSegment:
		return cacheForever
	case c == ClassPlaylist && ended(content):
		return cacheEnded
	case c == ClassPlaylist:
		return cacheLive
	}
	return cacheVerify
}

// ended tells whether a playlist or manifest is final: nothing more comes.
func ended(content []byte) bool {
	return bytes.Contains(content, []byte("#EXT-X-ENDLIST")) || bytes.Contains(content, []byte(`type="static"`))
}
