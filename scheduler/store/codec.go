package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/galafarm/gala/scheduler/fleet"
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
	j.Seq, j.Kept = seq, j.Recorded
	return j, nil
}

// cordonKey names a cordon; no name of an agent holds a slash.
func cordonKey(agent, device string) string { return agent + "/" + device }

// readCordons reads them as they are kept: by their keys, as JSON.
func readCordons(kept map[string]string) ([]fleet.Cordon, error) {
	var all []fleet.Cordon
	for _, key := range slices.Sorted(maps.Keys(kept)) {
		var c fleet.Cordon
		if err := json.Unmarshal([]byte(kept[key]), &c); err != nil {
			return nil, fmt.Errorf("cordon of %s: %w: %w", key, ErrRecord, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// cordonKeys are those that DeleteCordons removes.
func cordonKeys(kept map[string]string, agent, device string) (keys []string) {
	for key := range kept {
		if key == cordonKey(agent, device) || device == "" && strings.HasPrefix(key, cordonKey(agent, "")) {
			keys = append(keys, key)
		}
	}
	return keys
}

func encodeCordon(c fleet.Cordon) (string, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encoding the cordon of %s: %w", c, err)
	}
	return string(b), nil
}
