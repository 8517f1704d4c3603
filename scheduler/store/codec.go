package store

import (
	"encoding/json"
	"fmt"

	"github.com/galafarm/gala/scheduler/job"
)

// encode is the form in which a record is kept. Both stores keep bytes, so
// that neither shares memory with its callers and both round what JSON rounds.
func encode(j job.Job) ([]byte, error) {
	j.Version = job.RecordVersion
	b, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("encoding job %s: %w", j.Spec.ID, err)
	}
	return b, nil
}

func decode(id string, seq uint64, body []byte) (job.Job, error) {
	var j job.Job
	if err := json.Unmarshal(body, &j); err != nil {
		return j, fmt.Errorf("job %s: %w: %w", id, ErrRecord, err)
	}
	if j.Version > job.RecordVersion {
		return j, fmt.Errorf("job %s: %w: version %d, this build reads up to %d: run the newer build",
			id, ErrRecord, j.Version, job.RecordVersion)
	}
	j.Seq = seq
	return j, nil
}
