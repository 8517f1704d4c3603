package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// driver is a host's NVIDIA driver that a test changes.
type driver struct {
	mu       sync.Mutex
	snapshot gpu.Snapshot
	answers  map[string]media.GPUReport // by UUID; none: the driver hangs
	tries    []string
	told     [][]*galav1.DeviceOffer
	model    string          // of its GPUs, "" for an L4
	work     map[string]work // of the agent's workers
	book     *gpuBook
}

const newDriver = "550.144.03"

var errHung = errors.New("the driver hangs")

func (d *driver) try(ctx context.Context, uuid string) (media.GPUReport, error) {
	d.mu.Lock()
	d.tries = append(d.tries, uuid)
	r, ok := d.answers[uuid]
	d.mu.Unlock()
	if !ok {
		select {
		case <-time.After(15 * time.Second):
		case <-ctx.Done():
		}
		return r, errHung
	}
	time.Sleep(time.Second)
	return r, nil
}

func (d *driver) read() gpu.Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.snapshot
	s.Devices = slices.Clone(s.Devices)
	return s
}

func (d *driver) tell(all []*galav1.DeviceOffer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, all)
}

// state of a GPU, which is added where it is new.
func (d *driver) state(uuid string, s gpu.State, age time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := gpu.Device{GPU: d.gpu(uuid), State: s, Age: age}
	if s != gpu.Well {
		one.Trouble = "the test says so"
	}
	for i := range d.snapshot.Devices {
		if d.snapshot.Devices[i].UUID == uuid {
			d.snapshot.Devices[i] = one
			return
		}
	}
	d.snapshot.Devices = append(d.snapshot.Devices, one)
}

func (d *driver) gpu(uuid string) gpu.GPU { return gpu.GPU{UUID: uuid, Model: cmp.Or(d.model, l4)} }

// unlisted so many times by its library.
func (d *driver) unlisted(uuid string, times int) {
	d.state(uuid, gpu.Lost, 0)
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.snapshot.Devices {
		if d.snapshot.Devices[i].UUID == uuid {
			d.snapshot.Devices[i].Unlisted = times
		}
	}
}

// works lets the agent's workers do that on a GPU.
func (d *driver) works(uuid string, w work) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.work = maps.Clone(d.work)
	if d.work == nil {
		d.work = map[string]work{}
	}
	d.work[uuid] = w
}

func (d *driver) workers() map[string]work {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.work
}

func (d *driver) answer(uuid string, sessions ...media.GPUSession) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[uuid] = media.GPUReport{Device: uuid, Sessions: sessions}
}

func (d *driver) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.tries)
}

// host begins with the GPUs that encode; its trials and looks end with the test.
func (d *driver) host(t *testing.T, encode ...string) *gpus {
	t.Helper()
	if d.answers == nil {
		d.answers = map[string]media.GPUReport{}
	}
	found := gpu.Inventory{Driver: newDriver}
	for _, uuid := range encode {
		d.answer(uuid, media.GPUSession{Encoder: "h264_nvenc", Depth: 8})
		d.state(uuid, gpu.Well, 0)
		found.GPUs = append(found.GPUs, d.gpu(uuid))
	}
	return d.found(t, found)
}

// found begins with what the driver lists.
func (d *driver) found(t *testing.T, found gpu.Inventory) *gpus {
	t.Helper()
	g := newGPUs(&galav1.DeviceOffer{Id: "cpu", Role: "encode"}, slog.New(slog.DiscardHandler), d.try, d.read, d.tell)
	g.work, g.book = d.workers, d.book
	g.begin(t.Context(), found, startPatience)
	return g
}

func (g *gpus) run(t *testing.T) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = g.Run(ctx) })
	end = func() { cancel(); running.Wait(); g.trials.Wait() }
	t.Cleanup(end)
	return end
}

// roles are in short: cpu encode, a lost.
func roles(all []*galav1.DeviceOffer) string {
	var parts []string
	for _, o := range all {
		role := o.GetRole()
		if o.GetLost() {
			role = "lost"
		}
		parts = append(parts, o.GetId()+" "+role)
	}
	return strings.Join(parts, ", ")
}

func wantRoles(t *testing.T, when string, g *gpus, want string) {
	t.Helper()
	synctest.Wait()
	if got := roles(g.offers()); got != want {
		t.Errorf("%s: %s, want %s", when, got, want)
	}
}

