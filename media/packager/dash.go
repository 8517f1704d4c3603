package packager

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/dash"
	"github.com/galafarm/gala/media/hls"
	"github.com/galafarm/gala/timeline"
)

// refreshManifest writes the DASH manifest of a live job, first when a player
// that stays behind as it is told finds something to play, then whenever other
// init segments or missing segments make other Periods. The caller holds o.mu.
func (o *output) refreshManifest(ctx context.Context) error {
	turns := o.p.lapses.changes()
	for _, t := range o.p.order {
		n, enough := t.takerOf(o).turned()
		if turns += n; !enough {
			return nil
		}
	}
	if !o.p.spec.Live || turns == o.turns {
		return nil
	}
	if err := o.putManifest(ctx, false); err != nil {
		return err
	}
	o.turns = turns
	return nil
}

// turned is how often the taker's runs changed, and whether a player may begin.
func (k *taker) turned() (turns int, enough bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.turns, len(k.list.Segments) > dash.Delay || k.resting && len(k.list.Segments) == 0
}

func (o *output) putManifest(ctx context.Context, ended bool) error {
	b, err := o.manifest(ended).Encode()
	if errors.Is(err, dash.ErrEmpty) {
		return nil
	}
	if err != nil {
		return err
	}
	return o.sink.Put(ctx, dash.Name, b)
}

// manifest lists what master lists: a live job's declared rates, a clip's
// measured ones.
func (o *output) manifest(ended bool) dash.Manifest {
	p := o.p
	m := dash.Manifest{Grid: p.spec.Grid, Live: p.spec.Live, Ended: ended, Start: o.availability(), TextDelay: p.textDelay(), Window: p.window, Published: p.now()}
	for _, t := range p.order {
		k := t.takerOf(o)
		if t.rendition.Text != nil && t.boxes == nil { // segmented WebVTT is HLS's own form
			if text := k.whole; text != nil {
				m.Texts = append(m.Texts, *text)
			}
			continue
		}
		r, ok := k.described(!p.spec.Live)
		if !ok {
			continue
		}
		rep := dash.Representation{Name: r.Name, Bandwidth: r.Bandwidth, Runs: k.manifestRuns(ended), Resting: k.rests(), Protection: t.lock.manifest()}
		if x := t.boxes; x != nil {
			rep.Text, rep.Bandwidth, r.Codecs = subtitlesOf(r), boxedRate, x.init.Codecs
		} else if a := r.Audio; a != nil {
			rep.Audio = &dash.Audio{Codec: a.Codec, Language: a.Language, Label: a.Label, Channels: a.Channels, SampleRate: a.SampleRate, Default: a.Default}
		} else {
			rep.Video = t.dashVideo()
		}
		for i := range rep.Runs { // of a predecessor whose manifest is lost
			if rep.Runs[i].Codecs == "" {
				rep.Runs[i].Codecs = r.Codecs
			}
		}
		m.Representations = append(m.Representations, rep)
	}
	if first, ok := o.oldest(); ok {
		m.Lapses = p.lapses.since(p.spec.Grid.FirstFrame(first))
	}
	m.LastTicks, m.Tiles = o.lastTicks(), p.sheets.tiles()
	return m
}

// oldest is the first segment that the first rendition lists.
func (o *output) oldest() (number int64, ok bool) {
	k := o.p.order[0].takerOf(o)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.list.Segments) == 0 {
		return 0, false
	}
	return k.list.Segments[0].Number, true
}

func subtitlesOf(r ladders.Rendition) *dash.Subtitles {
	return &dash.Subtitles{Language: r.Text.Language, Label: r.Text.Label, Forced: r.Text.Forced, Impaired: r.Text.Impaired}
}

func (t *track) dashVideo() *dash.Video {
	v := t.rendition.Video
	out := &dash.Video{Codec: v.Codec, Width: v.Width, Height: v.Height, Rate: t.p.spec.Grid.Rate.Div(v.Divisor), Captions: t.p.captioned(*v).Captions}
	if opened := t.opened.Load(); opened != nil {
		out.SARNum, out.SARDen = opened.cfg.SARNum, opened.cfg.SARDen
		out.Colour = dash.Colour{Primaries: opened.cfg.Primaries, Transfer: opened.cfg.Transfer, Matrix: opened.cfg.Matrix}
	}
	return out
}

