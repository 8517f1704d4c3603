package origin

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Listing is what GET of Prefix answers.
type Listing struct {
	Trees []TreeEntry `json:"trees"`
	// Truncated says that there are more trees than are listed.
	Truncated bool `json:"truncated,omitempty"`
}

// TreeEntry is one job's tree. Modified is when a manifest last came or went.
type TreeEntry struct {
	Job      string    `json:"job"`
	Master   string    `json:"master,omitempty"` // path, when it is there
	Modified time.Time `json:"modified"`
}

const maxListed = 1000

func (o *Origin) list(w *recorder, r *http.Request) error {
	dir, err := o.root.Open(".")
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	l := Listing{Trees: []TreeEntry{}}
	for _, e := range entries {
		if !e.IsDir() || !safeElement(e.Name()) {
			continue
		}
		if len(l.Trees) == maxListed {
			l.Truncated = true
			break
		}
		l.Trees = append(l.Trees, o.entry(e.Name()))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", cacheNever)
	if r.Method == http.MethodHead {
		return nil
	}
	return json.NewEncoder(w).Encode(l)
}

func (o *Origin) entry(job string) TreeEntry {
	entry := TreeEntry{Job: job}
	if info, err := o.root.Stat(job); err == nil {
		entry.Modified = info.ModTime().UTC()
	}
	master := path.Join(job, "master.m3u8")
	if _, err := o.root.Stat(master); err == nil {
		entry.Master = Prefix + master
	}
	return entry
}
