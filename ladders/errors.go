package ladders

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnknownPreset: no preset has this name. Ask Presets for the list, or name
// a ladder file.
var ErrUnknownPreset = errors.New("no such ladder")

// ErrNoTracks: the source has neither pictures nor sound that could be encoded.
var ErrNoTracks = errors.New("the source has neither video nor audio; check that the input is a media file or a running stream")

// ErrNoMatch: source and ladder have no kind of media in common. Choose a
// ladder with rungs for what the source has.
var ErrNoMatch = errors.New("ladder and source have nothing in common")

// ErrBadSource: the probe's answer cannot be encoded.
var ErrBadSource = errors.New("the source's video track has no usable picture size; probe it again, or check that the file is complete")

// ErrNoRung: no encoder of the ladder's codecs takes a picture of this shape.
var ErrNoRung = errors.New("no video rung is left; add one in h264, which takes every size")

// ErrBadLadder is what every Problems unwraps to.
var ErrBadLadder = errors.New("not a valid ladder")

// Problem is one mistake in a ladder file.
type Problem struct {
	File         string
	Line, Column int
	// Path is the key's place, such as video[1].bitrate; empty for the file.
	Path    string
	Message string
}

func (p Problem) String() string {
	at := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Path != "" {
		at += p.Path + ": "
	}
	return at + p.Message
}

// Problems is everything wrong with one ladder file, in the file's order.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

func (p Problems) Unwrap() error { return ErrBadLadder }
