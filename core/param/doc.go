// Package param is Maestro's parameters: the two forms that a parameter has, their JSON, how layers of them
// merge, how they are evaluated, and what is evaluated besides them (conditions, texts, time limits).
//
// Everything here is a pure function of its arguments: time is an argument, ids come with the built-in
// definitions, and what an expression reads outside of its scope comes from an interface that may answer
// "not loaded yet" (see NeedError).
package param
