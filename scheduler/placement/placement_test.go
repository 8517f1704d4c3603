package placement_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/scheduler/placement"
	"github.com/galafarm/gala/timeline"
	"pgregory.net/rapid"
)

var pal = timeline.Rate{Num: 25, Den: 1}

// p480 takes 8.64 million pixels per second of the reference.
func p480(codec, preset string) ladders.Rendition {
	return ladders.Rendition{Name: "480p", Video: &ladders.Video{Width: 720, Height: 480, Divisor: 1, Codec: codec, Preset: preset}}
}

func cpu(agent string, mega int64, used placement.Usage) placement.Device {
	return placement.Device{Agent: agent, ID: "cpu", Role: "encode", CPU: true,
		Encoders: []string{"libx264", "libx265"}, Capacity: mega * 1_000_000, Used: used}
}

func gpu(agent string, mega int64, sessions int, used placement.Usage) placement.Device {
	return placement.Device{Agent: agent, ID: "GPU-1", Role: "encode",
		Encoders: []string{"h264_nvenc"}, Capacity: mega * 1_000_000, MaxSessions: sessions, Sessions: used.Sessions, Used: used}
}

// ofHost shares its limit with devices that have taken so many sessions with it.
func ofHost(d placement.Device, taken int) placement.Device {
	d.SessionsShared, d.Sessions = true, taken
	return d
}

func full(d placement.Device, sessions int) placement.Device {
	d.Full = &placement.Full{Sessions: sessions, Why: "at 20:00:00 (out of memory (10))"}
	return d
}

func hevc(d placement.Device, tenBit ...string) placement.Device {
	d.Encoders, d.TenBit = append(d.Encoders, "hevc_nvenc"), tenBit
	return d
}

func from(d placement.Device, w, h int) placement.Device {
	d.Sizes = map[string]media.PictureSizes{"h264_nvenc": {LeastWidth: w, LeastHeight: h, MostWidth: 4096, MostHeight: 4096}}
	return d
}

func ten() ladders.Rendition {
	r := p480("hevc", "fast")
	r.Video.Depth = 10
	return r
}

func twin(d placement.Device) placement.Device { d.Model = "NVIDIA L4 (driver twin)"; return d }

func cordoned(d placement.Device) placement.Device {
	d.Cordoned = "is cordoned since 20:00:00"
	return d
}

func in(d placement.Device, rack, zone string) placement.Device {
	d.Labels = map[string]string{"rack": rack, "zone": zone}
	return d
}

// beside a second replica.
func beside(agent, rack, zone string) []placement.Neighbour {
	return []placement.Neighbour{{Replica: 2, Agent: agent, Labels: map[string]string{"rack": rack, "zone": zone}}}
}

