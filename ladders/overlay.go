package ladders

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/galafarm/gala/ladders/lettering"
)

// Overlay is a logo or a line of text that is drawn into the pictures once, for
// all rungs. Its sizes are shares of the picture, bars included.
type Overlay struct {
	Logo string // a PNG file, by the name that the ladder gives it; or
	Text string // what is written, with fields such as {timecode}
	At   Place
	// Width of the picture's width or Height of its height (in portrait pictures of
	// their width); the other follows.
	Width, Height Percent
	// Margin to the edges: of the width at the sides, of the height above and below.
	Margin  Percent
	Opacity Percent
}

// Place is where on the picture an overlay stands: a corner, the middle of a
// side, or the middle.
type Place string

// Places are all of them, row by row.
func Places() []Place {
	return []Place{"top-left", "top", "top-right", "left", "middle", "right", "bottom-left", "bottom", "bottom-right"}
}

// Halves is the place in halves of the room that is left: 0 left or top, 1 in
// the middle, 2 right or bottom.
func (p Place) Halves() (x, y int) {
	i := max(0, slices.Index(Places(), p))
	return i % 3, i / 3
}

// What text may say beside its letters.
const (
	// FieldTimecode is HH:MM:SS:FF of the frame: since the start of a clip, or the
	// time of day (UTC) of a live frame.
	FieldTimecode = "{timecode}"
	FieldJob      = "{job}" // the job's id
)

const (
	// MaxOverlays of a ladder.
	MaxOverlays = 4
	maxLogoName = 256
	maxLine     = 80

	defaultLogoWidth, defaultTextHeight Percent = 1200, 500
	// The area that is safe for graphics begins here (EBU R 95).
	defaultMargin Percent = 500
	opaque        Percent = 10000

	wantLogo = "the path of a PNG file, relative to the ladder's own"
	wantText = "one line of 1 to 80 characters, with {timecode} and {job} where they shall stand"
)

var fieldPattern = regexp.MustCompile(`\{[^{}]*\}|[{}]`)

func (v value) overlay() Overlay {
	o := Overlay{At: "top-right", Margin: defaultMargin, Opacity: opaque}
	places := make([]string, len(Places()))
	for i, p := range Places() {
		places[i] = string(p)
	}
	got := v.mapping([]key{
		{"logo", func(at value) { o.Logo = at.logo() }},
		{"text", func(at value) { o.Text = at.line() }},
		{"at", func(at value) { o.At = Place(at.oneOf(places...)) }},
		{"width", func(at value) { o.Width = at.percent(1, 100) }},
		{"height", func(at value) { o.Height = at.percent(1, 100) }},
		{"margin", func(at value) { o.Margin = at.percent(0, 40) }},
		{"opacity", func(at value) { o.Opacity = at.percent(5, 100) }},
	})
	checkOverlay(v, got, &o)
	return o
}

// checkOverlay compares an overlay's keys and fills in what it leaves out.
func checkOverlay(v value, got given, o *Overlay) {
	if n := got.count("logo", "text"); got != nil && n != 1 {
		v.d.at(firstToken(v.node), v.path, "give exactly one of logo (a PNG file) and text; %d are given", n)
		return
	}
	_, text := got["text"]
	if at, ok := got["width"]; ok && text {
		at.fail("is for logos; the size of text is its height")
	}
	if at, ok := got["height"]; ok && o.Width > 0 && !text {
		at.fail("does not go with width: a logo keeps its shape")
	}
	switch {
	case o.Width+o.Height > 0:
	case text:
		o.Height = defaultTextHeight
	default:
		o.Width = defaultLogoWidth
	}
}

// logo reads a file's name, and looks into the file where there is one to look into.
func (v value) logo() string {
	s := v.text(wantLogo, func(s string) bool {
		return s != "" && len(s) <= maxLogoName && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
	})
	if s == "" || v.d.logo == nil {
		return s
	}
	if err := v.d.logo(s); err != nil {
		v.fail("%v", err)
	}
	return s
}

func (v value) line() string {
	s := v.text(wantText, func(s string) bool {
		return s != "" && utf8.RuneCountInString(s) <= maxLine && utf8.ValidString(s) && strings.TrimSpace(s) != ""
	})
	for _, field := range fieldPattern.FindAllString(s, -1) {
		if field != FieldTimecode && field != FieldJob {
			v.fail("%q is no field; there are %s and %s", clip(field), FieldTimecode, FieldJob)
			return s
		}
	}
	if r := lettering.Lacks(s); r != 0 {
		v.fail("the font has no character %q; it has Latin, Greek and Cyrillic letters: draw other text as a logo", r)
	}
	return s
}

// Logos are the files that the ladder's overlays name, each once.
func (l *Ladder) Logos() (files []string) {
	for _, o := range l.Overlays {
		if o.Logo != "" && !slices.Contains(files, o.Logo) {
			files = append(files, o.Logo)
		}
	}
	return files
}

// String is the overlay as a ladder file has it.
func (o Overlay) String() string {
	out := []string{"logo: " + plain(o.Logo)}
	if o.Text != "" {
		out[0] = "text: " + plain(o.Text)
	}
	out = append(out, "at: "+string(o.At))
	if o.Width > 0 {
		out = append(out, "width: "+o.Width.String())
	} else {
		out = append(out, "height: "+o.Height.String())
	}
	return "{" + strings.Join(append(out, "margin: "+o.Margin.String(), "opacity: "+o.Opacity.String()), ", ") + "}"
}

// does says what is drawn, for people.
func (o Overlay) does() string {
	what, size := "the logo "+o.Logo, o.Width.String()+" of the width"
	if o.Text != "" {
		what = fmt.Sprintf("the text %q", o.Text)
	}
	if o.Width == 0 {
		size = o.Height.String() + " of the height"
	}
	return fmt.Sprintf("%s is drawn into the pictures of every rung: %s, %s", what, o.At, size)
}
