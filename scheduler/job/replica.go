package job

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Replica is one run of all renditions of a job, with a tree of its own: where
// it is placed, under which epoch, and what came of it. Replicas share the job's
// source, grid and anchors, so that their segments are the same.
type Replica struct {
	// Number is 0 for a job's only run, whose tree is the job's own; the replicas
	// of a redundant job count from 1, and the tree of the second is r2 in it.
	Number int `json:"number,omitempty"`
	// State and Reason of a redundant job's replica; the job's are made of them.
	State     State      `json:"state,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Entered   time.Time  `json:"entered,omitzero"` // that, or the reason for it
	Placement *Placement `json:"placement,omitempty"`
	// Handover is set while the worker has been told to leave after its segment.
	Handover *Handover `json:"handover,omitempty"`
	// Claim is set while a live job waits for clips to give up encoder sessions for it.
	Claim *Claim `json:"claim,omitempty"`
	// Epoch is the highest ever granted for this tree.
	Epoch uint64 `json:"epoch,omitempty"`
	// OnAir: a first segment of every rendition was published once.
	OnAir bool `json:"on_air,omitempty"`
	// Over: its worker has come to the end of the source.
	Over bool `json:"over,omitempty"`
	// Published is the newest segment of each rendition as last written down;
	// reports in memory are newer.
	Published   map[string]int64 `json:"published,omitempty"`
	PublishedAt time.Time        `json:"published_at,omitzero"`
	Retry       Retry            `json:"retry,omitzero"`
	// Away are agents that were lost, whose work runs elsewhere now, until they are
	// heard again.
	Away []string `json:"away,omitempty"`
	// Totals is what attempts that ended have left of each rendition in the tree.
	Totals map[string]Total `json:"totals,omitempty"`
	// OnScreen is the input of a live job that is shown.
	OnScreen OnScreen `json:"on_screen,omitzero"`
	// Takers are how the job's outputs take this tree, in their order; shorter while
	// nothing is to be told.
	Takers []Taker `json:"takers,omitempty"`
}

// Taker is one output as it takes a replica's tree.
type Taker struct {
	// Trouble is since when it does not take what comes, as far as was recorded.
	Trouble time.Time `json:"trouble,omitzero"`
	// Lost counts the segments that attempts that ended could not bring there.
	Lost int64 `json:"lost,omitempty"`
}

// Taker is the i-th output's.
func (r *Replica) Taker(i int) *Taker {
	for len(r.Takers) <= i {
		r.Takers = append(r.Takers, Taker{})
	}
	return &r.Takers[i]
}

// Folder is the replica's tree below the job's: "" for the job's own, or r1.
func (r Replica) Folder() string {
	if r.Number == 0 {
		return ""
	}
	return fmt.Sprintf("r%d", r.Number)
}

func (r Replica) clone() Replica {
	c := r
	if r.Placement != nil {
		p := *r.Placement
		c.Placement = &p
	}
	if r.Handover != nil {
		h := *r.Handover
		c.Handover = &h
	}
	if r.Claim != nil {
		m := *r.Claim
		c.Claim = &m
	}
	c.Published = make(map[string]int64, len(r.Published))
	maps.Copy(c.Published, r.Published)
	c.Totals = maps.Clone(r.Totals)
	c.Retry.Failed = slices.Clone(r.Retry.Failed)
	c.Takers, c.Away = append([]Taker(nil), r.Takers...), append([]string(nil), r.Away...)
	return c
}

// Placement is one assignment of the job: the durable half of a lease.
type Placement struct {
	Assignment string    `json:"assignment"`
	Agent      string    `json:"agent"`
	Instance   string    `json:"instance"`
	Device     string    `json:"device"`
	Epoch      uint64    `json:"epoch"`
	Attempt    uint32    `json:"attempt"`
	Reason     string    `json:"reason,omitempty"`
	Granted    time.Time `json:"granted"`
	// ResumedAt is what had been published when it was placed, -1 for nothing.
	ResumedAt int64 `json:"resumed_at"`
	// Cost in pixels per second and encoder sessions, as placement counted it.
	Cost     int64 `json:"cost"`
	Sessions int   `json:"sessions"`
	// Host is what a GPU's job takes of its host's processor, in pixels per second of
	// that; 0 in records of builds that did not count it.
	Host int64 `json:"host,omitempty"`
	// Domain is the agent's rack and zone: what it would fail together with is
	// known where the agent itself is not.
	Domain map[string]string `json:"domain,omitempty"`
}

// Handover is a move at a segment boundary that is under way: the worker has
// been told to leave, or will be when the source is held at the new place.
type Handover struct {
	// Agent and Device where room is kept for the successor; empty for a VOD job,
	// which goes wherever there is room once its worker has left.
	Agent  string    `json:"agent,omitempty"`
	Device string    `json:"device,omitempty"`
	Since  time.Time `json:"since"`
	// Cost, Sessions and Host, as Placement's, are kept free there.
	Cost     int64             `json:"cost,omitempty"`
	Sessions int               `json:"sessions,omitempty"`
	Host     int64             `json:"host,omitempty"`
	Domain   map[string]string `json:"domain,omitempty"` // as Placement's
	// For is the live job that a clip makes room for.
	For string `json:"for,omitempty"`
	// Told: its worker was told to leave. An agent that attaches anew does not say so.
	Told bool `json:"told,omitempty"`
	// Back: the drain ended after the worker had been told to leave. The run begins
	// again where it was.
	Back bool `json:"back,omitempty"`
}

// Claim keeps encoder sessions from clips until the live run that waits for them is
// placed: there, or wherever else there is room before.
type Claim struct {
	Agent    string `json:"agent"`
	Device   string `json:"device"`
	Sessions int    `json:"sessions"`
}

// Retry is where a replica stands between two attempts.
type Retry struct {
	// Failures in a row without a new segment.
	Failures  int       `json:"failures,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	// Last is where it ran last, "agent/device"; of builds before Failed, where it
	// failed last.
	Last string `json:"avoid,omitempty"`
	// Failed are the places that failed it, the newest last and none twice.
	Failed []Failure `json:"failed,omitempty"`
	// Left is the instance of an agent that handed the job over because it
	// ends; it gets it not again before LeftUntil.
	Left      string    `json:"left,omitempty"`
	LeftUntil time.Time `json:"left_until,omitzero"`
	// Lost: the last agent went away and may still be publishing.
	Lost bool `json:"lost,omitempty"`
}

