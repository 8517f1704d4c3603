package agent

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/galafarm/gala/agent/gpu"
	"github.com/galafarm/gala/media"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

var (
	h264   = media.GPUSession{Encoder: "h264_nvenc", Depth: 8}
	hevc   = media.GPUSession{Encoder: "hevc_nvenc", Depth: 8}
	hevc10 = media.GPUSession{Encoder: "hevc_nvenc", Depth: 10}
	noHEVC = media.GPUSession{Encoder: "hevc_nvenc", Depth: 8, Trouble: media.GPURefused, Said: "out of memory (10)"}
	noneAt = refused(media.GPURefused, "out of memory (10)")
)

func wantEncoders(t *testing.T, when string, o *galav1.DeviceOffer, want ...string) {
	t.Helper()
	if !slices.Equal(o.GetEncoders(), want) {
		t.Errorf("%s: %v %s, want %v", when, o.GetEncoders(), o.GetRoleReason(), want)
	}
}

// No session in the middle of a trial says nothing about the codecs after it: they are
// tried again, and what has encoded is offered meanwhile.
func TestATrialThatIsCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{answers: map[string]media.GPUReport{}}
		d.answer("a", h264, noHEVC)
		d.state("a", gpu.Well, 0)
		g := d.found(t, gpu.Inventory{Driver: newDriver, GPUs: []gpu.GPU{d.gpu("a")}})
		g.run(t)
		wantEncoders(t, "at first", g.offers()[1], "h264_nvenc")
		if why := g.offers()[1].GetRoleReason(); !strings.Contains(why, "hevc_nvenc in 8 bits, and encoders after it, are tried again later (out of memory (10))") {
			t.Errorf("because %s", why)
		}
		time.Sleep(time.Hour)
		if n := d.count(); n < 8 || n > 12 {
			t.Errorf("%d trials in an hour", n)
		}
		wantRoles(t, "in all that time", g, "cpu encode, a encode")
		d.answer("a", h264, hevc, hevc10)
		time.Sleep(11 * time.Minute)
		wantEncoders(t, "in the end", g.offers()[1], "h264_nvenc", "hevc_nvenc")
		n := d.count()
		time.Sleep(time.Hour)
		if d.count() != n {
			t.Errorf("%d trials more of one that is well", d.count()-n)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, all := range d.told {
			if roles(all) != "cpu encode, a encode" {
				t.Errorf("it was withdrawn for a trial: %s", roles(all))
			}
		}
	})
}

// A card that has encoded, and is refused a session when it is tried again, is offered
// as it was; one that was lost has to prove itself anew.
func TestARefusedTrialTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{}
		g := d.host(t, "a")
		d.answer("a", h264, hevc, hevc10)
		g.run(t)
		silence := func() {
			d.state("a", gpu.Stale, 11*time.Second)
			time.Sleep(2 * time.Second)
			wantRoles(t, "silent", g, "cpu encode, a unusable")
			d.state("a", gpu.Well, 0)
			time.Sleep(3 * time.Second)
		}
		silence()
		wantEncoders(t, "tried in full", g.offers()[1], "h264_nvenc", "hevc_nvenc")
		for _, busy := range [][]media.GPUSession{{noneAt}, {h264, noHEVC}} {
			d.answer("a", busy...)
			silence()
			wantEncoders(t, "busy", g.offers()[1], "h264_nvenc", "hevc_nvenc")
			if o := g.offers()[1]; !slices.Equal(o.GetTenBitEncoders(), []string{"hevc_nvenc"}) {
				t.Errorf("10 bits: %v", o)
			}
		}
		d.mu.Lock()
		d.answers["a"] = media.GPUReport{Device: "a", Trouble: media.GPUNoMemory, Said: "CUDA_ERROR_OUT_OF_MEMORY"}
		d.mu.Unlock()
		silence()
		wantRoles(t, "no memory to open it", g, "cpu encode, a encode")
		d.answer("a", h264, media.GPUSession{Encoder: "hevc_nvenc", Depth: 8, Trouble: media.GPULacks})
		silence()
		wantEncoders(t, "what a trial finds for good counts", g.offers()[1], "h264_nvenc")
		d.answer("a", noneAt)
		d.state("a", gpu.Lost, 0)
		time.Sleep(2 * time.Second)
		d.state("a", gpu.Well, 0)
		time.Sleep(3 * time.Second)
		wantRoles(t, "back after a loss", g, "cpu encode, a unusable")
	})
}

