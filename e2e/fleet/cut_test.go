package fleet

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// cable is a connection that can be cut without either end being told: bytes are
// swallowed until it is mended, and what was open then is closed.
type cable struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{listener: l, to: to}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			c.hold(near, far)
			carrying.Go(func() { c.carry(near, far) })
			carrying.Go(func() { c.carry(far, near) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		c.mend()
		carrying.Wait()
	})
	return c
}

func (c *cable) hold(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conns...)
}

func (c *cable) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		c.mu.Lock()
		cut := c.cut
		c.mu.Unlock()
		if cut {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// sever from now on.
func (c *cable) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
}

// mend lets new connections through; the old ones are lost.
func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = false
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// The link of the host that runs a job is cut, again and again: the other takes
// the job over with a higher epoch before a second and a half have passed, and
// what the first still runs ends when it is heard again.
func TestACutLinkIsNoticedInTime(t *testing.T) {
	f := newFarm(t)
	f.schedule()
	data := map[string]string{"one": t.TempDir(), "two": t.TempDir()}
	cables := map[string]*cable{}
	for name := range data {
		cables[name] = newCable(t, f.address)
		f.hostAt(name, data[name], cables[name].listener.Addr().String())
	}
	f.submitLive("a", "testcard:")
	job := f.awaitState("a", running)
	var took []time.Duration
	for range 10 {
		was := job.GetPlacements()[0]
		cut := time.Now()
		cables[was.GetAgent()].sever()
		job = f.await("a", "the next epoch on the other host", func(j *galav1.Job) bool {
			return j.GetState() == running && len(j.GetPlacements()) == 1 && j.GetPlacements()[0].GetEpoch() == was.GetEpoch()+1
		})
		if job.GetPlacements()[0].GetAgent() == was.GetAgent() {
			t.Fatalf("it was placed on the host that is cut off: %v", job.GetPlacements())
		}
		for _, e := range slices.Backward(job.GetEvents()) {
			if e.GetKind() == "agent_lost" {
				took = append(took, e.GetTime().AsTime().Sub(cut))
				break
			}
		}
		cables[was.GetAgent()].mend()
		f.await("a", "the end of what was superseded", func(*galav1.Job) bool { return len(workers(data[was.GetAgent()])) == 0 })
	}
	slices.Sort(took)
	t.Logf("cut to failover, %d times: %v", len(took), took)
	if len(took) != 10 || took[len(took)/2] > 1500*time.Millisecond {
		t.Errorf("want ten, the middle one within 1.5 s: %v", took)
	}
}
