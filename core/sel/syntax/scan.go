package syntax

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/sel/javatext"
)

// ErrorKind tells the errors of this package apart.
type ErrorKind uint8

// The kinds of errors.
const (
	Lexical ErrorKind = iota
	BadEscape
	Syntax
	BadLiteral
	TooDeep
)

// Error is an error of scanning or parsing. Charge is the memory counted before it.
type Error struct {
	Kind     ErrorKind
	Pos      Pos
	Message  string
	Expected []string
	Hint     string
	Charge   int64
}

func (e *Error) Error() string { return e.Message }

// char is a source character after unicode escapes.
type char struct {
	u   uint16
	pos Pos
	bad bool // a malformed escape begins here; pos is where it is reported
}

// decode applies the unicode escapes and gives every character its place. A malformed escape ends it:
// it is an error only if the scanner gets there.
func decode(src string) (chars []char, length int) {
	units := javatext.Units(src)
	chars = make([]char, 0, len(units))
	line, col := int32(1), int32(0)
	prevCR, prevLF := false, false
	slashes := 0
	advance := func(u uint16) Pos {
		col++
		if prevLF {
			prevLF = false
			line, col = line+1, 1
		} else if prevCR {
			prevCR = false
			if u == '\n' {
				prevLF = true
			} else {
				line, col = line+1, 1
			}
		}
		switch u {
		case '\r':
			prevCR = true
		case '\n':
			prevLF = true
		case '\t':
			col--
			col += 8 - col%8
		}
		return Pos{line, col}
	}
	for i := 0; i < len(units); i++ {
		u := units[i]
		p := advance(u)
		if u != '\\' {
			slashes = 0
			chars = append(chars, char{u: u, pos: p})
			continue
		}
		slashes++
		if slashes%2 == 1 && i+1 < len(units) && units[i+1] == 'u' {
			slashes = 0
			j := i + 1
			for j < len(units) && units[j] == 'u' {
				advance('u')
				j++
			}
			v, ok := uint16(0), j+4 <= len(units)
			for k := 0; ok && k < 4; k++ {
				h, good := hexValue(units[j+k])
				v, ok = v<<4|h, good
			}
			if !ok {
				return append(chars, char{pos: Pos{line, col}, bad: true}), len(units)
			}
			col += 4
			i = j + 3
			chars = append(chars, char{u: v, pos: p})
			continue
		}
		chars = append(chars, char{u: u, pos: p})
	}
	return chars, len(units)
}

func hexValue(u uint16) (uint16, bool) {
	switch {
	case u >= '0' && u <= '9':
		return u - '0', true
	case u >= 'a' && u <= 'f':
		return u - 'a' + 10, true
	case u >= 'A' && u <= 'F':
		return u - 'A' + 10, true
	}
	return 0, false
}

type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokIdent
	tokKeyword
	tokInt
	tokFloat
	tokString
	tokOp // operators and separators
)

type token struct {
	kind tokenKind
	text string
	pos  Pos
}

// is reports a keyword, operator or separator of that text.
func (t token) is(text string) bool {
	return t.text == text && (t.kind == tokOp || t.kind == tokKeyword)
}

var keywords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`abstract boolean break byte case catch char class const continue default do
		double else extends false final finally float for goto if implements import instanceof int interface long
		native new null package private protected public return short static super switch synchronized this throw
		throws transient true try void volatile while`) {
		m[w] = true
	}
	return m
}()

// operators, longest first.
var operators = []string{">>>=", ">>>", "<<=", ">>=", "==", "<=", ">=", "!=", "||", "&&", "++", "--", "+=", "-=", "*=", "/=",
	"%=", "&=", "|=", "^=", "<<", ">>", "(", ")", "{", "}", "[", "]", ";", ",", ".", "=", ">", "<", "!", "?", ":", "+", "-",
	"*", "/", "%", "~", "&", "|", "^"}

func isIdentStart(u uint16) bool {
	switch {
	case u < 0x80:
		return u == '$' || u == '_' || u >= 'A' && u <= 'Z' || u >= 'a' && u <= 'z'
	case u >= 0xC0 && u <= 0xD6, u >= 0xD8 && u <= 0xF6, u >= 0xF8 && u <= 0x1FFF, u >= 0x3040 && u <= 0x318F,
		u >= 0x3300 && u <= 0x337F, u >= 0x3400 && u <= 0x3D2D, u >= 0x4E00 && u <= 0x9FFF, u >= 0xF900 && u <= 0xFAFF:
		return true
	}
	return false
}

// digitRows are the first characters of the digit rows that identifiers may contain.
var digitRows = [...]uint16{'0', 0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE7, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0x1040}

func isIdentPart(u uint16) bool {
	if isIdentStart(u) {
		return true
	}
	for _, r := range digitRows {
		if u >= r && (u < r+9 || u == r+9 && r != 0xBE7) {
			return true
		}
	}
	return false
}

