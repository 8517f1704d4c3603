package ladders

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// List is the table of the built-in ladders.
func List() string {
	return table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "NAME\tVIDEO\tAUDIO\tABOUT")
		for _, l := range Presets() {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", l.Name, l.span(), len(l.Audio), l.About)
		}
	})
}

// span is "8 h264, 234p–1080p".
func (l *Ladder) span() string {
	if len(l.Video) == 0 {
		return "none"
	}
	var codecs []string
	for _, r := range l.Video {
		if !slices.Contains(codecs, r.Codec) {
			codecs = append(codecs, r.Codec)
		}
	}
	low := slices.MinFunc(l.Video, func(a, b VideoRung) int { return int(a.Bitrate - b.Bitrate) })
	high := slices.MaxFunc(l.Video, func(a, b VideoRung) int { return int(a.Bitrate - b.Bitrate) })
	return fmt.Sprintf("%d %s, %s to %s", len(l.Video), strings.Join(codecs, "+"), formatBits(low.Bitrate), formatBits(high.Bitrate))
}

// Describe is l for people: what it says and what it leaves to the defaults.
func Describe(l *Ladder) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", l.Name, l.About)
	for _, kind := range []Kind{Live, VOD} {
		gop, count := l.gops(kind)
		fmt.Fprintf(&b, "%s segments of %s, each of %d × %s GOP\n", kind, l.segment(kind), count, gop)
	}
	b.WriteString(l.pictures())
	b.WriteString(table(func(w *tabwriter.Writer) {
		if len(l.Video) > 0 {
			fmt.Fprintln(w, "VIDEO\tSIZE\tFPS\tCODEC\tBITRATE\tMAXRATE\tBUFSIZE\tPRESET")
		}
		for _, r := range l.Video {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s %s\t%s\t%s\t%s\t%s\n", r.Name, strings.ReplaceAll(r.sizeKey(), ": ", " "), r.FPS, r.Codec, r.format(),
				formatBits(r.Bitrate), formatBits(r.Maxrate), formatBits(r.Bufsize), r.Preset)
		}
	}))
	b.WriteString(table(func(w *tabwriter.Writer) {
		if len(l.Audio) > 0 {
			fmt.Fprintln(w, "AUDIO\tCODEC\tCHANNELS\tBITRATE\tRATE\tLANGUAGES")
		}
		for _, r := range l.Audio {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\n", r.Name, passed(r.Codec, r.Passthrough), r.Channels, formatBits(r.Bitrate), r.SampleRate, r.Languages)
		}
	}))
	b.WriteString(l.sounds())
	l.describeThumbnails(&b)
	return b.String()
}

// passed is a codec that may be taken from the source as it is.
func passed(codec string, passthrough bool) string {
	if passthrough {
		return codec + " as it is"
	}
	return codec
}

// Describe is a resolved ladder for people.
func (r *Resolved) Describe() string {
	var b strings.Builder
	g := r.Grid
	fmt.Fprintf(&b, "grid %s fps, segments of %d × %d frames, timescale %d\n", g.Rate, g.GOPsPerSegment, g.FramesPerGOP, g.Timescale)
	b.WriteString(table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "RENDITION\tWHAT\tBITRATE\tMAXRATE\tCODECS\tBANDWIDTH\tAVERAGE")
		for _, x := range r.Renditions {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", x.Name, x.what(g.Rate.Div(max(1, x.divisor())).String()), x.Codecs, x.Bandwidth, x.AverageBandwidth)
		}
	}))
	b.WriteString(table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "VARIANT\tFPS\tAUDIO\tCODECS\tBANDWIDTH\tAVERAGE")
		for _, v := range Variants(g, r.Renditions) {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", v.what(), v.AudioGroup, v.Codecs, v.Bandwidth, v.AverageBandwidth)
		}
	}))
	if r.Thumbnails != nil {
		b.WriteString(r.Thumbnails.describe())
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

func (x Rendition) divisor() int64 {
	if x.Video == nil {
		return 1
	}
	return x.Video.Divisor
}

// what fills three columns: the kind of rendition, its bit rate and its peak.
func (x Rendition) what(fps string) string {
	if a := x.Audio; a != nil {
		mark := ""
		if a.Default {
			mark = ", default"
		}
		return fmt.Sprintf("%s %d ch %d Hz %s of track %d%s\t%s\t", passed(a.Codec, a.Passthrough), a.Channels, a.SampleRate, a.Language, a.Track, mark, formatBits(a.Bitrate))
	}
	if t := x.Text; t != nil {
		return fmt.Sprintf("subtitles %s of track %d\t\t", t.Language, t.Track)
	}
	v := x.Video
	return fmt.Sprintf("%dx%d%s at %s, %s %s@%s%s %s\t%s\t%s", v.Width, v.Height, v.origin(), fps, v.Codec, v.Profile, v.Level, v.colour(), v.Preset, formatBits(v.Bitrate), formatBits(v.Maxrate))
}

// origin is what a rendition that is scaled from the source need not say.
func (v Video) origin() string {
	if v.ScaledFrom == (Size{}) {
		return ""
	}
	return " from " + v.ScaledFrom.String()
}

// colour is what an 8-bit SDR rendition need not say.
func (v Video) colour() string {
	switch {
	case v.Range.HDR():
		return fmt.Sprintf(" %d bits %s", v.Depth, v.Range)
	case v.Depth == 10:
		return " 10 bits"
	}
	return ""
}

// format is the rung's profile and what is not plain about its samples.
func (r VideoRung) format() string {
	out := r.Profile
	if r.Depth == 10 && r.Profile != "main10" {
		out += " 10 bits"
	}
	if r.Range == KeepSource {
		out += ", HDR kept"
	}
	return out
}

// what fills two columns.
func (v Variant) what() string {
	if v.Video == nil {
		return "sound alone\t"
	}
	return fmt.Sprintf("%s %dx%d\t%s", v.Video.Name, v.Width, v.Height, v.FrameRate)
}

// Checked says of a ladder that was read that it is valid, and where it departs
// from Apple's authoring rules.
func Checked(l *Ladder) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is valid: %d video and %d audio rungs\n", l.Name, len(l.Video), len(l.Audio))
	for _, a := range l.advice() {
		fmt.Fprintf(&b, "advice: %s\n", a)
	}
	return b.String()
}

func table(fill func(*tabwriter.Writer)) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fill(w)
	w.Flush() // a strings.Builder takes everything
	return b.String()
}
