package libav

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/codecs"

	"github.com/galafarm/gala/media/ring"
)

// relay is an RTMP server: it passes on what one client publishes to those who
// play it.
type relay struct {
	listener net.Listener

	mu      sync.Mutex
	tracks  []*gortmplib.Track // of the publisher; nil while there is none
	players []*player
	served  int
}

type player struct {
	*gortmplib.Writer
	conn    net.Conn
	started bool // with a key frame
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &relay{listener: l}
	t.Cleanup(func() { _ = l.Close(); s.drop() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); s.serve(conn) }()
		}
	}()
	return s
}

func (s *relay) url() string { return "rtmp://" + s.listener.Addr().String() + "/live/gala" }

// drop breaks the connections of all who play.
func (s *relay) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.players {
		_ = p.conn.Close()
	}
	s.players = nil
}

func (s *relay) serve(conn net.Conn) {
	c := &gortmplib.ServerConn{RW: conn}
	if c.Initialize() != nil || c.AcceptConn() != nil {
		return
	}
	if c.Publish {
		s.publish(c)
		return
	}
	s.play(c, conn)
}

func (s *relay) publish(c *gortmplib.ServerConn) {
	r := &gortmplib.Reader{Conn: c}
	if r.Initialize() != nil {
		return
	}
	for _, track := range r.Tracks() {
		switch track.Codec.(type) {
		case *codecs.H264:
			r.OnDataH264(track, func(pts, dts time.Duration, au [][]byte) {
				key := slices.ContainsFunc(au, func(unit []byte) bool { return unit[0]&31 == 5 })
				s.pass(key, func(p *player) error { return p.WriteH264(track, pts, dts, au) })
			})
		case *codecs.MPEG4Audio:
			r.OnDataMPEG4Audio(track, func(pts time.Duration, au []byte) {
				s.pass(false, func(p *player) error { return p.WriteMPEG4Audio(track, pts, au) })
			})
		}
	}
	s.mu.Lock()
	s.tracks = r.Tracks()
	s.mu.Unlock()
	for r.Read() == nil {
	}
}

// pass gives a frame to all who have begun, or begin with it.
func (s *relay) pass(key bool, write func(*player) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.players {
		if p.started = p.started || key; p.started {
			_ = write(p)
		}
	}
}

func (s *relay) play(c *gortmplib.ServerConn, conn net.Conn) {
	s.mu.Lock()
	p := &player{Writer: &gortmplib.Writer{Conn: c, Tracks: s.tracks}, conn: conn}
	if s.tracks == nil || p.Initialize() != nil {
		s.mu.Unlock()
		return
	}
	s.players, s.served = append(s.players, p), s.served+1
	s.mu.Unlock()
	for b := make([]byte, 1024); ; {
		if _, err := conn.Read(b); err != nil {
			return
		}
	}
}

// What a server gives comes whole, and again after the server broke off.
func TestRTMPPull(t *testing.T) {
	t.Parallel()
	s := newRelay(t)
	sender(t, append(waveLoop(t), "-f", "flv", s.url())...)
	r := hold(t, s.url())
	spec := patient(liveFrom(t, s.url(), r))
	out, p := watchLive(t, spec, r, 100)
	wantOnce(t, spec, out)
	if st := p.Status(); st.Doubled != 0 || st.Dropped != 0 || st.Damaged != 0 {
		t.Errorf("%d doubled, %d dropped, %d damaged; %v", st.Doubled, st.Dropped, st.Damaged, st.Notes)
	}
	sessions := r.Stats().Sessions
	s.drop()
	connectsAgain(t, r, sessions)
	again, _ := watchLive(t, patient(liveFrom(t, s.url(), r)), r, 50)
	wantOnce(t, spec, again)
}

// connectsAgain waits for a session after so many.
func connectsAgain(t *testing.T, r *ring.Ring, sessions int) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	late := time.After(time.Minute)
	for r.Stats().Sessions == sessions {
		select {
		case <-look.C:
		case <-late:
			t.Fatal("it did not connect again within a minute")
		}
	}
}
