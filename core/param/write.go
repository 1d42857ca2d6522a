package param

import (
	"strconv"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/wire"
)

// AppendJSON appends the map of definitions, `{}` for nil.
func (d *Definitions) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	for i := range d.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(wire.AppendString(b, d.list[i].Name), ':')
		b = d.list[i].Value.AppendJSON(b)
	}
	return append(b, '}')
}

// AppendJSON appends the map of parameters, `{}` for nil.
func (p *Params) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	for i := range p.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(wire.AppendString(b, p.list[i].Name), ':')
		b = p.list[i].Value.AppendJSON(b)
	}
	return append(b, '}')
}

// AppendJSON appends the definition: value, expression, type, validator, tags, mode, meta (parameters.md 3.1).
func (d *Definition) AppendJSON(b []byte) []byte {
	w := wire.NewWriter(append(b, '{'))
	d.members(w)
	d.meta(w)
	w.Close()
	return w.Bytes()
}

// AppendJSON appends the parameter: the definition's members, result and time, meta (parameters.md 3.2).
func (p *Param) AppendJSON(b []byte) []byte {
	w := wire.NewWriter(append(b, '{'))
	p.members(w)
	if p.Evaluated {
		w.Append("evaluated_result", result{p.Result})
		w.Long("evaluated_time", p.Time)
	}
	w.StrIf("source", p.Source.String())
	w.StrIf("internal_mode", p.InternalMode.String())
	for _, f := range p.Meta {
		w.Value(f.Name, f.Value)
	}
	w.StrIf("info", p.Info)
	w.StrIf("warn", p.Warn)
	w.Close()
	return w.Bytes()
}

func (d *Definition) members(w *wire.Writer) {
	if d.Value != nil {
		w.Append("value", typed{d.Type, d.Value})
	}
	w.StrOpt("expression", d.Expression)
	w.Str("type", string(d.Type))
	w.StrOpt("validator", d.Validator)
	if d.Tags != nil {
		w.Append("tags", d.Tags)
	}
	w.StrIf("mode", d.Mode.String())
}

func (d *Definition) meta(w *wire.Writer) {
	if d.Meta == nil {
		w.StrIf("source", d.Source.String())
		w.StrIf("internal_mode", d.InternalMode.String())
	}
	for _, f := range d.Meta {
		if f.Value.IsNull() && (f.Name == "source" || f.Name == "internal_mode") {
			continue
		}
		w.Value(f.Name, f.Value)
	}
}

// typed is a literal with its type.
type typed struct {
	t Type
	l *Literal
}

// AppendJSON appends the literal: doubles as exact decimals.
func (v typed) AppendJSON(b []byte) []byte {
	switch v.t {
	case sel.ParamDouble:
		return v.l.Decimals[0].Append(b)
	case sel.ParamDoubleArray:
		b = append(b, '[')
		for i, d := range v.l.Decimals {
			if i > 0 {
				b = append(b, ',')
			}
			if v.l.NullDecimals != nil && v.l.NullDecimals[i] {
				b = append(b, "null"...)
				continue
			}
			b = d.Append(b)
		}
		return append(b, ']')
	case sel.ParamMap:
		return v.l.Members.AppendJSON(b)
	}
	return AppendValue(b, v.l.V)
}

// result is an evaluated result.
type result struct{ v sel.Value }

func (r result) AppendJSON(b []byte) []byte { return AppendValue(b, r.v) }

// AppendValue appends the JSON of a result: doubles in Java's notation, NaN and infinities as texts, maps in their
// order. A map's null key becomes "".
func AppendValue(b []byte, v sel.Value) []byte {
	if v.IsNull() {
		return append(b, "null"...)
	}
	switch v.Type() {
	case sel.TypeString:
		return wire.AppendString(b, v.AsString())
	case sel.TypeLong:
		return strconv.AppendInt(b, v.AsLong(), 10)
	case sel.TypeDouble:
		return wire.AppendDouble(b, v.AsDouble())
	case sel.TypeBoolean:
		return strconv.AppendBool(b, v.AsBool())
	case sel.TypeMap:
		b = append(b, '{')
		for i, e := range v.Entries() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(wire.AppendString(b, e.Key), ':')
			b = AppendValue(b, e.Value)
		}
		return append(b, '}')
	}
	b = append(b, '[')
	texts, null := v.AsStrings()
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		switch v.Type() {
		case sel.TypeStringArray:
			if null != nil && null[i] {
				b = append(b, "null"...)
			} else {
				b = wire.AppendString(b, texts[i])
			}
		case sel.TypeLongArray:
			b = strconv.AppendInt(b, v.AsLongs()[i], 10)
		case sel.TypeDoubleArray:
			b = wire.AppendDouble(b, v.AsDoubles()[i])
		case sel.TypeBooleanArray:
			b = strconv.AppendBool(b, v.AsBools()[i])
		}
	}
	return append(b, ']')
}
