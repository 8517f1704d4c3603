package wire

import (
	"maps"
	"slices"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// LogoProtos are a job's logos as messages, by name.
func LogoProtos(logos map[string][]byte) (out []*galav1.Logo) {
	for _, name := range slices.Sorted(maps.Keys(logos)) {
		out = append(out, &galav1.Logo{Name: name, Png: logos[name]})
	}
	return out
}

// Logos reads a job's logos; nil for none.
func Logos(ps []*galav1.Logo) map[string][]byte {
	if len(ps) == 0 {
		return nil
	}
	out := map[string][]byte{}
	for _, p := range ps {
		out[p.GetName()] = p.GetPng()
	}
	return out
}
