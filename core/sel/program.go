package sel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/downbeat/downbeat/core/sel/javatext"
	"github.com/downbeat/downbeat/core/sel/joda"
	"github.com/downbeat/downbeat/core/sel/syntax"
)

// Program is a compiled expression: immutable and safe for concurrent use.
type Program struct {
	names     []string
	slotNames []string
	items     []statement
	imports   int
	literals  int
	length    int
	charge    int64
}

// Names gives the sorted names of the inputs that the program needs (section 5.7), `params` included.
func (p *Program) Names() []string { return append([]string{}, p.names...) }

// compiled is what the cache holds: a program, or the error that every attempt gives, with the memory
// that parsing counted up to it.
type compiled struct {
	prog   *Program
	err    *Error
	charge int64
}

// The cache has two generations: a program that is still used when the older one is dropped moves over.
var programs struct {
	sync.Mutex
	young, old map[string]*compiled
}

const cacheSize = 1024

// Compile parses a complete program (the bare language: no trimming, no semicolon added) within the
// production limits. Programs are cached by source. The error is an *Error.
func Compile(source string) (*Program, error) { return CompileLimited(source, Limits{}) }

// CompileLimited is Compile with limits on length and on the memory that literals take.
func CompileLimited(source string, limits Limits) (*Program, error) {
	limits = limits.filled()
	// A UTF-16 unit takes at most three bytes, so this needs no counting for most sources.
	if len(source) >= limits.Length {
		if n := javatext.Len(source); n >= limits.Length {
			return nil, &Error{Category: CatLimitLength, Message: fmt.Sprintf("Expression length is over the limit: %d vs length: %d", limits.Length, n)}
		}
	}
	c := cached(source)
	if c.charge >= limits.Memory {
		return nil, &Error{Category: CatLimitMemory, Message: fmt.Sprintf("SEL evaluation aborted as it takes too much memory (in byte) over the limit %d", limits.Memory)}
	}
	if c.err != nil {
		e := *c.err
		return nil, &e
	}
	return c.prog, nil
}

func cached(source string) *compiled {
	programs.Lock()
	c := programs.young[source]
	if c == nil {
		if c = programs.old[source]; c != nil {
			remember(source, c)
		}
	}
	programs.Unlock()
	if c != nil {
		return c
	}
	c = compile(source)
	programs.Lock()
	remember(source, c)
	programs.Unlock()
	return c
}

// remember needs the lock.
func remember(source string, c *compiled) {
	if len(programs.young) >= cacheSize {
		programs.old, programs.young = programs.young, nil
	}
	if programs.young == nil {
		programs.young = make(map[string]*compiled)
	}
	programs.young[source] = c
}

func compile(source string) *compiled {
	tree, err := syntax.Parse(source)
	if err != nil {
		var e *syntax.Error
		if !errors.As(err, &e) {
			return &compiled{err: &Error{Category: CatSyntax, Message: err.Error()}}
		}
		cat := map[syntax.ErrorKind]Category{syntax.Lexical: CatLexical, syntax.BadEscape: CatUnicodeEscape, syntax.Syntax: CatSyntax,
			syntax.BadLiteral: CatBadLiteral, syntax.TooDeep: CatLimitStack}[e.Kind]
		return &compiled{charge: e.Charge, err: &Error{Category: cat, Line: int(e.Pos.Line), Column: int(e.Pos.Col), Message: e.Message, Hint: e.Hint}}
	}
	l := &lowerer{slots: map[string]int{}}
	p := &Program{imports: tree.Imports, literals: tree.Literals, length: tree.Length, charge: tree.Charge}
	p.items = l.stmts(tree.Items, 0)
	p.slotNames = l.names
	p.names = syntax.Needed(tree, func(n string) bool {
		_, ok := predefined[n]
		return ok && n != "params"
	})
	return &compiled{prog: p, charge: tree.Charge}
}

// Complete applies the parameter layer's rule to a text: trim, then append `;` unless it is empty, ends
// in `;`, or ends in `}` and does not start with `{"` (section 1).
func Complete(expr string) string {
	t := javatext.Trim(expr)
	if t == "" || strings.HasSuffix(t, ";") || strings.HasSuffix(t, "}") && !strings.HasPrefix(t, `{"`) {
		return t
	}
	return t + ";"
}

// shift moves the place of an error in the trimmed text to that in the text as it was written.
func (e *Error) shift(written string) {
	if e.Line == 0 {
		return
	}
	lead := written[:len(written)-len(strings.TrimLeftFunc(written, func(r rune) bool { return r <= ' ' }))]
	if e.Line == 1 {
		e.Column += len(lead) - (strings.LastIndexAny(lead, "\r\n") + 1)
	}
	e.Line += strings.Count(lead, "\n") + strings.Count(lead, "\r") - strings.Count(lead, "\r\n")
}

