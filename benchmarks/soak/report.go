package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/galafarm/gala/benchmarks/harness"
)

// What may have moved when nothing leaks: memory that the collector has not
// given back yet, and one thread more that a system call once needed.
const (
	growthBar = 1.05
	driftBar  = 20 // ms
)

func (s *soak) record() harness.Record {
	return harness.Record{
		Name:  "soak",
		Title: "What a long time with faults leaves behind",
		What: "A live job of two rungs and sound runs on a farm of one machine (`gala up`). Beside it another job of the same kind, fed by a third, is put on air and broken again and again, " +
			"for a third of the time by every kind of fault (those of scheduler and agent hit both jobs), then by those that leave scheduler and agent alone, so that their memory can be followed.",
		How: []string{
			"Growth: every 5 s the kernel is asked for anonymous and resident memory, descriptors and threads of every process. Of those that lived through the second part, the median of a sixth of the samples, from when they were warm, is compared with the median of the last sixth.",
			"Goroutines: worker, agent and scheduler are ended by SIGQUIT, which makes them print their stacks, once young and once old, both times with the first job alone on air. Those that serve a connection each are left out: they are there for whoever asks.",
			"Sound against pictures: flash and beep of the test card, in the decoded segments that the origin has, before the first fault and after the last.",
			"The first job's origin is the farm's: when that is killed its playlists cannot be had for a moment, which is counted.",
			fmt.Sprintf("The first job's playlists are watched as by a player all the time. Faults wait %v, a quarter more or less, and until the broken job is steady again.", s.Every),
			"Left behind: media processes that run, and directories of runs, after every job has ended and the farm was stopped in order.",
		},
		Command: s.Command, Host: harness.ThisHost(), Around: *s.around, Versions: s.versions,
		Settings: []harness.Setting{
			{Key: "ladder", Value: "360p and 240p H.264, stereo AAC; live segments of 2 s of one GOP"}, {Key: "source", Value: "the test card at 640x360"},
			{Key: "time of faults", Value: s.For.String()}, {Key: "warm after", Value: s.Warm.String()},
		},
		Figures: s.figures(), Findings: s.findings(), NotMeasured: []string{"Hosts apart from each other.", "GPUs.", "Real sources: the broken job pulls playlists from another job."},
		Raw: s.found,
	}
}

func (s *soak) figures() (all []harness.Figure) {
	of := func(group, name, unit string, values ...float64) harness.Figure {
		return harness.Figure{Group: group, Name: name, Unit: unit, Dist: harness.Describe(values)}
	}
	missing, late := 0, 0
	if s.Watched != nil {
		for _, r := range s.Watched.Renditions {
			missing, late = missing+r.Gaps+r.Never, late+r.Late
		}
	}
	const job = "the job that is left alone"
	all = append(all, of(job, "segments missing", "", float64(missing)).Bound("max", 0), of(job, "segments late", "", float64(late)))
	before, after := harness.Describe(s.Before), harness.Describe(s.After)
	all = append(all, of(job, "beep after flash, before", "ms", s.Before...), of(job, "beep after flash, after", "ms", s.After...),
		of(job, "moved", "ms", abs(after.P50-before.P50)).Bound("max", driftBar))
	lost, failed, undone := 0, 0, 0
	for _, r := range s.Faults {
		lost += r.Missing
		switch {
		case !r.Done:
			undone++
		case !r.Passed:
			failed++
		}
	}
	const broken = "the job that is broken"
	all = append(all, of(broken, "faults", "", float64(len(s.Faults)-undone)), of(broken, "faults that could not be done", "", float64(undone)), of(broken, "faults that missed a bar", "", float64(failed)).Bound("max", 0),
		of(broken, "segments missing", "", float64(lost)).Bound("max", 0))
	for _, g := range s.Growth {
		name := strings.TrimSuffix(g.Role, " "+bystander)
		all = append(all, of(name, "from warm to the end", "min", g.Minutes), of(name, "memory of its own, warm", "MB", g.OwnMB[0]), of(name, "memory of its own, at the end", "MB", g.OwnMB[1]),
			of(name, "memory of its own, end / warm", "x", g.OwnMB[1]/g.OwnMB[0]).Bound("max", growthBar),
			of(name, "resident memory, end / warm", "x", g.ResidentMB[1]/g.ResidentMB[0]),
			of(name, "descriptors, end − warm", "", g.Descriptors[1]-g.Descriptors[0]).Bound("max", 0), of(name, "threads, end − warm", "", g.Threads[1]-g.Threads[0]))
	}
	for _, kind := range []string{"worker", "agent", "gala"} {
		all = append(all, of(kind, "goroutines, young", "", float64(s.Young[kind].own())), of(kind, "goroutines, old − young", "", float64(s.Old[kind].own()-s.Young[kind].own())).Bound("max", 0))
	}
	return append(all, of("left behind", "media processes", "", float64(len(s.Processes))).Bound("max", 0), of("left behind", "directories of runs that nobody heard the end of", "", float64(len(s.Files))).Bound("max", 0),
		of("left behind", "directories of other runs that are kept", "", float64(s.Kept)))
}

func (s *soak) findings() (said []string) {
	for _, b := range s.Broken {
		said = append(said, "The job that is left alone: "+b)
	}
	for _, r := range s.Faults {
		if !r.Passed {
			said = append(said, fmt.Sprintf("%s at %s: %s.", r.Fault, r.At.UTC().Format(time.TimeOnly), r.Why))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(s.Old)) {
		if more := s.Old[kind].more(s.Young[kind]); len(more) > 0 {
			said = append(said, fmt.Sprintf("More goroutines of %s than when it was young: %s.", kind, strings.Join(more, ", ")))
		}
	}
	if len(s.Processes)+len(s.Files) > 0 {
		said = append(said, "Left behind: "+strings.Join(append(s.Processes, s.Files...), ", ")+".")
	}
	return said
}

func abs(x float64) float64 { return max(x, -x) }
