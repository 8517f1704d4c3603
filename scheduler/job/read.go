package job

import (
	"encoding/json"
	"time"
)

// firstForm is what records of version 1 hold of a job's one run.
type firstForm struct {
	Version     int              `json:"version"`
	Placements  []Placement      `json:"placements"`
	Epoch       uint64           `json:"epoch"`
	OnAir       bool             `json:"on_air"`
	Published   map[string]int64 `json:"published"`
	PublishedAt time.Time        `json:"published_at"`
	Retry       Retry            `json:"retry"`
	Totals      map[string]Total `json:"totals"`
}

// UnmarshalJSON reads a record of a build that knew one place alone, too: where there
// were failures it is the place of the newest.
func (r *Retry) UnmarshalJSON(b []byte) error {
	type plain Retry // without this method
	if err := json.Unmarshal(b, (*plain)(r)); err != nil {
		return err
	}
	if r.Failures > 0 && len(r.Failed) == 0 && r.Last != "" {
		r.Failed = []Failure{{Place: r.Last, At: r.NotBefore}}
	}
	return nil
}

// UnmarshalJSON reads this form and the one before it.
func (j *Job) UnmarshalJSON(b []byte) error {
	type plain Job // without this method
	if err := json.Unmarshal(b, (*plain)(j)); err != nil {
		return err
	}
	if j.Version != 1 {
		return nil
	}
	var old firstForm
	if err := json.Unmarshal(b, &old); err != nil {
		return err
	}
	r := Replica{Epoch: old.Epoch, OnAir: old.OnAir, Published: old.Published, PublishedAt: old.PublishedAt, Retry: old.Retry, Totals: old.Totals}
	if len(old.Placements) > 0 {
		r.Placement = &old.Placements[0]
	}
	j.Replicas = []Replica{r}
	return nil
}