// Eval runs a program. Errors are *Error, except those of Env with NeedsData, which come out as they
// are. ctx cancels it: the error then has category "timeout" and wraps ctx.Err().
func Eval(ctx context.Context, p *Program, env Env) (Value, error) {
	ev := newEvaluator(ctx, p, &env)
	if env.Zone != "" && env.Zone != "UTC" {
		z, err := joda.ForID(env.Zone)
		if err != nil {
			return Value{}, &Error{Category: CatZoneID, Message: err.Error()}
		}
		ev.zone = z
	}
	if p.charge >= ev.limits.Memory {
		ev.charge(p.charge)
		return Value{}, ev.err
	}
	v, ok := ev.program()
	if !ok {
		return Value{}, ev.err
	}
	return v, nil
}

func newEvaluator(ctx context.Context, p *Program, env *Env) *evaluator {
	ev := &evaluator{ctx: ctx, env: env, limits: env.Limits.filled(), prog: p, zone: joda.UTC, chunk: 4}
	// The first visit looks closer: an evaluation that is cancelled already does not begin.
	ev.stopAt = 1
	if n := len(p.slotNames) + p.literals; n > 0 {
		cells := make([]*cell, n)
		ev.vars, ev.lits = cells[:len(p.slotNames):len(p.slotNames)], cells[len(p.slotNames):]
	}
	return ev
}

func (ev *evaluator) program() (Value, bool) {
	if !ev.visit(1 + int64(ev.prog.imports)) {
		return Value{}, false
	}
	var last *cell
	end := endNormal
	for _, s := range ev.prog.items {
		if end, last = s.run(ev); end == endFailed {
			return Value{}, false
		}
		if end == endReturn || end == endThrow {
			break
		}
	}
	switch end {
	case endBreak, endContinue:
		name := map[ending]string{endBreak: "BREAK", endContinue: "CONTINUE"}[end]
		return Value{}, ev.failf(CatBreakOutside, "Invalid expression : it ends with wrong return type: %s", name)
	case endThrow:
		if ev.shows(last.str) {
			return Value{}, false
		}
		return Value{}, ev.failf(CatUser, "ERROR: %s", last.str)
	}
	if last == nil {
		return Value{typ: TypeVoid}, true
	}
	return ev.out(last, 0)
}

// EvalParameter completes, compiles and evaluates the expression of a parameter. Only data types may
// come out (IsData); a STRING may be null. Its errors are *ParamError, except those with NeedsData.
func EvalParameter(ctx context.Context, expr string, env Env) (Value, error) {
	p, err := CompileLimited(Complete(expr), env.Limits)
	var v Value
	if err == nil {
		v, err = Eval(ctx, p, env)
	}
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return Value{}, err
		}
		var need needsData
		if errors.As(err, &need) && need.NeedsData() {
			return Value{}, err
		}
		e.shift(expr)
		switch e.Category {
		case CatUser:
			return Value{}, &ParamError{Category: e.Category, Message: "Expression throws an error [" + e.Message + "] for expr=[" + expr + "]"}
		case CatTimeout, CatResultExtraction:
			return Value{}, &ParamError{ParamInternalError, e.Category, "INTERNAL_ERROR - Expression evaluation is failed with an exception for expr=[" + expr + "]", e}
		}
		return Value{}, &ParamError{ParamBadRequest, e.Category, "BAD_REQUEST - Expression evaluation throws an exception for expr=[" + expr + "]", e}
	}
	if !v.typ.IsData() {
		return Value{}, &ParamError{Category: CatResultType, Message: "Invalid return type [" + v.typ.String() + "] for expr=[" + expr + "]"}
	}
	return v, nil
}

// ParameterNames completes and compiles the expression and gives the names that it needs. Its errors
// are *ParamError.
func ParameterNames(expr string, limits Limits) ([]string, error) {
	p, err := CompileLimited(Complete(expr), limits)
	if err != nil {
		var e *Error
		errors.As(err, &e)
		e.shift(expr)
		switch e.Category {
		case CatLexical, CatUnicodeEscape, CatSyntax, CatBadLiteral, CatLimitStack:
			return nil, &ParamError{ParamBadRequest, e.Category, "BAD_REQUEST - Expression validator throws an exception for expr=[" + expr + "]", e}
		}
		return nil, &ParamError{ParamInternalError, e.Category, "INTERNAL_ERROR - Expression validation is failed with an exception for expr=[" + expr + "]", e}
	}
	return p.Names(), nil
}
