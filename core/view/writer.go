package view

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// writer appends JSON. Commas come by themselves: a member or entry that follows another one gets its comma. The first
// error is kept and what follows it is of no use.
type writer struct {
	b   []byte
	err error
}

// appender is a value that appends its own JSON.
type appender interface{ AppendJSON(b []byte) []byte }

func (w *writer) open()      { w.comma(); w.b = append(w.b, '{') }
func (w *writer) close()     { w.b = append(w.b, '}') }
func (w *writer) openList()  { w.comma(); w.b = append(w.b, '[') }
func (w *writer) closeList() { w.b = append(w.b, ']') }

// comma separates from what stands before on the same level.
func (w *writer) comma() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':', ',':
		default:
			w.b = append(w.b, ',')
		}
	}
}

// key begins a member.
func (w *writer) key(k string) {
	w.comma()
	w.b = append(appendText(w.b, k), ':')
}

func (w *writer) object(k string) { w.key(k); w.b = append(w.b, '{') }
func (w *writer) list(k string)   { w.key(k); w.b = append(w.b, '[') }

func (w *writer) text(k, v string) { w.key(k); w.b = appendText(w.b, v) }

// textIf leaves an empty text out.
func (w *writer) textIf(k, v string) {
	if v != "" {
		w.text(k, v)
	}
}

func (w *writer) num(k string, v int64) { w.key(k); w.b = strconv.AppendInt(w.b, v, 10) }

// numIf leaves 0 out: a time that is not set, an optional number.
func (w *writer) numIf(k string, v int64) {
	if v != 0 {
		w.num(k, v)
	}
}

func (w *writer) bool(k string, v bool) { w.key(k); w.b = strconv.AppendBool(w.b, v) }
func (w *writer) null(k string)         { w.key(k); w.b = append(w.b, "null"...) }

// entry appends an entry of a list.
func (w *writer) entry(v string) { w.comma(); w.b = appendText(w.b, v) }

func (w *writer) numEntry(v int64) { w.comma(); w.b = strconv.AppendInt(w.b, v, 10) }

// timeEntry is a time in a list, null when it is not set.
func (w *writer) timeEntry(v int64) {
	if v == 0 {
		w.comma()
		w.b = append(w.b, "null"...)
		return
	}
	w.numEntry(v)
}

// raw writes a member whose value is JSON already.
func (w *writer) raw(k string, v []byte) {
	w.key(k)
	if len(v) == 0 {
		w.fail(fmt.Errorf("%s: no JSON", k))
		v = []byte("null")
	}
	w.b = append(w.b, v...)
}

// value writes a member whose value knows its own JSON.
func (w *writer) value(k string, v any) {
	w.key(k)
	w.any(v)
}

func (w *writer) any(v any) {
	if a, ok := v.(appender); ok {
		w.b = a.AppendJSON(w.b)
		return
	}
	data, err := json.Marshal(v)
	if err != nil {
		w.fail(err)
		data = []byte("null")
	}
	w.b = append(w.b, data...)
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// done gives what was written, with the error in the words of what was being written.
func (w *writer) done(format string, args ...any) ([]byte, error) {
	if w.err != nil {
		return w.b, fmt.Errorf(format+": %w", append(args, w.err)...)
	}
	return w.b, nil
}

const hex = "0123456789abcdef"

// appendText appends a JSON string. Text that is not UTF-8 gets replacement characters.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[from:i]...), "\ufffd"...)
				i++
				from = i
				continue
			}
			i += size
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
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}
