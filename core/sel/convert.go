package sel

import (
	"math"
	"strconv"
	"strings"
)

// ParamType is the declared type of a parameter.
type ParamType string

// The declared types.
const (
	ParamString       ParamType = "STRING"
	ParamLong         ParamType = "LONG"
	ParamDouble       ParamType = "DOUBLE"
	ParamBoolean      ParamType = "BOOLEAN"
	ParamStringArray  ParamType = "STRING_ARRAY"
	ParamLongArray    ParamType = "LONG_ARRAY"
	ParamDoubleArray  ParamType = "DOUBLE_ARRAY"
	ParamBooleanArray ParamType = "BOOLEAN_ARRAY"
	ParamStringMap    ParamType = "STRING_MAP"
	ParamMap          ParamType = "MAP"
)

// Note is what a conversion leaves in the parameter's metadata; both are empty for none.
type Note struct {
	Info string // meta `info`
	Warn string // meta `warn`
}

// ConversionKind says which rule refused a value (parameters.md, section 10).
type ConversionKind uint8

// The kinds, with the marks of the table in parameters.md.
const (
	ConversionIncompatible ConversionKind = iota + 1 // ✗a: not a compatible scalar
	ConversionBoolean                                // ✗b: text that is neither true nor false
	ConversionResult                                 // ✗c: not the array type
	ConversionNumber                                 // ✗n: not a number
	ConversionCast                                   // ✗t: not a map
)

// ConversionError is a result that does not fit the declared type.
type ConversionError struct {
	Kind    ConversionKind
	Message string
}

func (e *ConversionError) Error() string { return e.Message }

var javaClass = map[Type]string{
	TypeString: "java.lang.String", TypeLong: "java.lang.Long", TypeDouble: "java.lang.Double",
	TypeBoolean: "java.lang.Boolean", TypeStringArray: "[Ljava.lang.String;", TypeLongArray: "[J",
	TypeDoubleArray: "[D", TypeBooleanArray: "[Z", TypeMap: "java.util.HashMap",
}

// Convert brings a result to the declared type of the parameter (section 14.3). A null STRING, and NULL,
// are refused. A STRING_MAP's values become text (different from Maestro, which does not look at them).
func Convert(param string, to ParamType, v Value) (Value, Note, error) {
	fail := func(kind ConversionKind, msg string) (Value, Note, error) {
		return Value{}, Note{}, &ConversionError{kind, "Param [" + param + "] " + msg}
	}
	incompatible := func(kind string) (Value, Note, error) {
		return fail(ConversionIncompatible, "is expected to be a "+kind+" compatible type but is [class "+javaClass[v.typ]+"]")
	}
	invalid := func() (Value, Note, error) {
		return fail(ConversionResult, "has an invalid evaluated result ["+v.Text()+"]")
	}
	if v.IsNull() {
		return invalid()
	}
	switch to {
	case ParamString:
		switch v.typ {
		case TypeString:
			return v, Note{}, nil
		case TypeLong, TypeDouble, TypeBoolean:
			return String(v.Text()), Note{Info: "Implicitly converted the evaluated result to a string for type class " + javaClass[v.typ]}, nil
		}
		return incompatible("String")
	case ParamLong:
		switch v.typ {
		case TypeLong:
			return v, Note{}, nil
		case TypeString:
			n, err := ParseLong(v.str)
			if err != nil {
				return Value{}, Note{}, &ConversionError{ConversionNumber, err.Error()}
			}
			return Long(n), Note{Warn: "Implicitly converted the evaluated result to a long for type String"}, nil
		}
		return incompatible("Long")
	case ParamDouble:
		switch v.typ {
		case TypeLong:
			return Double(float64(v.num)), Note{}, nil
		case TypeDouble:
			f := v.AsDouble()
			if math.IsNaN(f) || math.IsInf(f, 0) {
				break
			}
			return Double(f + 0), Note{}, nil // −0.0 + 0 is 0.0
		case TypeString:
			if f, ok := ParseDecimal(v.str); ok {
				return Double(f), Note{}, nil
			}
		}
		return Value{}, Note{}, &ConversionError{ConversionNumber, "Param [" + param + "] is not a decimal number: [" + v.Text() + "]"}
	case ParamBoolean:
		switch v.typ {
		case TypeBoolean:
			return v, Note{}, nil
		case TypeString:
			t := strings.EqualFold(v.str, "true")
			if !t && !strings.EqualFold(v.str, "false") {
				return fail(ConversionBoolean, "is expected to have a Boolean compatible result but is ["+v.str+"]")
			}
			return Bool(t), Note{Warn: "Implicitly converted the evaluated result to a boolean for type String"}, nil
		}
		return incompatible("Boolean")
	case ParamStringArray:
		switch v.typ {
		case TypeStringArray:
			return v, Note{}, nil
		case TypeLongArray, TypeDoubleArray, TypeBooleanArray:
			s := make([]string, v.Len())
			for i := range s {
				s[i] = v.elemText(i)
			}
			return Strings(s), Note{Info: "Implicitly converted the evaluated result to a string array for type class " + javaClass[v.typ]}, nil
		}
		return invalid()
	case ParamLongArray, ParamDoubleArray, ParamBooleanArray:
		if v.typ.String() == string(to) {
			return v, Note{}, nil
		}
		return invalid()
	case ParamMap, ParamStringMap:
		if v.typ != TypeMap {
			return fail(ConversionCast, "is expected to be a Map but is [class "+javaClass[v.typ]+"]")
		}
		if to == ParamMap {
			return v, Note{}, nil
		}
		out := make([]Entry, v.Len())
		for i, e := range v.Entries() {
			if e.Value.IsNull() {
				return invalid()
			}
			text, err := InterpolatedText(e.Value)
			if err != nil {
				return Value{}, Note{}, err
			}
			out[i] = Entry{Key: e.Key, NullKey: e.NullKey, Value: String(text)}
		}
		return Map(out), Note{}, nil
	}
	return invalid()
}

// ParseDecimal reads a decimal number as Java's BigDecimal does: sign, digits of which some may follow a
// point, exponent; no blanks, suffix, NaN or infinity. ok is false for other text. A number beyond the
// range of doubles is an infinity.
func ParseDecimal(s string) (f float64, ok bool) {
	i, digits := 0, 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	dot := false
	for ; i < len(s); i++ {
		if s[i] == '.' && !dot {
			dot = true
		} else if s[i] >= '0' && s[i] <= '9' {
			digits++
		} else {
			break
		}
	}
	if digits == 0 {
		return 0, false
	}
	if i < len(s) {
		if s[i]|0x20 != 'e' {
			return 0, false
		}
		if _, err := strconv.ParseInt(s[i+1:], 10, 32); err != nil {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f + 0, true
}
