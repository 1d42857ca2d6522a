// Package sel is SEL, the language of Maestro's parameter expressions, whose observable behaviour is
// that of a small Java on Joda-Time. docs/sel.md lists what is reproduced and what is not.
//
// The whole API on one page:
//
//	p, err := sel.Compile("a + 1;")            // cached, immutable, safe for concurrent use
//	p.Names()                                  // the inputs it needs: ["a"]
//	v, err := sel.Eval(ctx, p, sel.Env{Inputs: map[string]sel.Value{"a": sel.Long(1)}})
//
// and for the parameter layer, which completes the text (Complete), restricts the result's type and
// wraps errors:
//
//	names, err := sel.ParameterNames("a + 1", limits)
//	v, err := sel.EvalParameter(ctx, "a + 1", env)
//	v, note, err := sel.Convert("name", sel.ParamDouble, v)
//	text, err := sel.Interpolate("t_${region}", lookup)
//
// Values: Value is immutable; made by String, Long, Double, Bool, Strings, Longs, Doubles, Bools, Map,
// Null and read by Type, AsString, AsLong, …, Entries, Text (Java's text) and JSON.
//
// Errors: *Error with category, line, column and message; *ParamError from the parameter layer. An error
// of Env.Extension or Env.Lookup that implements interface{ NeedsData() bool } comes out as it is
// (errors.As finds it), so that the engine can load what is missing and evaluate again.
//
// Phases have packages of their own: syntax (scan, parse), this one (resolve, evaluate), and javatext,
// javare, joda for Java's text, regular expressions and dates. Evaluation reads nothing but what Env
// hands in: no clock, randomness, file, environment or network.
package sel

import (
	"context"
	"time"
)

// Limits bound a program (section 8). A zero field means the production value in brackets.
type Limits struct {
	Stack   int           // operand slots in use [128]
	Loop    int           // iterations of one loop [25001]
	Array   int           // elements of a new array [25001]
	Length  int           // UTF-16 units of the source [10000]
	Visit   int64         // parse-tree nodes evaluated [100000000]
	Memory  int64         // bytes counted [100000000]
	Timeout time.Duration // not watched here: the caller puts it on ctx [120 s]
}

// DefaultLimits are the production values.
func DefaultLimits() Limits {
	return Limits{Stack: 128, Loop: 25001, Array: 25001, Length: 10000, Visit: 100_000_000, Memory: 100_000_000, Timeout: 120 * time.Second}
}

func (l Limits) filled() Limits {
	d := DefaultLimits()
	if l.Stack == 0 {
		l.Stack = d.Stack
	}
	if l.Loop == 0 {
		l.Loop = d.Loop
	}
	if l.Array == 0 {
		l.Array = d.Array
	}
	if l.Length == 0 {
		l.Length = d.Length
	}
	if l.Visit == 0 {
		l.Visit = d.Visit
	}
	if l.Memory == 0 {
		l.Memory = d.Memory
	}
	if l.Timeout == 0 {
		l.Timeout = d.Timeout
	}
	return l
}

// Env is everything that an evaluation can reach. Eval does not keep it.
type Env struct {
	// Inputs are the parameters by name. A NULL value is a null input.
	Inputs map[string]Value
	// Lookup, if set, is asked for a name that Inputs does not have; false means there is none.
	Lookup func(name string) (Value, bool, error)
	Limits Limits
	// NowMillis is the current time: `new DateTime()`, `System.currentTimeMillis()`, deadlines and
	// the window of two-digit years.
	NowMillis int64
	// Zone is the default time zone, an IANA id; "" is UTC.
	Zone string
	// Random gives 64 random bits at a time. nil: a sequence that only NowMillis determines.
	Random func() uint64
	// Extension is behind the methods of `params` (section 13). nil: it has none.
	Extension Extension
	// Functions are added to Util by name and take precedence over built-in ones. Util.toJson is
	// always there.
	Functions map[string]Func
}

// Func is a function added to Util. Arguments arrive narrowed as section 7.8 says.
type Func func(args []Value) (Value, error)

// Extension is what the engine provides behind `params` (section 13): getFromStep, getFromSignal,
// nextUniqueId … It is called with the method's name and 0 to 3 texts.
//
// It returns ErrNoSuchFunction for a name and number of arguments that it does not know. An error with
// NeedsData() true ends the evaluation and comes out of Eval as it is; any other is reported as
// `<text of the error>` inside an *Error of category "extension".
type Extension interface {
	CallParams(ctx context.Context, method string, args []string) (Value, error)
}

// ErrNoSuchFunction is an Extension's answer to a function that it does not have.
var ErrNoSuchFunction error = noSuchFunction{}

type noSuchFunction struct{}

func (noSuchFunction) Error() string { return "no such function" }

// needsData is the mark of errors that Eval hands through.
type needsData interface{ NeedsData() bool }
