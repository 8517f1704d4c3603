// Package timeline is the arithmetic of media time: exact frame rates, the
// segment grid, anchors that put a source on it, the audio frame grid and the
// unwrapping of 33-bit clocks.
//
// Invariants: every value is an integer or a ratio of integers; the same
// inputs give the same index, boundary and name on every host and after every
// restart; nothing here counts from "when we started".
//
// It must not know clocks, sockets, goroutines, codecs or containers. Floating
// point has no place in it.
package timeline

import "errors"

// ErrBadRate: the frame rate is not a positive ratio of integers. Give one as
// 25, 29.97 or 30000/1001.
var ErrBadRate = errors.New("not a frame rate: want a positive number such as 25, 29.97 or 30000/1001")

// ErrBadGrid: the GOP or segment cannot be made of whole frames.
var ErrBadGrid = errors.New("not a usable grid")
