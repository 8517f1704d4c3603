package dash

import (
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// History is what a live manifest tells the writer that comes after.
type History struct {
	// Start as in Manifest; zero in that of a clip or an ended job.
	Start time.Time
	runs  map[string][]Run // by Representation, From, Init and Codecs only
}

// Parse reads back a manifest that Encode wrote.
func Parse(b []byte) (*History, error) {
	doc, err := mpd.MPDFromBytes(b)
	if err != nil {
		return nil, fmt.Errorf("manifest: %v: %w", err, ErrManifest)
	}
	h := &History{runs: map[string][]Run{}}
	if doc.AvailabilityStartTime != "" {
		if h.Start, err = time.Parse(time.RFC3339, string(doc.AvailabilityStartTime)); err != nil {
			return nil, fmt.Errorf("manifest: %v: %w", err, ErrManifest)
		}
	}
	for _, p := range doc.Periods {
		for _, set := range p.AdaptationSets {
			for _, r := range set.Representations {
				t := r.SegmentTemplate
				if len(r.BaseURLs) > 0 || set.ContentType == "image" { // of a clip as a whole
					continue
				}
				if t == nil || t.StartNumber == nil {
					return nil, fmt.Errorf("manifest: representation %s has no numbers: %w", r.Id, ErrManifest)
				}
				h.runs[r.Id] = append(h.runs[r.Id], Run{Init: path.Base(t.Initialization), Codecs: r.Codecs, From: int64(*t.StartNumber)})
			}
		}
	}
	return h, nil
}

// Lacks tells whether there was a manifest, and it did not list a rendition.
func (h *History) Lacks(representation string) bool {
	return h != nil && len(h.runs[representation]) == 0
}

// Extend gives runs that were read back from a playlist what only the manifest
// knows: their codecs, and where the first one began before the window did. A
// Period with another beginning would be another one to players (§5.4.1).
func (h *History) Extend(representation string, runs []Run) {
	if h == nil {
		return
	}
	for i := range runs {
		run := &runs[i]
		for _, old := range slices.Backward(h.runs[representation]) {
			if old.Init != run.Init || old.From > run.From {
				continue
			}
			if run.Codecs = old.Codecs; i == 0 {
				run.From = old.From
			}
			break
		}
	}
}