func isDigit(u uint16) bool { return u >= '0' && u <= '9' }

type scanner struct {
	chars  []char
	at     int
	length int
}

// peek gives the character n places on, 0 and false at the end. It panics with *Error at a malformed
// escape; parse recovers it.
func (s *scanner) peek(n int) (uint16, bool) {
	if s.at+n >= len(s.chars) {
		return 0, false
	}
	c := s.chars[s.at+n]
	if c.bad {
		panic(&Error{Kind: BadEscape, Pos: c.pos, Message: fmt.Sprintf("Invalid escape character at line %d column %d.", c.pos.Line, c.pos.Col),
			Hint: `a unicode escape is \u and four hexadecimal digits`})
	}
	return c.u, true
}

// endPos is the place of the last character.
func (s *scanner) endPos() Pos {
	if len(s.chars) == 0 {
		return Pos{1, 0}
	}
	return s.chars[len(s.chars)-1].pos
}

// stuck raises a lexical error for the n-th character on, which no token may continue with.
func (s *scanner) stuck(n int, hint string) {
	image := func(n int) string {
		u := make([]uint16, 0, n)
		for _, c := range s.chars[s.at : s.at+n] {
			u = append(u, c.u)
		}
		return javatext.Encode(u)
	}
	after := ""
	switch {
	case s.at+n >= len(s.chars):
		if n > 1 {
			after = image(n)
		}
		s.atEnd(after, hint)
	case s.at+n == len(s.chars)-1:
		// A character that is the very last of the source is reported as the end.
		if n > 0 {
			after = image(n + 1)
		}
		s.atEnd(after, hint)
	case n > 0:
		after = image(n)
	}
	c := s.chars[s.at+n]
	panic(&Error{Kind: Lexical, Pos: c.pos, Hint: hint, Message: fmt.Sprintf("Lexical error at line %d, column %d.  Encountered: \"%s\" (%d), after : \"%s\"",
		c.pos.Line, c.pos.Col, escapeText([]uint16{c.u}), c.u, escapeText(javatext.Units(after)))})
}

func (s *scanner) atEnd(after, hint string) {
	p := s.endPos()
	if n := len(s.chars); n > 0 && (s.chars[n-1].u == '\n' || s.chars[n-1].u == '\r') {
		p = Pos{p.Line + 1, 0}
	} else {
		p.Col++
	}
	panic(&Error{Kind: Lexical, Pos: p, Hint: hint, Message: fmt.Sprintf("Lexical error at line %d, column %d.  Encountered: <EOF> after : \"%s\"",
		p.Line, p.Col, escapeText(javatext.Units(after)))})
}

// escapeText is how error messages show source text.
func escapeText(units []uint16) string {
	var b strings.Builder
	for _, u := range units {
		switch u {
		case 0:
		case '\b':
			b.WriteString(`\b`)
		case '\t':
			b.WriteString(`\t`)
		case '\n':
			b.WriteString(`\n`)
		case '\f':
			b.WriteString(`\f`)
		case '\r':
			b.WriteString(`\r`)
		case '"', '\'', '\\':
			b.WriteByte('\\')
			b.WriteByte(byte(u))
		default:
			if u < 0x20 || u > 0x7E {
				fmt.Fprintf(&b, `\u%04x`, u)
			} else {
				b.WriteByte(byte(u))
			}
		}
	}
	return b.String()
}

// next scans one token.
func (s *scanner) next() token {
	s.skipBlank()
	u, ok := s.peek(0)
	if !ok {
		return token{kind: tokEOF, pos: s.endPos()}
	}
	pos := s.chars[s.at].pos
	switch {
	case isIdentStart(u):
		n := 1
		for {
			u, ok := s.peek(n)
			if !ok || !isIdentPart(u) {
				break
			}
			n++
		}
		t := s.take(n, tokIdent, pos)
		if keywords[t.text] {
			t.kind = tokKeyword
		}
		return t
	case isDigit(u):
		return s.number(pos)
	case u == '.':
		if d, ok := s.peek(1); ok && isDigit(d) {
			return s.number(pos)
		}
	case u == '\'' || u == '"':
		return s.str(u, pos)
	}
	for _, op := range operators {
		n := 0
		for n < len(op) {
			if u, ok := s.peek(n); !ok || u != uint16(op[n]) {
				break
			}
			n++
		}
		if n == len(op) {
			s.at += n
			return token{kind: tokOp, text: op, pos: pos}
		}
	}
	s.stuck(0, "")
	panic("unreachable")
}

