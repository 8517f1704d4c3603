package libav

import "slices"

// Status is how far a pipeline has come.
type Status struct {
	SourceUS                           int64
	Decoded, Doubled, Dropped, Damaged int64
	Renditions                         map[string]RenditionStatus
	Notes                              []string
	// Events of the pipeline itself, the newest ones, oldest first.
	Events []WorkerEvent
	// Source is nil for sources that do not run by themselves.
	Source *SourceStatus
}

// RenditionStatus counts one rendition's encoded frames.
type RenditionStatus struct{ Frames int64 }

// tell records what was done about the load.
func (p *Pipeline) tell(kind, cause, effect string) {
	p.o.Log.Warn(kind, "cause", cause, "effect", effect)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.story.add(p.o.Now(), kind, cause, effect)
}

// say adds a sentence to the job's notes.
func (p *Pipeline) say(sentence string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said.add(sentence)
}

// Status so far; safe to call at any time after Open.
func (p *Pipeline) Status() Status {
	st := p.sourceStats()
	s := Status{Decoded: st.decoded + p.metered.Load(), Damaged: st.errors, Renditions: map[string]RenditionStatus{}}
	said := notes{}
	p.mu.Lock()
	own := slices.Clone(p.said.list)
	s.Events = slices.Clone(p.story.events)
	p.mu.Unlock()
	for _, n := range slices.Concat(p.facts.Notes, own, st.notes) {
		said.add(n)
	}
	if p.built.Load() {
		p.stages(&s, &said)
	}
	s.Notes = said.list
	if d := p.desk(); d != nil {
		s.Source, s.Dropped = d.status(), s.Dropped+d.late.Load()
	}
	return s
}

// sourceStats are none while a clip is measured: its source is opened after that.
func (p *Pipeline) sourceStats() sourceStats {
	p.mu.Lock()
	src := p.src
	p.mu.Unlock()
	if src == nil {
		return sourceStats{}
	}
	return src.stats()
}

func (p *Pipeline) stages(s *Status, said *notes) {
	if p.video != nil {
		p.video.status(s)
	}
	for _, a := range p.audio {
		s.Renditions[a.name] = RenditionStatus{Frames: a.frames.Load()}
	}
	for _, c := range p.copies {
		c.notes(said)
		s.Renditions[c.name] = RenditionStatus{Frames: c.frames.Load()}
	}
}
