package dash

import (
	"math"
	"strconv"
	"strings"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// Subtitles is what viewers choose by.
type Subtitles struct {
	Language, Label  string
	Forced, Impaired bool
}

// describe writes it into a set of its own: whoever reads one language reads no other.
func (s Subtitles) describe(out *mpd.AdaptationSetType) {
	out.Lang = s.Language
	out.Roles = []*mpd.DescriptorType{mpd.NewRole(s.role())}
	if s.Label != "" {
		out.Labels = []*mpd.LabelType{{Value: s.Label}}
	}
}

// Text is the subtitles of a clip as one WebVTT file: players of other people
// take it at any time, and need no box around it.
type Text struct {
	Name, File string // its id and folder; the file in it
	Bandwidth  int64  // bits per second, as that of a Representation
	Subtitles
}

func (t Text) encode(id uint32) *mpd.AdaptationSetType {
	out := mpd.NewAdaptationSetWithParams("text", "text/vtt", false, 0)
	out.Id = mpd.Ptr(id)
	t.describe(out)
	rep := mpd.NewRepresentation()
	rep.Id, rep.Bandwidth = t.Name, uint32(max(1, min(t.Bandwidth, math.MaxUint32)))
	rep.BaseURLs = []*mpd.BaseURLType{mpd.NewBaseURL(t.Name + "/" + t.File)}
	out.Representations = []*mpd.RepresentationType{rep}
	return out
}

// role of subtitles (§5.8.5.5). Those for people who do not hear are captions.
func (s Subtitles) role() string {
	switch {
	case s.Forced:
		return "forced-subtitle"
	case s.Impaired:
		return "caption"
	}
	return "subtitle"
}

// The schemes of captions inside pictures (SCTE 214-1 §7; DASH-IF IOP v4.3
// §6.4.2). What carries them seldom says the language, and the farm does not guess.
const (
	lineScheme    = "urn:scte:dash:cc:cea-608:2015"
	serviceScheme = "urn:scte:dash:cc:cea-708:2015"
	unknown       = "und"
)

// describeCaptions lists channels by the names that EXT-X-MEDIA has for them:
// CC1 to CC4, SERVICE1 to SERVICE63.
func describeCaptions(out *mpd.AdaptationSetType, channels []string) {
	var lines, services []string
	for _, c := range channels {
		if n, ok := strings.CutPrefix(c, "SERVICE"); ok {
			services = append(services, n+"=lang:"+unknown)
		} else {
			lines = append(lines, c+"="+unknown)
		}
	}
	for _, s := range []struct {
		scheme string
		values []string
	}{{lineScheme, lines}, {serviceScheme, services}} {
		if len(s.values) > 0 {
			out.Accessibilities = append(out.Accessibilities, mpd.NewDescriptor(s.scheme, strings.Join(s.values, ";"), ""))
		}
	}
}

// Captions reads the channels that a set declares, by the same names.
func Captions(set *mpd.AdaptationSetType) (channels []string) {
	for _, d := range set.Accessibilities {
		for v := range strings.SplitSeq(d.Value, ";") {
			id, _, _ := strings.Cut(v, "=")
			switch string(d.SchemeIdUri) {
			case lineScheme:
				channels = append(channels, id)
			case serviceScheme:
				if n, err := strconv.Atoi(id); err == nil {
					channels = append(channels, "SERVICE"+strconv.Itoa(n))
				}
			}
		}
	}
	return channels
}