func TestPlace(t *testing.T) {
	one := []ladders.Rendition{p480("h264", "fast")}
	busy := func(d placement.Device) placement.Device { d.Closed = "is lost: no beat since 20:00:00"; return d }
	for _, c := range []struct {
		name    string
		req     placement.Request
		devices []placement.Device
		want    string // agent/device, "" for nowhere
		says    string
	}{
		{"nothing there", placement.Request{Kind: job.Live}, nil, "", "no agent is attached"},
		{"fits", placement.Request{Kind: job.Live}, []placement.Device{cpu("a", 20, placement.Usage{})}, "a/cpu", "takes 8.6 Mpx/s of 20.0 Mpx/s, load 43.2 %"},
		{"a driver twin is called one", placement.Request{Kind: job.Live}, []placement.Device{twin(gpu("a", 90, 0, placement.Usage{}))}, "a/GPU-1", "of 90.0 Mpx/s of NVIDIA L4 (driver twin), load"},
		{"no room", placement.Request{Kind: job.Live}, []placement.Device{cpu("a", 20, placement.Usage{Live: 12_000_000})}, "", "needs 8.6 Mpx/s of 20.0 Mpx/s, 8.0 Mpx/s are free"},
		{"live does not mind clips", placement.Request{Kind: job.Live}, []placement.Device{cpu("a", 20, placement.Usage{VOD: 20_000_000})}, "a/cpu", ""},
		{"a clip minds both", placement.Request{Kind: job.VOD}, []placement.Device{cpu("a", 20, placement.Usage{Live: 10_000_000, VOD: 6_000_000})}, "", "needs 5.0 Mpx/s of 20.0 Mpx/s, 4.0 Mpx/s are free"},
		{"VOD larger than the device", placement.Request{Kind: job.VOD}, []placement.Device{cpu("a", 4, placement.Usage{})}, "a/cpu", "takes 1.0 Mpx/s"},
		{"least loaded", placement.Request{Kind: job.Live}, []placement.Device{cpu("a", 40, placement.Usage{Live: 9_000_000}), cpu("b", 40, placement.Usage{})}, "b/cpu", "least loaded of 2 devices"},
		{"a GPU first", placement.Request{Kind: job.Live}, []placement.Device{cpu("a", 90, placement.Usage{}), gpu("b", 20, 0, placement.Usage{})}, "b/GPU-1", ""},
		{"no CPU", placement.Request{Kind: job.Live, CPU: job.CPUNever}, []placement.Device{cpu("a", 90, placement.Usage{})}, "", "cpu policy is never"},
		{"the CPU in place of a GPU", placement.Request{Kind: job.Live}, []placement.Device{gpu("a", 1, 0, placement.Usage{}), cpu("b", 20, placement.Usage{})}, "b/cpu", "; on no GPU: a/GPU-1 needs 8.6 Mpx/s of 1.0 Mpx/s, 1.0 Mpx/s are free"},
		{"and of several", placement.Request{Kind: job.Live}, []placement.Device{gpu("a", 1, 0, placement.Usage{}), cpu("b", 20, placement.Usage{}), gpu("c", 1, 0, placement.Usage{})}, "b/cpu", "1.0 Mpx/s are free, and 1 more"},
		{"only CPU", placement.Request{Kind: job.Live, CPU: job.CPUOnly}, []placement.Device{gpu("a", 90, 0, placement.Usage{}), cpu("b", 20, placement.Usage{})}, "b/cpu", ""},
		{"sessions of the whole host", placement.Request{Kind: job.Live}, []placement.Device{ofHost(gpu("a", 90, 8, placement.Usage{Sessions: 1}), 8)}, "", "needs 1 encoder sessions, 0 of 8 that consumer cards of its host have together are free"},
		{"a refused session", placement.Request{Kind: job.Live}, []placement.Device{full(gpu("a", 90, 0, placement.Usage{Sessions: 2}), 2)}, "", "needs 1 encoder sessions, and refused one more than 2 at 20:00:00 (out of memory (10))"},
		{"one has ended since", placement.Request{Kind: job.Live}, []placement.Device{full(gpu("a", 90, 0, placement.Usage{Sessions: 1}), 2)}, "a/GPU-1", ""},
		{"another has room", placement.Request{Kind: job.Live}, []placement.Device{full(gpu("a", 90, 0, placement.Usage{}), 0), gpu("b", 20, 0, placement.Usage{Sessions: 1})}, "b/GPU-1", ""},
		{"a picture that is too small for it", placement.Request{Kind: job.Live}, []placement.Device{from(gpu("a", 90, 0, placement.Usage{}), 722, 49)}, "", "encodes h264 from 722x49, and 480p has 720x480"},
		{"the least picture", placement.Request{Kind: job.Live}, []placement.Device{from(gpu("a", 90, 0, placement.Usage{}), 720, 480)}, "a/GPU-1", ""},
		{"and the processor takes it", placement.Request{Kind: job.Live}, []placement.Device{from(gpu("a", 90, 0, placement.Usage{}), 145, 482), cpu("a", 20, placement.Usage{})}, "a/cpu", "on no GPU: a/GPU-1 encodes h264 from 145x482"},
		{"10 bits", placement.Request{Kind: job.Live, Renditions: []ladders.Rendition{ten()}}, []placement.Device{hevc(gpu("a", 90, 0, placement.Usage{})), hevc(gpu("b", 90, 0, placement.Usage{}), "hevc_nvenc")}, "b/GPU-1", ""},
		{"10 bits nowhere", placement.Request{Kind: job.Live, Renditions: []ladders.Rendition{ten()}}, []placement.Device{hevc(gpu("a", 90, 0, placement.Usage{}))}, "", "has no encoder for hevc in 10 bits (it offers none)"},
		{"10 bits on the CPU", placement.Request{Kind: job.Live, Renditions: []ladders.Rendition{ten()}}, []placement.Device{cpu("a", 90, placement.Usage{})}, "a/cpu", ""},
		{"sessions", placement.Request{Kind: job.Live}, []placement.Device{gpu("a", 90, 3, placement.Usage{Sessions: 3})}, "", "needs 1 encoder sessions, 0 of 3 are free"},
		{"failed here", placement.Request{Kind: job.Live, Failed: []string{"a/cpu"}}, []placement.Device{cpu("a", 90, placement.Usage{}), cpu("b", 20, placement.Usage{})}, "b/cpu", ""},
		{"failed at the only one", placement.Request{Kind: job.Live, Failed: []string{"a/cpu"}}, []placement.Device{cpu("a", 90, placement.Usage{})}, "a/cpu", ""},
		{"the CPU before the GPU that failed", placement.Request{Kind: job.Live, Failed: []string{"a/GPU-1"}, FailedGPUs: 1}, []placement.Device{gpu("a", 90, 0, placement.Usage{}), cpu("a", 20, placement.Usage{})}, "a/cpu", "load 43.2 %; GPUs have failed it of late"},
		{"another GPU before the CPU", placement.Request{Kind: job.Live, Failed: []string{"a/GPU-1"}, FailedGPUs: 1}, []placement.Device{gpu("a", 90, 0, placement.Usage{}), cpu("a", 90, placement.Usage{}), gpu("b", 20, 0, placement.Usage{})}, "b/GPU-1", ""},
		{"the CPU before a third GPU", placement.Request{Kind: job.Live, Failed: []string{"a/GPU-1", "b/GPU-1"}, FailedGPUs: 2}, []placement.Device{gpu("c", 90, 0, placement.Usage{}), cpu("c", 20, placement.Usage{})}, "c/cpu", ""},
		{"a third GPU where the source was the cause", placement.Request{Kind: job.Live, Failed: []string{"a/GPU-1", "b/GPU-1"}}, []placement.Device{gpu("c", 90, 0, placement.Usage{}), cpu("c", 20, placement.Usage{})}, "c/GPU-1", ""},
		{"a third GPU where the CPU is not allowed", placement.Request{Kind: job.Live, CPU: job.CPUNever, Failed: []string{"a/GPU-1", "b/GPU-1"}}, []placement.Device{gpu("a", 90, 0, placement.Usage{}), gpu("c", 20, 0, placement.Usage{}), cpu("c", 90, placement.Usage{})}, "c/GPU-1", ""},
		{"all failed: where it is longest ago", placement.Request{Kind: job.Live, Failed: []string{"b/GPU-1", "a/GPU-1"}, CPU: job.CPUNever}, []placement.Device{gpu("a", 90, 0, placement.Usage{}), gpu("b", 20, 0, placement.Usage{})}, "b/GPU-1", "; it failed here of late, and no better place fits"},
		{"where the source is pushed to", placement.Request{Kind: job.Live, Holder: "b", Pushed: "the source"}, []placement.Device{cpu("a", 90, placement.Usage{}), cpu("b", 20, placement.Usage{})}, "b/cpu", "; the source is pushed to this host"},
		{"where a backup is to be pushed to", placement.Request{Kind: job.Live, Pushed: "backup-1"}, []placement.Device{cpu("a", 20, placement.Usage{})}, "a/cpu", "; backup-1 has to be pushed to this host"},
		{"back where it ran", placement.Request{Kind: job.Live, Back: "b/cpu", Warm: "a"}, []placement.Device{cpu("a", 90, placement.Usage{}), cpu("b", 20, placement.Usage{})}, "b/cpu", "; it ran here, and need not move any more"},
		{"there before a GPU elsewhere", placement.Request{Kind: job.Live, Holder: "a", Failed: []string{"a/cpu"}}, []placement.Device{cpu("a", 20, placement.Usage{}), gpu("b", 90, 0, placement.Usage{})}, "a/cpu", ""},
		{"no room where it is pushed to", placement.Request{Kind: job.Live, Holder: "a", Pushed: "the source"}, []placement.Device{cpu("a", 1, placement.Usage{}), cpu("b", 20, placement.Usage{})}, "b/cpu", "the source was pushed to a, which cannot take it: its sender has to come here"},
		{"closed", placement.Request{Kind: job.Live}, []placement.Device{busy(cpu("a", 90, placement.Usage{}))}, "", "a/cpu is lost"},
		{"cordoned", placement.Request{Kind: job.Live}, []placement.Device{cordoned(cpu("a", 90, placement.Usage{}))}, "", "a/cpu is cordoned since 20:00:00"},
		{"back to a cordoned device, rather than off air", placement.Request{Kind: job.Live, Last: "a/cpu"}, []placement.Device{cordoned(cpu("a", 90, placement.Usage{}))}, "a/cpu", ""},
		{"a clip does not come back", placement.Request{Kind: job.VOD, Last: "a/cpu"}, []placement.Device{cordoned(cpu("a", 90, placement.Usage{}))}, "", "is cordoned"},
		{"anywhere before a cordoned device", placement.Request{Kind: job.Live, Last: "a/cpu", Holder: "a"}, []placement.Device{cordoned(cpu("a", 90, placement.Usage{})), cpu("b", 9, placement.Usage{})}, "b/cpu", ""},
		{"where the source is held", placement.Request{Kind: job.Live, Warm: "b"}, []placement.Device{cpu("a", 90, placement.Usage{}), cpu("b", 20, placement.Usage{})}, "b/cpu", "; this host holds the source already"},
		{"a GPU before where the source is held", placement.Request{Kind: job.Live, Warm: "b"}, []placement.Device{gpu("a", 90, 0, placement.Usage{}), cpu("b", 20, placement.Usage{})}, "a/GPU-1", ""},
		{"not on the host of another replica", placement.Request{Kind: job.Live, Apart: beside("a", "", "")}, []placement.Device{cpu("a", 90, placement.Usage{}), gpu("a", 90, 0, placement.Usage{})}, "", "a/cpu is on the host of replica 2"},
		{"not in its rack", placement.Request{Kind: job.Live, Apart: beside("a", "r1", "")}, []placement.Device{in(cpu("b", 90, placement.Usage{}), "r1", "z2"), in(cpu("c", 9, placement.Usage{}), "r2", "")}, "c/cpu", ""},
		{"not in its zone", placement.Request{Kind: job.Live, Apart: beside("a", "r1", "z1")}, []placement.Device{in(cpu("b", 90, placement.Usage{}), "r2", "z1")}, "", "b/cpu is in zone z1, as replica 2 on a is"},
		{"racks of two zones", placement.Request{Kind: job.Live, Apart: beside("a", "r1", "z1")}, []placement.Device{in(cpu("b", 90, placement.Usage{}), "r1", "z2")}, "b/cpu", ""},
		{"where nothing is told", placement.Request{Kind: job.Live, Apart: beside("a", "r1", "z1")}, []placement.Device{cpu("b", 90, placement.Usage{})}, "b/cpu", ""},
		{"no capacity stated", placement.Request{Kind: job.Live}, []placement.Device{cpu("a", 0, placement.Usage{})}, "", "states no encode capacity"},
		{"decode only", placement.Request{Kind: job.Live}, []placement.Device{{Agent: "a", ID: "GPU-1", Role: "decode-only", RoleReason: "no NVENC"}}, "", "role is decode-only, not encode: no NVENC"},
		{"no encoder", placement.Request{Kind: job.Live, Renditions: []ladders.Rendition{p480("av1", "fast")}}, []placement.Device{cpu("a", 90, placement.Usage{})}, "", "has no encoder for av1 (it offers libx264, libx265)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.req.Rate = pal
			if c.req.Renditions == nil {
				c.req.Renditions = one
			}
			d := placement.Place(c.req, c.devices)
			got, says := "", d.Why()
			if d.Chosen != nil {
				got, says = d.Chosen.Agent+"/"+d.Chosen.Device, d.Chosen.Reason
			}
			if got != c.want {
				t.Errorf("placed on %q, want %q (%s)", got, c.want, says)
			}
			if !strings.Contains(says, c.says) {
				t.Errorf("says %q, want %q in it", says, c.says)
			}
		})
	}
}

