package sel

import (
	"math"
	"strconv"

	"github.com/downbeat/downbeat/core/sel/javatext"
)

// Type is the type of a Value. The names given by String are those of the specification, section 5.1,
// and appear in messages.
type Type uint8

// The types. Only STRING, LONG, DOUBLE, BOOLEAN, the four arrays and MAP may enter and leave an
// expression; the others appear as results of the bare evaluator and in messages.
const (
	TypeNull Type = iota
	TypeVoid
	TypeString
	TypeLong
	TypeDouble
	TypeBoolean
	TypeStringArray
	TypeLongArray
	TypeDoubleArray
	TypeBooleanArray
	TypeMap
	TypeDateTime
	TypeDateTimeZone
	TypeDateTimeFormatter
	TypeDateTimeProperty
	TypeDateTimeDays
	TypeUUID
	TypeMath
	TypeParams
	TypeUtil
	TypeMisc
	TypeError
)

var typeNames = [...]string{
	"NULL", "VOID", "STRING", "LONG", "DOUBLE", "BOOLEAN",
	"STRING_ARRAY", "LONG_ARRAY", "DOUBLE_ARRAY", "BOOLEAN_ARRAY", "MAP",
	"DATETIME", "DATETIME_ZONE", "DATETIME_FORMATTER", "DATETIME_PROPERTY", "DATETIME_DAYS", "UUID",
	"MATH", "PRESET_PARAMS", "PRESET_UTIL_FUNCTION", "PRESET_MISC_FUNC_FIELDS", "ERROR",
}

func (t Type) String() string { return typeNames[t] }

// TypeByName gives the type of a specification name such as "LONG_ARRAY".
func TypeByName(name string) (Type, bool) {
	for i, n := range typeNames {
		if n == name {
			return Type(i), true
		}
	}
	return 0, false
}

func (t Type) isArray() bool { return t >= TypeStringArray && t <= TypeBooleanArray }

// IsData reports whether a value of this type may enter and leave an expression (section 5.4).
func (t Type) IsData() bool { return t >= TypeString && t <= TypeMap }

// Value is an immutable value that enters or leaves an expression. The zero Value is NULL. Text may
// hold lone surrogates, each as the three bytes of its code (package javatext).
type Value struct {
	typ  Type
	null bool // typed, but without content: a null STRING, a null MAP
	num  int64
	// str is a text; of a MAP whose keys changed while it was in the expression, its text there.
	str string
	ref any // *stringArray, []int64, []float64, []bool, []Entry
}

type stringArray struct {
	s    []string
	null []bool // nil when no element is null
}

// Entry is an entry of a MAP. Order is the order of the map: written order for maps that come in,
// hash order (section 7.6) for maps that an expression made.
type Entry struct {
	Key     string
	NullKey bool // the key is a null STRING; Key is then empty
	Value   Value
}

// Null is the NULL value.
func Null() Value { return Value{} }

// NullOf is a value of type STRING or MAP with nothing inside.
func NullOf(t Type) Value { return Value{typ: t, null: true} }

// String is a STRING. Bytes that are no text are replaced by U+FFFD.
func String(s string) Value { return Value{typ: TypeString, str: javatext.Clean(s)} }

// Long is a LONG.
func Long(n int64) Value { return Value{typ: TypeLong, num: n} }

// Double is a DOUBLE.
func Double(f float64) Value { return Value{typ: TypeDouble, num: int64(math.Float64bits(f))} }

// Bool is a BOOLEAN.
func Bool(b bool) Value {
	v := Value{typ: TypeBoolean}
	if b {
		v.num = 1
	}
	return v
}

// Strings is a STRING_ARRAY. The caller gives the slice away.
func Strings(s []string) Value { return Value{typ: TypeStringArray, ref: &stringArray{s: s}} }

// StringsWithNulls is a STRING_ARRAY in which the elements marked in null have no content.
func StringsWithNulls(s []string, null []bool) Value {
	return Value{typ: TypeStringArray, ref: &stringArray{s: s, null: null}}
}

