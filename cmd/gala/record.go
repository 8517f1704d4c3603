package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/galafarm/gala/client"
	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

type recordCmd struct {
	jobArg
	Follow bool `help:"Go on with each new event until the job has ended."`
}

// Run writes the whole history of a job, a line of JSON for each event
// whatever -o says: it is made to be kept in a file.
func (c *recordCmd) Run(sh *shell) error {
	farm, err := sh.farm()
	if err != nil {
		return err
	}
	defer farm.Close()
	last, err := c.page(sh, farm, 0)
	if err != nil || !c.Follow {
		return err
	}
	for job, err := range farm.Watch(sh.ctx, sh.watch(c.ID)) {
		if err != nil {
			return err
		}
		if events := job.GetEvents(); len(events) == 0 || events[len(events)-1].GetSeq() == last {
			continue
		}
		if last, err = c.page(sh, farm, last); err != nil {
			return err
		}
	}
	return nil
}

// line is one event in the file.
type line struct {
	Job    string    `json:"job"`
	Seq    uint64    `json:"seq"`
	Time   time.Time `json:"time"`
	Kind   string    `json:"kind"`
	Cause  string    `json:"cause,omitempty"`
	Effect string    `json:"effect,omitempty"`
}

// page writes the events after one, and says which was the last.
func (c *recordCmd) page(sh *shell, farm *client.Client, after uint64) (last uint64, err error) {
	last = after
	for e, err := range farm.Events(sh.ctx, c.ID, after) {
		if err != nil {
			return last, err
		}
		if err := c.write(sh, e); err != nil {
			return last, err
		}
		last = e.GetSeq()
	}
	return last, nil
}

func (c *recordCmd) write(sh *shell, e *galav1.JobEvent) error {
	text, err := json.Marshal(line{c.ID, e.GetSeq(), e.GetTime().AsTime(), e.GetKind(), e.GetCause(), e.GetEffect()})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(sh.out, string(text))
	return err
}