// A GPU's jobs are decoded by its host's processor, and their sound is encoded there.
func TestAGPUTakesItsPartOfTheProcessor(t *testing.T) {
	source := ladders.Source{Video: &ladders.SourceVideo{Width: 1280, Height: 720, Rate: pal}} // 23.04 Mpx/s, a quarter of it
	stereo := ladders.Rendition{Name: "stereo", Audio: &ladders.Audio{Codec: "aac", Channels: 2}}
	passed := ladders.Rendition{Name: "surround", Audio: &ladders.Audio{Codec: "ac3", Channels: 6, Passthrough: true}}
	host := func(mega, live, clips int64) placement.Device {
		d := gpu("a", 90, 0, placement.Usage{})
		d.Host = placement.Processor{Capacity: mega * 1_000_000, Live: live * 1_000_000, Clips: clips * 1_000_000}
		return d
	}
	for _, c := range []struct {
		name   string
		kind   job.Kind
		device placement.Device
		want   int64 // of the processor, -1 for no room
		says   string
		last   string
	}{
		{"room", job.Live, host(30, 20, 0), 6_760_000, "load 9.6 %, and 6.8 Mpx/s of 30.0 Mpx/s of its host's processor", ""},
		{"no room", job.Live, host(30, 24, 0), -1, "a/GPU-1 needs 6.8 Mpx/s of 30.0 Mpx/s of its host's processor for decoding and sound, 6.0 Mpx/s are free", ""},
		{"live does not mind clips", job.Live, host(30, 0, 30), 6_760_000, "", ""},
		{"a clip minds both", job.VOD, host(30, 20, 5), -1, "5.0 Mpx/s are free", ""},
		{"a clip takes a quarter at most", job.VOD, host(20, 0, 0), 5_000_000, "", ""},
		{"a processor that is not known", job.Live, host(0, 50, 0), 6_760_000, "load 9.6 %", ""},
		{"its own place, whatever is counted", job.Live, host(30, 24, 0), 6_760_000, "", "a/GPU-1"},
		{"not a clip's", job.VOD, host(20, 20, 0), -1, "0.0 Mpx/s are free", "a/GPU-1"},
		{"a small processor that does nothing else", job.Live, host(5, 0, 0), 5_000_000, "", ""},
		{"and one that does", job.Live, host(5, 1, 0), -1, "needs 5.0 Mpx/s of 5.0 Mpx/s", ""},
		{"the CPU has it in its pixels", job.Live, cpu("a", 20, placement.Usage{}), 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := placement.Place(placement.Request{Kind: c.kind, Last: c.last, Source: source, Renditions: []ladders.Rendition{p480("h264", "fast"), stereo, passed}, Rate: pal}, []placement.Device{c.device})
			got, says := int64(-1), d.Why()
			if d.Chosen != nil {
				got, says = d.Chosen.Cost.Host, d.Chosen.Reason
			}
			if got != c.want || !strings.Contains(says, c.says) {
				t.Errorf("takes %d, says %q; want %d, %q", got, says, c.want, c.says)
			}
		})
	}
}

