// Package wire is Maestro's JSON conventions, in one place: parsing, reading into models, writing.
//
// # Trees
//
// Parse gives a Value: null, boolean, number with its exact text, string, array, or object whose members
// keep their order. Of members with the same name the last one counts, at the place of the first.
// Value.AppendJSON writes it back, compact, in the same order, numbers exact.
//
// # Reading models
//
//	o, err := wire.Open(value, "")             // errors unless it is an object
//	w.ID = o.Str("id")                         // "" when absent or null
//	w.Name = o.StrOpt("name")                  // nil when absent or null
//	w.FailureMode = o.Enum("failure_mode", failureModes)
//	if t := o.Object("transition"); t != nil { … t.Close() }
//	for i, n := range o.List("steps") { … n.Object() … }
//	for _, m := range o.Members("params") { m.Name, m.Node … }
//	err = o.Close()                            // first error of anything read below, or an unknown member
//
// Errors stick: after the first one getters return zero values, so that only Close is checked. Getters apply
// Maestro's coercions (numbers in texts, texts of numbers, letter case of enums, null as absent). Members that
// no getter has asked for are unknown: Close refuses them, Rest hands them out as extras.
//
// # Writing
//
// Writer appends members in the order of the calls, with commas of its own; the …Opt and …If forms leave
// absent members out. Nothing is built in between.
//
// # Errors
//
// *Error names the path (or line and column) and the rule. errors.As finds a *fault.Error in it: BAD_REQUEST
// with the message `JSON parse error: …`.
//
// # Text
//
// A surrogate without its partner, which JSON can express by \uD800 and Go strings cannot, is held as the three
// bytes its code would have, and written as an escape again.
package wire
