// Package inserter puts pages of teletext beside the pictures of a transport
// stream, as a broadcaster's inserter does. There is no recording of subtitles
// that may be passed on, so tests make their own of a real clip and known words.
//
// Invariants: a page is sent when the stream's own clock comes to it, as EN 300 472
// §5 has it, not when the pictures for it are sent; all packets have good parity
// and Hamming codes. It must not know libav. Nothing but tests uses it.
package inserter