// Longs is a LONG_ARRAY. The caller gives the slice away.
func Longs(n []int64) Value { return Value{typ: TypeLongArray, ref: n} }

// Doubles is a DOUBLE_ARRAY. The caller gives the slice away.
func Doubles(f []float64) Value { return Value{typ: TypeDoubleArray, ref: f} }

// Bools is a BOOLEAN_ARRAY. The caller gives the slice away.
func Bools(b []bool) Value { return Value{typ: TypeBooleanArray, ref: b} }

// Map is a MAP (and a STRING_MAP: SEL knows one kind). The caller gives the slice away. Of entries with
// equal keys the later one wins once the map enters an expression.
func Map(entries []Entry) Value { return Value{typ: TypeMap, ref: entries} }

// Type is the type of the value.
func (v Value) Type() Type { return v.typ }

// IsNull reports NULL and typed values without content.
func (v Value) IsNull() bool { return v.typ == TypeNull || v.null }

// AsString is the content of a STRING; "" for a null one and for other types.
func (v Value) AsString() string {
	if v.typ != TypeString && v.typ != TypeError {
		return ""
	}
	return v.str
}

// AsLong is the content of a LONG, else 0.
func (v Value) AsLong() int64 {
	if v.typ != TypeLong {
		return 0
	}
	return v.num
}

// AsDouble is the content of a DOUBLE, else 0.
func (v Value) AsDouble() float64 {
	if v.typ != TypeDouble {
		return 0
	}
	return math.Float64frombits(uint64(v.num))
}

// AsBool is the content of a BOOLEAN, else false.
func (v Value) AsBool() bool { return v.typ == TypeBoolean && v.num != 0 }

// AsStrings gives the elements of a STRING_ARRAY ("" for null ones) and which of them are null (nil if
// none). The caller must not change them.
func (v Value) AsStrings() (elems []string, null []bool) {
	if a, ok := v.ref.(*stringArray); ok {
		return a.s, a.null
	}
	return nil, nil
}

// AsLongs gives the elements of a LONG_ARRAY; the caller must not change them.
func (v Value) AsLongs() []int64 { a, _ := v.ref.([]int64); return a }

// AsDoubles gives the elements of a DOUBLE_ARRAY; the caller must not change them.
func (v Value) AsDoubles() []float64 { a, _ := v.ref.([]float64); return a }

// AsBools gives the elements of a BOOLEAN_ARRAY; the caller must not change them.
func (v Value) AsBools() []bool { a, _ := v.ref.([]bool); return a }

// Entries gives the entries of a MAP in order; the caller must not change them.
func (v Value) Entries() []Entry { e, _ := v.ref.([]Entry); return e }

// Get is the entry of a MAP with that key.
func (v Value) Get(key string) (Value, bool) {
	e := v.Entries()
	for i := len(e) - 1; i >= 0; i-- {
		if e[i].Key == key && !e[i].NullKey {
			return e[i].Value, true
		}
	}
	return Value{}, false
}

// Len is the number of elements of an array or entries of a MAP, else 0.
func (v Value) Len() int {
	switch a := v.ref.(type) {
	case *stringArray:
		return len(a.s)
	case []int64:
		return len(a)
	case []float64:
		return len(a)
	case []bool:
		return len(a)
	case []Entry:
		return len(a)
	}
	return 0
}

// Text is the value as `” + v` shows it (sections 7.4, 7.6, 7.7): a null as null, an array as [a, b], a
// map as {k=v}. For dates, zones, properties and days it is their text; VOID, MATH … give "".
func (v Value) Text() string { return string(v.appendText(nil, false)) }

