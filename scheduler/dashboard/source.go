package dashboard

import (
	"context"

	galav1 "github.com/galafarm/gala/proto/gala/v1"
)

// Source is where the page's data comes from.
type Source interface {
	// Snapshot is everything as it is now: jobs newest first, and the fleet.
	Snapshot(ctx context.Context) (View, error)
	// Subscribe sends every change that happens after it returned, until ctx
	// ends. A source may merge changes, send one twice, and close the channel
	// of a subscriber that does not keep up: the page then starts anew.
	Subscribe(ctx context.Context) (<-chan Change, error)
}

// View is the whole state of the page.
type View struct {
	Jobs   []*galav1.Job
	Agents []*galav1.AgentView
}

// Change is what is new; fields that did not change are nil.
type Change struct {
	// Job is a job as it is now. Of two versions the higher revision counts.
	Job *galav1.Job
	// Agents is the whole fleet as it is now; empty but not nil when the last
	// agent has gone.
	Agents []*galav1.AgentView
}
