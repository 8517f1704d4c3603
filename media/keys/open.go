package keys

import (
	"errors"
	"strings"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/input"
)

// Open takes where a job's keys come from: the absolute path of a key file, or
// the http(s) address of a key server. Nothing is read yet.
func Open(ref string, rules input.Rules) (Source, error) {
	if err := Check(ref, rules); err != nil {
		return nil, err
	}
	u, err := input.Parse(ref)
	if err != nil {
		return nil, about(err)
	}
	if u.Scheme == "file" {
		return File{Path: u.Path, Rules: rules}, nil
	}
	return newServer(u, rules)
}

// Check holds a reference against the rules, without opening it.
func Check(ref string, rules input.Rules) error {
	if strings.HasPrefix(ref, input.TestCard) {
		return refused("keys: "+ref+" holds none", "give a key file or the http(s) address of a key server")
	}
	u, err := input.Parse(ref)
	if err != nil {
		return about(err)
	}
	switch {
	case u.Scheme != "file" && u.Scheme != "http" && u.Scheme != "https":
		return refused("keys: "+u.Scheme+": is no way to get them", "give a key file or the http(s) address of a key server")
	case u.User != nil:
		// A reference is shown wherever the job is.
		return refused("keys: the address of the key server holds a password, which everyone who sees the job would read",
			"put a proxy that signs requests in front of the key server, and name its address")
	case u.RawQuery != "":
		return refused("keys: the address of the key server has a query, where tokens stand, which everyone who sees the job would read",
			"put a proxy that adds what is secret in front of the key server, and name its address; DRM systems stand behind a #")
	}
	if err := rules.Check(ref); err != nil {
		return about(err)
	}
	_, err = wanted(u)
	return err
}

// CheckLadder refuses what cannot be encrypted.
func CheckLadder(l *ladders.Ladder) error {
	for _, v := range l.Video {
		if v.Codec == "av1" {
			return errors.New("rung " + v.Name + " is AV1, which this release does not encrypt")
		}
	}
	return nil
}
