package libav

import (
	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// Recipe is how a rendition is encoded, for those who do the same elsewhere
// and compare.
type Recipe struct {
	Encoder string
	Threads int
	Options []Option
}

// RecipeFor is what the engine would tell the encoder of a rendition.
func RecipeFor(v ladders.Video, grid timeline.Grid, live bool) (Recipe, error) {
	r, err := row(v)
	if err != nil {
		return Recipe{}, err
	}
	c := encodeContext{Video: v, rate: grid.Rate.Div(v.Divisor), gop: grid.FramesPerGOP / v.Divisor, live: live}
	recipe := Recipe{Encoder: r.Name, Threads: threads(v)}
	for _, o := range r.opts(c) {
		if o.Value != "" {
			recipe.Options = append(recipe.Options, o)
		}
	}
	return recipe, nil
}
