package agent

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// fails is a worker's end on a GPU.
func (g *gpus) fails(device, job string, code galav1.OutcomeCode) {
	g.fail.ended(&galav1.Assignment{Job: job, Device: device},
		&galav1.Outcome{Code: code, Message: "as the test says", EndedAt: timestamppb.New(time.Now())})
}

const (
	crashed  = galav1.OutcomeCode_OUTCOME_CODE_CRASHED
	stalled  = galav1.OutcomeCode_OUTCOME_CODE_STALLED
	loses    = galav1.OutcomeCode_OUTCOME_CODE_DEVICE_LOST
	finished = galav1.OutcomeCode_OUTCOME_CODE_FINISHED
	noSource = galav1.OutcomeCode_OUTCOME_CODE_SOURCE_ERROR
)

// What is wrong with a job on every device is no fault of its GPU.
func TestAJobThatFailsEverywhereBlamesNoGPU(t *testing.T) {
	f := newFailures()
	end := func(retryable bool) {
		for range suspectAfter {
			f.ended(&galav1.Assignment{Job: "x", Device: "a"}, &galav1.Outcome{
				Code: galav1.OutcomeCode_OUTCOME_CODE_ENCODER_ERROR, Retryable: retryable, EndedAt: timestamppb.New(time.Now()),
			})
		}
	}
	if end(false); f.suspect("a", nil, false, time.Now()) != "" {
		t.Error("a job that is not to be tried again blames its GPU")
	}
	if end(true); f.suspect("a", nil, false, time.Now()) == "" {
		t.Error("this test is not about anything any more")
	}
}

// A GPU that fails every worker is withdrawn though its driver calls it well, and is
// offered again when a trial has passed, each time later.
func TestAGPUThatFailsItsWorkersIsSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &driver{}
		g := d.host(t, "a", "b")
		g.run(t)
		for _, pause := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
			n := d.count()
			for _, job := range []string{"x", "y", "x"} {
				wantRoles(t, "before", g, "cpu encode, a encode, b encode")
				g.fails("a", job, crashed)
				time.Sleep(2 * time.Second)
			}
			wantRoles(t, "suspect", g, "cpu encode, a unusable, b encode")
			if why := g.offers()[1].GetRoleReason(); !strings.Contains(why, "3 workers have failed on it") || !strings.Contains(why, "as the test says") {
				t.Errorf("because %s", why)
			}
			time.Sleep(pause - 4*time.Second)
			wantRoles(t, "not yet tried", g, "cpu encode, a unusable, b encode")
			if d.count() != n {
				t.Errorf("%d trials in the pause", d.count()-n)
			}
			time.Sleep(6 * time.Second)
			wantRoles(t, "tried", g, "cpu encode, a encode, b encode")
			if d.count() != n+1 {
				t.Errorf("%d trials after it", d.count()-n)
			}
		}
		// The last pictures of those that stand still prove nothing.
		time.Sleep(time.Hour)
		for n, job := range []string{"x", "y", "x"} {
			wantRoles(t, "before it stands still", g, "cpu encode, a encode, b encode")
			d.works("a", work{sessions: 1, frames: int64(100 + 25*n), jobs: []string{job}})
			time.Sleep(2 * time.Second)
			g.fails("a", job, stalled)
		}
		time.Sleep(2 * time.Second)
		wantRoles(t, "three have stood still", g, "cpu encode, a unusable, b encode")
		time.Sleep(time.Hour)
		d.works("a", work{})
		d.answer("a", noneAt) // what it did before does not count any more
		for range 3 {
			g.fails("a", "x", loses)
		}
		time.Sleep(5 * time.Minute)
		wantRoles(t, "the trial does not pass", g, "cpu encode, a unusable, b encode")
	})
}

// What says nothing about the GPU counts for nothing.
func TestFailuresThatBlameNoGPU(t *testing.T) {
	for name, play := range map[string]func(d *driver, g *gpus){
		"of sources": func(_ *driver, g *gpus) {
			for range 5 {
				g.fails("a", "x", noSource)
			}
		},
		"with a success between": func(_ *driver, g *gpus) {
			for _, code := range []galav1.OutcomeCode{crashed, crashed, finished, crashed, crashed} {
				g.fails("a", "x", code)
			}
		},
		"seldom": func(_ *driver, g *gpus) {
			for range 5 {
				g.fails("a", "x", crashed)
				time.Sleep(3 * time.Minute)
			}
		},
		"of one job beside another that runs": func(d *driver, g *gpus) {
			d.works("a", work{jobs: []string{"x", "y"}})
			for range 5 {
				g.fails("a", "x", crashed)
			}
		},
		"of jobs that stand still beside one that does not": func(d *driver, g *gpus) {
			for n, job := range []string{"x", "y", "x", "y", "x"} {
				for second := range 3 {
					d.works("a", work{sessions: 2, frames: int64(100 + 75*n + 25*second), jobs: []string{job, "z"}})
					time.Sleep(time.Second)
				}
				g.fails("a", job, stalled)
			}
		},
		"on another device": func(_ *driver, g *gpus) {
			for range 5 {
				g.fails("cpu", "x", crashed)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &driver{}
				g := d.host(t, "a")
				g.run(t)
				play(d, g)
				time.Sleep(2 * time.Second)
				wantRoles(t, name, g, "cpu encode, a encode")
			})
		})
	}
}
