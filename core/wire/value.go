package wire

import (
	"slices"
	"strconv"
)

// Kind is the kind of a Value.
type Kind uint8

// The kinds of JSON. The zero Value is null.
const (
	KindNull Kind = iota
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

var kindNames = [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}

// String is the kind for messages: `an object`.
func (k Kind) String() string { return kindNames[k] }

// Value is an immutable JSON tree.
type Value struct {
	kind   Kind
	text   string // of a string; of a number as it was given; "true" or "false"
	list   []Value
	fields []Field
}

// Field is a member of an object.
type Field struct {
	Name  string
	Value Value
}

// Text is a string.
func Text(s string) Value { return Value{kind: KindString, text: s} }

// Integer is a number without fraction.
func Integer(n int64) Value { return Value{kind: KindNumber, text: strconv.FormatInt(n, 10)} }

// Num is a number by its JSON text, which must be one.
func Num(text string) Value { return Value{kind: KindNumber, text: text} }

// Boolean is true or false.
func Boolean(b bool) Value { return Value{kind: KindBool, text: strconv.FormatBool(b)} }

// ListOf is an array. The caller gives the slice away.
func ListOf(items []Value) Value { return Value{kind: KindArray, list: items} }

// ObjectOf is an object whose members have different names. The caller gives the slice away.
func ObjectOf(fields []Field) Value { return Value{kind: KindObject, fields: fields} }

// Kind is the kind of the value.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports null, which is what an absent member is too.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Text is the content of a string, the text of a number as it was given, `true` or `false`; else "".
func (v Value) Text() string { return v.text }

// Bool reports the boolean true.
func (v Value) Bool() bool { return v.kind == KindBool && v.text == "true" }

// Items are the elements of an array, else nil; not to be changed.
func (v Value) Items() []Value { return v.list }

// Fields are the members of an object, else nil; not to be changed.
func (v Value) Fields() []Field { return v.fields }

// Get is the member with that name, null when there is none. It takes time in proportion to the members.
func (v Value) Get(name string) Value {
	for i := range v.fields {
		if v.fields[i].Name == name {
			return v.fields[i].Value
		}
	}
	return Value{}
}

// IsInteger reports a number that was given without point and exponent.
func (v Value) IsInteger() bool { return v.kind == KindNumber && isInteger(v.text) }

// Equal reports the same tree: numbers by their text, members in any order.
func (v Value) Equal(w Value) bool {
	if v.kind != w.kind || v.text != w.text || len(v.list) != len(w.list) || len(v.fields) != len(w.fields) {
		return false
	}
	if !slices.EqualFunc(v.list, w.list, Value.Equal) {
		return false
	}
	var index map[string]Value
	for i, f := range v.fields {
		if w.fields[i].Name == f.Name {
			if !f.Value.Equal(w.fields[i].Value) {
				return false
			}
			continue
		}
		if index == nil {
			index = make(map[string]Value, len(w.fields))
			for _, g := range w.fields {
				index[g.Name] = g.Value
			}
		}
		if g, ok := index[f.Name]; !ok || !f.Value.Equal(g) {
			return false
		}
	}
	return true
}

// AppendJSON appends the compact JSON of the value. Numbers with point or exponent are written as exact decimals
// (AppendDecimal), others as they were given.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case KindNull:
		return append(b, "null"...)
	case KindBool:
		return append(b, v.text...)
	case KindNumber:
		return AppendDecimal(b, v.text)
	case KindString:
		return AppendString(b, v.text)
	case KindArray:
		b = append(b, '[')
		for i := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = v.list[i].AppendJSON(b)
		}
		return append(b, ']')
	}
	b = append(b, '{')
	for i := range v.fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendString(b, v.fields[i].Name), ':')
		b = v.fields[i].Value.AppendJSON(b)
	}
	return append(b, '}')
}

// MarshalJSON is AppendJSON for encoding/json.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// UnmarshalJSON is Parse for encoding/json.
func (v *Value) UnmarshalJSON(data []byte) error {
	p, err := Parse(data)
	if err == nil {
		*v = p
	}
	return err
}