// Trials leave the last sessions to the workers, and come when one is free.
func TestTrialsLeaveSessionsToWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{model: geforce}
		g := d.host(t, "a")
		g.run(t)
		d.works("a", work{sessions: 8})
		d.answer("b", h264)
		d.state("b", gpu.Well, 0)
		time.Sleep(time.Hour)
		if n := d.count(); n != 1 {
			t.Errorf("%d trials while workers have all sessions", n-1)
		}
		wantRoles(t, "full", g, "cpu encode, a encode, b unusable")
		if o := g.offers()[2]; o.GetMaxSessions() != 8 || !o.GetSessionsShared() || !strings.Contains(o.GetRoleReason(), "when one of the encoder sessions is free") {
			t.Errorf("%v", o)
		}
		d.works("a", work{sessions: 7})
		time.Sleep(3 * time.Second)
		wantRoles(t, "one is free", g, "cpu encode, a encode, b encode")

		d.answer("c", noneAt) // other programs have it
		d.state("c", gpu.Well, 0)
		time.Sleep(time.Hour)
		wantRoles(t, "refused", g, "cpu encode, a encode, b encode, c unusable")
		d.answer("c", h264)
		d.works("a", work{sessions: 5})
		time.Sleep(3 * time.Second)
		wantRoles(t, "more are free", g, "cpu encode, a encode, b encode, c encode")
	})
}

// A killed worker that does not let its GPU go keeps new work off it.
func TestAGPUWithAnUndyingWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{}
		g := d.host(t, "a", "b")
		end := g.run(t)
		d.works("a", work{undying: "worker 7 does not die"})
		time.Sleep(2 * time.Second)
		wantRoles(t, "it is there", g, "cpu encode, a unusable, b encode")
		if why := g.offers()[1].GetRoleReason(); why != "worker 7 does not die" {
			t.Errorf("because %q", why)
		}
		time.Sleep(time.Hour)
		if n := d.count(); n != 2 {
			t.Errorf("%d trials beside it", n-2)
		}
		end()
		next := &driver{work: d.work}
		next.snapshot.Driver = newDriver // without any device: its handles fail
		g = next.found(t, gpu.Inventory{Driver: newDriver, GPUs: []gpu.GPU{d.gpu("a")}})
		end = g.run(t)
		time.Sleep(3 * time.Second)
		wantRoles(t, "found, and not listed since", g, "cpu encode, a unusable")
		end()
		next = &driver{work: d.work}
		g = next.host(t, "a", "b")
		g.run(t)
		wantRoles(t, "the next agent", g, "cpu encode, a unusable, b encode")
		next.works("a", work{})
		time.Sleep(3 * time.Second)
		wantRoles(t, "it has died", g, "cpu encode, a encode, b encode")
	})
}

// encodes for so many seconds, a picture each fortieth of one.
func (d *driver) encodes(uuid string, frames *int64, seconds int) {
	for range seconds {
		*frames += 25
		d.works(uuid, work{sessions: 1, frames: *frames})
		time.Sleep(time.Second)
	}
}

// A trial that does not pass, beside workers that encode, takes no card from the next
// job; without them it does.
func TestWorkersProveMoreThanATrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{answers: map[string]media.GPUReport{}}
		d.answer("a", h264, noHEVC) // so that it is tried again
		d.state("a", gpu.Well, 0)
		g := d.found(t, gpu.Inventory{Driver: newDriver, GPUs: []gpu.GPU{d.gpu("a")}})
		g.run(t)
		frames, n := int64(100), d.count()
		d.mu.Lock()
		d.answers["a"] = media.GPUReport{Trouble: media.GPUBroken, Said: "scale pictures: something else"}
		d.mu.Unlock()
		d.encodes("a", &frames, 100)
		if d.count() < n+2 {
			t.Errorf("%d trials more: this test is not about anything any more", d.count()-n)
		}
		wantRoles(t, "its workers encode", g, "cpu encode, a encode")
		time.Sleep(20 * time.Minute)
		wantRoles(t, "they do not", g, "cpu encode, a unusable")
	})
}

