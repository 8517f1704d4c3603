package reconcile_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
	"github.com/galafarm/gala/timeline"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the traces that the scripts print now")

// A script tells a story: lines with "> " are what happens, the lines below
// each are everything that the scheduler's core did about it. The whole trace
// is the assertion; -update writes it anew, to be read before it is believed.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

func play(t *testing.T, script string) string {
	f := newFarm()
	var out strings.Builder
	for line := range strings.Lines(script) {
		switch {
		case strings.HasPrefix(line, "> "):
			out.WriteString(line)
			if err := f.do(strings.Fields(line[2:])); err != nil {
				t.Fatalf("%s: %v", strings.TrimSpace(line), err)
			}
			for _, said := range f.trace {
				fmt.Fprintln(&out, said)
			}
			f.trace = nil
		case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "":
			out.WriteString(line)
		}
	}
	for _, b := range f.broken {
		t.Error("broken:", b)
	}
	return out.String()
}

// do one line of a script; the commands are what their names say.
func (f *farm) do(args []string) error {
	verb, rest := args[0], args[1:]
	at := func(i int) string {
		if i < len(rest) {
			return rest[i]
		}
		return ""
	}
	switch verb {
	case "attach": // NAME [MEGAPIXELS [ZONE]]
		mega, _ := strconv.ParseInt(at(1), 10, 64)
		f.zones[at(0)] = at(2)
		f.attach(at(0), mega*1_000_000, false)
	case "gpus": // NAME DEVICE[:lost|:SESSIONS]...: what it offers beside its processor from now on, two jobs' worth each, or consumer cards of nine with so many sessions together
		devices := []fleet.Device{{ID: "cpu", Role: "encode", Encoders: []string{"libx264"}, PixelsPerSecond: f.agents[at(0)].pixels}}
		for _, name := range rest[1:] {
			id, as, _ := strings.Cut(name, ":")
			d := nvenc(id, 2)
			if n, err := strconv.Atoi(as); err == nil {
				d = consumer(id, 9, n)
			}
			if as == "lost" {
				d = fleet.Device{ID: id, Role: "unusable", RoleReason: "it fell off the bus", Lost: true}
			}
			devices = append(devices, d)
		}
		f.gpus(at(0), devices...)
	case "restart": // NAME: the agent's process, without its workers
		f.attach(at(0), 0, true)
	case "cut": // NAME: no beats, the stream stands
		f.agents[at(0)].beating = false
	case "uncut":
		f.agents[at(0)].beating = true
	case "detach":
		f.detach(at(0))
	case "submit": // KIND ID [PRIORITY [INPUT[,BACKUP]... [REDUNDANCY]]]
		p, _ := strconv.Atoi(at(2))
		source := at(3)
		if source == "" {
			source = "in"
		}
		n, _ := strconv.Atoi(at(4))
		f.submit(job.Kind(at(0)), at(1), int32(p), source, uint32(n))
	case "cordon", "drain": // AGENT[/DEVICE]
		f.cordon(at(0), verb == "drain")
	case "uncordon":
		f.uncordon(at(0))
	case "stop":
		f.stop(at(0))
	case "answer": // NAME [ERROR-CODE [retryable]]
		var err *media.Error
		if at(1) != "" {
			err = &media.Error{Code: media.Code(at(1)), Message: "the script said so", Advice: "read it", Retryable: at(2) != ""}
		}
		f.answer(at(0), err)
	case "publish": // NAME ASSIGNMENT SEGMENT
		n, err := strconv.ParseInt(at(2), 10, 64)
		if err != nil {
			return err
		}
		f.publish(at(0), at(1), n)
	case "output": // NAME ASSIGNMENT SEGMENT starting|well|trouble [LOST]: of its first output
		n, err := strconv.ParseInt(at(2), 10, 64)
		if err != nil {
			return err
		}
		lost, _ := strconv.ParseInt(at(4), 10, 64)
		state := map[string]fleet.OutputState{"starting": fleet.OutputStarting, "well": fleet.OutputWell, "trouble": fleet.OutputInTrouble}[at(3)]
		f.publish(at(0), at(1), n, fleet.Output{State: state, Lost: lost, LastSegment: n, LastSegmentAt: f.now, Since: f.now, Cause: "PUT: 503"})
	case "end": // NAME ASSIGNMENT CODE [retryable]
		f.end(at(0), at(1), media.Error{Code: media.Code(at(2)), Message: "the script said so", Retryable: at(3) != ""})
	case "vanish": // NAME ASSIGNMENT: a worker without an outcome
		delete(f.agents[at(0)].workers, at(1))
	case "anchor": // NAME ASSIGNMENT GENERATION FRAME
		h := f.agents[at(0)]
		w := h.workers[at(1)]
		g, _ := strconv.Atoi(at(2))
		n, _ := strconv.ParseInt(at(3), 10, 64)
		f.tell(fleet.Proposal{Agent: at(0), Session: h.session, Assignment: at(1), Job: w.job, Epoch: w.epoch,
			Anchor: timeline.Anchor{Generation: uint32(g), Base: timeline.Timebase{Num: 1, Den: 90000}, Frame: n}})
	case "stale": // the next write
		f.stale = true
	case "scheduler-restarts": // everything volatile is gone
		f.view, f.settled = fleet.New(fleet.DefaultTiming()), f.now.Add(3*time.Second)
		for _, h := range f.agents {
			h.connected = false
		}
		for place, drain := range f.cordons {
			f.cordon(place, drain)
		}
		f.reconcile(slices.Sorted(maps.Keys(f.jobs))...)
	case "sleep":
		d, err := time.ParseDuration(at(0))
		if err != nil {
			return err
		}
		f.sleep(d)
	case "jobs":
		f.states()
	case "events": // ID
		for _, e := range f.jobs[at(0)].Events {
			f.say("%s: %s -> %s", e.Kind, e.Cause, e.Effect)
		}
	default:
		return fmt.Errorf("no such command")
	}
	return nil
}
