package encoders

import "fmt"

// Card is what a GPU's encoder can do for one codec, as its driver says.
type Card struct {
	Model string
	// Encodes: it has the codec at all. The rest is nothing without.
	Encodes       bool
	BFrames       int  // in a row, 0 for none
	BReference    bool // the middle one of them may be referred to
	TemporalAQ    bool
	Lookahead     bool
	TenBit        bool
	Width, Height int // of the largest picture
	// LeastWidth and LeastHeight are those of the smallest picture, 0 where nothing is known.
	LeastWidth, LeastHeight int
	Engines                 int // encoders that work side by side
}

// Refuses says in words why the card cannot encode a rung at all, "" where it
// can. What is only better is left out instead, by Options.
func (c Card) Refuses(r Rung) string {
	switch {
	case !c.Encodes:
		return fmt.Sprintf("%s does not encode %s", c.Model, r.Codec)
	case r.Depth == 10 && !c.TenBit:
		return fmt.Sprintf("%s does not encode %s of 10 bits", c.Model, r.Codec)
	case r.Width > c.Width || r.Height > c.Height:
		return fmt.Sprintf("%s encodes %s up to %dx%d", c.Model, r.Codec, c.Width, c.Height)
	case r.Width < c.LeastWidth || r.Height < c.LeastHeight:
		return fmt.Sprintf("%s encodes %s from %dx%d", c.Model, r.Codec, c.LeastWidth, c.LeastHeight)
	}
	return ""
}

// card is that of the rung; where none is named, one that has everything.
func (r Rung) card() Card {
	if r.Card != nil {
		return *r.Card
	}
	return Card{BFrames: bFrames, BReference: true, TemporalAQ: true, Lookahead: true, Engines: 2}
}

// bFrames is how many B pictures may stand between two others.
const bFrames = 3

// bInARow is how many of them this rung has.
func (r Rung) bInARow() int64 {
	if r.Profile == "baseline" {
		return 0
	}
	return int64(min(bFrames, r.card().BFrames))
}
