package encoders

import (
	"fmt"
	"slices"
	"strings"
)

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
// can. What is only better is not asked for instead.
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

// Lesser is a rung that asks less of its card.
type Lesser struct {
	Without string // what it does without, in words
	Rung    Rung
}

// Less are what may be asked of a card that refuses what it says to have: without each
// of the things that only some have, what costs the least quality first, and without
// all of them. Those that would ask for the same are left out.
func (e Encoder) Less(r Rung) (all []Lesser) {
	asked := [][]Option{e.Options(r)}
	add := func(without string, c Card) {
		less := r
		less.Card = &c
		options := e.Options(less)
		if !slices.ContainsFunc(asked, func(o []Option) bool { return slices.Equal(o, options) }) {
			asked = append(asked, options)
			all = append(all, Lesser{without, less})
		}
	}
	var words []string
	least := r.card()
	for _, of := range []struct {
		what string
		take func(*Card)
	}{
		{"several engines for a picture", func(c *Card) { c.Engines = 1 }},
		{"temporal AQ", func(c *Card) { c.TemporalAQ = false }},
		{"references to B pictures", func(c *Card) { c.BReference = false }},
		{"lookahead", func(c *Card) { c.Lookahead = false }},
		{"B pictures", func(c *Card) { c.BFrames = 0 }},
	} {
		one := r.card()
		of.take(&one)
		of.take(&least)
		n := len(all)
		if add(of.what, one); len(all) > n {
			words = append(words, of.what)
		}
	}
	add(strings.Join(words, ", "), least)
	return all
}
