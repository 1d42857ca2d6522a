// Package engine decides runs: what happens next to one run of a workflow instance, as a pure function of (state,
// inputs, now, seed) that returns the new state and what follows from it, or the keys that it must be given to decide.
//
// No clock, no randomness, no I/O and no goroutine is in here. The shell (package app) loads a State, calls Decide,
// commits the result on the revision that was read and then does what follows: sends launches, grants and releases
// permits, tells the lane, publishes events. Everything that follows is a function of the committed state (P7), so a
// crash between the commit and the sending loses nothing.
//
// The words are Maestro's: instance, run, step, attempt. Times are epoch milliseconds, 0 is "not set".
//
// # The life of a run
//
//	PlanStart, PlanRestart   a Body: what is run, with evaluated params and the runtime DAG; the lane numbers it (Body.Number)
//	NewState                 CREATED and queued
//	Decide(Begin)            the lane has dequeued it: IN_PROGRESS, and on as far as it goes without the outside
//	Decide(Result, Action …) until a decision says Ended
//
// What a state implies is never stored: Due (when to look again), Launches and Terminations (what `execute` must do),
// Live (whether a permit is still needed), Views (the results of all steps over all runs).
//
// # The life of an attempt
//
//	CREATED > INITIALIZED > [PAUSED] > WAITING_FOR_SIGNALS > EVALUATING_PARAMS > WAITING_FOR_PERMITS > STARTING > RUNNING >
//	FINISHING > SUCCEEDED
//
// NoOp and Sleep run in here. All other leaf types are handed to `execute`: the attempt is STARTING with Outside set until
// a Result by its step uuid is folded. Steps that wait for nothing are decided in one go, with one time, so that they are
// final when they are first written.
//
// An action that ends an attempt at work outside leaves a mark (Attempt.Ending): the action was first (P22), and whatever
// result comes then ends the attempt as the action wants. Everywhere else actions take effect in the decision itself.
//
// An Env may have abilities beside the interface: TemplateEnv, NamedEnv, OutsideEnv, SignalEnv say what is missing without
// them.
//
// # Records
//
// The shell stores every attempt of Decision.Changed as an immutable record and the RunRecord as another, and makes a
// State of the latest attempt of each step. Nothing hides in unexported fields. Slices of a decision (Env.MaxSteps) give
// the same records as one go: steps go on in the order of their step instance ids, which the state alone determines.
package engine
