// Package fault is the error that a caller of the API is shown: a code that says what the caller can
// do, a sentence, and a list of details. Every package of core returns it for failures that the caller
// caused or can react to; any other error is internal.
package fault

import (
	"errors"
	"fmt"
	"net/http"
)

// Code is the name that stands in the `status` member of an error body. Clients act on it.
type Code string

// The codes in Maestro's spelling, each with its HTTP status.
const (
	BadRequest          Code = "BAD_REQUEST"          // 400: unreadable or invalid input, action not possible in this status
	Unauthorized        Code = "UNAUTHORIZED"         // 401
	Forbidden           Code = "FORBIDDEN"            // 403
	NotFound            Code = "NOT_FOUND"            // 404
	RequestTimeout      Code = "REQUEST_TIMEOUT"      // 408: a blocking action did not take effect in time
	Conflict            Code = "CONFLICT"             // 409: duplicates, another action pending, deletion in progress
	Gone                Code = "GONE"                 // 410
	PreconditionFailed  Code = "PRECONDITION_FAILED"  // 412: a run strategy cannot be changed now
	UnprocessableEntity Code = "UNPROCESSABLE_ENTITY" // 422: trigger type disabled, inline workflow addressed
	InternalError       Code = "INTERNAL_ERROR"       // 500
	BadGateway          Code = "BAD_GATEWAY"          // 502
)

// Status is the HTTP status of the code; 500 for a code that is none of the above.
func (c Code) Status() int {
	switch c {
	case BadRequest:
		return http.StatusBadRequest
	case Unauthorized:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case RequestTimeout:
		return http.StatusRequestTimeout
	case Conflict:
		return http.StatusConflict
	case Gone:
		return http.StatusGone
	case PreconditionFailed:
		return http.StatusPreconditionFailed
	case UnprocessableEntity:
		return http.StatusUnprocessableEntity
	case BadGateway:
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}

// Error is a failure that is shown to the caller. Message is a sentence without internals; Errors is
// empty or lists the details, one violation each.
type Error struct {
	Code    Code
	Message string
	Errors  []string
}

// Error gives the message, with the code in front.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Status is the HTTP status of the error's code.
func (e *Error) Status() int { return e.Code.Status() }

// New makes an error with a formatted message and no details.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// With returns a copy of the error with the details added to its list.
func (e *Error) With(details ...string) *Error {
	c := *e
	c.Errors = append(append([]string(nil), e.Errors...), details...)
	return &c
}

// CodeOf is the code of the first *Error in err's chain, InternalError for any other error, and "" for
// nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var f *Error
	if errors.As(err, &f) {
		return f.Code
	}
	return InternalError
}

// Of is the first *Error in err's chain, or a new one with code InternalError and err's text. It is nil
// for nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	return &Error{Code: InternalError, Message: err.Error()}
}
