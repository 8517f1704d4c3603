// Package store keeps job records, and what operators have cordoned: in memory,
// or in Redis.
//
// Invariants: a record changes only by compare-and-set on its revision, so
// that of two writers who read the same revision one loses and reads again; a
// watcher that is slow sees fewer intermediate forms of a record but never
// misses the newest; what was acknowledged is as durable as the store can
// make it before the call returns.
//
// It must not know what a record means: states, placements and epochs are
// decided by package reconcile.
package store

import (
	"context"
	"errors"

	"github.com/galafarm/gala/scheduler/fleet"
	"github.com/galafarm/gala/scheduler/job"
)

// ErrNotFound: no job has this id. List the jobs to see which exist.
var ErrNotFound = errors.New("no such job")

// ErrExists: the id is taken. Compare the specs, or choose another id.
var ErrExists = errors.New("a job with this id exists")

// ErrConflict: somebody wrote the record since it was read. Read it again and
// decide again.
var ErrConflict = errors.New("the job changed since it was read")

// ErrRecord: a record cannot be read by this build. It was written by a later
// one, or damaged.
var ErrRecord = errors.New("unreadable job record")

// Store keeps job records. Implementations are safe for concurrent use and
// pass the one conformance suite of this package.
type Store interface {
	// Create writes a new record and returns it with its Seq and Revision 1.
	// When the id is taken it returns the record that holds it and ErrExists.
	Create(ctx context.Context, j job.Job) (job.Job, error)
	// Restore writes back a record that the store has lost: if it holds none, or
	// one of a lower revision. Otherwise ErrConflict.
	Restore(ctx context.Context, j job.Job) (job.Job, error)
	// Get reads one record, or ErrNotFound.
	Get(ctx context.Context, id string) (job.Job, error)
	// Update writes j if the stored revision is still j.Revision, and returns
	// it with the next one; ErrConflict or ErrNotFound otherwise.
	Update(ctx context.Context, j job.Job) (job.Job, error)
	// List reads records newest first, those with Seq < before (0: from the
	// newest), at most limit.
	List(ctx context.Context, before uint64, limit int) ([]job.Job, error)
	// History reads the events of a job after the one with this number, oldest
	// first, at most limit; ErrNotFound where there is no such job. An event is
	// in it as soon as the write of the record that has it was acknowledged.
	// About job.MaxHistory of them are kept, the newest.
	History(ctx context.Context, id string, after uint64, limit int) ([]job.Event, error)
	// Watch yields every record there is, then one batch with Synced set, then
	// changes until ctx ends or the store fails; it always returns an error. A
	// batch holds each record once, in its newest form. Synced may come again,
	// after the whole content was read anew because changes may have been missed.
	Watch(ctx context.Context, yield func(Batch) error) error
	// PutCordon writes a cordon in place of the one of the same agent and device.
	PutCordon(ctx context.Context, c fleet.Cordon) error
	// DeleteCordons removes that of a device, or with device empty that of the
	// agent and of all its devices. None there is no error.
	DeleteCordons(ctx context.Context, agent, device string) error
	// Cordons are all of them, by agent and device.
	Cordons(ctx context.Context) ([]fleet.Cordon, error)
	// Ping tells whether the store answers.
	Ping(ctx context.Context) error
	Close() error
}

// Batch is what a watcher gets at once.
type Batch struct {
	Jobs []job.Job
	// Reset: a whole reading starts with this batch.
	Reset bool
	// Synced: everything that existed when the reading began has been yielded.
	Synced bool
}
