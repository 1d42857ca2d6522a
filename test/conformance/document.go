package conformance

import (
	"bytes"
	"encoding/json"
	"io"
	"math/big"
	"sort"
	"strconv"
	"strings"
)

// Documents are what encoding/json reads into an `any`, with json.Number for numbers. A value that is not there is
// the text missing, which scenarios may name too (in `until`).
const missing = "<missing>"

// decode reads exactly one JSON value.
func decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	return v, nil
}

var (
	unescapePart = strings.NewReplacer("~1", "/", "~0", "~")
	escapePart   = strings.NewReplacer("~", "~0", "/", "~1")
)

// at is the value at an RFC 6901 pointer, or missing. A negative index counts from the end.
func at(doc any, pointer string) any {
	for _, part := range strings.Split(pointer, "/")[1:] {
		part = unescapePart.Replace(part)
		switch d := doc.(type) {
		case map[string]any:
			v, ok := d[part]
			if !ok {
				return missing
			}
			doc = v
		case []any:
			i, err := strconv.Atoi(part)
			if err == nil && i < 0 {
				i += len(d)
			}
			if err != nil || i < 0 || i >= len(d) {
				return missing
			}
			doc = d[i]
		default:
			return missing
		}
	}
	return doc
}

// pattern is a pointer in which `*` stands for one part and `**` for any number.
type pattern []string

func patterns(lists ...[]string) []pattern {
	var out []pattern
	for _, list := range lists {
		for _, p := range list {
			out = append(out, strings.Split(p, "/")[1:])
		}
	}
	return out
}

// matches tells whether the parts of a pointer lie at the pattern or, with below, under it.
func (p pattern) matches(parts []string, below bool) bool {
	if len(p) == 0 {
		return below || len(parts) == 0
	}
	if p[0] == "**" {
		for i := 0; i <= len(parts); i++ {
			if p[1:].matches(parts[i:], below) {
				return true
			}
		}
		return false
	}
	return len(parts) > 0 && (p[0] == "*" || p[0] == parts[0]) && p[1:].matches(parts[1:], below)
}

func anyMatches(list []pattern, parts []string, below bool) bool {
	for _, p := range list {
		if p.matches(parts, below) {
			return true
		}
	}
	return false
}

// without is the document without what lies at or below the given patterns. Entries of lists become null, so that the
// others keep their places.
func without(doc any, ignored []pattern, parts []string) any {
	switch d := doc.(type) {
	case map[string]any:
		out := make(map[string]any, len(d))
		for k, v := range d {
			if p := child(parts, escapePart.Replace(k)); !anyMatches(ignored, p, true) {
				out[k] = without(v, ignored, p)
			}
		}
		return out
	case []any:
		out := make([]any, len(d))
		for i, v := range d {
			if p := child(parts, strconv.Itoa(i)); !anyMatches(ignored, p, true) {
				out[i] = without(v, ignored, p)
			}
		}
		return out
	}
	return doc
}

// child is a copy of parts with one more: siblings must not share the array.
func child(parts []string, part string) []string {
	return append(append(make([]string, 0, len(parts)+1), parts...), part)
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// sameNumber compares by value: 1, 1.0 and 1e0 are the same. Integers compare exactly, anything with a fraction or an
// exponent as the nearest double.
func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, y := number(a), number(b)
	return x != nil && y != nil && x.Cmp(y) == 0
}

func number(n json.Number) *big.Rat {
	if i, ok := new(big.Int).SetString(n.String(), 10); ok {
		return new(big.Rat).SetInt(i)
	}
	f, err := n.Float64()
	if err != nil {
		return nil
	}
	return new(big.Rat).SetFloat64(f)
}

// brief is a value as JSON, cut to a length that a line of output can bear.
func brief(v any, limit int) string {
	s := missing
	if v != missing {
		s = string(compact(v))
	}
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}

// compact writes a document without escaping what HTML would need.
func compact(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
