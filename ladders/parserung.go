package ladders

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"golang.org/x/text/language"
)

// profiles that each video codec offers; the first is the default.
func profiles(codec string) []string {
	switch codec {
	case "hevc":
		return []string{"main", "main10"}
	case "av1":
		return []string{"main"}
	}
	return []string{"high", "main", "baseline"}
}

func allProfiles() []string { return []string{"baseline", "main", "high", "main10"} }

// presets of the ladder's own scale, each mapped to every encoder's.
func encoderPresets() []string { return []string{"fastest", "fast", "balanced", "quality"} }

// What a video rung may ask for.
const (
	minSide, maxSide         = 16, 8192
	minVideoBits             = 16_000
	maxVideoBits       int64 = 240_000_000
	maxBufferBits      int64 = 960_000_000
	defaultMaxrateRate       = 110 // per cent of bitrate
)

func (r rungSet) video(row value) VideoRung {
	v := VideoRung{Preset: defaultPreset, Range: KeepSDR}
	v.FPS, _ = ParseFPS("source<=60")
	side := func(to *int) func(value) {
		return func(at value) { *to = at.integer(minSide, maxSide) }
	}
	got := row.mapping([]key{
		{"name", func(at value) { v.Name = r.name(at) }},
		{"height", side(&v.Height)},
		{"width", side(&v.Width)},
		{"size", func(at value) { v.Width, v.Height = at.size() }},
		{"fps", func(at value) { v.FPS = at.fps() }},
		{"codec", func(at value) { v.Codec = at.oneOf("h264", "hevc", "av1") }},
		{"profile", func(at value) { v.Profile = at.oneOf(allProfiles()...) }},
		{"level", func(at value) { v.Level = at.level() }},
		{"depth", func(at value) { v.Depth = at.depth() }},
		{"range", func(at value) { v.Range = Keep(at.oneOf(string(KeepSDR), string(KeepSource))) }},
		{"bitrate", func(at value) { v.Bitrate = at.bits(minVideoBits, maxVideoBits) }},
		{"maxrate", func(at value) { v.Maxrate = at.bits(minVideoBits, maxVideoBits) }},
		{"bufsize", func(at value) { v.Bufsize = at.bits(minVideoBits, maxBufferBits) }},
		{"preset", func(at value) { v.Preset = at.oneOf(encoderPresets()...) }},
		{"upscale", func(at value) { v.Upscale = at.boolean() }},
		{"scaler", func(at value) { v.Scaler = at.scaler() }},
	})
	got.require(row, "name", "codec", "bitrate")
	checkVideo(row, got, &v)
	return v
}

// checkVideo compares a rung's keys and fills in what it leaves out.
func checkVideo(row value, got given, v *VideoRung) {
	if n := got.count("height", "width", "size"); got != nil && n != 1 {
		row.d.at(firstToken(row.node), row.path, "give exactly one of height (720), width (1280) and size (1280x720); %d are given", n)
	}
	checkProfile(got, v)
	if v.Maxrate == 0 {
		v.Maxrate = v.Bitrate * defaultMaxrateRate / 100
	}
	if v.Bufsize == 0 {
		v.Bufsize = v.Maxrate
	}
	if at, ok := got["maxrate"]; ok && v.Maxrate < v.Bitrate {
		at.fail("%s is below the bitrate of %s; maxrate is the peak", formatBits(v.Maxrate), formatBits(v.Bitrate))
	}
	if at, ok := got["bufsize"]; ok && v.Bufsize < v.Maxrate/10 {
		at.fail("%s is less than a tenth of a second of maxrate (%s); one picture would not fit", formatBits(v.Bufsize), formatBits(v.Maxrate/10))
	}
}

func checkProfile(got given, v *VideoRung) {
	allowed := profiles(v.Codec)
	if at, ok := got["profile"]; ok && v.Profile != "" && v.Codec != "" && !slices.Contains(allowed, v.Profile) {
		at.fail("%q is not a profile of %s, want one of %s", v.Profile, v.Codec, strings.Join(allowed, ", "))
	}
	checkDepth(got, v)
	if v.Profile == "" {
		v.Profile = allowed[0]
	}
	if at, ok := got["level"]; ok && v.Level != "" && v.Codec != "" && !knownLevel(v.Codec, v.Level) {
		at.fail("%q is not a level of %s, want one of %s", v.Level, v.Codec, strings.Join(levelNames(v.Codec), ", "))
	}
}

func (g given) count(names ...string) int {
	n := 0
	for _, name := range names {
		if _, ok := g[name]; ok {
			n++
		}
	}
	return n
}

func (v value) size() (w, h int) {
	const want = "a size such as 1280x720, each side from 16 to 8192"
	s, ok := v.scalar(want)
	if !ok {
		return 0, 0
	}
	w, h, err := parseSize(s)
	if err != nil || min(w, h) < minSide || max(w, h) > maxSide {
		v.fail("%q is not allowed, want %s", clip(s), want)
		return 0, 0
	}
	return w, h
}

func (v value) fps() FPS {
	const want = "source, source<=60, source/2, source/2<=30, or a rate from 5 to 300 such as 50 or 30000/1001"
	s, ok := v.scalar(want)
	if !ok {
		return FPS{}
	}
	rule, err := ParseFPS(s)
	if err != nil {
		v.fail("%q is not allowed, want %s", clip(s), want)
	}
	return rule
}