func (s *scanner) skipBlank() {
	for {
		u, ok := s.peek(0)
		if !ok {
			return
		}
		switch u {
		case ' ', '\t', '\n', '\r', '\f':
			s.at++
			continue
		case '/':
			switch u, _ := s.peek(1); u {
			case '/':
				s.at += 2
				for {
					u, ok := s.peek(0)
					if !ok || u == '\n' || u == '\r' {
						break
					}
					s.at++
				}
				continue
			case '*':
				s.at += 2
				for {
					u, ok := s.peek(0)
					if !ok {
						s.atEnd("", "the comment is not closed by */")
					}
					s.at++
					if u == '*' {
						if u, _ := s.peek(0); u == '/' {
							s.at++
							break
						}
					}
				}
				continue
			}
		}
		return
	}
}

func (s *scanner) take(n int, kind tokenKind, pos Pos) token {
	b := make([]byte, 0, n)
	ascii := true
	for _, c := range s.chars[s.at : s.at+n] {
		if c.u >= 0x80 {
			ascii = false
			break
		}
		b = append(b, byte(c.u))
	}
	text := string(b)
	if !ascii {
		u := make([]uint16, n)
		for i, c := range s.chars[s.at : s.at+n] {
			u[i] = c.u
		}
		text = javatext.Encode(u)
	}
	s.at += n
	return token{kind: kind, text: text, pos: pos}
}

// number takes the longest integer or float.
func (s *scanner) number(pos Pos) token {
	digits := func(n int) int {
		for {
			u, ok := s.peek(n)
			if !ok || !isDigit(u) {
				return n
			}
			n++
		}
	}
	suffix := func(n int, set string) (int, bool) {
		u, ok := s.peek(n)
		if ok && u < 0x80 && strings.IndexByte(set, byte(u)) >= 0 {
			return n + 1, true
		}
		return n, false
	}
	exponent := func(n int) (int, bool) {
		m, ok := suffix(n, "eE")
		if !ok {
			return n, false
		}
		m, _ = suffix(m, "+-")
		if d := digits(m); d > m {
			return d, true
		}
		return n, false
	}
	whole := digits(0)
	u, ok := s.peek(whole)
	if ok && u == '.' {
		n := digits(whole + 1)
		n, _ = exponent(n)
		n, _ = suffix(n, "fFdD")
		return s.take(n, tokFloat, pos)
	}
	if n, ok := exponent(whole); ok {
		n, _ = suffix(n, "fFdD")
		return s.take(n, tokFloat, pos)
	}
	if n, ok := suffix(whole, "fFdD"); ok {
		return s.take(n, tokFloat, pos)
	}
	first, _ := s.peek(0)
	n := whole
	if first == '0' {
		n = 1
		if m, ok := suffix(1, "xX"); ok {
			h := m
			for {
				u, ok := s.peek(h)
				if _, hex := hexValue(u); !ok || !hex {
					break
				}
				h++
			}
			if h > m {
				h, _ = suffix(h, "lL")
				return s.take(h, tokInt, pos)
			}
		}
		for n < whole {
			if u, _ := s.peek(n); u > '7' {
				break
			}
			n++
		}
	}
	n, _ = suffix(n, "lL")
	return s.take(n, tokInt, pos)
}

// str scans a text literal; token.text keeps quotes and escapes.
func (s *scanner) str(quote uint16, pos Pos) token {
	for n := 1; ; n++ {
		u, ok := s.peek(n)
		switch {
		case !ok:
			s.stuck(n, "the text is not closed")
		case u == quote:
			return s.take(n+1, tokString, pos)
		case u == '\n' || u == '\r':
			s.stuck(n, `a text cannot contain a line break; write \n`)
		case u == '\\':
			n++
			u, ok := s.peek(n)
			switch {
			case ok && u < 0x80 && strings.IndexByte(`btnfr\'"`, byte(u)) >= 0:
			case ok && u >= '0' && u <= '7':
				// Octal: accepted here, refused when the literal is converted.
			default:
				s.stuck(n, `a backslash before this character has no meaning; for a regular expression write \\`)
			}
		}
	}
}

// unquote gives the content of a text literal.
func unquote(text string) (string, error) {
	body := text[1 : len(text)-1]
	if strings.IndexByte(body, '\\') < 0 {
		return body, nil
	}
	var b []byte
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			b = append(b, body[i])
			continue
		}
		i++
		switch body[i] {
		case 'b':
			b = append(b, '\b')
		case 't':
			b = append(b, '\t')
		case 'n':
			b = append(b, '\n')
		case 'f':
			b = append(b, '\f')
		case 'r':
			b = append(b, '\r')
		case '\\', '\'', '"':
			b = append(b, body[i])
		default:
			return "", fmt.Errorf("Invalid escaped literal string: %s", text)
		}
	}
	return string(b), nil
}

func parseFloat(text string) float64 {
	f, _ := strconv.ParseFloat(strings.TrimRight(text, "fFdD"), 64)
	return f // out of range gives an infinity or zero, as in Java
}