// availability is when a segment that ends at the epoch would be there: as much
// later as the source runs behind, what text is held back by, and a segment for the
// farm - what comes later than that is told as late. Players never change it in flight, so a
// predecessor's stays unless half of that segment is gone (ISO/IEC 23009-1 §5.4.1).
func (o *output) availability() time.Time {
	segment := o.p.segmentLength()
	ours := time.Unix(0, 0).UTC().Add(max(0, o.p.lag) + o.p.textDelay() + segment)
	if old := o.history; old != nil && !old.Start.IsZero() && ours.Sub(old.Start) <= segment/2 {
		return old.Start
	}
	return ours
}

// manifestRuns are the taker's segments; of an ended job those that are listed.
func (k *taker) manifestRuns(ended bool) []dash.Run {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.t.p.spec.Live {
		return clipRuns(k.list.Segments, k.timescale())
	}
	runs := slices.Clone(k.runs)
	if ended && len(runs) > 0 {
		runs[0].From = max(runs[0].From, k.list.Segments[0].Number)
	}
	return runs
}

func (k *taker) timescale() int64 {
	if a := k.t.rendition.Audio; a != nil {
		return int64(a.SampleRate)
	}
	return k.t.p.spec.Grid.Timescale
}

// clipRuns are a clip's segments with their times: instants that were rounded
// to a microsecond tell every tick of a timescale below a million.
func clipRuns(segments []hls.Segment, scale int64) []dash.Run {
	var runs []dash.Run
	var at hls.Micros
	for _, s := range segments {
		runs = follow(runs, s.Number, s.Map, "")
		r := &runs[len(runs)-1]
		if len(r.Times) == 0 {
			r.Times = []int64{ticks(at, scale)}
		}
		at += s.Duration
		r.Times = append(r.Times, ticks(at, scale))
	}
	return runs
}

func ticks(m hls.Micros, scale int64) int64 {
	return timeline.Rescale(int64(m), timeline.Timebase{Num: 1, Den: 1_000_000}, timeline.Timebase{Num: 1, Den: scale})
}

// follow adds a segment to the run that it continues, or begins a run.
func follow(runs []dash.Run, number int64, init, codecs string) []dash.Run {
	if n := len(runs); n > 0 && runs[n-1].To == number && runs[n-1].Init == init {
		runs[n-1].To++
		return runs
	}
	return append(runs, dash.Run{Init: init, Codecs: codecs, From: number, To: number + 1})
}

// keepRuns follows what is listed and what slid out. The caller holds k.mu.
func (k *taker) keepRuns(e hls.Segment, codecs string) {
	if k.t.rendition.Text != nil {
		if k.t.boxes == nil { // no run of segments in a manifest
			return
		}
		e.Map = k.t.boxes.init.Name // which playlists of WebVTT do not say
	}
	before := len(k.runs)
	if !e.Gap {
		k.runs = follow(k.runs, e.Number, e.Map, codecs)
	}
	gone, first := 0, k.list.Segments[0].Number
	// What a hole lies behind stays until the hole is out too: without it the Period
	// of the hole would be the first, and go.
	for gone < len(k.runs)-1 && k.runs[gone].To <= first && k.runs[gone+1].From <= first {
		gone++
	}
	if len(k.runs) > before {
		k.turns++
	}
	k.runs, k.turns = k.runs[gone:], k.turns+gone
}

// lastTicks is how long the last segment of all is, in the grid's timescale.
func (o *output) lastTicks() int64 {
	var number, last int64
	for _, t := range o.p.order {
		if t.rendition.Text != nil {
			continue
		}
		k := t.takerOf(o)
		k.mu.Lock()
		if n := len(k.list.Segments); n > 0 {
			s := k.list.Segments[n-1]
			if s.Number > number {
				number, last = s.Number, 0
			}
			if s.Number == number {
				last = max(last, ticks(s.Duration, o.p.spec.Grid.Timescale))
			}
		}
		k.mu.Unlock()
	}
	return min(last, o.p.spec.Grid.SegmentTicks())
}

// recall reads back, once, what a live job's predecessor told players. The
// manifest is a help: without one the job goes on with Periods of its own.
func (o *output) recall(ctx context.Context) *dash.History {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.recalled || !o.p.spec.Live || !o.p.spec.WritesManifest {
		return o.history
	}
	b, err := o.sink.Get(ctx, dash.Name)
	if err == nil {
		o.history, err = dash.Parse(b)
	}
	if err != nil && !errors.Is(err, media.ErrNotFound) {
		o.p.log.Warn("manifest not read back", "output", o.name, "error", err)
	}
	o.recalled = err == nil || ctx.Err() == nil
	return o.history
}
