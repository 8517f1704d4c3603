package ladders

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Marshal writes l as a ladder file that Parse reads back as the same ladder,
// with its defaults spelled out.
func (l *Ladder) Marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "name: %s\n", plain(l.Name))
	if l.About != "" {
		fmt.Fprintf(&b, "about: %s\n", plain(l.About))
	}
	fmt.Fprintf(&b, "segment: {live: %s, vod: %s}\n", l.Segment.Live, l.Segment.VOD)
	if l.GOP != 0 {
		fmt.Fprintf(&b, "gop: %s\n", l.GOP)
	}
	fmt.Fprintf(&b, "deinterlace: %s\n", l.Deinterlace)
	fmt.Fprintf(&b, "scaler: %s\n", l.Scaler)
	if l.ScaleFrom == FromSource {
		fmt.Fprintf(&b, "scale_from: %s\n", l.ScaleFrom)
	}
	if l.Crop != nil {
		fmt.Fprintf(&b, "crop: %s\n", l.Crop)
	}
	if l.Pad.W > 0 {
		fmt.Fprintf(&b, "pad: %q\n", l.Pad)
	}
	if l.Denoise != "" {
		fmt.Fprintf(&b, "denoise: %s\n", l.Denoise)
	}
	if len(l.Overlays) > 0 {
		b.WriteString("overlays:\n")
	}
	for _, o := range l.Overlays {
		fmt.Fprintf(&b, "  - %s\n", o)
	}
	rows(&b, "video", l.Video, func(r VideoRung) []string { return r.row(l) })
	rows(&b, "audio", l.Audio, AudioRung.row)
	if s := l.Subtitles; s.None || s.Only != nil {
		fmt.Fprintf(&b, "subtitles: %s\n", s)
	}
	if l.Thumbnails != nil {
		fmt.Fprintf(&b, "thumbnails: %s\n", l.Thumbnails)
	}
	return b.Bytes()
}

func rows[R any](b *bytes.Buffer, name string, rungs []R, row func(R) []string) {
	if len(rungs) == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", name)
	for _, r := range rungs {
		fmt.Fprintf(b, "  - {%s}\n", strings.Join(row(r), ", "))
	}
}

func (r VideoRung) row(l *Ladder) []string {
	out := []string{"name: " + plain(r.Name), r.sizeKey(), "fps: " + r.FPS.String(), "codec: " + r.Codec, "profile: " + r.Profile}
	if r.Level != "" {
		out = append(out, "level: "+r.Level)
	}
	if r.Depth == 10 {
		out = append(out, "depth: 10")
	}
	if r.Range == KeepSource {
		out = append(out, "range: "+string(r.Range))
	}
	out = append(out, "bitrate: "+formatBits(r.Bitrate), "maxrate: "+formatBits(r.Maxrate), "bufsize: "+formatBits(r.Bufsize), "preset: "+r.Preset)
	if r.Upscale {
		out = append(out, "upscale: true")
	}
	if r.Scaler != l.Scaler {
		out = append(out, "scaler: "+string(r.Scaler))
	}
	return out
}

func (r VideoRung) sizeKey() string {
	switch {
	case r.Width == 0:
		return fmt.Sprintf("height: %d", r.Height)
	case r.Height == 0:
		return fmt.Sprintf("width: %d", r.Width)
	}
	return fmt.Sprintf("size: %dx%d", r.Width, r.Height)
}

func (r AudioRung) row() []string {
	out := []string{
		"name: " + plain(r.Name), "codec: " + r.Codec, fmt.Sprintf("channels: %d", r.Channels),
		"bitrate: " + formatBits(r.Bitrate), fmt.Sprintf("sample_rate: %d", r.SampleRate),
	}
	if r.Passthrough {
		out = append(out, "passthrough: true")
	}
	if !ofTracks(r.Map) {
		out = append(out, "languages: "+r.Languages.String())
	}
	if len(r.Map) > 0 {
		out = append(out, "map: "+formatMap(r.Map))
	}
	if r.Gain != 0 {
		out = append(out, "gain: "+r.Gain.String()+"dB")
	}
	if r.Loudness != nil {
		out = append(out, "loudness: "+r.Loudness.String())
	}
	return out
}

func (l Languages) String() string {
	switch {
	case l.First:
		return "first"
	case l.Only == nil:
		return "all"
	}
	return tagList(l.Only)
}

func (s Subtitles) String() string {
	switch {
	case s.None:
		return "none"
	case s.Only == nil:
		return "all"
	}
	return tagList(s.Only)
}

func tagList(tags []string) string {
	quoted := make([]string, len(tags))
	for i, tag := range tags {
		quoted[i] = plain(tag)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// safeWord needs no quotes in YAML unless it means something there.
var safeWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$|^[0-9]+p(-[a-z]+)?$`)

// plain quotes what YAML might read as anything but this text: "no" is a
// language and a boolean.
func plain(s string) string {
	special := []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
	if safeWord.MatchString(s) && !slices.Contains(special, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(s)
}