// Live jobs take encoder sessions from clips where nothing else fits and nothing else is
// lacking.
func TestWhatClipsCanGiveUp(t *testing.T) {
	held := func(d placement.Device, sessions, clips, leaving, claimed int) placement.Device {
		d.Sessions, d.Clips, d.Leaving, d.Claimed = sessions, clips, leaving, claimed
		return d
	}
	card := func(agent string) placement.Device { return gpu(agent, 90, 3, placement.Usage{}) }
	for _, c := range []struct {
		name    string
		kind    job.Kind
		devices []placement.Device
		chosen  string
		taking  string
		lacks   int
		says    string
	}{
		{"a clip's", job.Live, []placement.Device{held(card("a"), 3, 1, 0, 0)}, "", "a/GPU-1", 1, "needs 1 encoder sessions, 0 of 3 are free, clips hold 1"},
		{"none of a live job", job.Live, []placement.Device{held(card("a"), 3, 0, 0, 0)}, "", "", 0, "needs 1 encoder sessions, 0 of 3 are free"},
		{"not for a clip", job.VOD, []placement.Device{held(card("a"), 3, 3, 0, 0)}, "", "", 0, "0 of 3 are free, clips hold 3"},
		{"what is free first", job.Live, []placement.Device{held(card("a"), 3, 1, 0, 0), cpu("b", 20, placement.Usage{})}, "b/cpu", "", 0, ""},
		{"one that leaves already", job.Live, []placement.Device{held(card("a"), 3, 2, 1, 0)}, "", "a/GPU-1", 0, ""},
		{"one that leaves for another", job.Live, []placement.Device{held(card("a"), 3, 2, 1, 1)}, "", "a/GPU-1", 1, ""},
		{"all leave for others", job.Live, []placement.Device{held(card("a"), 3, 2, 2, 2)}, "", "", 0, "clips hold 2, live jobs wait for 2"},
		{"where the fewest have to leave", job.Live, []placement.Device{held(card("a"), 3, 3, 0, 0), held(card("b"), 3, 2, 1, 0)}, "", "b/GPU-1", 0, ""},
		{"a clip does not take what live waits for", job.VOD, []placement.Device{held(card("a"), 2, 0, 0, 1)}, "", "", 0, "0 of 3 are free, live jobs wait for 1"},
		{"a live job does", job.Live, []placement.Device{held(card("a"), 2, 0, 0, 1)}, "a/GPU-1", "", 0, ""},
		{"a limit that was met", job.Live, []placement.Device{full(held(gpu("a", 90, 0, placement.Usage{}), 2, 1, 0, 0), 2)}, "", "a/GPU-1", 1, ""},
		{"not where pixels are lacking too", job.Live, []placement.Device{held(gpu("a", 5, 3, placement.Usage{}), 3, 3, 0, 0)}, "", "", 0, "needs 8.6 Mpx/s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := placement.Place(placement.Request{Kind: c.kind, Renditions: []ladders.Rendition{p480("h264", "fast")}, Rate: pal}, c.devices)
			at := func(c *placement.Choice) string {
				if c == nil {
					return ""
				}
				return c.Agent + "/" + c.Device
			}
			if at(d.Chosen) != c.chosen || at(d.Taking) != c.taking {
				t.Errorf("chose %q, taking %q; want %q, %q", at(d.Chosen), at(d.Taking), c.chosen, c.taking)
			}
			if d.Taking != nil && d.Taking.Lacks != c.lacks {
				t.Errorf("lacks %d, want %d", d.Taking.Lacks, c.lacks)
			}
			if !strings.Contains(d.Why(), c.says) {
				t.Errorf("says %q, want %q in it", d.Why(), c.says)
			}
		})
	}
}

