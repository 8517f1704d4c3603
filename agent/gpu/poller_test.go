package gpu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a driver that does as the test says.
type fake struct {
	mu     sync.Mutex
	found  []Device
	less   string        // why there are not more
	fails  map[int]error // what reading a device ends with
	hangs  chan struct{} // a read of the first device waits for it
	reads  map[int]int
	xids   chan Xid // of the first device
	closed bool
}

func twoGPUs() *fake {
	return &fake{
		found: []Device{{GPU: GPU{UUID: "GPU-a", Model: "twin"}}, {GPU: GPU{UUID: "GPU-b", Model: "twin"}, Index: 1}},
		fails: map[int]error{}, reads: map[int]int{}, xids: make(chan Xid),
	}
}

func (f *fake) version() string             { return "1.2.3-twin" }
func (f *fake) devices() ([]Device, string) { return f.found, f.less }
func (f *fake) doing() string               { return "nvmlDeviceGetPowerUsage" }

func (f *fake) read(i int) (r Reading, err error) {
	f.mu.Lock()
	hangs := f.hangs
	f.reads[i]++
	n := f.reads[i]
	err = f.fails[i]
	f.mu.Unlock()
	if i == 0 && hangs != nil {
		<-hangs
	}
	r.set(SMUse, uint64(n))
	return r, err
}

func (f *fake) wait(limit time.Duration) (string, uint64, error) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case x := <-f.xids:
		return f.found[0].UUID, x.Code, nil
	case <-t.C:
		return "", 0, nil
	}
}

func (f *fake) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

func (f *fake) fail(device int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails[device] = err
}

func (f *fake) hang(on chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hangs = on
}

// polling runs a poller in the bubble of a test until end is called.
func polling(t *testing.T, open func() (driver, error)) (p *Poller, end func()) {
	t.Helper()
	p = newPoller(slog.New(slog.DiscardHandler), open)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return p, func() { cancel(); running.Wait() }
}

func always(f *fake) func() (driver, error) {
	return func() (driver, error) { return f, nil }
}

// pass lets time go by and everything that is due happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func sm(d Device) uint64 {
	v, _ := d.Get(SMUse)
	return v
}

func TestPollsOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := twoGPUs()
		p, end := polling(t, always(f))
		if s := p.Snapshot(); len(s.Devices) != 0 || s.Trouble == "" {
			t.Errorf("before the first look: %+v", s)
		}
		pass(4500 * time.Millisecond)
		s := p.Snapshot()
		if s.Driver != "1.2.3-twin" || s.Trouble != "" || len(s.Devices) != 2 {
			t.Fatalf("%+v", s)
		}
		for _, d := range s.Devices {
			if d.State != Well || sm(d) != 5 || time.Since(d.At) != 500*time.Millisecond {
				t.Errorf("%+v after five looks", d)
			}
		}
		end()
		if !f.closed {
			t.Error("the driver was not let go")
		}
	})
}

// users-ask 7: a driver that hangs is told, and holds up nobody: neither who
// asks for figures nor the end of the agent.
func TestAStuckDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := twoGPUs()
		p, end := polling(t, always(f))
		pass(2500 * time.Millisecond)
		stuck := make(chan struct{})
		f.hang(stuck)
		pass(12 * time.Second)
		begun := time.Now()
		s := p.Snapshot()
		if time.Since(begun) != 0 {
			t.Error("a snapshot waited for the driver")
		}
		for _, d := range s.Devices {
			if d.State != Stale || d.Age < 12*time.Second || !strings.Contains(d.Trouble, "not answered for 12 s (in nvmlDeviceGetPowerUsage)") || sm(d) != 3 {
				t.Errorf("%+v", d)
			}
		}
		f.hang(nil)
		close(stuck)
		pass(1500 * time.Millisecond)
		for _, d := range p.Snapshot().Devices {
			if d.State != Well || d.Trouble != "" || time.Since(d.At) > time.Second {
				t.Errorf("after the driver came back: %+v", d)
			}
		}
		forEver := make(chan struct{})
		f.hang(forEver)
		pass(2 * time.Second)
		begun = time.Now()
		end()
		if waited := time.Since(begun); waited > goodbye {
			t.Errorf("the end took %v", waited)
		}
		close(forEver) // or the goroutine that was left to the driver would stay
	})
}

