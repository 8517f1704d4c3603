// Package texture draws a clip that is hard to encode, from nothing: the same
// bytes on every machine, so that a benchmark at a size for which no free clip
// is at hand can be repeated by anyone.
//
// The scene is four layers of noise at scales from leaves to sand, over a slow
// gradient, that move at different speeds, with discs that cross it and cover
// what is behind them, and a grain that no encoder can predict.
//
// Invariants: integers only; a frame depends on its number and size alone.
package texture
