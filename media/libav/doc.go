// Package libav is the media engine: one decode of a source, its frames put on
// the job's grid, and every rendition scaled, encoded and handed over as
// packets that carry their place on the grid.
//
// Invariants: only this package imports go-astiav; every open goes through a
// checked Go reader, so libavformat itself touches neither files nor sockets;
// an IDR is forced by grid index and never by counting; encoders' decode times
// are discarded; whatever is repaired is said in a note.
//
// It must not know playlists, segments on disk, gRPC or who asked.
package libav
