// Package proto is the home of the wire types: gala/v1 holds the .proto files
// with the Go code generated from them, which is committed.
//
// Generated types stop at the edges of a program: internal/wire turns them
// into the words of ladders, timeline and media. It must not hold logic.
package proto

//go:generate ./generate.sh
