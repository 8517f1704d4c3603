package main

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/galafarm/gala/client"
)

// maxID is the longest id that the farm takes.
const maxID = 63

// idFor is the id of a job nobody named: its file's name without the ending,
// the last word of an URL, "testcard".
func idFor(input string) string {
	if strings.HasPrefix(input, "testcard:") {
		return "testcard"
	}
	name := filepath.Base(input)
	if client.IsURL(input) {
		name = urlName(input)
	}
	return cleanID(strings.TrimSuffix(name, filepath.Ext(name)))
}

// urlName is the last folder or file of an URL, or its host where every job
// of the host would be called the same.
func urlName(input string) string {
	u, err := url.Parse(input)
	if err != nil {
		return "job"
	}
	name := path.Base(u.Path)
	switch strings.TrimSuffix(name, path.Ext(name)) {
	case ".", "/", "":
		return strings.ReplaceAll(u.Hostname(), ".", "-")
	case "master", "index", "playlist", "manifest":
		if dir := path.Base(path.Dir(u.Path)); dir != "/" && dir != "." {
			return dir
		}
	}
	return name
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// cleanID turns any name into an id.
func cleanID(name string) string {
	id := strings.Trim(notInID.ReplaceAllString(name, "-"), "-._")
	if id == "" {
		return "job"
	}
	return strings.TrimRight(id[:min(len(id), maxID)], "-._")
}

// idsFor names the jobs of several sources: ID, or ID-1, ID-2, …; without an
// id each after its file, told apart where two files are called the same.
func idsFor(id string, sources []string) ([]string, error) {
	ids := make([]string, len(sources))
	seen := map[string]int{}
	for i, s := range sources {
		switch {
		case id != "" && len(sources) == 1:
			ids[i] = id
		case id != "":
			ids[i] = fmt.Sprintf("%s-%d", id, i+1)
		default:
			ids[i] = distinct(idFor(s), seen)
		}
		if len(ids[i]) > maxID {
			return nil, &failure{code: exitUsage, message: fmt.Sprintf("id %q is longer than %d letters", ids[i], maxID), advice: "give a shorter --id"}
		}
	}
	return ids, nil
}

// distinct is id, or id-2, id-3, … when it was given out before.
func distinct(id string, seen map[string]int) string {
	for n := 1; ; n++ {
		next := id
		if n > 1 {
			suffix := fmt.Sprintf("-%d", n)
			next = id[:min(len(id), maxID-len(suffix))] + suffix
		}
		if seen[next] == 0 {
			seen[next]++
			return next
		}
	}
}
