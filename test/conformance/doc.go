// Package conformance plays recorded scenarios against a server and tells what it answers differently.
//
// A scenario is a JSON file: REST calls in order, with what Maestro answered to them. The definitions and calls are our
// own. README.md describes the format and what is compared. The scenarios lie in `scenarios`, one folder an area; those
// in `events` name the status events that must be published besides.
//
// The library part plays one scenario against a base URL and returns the differences. The test of this package plays
// them all against a server in the same process and holds the outcome against pending.txt, the list of those that are
// known not to pass.
package conformance