// Failure is a place, "agent/device", on which a worker failed.
type Failure struct {
	Place string    `json:"place"`
	At    time.Time `json:"at"`
	// Device: the device may be the cause. A source or a destination that this host does
	// not reach is another's.
	Device bool `json:"device,omitempty"`
}

// MaxFailed bounds the places that are remembered.
const MaxFailed = 16

// FailedAt remembers a place that has failed, and whether its device may be the cause.
func (r *Retry) FailedAt(place string, now time.Time, device bool) {
	r.Forgive(place)
	r.Failed = append(r.Failed, Failure{place, now, device})
	if extra := len(r.Failed) - MaxFailed; extra > 0 {
		r.Failed = slices.Delete(r.Failed, 0, extra)
	}
}

// Forgive forgets that a place has failed.
func (r *Retry) Forgive(place string) {
	r.Failed = slices.DeleteFunc(r.Failed, func(f Failure) bool { return f.Place == place })
}

// FailedSince are the failures after t, the newest last.
func (r Retry) FailedSince(t time.Time) (all []Failure) {
	for _, f := range r.Failed {
		if f.At.After(t) {
			all = append(all, f)
		}
	}
	return all
}

// Total counts what one rendition's ended workers left in the tree: published
// segments and their frames. Bitrate is the last one's, in bit/s.
type Total struct {
	Frames   int64 `json:"frames"`
	Segments int64 `json:"segments"`
	Late     int64 `json:"late,omitempty"`
	Bytes    int64 `json:"bytes"`
	Bitrate  int64 `json:"bitrate"`
	// Last is the newest segment that is counted.
	Last int64 `json:"last,omitempty"`
}
