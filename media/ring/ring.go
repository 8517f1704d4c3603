package ring

import (
	"sync"
	"time"
)

// Limits of a ring.
type Limits struct {
	// Keep is how much is kept, by arrival.
	Keep time.Duration
	// Bytes bounds the payload, whatever Keep says.
	Bytes int64
}

// Ring is safe for one writer and any number of readers.
type Ring struct {
	limits Limits

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something was added
	items   []item        // the oldest first
	first   int64         // sequence of items[0]
	bytes   int64
	session *Session
	skew    int64 // of the open session
	err     error // of End
	stats   Stats
}

// item is a packet with the session that it belongs to.
type item struct {
	session *Session
	packet  Packet
}

// Stats counts since the start.
type Stats struct {
	Packets, Bytes int64
	// Kept is what the ring holds now, in µs of arrival, and in bytes.
	Kept, KeptBytes int64
	// Sessions is how often the source was connected.
	Sessions int
	// LastArrival in µs since the Unix epoch, 0 before the first packet.
	LastArrival int64
	Notes       []string
}

// New is an empty ring.
func New(l Limits) *Ring { return &Ring{limits: l, changed: make(chan struct{})} }

// Begin opens a session: what follows is described by s.
func (r *Ring) Begin(s Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session, r.skew = &s, NoTime
	r.stats.Sessions = max(r.stats.Sessions, s.Number)
	r.stats.Notes = s.Notes
	r.wake()
}

// Put adds a packet of the open session, and lets go of what is too old.
func (r *Ring) Put(p Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = append(r.items, item{r.session, p})
	if at := r.session.At(p); at != NoTime && (r.skew == NoTime || p.Arrival-at < r.skew) {
		r.skew = p.Arrival - at
	}
	r.bytes += int64(len(p.Data))
	r.stats.Packets, r.stats.Bytes, r.stats.LastArrival = r.stats.Packets+1, r.stats.Bytes+int64(len(p.Data)), p.Arrival
	r.trim(p.Arrival - r.limits.Keep.Microseconds())
	r.wake()
}

// trim lets go of what came before since, and of what is over the bound.
func (r *Ring) trim(since int64) {
	n := 0
	for ; n < len(r.items)-1 && (r.items[n].packet.Arrival < since || r.bytes > r.limits.Bytes); n++ {
		r.bytes -= int64(len(r.items[n].packet.Data))
		r.items[n] = item{}
	}
	r.items, r.first = r.items[n:], r.first+int64(n)
}

// End lets readers come to the end, with why: no more will come.
func (r *Ring) End(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = why
	r.wake()
}

func (r *Ring) wake() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Stats are a snapshot.
func (r *Ring) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.KeptBytes = r.bytes
	if n := len(r.items); n > 0 {
		s.Kept = r.items[n-1].packet.Arrival - r.items[0].packet.Arrival
	}
	return s
}

// Session is the one that is open, nil before the first.
func (r *Ring) Session() *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session
}
