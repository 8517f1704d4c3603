// Package teletext finds the pages of subtitles in the teletext of a transport
// stream (ETSI EN 300 472), and cuts what is sent of one page, with the moment at
// which it was sent, out of all the rest. It does not read characters: that is
// left to a decoder, which gets each page whole and closed.
//
// Invariants: a page is complete when another header of its magazine comes, as
// ETSI EN 300 706 §B.6 has it, or when nothing more of it came for a while; what
// is damaged beyond repair is left out, never guessed.
//
// It must not know libav, cues or containers.
package teletext
