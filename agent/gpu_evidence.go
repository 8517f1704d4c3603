package agent

import (
	"slices"

	"github.com/galafarm/gala/media"
)

// evidence is what trials of one GPU have found for good. A trouble that passes - no
// session, no memory - says nothing about what the GPU can do, and takes nothing back
// that it has done.
type evidence struct {
	driver   string // that it was found with
	sessions []media.GPUSession
	complete bool // a trial went to its end
}

// passing tells a trouble that other programs, or other workers, make.
func passing(t media.GPUTrouble) bool { return t == media.GPURefused || t == media.GPUNoMemory }

// add a trial. What comes back has its results, and earlier ones in the place of those
// that a passing trouble hid; open says that some are still missing.
func (e *evidence) add(t trial) (_ trial, open bool) {
	if e.driver != t.driver {
		*e = evidence{driver: t.driver}
	}
	switch {
	case t.err != nil:
		return t, false
	case t.report.Trouble == "":
	case !passing(t.report.Trouble):
		*e = evidence{}
		return t, false
	case !e.complete: // it may encode, and it is not known to scale
		return t, true
	}
	hidden := t.report.Trouble != ""
	var last []media.GPUSession // that were hidden
	for _, s := range t.report.Sessions {
		if passing(s.Trouble) {
			hidden, last = true, append(last, s)
			continue
		}
		e.put(s)
	}
	e.complete = e.complete || !hidden && len(t.report.Sessions) > 0
	switch {
	case !hidden:
		return t, false
	case !e.complete && len(e.sessions) == 0:
		return t, true
	}
	t.report.Trouble, t.report.Said, t.report.Sessions = "", "", slices.Clone(e.sessions)
	if !e.complete {
		last = slices.DeleteFunc(last, func(s media.GPUSession) bool { return e.find(s) >= 0 })
		t.report.Sessions = append(t.report.Sessions, last...)
	}
	return t, !e.complete
}

func (e *evidence) put(s media.GPUSession) {
	if i := e.find(s); i >= 0 {
		e.sessions[i] = s
		return
	}
	e.sessions = append(e.sessions, s)
}

func (e *evidence) find(s media.GPUSession) int {
	return slices.IndexFunc(e.sessions, func(o media.GPUSession) bool { return o.Encoder == s.Encoder && o.Depth == s.Depth })
}

// of a driver is what was found with it.
func (e *evidence) of(driver string) []media.GPUSession {
	if e.driver != driver {
		return nil
	}
	return slices.Clone(e.sessions)
}
