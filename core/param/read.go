package param

import (
	"fmt"
	"slices"
	"strings"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/wire"
)

// ReadDefinitions reads a map of definitions; nil for null. checked requires of every entry exactly one of value and
// expression (parameters.md 2): maps of workflows, steps, runs. Members of a MAP are never checked.
func ReadDefinitions(n wire.Node, checked bool) *Definitions {
	members := n.Members()
	if members == nil {
		return nil
	}
	defs := &Definitions{}
	defs.list = make([]named[*Definition], 0, len(members))
	for _, m := range members {
		if d := ReadDefinition(m.Node, m.Name, checked); d != nil {
			defs.Set(m.Name, d)
		}
	}
	return defs
}

// ReadDefinition reads one definition. name is for messages. The result is nil after an error, and null is one.
func ReadDefinition(n wire.Node, name string, checked bool) *Definition {
	o := n.Object()
	if o == nil {
		n.Fail("param [%s] must be an object with a type", name)
		return nil
	}
	d := readDefinition(o)
	if d == nil {
		return nil
	}
	d.readMeta(o)
	if checked && (d.Value == nil) == (d.Expression == nil) {
		n.Fail("Param [%s] must be defined with either a literal value or an expression for parameter", name)
		return nil
	}
	return d
}

// readDefinition reads the members that both forms have.
func readDefinition(o *wire.Object) *Definition {
	d := &Definition{Type: Type(o.Type("type", types))}
	if d.Type == "" {
		return nil
	}
	d.Value = readLiteral(o.Get("value"), d.Type)
	d.Expression = o.StrOpt("expression")
	d.Validator = o.StrOpt("validator")
	d.Tags = ReadTags(o.Get("tags"))
	d.Mode = Mode(indexOf(modes, o.Enum("mode", modes)))
	return d
}

// NamesSource reports whether the meta entry source is given, even by a name that is none of the sources.
func (d *Definition) NamesSource() bool {
	return slices.ContainsFunc(d.Meta, func(f wire.Field) bool { return f.Name == "source" && !f.Value.IsNull() })
}

// readMeta takes the other members as meta entries.
func (d *Definition) readMeta(o *wire.Object) {
	d.Meta = o.Rest("meta")
	for i, f := range d.Meta {
		if f.Value.IsNull() {
			continue
		}
		n := o.Get(f.Name)
		if n.IsNull() {
			n = o.Get("meta").Object().Get(f.Name)
		}
		switch f.Name {
		case "source":
			// Any value may stand in a definition: the merge overwrites it.
			if k := slices.IndexFunc(sources, func(s string) bool { return strings.EqualFold(s, f.Value.Text()) }); k >= 0 {
				d.Source = Source(k + 1)
				d.Meta[i].Value = wire.Text(sources[k])
			}
		case "internal_mode":
			name := n.Enum(internalModes)
			d.InternalMode = InternalMode(indexOf(internalModes, name))
			d.Meta[i].Value = wire.Text(name)
		}
	}
}

// readLiteral reads a literal by the spellings of parameters.md 2; nil for null, also for texts that count as null.
func readLiteral(n wire.Node, t Type) *Literal {
	if n.IsNull() {
		return nil
	}
	l := &Literal{}
	switch t {
	case sel.ParamString:
		s := n.StrOpt()
		if s == nil {
			return nil
		}
		l.V = sel.String(*s)
	case sel.ParamLong:
		v := n.LongOpt()
		if v == nil {
			return nil
		}
		l.V = sel.Long(*v)
	case sel.ParamDouble:
		d, ok := n.DecimalOpt()
		if !ok {
			return nil
		}
		l.Decimals = []wire.Decimal{d}
	case sel.ParamBoolean:
		v := n.BoolOpt()
		if v == nil {
			return nil
		}
		l.V = sel.Bool(*v)
	case sel.ParamStringArray:
		l.V = readStrings(n.List())
	case sel.ParamLongArray:
		list := n.List()
		longs := make([]int64, len(list))
		for i, e := range list {
			longs[i] = e.Long()
		}
		l.V = sel.Longs(longs)
	case sel.ParamDoubleArray:
		list := n.List()
		l.Decimals = make([]wire.Decimal, len(list))
		for i, e := range list {
			d, ok := e.DecimalOpt()
			if !ok {
				if l.NullDecimals == nil {
					l.NullDecimals = make([]bool, len(list))
				}
				l.NullDecimals[i], d = true, wire.Decimal{Digits: "0"}
			}
			l.Decimals[i] = d
		}
	case sel.ParamBooleanArray:
		list := n.List()
		bools := make([]bool, len(list))
		for i, e := range list {
			bools[i] = e.Bool()
		}
		l.V = sel.Bools(bools)
	case sel.ParamStringMap:
		l.V = readStringMap(n.Members())
	case sel.ParamMap:
		l.Members = ReadDefinitions(n, false)
	}
	return l
}

