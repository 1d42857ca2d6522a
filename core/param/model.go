package param

import (
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/wire"
)

// Type is the declared type of a parameter; see the constants of package sel: sel.ParamString …
type Type = sel.ParamType

var types = []string{
	string(sel.ParamString), string(sel.ParamLong), string(sel.ParamDouble), string(sel.ParamBoolean),
	string(sel.ParamStringMap), string(sel.ParamStringArray), string(sel.ParamLongArray),
	string(sel.ParamDoubleArray), string(sel.ParamBooleanArray), string(sel.ParamMap),
}

// Mode says who may change a parameter (parameters.md 4.1), in order of strictness. The zero Mode is unset.
type Mode uint8

// The modes.
const (
	_ Mode = iota
	Mutable
	MutableOnStartRestart
	MutableOnStart
	Immutable
	Constant
)

var modes = []string{"MUTABLE", "MUTABLE_ON_START_RESTART", "MUTABLE_ON_START", "IMMUTABLE", "CONSTANT"}

// String is Maestro's name; "" for an unset mode.
func (m Mode) String() string { return nameAt(modes, int(m)) }

// InternalMode is what defaults and job templates say about a parameter (parameters.md 4.2). The zero value is
// none.
type InternalMode uint8

// The internal modes.
const (
	_        InternalMode = iota
	Required              // must end up with a value or expression
	Provided              // the system gives one, a user may override it
	Optional              // dropped when it ends without value and expression
	Reserved              // users cannot change it
)

var internalModes = []string{"REQUIRED", "PROVIDED", "OPTIONAL", "RESERVED"}

// String is Maestro's name; "" for none.
func (m InternalMode) String() string { return nameAt(internalModes, int(m)) }

// implied is the least strict mode that goes with the internal mode.
func (m InternalMode) implied() Mode {
	switch m {
	case 0:
		return 0
	case Reserved:
		return Constant
	}
	return Mutable
}

// Source says where the current definition of a parameter came from (parameters.md 4.3). The zero Source is
// none.
type Source uint8

// The sources; the first five are the system's.
const (
	_ Source = iota
	SourceSystem
	SourceSystemDefault
	SourceTemplateSchema
	SourceSystemInjected
	SourceDefinition
	SourceLaunch
	SourceRestart
	SourceSubworkflow
	SourceForeach
	SourceWhile
	SourceTemplate
	SourceWorkflowParameter
	SourceOutputParameter
	SourceSignal
	SourceTimeTrigger
)

var sources = []string{
	"SYSTEM", "SYSTEM_DEFAULT", "TEMPLATE_SCHEMA", "SYSTEM_INJECTED", "DEFINITION", "LAUNCH", "RESTART", "SUBWORKFLOW",
	"FOREACH", "WHILE", "TEMPLATE", "WORKFLOW_PARAMETER", "OUTPUT_PARAMETER", "SIGNAL", "TIME_TRIGGER",
}

// String is Maestro's name; "" for none.
func (s Source) String() string { return nameAt(sources, int(s)) }

func (s Source) system() bool { return s >= SourceSystem && s <= SourceSystemInjected }

func nameAt(names []string, i int) string {
	if i < 1 || i > len(names) {
		return ""
	}
	return names[i-1]
}

func indexOf(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i + 1
		}
	}
	return 0
}

// Definition is a parameter that is not evaluated: a literal or an expression with a type. Its name is the key under
// which it stands. It is immutable once it was read or merged.
type Definition struct {
	Type Type
	// Value is the literal, nil for none. Of a definition with both only the literal counts; only members of a MAP may
	// have both or none.
	Value      *Literal
	Expression *string // SEL text, nil for none
	Validator  *string // a rule text that is kept and never executed
	Tags       Tags    // nil when absent; a merged definition has at least an empty list
	Mode       Mode    // unset until it is merged, unless given

	Source       Source
	InternalMode InternalMode
	// Meta are the members of the definition that have no meaning of their own, in order, `source` and `internal_mode`
	// among them; it is what is written. nil after a merge: then Source and InternalMode are written.
	Meta []wire.Field

	builtin builtin // a definition of package param whose result needs no expression
}

// Literal is the literal value of a definition, in the form of its type.
type Literal struct {
	// V is the value of all types but DOUBLE, DOUBLE_ARRAY and MAP. A STRING_MAP is a MAP of STRINGs; a null element or
	// member is a null STRING.
	V sel.Value
	// Decimals are the exact numbers of a DOUBLE (one) and a DOUBLE_ARRAY.
	Decimals []wire.Decimal
	// NullDecimals says which elements of a DOUBLE_ARRAY were null, nil when none was: such an array is kept, and cannot
	// be evaluated.
	NullDecimals []bool
	// Members are those of a MAP.
	Members *Definitions
}

// Definitions are definitions by name, in order. A nil *Definitions is absent and reads as empty.
type Definitions struct{ ordered[*Definition] }

// Param is a parameter of an instance: a merged definition with its result.
type Param struct {
	Definition
	// Evaluated says that Result and Time are set.
	Evaluated bool
	Result    sel.Value
	Time      int64  // of the evaluation, epoch milliseconds
	Info      string // meta `info`: what the conversion of the result did
	Warn      string // meta `warn`
	// Meta of the Definition are the entries besides `source`, `internal_mode`, `info` and `warn`.
}

// Params are parameters by name, in order. A nil *Params reads as empty.
type Params struct{ ordered[*Param] }

// Clone is a map with the same entries that can be changed on its own.
func (d *Definitions) Clone() *Definitions {
	if d == nil {
		return &Definitions{}
	}
	return &Definitions{d.clone()}
}

// Clone is a map with the same entries that can be changed on its own. The Params in it are shared.
func (p *Params) Clone() *Params {
	if p == nil {
		return &Params{}
	}
	return &Params{p.clone()}
}

// Result is the evaluated result of the parameter with that name; false when there is none or it is not evaluated.
func (p *Params) Result(name string) (sel.Value, bool) {
	if q := p.Get(name); q != nil && q.Evaluated {
		return q.Result, true
	}
	return sel.Value{}, false
}

// Value is Result.
func (p *Params) Value(name string) (sel.Value, bool) { return p.Result(name) }

func text(s string) *string { return &s }

// String is a literal STRING definition.
func String(s string) *Definition {
	return &Definition{Type: sel.ParamString, Value: &Literal{V: sel.String(s)}}
}

// Long is a literal LONG definition.
func Long(n int64) *Definition {
	return &Definition{Type: sel.ParamLong, Value: &Literal{V: sel.Long(n)}}
}

// Bool is a literal BOOLEAN definition.
func Bool(b bool) *Definition {
	return &Definition{Type: sel.ParamBoolean, Value: &Literal{V: sel.Bool(b)}}
}

// Map is a literal MAP definition.
func Map(members *Definitions) *Definition {
	return &Definition{Type: sel.ParamMap, Value: &Literal{Members: members}}
}

// Expression is a definition by SEL code.
func Expression(t Type, code string) *Definition { return &Definition{Type: t, Expression: text(code)} }
