package dash

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/galafarm/gala/timeline"
)

// set is what may be switched without a seam: pictures of one codec family and
// colour, or sound of one language, codec, layout and rate, under one key (ISO/IEC 23000-19
// §7.3.4; DASH-IF IOP part 5, Adaptation Sets). Subtitles are never switched.
type set struct {
	id      uint32 // the same in every Period
	members []int  // of Manifest.Representations
}

func (m Manifest) sets() []set {
	var out []set
	var keys []any
	for i, r := range m.Representations {
		at := slices.Index(keys, r.key())
		if at < 0 {
			at = len(out)
			keys, out = append(keys, r.key()), append(out, set{id: uint32(at + 1)})
		}
		out[at].members = append(out[at].members, i)
	}
	return out
}

func (r Representation) key() any {
	type picture struct {
		codec, key string
		colour     Colour
	}
	type sound struct {
		codec, language, key string
		channels, rate       int
	}
	switch {
	case r.Text != nil:
		return r.Name
	case r.Video != nil:
		return picture{r.Video.Codec, r.Protection.keyID(), r.Video.Colour}
	}
	return sound{r.Audio.Codec, r.Audio.Language, r.Protection.keyID(), r.Audio.Channels, r.Audio.SampleRate}
}

// encodeSet is nil where the Period has none of it.
func (m Manifest) encodeSet(s set, p period) *mpd.AdaptationSetType {
	var present []Representation
	var reps []*mpd.RepresentationType
	for _, i := range s.members {
		if run := p.runs[i]; run != nil {
			present = append(present, m.Representations[i])
			reps = append(reps, m.representation(m.Representations[i], run, p))
		}
	}
	if len(reps) == 0 {
		return nil
	}
	kind, mime, profile := present[0].kind()
	// Every segment begins with an IDR that opens a closed GOP: SAP type 1
	// (§5.3.3.2, ISO/IEC 14496-12 Annex I). Sound and text begin anywhere.
	out := mpd.NewAdaptationSetWithParams(kind, mime, true, 1)
	out.Id = mpd.Ptr(s.id)
	out.ContainerProfiles = mpd.Ptr(mpd.ListOf4CCType(profile))
	out.Representations = reps
	present[0].Protection.describe(out)
	switch {
	case present[0].Text != nil:
		present[0].Text.describe(out)
	case present[0].Audio != nil:
		describeSound(out, present)
	default:
		describePictures(out, present)
	}
	return out
}

// kind is the content type, the MIME type (ISO/IEC 14496-30 §7.1 for text) and the
// brand of CMAF.
func (r Representation) kind() (kind, mime, profile string) {
	switch {
	case r.Text != nil:
		return "text", "application/mp4", "cwvt"
	case r.Audio != nil:
		return "audio", "audio/mp4", "cmf2"
	}
	return "video", "video/mp4", "cmf2"
}

func describePictures(out *mpd.AdaptationSetType, present []Representation) {
	by := func(value func(*Video) int64) uint32 {
		top := slices.MaxFunc(present, func(a, b Representation) int { return cmp.Compare(value(a.Video), value(b.Video)) })
		return uint32(value(top.Video))
	}
	out.MaxWidth = by(func(v *Video) int64 { return int64(v.Width) })
	out.MaxHeight = by(func(v *Video) int64 { return int64(v.Height) })
	fastest := slices.MaxFunc(present, func(a, b Representation) int { return a.Video.Rate.Cmp(b.Video.Rate) })
	out.MaxFrameRate = fastest.Video.Rate.String()
	out.Roles = []*mpd.DescriptorType{mpd.NewRole("main")}
	present[0].Video.Colour.describe(out)
	describeCaptions(out, present[0].Video.Captions)
}

// describeSound: the language that players begin with is the main one
// (§5.8.5.5).
func describeSound(out *mpd.AdaptationSetType, present []Representation) {
	first, role := present[0].Audio, "alternate"
	if slices.ContainsFunc(present, func(r Representation) bool { return r.Audio.Default }) {
		role = "main"
	}
	out.Lang = first.Language
	out.Roles = []*mpd.DescriptorType{mpd.NewRole(role)}
	if first.Label != "" {
		out.Labels = []*mpd.LabelType{{Value: first.Label}}
	}
}

func (m Manifest) representation(r Representation, run *Run, p period) *mpd.RepresentationType {
	out := mpd.NewRepresentation()
	out.Id, out.Codecs = r.Name, run.Codecs
	out.Bandwidth = uint32(min(r.Bandwidth, math.MaxUint32))
	out.SegmentTemplate = m.template(r, run, p)
	if r.Text != nil {
		return out
	}
	if r.Audio != nil {
		out.AudioSamplingRate = mpd.Ptr(mpd.UIntVectorType(strconv.Itoa(r.Audio.SampleRate)))
		out.AudioChannelConfigurations = []*mpd.DescriptorType{
			mpd.NewDescriptor("urn:mpeg:mpegB:cicp:ChannelConfiguration", layout(r.Audio.Channels), "")}
		return out
	}
	out.Width, out.Height = uint32(r.Video.Width), uint32(r.Video.Height)
	out.FrameRate = mpd.FrameRateType(r.Video.Rate.String())
	out.Sar = "1:1"
	if shape, err := timeline.NewRate(int64(r.Video.SARNum), int64(r.Video.SARDen)); err == nil {
		out.Sar = mpd.RatioType(fmt.Sprintf("%d:%d", shape.Num, shape.Den))
	}
	return out
}

// layout is the ChannelConfiguration of ISO/IEC 23091-3 §6.2 for the layouts
// that encoders here make: up to 5.1 it is the count, then 6.1 and 7.1.
func layout(channels int) string {
	switch channels {
	case 7:
		return "11"
	case 8:
		return "12"
	}
	return strconv.Itoa(channels)
}

const (
	perceptualQuantiser = 16
	bt709               = 1
	unspecified         = 2
)

// describe tells a colour that is not BT.709. A picture that a display of the
// usual kind would show grey (PQ) is for players that know what the property
// says, and for no others (§5.8.4.8); everything else may be tried (§5.8.4.9).
func (c Colour) describe(out *mpd.AdaptationSetType) {
	var all []*mpd.DescriptorType
	for _, p := range []struct {
		name  string
		value int
	}{{"ColourPrimaries", c.Primaries}, {"TransferCharacteristics", c.Transfer}, {"MatrixCoefficients", c.Matrix}} {
		if p.value != 0 && p.value != unspecified && p.value != bt709 {
			all = append(all, mpd.NewDescriptor("urn:mpeg:mpegB:cicp:"+p.name, strconv.Itoa(p.value), ""))
		}
	}
	if c.Transfer == perceptualQuantiser {
		out.EssentialProperties = all
		return
	}
	out.SupplementalProperties = all
}
