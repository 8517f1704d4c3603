package rehearsal

import (
	"cmp"
	"slices"
	"strings"

	"github.com/galafarm/gala/media/verify"
)

// viewed is what a viewer gets of a job with replicas: of each number the
// replica's segment that came first. A number is missing when all lack it. Of a
// job with one run it is what was seen.
func viewed(seen []verify.Sighting) []verify.Sighting {
	type number struct {
		rendition string
		n         int64
	}
	at := map[number]int{}
	var all []verify.Sighting
	for _, s := range seen {
		s.Rendition = withoutReplica(s.Rendition)
		key := number{s.Rendition, s.Number}
		i, known := at[key]
		switch {
		case !known:
			at[key] = len(all)
			all = append(all, s)
		case all[i].Gap && !s.Gap, !s.Gap && s.Fetched.Before(all[i].Fetched):
			all[i] = s
		}
	}
	slices.SortStableFunc(all, func(a, b verify.Sighting) int {
		return cmp.Or(a.Fetched.Compare(b.Fetched), cmp.Compare(a.Number, b.Number))
	})
	return all
}

// withoutReplica is "720p" of "r2/720p".
func withoutReplica(name string) string {
	if replica, rest, ok := strings.Cut(name, "/"); ok && len(replica) > 1 && replica[0] == 'r' && strings.Trim(replica[1:], "0123456789") == "" {
		return rest
	}
	return name
}
