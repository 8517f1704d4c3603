package libav

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asticode/go-astiav"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/media/ring"
)

// chooseStreams describes a demuxer's streams, and which of them were asked for.
func chooseStreams(fc *astiav.FormatContext, c input.Choice) []partStream {
	wanted := programStreams(fc, c.Program)
	var all []partStream
	for i, st := range fc.Streams() {
		s := partStream{Stream: describeStream(st)}
		s.unwanted = wanted != nil && !wanted[i] || !takes(c, s.Stream)
		all = append(all, s)
	}
	return all
}

// takes: PIDs choose among streams of their kind.
func takes(c input.Choice, s ring.Stream) bool {
	switch s.Kind {
	case ring.Video:
		return c.Video == nil || slices.Contains(c.Video, s.ID)
	case ring.Audio:
		return c.Audio == nil || slices.Contains(c.Audio, s.ID)
	}
	return true
}

// programStreams are the streams of a programme, nil for all.
func programStreams(fc *astiav.FormatContext, id int) map[int]bool {
	if id == 0 {
		return nil
	}
	wanted := map[int]bool{}
	for _, p := range fc.Programs() {
		if p.ID() != id {
			continue
		}
		for _, st := range p.Streams() {
			wanted[st.Index()] = true
		}
	}
	return wanted
}

// absent is the error that names what was asked for and is not there, with what
// is.
func absent(name string, fc *astiav.FormatContext, c input.Choice, all []partStream) error {
	var missing []string
	if c.Program != 0 && len(programStreams(fc, c.Program)) == 0 {
		missing = append(missing, fmt.Sprintf("programme %d", c.Program))
	}
	missing = append(missing, missingPIDs(c.Video, ring.Video, "video", all)...)
	missing = append(missing, missingPIDs(c.Audio, ring.Audio, "audio", all)...)
	if len(missing) == 0 {
		return nil
	}
	return &media.Error{Code: media.SourceError, Message: fmt.Sprintf("source %s has no %s; it has %s", input.Display(name), strings.Join(missing, ", no "), contents(fc, all)),
		Advice: "ask for what is there, by program=, video= and audio= in the address"}
}

func missingPIDs(pids []int, k ring.Kind, kind string, all []partStream) (missing []string) {
	for _, pid := range pids {
		if !slices.ContainsFunc(all, func(s partStream) bool { return s.Kind == k && s.ID == pid }) {
			missing = append(missing, fmt.Sprintf("%s PID 0x%x", kind, pid))
		}
	}
	return missing
}

// contents lists programmes and PIDs for people.
func contents(fc *astiav.FormatContext, all []partStream) string {
	var parts []string
	for _, p := range fc.Programs() {
		var pids []string
		for _, st := range p.Streams() {
			if i := st.Index(); i < len(all) {
				pids = append(pids, called(all[i].Stream))
			}
		}
		parts = append(parts, fmt.Sprintf("programme %d of %s", p.ID(), strings.Join(pids, ", ")))
	}
	if len(parts) == 0 {
		for _, s := range all {
			parts = append(parts, called(s.Stream))
		}
	}
	return strings.Join(parts, "; ")
}

func called(s ring.Stream) string {
	kind := map[ring.Kind]string{ring.Video: "video", ring.Audio: "audio", ring.Subtitle: "subtitles"}[s.Kind]
	if kind == "" {
		kind = "data"
	}
	text := fmt.Sprintf("0x%x %s", s.ID, kind)
	if s.Codec != "" && s.Codec != "none" {
		text += " " + s.Codec
	}
	if s.Language != "" && s.Language != "und" {
		text += " (" + s.Language + ")"
	}
	return text
}
