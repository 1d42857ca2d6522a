// Package definition is workflow definitions: their JSON and YAML forms, what is accepted and what is
// refused, and what a push, an update of properties or an activation does to a workflow id.
//
// Reading is strict where Maestro is strict (unknown members, wrong kinds) and lenient where it is
// lenient (numbers in texts, letter case); writing is in Maestro's order and keeps what was given:
// absent members stay absent, exact decimals keep their digits. A definition is an immutable value
// after it was read.
//
// Deciding functions (ApplyPush, ApplyProperties, ApplyActivate …) take the state of a workflow id, the
// request, the caller and the time, and return the new state with everything to store and to publish.
// Errors that the caller of the API is shown are *fault.Error.
package definition
