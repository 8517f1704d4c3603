// Package dashboard is the farm's one page: it lists jobs and the fleet, and
// plays a job's ladder.
//
// The page is plain ES modules, embedded in the binary, and asks nothing of any
// other host. It is fed by server-sent events: first everything, then changes,
// and after a lost connection everything again, so that a page that reconnects
// is right without remembering where it was.
//
// The player, hls.js, comes from npm when the project is built and is embedded
// when it was there; a binary built without it says on the page how to get it.
//
// The package must not know how jobs are scheduled or stored: it shows what a
// Source hands it.
package dashboard
