package ladders

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/galafarm/gala/timeline"
)

// Resolved is a ladder applied to a source.
type Resolved struct {
	Grid       timeline.Grid
	Renditions []Rendition // video as authored, then audio, then text
	Thumbnails *Thumbnails // nil: none
	// Notes are sentences for people: what was left out, reduced or not believed.
	Notes []string
}

// audioOnlyRate makes the grid of a job without pictures: segments of exactly
// the wanted length.
const audioOnlyRate = 25

// Resolve applies l to src. The error wraps ErrNoTracks, ErrNoMatch,
// ErrNoRung or ErrBadSource.
func Resolve(l *Ladder, src Source, kind Kind) (*Resolved, error) {
	if err := compatible(l, src); err != nil {
		return nil, err
	}
	if err := l.For(kind); err != nil {
		return nil, fmt.Errorf("ladder %s: %w", l.Name, err)
	}
	r := &resolver{ladder: l, source: src, kind: kind}
	for _, step := range []func() error{r.video, r.audio} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("ladder %s: %w", l.Name, err)
		}
	}
	r.text()
	r.thumbnails()
	return &r.out, nil
}

// compatible tells what is missing before any work.
func compatible(l *Ladder, src Source) error {
	video, audio := src.Video != nil, len(src.Audio) > 0
	switch {
	case !video && !audio:
		return ErrNoTracks
	case video && len(l.Video) > 0, audio && len(l.Audio) > 0:
		return nil
	case video:
		return fmt.Errorf("%w: %s has only audio rungs and the source has no audio; choose a ladder with video rungs", ErrNoMatch, l.Name)
	}
	return fmt.Errorf("%w: %s has only video rungs and the source has no video; choose a ladder with audio rungs", ErrNoMatch, l.Name)
}

type resolver struct {
	ladder *Ladder
	source Source
	kind   Kind
	out    Resolved
	made   *Picture // of the source's pictures
}

func (r *resolver) note(s string) {
	if s != "" {
		r.out.Notes = append(r.out.Notes, s)
	}
}

func (r *resolver) video() error {
	if r.source.Video == nil || len(r.ladder.Video) == 0 {
		grid, err := r.ladder.grid(whole(audioOnlyRate), r.kind, nil)
		r.out.Grid = grid
		return err
	}
	if v := r.source.Video; v.Width <= 0 || v.Height <= 0 {
		return fmt.Errorf("%dx%d: %w", v.Width, v.Height, ErrBadSource)
	}
	mode := r.ladder.Deinterlace.of(r.source.Video, r.ladder.Video)
	var err error
	if r.made, err = r.picture(mode); err != nil {
		return err
	}
	for _, s := range r.made.does() {
		r.note(s)
	}
	chosen, err := r.encodable(r.sizes())
	if err != nil {
		return err
	}
	steps, err := r.makeGrid(chosen, mode)
	if err != nil {
		return err
	}
	for i, c := range chosen {
		r.out.Renditions = append(r.out.Renditions, r.rendition(c, steps[i]))
	}
	shape, _ := r.made.shaped(r.source.Video)
	r.cascade(shape)
	r.note(hdrNote(r.source.Video.Range, r.out.Renditions))
	return nil
}

// sizes fits the rungs, each codec and range by itself: every player sees a
// whole ladder of what it can play.
func (r *resolver) sizes() []fitted {
	s, note := r.made.shaped(r.source.Video)
	r.note(note)
	type group struct {
		codec string
		keep  Keep
	}
	groups := map[group][]fitted{}
	for i := range r.ladder.Video {
		rung := &r.ladder.Video[i]
		g := group{rung.Codec, rung.Range}
		groups[g] = append(groups[g], fitted{rung: rung, index: i})
	}
	var chosen []fitted
	for _, codec := range []string{"h264", "hevc", "av1"} {
		for _, keep := range []Keep{KeepSDR, KeepSource} {
			f := fitter{shape: s}
			chosen = append(chosen, f.fit(groups[group{codec, keep}])...)
			r.out.Notes = append(r.out.Notes, f.notes...)
		}
	}
	slices.SortFunc(chosen, func(a, b fitted) int { return cmp.Compare(a.index, b.index) })
	return chosen
}

