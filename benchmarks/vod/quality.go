package vod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/galafarm/gala/ladders"
)

// Picture is what a rendition looks like beside the source scaled to its size.
type Picture struct {
	Rendition string  `json:"rendition"`
	Frames    int     `json:"frames"`
	XPSNR     float64 `json:"xpsnr_y_db"`
	Bytes     int64   `json:"bytes"`
	// MD5 of all decoded pictures.
	MD5 string `json:"md5"`
}

// look decodes a rendition of a tree in out and compares it, frame by frame,
// with the clip.
func (p *plan) look(ctx context.Context, ffmpeg, out string, r ladders.Rendition) (Picture, error) {
	pic := Picture{Rendition: r.Name}
	track, err := join(filepath.Join(out, r.Name))
	if err != nil {
		return pic, err
	}
	defer os.Remove(track)
	if pic.Bytes, err = size(track); err != nil {
		return pic, err
	}
	if pic.MD5, pic.Frames, err = hash(ctx, ffmpeg, track); err != nil {
		return pic, err
	}
	pic.XPSNR, err = p.xpsnr(ctx, ffmpeg, track, *r.Video)
	return pic, err
}

// join puts a rendition's init segment and segments, which follow each other
// from 0, into one file.
func join(dir string) (string, error) {
	inits, _ := filepath.Glob(filepath.Join(dir, "init*.mp4"))
	if len(inits) != 1 {
		return "", fmt.Errorf("%s: %d init segments, want 1", dir, len(inits))
	}
	name := filepath.Join(dir, "whole.mp4")
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := add(f, inits[0]); err != nil {
		return "", err
	}
	for n := 0; ; n++ {
		switch err := add(f, filepath.Join(dir, fmt.Sprintf("%d.m4s", n))); {
		case errors.Is(err, os.ErrNotExist) && n > 0:
			return name, nil
		case err != nil:
			return "", err
		}
	}
}

func add(to io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(to, f)
	return err
}

func size(name string) (int64, error) {
	s, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return s.Size(), nil
}

// hash is the MD5 of all decoded pictures, and how many there are.
func hash(ctx context.Context, ffmpeg, track string) (string, int, error) {
	out, err := run(ctx, ffmpeg, "-i", track, "-map", "0:v:0", "-f", "framemd5", "-")
	if err != nil {
		return "", 0, err
	}
	frames := 0
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			frames++
		}
	}
	sum, err := run(ctx, ffmpeg, "-i", track, "-map", "0:v:0", "-f", "md5", "-")
	return strings.TrimPrefix(strings.TrimSpace(string(sum)), "MD5="), frames, err
}

// labelled gives both sides one description of their colours: the worker writes
// it and ffmpeg's muxer does not, and xpsnr would convert one into the other.
const labelled = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709,"

// xpsnr compares by frame number: the two sides may count time from elsewhere.
func (p *plan) xpsnr(ctx context.Context, ffmpeg, track string, v ladders.Video) (float64, error) {
	graph := fmt.Sprintf("[1:v:0]%[1]s%[2]s,%[3]ssettb=1/1000,setpts=N[r];[0:v:0]%[3]ssettb=1/1000,setpts=N[d];[d][r]xpsnr", p.thin(v.Divisor), scale(v), labelled)
	out, err := run(ctx, ffmpeg, "-i", track, "-i", p.clip, "-filter_complex", graph, "-f", "null", "-")
	if err != nil {
		return 0, err
	}
	m := luma.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("xpsnr of %s: no figure in what ffmpeg said", track)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

var luma = regexp.MustCompile(`XPSNR +y: *([0-9.]+)`)

func run(ctx context.Context, ffmpeg string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, ffmpeg, append([]string{"-hide_banner", "-nostdin", "-nostats"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ffmpeg: %w: %s", err, errs.Bytes())
	}
	if out.Len() == 0 {
		return errs.Bytes(), nil
	}
	return out.Bytes(), nil
}