// An agent that finds a predecessor's worker on a GPU that the driver does not list calls
// it lost when the worker gets nothing done, not before.
func TestAMissingGPUWithAWorker(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := &driver{book: newGPUBook(dir, slog.New(slog.DiscardHandler))}
		end := d.host(t, "a", "b").run(t)
		time.Sleep(2 * time.Second)
		end()

		d = &driver{book: newGPUBook(dir, slog.New(slog.DiscardHandler))}
		d.snapshot.Driver = newDriver
		frames := int64(100)
		d.works("b", work{sessions: 1, frames: frames})
		g := d.host(t, "a")
		g.run(t)
		d.encodes("b", &frames, 60)
		wantRoles(t, "its worker encodes", g, "cpu encode, a encode, b unusable")
		time.Sleep(7 * time.Second)
		wantRoles(t, "it does not", g, "cpu encode, a encode, b lost")
	})
}

// A GPU that the library no longer lists is there as long as workers encode on it.
func TestWorkersProveTheirGPU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{}
		g := d.host(t, "a")
		g.run(t)
		frames := int64(100)
		encode := func(seconds int) { d.encodes("a", &frames, seconds) }
		encode(5)
		d.unlisted("a", 2)
		encode(60)
		wantRoles(t, "its worker encodes", g, "cpu encode, a unusable")
		time.Sleep(7 * time.Second)
		wantRoles(t, "it does not", g, "cpu encode, a lost")
		d.state("a", gpu.Well, 0)
		time.Sleep(3 * time.Second)
		encode(5)
		d.state("a", gpu.Lost, 0)
		encode(2)
		wantRoles(t, "the driver says lost", g, "cpu encode, a lost")
	})
}

// The next agent names a GPU that is missing, and since when, until it is back or its
// file is removed.
func TestAMissingGPUIsRemembered(t *testing.T) {
	dir := t.TempDir()
	begin := func(t *testing.T, d *driver, found gpu.Inventory, encode ...string) *gpus {
		d.book = newGPUBook(dir, slog.New(slog.DiscardHandler))
		if found.Driver != "" {
			d.snapshot.Driver = found.Driver
		}
		if encode != nil {
			return d.host(t, encode...)
		}
		d.answers = map[string]media.GPUReport{}
		return d.found(t, found)
	}
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []*driver{{}, {}} {
			g := begin(t, d, gpu.Inventory{}, "a", "b")
			end := g.run(t)
			time.Sleep(2 * time.Second)
			wantRoles(t, "at first", g, "cpu encode, a encode, b encode")
			end()
		}
		d := &driver{}
		g := begin(t, d, gpu.Inventory{}, "a", "b")
		end := g.run(t)
		d.state("b", gpu.Lost, 0)
		time.Sleep(2 * time.Second)
		lostAt := time.Now().UTC().Format("2006-01-02 15:04")
		end()
		time.Sleep(24 * time.Hour)

		d = &driver{}
		g = begin(t, d, gpu.Inventory{Reason: "the NVIDIA driver is installed but not loaded"})
		end = g.run(t)
		time.Sleep(time.Minute)
		wantRoles(t, "without a driver", g, "cpu encode, a unusable, b unusable")
		if why := g.offers()[1].GetRoleReason(); !strings.Contains(why, "not loaded") {
			t.Errorf("because %s", why)
		}
		end()

		d = &driver{}
		g = begin(t, d, gpu.Inventory{Driver: newDriver}, "a")
		wantRoles(t, "missing once", g, "cpu encode, a encode, b unusable")
		d.snapshot.Driver = newDriver
		end = g.run(t)
		time.Sleep(4 * time.Second)
		wantRoles(t, "missing twice at once", g, "cpu encode, a encode, b unusable")
		time.Sleep(4 * time.Second)
		wantRoles(t, "missing", g, "cpu encode, a encode, b lost")
		if o := g.offers()[2]; o.GetModel() != l4 || !strings.Contains(o.GetRoleReason(), "lost since "+lostAt+" UTC") {
			t.Errorf("%v", o)
		}
		d.answer("b", h264)
		d.state("b", gpu.Well, 0)
		time.Sleep(3 * time.Second)
		wantRoles(t, "it is back", g, "cpu encode, a encode, b encode")
		end()
		text, err := os.ReadFile(d.book.path)
		if err != nil || strings.Contains(string(text), "lost_since") || strings.Count(string(text), "uuid") != 2 {
			t.Errorf("%v: %s", err, text)
		}

		if err := os.Remove(d.book.path); err != nil {
			t.Fatal(err)
		}
		g = begin(t, &driver{}, gpu.Inventory{}, "a")
		wantRoles(t, "forgotten", g, "cpu encode, a encode")
		if err := os.WriteFile(d.book.path, []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		g = begin(t, &driver{}, gpu.Inventory{}, "a")
		wantRoles(t, "illegible", g, "cpu encode, a encode")
		b := newGPUBook(dir, slog.New(slog.DiscardHandler))
		for days, want := range map[int]string{6: "cpu encode, a encode, c unusable", 8: "cpu encode, a encode"} {
			b.write([]bookedGPU{{UUID: "c", Lost: time.Now().AddDate(0, 0, -days)}})
			wantRoles(t, fmt.Sprintf("lost for %d days", days), begin(t, &driver{}, gpu.Inventory{}, "a"), want)
		}
	})
}

