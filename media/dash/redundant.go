package dash

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
)

var (
	opening  = regexp.MustCompile(`<MPD\b[^>]*>`)
	initName = regexp.MustCompile(`initialization="([^"]*)"`)
	baseURL  = regexp.MustCompile(`<BaseURL serviceLocation="([^"]*)">([^<]*)</BaseURL>`)
)

// Redundant is a manifest that Encode wrote for one tree, as it stands above
// several trees with the same segments: players take any of the folders, and
// another when that one fails (§5.6.5). The first is where the manifest is from.
func Redundant(manifest []byte, folders []string) ([]byte, error) {
	at := opening.FindIndex(manifest)
	if at == nil {
		return nil, fmt.Errorf("manifest to stand above replicas: %w", ErrManifest)
	}
	var b bytes.Buffer
	b.Write(manifest[:at[1]])
	for _, f := range folders {
		fmt.Fprintf(&b, "\n  <BaseURL serviceLocation=%q>%s/</BaseURL>", f, f)
	}
	b.Write(manifest[at[1]:])
	return b.Bytes(), nil
}

// SteeredName is the manifest above several trees as players see it that are steered
// (DASH-IF CTS 001, ETSI TS 103 998). Only an origin that knows its own address has it.
const SteeredName = "steered.mpd"

// Steered is a manifest of Redundant whose players ask a steering server, before they
// begin, which of its trees to take. They do so among absolute addresses only: base
// is the one of the folder that the trees are in.
func Steered(manifest []byte, base, server string) ([]byte, error) {
	first := From(manifest)
	if first == "" {
		return nil, fmt.Errorf("manifest to steer players by: %w", ErrManifest)
	}
	out := baseURL.ReplaceAll(manifest, fmt.Appendf(nil, `<BaseURL serviceLocation="${1}">%s${2}</BaseURL>`, strings.ReplaceAll(html.EscapeString(base), "$", "$$")))
	all := baseURL.FindAllIndex(out, -1)
	at := all[len(all)-1][1]
	element := fmt.Appendf(nil, "\n  <ContentSteering defaultServiceLocation=%q queryBeforeStart=\"true\">%s</ContentSteering>", first, html.EscapeString(server))
	return slices.Concat(out[:at], element, out[at:]), nil
}

// From is the folder that a manifest of Redundant is from, "" for another's.
func From(manifest []byte) string {
	if m := baseURL.FindSubmatch(manifest); m != nil {
		return string(m[1])
	}
	return ""
}

// Interchangeable tells whether two trees' manifests name the same init segments in
// the Period that is now: only then does a decoder that was set up by one take
// segments of the other, and has a tree everything that the other promises.
func Interchangeable(a, b []byte) bool {
	inits := func(manifest []byte) (names []string) {
		if now := bytes.LastIndex(manifest, []byte("<Period")); now >= 0 {
			manifest = manifest[now:]
		}
		for _, m := range initName.FindAllSubmatch(manifest, -1) {
			names = append(names, string(m[1]))
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	return slices.Equal(inits(a), inits(b))
}

// Over tells whether a manifest is that of an ended job.
func Over(manifest []byte) bool {
	tag := opening.Find(manifest)
	return bytes.Contains(tag, []byte(`type="static"`))
}
