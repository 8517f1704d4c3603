// Package fakeworker is a worker program for tests: it speaks the agent's side
// of the contract (runtime directory, socket, outcome file) and behaves as a
// script says, badly if asked to. It knows no media; the script is the input
// of the assignment.
package fakeworker
