// Package version says which build this is. The linker fills it in; it knows
// nothing else.
package version

// Version and Commit are set with -ldflags -X.
var (
	Version = "dev"
	Commit  = "unknown"
)

// Protocol is the version of the agent link and of the worker socket. A peer
// with another one is refused by name.
const Protocol = 1

// String is "dev (unknown)".
func String() string { return Version + " (" + Commit + ")" }
