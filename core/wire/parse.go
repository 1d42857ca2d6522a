package wire

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Limits of a document. They are those of the JSON library that Maestro uses.
const (
	MaxDepth  = 1000  // arrays and objects inside each other
	MaxNumber = 1000  // characters of a number
	MaxName   = 50000 // bytes of a member's name
)

// Parse reads the JSON value at the start of data. What follows it is ignored, as Maestro ignores it; data without a
// value is an error. Errors are *Error with line and column. The Value keeps nothing of data.
func Parse(data []byte) (Value, error) {
	s := string(data)
	if len(s) >= 3 && s[:3] == "\ufeff" {
		s = s[3:]
	}
	p := parser{s: s}
	p.space()
	if p.i == len(p.s) {
		return Value{}, &Error{Line: 1, Column: 1, Msg: "no content: a JSON value is required"}
	}
	v, err := p.value(0)
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

// ParseText is Parse of a text.
func ParseText(s string) (Value, error) { return Parse([]byte(s)) }

// parser reads one document. The members and elements of what is open lie on its stacks; each object and array is copied
// from there once it is complete, in one piece of the right size.
type parser struct {
	s      string
	i      int
	fields []Field
	items  []Value
}

func (p *parser) fail(at int, format string, args ...any) *Error {
	line, col := 1, 1
	for i := 0; i < at && i < len(p.s); i++ {
		if p.s[i] == '\n' {
			line, col = line+1, 0
		}
		col++
	}
	return &Error{Line: line, Column: col, Msg: fmt.Sprintf(format, args...)}
}

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// next is the next character that is not blank, 0 at the end.
func (p *parser) next() byte {
	p.space()
	if p.i == len(p.s) {
		return 0
	}
	return p.s[p.i]
}

func (p *parser) unexpected(want string) *Error {
	if p.i >= len(p.s) {
		return p.fail(p.i, "unexpected end of input, expected %s", want)
	}
	r, _ := utf8.DecodeRuneInString(p.s[p.i:])
	return p.fail(p.i, "unexpected character %q, expected %s", r, want)
}

func (p *parser) value(depth int) (Value, *Error) {
	switch c := p.next(); {
	case c == '{':
		if depth == MaxDepth {
			return Value{}, p.fail(p.i, "nesting depth is larger than %d", MaxDepth)
		}
		return p.object(depth + 1)
	case c == '[':
		if depth == MaxDepth {
			return Value{}, p.fail(p.i, "nesting depth is larger than %d", MaxDepth)
		}
		return p.array(depth + 1)
	case c == '"':
		s, err := p.str()
		return Value{kind: KindString, text: s}, err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for _, w := range [...]struct {
		word string
		v    Value
	}{{"true", Value{kind: KindBool, text: "true"}}, {"false", Value{kind: KindBool, text: "false"}}, {"null", Value{}}} {
		if len(p.s)-p.i >= len(w.word) && p.s[p.i:p.i+len(w.word)] == w.word {
			p.i += len(w.word)
			if p.i < len(p.s) && wordByte(p.s[p.i]) {
				break
			}
			return w.v, nil
		}
	}
	return Value{}, p.unexpected("a JSON value")
}

func wordByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= utf8.RuneSelf
}

func (p *parser) object(depth int) (Value, *Error) {
	v := Value{kind: KindObject}
	p.i++
	if p.next() == '}' {
		p.i++
		return v, nil
	}
	base := len(p.fields)
	defer func() {
		clear(p.fields[base:])
		p.fields = p.fields[:base]
	}()
	var index map[string]int // of names, once there are many
	for {
		if p.next() != '"' {
			return v, p.unexpected("the name of a member in double quotes")
		}
		at := p.i
		name, err := p.str()
		if err != nil {
			return v, err
		}
		if len(name) > MaxName {
			return v, p.fail(at, "name of a member is longer than %d", MaxName)
		}
		if p.next() != ':' {
			return v, p.unexpected("`:` after the name of a member")
		}
		p.i++
		member, err := p.value(depth)
		if err != nil {
			return v, err
		}
		fields := p.fields[base:]
		old := -1
		if index != nil {
			if k, ok := index[name]; ok {
				old = k
			}
		} else {
			for k := range fields {
				if fields[k].Name == name {
					old = k
					break
				}
			}
		}
		if old >= 0 {
			fields[old].Value = member
		} else {
			p.fields = append(p.fields, Field{name, member})
			if index != nil {
				index[name] = len(fields)
			} else if len(fields) == 23 {
				index = make(map[string]int, 64)
				for k, f := range p.fields[base:] {
					index[f.Name] = k
				}
			}
		}
		switch p.next() {
		case ',':
			p.i++
		case '}':
			p.i++
			v.fields = slices.Clone(p.fields[base:])
			return v, nil
		default:
			return v, p.unexpected("`,` or `}` after a member")
		}
	}
}

func (p *parser) array(depth int) (Value, *Error) {
	v := Value{kind: KindArray}
	p.i++
	if p.next() == ']' {
		p.i++
		return v, nil
	}
	base := len(p.items)
	defer func() {
		clear(p.items[base:])
		p.items = p.items[:base]
	}()
	for {
		item, err := p.value(depth)
		if err != nil {
			return v, err
		}
		p.items = append(p.items, item)
		switch p.next() {
		case ',':
			p.i++
		case ']':
			p.i++
			v.list = slices.Clone(p.items[base:])
			return v, nil
		default:
			return v, p.unexpected("`,` or `]` after an element")
		}
	}
}

func (p *parser) digits() int {
	from := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i - from
}

func (p *parser) number() (Value, *Error) {
	from := p.i
	if p.s[p.i] == '-' {
		p.i++
	}
	lead := p.i
	n := p.digits()
	if n == 0 {
		return Value{}, p.unexpected("a digit")
	}
	if n > 1 && p.s[lead] == '0' {
		return Value{}, p.fail(lead, "invalid number: leading zeros are not allowed")
	}
	fraction := false
	if p.i < len(p.s) && p.s[p.i] == '.' {
		fraction = true
		p.i++
		if p.digits() == 0 {
			return Value{}, p.unexpected("a digit after the point")
		}
	}
	if p.i < len(p.s) && p.s[p.i]|0x20 == 'e' {
		fraction = true
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if p.digits() == 0 {
			return Value{}, p.unexpected("a digit of the exponent")
		}
	}
	if p.i < len(p.s) && wordByte(p.s[p.i]) || p.i < len(p.s) && p.s[p.i] == '.' {
		return Value{}, p.unexpected("the end of the number")
	}
	text := p.s[from:p.i]
	if len(text) > MaxNumber {
		return Value{}, p.fail(from, "number is longer than %d", MaxNumber)
	}
	if fraction {
		if _, ok := ParseDecimal(text); !ok {
			return Value{}, p.fail(from, "exponent of the number is out of range")
		}
	}
	return Value{kind: KindNumber, text: text}, nil
}

// str reads a string. Text without escapes shares the document's memory.
func (p *parser) str() (string, *Error) {
	p.i++
	from := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.s[from : p.i-1], nil
		case c == '\\':
			return p.escaped(from)
		case c < ' ':
			return "", p.fail(p.i, "control character %#02x in a string must be escaped", c)
		case c < utf8.RuneSelf:
			p.i++
		default:
			if err := p.rune(); err != nil {
				return "", err
			}
		}
	}
	return "", p.fail(p.i, "unexpected end of input in a string")
}

