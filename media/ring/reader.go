package ring

import "context"

// Reader reads a ring from a place in its time on. It is for one goroutine.
type Reader struct {
	ring    *Ring
	next    int64 // sequence; -1: not placed yet
	from    int64
	lost    int64 // overtaken since the last item
	session *Session
	// key: the next packet of the lead must be a key frame.
	key bool
}

// Oldest as the place to start: the first key frame that is kept.
const Oldest = NoTime

// Item is what a reader gets: a session when it begins, else a packet.
type Item struct {
	Session *Session // set when what follows is described anew
	Packet  Packet
	// Lost is how many packets before this one the reader was too slow for.
	Lost int64
}

// Read starts at the last key frame at or before from, in µs of source time,
// or at the oldest one where that is gone.
func (r *Ring) Read(from int64) *Reader {
	return &Reader{ring: r, next: -1, from: from, key: true}
}

// Next waits for the next item. The error is ctx's or the one of End.
func (d *Reader) Next(ctx context.Context) (Item, error) {
	for {
		it, changed, err := d.try()
		if changed == nil {
			return it, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Item{}, context.Cause(ctx)
		}
	}
}

// try takes what is there, or says what to wait for.
func (d *Reader) try() (Item, <-chan struct{}, error) {
	r := d.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if d.next < 0 && !d.place() || d.next >= r.first+int64(len(r.items)) {
		if r.err != nil {
			return Item{}, nil, r.err
		}
		return Item{}, r.changed, nil
	}
	if d.next < r.first {
		d.lost += r.first - d.next
		d.next, d.key = r.first, true
	}
	return d.take()
}

// take is the item at next. After a loss it begins with a key frame again; the
// ring's lock is held.
func (d *Reader) take() (Item, <-chan struct{}, error) {
	r := d.ring
	for ; d.next < r.first+int64(len(r.items)); d.next++ {
		it := r.items[d.next-r.first]
		if it.session != d.session {
			d.session = it.session
			told := *it.session
			told.Skew = NoTime
			if it.session == r.session {
				told.Skew = r.skew
			}
			return Item{Session: &told}, nil, nil
		}
		if lead := it.packet.Stream == it.session.Lead(); d.key && lead && !it.packet.Key {
			continue
		} else if lead {
			d.key = false
		}
		d.next++
		out := Item{Packet: it.packet, Lost: d.lost}
		d.lost = 0
		return out, nil, nil
	}
	return Item{}, r.changed, nil
}

// place finds where to start; false while no key frame is there. The ring's
// lock is held.
func (d *Reader) place() bool {
	best := int64(-1)
	for i, it := range d.ring.items {
		if it.packet.Stream != it.session.Lead() || !it.packet.Key {
			continue
		}
		at := it.session.At(it.packet)
		if best >= 0 && (d.from == Oldest || at != NoTime && at > d.from) {
			break
		}
		best = d.ring.first + int64(i)
	}
	if best < 0 {
		return false
	}
	d.next = best
	return true
}
