// Package jsonl answers expressions given as JSON lines: what `downbeat sel --json` speaks, and the
// form of the recorded vectors.
package jsonl

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/downbeat/downbeat/core/sel/javatext"
)

// node is a JSON value. Unlike encoding/json's, objects keep their order and text its lone surrogates.
type node struct {
	kind   byte // n, b, d (number), s, a, o
	text   string
	bool   bool
	elems  []node
	fields []field
}

type field struct {
	name  string
	value node
}

// get finds the last field of that name; nil without one.
func (n *node) get(name string) *node {
	for i := len(n.fields) - 1; i >= 0; i-- {
		if n.fields[i].name == name {
			return &n.fields[i].value
		}
	}
	return nil
}

func (n *node) isNull() bool { return n == nil || n.kind == 'n' }

type decoder struct {
	s     string
	at    int
	depth int
}

// decode parses one JSON text.
func decode(s string) (n *node, err error) {
	d := &decoder{s: s}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(error)
			if !ok {
				panic(r)
			}
			n, err = nil, e
		}
	}()
	v := d.value()
	d.blank()
	if d.at < len(d.s) {
		d.fail("the end")
	}
	return &v, nil
}

func (d *decoder) fail(want string) {
	panic(fmt.Errorf("not JSON: %s expected at byte %d", want, d.at))
}

func (d *decoder) blank() {
	for d.at < len(d.s) && strings.IndexByte(" \t\r\n", d.s[d.at]) >= 0 {
		d.at++
	}
}

func (d *decoder) accept(c byte) bool {
	d.blank()
	if d.at < len(d.s) && d.s[d.at] == c {
		d.at++
		return true
	}
	return false
}

func (d *decoder) expect(c byte) {
	if !d.accept(c) {
		d.fail(strconv.Quote(string(c)))
	}
}

func (d *decoder) value() node {
	d.blank()
	if d.depth++; d.depth > 1000 {
		d.fail("less nesting")
	}
	defer func() { d.depth-- }()
	if d.at >= len(d.s) {
		d.fail("a value")
	}
	switch c := d.s[d.at]; {
	case c == '"':
		return node{kind: 's', text: d.str()}
	case c == '{':
		d.at++
		n := node{kind: 'o'}
		if d.accept('}') {
			return n
		}
		for {
			d.blank()
			if d.at >= len(d.s) || d.s[d.at] != '"' {
				d.fail("a name")
			}
			name := d.str()
			d.expect(':')
			n.fields = append(n.fields, field{name, d.value()})
			if d.accept('}') {
				return n
			}
			d.expect(',')
		}
	case c == '[':
		d.at++
		n := node{kind: 'a'}
		if d.accept(']') {
			return n
		}
		for {
			n.elems = append(n.elems, d.value())
			if d.accept(']') {
				return n
			}
			d.expect(',')
		}
	case c == '-' || c >= '0' && c <= '9':
		b := d.at
		for d.at < len(d.s) && strings.IndexByte("+-.0123456789eE", d.s[d.at]) >= 0 {
			d.at++
		}
		t := d.s[b:d.at]
		if _, err := strconv.ParseFloat(t, 64); err != nil && !strings.Contains(err.Error(), "range") {
			d.fail("a number")
		}
		return node{kind: 'd', text: t}
	}
	for _, w := range []string{"true", "false", "null"} {
		if strings.HasPrefix(d.s[d.at:], w) {
			d.at += len(w)
			if w == "null" {
				return node{kind: 'n'}
			}
			return node{kind: 'b', bool: w == "true"}
		}
	}
	d.fail("a value")
	return node{}
}

func (d *decoder) str() string {
	d.at++
	var b []byte
	escaped := false
	for {
		if d.at >= len(d.s) {
			d.fail("the end of a text")
		}
		c := d.s[d.at]
		d.at++
		switch {
		case c == '"':
			s := string(b)
			if escaped {
				s = javatext.Normalize(s)
			}
			return javatext.Clean(s)
		case c < 0x20:
			d.at--
			d.fail("an escape")
		case c != '\\':
			b = append(b, c)
		default:
			if d.at >= len(d.s) {
				d.fail("an escape")
			}
			c := d.s[d.at]
			d.at++
			switch c {
			case '"', '\\', '/':
				b = append(b, c)
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
				if d.at+4 > len(d.s) {
					d.fail("four hexadecimal digits")
				}
				v, err := strconv.ParseUint(d.s[d.at:d.at+4], 16, 16)
				if err != nil {
					d.fail("four hexadecimal digits")
				}
				d.at += 4
				escaped = true
				b = javatext.AppendUnit(b, uint16(v))
			default:
				d.at--
				d.fail("an escape")
			}
		}
	}
}

// quote writes text as JSON, a lone surrogate as an escape.
func quote(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
			i++
		case c == '\n':
			out = append(out, '\\', 'n')
			i++
		case c < 0x20 || c == 0x7F:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		case c < 0x80:
			out = append(out, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				// The three bytes of a lone surrogate.
				u := javatext.Units(s[i:min(i+3, len(s))])[0]
				out = append(out, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15])
				if u == 0xFFFD {
					i++
				} else {
					i += 3
				}
				continue
			}
			out = append(out, s[i:i+n]...)
			i += n
		}
	}
	return append(out, '"')
}
