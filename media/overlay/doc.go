// Package overlay draws logos and lines of text for pictures: as plates, whose
// samples are of the pictures' own kind, with how much each covers. Who holds
// the pictures lays the plates over them.
//
// Invariants: what is drawn follows from the ladder, the logos' bytes, the kind
// of picture and the frame's index on the grid alone, so that two hosts draw the
// same samples into the same frame; nothing lies outside the picture, however
// small it is; what does not fit is made smaller.
//
// It must not know libav, the wire, files or the clock.
package overlay
