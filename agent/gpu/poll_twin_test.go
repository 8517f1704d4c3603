//go:build cgo && linux

package gpu

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestInventoryOfTheTwin(t *testing.T) {
	w := newWorld(t)
	w.faults("0 lost 1 0 0")
	out, err := child(t, "inventory", w.environment(twinLibrary(t))).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got Inventory
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := GPU{UUID: "GPU-00000000-7477-696e-0000-000000000000", Model: "NVIDIA L4 (driver twin)", Memory: 24146608128}
	if got.Driver != "570.124.06-twin" || len(got.GPUs) != 1 || got.GPUs[0] != want {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(got.Reason, "GPU 1") || !strings.Contains(got.Reason, "GPU is lost") {
		t.Errorf("the lost GPU is passed over: %q", got.Reason)
	}
}

// users-ask 2 and 25: sessions are those that processes have, with what they
// are and how they fare; use, memory and power follow from them, on the device
// that has them, and all is free again after a kill -9.
func TestWorkOnTheTwin(t *testing.T) {
	w := newWorld(t)
	p := w.poll(twinLibrary(t))
	idle := p.await("two idle GPUs", states(Well, Well)).Devices
	for _, d := range idle {
		if d.Model != "NVIDIA L4 (driver twin)" || d.Figures[EncoderUse] != 0 || d.Figures[EncodeSessions] != 0 || len(d.Sessions) != 0 || d.Figures[MemoryUsed] != 0 {
			t.Errorf("idle: %+v", d)
		}
		if len(d.Figures) != len(everything) || d.Bus == "" {
			t.Errorf("%d figures of %d, bus %q", len(d.Figures), len(everything), d.Bus)
		}
	}
	ladder := w.hold("1 h264 1920 1080 60 3 700")
	w.hold("1 hevc 1280 720 25 1 100")
	busy := p.await("four sessions at their rates", func(s told) bool {
		return len(s.Devices) == 2 && len(s.Devices[1].Sessions) == 4 && slower(s.Devices[1].Sessions, 20) == 0
	})
	d := busy.Devices[1]
	mine := 0
	for _, s := range d.Sessions {
		if s.PID == ladder.Process.Pid {
			mine++
			if s.Codec != "h264" || s.Width != 1920 || s.Height != 1080 || s.Latency != 8*time.Millisecond {
				t.Errorf("%+v", s)
			}
		} else if s.Codec != "hevc" || s.Height != 720 {
			t.Errorf("%+v", s)
		}
	}
	if mine != 3 || d.Figures[EncodeSessions] != 4 || d.Figures[EncodeLatency] != 8000 || d.Figures[MemoryUsed] != 800<<20 {
		t.Errorf("%d of the ladder's sessions; %v", mine, d.Figures)
	}
	if d.Figures[EncoderUse] < 10 || d.Figures[Power] <= idle[1].Figures[Power] || d.Figures[SMClock] != 2040 || d.Figures[Temperature] <= idle[1].Figures[Temperature] {
		t.Errorf("%v at work, %v idle", d.Figures, idle[1].Figures)
	}
	if other := busy.Devices[0]; other.Figures[EncoderUse] != 0 || len(other.Sessions) != 0 || other.Figures[MemoryUsed] != 0 {
		t.Errorf("the other GPU: %+v", other)
	}
	_ = ladder.Process.Kill()
	p.await("one session after a kill", func(s told) bool {
		return len(s.Devices[1].Sessions) == 1 && s.Devices[1].Figures[MemoryUsed] == 100<<20
	})
	w.hold("0 h264 640 360 5 60 10")
	p.await("sixty sessions of one process", func(s told) bool { return len(s.Devices[0].Sessions) == 60 })
	t.Logf("one look at a GPU with 60 sessions: %v", p.await("a look", states(Well)).Devices[0].Took)
}

// slower counts sessions below a rate.
func slower(all []Session, fps int) (n int) {
	for _, s := range all {
		if s.FPS < fps {
			n++
		}
	}
	return n
}

// users-ask 7, 8 and 9 against a real library: lost, hanging, taken away.
func TestFaultsOfTheTwin(t *testing.T) {
	w := newWorld(t)
	p := w.poll(twinLibrary(t))
	p.await("two GPUs", states(Well, Well))

	w.faults("0 lost 0 0 0")
	s := p.await("a lost GPU with its XID", func(s told) bool { return states(Lost, Well)(s) && len(s.Devices[0].Xids) > 0 })
	if d := s.Devices[0]; !strings.Contains(d.Trouble, "GPU is lost (NVML 15)") || d.Xids[0].Code != 79 || len(d.Sessions) != 0 {
		t.Errorf("%+v", d)
	}
	w.faults()
	p.await("its return", states(Well, Well))

	w.faults("0 xid 1 31 0")
	s = p.await("an XID", func(s told) bool { return len(s.Devices[1].Xids) > 0 })
	if d := s.Devices[1]; d.State != Well || d.Xids[0].Code != 31 || len(s.Devices[0].Xids) != 1 {
		t.Errorf("%+v", s)
	}

	w.faults("0 hang 1 3 0")
	s = p.await("silence of both GPUs, for one stops the driver", states(Stale, Stale))
	if d := s.Devices[0]; !strings.Contains(d.Trouble, "has not answered for") || !strings.Contains(d.Trouble, "(in nvmlDevice") {
		t.Errorf("%+v", d)
	}
	w.faults()
	p.await("answers", states(Well, Well))

	w.faults("0 init -1 3 9")
	s = p.await("a driver that was taken away", states(Stale, Stale))
	if !strings.Contains(s.Devices[0].Trouble, "Driver Not Loaded") && !strings.Contains(s.Devices[0].Trouble, "not loaded") {
		t.Errorf("%+v", s)
	}
	w.faults()
	if s = p.await("the driver", states(Well, Well)); s.Trouble != "" {
		t.Errorf("%+v", s)
	}
}

// users-ask 8: what a container without its GPUs, or a host after an update,
// says at the start; it is asked until it answers.
func TestADriverThatDoesNotStart(t *testing.T) {
	for code, want := range map[string]string{"9": "not loaded", "18": "restart gala-agent", "999": "NVML 999"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.faults("0 init -1 3 " + code)
			p := w.poll(twinLibrary(t))
			p.await("the reason", func(s told) bool { return strings.Contains(s.Trouble, want) && len(s.Devices) == 0 })
			w.faults()
			p.await("two GPUs", states(Well, Well))
		})
	}
}

