package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/media/input"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// probe gets to know the source: ask an agent, wait, take the answer.
func (p *pass) probe() {
	asked := p.Fleet.Probe(p.job.Spec.ID)
	switch {
	case asked == nil:
		p.ask(1)
	case asked.Answer != nil && asked.Answer.Err != nil:
		p.refused(asked)
	case asked.Answer != nil:
		p.answered(*asked.Answer)
	case asked.Lost:
		p.askAgain(asked, "its agent went away")
	case p.Now.Sub(asked.Asked) >= p.Settings.ProbeTimeout:
		p.askAgain(asked, fmt.Sprintf("no answer in %v", p.Settings.ProbeTimeout))
	default:
		p.wake(asked.Asked.Add(p.Settings.ProbeTimeout))
	}
}

func (p *pass) askAgain(asked *fleet.Probe, why string) {
	if asked.Try < p.Settings.ProbeTries || p.awaited() {
		p.ask(asked.Try + 1)
		return
	}
	p.fail(job.Error{
		Code:    "probe_failed",
		Message: fmt.Sprintf("%s could not be looked at in %d tries; the last: %s", input.Display(p.job.Spec.Input), asked.Try, why),
		Advice:  "see that the source answers from the agents' hosts, then submit again under a new id",
	})
}

// ask the agent with the fewest open questions; the names decide a tie.
func (p *pass) ask(try int) {
	var best *fleet.Agent
	fewest, alive := 0, false
	for _, a := range p.Fleet.Agents() {
		if !a.Alive() {
			continue
		}
		alive = true
		open := p.Fleet.ProbesOn(a.Name) + p.shared.asked[a.Name]
		if open < p.Settings.ProbesPerAgent && (best == nil || open < fewest) {
			best, fewest = a, open
		}
	}
	if best == nil {
		p.plan.Blocked = true
		if !alive {
			p.enter(job.Waiting, "no agent is attached: start gala-agent on a host")
		}
		return
	}
	if p.shared.asked == nil {
		p.shared.asked = map[string]int{}
	}
	p.shared.asked[best.Name]++
	p.trace("probe on %s", best.Name)
	p.send(Send{Agent: best.Name, Probe: &Probe{
		ID: fmt.Sprintf("%s-%d-%d", p.job.Spec.ID, p.job.Revision, try), Input: p.job.Spec.Input, Try: try,
	}})
	p.wake(p.Now.Add(p.Settings.ProbeTimeout))
}

// refused: the source could not be read, for good or for now.
func (p *pass) refused(asked *fleet.Probe) {
	err := asked.Answer.Err
	if !err.Retryable || asked.Try >= p.Settings.ProbeTries && !p.awaited() {
		p.fail(jobError(err))
		return
	}
	if p.awaited() {
		p.restate(job.Waiting, "waits for its source: "+err.Error())
	}
	pause := p.Settings.pause(asked.Try)
	if p.awaited() {
		pause = min(pause, awaitedPause)
	}
	if due := asked.Answered.Add(pause); p.Now.Before(due) {
		p.wake(due)
		return
	}
	p.askAgain(asked, err.Error())
}

// awaitedPause is how long a live source may be on air unnoticed, at most.
const awaitedPause = time.Second

// awaited: a live source is often named before it is on air.
func (p *pass) awaited() bool { return p.job.Live() && input.Continuous(p.job.Spec.Input) }

func (p *pass) answered(a fleet.Probed) {
	p.job.Source = a.Source
	p.heldBy(a.Agent)
	p.job.Note(a.Source.Notes...)
	p.record("probed", "agent "+a.Agent+" looked at the source", describe(*a.Source))
}

// describe a source in half a line.
func describe(s job.Source) string {
	var parts []string
	if v := s.Ladder.Video; v != nil {
		parts = append(parts, fmt.Sprintf("video %dx%d at %v", v.Width, v.Height, v.Rate))
	}
	if n := len(s.Ladder.Audio); n > 0 {
		parts = append(parts, fmt.Sprintf("%d audio", n))
	}
	return strings.Join(parts, ", ")
}

// resolve applies the ladder; false when the job failed by it.
func (p *pass) resolve() bool {
	r, err := p.Resolve(p.job.Spec, *p.job.Source)
	if err != nil {
		p.fail(ladderError(err))
		return false
	}
	p.job.Grid, p.job.Renditions, p.job.Thumbnails = &r.Grid, slices.Clone(r.Renditions), r.Thumbnails
	if p.job.Spec.Encrypt != "" {
		p.job.Thumbnails = nil // they would show what is encrypted
	}
	p.job.Note(r.Notes...)
	for _, name := range p.job.Spec.MP4 {
		if name != job.AllRungs && !slices.Contains(p.job.MP4(), name) {
			p.job.Note(fmt.Sprintf("no %s.mp4: the rung was left out for this source", name))
		}
	}
	p.record("resolved", "the ladder was applied to the source", fmt.Sprintf("%d renditions on a grid of %v frames per second, %d per segment",
		len(r.Renditions), r.Grid.Rate, r.Grid.FramesPerSegment()))
	p.trace("resolved to %d renditions", len(r.Renditions))
	return true
}

func ladderError(err error) job.Error {
	if e, ok := errors.AsType[*media.Error](err); ok {
		return jobError(e)
	}
	return job.Error{
		Code: "ladder_error", Message: err.Error(),
		Advice: "choose a ladder that fits the source, or check the file with `gala ladder check`",
	}
}

func jobError(e *media.Error) job.Error {
	return job.Error{Code: string(e.Code), Message: e.Error(), Advice: e.Advice, Retryable: retryable(e)}
}