func (v Value) appendText(out []byte, inMap bool) []byte {
	if v.null {
		return append(out, "null"...)
	}
	switch v.typ {
	case TypeNull:
		if inMap {
			return append(out, "NULL"...)
		}
		return append(out, "null"...)
	case TypeLong:
		return strconv.AppendInt(out, v.num, 10)
	case TypeDouble:
		return javatext.AppendDouble(out, v.AsDouble())
	case TypeBoolean:
		return strconv.AppendBool(out, v.num != 0)
	case TypeMap:
		if v.str != "" {
			return append(out, v.str...)
		}
		out = append(out, '{')
		for i, e := range v.Entries() {
			if i > 0 {
				out = append(out, ", "...)
			}
			if e.NullKey {
				out = append(out, "null"...)
			} else {
				out = append(out, e.Key...)
			}
			out = append(out, '=')
			out = e.Value.appendText(out, true)
		}
		return append(out, '}')
	}
	if !v.typ.isArray() {
		return append(out, v.str...)
	}
	out = append(out, '[')
	for i := range v.Len() {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(out, v.elemText(i)...)
	}
	return append(out, ']')
}

func (v Value) elemText(i int) string {
	switch a := v.ref.(type) {
	case *stringArray:
		if a.null != nil && a.null[i] {
			return "null"
		}
		return a.s[i]
	case []int64:
		return strconv.FormatInt(a[i], 10)
	case []float64:
		return javatext.Double(a[i])
	case []bool:
		return strconv.FormatBool(a[i])
	}
	return ""
}

// JSON is the compact JSON text of the value, by the rules of Util.toJson with every number exact:
// doubles in Java's notation, NaN and infinities quoted, maps in their order, nulls as null. It is also
// the text that interpolation gives arrays and maps. A map with a null key, and a type that is no data,
// give an error.
func (v Value) JSON() (string, error) {
	out, err := v.appendJSON(nil)
	return string(out), err
}

func (v Value) appendJSON(out []byte) ([]byte, error) {
	if v.null {
		return append(out, "null"...), nil
	}
	double := func(out []byte, f float64) []byte {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			out = append(out, '"')
			return append(javatext.AppendDouble(out, f), '"')
		}
		return javatext.AppendDouble(out, f)
	}
	switch v.typ {
	case TypeNull:
		return append(out, "null"...), nil
	case TypeString:
		return javatext.AppendJSON(out, v.str), nil
	case TypeLong:
		return strconv.AppendInt(out, v.num, 10), nil
	case TypeDouble:
		return double(out, v.AsDouble()), nil
	case TypeBoolean:
		return strconv.AppendBool(out, v.num != 0), nil
	case TypeMap:
		out = append(out, '{')
		var err error
		for i, e := range v.Entries() {
			if i > 0 {
				out = append(out, ',')
			}
			if e.NullKey {
				return out, &Error{Category: CatJSON, Message: "Failed to write an object to json string due to [Null key for a Map not allowed in JSON (use a converting NullKeySerializer?)]"}
			}
			out = append(javatext.AppendJSON(out, e.Key), ':')
			if out, err = e.Value.appendJSON(out); err != nil {
				return out, err
			}
		}
		return append(out, '}'), nil
	}
	if !v.typ.isArray() {
		return out, &Error{Category: CatJSON, Message: "Failed to write an object to json string due to [" + v.typ.String() + " is not supported]"}
	}
	out = append(out, '[')
	for i := range v.Len() {
		if i > 0 {
			out = append(out, ',')
		}
		switch a := v.ref.(type) {
		case *stringArray:
			if a.null != nil && a.null[i] {
				out = append(out, "null"...)
			} else {
				out = javatext.AppendJSON(out, a.s[i])
			}
		case []float64:
			out = double(out, a[i])
		default:
			out = append(out, v.elemText(i)...)
		}
	}
	return append(out, ']'), nil
}

// DoubleText is Java's text of a double (section 7.4): 100.0, 1.0E7, 4.9E-324.
func DoubleText(f float64) string { return javatext.Double(f) }

// ParseLong reads a LONG from text (section 7.2).
func ParseLong(s string) (int64, error) { return javatext.ParseLong(s) }