// level accepts 4, 4.0 and "4.0" alike and gives "4.0".
func (v value) level() string {
	s, ok := v.scalar("a level such as 4.0")
	if ok && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func (r rungSet) audio(row value) AudioRung {
	a := AudioRung{Channels: 2, SampleRate: defaultSampleRate}
	got := row.mapping([]key{
		{"name", func(at value) { a.Name = r.name(at) }},
		{"codec", func(at value) { a.Codec = at.oneOf("aac", "opus", "ac-3", "ec-3") }},
		{"channels", func(at value) { a.Channels = at.channels() }},
		{"bitrate", func(at value) { a.Bitrate = at.bits(6_000, 6_144_000) }},
		{"sample_rate", func(at value) { a.SampleRate = at.sampleRate() }},
		{"languages", func(at value) { a.Languages = at.languages() }},
		{"passthrough", func(at value) { a.Passthrough = at.boolean() }},
		{"map", func(at value) { a.Map = at.channelMap() }},
		{"gain", func(at value) { a.Gain = at.decibel(-60, 30, "dB") }},
		{"loudness", func(at value) { a.Loudness = at.loudness() }},
	})
	got.require(row, "name", "codec", "bitrate")
	checkMap(got, &a)
	checkAudio(got, &a)
	return a
}

func (v value) channels() int {
	n := v.integer(1, 8)
	if n != 0 && !slices.Contains([]int{1, 2, 6, 8}, n) {
		v.fail("%d is not allowed, want 1 (mono), 2 (stereo), 6 (5.1) or 8 (7.1)", n)
	}
	return n
}

func (v value) sampleRate() int {
	n := v.integer(8000, 96000)
	if n != 0 && !slices.Contains([]int{24000, 32000, 44100, 48000}, n) {
		v.fail("%d is not allowed, want 24000, 32000, 44100 or 48000", n)
	}
	return n
}

// checkAudio holds each codec to what it can carry.
func checkAudio(got given, a *AudioRung) {
	if a.Codec == "" || a.Bitrate == 0 {
		return
	}
	if at, ok := got["passthrough"]; ok && a.Passthrough && sourceCodec(a.Codec) == "" {
		at.fail("is for ac-3 and ec-3; %s is always encoded", a.Codec)
	}
	for _, key := range []string{"map", "gain", "loudness"} {
		if at, ok := got[key]; ok && a.Passthrough {
			at.fail("does not go with passthrough, which leaves the sound as it is")
		}
	}
	limit := audioLimits(a.Codec)
	if at, ok := got["gain"]; ok && a.Gain != 0 && a.Loudness != nil {
		at.fail("does not go with loudness, which sets the gain itself")
	}
	if at, ok := got["channels"]; ok && a.Channels > limit.channels {
		at.fail("%d is not allowed, %s has at most %d", a.Channels, a.Codec, limit.channels)
	}
	if at, ok := got["sample_rate"]; ok && !slices.Contains(limit.rates, a.SampleRate) {
		at.fail("%d is not a sample rate of %s", a.SampleRate, a.Codec)
	}
	if low, high := limit.bits(a.Channels); a.Bitrate < low || a.Bitrate > high {
		got["bitrate"].fail("%s is not allowed, want %s to %s for %s with %d channels", formatBits(a.Bitrate), formatBits(low), formatBits(high), a.Codec, a.Channels)
		return
	}
	if steps := limit.steps; steps != nil && !slices.Contains(steps, a.Bitrate) {
		got["bitrate"].fail("%s is not a bit rate of %s; near ones are %s", formatBits(a.Bitrate), a.Codec, formatBits(limit.step(a.Bitrate)))
	}
}

const wantLanguages = "all, first, or a list of languages such as [en, de]"

func (v value) languages() Languages {
	if _, ok := v.node.(*ast.SequenceNode); ok {
		return Languages{Only: v.languageList(wantLanguages)}
	}
	s, _ := v.scalar(wantLanguages)
	switch s {
	case "", "all":
		return Languages{}
	case "first":
		return Languages{First: true}
	}
	v.fail("%q is not allowed, want %s", clip(s), wantLanguages)
	return Languages{}
}

const wantSubtitles = "all, none, or a list of languages such as [en, de]"

func (v value) subtitles() Subtitles {
	if _, ok := v.node.(*ast.SequenceNode); ok {
		return Subtitles{Only: v.languageList(wantSubtitles)}
	}
	s, ok := v.scalar(wantSubtitles)
	switch {
	case !ok, s == "all":
		return Subtitles{}
	case s == "none":
		return Subtitles{None: true}
	}
	v.fail("%q is not allowed, want %s", clip(s), wantSubtitles)
	return Subtitles{}
}

func (v value) languageList(want string) []string {
	var only []string
	if len(v.node.(*ast.SequenceNode).Values) == 0 {
		v.fail("is empty, want %s", want)
	}
	v.list(64, func(_ int, item value) {
		s := item.text("a language such as en or pt-BR", func(s string) bool { _, err := language.Parse(s); return err == nil })
		if s == "" {
			return
		}
		tag := canonicalLanguage(s)
		if slices.Contains(only, tag) {
			item.fail("%q is listed twice", s)
		}
		only = append(only, tag)
	})
	return only
}
