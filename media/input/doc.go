// Package input opens what a job reads. It is the only way in: paths and URLs
// are held against rules, redirects and resolved addresses too, and playlists
// are recognised by their first bytes and refused with the reason, whatever
// their name says.
//
// It must not know codecs or jobs.
package input