// An agent that finds its predecessor's workers with all sessions offers what was found
// before, and tries nothing.
func TestEvidenceOutlivesItsAgent(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		for n, c := range []struct {
			driver   string
			sessions int
			tries    int
			want     string
		}{
			{newDriver, 0, 1, "cpu encode, a encode"},
			{newDriver, 8, 0, "cpu encode, a encode"},
			{"580.65.06", 8, 0, "cpu encode, a unusable"}, // another driver may have other faults
		} {
			d := &driver{model: geforce, book: newGPUBook(dir, slog.New(slog.DiscardHandler)), answers: map[string]media.GPUReport{}}
			d.answer("a", h264)
			d.works("a", work{sessions: c.sessions})
			g := d.found(t, gpu.Inventory{Driver: c.driver, GPUs: []gpu.GPU{d.gpu("a")}})
			wantRoles(t, fmt.Sprint("agent ", n), g, c.want)
			if d.count() != c.tries {
				t.Errorf("agent %d: %d trials", n, d.count())
			}
		}
	})
}

// Sessions that came out prove nothing of a card that was not seen to scale as well, and
// one that was seen not to starts anew.
func TestACardThatEncodesAndMayNotScale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{}
		scaling := func(trouble media.GPUTrouble) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.answers["a"] = media.GPUReport{Device: "a", Trouble: trouble, Said: "scale pictures", Sessions: []media.GPUSession{h264}}
		}
		d.answers = map[string]media.GPUReport{}
		scaling(media.GPUNoMemory)
		d.state("a", gpu.Well, 0)
		g := d.found(t, gpu.Inventory{Driver: newDriver, GPUs: []gpu.GPU{d.gpu("a")}})
		g.run(t)
		wantRoles(t, "no memory to scale", g, "cpu encode, a unusable")
		scaling("")
		time.Sleep(35 * time.Second)
		wantRoles(t, "it scales", g, "cpu encode, a encode")
		again := func() {
			d.state("a", gpu.Stale, 11*time.Second)
			time.Sleep(2 * time.Second)
			d.state("a", gpu.Well, 0)
			time.Sleep(3 * time.Second)
		}
		scaling(media.GPUNoMemory)
		again()
		wantRoles(t, "no memory for a card that scales", g, "cpu encode, a encode")
		scaling(media.GPUBroken)
		again()
		wantRoles(t, "it does not scale", g, "cpu encode, a unusable")
		d.answer("a", noneAt)
		again()
		wantRoles(t, "and gets no session", g, "cpu encode, a unusable")
	})
}