func TestEncodersAreNamed(t *testing.T) {
	rs := []ladders.Rendition{p480("h264", "fast"), p480("hevc", "fast"), {Name: "stereo", Audio: &ladders.Audio{Codec: "aac"}}}
	d := placement.Place(placement.Request{Kind: job.Live, Renditions: rs, Rate: pal}, []placement.Device{cpu("a", 90, placement.Usage{})})
	if d.Chosen == nil || d.Chosen.Renditions[0].Video.Encoder != "libx264" || d.Chosen.Renditions[1].Video.Encoder != "libx265" {
		t.Fatalf("chose %+v", d)
	}
	if rs[0].Video.Encoder != "" {
		t.Error("the request was changed")
	}
}

func TestCostFollowsTheLadder(t *testing.T) {
	half := p480("h264", "fast")
	half.Video.Divisor = 2
	for _, c := range []struct {
		name string
		r    ladders.Rendition
		rate timeline.Rate
		cpu  bool
		want int64
	}{
		{"reference", p480("h264", "fast"), pal, true, 8_640_000},
		{"fastest", p480("h264", "fastest"), pal, true, 5_184_000},
		{"hevc", p480("hevc", "fast"), pal, true, 21_600_000},
		{"half rate", half, pal, true, 4_320_000},
		{"29.97 rounds up", p480("h264", "fast"), timeline.Rate{Num: 30000, Den: 1001}, true, 10_357_643},
		{"a GPU", p480("h264", "fast"), pal, false, 8_640_000},
		{"a GPU's best preset takes three times its engine", p480("h264", "quality"), pal, false, 26_956_800},
		{"a GPU's presets differ by codec", p480("av1", "balanced"), pal, false, 12_787_200},
	} {
		if got := placement.CostOf(ladders.Source{}, []ladders.Rendition{c.r}, c.rate, c.cpu); got.Pixels != c.want || got.Sessions != 1 {
			t.Errorf("%s: %+v, want %d", c.name, got, c.want)
		}
	}
}

