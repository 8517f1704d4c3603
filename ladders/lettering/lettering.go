// Package lettering is the font of text that is drawn into pictures. The font
// is part of the program, so that every host draws the same letters.
//
// It must not know ladders, pictures or colours.
package lettering

import (
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/sfnt"
)

// Open reads the font, which has Latin, Greek and Cyrillic letters, and digits
// of one width: numbers that run do not shake.
func Open() (*sfnt.Font, error) { return sfnt.Parse(gobold.TTF) }

// Lacks is the first character of s that the font has no shape for, 0 for none.
func Lacks(s string) rune {
	f, err := Open()
	if err != nil {
		panic(err) // it is part of the program, and tested
	}
	var buf sfnt.Buffer
	for _, r := range s {
		if g, err := f.GlyphIndex(&buf, r); err != nil || g == 0 {
			return r
		}
	}
	return 0
}
