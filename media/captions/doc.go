// Package captions carries closed captions (CEA-608 and CTA-708, in the cc_data
// of ATSC A/53 part 4 §6.2.3) from the pictures of a source to those of a
// rendition: a Dealer hands them out again at another frame rate, Channels says
// which ones there are, Insert and Extract put them into coded frames and read
// them there.
//
// Invariants: what is not padding comes out once and in the order it came in;
// a frame carries no more than its share of the 9600 bit/s that a caption
// channel has, unless a source brings more. Padding is not passed on: it would
// only cost the small rungs bits.
//
// It must not know libav, packagers or playlists.
package captions
