package wire

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/downbeat/downbeat/core/sel/javatext"
)

const hexDigits = "0123456789ABCDEF"

// AppendString appends a JSON string: `"`, `\` and control characters escaped, all else raw. A lone surrogate (three
// bytes, see the package) becomes an escape, other bytes that are no UTF-8 become U+FFFD.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			b = append(b, s[from:i]...)
			if c == 0xED && i+2 < len(s) && s[i+1]&0xE0 == 0xA0 && s[i+2]&0xC0 == 0x80 {
				b = append(b, '\\', 'u', 'D', hexDigits[8|s[i+1]>>2&7], hexDigits[(s[i+1]&3)<<2|s[i+2]>>4&3], hexDigits[s[i+2]&15])
				i += 3
			} else {
				b = append(b, "\ufffd"...)
				i++
			}
			from = i
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// AppendDouble appends a double in Java's notation: shortest digits, exponent form below 1e-3 and from 1e7 on; NaN and
// infinities as strings.
func AppendDouble(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(javatext.AppendDouble(append(b, '"'), f), '"')
	}
	return javatext.AppendDouble(b, f)
}

// Appender is a model that writes itself.
type Appender interface {
	// AppendJSON appends one complete JSON value.
	AppendJSON(b []byte) []byte
}

// Writer appends JSON. Commas come by themselves. Calls must make a well-formed document: a member only inside an
// object, an element only inside an array, every Open closed. The zero Writer is ready.
//
// A name in a call makes a member; the …Item forms make elements of an array. The Opt forms leave nil out, the If forms
// leave the zero value out.
type Writer struct {
	b     []byte
	start int
}

// NewWriter makes a Writer that appends to b.
func NewWriter(b []byte) *Writer { return &Writer{b: b, start: len(b)} }

// Bytes is everything written so far, after what was given to NewWriter.
func (w *Writer) Bytes() []byte { return w.b }

func (w *Writer) comma() {
	if n := len(w.b); n > w.start {
		switch w.b[n-1] {
		case '{', '[', ':', ',':
		default:
			w.b = append(w.b, ',')
		}
	}
}

// Key begins a member; its value must follow.
func (w *Writer) Key(name string) {
	w.comma()
	w.b = append(AppendString(w.b, name), ':')
}

// Open begins an object that is the document, an element, or the value after Key.
func (w *Writer) Open() { w.comma(); w.b = append(w.b, '{') }

// Close ends an object.
func (w *Writer) Close() { w.b = append(w.b, '}') }

// OpenList begins an array that is the document, an element, or the value after Key.
func (w *Writer) OpenList() { w.comma(); w.b = append(w.b, '[') }

// CloseList ends an array.
func (w *Writer) CloseList() { w.b = append(w.b, ']') }

// Object begins a member that is an object.
func (w *Writer) Object(name string) { w.Key(name); w.b = append(w.b, '{') }

// List begins a member that is an array.
func (w *Writer) List(name string) { w.Key(name); w.b = append(w.b, '[') }

// Str writes a text.
func (w *Writer) Str(name, v string) { w.Key(name); w.b = AppendString(w.b, v) }

// StrIf writes a text unless it is "".
func (w *Writer) StrIf(name, v string) {
	if v != "" {
		w.Str(name, v)
	}
}

// StrOpt writes a text unless it is nil.
func (w *Writer) StrOpt(name string, v *string) {
	if v != nil {
		w.Str(name, *v)
	}
}

// Long writes an integer.
func (w *Writer) Long(name string, v int64) { w.Key(name); w.b = strconv.AppendInt(w.b, v, 10) }

// LongIf writes an integer unless it is 0.
func (w *Writer) LongIf(name string, v int64) {
	if v != 0 {
		w.Long(name, v)
	}
}

// LongOpt writes an integer unless it is nil.
func (w *Writer) LongOpt(name string, v *int64) {
	if v != nil {
		w.Long(name, *v)
	}
}

// Bool writes a boolean.
func (w *Writer) Bool(name string, v bool) { w.Key(name); w.b = strconv.AppendBool(w.b, v) }

// BoolIf writes true, and nothing for false.
func (w *Writer) BoolIf(name string, v bool) {
	if v {
		w.Bool(name, v)
	}
}

// BoolOpt writes a boolean unless it is nil.
func (w *Writer) BoolOpt(name string, v *bool) {
	if v != nil {
		w.Bool(name, *v)
	}
}

// Double writes a double in Java's notation.
func (w *Writer) Double(name string, v float64) { w.Key(name); w.b = AppendDouble(w.b, v) }

// Null writes null.
func (w *Writer) Null(name string) { w.Key(name); w.b = append(w.b, "null"...) }

// Value writes a tree.
func (w *Writer) Value(name string, v Value) { w.Key(name); w.b = v.AppendJSON(w.b) }

// ValueIf writes a tree unless it is null.
func (w *Writer) ValueIf(name string, v Value) {
	if !v.IsNull() {
		w.Value(name, v)
	}
}

// Append writes what writes itself.
func (w *Writer) Append(name string, v Appender) { w.Key(name); w.b = v.AppendJSON(w.b) }

// Raw writes what is JSON already.
func (w *Writer) Raw(name string, json []byte) { w.Key(name); w.b = append(w.b, json...) }

// RawIf writes what is JSON already, unless it is empty.
func (w *Writer) RawIf(name string, json []byte) {
	if len(json) > 0 {
		w.Raw(name, json)
	}
}

// Strs writes an array of texts, `[]` for none.
func (w *Writer) Strs(name string, v []string) {
	w.List(name)
	for _, s := range v {
		w.StrItem(s)
	}
	w.CloseList()
}

// StrsIf writes an array of texts unless it has none.
func (w *Writer) StrsIf(name string, v []string) {
	if len(v) > 0 {
		w.Strs(name, v)
	}
}

// StrItem writes an element that is a text.
func (w *Writer) StrItem(v string) { w.comma(); w.b = AppendString(w.b, v) }

// LongItem writes an element that is an integer.
func (w *Writer) LongItem(v int64) { w.comma(); w.b = strconv.AppendInt(w.b, v, 10) }

// BoolItem writes an element that is a boolean.
func (w *Writer) BoolItem(v bool) { w.comma(); w.b = strconv.AppendBool(w.b, v) }

// DoubleItem writes an element that is a double in Java's notation.
func (w *Writer) DoubleItem(v float64) { w.comma(); w.b = AppendDouble(w.b, v) }

// NullItem writes an element that is null.
func (w *Writer) NullItem() { w.comma(); w.b = append(w.b, "null"...) }

// ValueItem writes an element that is a tree.
func (w *Writer) ValueItem(v Value) { w.comma(); w.b = v.AppendJSON(w.b) }

// AppendItem writes an element that writes itself.
func (w *Writer) AppendItem(v Appender) { w.comma(); w.b = v.AppendJSON(w.b) }

// RawItem writes an element that is JSON already.
func (w *Writer) RawItem(json []byte) { w.comma(); w.b = append(w.b, json...) }
