// Package view writes what readers of the API see of instances, runs and steps: their JSON, overviews and roll-ups,
// pages of lists, action maps, and the answers to actions; and it turns committed changes into the events that are
// published. Everything is a pure function of state; nothing here decides or loads.
//
// Encoders append to a byte slice and return it with an error, which only a raw value that is not JSON can cause. The
// order of members is Maestro's (engine-json-and-events.md 2 and 3): clients must not depend on it, byte-level tests
// may.
package view
