// Package cascade measures what is lost and what is saved when a small rung is
// scaled from a larger rung's pictures instead of the source's.
//
// Invariants: both ways see the same decoded pictures and encode them with the
// engine's own options, at the same four qualities; the intermediate pictures
// are those that the engine would pass on, 8 bits and chroma where MPEG has it;
// what is compared are whole curves of rate and quality, never single points.
//
// Quality is seen in two ways. As a viewer sees it: enlarged to the source's
// size beside the source, which favours neither way. And at the rung's own size
// beside pictures that a third scaler made. The gate is the first, by XPSNR and by
// PSNR: nobody watches the second.
package cascade
