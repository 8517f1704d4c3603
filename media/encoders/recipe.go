package encoders

import (
	"fmt"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/timeline"
)

// Recipe is how a rendition is encoded, for those who do the same elsewhere
// and compare.
type Recipe struct {
	Encoder     string
	PixelFormat string
	Options     []Option // as libavcodec takes them
}

// RecipeFor is what the engine would tell the encoder of a rendition.
func RecipeFor(v ladders.Video, grid timeline.Grid, live bool, cpus int) (Recipe, error) {
	e, ok := Find(v)
	if !ok {
		return Recipe{}, fmt.Errorf("no encoder %q for codec %q", v.Encoder, v.Codec)
	}
	return Recipe{Encoder: e.Name, PixelFormat: e.PixelFormat(v), Options: Joined(e.Options(NewRung(v, grid, live, cpus)))}, nil
}
