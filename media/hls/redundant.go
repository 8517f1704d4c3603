package hls

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Tree is a whole tree of renditions below another one, and its multivariant
// playlist.
type Tree struct {
	Folder string
	Master []byte
}

// Redundant is the multivariant playlist above several trees with the same
// renditions: the variants of the first, then those of the second as their
// backups (RFC 8216 §4.3.4.2.1, §6.2.4), each with groups of its own tree. The
// playlists must be those that Master.Encode writes. With a steering server, each
// tree is a pathway, named as its folder is (RFC 8216bis §4.4.6.6).
func Redundant(trees []Tree, server string) []byte {
	var head, media, variants, iframes []string
	pathway := func(t Tree, tag string) string {
		if server == "" {
			return tag
		}
		return fmt.Sprintf("%s,PATHWAY-ID=%q", tag, t.Folder)
	}
	for _, t := range trees {
		for line := range bytes.Lines(t.Master) {
			line := strings.TrimRight(string(line), "\r\n")
			switch {
			case line == "":
			case strings.HasPrefix(line, "#EXT-X-MEDIA:"):
				media = append(media, t.moved(line))
			case strings.HasPrefix(line, "#EXT-X-STREAM-INF:"):
				variants = append(variants, pathway(t, t.moved(line)))
			case strings.HasPrefix(line, "#EXT-X-I-FRAME-STREAM-INF:"):
				iframes = append(iframes, pathway(t, t.moved(line)))
			case strings.HasPrefix(line, "#"): // of the playlist as a whole: the same in all
				if !slices.Contains(head, line) {
					head = append(head, line)
				}
			default:
				variants = append(variants, t.Folder+"/"+line)
			}
		}
	}
	if server != "" && len(trees) > 0 {
		head = append(head, fmt.Sprintf("#EXT-X-CONTENT-STEERING:SERVER-URI=%q,PATHWAY-ID=%q", server, trees[0].Folder))
	}
	return []byte(strings.Join(slices.Concat(head, media, variants, iframes), "\n") + "\n")
}

var (
	groups = regexp.MustCompile(`([:,](?:GROUP-ID|AUDIO|SUBTITLES|CLOSED-CAPTIONS)="[^"]*)"`)
	uris   = regexp.MustCompile(`([:,]URI=")`)
)

// moved is a tag with its address and its groups as they are from above.
func (t Tree) moved(tag string) string {
	tag = groups.ReplaceAllString(tag, "${1}-"+t.Folder+`"`)
	return uris.ReplaceAllString(tag, "${1}"+t.Folder+"/")
}
