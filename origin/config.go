package origin

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"
)

// Config says what to serve. Only Root must be set.
type Config struct {
	// Root is the directory; it is created when missing.
	Root string
	// Token, when set, is what writers send as "Authorization: Bearer …" from
	// anywhere. When empty, only writers on this machine are let in.
	Token string
	// Public is the address by which viewers reach what lies below Prefix, where that is
	// not the one that they write (behind a CDN): https://cdn.example/live/.
	Public string
	// MaxObject is the largest object taken, in bytes; 0 means 16 GiB.
	MaxObject int64
	// BodyIdle is how long a writer may send nothing, and BodyTotal how long
	// one PUT may last; 0 means 20 s and 30 min.
	BodyIdle, BodyTotal time.Duration
	// PlaylistMemory bounds the bytes of playlists kept in memory, raw and
	// compressed; 0 means 64 MiB.
	PlaylistMemory int64
	// NoSync leaves it to the kernel when objects reach the disk: faster, but a
	// power cut may then leave empty files. Epochs are synced all the same.
	NoSync bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	Log *slog.Logger
	// Observe, when set, is told of every request once it was answered. It is
	// called on the request's goroutine and must not block.
	Observe func(Request)
}

// Request is what Observe is told, ready to become metrics: Class is one of a
// few words, never a name that a client chose.
type Request struct {
	Method   string
	Class    Class
	Status   int
	Bytes    int64 // of the answer's body, or of the object taken by a PUT
	Duration time.Duration
}

func (c Config) withDefaults() Config {
	c.MaxObject = cmp.Or(c.MaxObject, 16<<30)
	c.BodyIdle = cmp.Or(c.BodyIdle, 20*time.Second)
	c.BodyTotal = cmp.Or(c.BodyTotal, 30*time.Minute)
	c.PlaylistMemory = cmp.Or(c.PlaylistMemory, 64<<20)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Headers of the farm's own.
const (
	// EpochHeader carries a writer's lease epoch, and comes back when its object
	// was stored; on a 409 it carries the higher one that fenced it.
	EpochHeader = "Gala-Epoch"
	// DuplicateHeader is KeptFirst on a 200 to a PUT of a segment that exists
	// with other bytes, and Identical when they are the same.
	DuplicateHeader = "Gala-Duplicate"
	KeptFirst       = "kept-first"
	Identical       = "identical"
)

// Prefix is the path that an Origin serves under.
const Prefix = "/origin/"

// status keeps the shape of an error answer in one place.
type status struct {
	code int
	text string // a sentence for a person, with what to do next
}

func (s *status) Error() string { return s.text }

var errNotFound = &status{http.StatusNotFound, "no such object"}
