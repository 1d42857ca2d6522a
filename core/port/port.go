// Package port has what the ports to queues, blobs and buses share: the error that every implementation returns. The
// Table port has its own, which says more.
package port

import (
	"context"
	"errors"
	"fmt"
)

// Code is what a caller can do about an error.
type Code uint8

// The codes. What these ports do may be repeated after any of them but CodeInvalid: delivery is at least once anyway,
// and a body has one content.
const (
	CodeThrottled Code = iota + 1 // too much at once: repeat later; what is named in the error did not happen
	CodeUnknown                   // no answer, or the caller gave up: it may have happened or not
	CodeInvalid                   // the request can never succeed (too large, bad key)
	CodeInternal                  // anything else: no permission, no such queue, a closed store
)

func (c Code) String() string {
	switch c {
	case CodeThrottled:
		return "throttled"
	case CodeUnknown:
		return "unknown outcome"
	case CodeInvalid:
		return "invalid"
	}
	return "internal"
}

// Error is every error of a queue, blob store or bus.
type Error struct {
	Code  Code
	Op    string // what was done: "send", "put blob"
	Name  string // to what: the queue, the key, the bus
	Cause error
}

func (e *Error) Error() string {
	if e.Code == CodeInternal {
		return fmt.Sprintf("%s %s: %v", e.Op, e.Name, e.Cause)
	}
	return fmt.Sprintf("%s %s: %s: %v", e.Op, e.Name, e.Code, e.Cause)
}

func (e *Error) Unwrap() error { return e.Cause }

// CodeOf is the code of an error, CodeInternal for one that is not a port's, 0 for nil.
func CodeOf(err error) Code {
	if err == nil {
		return 0
	}
	var pe *Error
	if errors.As(err, &pe) {
		return pe.Code
	}
	return CodeInternal
}

// Invalid is the error of a request that can never succeed.
func Invalid(op, name string, cause error) error {
	return &Error{Code: CodeInvalid, Op: op, Name: name, Cause: cause}
}

// Local is the error of an implementation that has no service behind it: what ended because the caller gave up has an
// unknown outcome, as it has with a service, everything else is internal. It is nil for nil.
func Local(op, name string, cause error) error {
	if cause == nil {
		return nil
	}
	code := CodeInternal
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		code = CodeUnknown
	}
	return &Error{Code: code, Op: op, Name: name, Cause: cause}
}