// Filling a fleet never takes more than it offers, and a job is refused only
// where it would.
func TestFillingNeverOverflows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		devices := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) placement.Device {
			return cpu(rapid.StringMatching(`[a-e]`).Draw(t, "agent"), rapid.Int64Range(1, 60).Draw(t, "mega"), placement.Usage{})
		}), 1, 5, func(d placement.Device) string { return d.Agent }).Draw(t, "devices")
		for range rapid.IntRange(1, 30).Draw(t, "jobs") {
			req := placement.Request{Kind: rapid.SampledFrom([]job.Kind{job.Live, job.VOD}).Draw(t, "kind"),
				Renditions: []ladders.Rendition{p480("h264", "fast")}, Rate: pal}
			d := placement.Place(req, devices)
			if d.Chosen == nil {
				if len(d.Rejects) != len(devices) {
					t.Fatalf("%d rejects of %d devices", len(d.Rejects), len(devices))
				}
				continue
			}
			for i := range devices {
				dev := &devices[i]
				if dev.Agent != d.Chosen.Agent {
					continue
				}
				if req.Kind == job.Live {
					dev.Used.Live += d.Chosen.Cost.Pixels
				} else {
					dev.Used.VOD += d.Chosen.Cost.Pixels
				}
				break
			}
			for _, dev := range devices {
				if dev.Used.Live > dev.Capacity {
					t.Fatalf("%s carries %d of %d", dev.Agent, dev.Used.Live, dev.Capacity)
				}
			}
		}
	})
}

