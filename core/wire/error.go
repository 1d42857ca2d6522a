package wire

import (
	"fmt"

	"github.com/downbeat/downbeat/core/fault"
)

// Error is input that is not JSON or not what the reader expected there.
type Error struct {
	Path   string // where in the document: `workflow.steps[0].id`; "" for the document itself and for syntax errors
	Line   int    // from 1; 0 unless it is a syntax error
	Column int    // in bytes from 1; 0 unless it is a syntax error
	Msg    string // the rule, lower case unless a client looks for the text
}

func (e *Error) Error() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
	case e.Path != "":
		return e.Path + ": " + e.Msg
	}
	return e.Msg
}

// As shows the error to package fault as a BAD_REQUEST.
func (e *Error) As(target any) bool {
	f, ok := target.(**fault.Error)
	if ok {
		*f = fault.New(fault.BadRequest, "JSON parse error: %s", e.Error())
	}
	return ok
}
