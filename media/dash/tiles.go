package dash

import (
	"fmt"
	"math"

	"github.com/Eyevinn/dash-mpd/mpd"
)

// Tiles are the thumbnails of a clip, on sheets (DASH-IF IOP v4.3 §6.2.6).
type Tiles struct {
	Name          string // its id, and its folder
	Width, Height int    // of a sheet
	Columns, Rows int
	Ticks         int64 // that a sheet covers, in the grid's timescale
	Bandwidth     int64 // of the largest sheet
}

const tileScheme = "http://dashif.org/guidelines/thumbnail_tile"

func (t Tiles) encode(id uint32, timescale int64) *mpd.AdaptationSetType {
	out := mpd.NewAdaptationSetWithParams("image", "image/jpeg", false, 0)
	out.Id = mpd.Ptr(id)
	out.SegmentTemplate = mpd.NewSegmentTemplate()
	out.SegmentTemplate.Media = "$RepresentationID$/$Number$.jpg"
	out.SegmentTemplate.StartNumber = mpd.Ptr(uint32(0))
	out.SegmentTemplate.SetTimescale(uint32(timescale))
	out.SegmentTemplate.Duration = mpd.Ptr(uint32(t.Ticks))
	rep := mpd.NewRepresentation()
	rep.Id, rep.Bandwidth = t.Name, uint32(max(1, min(t.Bandwidth, math.MaxUint32)))
	rep.Width, rep.Height = uint32(t.Width), uint32(t.Height)
	rep.EssentialProperties = []*mpd.DescriptorType{mpd.NewDescriptor(tileScheme, fmt.Sprintf("%dx%d", t.Columns, t.Rows), "")}
	out.Representations = []*mpd.RepresentationType{rep}
	return out
}
