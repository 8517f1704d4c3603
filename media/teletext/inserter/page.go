package inserter

import (
	"math/bits"
	"strings"

	"github.com/galafarm/gala/media/teletext"
)

// Page is one transmission of a page.
type Page struct {
	// At is when it is shown, in ticks of 1/90000 since the first picture.
	At   int64
	Page teletext.Page
	// Lines are its text, from Row on; none clears the screen.
	Lines []string
	Row   int // 1 to 23; 0 for 20
	// Tall letters take two rows each.
	Tall   bool
	Option Option
	// Unmarked: no header says that it is subtitles.
	Unmarked bool
	// Open: nothing closes it.
	Open bool
}

// Option is a national set of characters (EN 300 706 §15.2, table 32).
type Option int

// Some of them, by C12, C13 and C14.
const (
	English Option = 0
	German  Option = 1
	Swedish Option = 2
	French  Option = 4
)

// national are the characters at 13 places of the Latin set (table 36).
var national = map[Option]string{
	English: "£$@←½→↑#—¼‖¾÷",
	German:  "#$§ÄÖÜ^_°äöüß",
	Swedish: "#¤ÉÄÖÅÜ_éäöåü",
	French:  "éïàëêùî#èâôûç",
}

const places = "#$@[\\]^_`{|}~"

// code is a character's in the national set.
func (o Option) code(r rune) byte {
	if at := strings.IndexRune(national[o], r); at >= 0 {
		return places[len([]rune(national[o][:at]))]
	}
	return byte(r)
}

// lines are the packets of the page, 42 bytes each, in the order of VBI bits.
func (p Page) lines() [][]byte {
	out := [][]byte{p.header(int(p.Page) & 0xff)}
	row := p.Row
	if row == 0 {
		row = 20
	}
	for _, text := range p.Lines {
		out = append(out, p.row(row, text))
		row++
		if p.Tall {
			row++
		}
	}
	if !p.Open {
		out = append(out, Page{Page: p.Page, Unmarked: true}.header(0xff))
	}
	return out
}

// header is packet 0: page and subcode 0, erased, subtitles, no header row.
func (p Page) header(number int) []byte {
	erase, subtitle := 8, 8
	if p.Unmarked {
		subtitle = 0
	}
	n := []int{number & 15, number >> 4, 0, erase, 0, subtitle, 1, turned(p.Option) << 1}
	out := address(int(p.Page)>>8&7, 0)
	for _, v := range n {
		out = append(out, hamming[v])
	}
	return append(out, parity(strings.Repeat(" ", 32), p.Option)...)
}

// turned: C12, the most significant, is sent first.
func turned(o Option) int { return int(bits.Reverse8(byte(o)) >> 5) }

// row is a line of text in a box (§12.2, spacing attributes).
func (p Page) row(number int, text string) []byte {
	const tall, start, end = "\x0d", "\x0b\x0b", "\x0a\x0a"
	text = start + text + end
	if p.Tall {
		text = tall + text
	}
	body := parity(text, p.Option)
	for len(body) < 40 {
		body = append(body, parity(" ", p.Option)...)
	}
	return append(address(int(p.Page)>>8&7, number), body[:40]...)
}

func address(magazine, packet int) []byte {
	return []byte{hamming[magazine|packet&1<<3], hamming[packet>>1]}
}

// parity makes the number of set bits odd (§8.1).
func parity(text string, o Option) []byte {
	var out []byte
	for _, r := range text {
		c := o.code(r) & 0x7f
		if bits.OnesCount8(c)%2 == 0 {
			c |= 0x80
		}
		out = append(out, c)
	}
	return out
}

// hamming are the code words of §8.2.
var hamming = [16]byte{0x15, 0x02, 0x49, 0x5e, 0x64, 0x73, 0x38, 0x2f, 0xd0, 0xc7, 0x8c, 0x9b, 0xa1, 0xb6, 0xfd, 0xea}
