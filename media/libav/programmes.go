package libav

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/galafarm/gala/media/input"
)

// wanted are the streams of the programme that a source's address asks for, nil
// for all. A ring has no others.
func (d *demuxer) wanted() map[int]bool {
	if d.ring != nil || d.live {
		return nil
	}
	return programStreams(d.fc, input.Program(d.name))
}

// programmes lists what there is to ask for.
func (d *demuxer) programmes() string {
	var ids []string
	for _, p := range d.fc.Programs() {
		ids = append(ids, strconv.Itoa(p.ID()))
	}
	if len(ids) == 0 {
		return "no programmes: leave #program=N away"
	}
	return strings.Join(ids, ", ")
}

// oneProgramme leaves out what belongs to other programmes than the chosen
// picture's, or where there is none the first sound's: a multiplex holds things
// that have nothing to do with each other.
func (p *prober) oneProgramme(info *Info) {
	if p.d.ring != nil || len(p.d.fc.Programs()) < 2 || len(info.Video)+len(info.Audio) == 0 {
		return
	}
	var chosen int
	var why string
	if v := info.BestVideo(); v != nil {
		chosen, why = v.Index, "its picture is the largest"
	} else {
		chosen, why = info.Audio[0].Index, "it has the first sound"
	}
	for _, programme := range p.d.fc.Programs() {
		in := programStreams(p.d.fc, programme.ID())
		if !in[chosen] {
			continue
		}
		before := len(info.Video) + len(info.Audio) + len(info.Text)
		info.Video = slices.DeleteFunc(info.Video, func(v VideoInfo) bool { return !in[v.Index] })
		info.Audio = slices.DeleteFunc(info.Audio, func(a AudioInfo) bool { return !in[a.Index] })
		info.Text = slices.DeleteFunc(info.Text, func(t TextInfo) bool { return !in[t.Index] })
		info.Chosen = choose(info.Video)
		if len(info.Video)+len(info.Audio)+len(info.Text) < before {
			p.notes.add(fmt.Sprintf("of the programmes %s number %d is encoded: %s; #program=N after the URL chooses another", p.d.programmes(), programme.ID(), why))
		}
		return
	}
}
