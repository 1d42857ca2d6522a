package param

import (
	"math"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/sel/javatext"
	"github.com/downbeat/downbeat/core/wire"
)

// convert brings a result to the declared type (parameters.md 10).
func convert(name string, t Type, v sel.Value) (sel.Value, sel.Note, error) {
	switch t {
	case sel.ParamStringMap:
		for _, e := range v.Entries() {
			if e.NullKey || e.Value.IsNull() || e.Value.Type() != sel.TypeString {
				return sel.Value{}, sel.Note{}, fault.New(fault.BadRequest, "Param [%s] of type STRING_MAP has a member [%s] that is not a string", name, e.Key)
			}
		}
	case sel.ParamMap:
		if key, ok := nullMember(v); ok {
			return sel.Value{}, sel.Note{}, fault.New(fault.BadRequest, "Param [%s] has a null member [%s] in its evaluated result", name, key)
		}
	}
	out, note, err := sel.Convert(name, t, v)
	if err != nil {
		return sel.Value{}, sel.Note{}, fault.New(fault.BadRequest, "%s", err.Error())
	}
	return out, note, nil
}

// nullMember finds a member of a MAP, at any depth, that is null or has a null key.
func nullMember(v sel.Value) (key string, found bool) {
	for _, e := range v.Entries() {
		if e.NullKey || e.Value.IsNull() {
			return e.Key, true
		}
		if e.Value.Type() == sel.TypeMap {
			if key, found = nullMember(e.Value); found {
				return key, true
			}
		}
	}
	return "", false
}

// castLiteral is the literal in another type, by way of the value that it has in its own one: decimals become doubles,
// which lose their scale (parameters.md 5.2).
func castLiteral(l *Literal, from, to Type) (*Literal, bool) {
	switch {
	case from == sel.ParamDouble && to == sel.ParamDouble:
		return throughDouble(l.Decimals[0])
	case from == sel.ParamDouble && to == sel.ParamString:
		return &Literal{V: sel.String(sel.DoubleText(float(l.Decimals[0])))}, true
	case from == sel.ParamDoubleArray && to == sel.ParamStringArray:
		texts := make([]string, len(l.Decimals))
		for i, d := range l.Decimals {
			texts[i] = sel.DoubleText(float(d))
		}
		return &Literal{V: sel.Strings(texts)}, l.NullDecimals == nil
	case to == sel.ParamDouble && (from == sel.ParamLong || from == sel.ParamString):
		d, ok := wire.ParseDecimal(l.V.Text())
		if !ok {
			return nil, false
		}
		return throughDouble(d)
	case from == sel.ParamDouble || from == sel.ParamDoubleArray || from == sel.ParamMap || from == sel.ParamStringMap,
		to == sel.ParamDouble, to == sel.ParamDoubleArray, to == sel.ParamMap, to == sel.ParamStringMap:
		return nil, false
	}
	v, _, err := sel.Convert("", to, l.V)
	return &Literal{V: v}, err == nil
}

// throughDouble is the literal of the double nearest to a decimal: its scale is lost. false: the double is infinite.
func throughDouble(d wire.Decimal) (*Literal, bool) {
	d, ok := decimal(float(d))
	return &Literal{Decimals: []wire.Decimal{d}}, ok
}

// float is the double nearest to the decimal.
func float(d wire.Decimal) float64 {
	f, _ := sel.ParseDecimal(d.String()) // the text of a decimal is one
	return f
}

// literalOf is the literal of a result of type t, false when there is none: NaN, infinities, and arrays in a MAP that
// are empty, whose type nobody knows. def, which may be nil, is the definition of the result.
func literalOf(t Type, v sel.Value, def *Definition) (*Literal, bool) {
	switch t {
	case sel.ParamDouble:
		d, ok := decimal(v.AsDouble())
		return &Literal{Decimals: []wire.Decimal{d}}, ok
	case sel.ParamDoubleArray:
		l := &Literal{Decimals: make([]wire.Decimal, v.Len())}
		for i, f := range v.AsDoubles() {
			d, ok := decimal(f)
			if !ok {
				return nil, false
			}
			l.Decimals[i] = d
		}
		return l, true
	}
	return &Literal{V: v}, true
}

func decimal(f float64) (wire.Decimal, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return wire.Decimal{}, false
	}
	return wire.ParseDecimal(javatext.Double(f))
}

func equalValue(a, b sel.Value) bool {
	if a.Type() != b.Type() || a.IsNull() != b.IsNull() || a.Len() != b.Len() {
		return false
	}
	if a.IsNull() {
		return true
	}
	switch a.Type() {
	case sel.TypeString:
		return a.AsString() == b.AsString()
	case sel.TypeLong:
		return a.AsLong() == b.AsLong()
	case sel.TypeDouble:
		return math.Float64bits(a.AsDouble()) == math.Float64bits(b.AsDouble())
	case sel.TypeBoolean:
		return a.AsBool() == b.AsBool()
	case sel.TypeStringArray:
		s, sn := a.AsStrings()
		t, tn := b.AsStrings()
		for i := range s {
			if s[i] != t[i] || (sn != nil && sn[i]) != (tn != nil && tn[i]) {
				return false
			}
		}
	case sel.TypeLongArray:
		for i, n := range a.AsLongs() {
			if n != b.AsLongs()[i] {
				return false
			}
		}
	case sel.TypeDoubleArray:
		for i, f := range a.AsDoubles() {
			if math.Float64bits(f) != math.Float64bits(b.AsDoubles()[i]) {
				return false
			}
		}
	case sel.TypeBooleanArray:
		for i, x := range a.AsBools() {
			if x != b.AsBools()[i] {
				return false
			}
		}
	case sel.TypeMap:
		if a.Len() > 16 {
			return equalMaps(a, b)
		}
		for _, e := range a.Entries() {
			v, ok := b.Get(e.Key)
			if !ok || !equalValue(e.Value, v) {
				return false
			}
		}
	}
	return true
}