// A place that failed is taken only where every other that fits has failed too, and
// is then the one that failed longest ago.
func TestWhatFailedIsTakenLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var devices []placement.Device
		var places []string
		for _, agent := range []string{"a", "b", "c"} {
			for _, d := range []placement.Device{cpu(agent, 90, placement.Usage{}), gpu(agent, 90, 0, placement.Usage{})} {
				d.Used.Live = rapid.Int64Range(0, 90_000_000).Draw(t, "load")
				devices, places = append(devices, d), append(places, d.Agent+"/"+d.ID)
			}
		}
		failed := rapid.Permutation(places).Draw(t, "failed")[:rapid.IntRange(0, len(places)).Draw(t, "how many")]
		req := placement.Request{Kind: job.Live, Failed: failed, Warm: rapid.SampledFrom([]string{"", "a"}).Draw(t, "warm"),
			Renditions: []ladders.Rendition{p480("h264", "fast")}, Rate: pal}
		d := placement.Place(req, devices)
		var fits []string
		for i, place := range places {
			if devices[i].Used.Live+8_640_000 <= devices[i].Capacity {
				fits = append(fits, place)
			}
		}
		if d.Chosen == nil {
			if len(fits) > 0 {
				t.Fatalf("nowhere, and %v fit", fits)
			}
			return
		}
		chosen := slices.Index(failed, d.Chosen.Agent+"/"+d.Chosen.Device)
		for _, place := range fits {
			if other := slices.Index(failed, place); other < chosen {
				t.Fatalf("chose %s/%s, and not %s: failed were %v", d.Chosen.Agent, d.Chosen.Device, place, failed)
			}
		}
	})
}
