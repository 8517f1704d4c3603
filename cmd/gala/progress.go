package main

import (
	"fmt"
	"sync/atomic"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how far jobs are.
type progress interface {
	update(*galav1.Job)
	close()
}

func (sh *shell) newProgress(ids []string) progress {
	if sh.terminal && sh.flags.Output == asTable {
		return newBars(sh, ids)
	}
	return &lines{sh: sh, tenth: map[string]uint32{}, state: map[string]galav1.JobState{}}
}

// lines is for logs and pipes: a line per state and per tenth.
type lines struct {
	sh    *shell
	tenth map[string]uint32
	state map[string]galav1.JobState
}

func (l *lines) update(j *galav1.Job) {
	id, tenth := j.GetSpec().GetId(), j.GetProgressPermille()/100
	if l.state[id] == j.GetState() && l.tenth[id] == tenth {
		return
	}
	l.state[id], l.tenth[id] = j.GetState(), tenth
	if j.GetState() == galav1.JobState_JOB_STATE_RUNNING {
		fmt.Fprintf(l.sh.err, "%s: running, %d%%\n", id, tenth*10)
		return
	}
	fmt.Fprintf(l.sh.err, "%s: %s\n", id, withReason(j))
}

func (l *lines) close() {}

// bars is for people: a bar per job.
type bars struct {
	all  *mpb.Progress
	bars map[string]*bar
}

// bar is one job's. What it says is written by the watch and read by the
// goroutine that draws.
type bar struct {
	*mpb.Bar
	says atomic.Value // string
}

func newBars(sh *shell, ids []string) *bars {
	b := &bars{
		all:  mpb.NewWithContext(sh.ctx, mpb.WithOutput(sh.err), mpb.WithWidth(40)),
		bars: map[string]*bar{},
	}
	for _, id := range ids {
		one := &bar{}
		one.says.Store("")
		one.Bar = b.all.AddBar(1000,
			mpb.PrependDecorators(decor.Name(id, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace), decor.Any(one.tail)))
		b.bars[id] = one
	}
	return b
}

func (b *bar) tail(decor.Statistics) string { return "  " + b.says.Load().(string) }

func (b *bars) update(j *galav1.Job) {
	one := b.bars[j.GetSpec().GetId()]
	says := withReason(j)
	if speed := slowest(j); speed != "-" {
		says = stateWord(j.GetState()) + " " + speed
	}
	one.says.Store(says)
	switch {
	case j.GetState() == galav1.JobState_JOB_STATE_DONE:
		one.SetCurrent(1000)
	case client.Ended(j.GetState()):
		one.Abort(false)
	default:
		one.SetCurrent(int64(min(j.GetProgressPermille(), 999)))
	}
}

func (b *bars) close() {
	for _, one := range b.bars {
		one.Abort(false) // no effect on one that is complete
	}
	b.all.Wait()
}
