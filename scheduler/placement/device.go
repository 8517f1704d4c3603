package placement

import (
	"fmt"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/job"
)

// Device is a device with what it carries.
type Device struct {
	Agent, ID, Model, Role, RoleReason string
	// Labels of its agent: "rack" and "zone" say what it would fail together with.
	Labels      map[string]string
	CPU         bool
	Encoders    []string
	TenBit      []string                      // of Encoders, those of a GPU that take 10 bits
	Sizes       map[string]media.PictureSizes // of the pictures that Encoders take; without one all are taken
	Capacity    int64                         // pixels per second of the reference preset
	MaxSessions int                           // 0: no limit known
	// Host is the processor of a GPU's host.
	Host Processor
	// Sessions count against MaxSessions: those here, or with SessionsShared on all
	// devices of the host that share the limit.
	Sessions       int
	SessionsShared bool
	// Of Sessions, Clips are those of VOD jobs, and Leaving of these those of clips that
	// have been told to leave. Claimed are kept beside them for live jobs that wait.
	Clips, Leaving, Claimed int
	// Full: it has refused a session of late; nil for not.
	Full *Full
	Used Usage
	// Closed says why nothing may be placed here; empty when open.
	Closed string
	// Cordoned says why no new work may be placed here; empty when it may. A live
	// job that ran here comes back when nothing else fits, rather than be off air.
	Cordoned string
}

// Processor is a host's, in pixels per second of its reference preset: what it offers,
// 0 where that is not known, what live jobs have of it, and what clips on GPUs have.
// Clips that it encodes itself do with what those leave.
type Processor struct{ Capacity, Live, Clips int64 }

// Full is a limit on sessions that was met rather than known.
type Full struct {
	Sessions int    // that it is taken to hold
	Why      string // when and how it was refused
}

// Usage is what is placed on a device. Live outranks VOD, so the two are
// counted apart.
type Usage struct {
	Live, VOD int64
	// Shares of VOD are those of clips on the host's GPUs: of a processor.
	Shares   int64
	Sessions int
	// Clips and Leaving of Sessions, and Claimed beside them, as Device has them.
	Clips, Leaving, Claimed int
	// Placed counts the placements, and the moves here that are under way.
	Placed int
}

// busy says why it cannot decode beside what it does already, "" where it can.
func (p Processor) busy(kind job.Kind, cost int64) string {
	used := p.Live
	if kind == job.VOD {
		used += p.Clips
	}
	if p.Capacity == 0 || used+cost <= p.Capacity {
		return ""
	}
	return fmt.Sprintf("needs %s of %s of its host's processor for decoding and sound, %s are free", Mega(cost), Mega(p.Capacity), Mega(max(p.Capacity-used, 0)))
}

// share says what a job takes of it, "" where that is not counted.
func (p Processor) share(cost int64) string {
	if p.Capacity == 0 || cost == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s of %s of its host's processor", Mega(cost), Mega(p.Capacity))
}

// crowded says why it has no encoder sessions for so many renditions, "" when it has.
// What live jobs wait for is not free for a clip.
func (dev Device) crowded(kind job.Kind, n int) string {
	whose, taken := "", dev.Sessions
	if kind == job.VOD {
		taken += dev.Claimed
	}
	if dev.SessionsShared {
		whose = " that consumer cards of its host have together"
	}
	switch {
	case n == 0:
	case dev.MaxSessions > 0 && taken+n > dev.MaxSessions:
		return fmt.Sprintf("needs %d encoder sessions, %d of %d%s are free%s", n, max(dev.MaxSessions-taken, 0), dev.MaxSessions, whose, dev.clips())
	case dev.Full != nil && taken+n > dev.Full.Sessions:
		return fmt.Sprintf("needs %d encoder sessions, and refused one more than %d %s", n, dev.Full.Sessions, dev.Full.Why)
	}
	return ""
}

// clips says how many of its sessions are not for live jobs, and how many are kept for
// them, "" for none.
func (dev Device) clips() (says string) {
	if dev.Clips > 0 {
		says = fmt.Sprintf(", clips hold %d", dev.Clips)
	}
	if dev.Claimed > 0 {
		says += fmt.Sprintf(", live jobs wait for %d", dev.Claimed)
	}
	return says
}

// lacks is how many encoder sessions clips must yet be told to give up for so many of a
// live job; no, where they hold too few.
func (dev Device) lacks(n int) (lacks int, yes bool) {
	most := dev.Sessions + dev.Claimed + n
	if dev.MaxSessions > 0 {
		most = min(most, dev.MaxSessions)
	}
	if dev.Full != nil {
		most = min(most, dev.Full.Sessions)
	}
	over := dev.Sessions + dev.Claimed + n - most
	return max(over-dev.Leaving, 0), over <= dev.Clips
}

// model of a GPU: its id, by which a placement is known, tells nobody what it is.
func model(dev Device) string {
	if dev.CPU || dev.Model == "" {
		return ""
	}
	return " of " + dev.Model
}

// together says what a device would fail together with, "" for nothing: a host
// is always one, a zone or, where no zones are told, a rack is where both say it.
func together(apart []Neighbour, dev Device) string {
	for _, n := range apart {
		if n.Agent == dev.Agent {
			return fmt.Sprintf("is on the host of replica %d", n.Replica)
		}
		for _, label := range []string{"zone", "rack"} {
			ours, theirs := dev.Labels[label], n.Labels[label]
			if ours == "" || theirs == "" {
				continue
			}
			if ours == theirs {
				return fmt.Sprintf("is in %s %s, as replica %d on %s is", label, ours, n.Replica, n.Agent)
			}
			break // racks of two zones may have one name
		}
	}
	return ""
}
