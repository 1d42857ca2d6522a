// Package engine decides runs: what happens next to one run of a workflow instance, as a pure function of (state,
// inputs, now, seed) that returns the new state and what follows from it, or the keys that it must be given to decide.
//
// No clock, no randomness, no I/O and no goroutine is in here. The shell (package shell) loads a State, calls
// Decide, commits the result on the revision that was read and then does what follows: sends launches, grants and
// releases permits, tells the lane, publishes events. Everything that follows is a function of the committed state
// (P7), so a crash between the commit and the sending loses nothing.
//
// The words are Maestro's: instance, run, step, attempt. Times are epoch milliseconds, 0 is "not set".
package engine