func readStrings(list []wire.Node) sel.Value {
	texts := make([]string, len(list))
	var null []bool
	for i, e := range list {
		s := e.StrOpt()
		if s == nil {
			if null == nil {
				null = make([]bool, len(list))
			}
			null[i] = true
			continue
		}
		texts[i] = *s
	}
	return sel.StringsWithNulls(texts, null)
}

func readStringMap(members []wire.Member) sel.Value {
	entries := make([]sel.Entry, len(members))
	for i, m := range members {
		entries[i] = sel.Entry{Key: m.Name, Value: sel.NullOf(sel.TypeString)}
		if s := m.Node.StrOpt(); s != nil {
			entries[i].Value = sel.String(*s)
		}
	}
	return sel.Map(entries)
}

// ReadParams reads a map of parameters; nil for null. evaluated requires of every entry a result and its time, as maps
// that the API is given must have them.
func ReadParams(n wire.Node, evaluated bool) *Params {
	return readParams(n, func(n wire.Node, name string) *Param { return ReadParam(n, name, evaluated) })
}

// ReadSignalParams reads a map of params of a signal, see ReadSignalParam; nil for null.
func ReadSignalParams(n wire.Node) *Params { return readParams(n, ReadSignalParam) }

func readParams(n wire.Node, read func(n wire.Node, name string) *Param) *Params {
	members := n.Members()
	if members == nil {
		return nil
	}
	params := &Params{}
	params.list = make([]named[*Param], 0, len(members))
	for _, m := range members {
		if p := read(m.Node, m.Name); p != nil {
			params.Set(m.Name, p)
		}
	}
	return params
}

// ReadParam reads one parameter. name is for messages. The result is nil after an error, and null is one.
func ReadParam(n wire.Node, name string, evaluated bool) *Param {
	return readParam(n, name, evaluated, readResult)
}

// ReadSignalParam reads one param of a signal. Its result is a text or a number, whatever type is declared
// (Scope.EvaluateUntyped).
func ReadSignalParam(n wire.Node, name string) *Param {
	return readParam(n, name, false, func(n wire.Node, _ *Definition) *sel.Value {
		if n.IsNull() {
			return nil
		}
		v, err := untyped(n.Value(), nil)
		if err != nil {
			n.Fail("%s", err)
			return nil
		}
		return &v
	})
}

func readParam(n wire.Node, name string, evaluated bool, readResult func(wire.Node, *Definition) *sel.Value) *Param {
	o := n.Object()
	if o == nil {
		n.Fail("param [%s] must be an object with a type", name)
		return nil
	}
	d := readDefinition(o)
	if d == nil {
		return nil
	}
	p := &Param{Definition: *d}
	result, time := o.Get("evaluated_result"), o.LongOpt("evaluated_time")
	if l := readResult(result, &p.Definition); l != nil && time != nil {
		p.Evaluated, p.Result, p.Time = true, *l, *time
	} else if evaluated || l != nil || time != nil {
		n.Fail("Param [%s] evaluated result and evaluated time should be set in the instance", name)
		return nil
	}
	p.readMeta(o)
	var rest []wire.Field
	for _, f := range p.Meta {
		switch f.Name {
		case "source", "internal_mode":
		case "info":
			p.Info = f.Value.Text()
		case "warn":
			p.Warn = f.Value.Text()
		default:
			rest = append(rest, f)
		}
	}
	p.Meta = rest
	return p
}

