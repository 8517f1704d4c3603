// Package catalogue is what is published about models of GPUs: how many NVENC
// engines they have, how fast one is, and how many sessions drivers allow. It is
// a prior, used until a host is calibrated.
//
// Invariants: every figure has its source beside it; a model that is not listed
// is taken for the slowest that there is. It is pure data: it must not know
// drivers or devices of this host.
package catalogue

import (
	"fmt"
	"strings"
)

// generation of NVENC, with the 1080p frames per second of one engine for
// H.264 at P3, VBR, high quality tuning: NVIDIA's NVENC application note for Video
// Codec SDK 13.0, measured there on one board of each.
type generation struct {
	name string
	fps  int64
}

var (
	pascal    = generation{"Pascal", 398}
	turing    = generation{"Turing", 602}
	ampere    = generation{"Ampere", 617}
	ada       = generation{"Ada", 647}
	blackwell = generation{"Blackwell", 708}
)

// Card is one model.
type Card struct {
	words      []string // of the driver's name for it, all of them
	generation generation
	// NVENC engines, by NVIDIA's support matrix; 0 for a card that cannot encode.
	NVENC int64
	// permille of the generation's rate; 0 is all of it.
	permille int64
}

// l4Permille: an L4 encodes 130 AV1 720p30 on its two engines by NVIDIA's product
// page, which is this much of the application note's figure for Ada.
const l4Permille = 795

// cards: the first that matches counts.
var cards = []Card{
	{words: []string{"Tesla", "T4"}, generation: turing, NVENC: 1},
	{words: []string{"A10"}, generation: ampere, NVENC: 1},
	{words: []string{"A10G"}, generation: ampere, NVENC: 1},
	{words: []string{"A40"}, generation: ampere, NVENC: 1},
	{words: []string{"L4"}, generation: ada, NVENC: 2, permille: l4Permille},
	{words: []string{"L40"}, generation: ada, NVENC: 3},
	{words: []string{"L40S"}, generation: ada, NVENC: 3},
	{words: []string{"RTX", "PRO", "6000", "Blackwell"}, generation: blackwell, NVENC: 4},
	{words: []string{"GeForce", "RTX", "4090"}, generation: ada, NVENC: 2},
	{words: []string{"GeForce", "RTX", "5070", "Ti"}, generation: blackwell, NVENC: 2},
	{words: []string{"GeForce", "RTX", "5080"}, generation: blackwell, NVENC: 2},
	{words: []string{"GeForce", "RTX", "5090"}, generation: blackwell, NVENC: 3},
	{words: []string{"A100"}},
	{words: []string{"H100"}},
	{words: []string{"H200"}},
}

// Find a model by the driver's name for it, such as "NVIDIA L40S".
func Find(model string) (Card, bool) {
	there := words(model)
	for _, c := range cards {
		if all(c.words, there) {
			return c, true
		}
	}
	return Card{}, false
}

func words(model string) map[string]bool {
	there := map[string]bool{}
	for _, w := range strings.FieldsFunc(model, func(r rune) bool { return r == ' ' || r == '-' }) {
		there[w] = true
	}
	return there
}

func all(wanted []string, there map[string]bool) bool {
	for _, w := range wanted {
		if !there[w] {
			return false
		}
	}
	return true
}

// A planner leaves a fifth of what an engine does at most: rates were measured
// with clocks at their highest, and live work cannot wait.
const (
	pictureHD = 1920 * 1080
	plannable = 800 // permille
)

// Capacity is what a card that encodes is taken to carry, in pixels per second of
// the reference (H.264 at preset "fast"), and where that comes from.
func Capacity(model string) (pixelsPerSecond int64, source string) {
	c, known := Find(model)
	if !known || c.NVENC == 0 {
		return capacity(Card{generation: pascal, NVENC: 1}), fmt.Sprintf(
			"catalogue: this model is not in it, so one engine of %d 1080p frames/s (%s), of which 80 %% is planned with; not calibrated", pascal.fps, pascal.name)
	}
	scaled := ""
	if c.permille > 0 {
		scaled = fmt.Sprintf(" × 0.%03d", c.permille)
	}
	return capacity(c), fmt.Sprintf("catalogue: %d engines × %d 1080p frames/s (%s, H.264 P3)%s, of which 80 %% is planned with; not calibrated",
		c.NVENC, c.generation.fps, c.generation.name, scaled)
}

func capacity(c Card) int64 {
	n := c.NVENC * c.generation.fps * pictureHD * plannable / 1000
	if c.permille > 0 {
		n = n * c.permille / 1000
	}
	return n
}
