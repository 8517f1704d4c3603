package reconcile_test

import (
	"testing"

	"github.com/galafarm/gala/ladders"
	"github.com/galafarm/gala/media"
	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// made is what an attempt has made of a rendition: encoded frames, of which so
// many are in its published segments, to number last.
type made struct {
	name                            string
	frames, published, segments, at int64
}

// tell reports what the job's one worker has made, and that it crashed.
func (f *farm) crashed(id string, all ...made) {
	pl := f.jobs[id].Placements()[0]
	h := f.agents[pl.Agent]
	w := h.workers[pl.Assignment]
	delete(h.workers, pl.Assignment)
	status := &fleet.Status{FirstSegment: true}
	for _, m := range all {
		status.Renditions = append(status.Renditions, fleet.Progress{Name: m.name, Frames: m.frames, PublishedFrames: m.published,
			Segments: m.segments, Bytes: 1000 * m.segments, LastSegment: m.at})
	}
	report := fleet.Report{Agent: pl.Agent, Session: h.session, Assignment: pl.Assignment, Job: id, Epoch: w.epoch, Status: status}
	f.tell(report)
	report.Status, report.Outcome = nil, &media.Error{Code: media.Crashed, Message: "killed"}
	f.tell(report)
}

// What is shown of a job that was resumed are the frames of its tree: neither
// those of a segment that was open, nor those of one that is made again.
func TestTotalsAreThoseOfTheTree(t *testing.T) {
	f := newFarm()
	f.attach("a1", 100_000_000, true)
	f.submit(job.VOD, "film", 0, "in", 1)
	f.answer("a1", nil)
	j := f.jobs["film"].Clone()
	j.Renditions = append(j.Renditions, ladders.Rendition{Name: "sound", Audio: &ladders.Audio{Codec: "aac", SampleRate: 48000, Channels: 2}})
	f.jobs["film"] = j
	// Segments of 50 pictures, and of 93.75 frames of sound: 94, 94, 94, 93.
	f.crashed("film", made{"480p", 136, 100, 2, 1}, made{"sound", 400, 375, 4, 3})
	want := func(when string, pictures, sound, segments int64) {
		t.Helper()
		totals := f.jobs["film"].Replicas[0].Totals
		if v, a := totals["480p"], totals["sound"]; v.Frames != pictures || a.Frames != sound || v.Segments != segments || a.Segments != segments {
			t.Errorf("%s: %+v and %+v, want %d and %d frames in %d segments each", when, v, a, pictures, sound, segments)
		}
	}
	f.sleep(3e9)
	if j := f.jobs["film"]; !j.Placed() || j.Placements()[0].ResumedAt != 1 {
		t.Fatalf("not resumed after segment 1: %+v", j.Placements())
	}
	want("resumed after segment 1", 100, 188, 2)
	f.crashed("film", made{"480p", 0, 0, 0, -1}, made{"sound", 0, 0, 0, -1})
	f.sleep(20e9)
	if j := f.jobs["film"]; !j.Placed() || j.Placements()[0].Attempt != 3 {
		t.Fatalf("not placed again: %+v", j.Placements())
	}
	want("resumed by an attempt that made nothing", 100, 188, 2)
	f.crashed("film", made{"480p", 120, 100, 2, 3}, made{"sound", 190, 187, 2, 3})
	want("after three attempts", 200, 375, 4)
}
