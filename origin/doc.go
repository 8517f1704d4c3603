// Package origin is the farm's own small HTTP origin: a directory that workers
// write job trees to and that players, CDNs and verifiers read from.
//
// It serves /origin/JOB/… : PUT and DELETE for writers; GET and HEAD with
// ranges, conditions, CORS and gzip for everybody.
//
// Invariants:
//
//   - An object is visible whole or not at all: a PUT goes to a hidden file and
//     is moved into place when its last byte has arrived.
//   - A segment or init segment never changes: the first complete one wins, and
//     a later PUT of the name is answered 200 without effect.
//   - A writer with an older lease epoch than one seen before is refused with
//     409, also after a restart and also when it began before its successor.
//
// Epochs are kept per folder of a job's tree: the job's own folder (the
// manifests) and each rendition's. One epoch for the whole tree would be wrong:
// a job may be split over several assignments, each with a lease and a count of
// its own. The highest epoch of every folder is in JOB/.gala/epochs.json before
// the first byte written under it is visible. A writer that sends no epoch
// counts as epoch 0, so that plain tools can fill a tree that the farm does not
// run, and cannot disturb one that it does.
//
// One process serves a directory at a time (a lock file says so), because two
// would not see each other's epochs.
//
// The package knows nothing of jobs, agents or media: a tree is a name, and what
// an object is follows from its file name. Of a steering manifest it knows how to
// tell it to one viewer, and not why it says what it says.
package origin
