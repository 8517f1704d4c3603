package fleet

// Effect is what the caller must do about an event.
type Effect interface{ isEffect() }

// Touch: look at this job again.
type Touch struct{ Job string }

// Room: there may be room where there was none; look at the waiting jobs.
type Room struct{}

// Welcome the session: it is the agent's newest.
type Welcome struct{ Session Session }

// Drop a session, for a reason that its agent is told. Replaced: a newer
// session of the same agent took over.
type Drop struct {
	Session  Session
	Reason   string
	Replaced bool
}

// Changed: the agent looks different to people.
type Changed struct{ Agent, What string }

func (Touch) isEffect()   {}
func (Room) isEffect()    {}
func (Welcome) isEffect() {}
func (Drop) isEffect()    {}
func (Changed) isEffect() {}
