package teletext

import (
	"fmt"
	"slices"
	"strings"
)

// Page is a page number as viewers know it, in hexadecimal: page 888 is 0x888,
// and magazine 8 is sent as 0.
type Page int

func (p Page) String() string { return fmt.Sprintf("%03x", int(p)) }

func (p Page) magazine() int { return int(p) >> 8 & 7 }

// page of a magazine as it is sent, 0 for 8.
func page(magazine, number int) Page {
	if magazine == 0 {
		magazine = 8
	}
	return Page(magazine<<8 | number)
}

// Subtitles is a page of subtitles that a descriptor names.
type Subtitles struct {
	Page     Page
	Language string // ISO 639-2, "" when there is none
	// Impaired: for viewers who do not hear.
	Impaired bool
}

// Types of pages (ETSI EN 300 468 §6.2.43, table 94).
const (
	typeSubtitles = 0x02
	typeImpaired  = 0x05
)

// Listed reads a teletext descriptor as libavformat keeps it: two bytes for each
// page - type and magazine, number -, and the languages in a row, with commas
// between them.
func Listed(pages []byte, languages string) []Subtitles {
	var out []Subtitles
	codes := strings.Split(languages, ",")
	for i := 0; i+1 < len(pages); i += 2 {
		s := Subtitles{Page: page(int(pages[i]&7), int(pages[i+1])), Impaired: pages[i]>>3 == typeImpaired}
		if i/2 < len(codes) {
			s.Language = strings.TrimSpace(codes[i/2])
		}
		known := slices.ContainsFunc(out, func(have Subtitles) bool { return have.Page == s.Page })
		if (pages[i]>>3 == typeSubtitles || s.Impaired) && !known {
			out = append(out, s)
		}
	}
	return out
}