// It may hang before it has said anything at all.
func TestADriverThatHangsAtItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		f := twoGPUs()
		p, end := polling(t, func() (driver, error) { <-stuck; return f, nil })
		pass(5 * time.Second)
		if s := p.Snapshot(); !strings.Contains(s.Trouble, "not answered for 5 s (in nvmlInit)") {
			t.Errorf("%+v", s)
		}
		f.hang(make(chan struct{}))
		close(stuck)
		pass(5 * time.Second)
		if s := p.Snapshot(); s.Trouble != "" || s.Devices[0].State != Stale || !s.Devices[0].At.IsZero() || !strings.Contains(s.Devices[0].Trouble, "for 5 s") {
			t.Errorf("never read: %+v", s)
		}
		close(f.hangs)
		end()
	})
}

// users-ask 9: a GPU that is off the bus is a state of that GPU, with or
// without an XID; the others are read on. It may come back by itself, or by
// another conversation with the driver.
func TestALostGPU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, opened := twoGPUs(), atomic.Int32{}
		p, end := polling(t, func() (driver, error) { opened.Add(1); return f, nil })
		pass(1500 * time.Millisecond)
		f.fail(0, fmt.Errorf("%w: the driver says so", errLost))
		pass(10 * time.Second)
		s := p.Snapshot()
		if d := s.Devices[0]; d.State != Lost || !strings.Contains(d.Trouble, "the driver says so") || sm(d) != 2 || d.At.IsZero() {
			t.Errorf("lost: %+v", d)
		}
		if d := s.Devices[1]; d.State != Well || sm(d) != 12 {
			t.Errorf("its neighbour: %+v", d)
		}
		f.fail(0, nil)
		pass(time.Second)
		if d := p.Snapshot().Devices[0]; d.State != Well || d.Trouble != "" {
			t.Errorf("back: %+v", d)
		}
		if n := opened.Load(); n != 1 {
			t.Errorf("%d conversations for a GPU that came back by itself", n)
		}
		f.fail(0, errLost)
		pass(31 * time.Second)
		if n := opened.Load(); n != 2 {
			t.Errorf("%d conversations after half a minute without it", n)
		}
		pass(61 * time.Second)
		if n := opened.Load(); n != 3 {
			t.Errorf("%d conversations after another minute", n)
		}
		end()
	})
}

// A GPU that was lost already when the driver was asked for GPUs is looked for too;
// and one that is lost when all have been there for a while is looked for soon.
func TestAGPUThatWasLostAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both, one, opened := twoGPUs(), twoGPUs(), atomic.Int32{}
		one.found, one.less = one.found[:1], "GPU 1: lost (NVML 15)"
		p, end := polling(t, func() (driver, error) {
			if opened.Add(1) > 2 {
				return both, nil
			}
			return one, nil
		})
		pass(95 * time.Second) // it is looked for after 30 s, and after 60 s more
		if s := p.Snapshot(); len(s.Devices) != 2 || s.Trouble != "" || opened.Load() != 3 {
			t.Errorf("%d conversations: %+v", opened.Load(), s)
		}
		pass(5 * time.Minute)
		both.fail(0, errLost)
		pass(31 * time.Second)
		if n := opened.Load(); n != 4 {
			t.Errorf("%d conversations half a minute after a GPU was lost again", n)
		}
		end()
	})
}

// One that an earlier agent has seen, and that the driver does not miss, is looked for too.
func TestAGPUThatIsExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both, one, opened := twoGPUs(), twoGPUs(), atomic.Int32{}
		one.found = one.found[:1]
		p, end := polling(t, func() (driver, error) {
			if opened.Add(1) > 2 {
				return both, nil
			}
			return one, nil
		})
		p.Expect("GPU-b")
		pass(95 * time.Second)
		if s := p.Snapshot(); len(s.Devices) != 2 || opened.Load() != 3 {
			t.Errorf("%d conversations: %+v", opened.Load(), s)
		}
		pass(5 * time.Minute)
		if n := opened.Load(); n != 3 {
			t.Errorf("%d conversations though all are there", n)
		}
		end()
	})
}

func TestErrorsThatPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := twoGPUs()
		p, end := polling(t, always(f))
		f.fail(1, errors.New("nvmlDeviceGetPowerUsage: Unknown Error (NVML 999)"))
		pass(1500 * time.Millisecond)
		if s := p.Snapshot(); s.Devices[0].State != Well || s.Devices[1].State != Stale || !strings.Contains(s.Devices[1].Trouble, "999") {
			t.Errorf("%+v", s)
		}
		f.fail(1, nil)
		pass(time.Second)
		if d := p.Snapshot().Devices[1]; d.State != Well {
			t.Errorf("%+v", d)
		}
		end()
	})
}