// A library without the newest calls costs figures, and says so once.
func TestAnOldLibrary(t *testing.T) {
	w := newWorld(t)
	p := w.poll(twinLibrary(t, "-DTWIN_NVML_OLD"))
	p.await("two GPUs", states(Well, Well))
	w.faults("0 init -1 3 9")
	p.await("the driver's end", states(Stale, Stale))
	w.faults()
	s := p.await("the driver again", states(Well, Well))
	for _, f := range []Figure{JPEGUse, OpticalFlowUse, Energy, MemoryReserved} {
		if _, there := s.Devices[0].Figures[f]; there {
			t.Errorf("figure %d is there", f)
		}
	}
	if s.Devices[0].Figures[MemoryTotal] == 0 || s.Devices[0].Figures[PowerLimit] != 72000 {
		t.Errorf("%v", s.Devices[0].Figures)
	}
	p.stop()
	for _, symbol := range []string{"nvmlDeviceGetJpgUtilization", "nvmlDeviceGetOfaUtilization", "nvmlDeviceGetTotalEnergyConsumption"} {
		if n := strings.Count(p.log.String(), symbol); n != 1 {
			t.Errorf("%s is named %d times in the log:\n%s", symbol, n, p.log.String())
		}
	}
}

// A card without encoders has figures of everything else.
func TestATwinWithoutNVENC(t *testing.T) {
	w := newWorld(t)
	w.faults("0 no-nvenc 0 0 0")
	s := w.poll(twinLibrary(t)).await("two GPUs", states(Well, Well))
	_, use := s.Devices[0].Figures[EncoderUse]
	_, sessions := s.Devices[0].Figures[EncodeSessions]
	if use || sessions || s.Devices[0].Figures[PowerLimit] != 72000 || len(s.Devices[1].Figures) != len(everything) {
		t.Errorf("%+v", s)
	}
}
