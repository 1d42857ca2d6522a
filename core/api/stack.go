package api

import "runtime/debug"

// stack is the stack of a handler that died, for the log.
func stack() string { return string(debug.Stack()) }