func equalMaps(a, b sel.Value) bool {
	other := make(map[string]sel.Value, b.Len())
	for _, e := range b.Entries() {
		other[e.Key] = e.Value
	}
	for _, e := range a.Entries() {
		v, ok := other[e.Key]
		if !ok || !equalValue(e.Value, v) {
			return false
		}
	}
	return true
}

// Definition is the parameter as a definition again, for restarts, children and outputs (parameters.md 3.3): the
// definition of an IMMUTABLE one, else a literal of the result. The error is BAD_REQUEST: not evaluated, or a result
// that no literal can hold.
func (p *Param) AsDefinition(name string) (*Definition, error) {
	if !p.Evaluated {
		return nil, fault.New(fault.BadRequest, "Cannot convert an un-evaluated parameter %s to a parameter definition", name)
	}
	d := p.Definition
	d.builtin = 0
	d.Meta = p.metaWithNotes()
	if p.Mode == Immutable {
		d.builtin = p.builtin
		return &d, nil
	}
	l, err := frozen(name, p.Result, &p.Definition)
	if err != nil {
		return nil, err
	}
	d.Value, d.Expression = l, nil
	return &d, nil
}

// metaWithNotes is the meta of a parameter when it has more to say than its source.
func (p *Param) metaWithNotes() []wire.Field {
	if p.Meta == nil && p.Info == "" && p.Warn == "" {
		return nil
	}
	var meta []wire.Field
	add := func(name, v string) {
		if v != "" {
			meta = append(meta, wire.Field{Name: name, Value: wire.Text(v)})
		}
	}
	add("source", p.Source.String())
	meta = append(meta, p.Meta...)
	add("info", p.Info)
	add("warn", p.Warn)
	return meta
}

// frozen is the literal of a result; def is its definition, which may have no literal.
func frozen(name string, v sel.Value, def *Definition) (*Literal, error) {
	if def.Type != sel.ParamMap {
		l, ok := literalOf(def.Type, v, def)
		if !ok {
			return nil, fault.New(fault.BadRequest, "Param [%s] has a result that is not a number: %s", name, v.Text())
		}
		return l, nil
	}
	if v.Type() != sel.TypeMap {
		return nil, fault.New(fault.BadRequest, "Param [%s] is expected to be a Map but its result is [%s]", name, v.Text())
	}
	members := &Definitions{}
	for _, e := range v.Entries() {
		var inner *Definition
		if def.Value != nil {
			inner = def.Value.Members.Get(e.Key)
		}
		d, err := frozenMember(e.Key, e.Value, inner)
		if err != nil {
			return nil, err
		}
		members.Set(e.Key, d)
	}
	return &Literal{Members: members}, nil
}

// frozenMember is the definition of a member of a MAP: of the type that its definition declares, or, when it has none,
// of the type of its result.
func frozenMember(name string, v sel.Value, inner *Definition) (*Definition, error) {
	if inner == nil {
		t, err := derive(name, v)
		if err != nil {
			return nil, err
		}
		inner = &Definition{Type: t}
	} else if inner.Mode == Immutable {
		return inner, nil
	}
	v, _, err := convert(name, inner.Type, v)
	if err != nil {
		return nil, err
	}
	l, err := frozen(name, v, inner)
	if err != nil {
		return nil, err
	}
	d := *inner
	d.Value, d.Expression, d.builtin = l, nil, 0
	return &d, nil
}

func derive(name string, v sel.Value) (Type, error) {
	if v.IsNull() || !v.Type().IsData() {
		return "", fault.New(fault.BadRequest, "the type of member [%s] cannot be derived from a null", name)
	}
	if v.Len() == 0 && v.Type() >= sel.TypeStringArray && v.Type() <= sel.TypeBooleanArray {
		return "", fault.New(fault.BadRequest, "the type of member [%s] cannot be derived from an empty array", name)
	}
	return Type(v.Type().String()), nil
}

// Member is a member of an evaluated MAP in its declared type.
type Member struct {
	Name  string
	Type  Type
	Value sel.Value
}

// Members are the members of the result of a MAP, each converted to the type that its definition declares
// (parameters.md 7.5): loop params, options of runtimes. A member of another type is a BAD_REQUEST.
func (p *Param) Members() ([]Member, error) {
	if !p.Evaluated || p.Result.Type() != sel.TypeMap {
		return nil, fault.New(fault.BadRequest, "a MAP is expected, found %s", p.Type)
	}
	list := make([]Member, 0, p.Result.Len())
	for _, e := range p.Result.Entries() {
		m := Member{Name: e.Key, Value: e.Value}
		var inner *Definition
		if p.Definition.Value != nil {
			inner = p.Definition.Value.Members.Get(e.Key)
		}
		if inner == nil {
			t, err := derive(e.Key, e.Value)
			if err != nil {
				return nil, err
			}
			m.Type = t
		} else {
			v, _, err := convert(e.Key, inner.Type, e.Value)
			if err != nil {
				return nil, err
			}
			m.Type, m.Value = inner.Type, v
		}
		list = append(list, m)
	}
	return list, nil
}