// One that is lost is withdrawn within a second or two, and tried when it is back:
// the scheduler is told each time, and nothing else.
func TestALostGPUIsWithdrawnAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{}
		g := d.host(t, "a", "b")
		g.run(t)
		wantRoles(t, "at first", g, "cpu encode, a encode, b encode")
		time.Sleep(time.Minute)
		if n := d.count(); n != 2 {
			t.Errorf("%d trials of two GPUs that are well", n)
		}
		d.state("b", gpu.Lost, 0)
		time.Sleep(2 * time.Second)
		wantRoles(t, "lost", g, "cpu encode, a encode, b lost")
		if why := g.offers()[2].GetRoleReason(); why != "the test says so" {
			t.Errorf("because %q", why)
		}
		d.state("b", gpu.Well, 0)
		time.Sleep(4 * time.Second)
		wantRoles(t, "back", g, "cpu encode, a encode, b encode")
		var told []string
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, all := range d.told {
			told = append(told, roles(all))
		}
		want := "[cpu encode, a encode, b lost cpu encode, a encode, b unusable cpu encode, a encode, b encode]"
		if fmt.Sprint(told) != want {
			t.Errorf("told %v", told)
		}
	})
}

// A driver that comes after the agent has its GPUs tried too.
func TestADriverThatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{}
		g := d.host(t)
		g.run(t)
		wantRoles(t, "without a driver", g, "cpu encode")
		d.answer("late", refused(media.GPUNoNVENC, "unsupported device (2)"))
		d.state("late", gpu.Unread, 0)
		time.Sleep(3 * time.Second)
		wantRoles(t, "not read yet", g, "cpu encode")
		d.state("late", gpu.Well, 0)
		time.Sleep(3 * time.Second)
		wantRoles(t, "tried", g, "cpu encode, late unusable")
	})
}

// users-ask 7: a driver that hangs holds up neither the start nor the processor, and
// what it withholds is tried again, more and more seldom.
func TestAHungDriverStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{answers: map[string]media.GPUReport{}}
		began := time.Now()
		g := newGPUs(&galav1.DeviceOffer{Id: "cpu", Role: "encode"}, slog.New(slog.DiscardHandler), d.try, d.read, d.tell)
		d.answer("b", media.GPUSession{Encoder: "h264_nvenc", Depth: 8})
		g.begin(t.Context(), gpu.Inventory{GPUs: []gpu.GPU{{UUID: "a", Model: l4}, {UUID: "b", Model: l4}}}, startPatience)
		if took := time.Since(began); took != startPatience {
			t.Errorf("the start took %v", took)
		}
		wantRoles(t, "at the start", g, "cpu encode, a unusable, b encode")
		g.run(t)
		d.state("a", gpu.Well, 0)
		time.Sleep(20 * time.Second)
		if why := g.offers()[1].GetRoleReason(); why != errHung.Error() {
			t.Errorf("because %q", why)
		}
		time.Sleep(time.Hour)
		if n := d.count(); n < 8 || n > 12 {
			t.Errorf("%d trials in an hour", n)
		}
		d.answer("a", media.GPUSession{Encoder: "h264_nvenc", Depth: 8})
		time.Sleep(11 * time.Minute)
		wantRoles(t, "well again", g, "cpu encode, a encode, b encode")
	})
}

// A driver that is silent for long gets no new work. What runs there is not called
// lost: its workers tell by themselves.
func TestASilentDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{}
		g := d.host(t, "a")
		g.run(t)
		d.state("a", gpu.Stale, 5*time.Second)
		time.Sleep(2 * time.Second)
		wantRoles(t, "for a moment", g, "cpu encode, a encode")
		d.state("a", gpu.Stale, 11*time.Second)
		time.Sleep(2 * time.Second)
		wantRoles(t, "for long", g, "cpu encode, a unusable")
		d.state("a", gpu.Lost, 11*time.Second)
		time.Sleep(2 * time.Second)
		wantRoles(t, "lost after all", g, "cpu encode, a lost")
	})
}

// Many cards of one host are tried side by side, but no more at once than any driver
// has sessions; all are offered.
func TestManyGPUs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{}
		began := time.Now()
		g := d.host(t, "a", "b", "c", "d", "e", "f", "g", "h")
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("eight trials of a second each, %d at once, took %v", trialsAtOnce, took)
		}
		if got := strings.Count(roles(g.offers()), "encode"); got != 9 {
			t.Errorf("%s", roles(g.offers()))
		}
	})
}
