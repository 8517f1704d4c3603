// Package thumbs makes the thumbnails of a clip: JPEG sheets of many small
// pictures, and the WebVTT file that says which part of which sheet is shown
// when, as web players read it.
//
// Invariants: thumbnail k shows frame k·Every of the grid; sheet and place follow
// from k alone, so that two workers make the same files of the same pictures; a
// sheet has its full size, and is black where the clip is over.
//
// It must not know where pictures come from, or sinks.
package thumbs

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"strings"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media/webvtt"
	"github.com/galafarm/gala/timeline"
)

// VTTName is the file that lists them, in their folder.
const VTTName = "thumbnails.vtt"

// SheetName is the file of sheet n.
func SheetName(n int64) string { return fmt.Sprintf("%d.jpg", n) }

// Plan is where the thumbnails of a clip of so many frames are.
type Plan struct {
	ladders.Thumbnails
	Grid   timeline.Grid
	Frames int64 // of the grid, that the clip has
}

// Count of thumbnails.
func (p Plan) Count() int64 { return (p.Frames + p.Every - 1) / p.Every }

// PerSheet is how many a sheet has room for.
func (p Plan) PerSheet() int64 { return int64(p.Columns) * int64(p.Rows) }

// Sheets is how many there are.
func (p Plan) Sheets() int64 { return (p.Count() + p.PerSheet() - 1) / p.PerSheet() }

// Place is where thumbnail k is: the sheet, and what part of it.
func (p Plan) Place(k int64) (sheet int64, at image.Rectangle) {
	i := int(k % p.PerSheet())
	corner := image.Pt(i%p.Columns*p.Width, i/p.Columns*p.Height)
	return k / p.PerSheet(), image.Rectangle{corner, corner.Add(image.Pt(p.Width, p.Height))}
}

// Size of a sheet.
func (p Plan) Size() image.Rectangle { return image.Rect(0, 0, p.Columns*p.Width, p.Rows*p.Height) }

// VTT says when each is shown: until the next one, the last to the end.
func (p Plan) VTT() []byte {
	var cues []webvtt.Cue
	at := func(frame int64) int64 { return p.Grid.TimeOf(frame).Microseconds() }
	for k := range p.Count() {
		sheet, r := p.Place(k)
		cues = append(cues, webvtt.Cue{
			Start: at(k * p.Every), End: at(min((k+1)*p.Every, p.Frames)),
			Text: fmt.Sprintf("%s#xywh=%d,%d,%d,%d", SheetName(sheet), r.Min.X, r.Min.Y, r.Dx(), r.Dy()),
		})
	}
	return webvtt.File(cues)
}

// Sheet is one as it is filled.
type Sheet struct{ picture *image.YCbCr }

// NewSheet is black.
func (p Plan) NewSheet() Sheet {
	s := Sheet{image.NewYCbCr(p.Size(), image.YCbCrSubsampleRatio420)}
	for i := range s.picture.Cb {
		s.picture.Cb[i], s.picture.Cr[i] = 128, 128
	}
	return s
}

// ErrPicture: not of the planned size.
var ErrPicture = errors.New("the picture has another size or sampling than a thumbnail")

// Put lays a picture of 4:2:0 into its place, sample by sample: its sides are even.
func (s Sheet) Put(at image.Rectangle, from *image.YCbCr) error {
	if from.Rect.Size() != at.Size() || from.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return ErrPicture
	}
	for y := range at.Dy() {
		copy(s.picture.Y[s.picture.YOffset(at.Min.X, at.Min.Y+y):], from.Y[y*from.YStride:][:at.Dx()])
	}
	for y := range at.Dy() / 2 {
		to := s.picture.COffset(at.Min.X, at.Min.Y+2*y)
		copy(s.picture.Cb[to:], from.Cb[y*from.CStride:][:at.Dx()/2])
		copy(s.picture.Cr[to:], from.Cr[y*from.CStride:][:at.Dx()/2])
	}
	return nil
}

// quality of the JPEG: small pictures that are looked at for a moment.
const quality = 75

// JPEG is the sheet as a file.
func (s Sheet) JPEG() ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, s.picture, &jpeg.Options{Quality: quality})
	return b.Bytes(), err
}

// Cue is one line of the list, read back.
type Cue struct {
	Start, End time.Duration
	File       string
	At         image.Rectangle
}

// ErrList: not a list of thumbnails.
var ErrList = errors.New("not a list of thumbnails")

// Parse reads a list.
func Parse(body []byte) ([]Cue, error) {
	cues, err := webvtt.ParseFile(body)
	if err != nil {
		return nil, err
	}
	var out []Cue
	for _, c := range cues {
		file, fragment, _ := strings.Cut(c.Text, "#")
		var x, y, w, h int
		if n, err := fmt.Sscanf(fragment, "xywh=%d,%d,%d,%d", &x, &y, &w, &h); n != 4 || err != nil || file == "" {
			return nil, fmt.Errorf("%w: %q", ErrList, c.Text)
		}
		out = append(out, Cue{Start: time.Duration(c.Start) * time.Microsecond, End: time.Duration(c.End) * time.Microsecond, File: file, At: image.Rect(x, y, x+w, y+h)})
	}
	return out, nil
}
