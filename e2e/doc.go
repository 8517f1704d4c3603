// Package e2e proves the farm from outside: built binaries, real processes,
// real media, a real browser. It has nothing but tests.
package e2e
