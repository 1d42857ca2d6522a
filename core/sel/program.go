package sel

import (
	"context"
	"errors"
)

// Program is a compiled expression: immutable and safe for concurrent use.
type Program struct {
	names []string
}

// Names gives the sorted names of the inputs that the program needs (section 5.7), `params` included.
func (p *Program) Names() []string { return append([]string(nil), p.names...) }

// Compile parses a complete program (the bare language: no trimming, no semicolon added) within the
// production limits. Programs are cached by source.
func Compile(source string) (*Program, error) { return CompileLimited(source, Limits{}) }

// CompileLimited is Compile with limits on length and on the memory that literals take.
func CompileLimited(source string, limits Limits) (*Program, error) {
	return nil, errors.New("sel: not implemented yet")
}

// Complete applies the parameter layer's rule to a text: trim, then append `;` unless it is empty, ends
// in `;`, or ends in `}` and does not start with `{"` (section 1).
func Complete(expr string) string { return expr }

// Eval runs a program. ctx cancels it: the error then wraps ctx.Err().
func Eval(ctx context.Context, p *Program, env Env) (Value, error) {
	return Value{}, errors.New("sel: not implemented yet")
}

// EvalParameter completes, compiles and evaluates the expression of a parameter. Only data types may
// come out (IsData); a STRING may be null. Its errors are *ParamError, except those with NeedsData.
func EvalParameter(ctx context.Context, expr string, env Env) (Value, error) {
	return Value{}, errors.New("sel: not implemented yet")
}

// ParameterNames completes and compiles the expression and gives the names that it needs. Its errors
// are *ParamError.
func ParameterNames(expr string, limits Limits) ([]string, error) {
	return nil, errors.New("sel: not implemented yet")
}
