package scheduler

import (
	"time"

	"github.com/galafarm/gala/scheduler/api"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// showEvery bounds how often progress alone redraws a job.
const showEvery = 250 * time.Millisecond

// showSoon redraws a job for what its workers told, within showEvery.
func (l *loop) showSoon(id string, now time.Time) {
	e := l.jobs[id]
	if e == nil {
		return
	}
	at := e.shown.Add(showEvery)
	if at.Before(now) {
		at = now
	}
	if due, waiting := l.show[id]; !waiting || at.Before(due) {
		l.show[id] = at
	}
}

// present puts on the board what is due: the fleet first, so that nobody sees a
// job on an agent that the farm says it does not know.
func (l *loop) present(now time.Time) {
	if l.fleetNew && now.Sub(l.fleetAt) >= showEvery {
		l.fleetNew, l.fleetAt = false, now
		l.board.PutAgents(api.PresentAgents(l.view, l.used))
	}
	for id, due := range l.show {
		if now.Before(due) {
			continue
		}
		delete(l.show, id)
		if e := l.jobs[id]; e != nil && e.job.Revision > 0 {
			e.shown = now
			l.board.PutJob(api.Present(e.job, l.leases(e.job)))
		}
	}
}

// leases that the record grants, as their agents tell them.
func (l *loop) leases(j job.Job) []fleet.Lease {
	var told []fleet.Lease
	for _, pl := range j.Placements() {
		if lease := l.view.Lease(pl.Agent, pl.Assignment); lease != nil && lease.Epoch == pl.Epoch {
			told = append(told, *lease)
		}
	}
	return told
}