// leastAV1 is the smallest side of a picture that SVT-AV1 takes.
const leastAV1 = 64

// encodable leaves out what no encoder of the rung's codec takes: to stretch a strip to 64
// pixels would show another picture.
func (r *resolver) encodable(chosen []fitted) ([]fitted, error) {
	var kept []fitted
	for _, c := range chosen {
		if c.rung.Codec == "av1" && min(c.w, c.h) < leastAV1 {
			r.note(fmt.Sprintf("%s would be %dx%d and AV1 takes %dx%d at least; it is left out", c.rung.Name, c.w, c.h, leastAV1, leastAV1))
			continue
		}
		kept = append(kept, c)
	}
	if len(kept) == 0 && len(chosen) > 0 {
		return nil, fmt.Errorf("%s: %w", r.out.Notes[len(r.out.Notes)-1], ErrNoRung)
	}
	return kept, nil
}

// makeGrid sets the grid and gives every chosen rung's divisor of it.
func (r *resolver) makeGrid(chosen []fitted, mode Deinterlace) ([]int64, error) {
	rate, note := gridRate(r.source.Video, mode)
	r.note(note)
	if stated := fastestFixed(r.ladder.Video); stated.Valid() {
		rate, note = statedRate(stated, rate)
		r.note(note)
	}
	rungs := make([]VideoRung, len(chosen))
	for i, c := range chosen {
		rungs[i] = *c.rung
	}
	plain, err := r.ladder.grid(rate, r.kind, nil)
	if err != nil {
		return nil, err
	}
	steps := divisors(rungs, rate, plain.FramesPerGOP)
	r.out.Grid, err = r.ladder.grid(rate, r.kind, steps)
	return steps, err
}

// rendition is a fitted rung with all that follows from it.
func (r *resolver) rendition(c fitted, divisor int64) Rendition {
	share := func(v int64) int64 { // maxrate and bufsize follow a reduced bitrate
		return timeline.Rescale(v, timeline.Timebase{Num: c.bitrate, Den: c.rung.Bitrate}, timeline.Timebase{Num: 1, Den: 1})
	}
	v := Video{
		Width: c.w, Height: c.h, Divisor: divisor, Codec: c.rung.Codec, Profile: c.rung.Profile,
		Depth: c.rung.Depth, Range: c.rung.Range.of(r.source.Video.Range),
		Bitrate: c.bitrate, Maxrate: share(c.rung.Maxrate), Bufsize: share(c.rung.Bufsize), Preset: c.rung.Preset,
		Captions: r.source.Video.Captions, Scaler: c.rung.Scaler, Picture: r.made,
	}
	rate := r.out.Grid.Rate.Div(divisor)
	v.Level = r.level(c.rung, v, rate)
	peak, average := videoBandwidth(v, rate, r.out.Grid)
	return Rendition{Name: c.rung.Name, Video: &v, Codecs: videoCodecs(v), Bandwidth: peak, AverageBandwidth: average}
}

// level is the authored level where it holds the rendition, else the lowest that does.
func (r *resolver) level(rung *VideoRung, v Video, rate timeline.Rate) string {
	lowest, ok := lowestLevel(v, rate)
	if !ok {
		r.note(fmt.Sprintf("%s exceeds every level of %s; %s is declared", rung.Name, v.Codec, lowest))
	}
	if rung.Level == "" {
		return lowest
	}
	names := levelNames(v.Codec)
	if slices.Index(names, rung.Level) < slices.Index(names, lowest) {
		r.note(fmt.Sprintf("%s does not fit level %s; %s is declared", rung.Name, rung.Level, lowest))
		return lowest
	}
	return rung.Level
}
