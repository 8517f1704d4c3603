package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/galafarm/gala/internal/wire"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// sourceLine is a probed source in one line.
func sourceLine(s *galav1.SourceInfo) string {
	if s == nil {
		return ""
	}
	parts := []string{s.GetContainer()}
	if us := s.GetDurationUs(); us > 0 {
		parts = append(parts, (time.Duration(us) * time.Microsecond).Round(time.Millisecond).String())
	}
	if v := wire.ChosenVideo(s); v != nil {
		parts = append(parts, videoLine(v))
	}
	for _, a := range s.GetAudio() {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %d ch %s", a.GetCodec(), a.GetChannels(), a.GetLanguage())))
	}
	for _, t := range s.GetText() {
		parts = append(parts, textLine(t))
	}
	return strings.Join(parts, ", ")
}

func textLine(t *galav1.TextTrack) string {
	line := t.GetCodec()
	if t.GetPage() != "" {
		line += " " + t.GetPage()
	}
	return line + " " + t.GetLanguage()
}

func videoLine(v *galav1.VideoTrack) string {
	line := fmt.Sprintf("%s %dx%d", v.GetCodec(), v.GetWidth(), v.GetHeight())
	if rate, err := wire.Rate(v.GetFps()); err == nil {
		line += " " + rate.String() + " fps"
	}
	if v.GetInterlaced() {
		line += " interlaced"
	}
	if v.GetRotation() != 0 {
		line += fmt.Sprintf(" rotated %d°", v.GetRotation())
	}
	return line
}

// gridLine is a job's grid in one line.
func gridLine(p *galav1.Grid) string {
	g, err := wire.Grid(p)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%v fps, GOP %d frames, segment %d frames (%.3f s)", g.Rate, g.FramesPerGOP, g.FramesPerSegment(),
		float64(g.SegmentTicks())/float64(g.Timescale))
}

// renditionLine is what a rendition is, in one cell.
func renditionLine(r *galav1.Rendition) string {
	if v := r.GetVideo(); v != nil {
		line := fmt.Sprintf("%s %dx%d", v.GetCodec(), v.GetWidth(), v.GetHeight())
		if v.GetFpsDivisor() > 1 {
			line += fmt.Sprintf(" 1/%d", v.GetFpsDivisor())
		}
		return line
	}
	if t := r.GetText(); t != nil {
		return "webvtt " + t.GetLanguage()
	}
	a := r.GetAudio()
	return strings.TrimSpace(fmt.Sprintf("%s %d ch %s", a.GetCodec(), a.GetChannels(), a.GetLanguage()))
}