func (p *parser) rune() *Error {
	r, n := utf8.DecodeRuneInString(p.s[p.i:])
	if r == utf8.RuneError && n <= 1 {
		return p.fail(p.i, "invalid UTF-8 byte %#02x in a string", p.s[p.i])
	}
	p.i += n
	return nil
}

func (p *parser) escaped(from int) (string, *Error) {
	b := append(make([]byte, 0, p.i-from+32), p.s[from:p.i]...)
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return string(b), nil
		case c < ' ':
			return "", p.fail(p.i, "control character %#02x in a string must be escaped", c)
		case c >= utf8.RuneSelf:
			at := p.i
			if err := p.rune(); err != nil {
				return "", err
			}
			b = append(b, p.s[at:p.i]...)
		case c != '\\':
			b = append(b, c)
			p.i++
		default:
			if p.i+1 >= len(p.s) {
				return "", p.fail(len(p.s), "unexpected end of input in an escape")
			}
			p.i += 2
			switch e := p.s[p.i-1]; e {
			case '"', '\\', '/':
				b = append(b, e)
			case 'b':
				b = append(b, '\b')
			case 'f':
				b = append(b, '\f')
			case 'n':
				b = append(b, '\n')
			case 'r':
				b = append(b, '\r')
			case 't':
				b = append(b, '\t')
			case 'u':
				u, err := p.hex4()
				if err != nil {
					return "", err
				}
				if u >= 0xD800 && u < 0xDC00 && p.i+1 < len(p.s) && p.s[p.i] == '\\' && p.s[p.i+1] == 'u' {
					at := p.i
					p.i += 2
					lo, err := p.hex4()
					if err != nil {
						return "", err
					}
					if lo >= 0xDC00 && lo < 0xE000 {
						b = utf8.AppendRune(b, 0x10000+(u-0xD800)<<10+(lo-0xDC00))
						continue
					}
					p.i = at
				}
				b = appendUnit(b, u)
			default:
				p.i--
				return "", p.unexpected("one of \" \\ / b f n r t u after a backslash")
			}
		}
	}
	return "", p.fail(p.i, "unexpected end of input in a string")
}

// appendUnit appends a UTF-16 unit, a surrogate as the three bytes of its code.
func appendUnit(b []byte, u rune) []byte {
	if u < 0xD800 || u > 0xDFFF {
		return utf8.AppendRune(b, u)
	}
	return append(b, 0xE0|byte(u>>12), 0x80|byte(u>>6)&0x3F, 0x80|byte(u)&0x3F)
}

func (p *parser) hex4() (rune, *Error) {
	if p.i+4 > len(p.s) {
		return 0, p.fail(len(p.s), "unexpected end of input in an escape")
	}
	var u rune
	for k := range 4 {
		c := p.s[p.i+k]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, p.fail(p.i+k, "expected a hexadecimal digit in an escape")
		}
		u = u<<4 | rune(c)
	}
	p.i += 4
	return u, nil
}