// readResult reads an evaluated result of the definition's type; nil for null.
func readResult(n wire.Node, d *Definition) *sel.Value {
	if n.IsNull() {
		return nil
	}
	var v sel.Value
	switch d.Type {
	case sel.ParamDouble:
		f := n.DoubleOpt()
		if f == nil {
			return nil
		}
		v = sel.Double(*f)
	case sel.ParamDoubleArray:
		list := n.List()
		doubles := make([]float64, len(list))
		for i, e := range list {
			if f := e.DoubleOpt(); f != nil {
				doubles[i] = *f
			}
		}
		v = sel.Doubles(doubles)
	case sel.ParamMap:
		if n.Object() == nil {
			return nil
		}
		var err error
		if v, err = untyped(n.Value(), d); err != nil {
			n.Fail("%s", err)
			return nil
		}
	default:
		l := readLiteral(n, d.Type)
		if l == nil {
			return nil
		}
		v = l.V
	}
	return &v
}

// untyped is the value of a JSON tree within the result of a MAP. An array has the type of its first element, an empty
// one that of the definition d, which may be nil; without it, it is read as a STRING_ARRAY, which no literal is made of.
func untyped(v wire.Value, d *Definition) (sel.Value, error) {
	switch v.Kind() {
	case wire.KindBool:
		return sel.Bool(v.Bool()), nil
	case wire.KindNumber:
		return number(v)
	case wire.KindString:
		return sel.String(v.Text()), nil
	case wire.KindObject:
		entries := make([]sel.Entry, 0, len(v.Fields()))
		for _, f := range v.Fields() {
			var inner *Definition
			if d != nil && d.Value != nil {
				inner = d.Value.Members.Get(f.Name)
			}
			e, err := untyped(f.Value, inner)
			if err != nil {
				return sel.Value{}, err
			}
			entries = append(entries, sel.Entry{Key: f.Name, Value: e})
		}
		return sel.Map(entries), nil
	case wire.KindArray:
		return untypedArray(v.Items(), d)
	}
	return sel.Null(), nil
}

func number(v wire.Value) (sel.Value, error) {
	if v.IsInteger() {
		n, ok := wire.Truncate(v.Text())
		if !ok {
			return sel.Value{}, fmt.Errorf("number %s is out of the range of a long", v.Text())
		}
		return sel.Long(n), nil
	}
	f, _ := sel.ParseDecimal(v.Text()) // a JSON number is a decimal
	return sel.Double(f), nil
}

func untypedArray(items []wire.Value, d *Definition) (sel.Value, error) {
	kind := sel.TypeNull
	switch {
	case len(items) > 0 && items[0].Kind() == wire.KindString:
		kind = sel.TypeStringArray
		if d != nil && d.Type == sel.ParamDoubleArray { // NaN and infinities are written as texts
			kind = sel.TypeDoubleArray
		}
	case len(items) > 0 && items[0].Kind() == wire.KindBool:
		kind = sel.TypeBooleanArray
	case len(items) > 0 && items[0].IsInteger():
		kind = sel.TypeLongArray
	case len(items) > 0 && items[0].Kind() == wire.KindNumber:
		kind = sel.TypeDoubleArray
	case len(items) > 0 && !items[0].IsNull():
		return sel.Value{}, fmt.Errorf("an array whose first element is %s has no type", items[0].Kind())
	case len(items) == 0 && d != nil:
		kind, _ = sel.TypeByName(string(d.Type))
	}
	n := wire.Root(wire.ListOf(items), "")
	var v sel.Value
	switch kind {
	case sel.TypeStringArray:
		v = readStrings(n.List())
	case sel.TypeLongArray:
		v = readLiteral(n, sel.ParamLongArray).V
	case sel.TypeDoubleArray:
		v = *readResult(n, &Definition{Type: sel.ParamDoubleArray})
	case sel.TypeBooleanArray:
		v = readLiteral(n, sel.ParamBooleanArray).V
	default: // nothing in it, or a null first: only a STRING_ARRAY has nulls
		v = readStrings(n.List())
	}
	return v, n.Err()
}
