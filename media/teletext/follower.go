package teletext

// Sent is one transmission of a page.
type Sent struct {
	Page Page
	// At is when its header was sent, by the clock of what was put.
	At int64
	// Payload is a PES payload with nothing but this page, and what closes it.
	Payload []byte
	// Blank: nothing but a header that erases what was on screen.
	Blank bool
}

// Follower cuts one page out of what is sent.
type Follower struct {
	// Page is the one to follow; 0 follows every page that says that it is
	// subtitles.
	Page Page
	// Patience is how long a page that nothing closes may wait for more of it.
	Patience int64

	open  []line // of the page being sent, its header first
	head  header
	begun int64
	last  int64 // when a line of it came
}

// mostLines is more than a page has: 26 rows, and 16 packets that extend them.
const mostLines = 56

// Put takes the payload of a PES packet that was sent at this time, and gives the
// pages that are complete.
func (f *Follower) Put(payload []byte, at int64) []Sent {
	var out []Sent
	for _, l := range lines(payload) {
		magazine, packet, ok := l.address()
		switch {
		case !ok:
		case packet == 0:
			h, ok := l.header(magazine)
			if !ok {
				h.page = page(magazine, 0xff) // some page: ours is over
			}
			if f.closes(h) {
				out = append(out, f.close())
			}
			if ok && f.follows(h) {
				f.open, f.head, f.begun, f.last = []line{l}, h, at, at
			}
		case len(f.open) > 0 && len(f.open) < mostLines && packet < 30 && magazine == f.head.page.magazine():
			f.open, f.last = append(f.open, l), at
		}
	}
	return append(out, f.Idle(at)...)
}

// Idle gives the page that is open when nothing of it has come for too long, at
// this time.
func (f *Follower) Idle(at int64) []Sent {
	if len(f.open) == 0 || at-f.last <= f.Patience {
		return nil
	}
	return []Sent{f.close()}
}

// End gives the page that is open, as when the source has ended.
func (f *Follower) End() []Sent {
	if len(f.open) == 0 {
		return nil
	}
	return []Sent{f.close()}
}

// Reset forgets what came before a seek.
func (f *Follower) Reset() { f.open = nil }

func (f *Follower) follows(h header) bool {
	if f.Page != 0 {
		return h.page == f.Page
	}
	return h.subtitle && h.page&0xff != 0xff
}

// closes: another header of the magazine, or any where magazines come one after
// the other.
func (f *Follower) closes(h header) bool {
	return len(f.open) > 0 && (h.page.magazine() == f.head.page.magazine() || !f.head.apart)
}

func (f *Follower) close() Sent {
	s := Sent{Page: f.head.page, At: f.begun, Blank: f.head.erase && len(f.open) == 1}
	s.Payload = pack(append(f.open, f.open[0].closing()))
	f.open = nil
	return s
}
