// Package steering says which of a redundant job's trees players should take:
// the steering manifest of HLS (RFC 8216bis §7.2) and DASH (ETSI TS 103 998),
// which share one form. A replica's folder is its pathway and its service location.
//
// The order follows from what the playlists of the replicas list and from the order
// there was, so that every replica that writes it writes the same, and any one
// that lives is enough. It knows no clock, no player and no network.
package steering

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Name of the object, beside the multivariant playlist and the manifest.
const Name = "steering.json"

// Off as a job's steering: playlists and manifests name no steering server.
const Off = "off"

// ErrManifest: the bytes are no steering manifest of version 1.
var ErrManifest = errors.New("not a steering manifest")

// Manifest is what players poll.
type Manifest struct {
	// TTL is after how many seconds players ask again, at least 1.
	TTL int
	// Reload is where they ask then; empty: where they asked.
	Reload string
	// Pathways are in the order of preference; each is named once.
	Pathways []string
	// Current is how many of them, from the first on, have what there is; the
	// others have broken off or are gone. Only our origin reads it.
	Current int
}

// wire is the manifest in JSON. Players pass over members that they do not know:
// one form serves HLS, DASH, and players that have the name of an early draft.
type wire struct {
	Version  int      `json:"VERSION"`
	TTL      int      `json:"TTL"`
	Reload   string   `json:"RELOAD-URI,omitempty"`
	Pathways []string `json:"PATHWAY-PRIORITY"`
	Places   []string `json:"SERVICE-LOCATION-PRIORITY,omitempty"`
	Current  int      `json:"GALA-CURRENT,omitempty"`
}

// Encode is the manifest as it is served.
func (m Manifest) Encode() []byte {
	b, err := json.MarshalIndent(wire{1, m.TTL, m.Reload, m.Pathways, m.Pathways, m.Current}, "", "  ")
	if err != nil {
		panic(err) // strings and numbers
	}
	return append(b, '\n')
}

// Parse reads any steering manifest. What it names is checked; ErrManifest
// otherwise.
func Parse(b []byte) (Manifest, error) {
	var w wire
	if err := json.Unmarshal(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), &w); err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	m := Manifest{TTL: w.TTL, Reload: w.Reload, Pathways: w.Pathways, Current: w.Current}
	sorted := slices.Sorted(slices.Values(w.Pathways))
	switch {
	case w.Version != 1:
		return Manifest{}, fmt.Errorf("%w: version %d", ErrManifest, w.Version)
	case m.TTL < 1:
		return Manifest{}, fmt.Errorf("%w: a TTL of %d s", ErrManifest, m.TTL)
	case len(sorted) == 0 || len(slices.Compact(sorted)) != len(w.Pathways):
		return Manifest{}, fmt.Errorf("%w: its PATHWAY-PRIORITY %q is empty or repeats itself", ErrManifest, w.Pathways)
	case m.Current < 0 || m.Current > len(m.Pathways):
		return Manifest{}, fmt.Errorf("%w: %d of %d pathways are current", ErrManifest, m.Current, len(m.Pathways))
	}
	return m, nil
}

// TTLFor segments of a length: one of them, because players of a live job hold three,
// and a tree that has broken off is known after two.
func TTLFor(segment time.Duration) int {
	return max(2, int((segment+time.Second-1)/time.Second))
}

// Tree is what a replica has.
type Tree struct {
	Folder string
	// Newest is the last segment there is, -1 for none.
	Newest int64
}

// By how many segments a tree is behind the newest of all when it has broken off,
// and at most when it has caught up: a segment more or less is how uploads fall, and
// players of a live job hold three.
const (
	brokenOff = 2
	caughtUp  = 0
)

// Order puts the trees that have what there is first, those that do not last, and
// leaves them in the order of the arguments otherwise. before is the manifest that
// there was, the zero value for none: what had broken off then has to catch up.
func Order(trees []Tree, before Manifest) (pathways []string, current int) {
	newest := int64(-1)
	for _, t := range trees {
		newest = max(newest, t.Newest)
	}
	var late []string
	for _, t := range trees {
		bound := int64(brokenOff)
		if slices.Index(before.Pathways, t.Folder) >= before.Current && len(before.Pathways) > 0 {
			bound = caughtUp + 1
		}
		if t.Newest < 0 || newest-t.Newest >= bound {
			late = append(late, t.Folder)
		} else {
			pathways = append(pathways, t.Folder)
		}
	}
	return append(pathways, late...), len(pathways)
}

// Shares is how many groups of viewers there are; two and three replicas divide it.
const Shares = 12

// For is the order of one group of viewers, 0 to Shares-1: those that are current
// take turns at being the first, so that each carries the same part of the viewers.
func (m Manifest) For(share int) Manifest {
	m.Pathways = slices.Clone(m.Pathways)
	if n := m.Current; n > 1 {
		first := share % n
		m.Pathways = slices.Concat(m.Pathways[first:n], m.Pathways[:first], m.Pathways[n:])
	}
	m.Reload = fmt.Sprintf("%s?share=%d", Name, share)
	return m
}