// A driver that is loaded late, or not at all, is asked again, less and less
// often; what it says is logged once.
func TestADriverThatStartsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, tries := twoGPUs(), atomic.Int32{}
		var lines countingLog
		p := newPoller(slog.New(&lines), func() (driver, error) {
			if tries.Add(1) < 12 {
				return nil, errors.New("the NVIDIA driver is installed but not loaded")
			}
			return f, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = p.Run(ctx) })
		pass(100 * time.Second)
		if s := p.Snapshot(); !strings.Contains(s.Trouble, "not loaded") {
			t.Errorf("%+v", s)
		}
		if n := tries.Load(); n < 5 || n > 9 {
			t.Errorf("%d tries in 100 s", n)
		}
		if n := lines.n(); n != 1 {
			t.Errorf("%d log lines", n)
		}
		pass(10 * time.Minute)
		if s := p.Snapshot(); s.Trouble != "" || len(s.Devices) != 2 || s.Devices[0].State != Well {
			t.Errorf("%+v", s)
		}
		cancel()
		running.Wait()
	})
}

// A driver that is loaded anew finds GPUs again, or one less. One that is missing once
// may be there the next time.
func TestADriverThatIsLoadedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, third := twoGPUs(), twoGPUs(), twoGPUs()
		second.found, third.found = second.found[1:], third.found[1:]
		next := []*fake{first, second, third}
		p, end := polling(t, func() (driver, error) {
			f := next[0]
			next = next[1:]
			return f, nil
		})
		pass(1500 * time.Millisecond)
		first.fail(0, fmt.Errorf("%w: the driver says so", errReopen))
		pass(600 * time.Millisecond)
		for range 12 { // the wait for events ends first
			if pass(100 * time.Millisecond); p.Snapshot().Trouble != "" {
				break
			}
		}
		if s := p.Snapshot(); !first.closed || !strings.Contains(s.Trouble, "loaded anew") || s.Devices[1].State != Stale {
			t.Errorf("%+v", s)
		}
		pass(3 * time.Second)
		s := p.Snapshot()
		if len(s.Devices) != 2 || s.Devices[0].State != Stale || s.Devices[1].State != Well || s.Trouble != "" {
			t.Errorf("missing once: %+v", s)
		}
		pass(6 * time.Second)
		if s := p.Snapshot(); s.Devices[0].State != Lost || s.Devices[0].Unlisted != 2 || s.Devices[1].State != Well {
			t.Errorf("missing twice: %+v", s)
		}
		end()
	})
}

// A handle that fails once, when the library is opened anew for another's sake, loses no GPU.
func TestAHandleThatFailsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, short, opened := twoGPUs(), twoGPUs(), atomic.Int32{}
		first.less = "GPU 2: Unknown Error (NVML 999)" // so that it is opened anew
		short.found, short.less = short.found[1:], first.less
		p, end := polling(t, func() (driver, error) {
			if opened.Add(1) == 2 {
				return short, nil
			}
			return first, nil
		})
		for range 50 {
			pass(time.Second)
			if d := p.Snapshot().Devices[0]; d.State == Lost {
				t.Fatalf("%+v after %d openings", d, opened.Load())
			}
		}
		if d := p.Snapshot().Devices[0]; opened.Load() != 3 || d.State != Well || d.Unlisted != 0 {
			t.Errorf("%d openings, %+v", opened.Load(), d)
		}
		end()
	})
}

func TestXidsComeByEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := twoGPUs()
		p, end := polling(t, always(f))
		pass(1500 * time.Millisecond)
		f.hang(make(chan struct{})) // a reader that is stuck keeps no event back
		pass(time.Second)
		for code := range uint64(maxXids + 3) {
			f.xids <- Xid{Code: 60 + code}
		}
		f.xids <- Xid{Code: 79}
		pass(0)
		d := p.Snapshot().Devices[0]
		if n := len(d.Xids); n != maxXids || d.Xids[n-1].Code != 79 || d.Xids[n-1].At != time.Now() || d.Xids[n-1].Words() == "" {
			t.Errorf("%+v", d.Xids)
		}
		if d.XidCounts[79] != 1 || d.XidCounts[60] != 1 || len(p.Snapshot().Devices[1].Xids) != 0 {
			t.Errorf("%v", d.XidCounts)
		}
		close(f.hangs)
		end()
	})
}

// countingLog counts lines.
type countingLog struct {
	mu    sync.Mutex
	lines []string
}

func (c *countingLog) Enabled(context.Context, slog.Level) bool { return true }
func (c *countingLog) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *countingLog) WithGroup(string) slog.Handler            { return c }
func (c *countingLog) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, r.Message)
	return nil
}

func (c *countingLog) n() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lines)
}
