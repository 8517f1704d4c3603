package job

import (
	"maps"
	"slices"

	"github.com/galafarm/gala/timeline"
)

// Inputs is what the record knows of a live job's inputs beside its first anchors.
type Inputs struct {
	// Order is the operator's newest wish.
	Order InputOrder `json:"order,omitzero"`
	// Anchors of the backups, by input, the newest last.
	Anchors map[int][]timeline.Anchor `json:"anchors,omitempty"`
}

// OnScreen is which input a replica shows, as its workers told.
type OnScreen struct {
	// Input was shown last: 0 is the spec's input, 1 its first backup.
	Input int `json:"input,omitempty"`
	// Obeyed is the operator's newest order that was carried out.
	Obeyed int64 `json:"obeyed,omitempty"`
	// LagUS is how far the grid is ahead of what comes, in µs.
	LagUS int64 `json:"lag_us,omitempty"`
	// Of the worker with Epoch, the newest events that are recorded: of its inputs,
	// and of its own.
	Epoch uint64 `json:"epoch,omitempty"`
	Event int64  `json:"event,omitempty"`
	Own   int64  `json:"own,omitempty"`
}

// InputOrder is a wish of the operator. Numbers count up from 1.
type InputOrder struct {
	Input  int   `json:"input"`
	Number int64 `json:"number"`
}

// clone shares nothing that is changed in place.
func (i Inputs) clone() Inputs {
	i.Anchors = maps.Clone(i.Anchors)
	for k, all := range i.Anchors {
		i.Anchors[k] = slices.Clone(all)
	}
	return i
}

// AnchorsOf are those of an input, the newest last.
func (j *Job) AnchorsOf(input int) []timeline.Anchor {
	if input == 0 {
		return j.Anchors
	}
	return j.Inputs.Anchors[input]
}

// SetAnchors replaces those of an input.
func (j *Job) SetAnchors(input int, all []timeline.Anchor) {
	if input == 0 {
		j.Anchors = all
		return
	}
	if j.Inputs.Anchors == nil {
		j.Inputs.Anchors = map[int][]timeline.Anchor{}
	}
	j.Inputs.Anchors[input] = all
}
