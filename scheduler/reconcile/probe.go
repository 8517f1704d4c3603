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
		p.ask(nil)
	case asked.Answer != nil && asked.Answer.Err != nil:
		p.refused(asked)
	case asked.Answer != nil:
		p.answered(asked)
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
		p.ask(asked)
		return
	}
	p.fail(job.Error{
		Code:    "probe_failed",
		Message: fmt.Sprintf("%s could not be looked at in %d tries; the last: %s", input.Display(p.job.Spec.Input), asked.Try, why),
		Advice:  "see that the source answers from the agents' hosts, then submit again under a new id",
	})
}

// ask the agent with the fewest open questions; the names decide a tie. before is
// the question that this one follows, nil for the first.
//
// Where the first input is not on air its backups are looked at in turn, so that
// the job starts on one that is. A source that is pushed comes to one host, and
// nobody knows to which: all are asked in turn, and listen from then on.
func (p *pass) ask(before *fleet.Probe) {
	best, alive := p.leastAsked()
	next := &Probe{Try: 1}
	if before != nil {
		next.Try, next.Hopeless = before.Try+1, before.Hopeless
		next.Number = p.nextInput(before)
		if round := next.Number <= before.Input; p.pushed() != "" {
			best = p.turn(before.Agent, round)
		}
	}
	next.ID, next.Input = fmt.Sprintf("%s-%d-%d", p.job.Spec.ID, p.job.Revision, next.Try), p.job.Spec.InputAt(next.Number)
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
	of := ""
	if next.Number > 0 {
		of = " of " + media.InputName(next.Number)
	}
	p.trace("probe%s on %s", of, best.Name)
	p.send(Send{Agent: best.Name, Probe: next})
	p.wake(p.Now.Add(p.Settings.ProbeTimeout))
}

// firstLooks are those of the first input, before its backups are looked at too:
// senders that are started together do not connect in order.
const firstLooks = 2

// nextInput is the input to look at after a question: the next one that was not
// refused for good, and the same one again where nothing was learnt.
func (p *pass) nextInput(before *fleet.Probe) int {
	n := len(p.job.Spec.Backups) + 1
	if !p.awaited() || before.Answer == nil || before.Try < firstLooks && len(before.Hopeless) == 0 {
		return before.Input
	}
	for i := range n {
		if next := (before.Input + 1 + i) % n; !slices.Contains(before.Hopeless, next) {
			return next
		}
	}
	return before.Input
}

// turn is the agent to look at inputs next: the same one until it was asked about
// all of them, round, then the next by name.
func (p *pass) turn(agent string, round bool) *fleet.Agent {
	if a := p.Fleet.Agent(agent); a != nil && !round {
		if _, ok := p.roomToAsk(a); ok {
			return a
		}
	}
	return p.after(agent)
}

// roomToAsk tells whether an agent takes another question.
func (p *pass) roomToAsk(a *fleet.Agent) (open int, ok bool) {
	open = p.Fleet.ProbesOn(a.Name) + p.shared.asked[a.Name]
	return open, a.Alive() && open < p.Settings.ProbesPerAgent
}

func (p *pass) leastAsked() (best *fleet.Agent, alive bool) {
	fewest := 0
	for _, a := range p.Fleet.Agents() {
		alive = alive || a.Alive()
		if open, ok := p.roomToAsk(a); ok && (best == nil || open < fewest) {
			best, fewest = a, open
		}
	}
	return best, alive
}

// after is the next agent by name that takes a question; behind the last comes
// the first.
func (p *pass) after(name string) (next *fleet.Agent) {
	for _, a := range p.Fleet.Agents() {
		if _, ok := p.roomToAsk(a); !ok {
			continue
		}
		if a.Name > name {
			return a
		}
		if next == nil {
			next = a
		}
	}
	return next
}

// refused: the source could not be read, for good or for now.
func (p *pass) refused(asked *fleet.Probe) {
	err := asked.Answer.Err
	if !err.Retryable && p.awaited() {
		asked = hopeless(asked)
	}
	switch given := len(asked.Hopeless) > len(p.job.Spec.Backups); {
	case given, !err.Retryable && !p.awaited(), asked.Try >= p.Settings.ProbeTries && !p.awaited():
		p.fail(jobError(err))
		return
	case p.awaited():
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

// hopeless is a question whose input was refused for good: it is not looked at
// again, and the job fails when that is true of all of them.
func hopeless(asked *fleet.Probe) *fleet.Probe {
	c := *asked
	if !slices.Contains(c.Hopeless, c.Input) {
		c.Hopeless = append(slices.Clone(c.Hopeless), c.Input)
	}
	return &c
}

// awaitedPause is how long a live source may be on air unnoticed, at most.
const awaitedPause = time.Second

// awaited: a live source is often named before it is on air.
func (p *pass) awaited() bool { return p.job.Live() && input.Continuous(p.job.Spec.Input) }

// answered: the job begins with the input that was found on air.
func (p *pass) answered(asked *fleet.Probe) {
	a := asked.Answer
	p.job.Source = a.Source
	if input.Pushed(p.job.Spec.InputAt(asked.Input)) {
		p.heldBy(a.Agent)
	}
	p.job.Note(a.Source.Notes...)
	effect := describe(*a.Source)
	if asked.Input > 0 {
		for i := range p.job.Replicas {
			p.job.Replicas[i].OnScreen.Input = asked.Input
		}
		effect = fmt.Sprintf("the job begins with %s, what comes before it is not on air: %s", media.InputName(asked.Input), effect)
	}
	p.record("probed", "agent "+a.Agent+" looked at the source", effect)
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
