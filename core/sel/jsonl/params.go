package jsonl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/sel"
)

// ParseParam reads a parameter as a person writes it: name=value, whose type the value shows, or
// name:TYPE=value.
func ParseParam(text string) (name string, v sel.Value, err error) {
	name, raw, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return "", v, errors.New("a parameter is name=value")
	}
	name, typ, typed := strings.Cut(name, ":")
	if typed {
		n := &node{kind: 'o', fields: []field{{"type", node{kind: 's', text: strings.ToUpper(typ)}}, {"value", node{kind: 's', text: raw}}}}
		if strings.ToUpper(typ) != "STRING" {
			val, err := decode(raw)
			if err != nil {
				return name, v, err
			}
			n.fields[1].value = *val
		}
		v, err = value(n)
		return name, v, err
	}
	if _, err := strconv.ParseInt(raw, 10, 64); err == nil || raw == "true" || raw == "false" || strings.HasPrefix(raw, "[") || strings.HasPrefix(raw, "{") || isNumber(raw) {
		if n, err := decode(raw); err == nil {
			v, err = plain(n)
			return name, v, err
		}
	}
	return name, sel.String(raw), nil
}

func isNumber(s string) bool {
	n, err := decode(s)
	return err == nil && n.kind == 'd'
}

// plain reads untyped JSON: an integer is a LONG, an array takes the type of its elements.
func plain(n *node) (sel.Value, error) {
	switch n.kind {
	case 'n':
		return sel.Null(), nil
	case 'b':
		return sel.Bool(n.bool), nil
	case 's':
		return sel.String(n.text), nil
	case 'd':
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return sel.Long(i), nil
		}
		f, err := strconv.ParseFloat(n.text, 64)
		return sel.Double(f), err
	case 'o':
		entries := make([]sel.Entry, 0, len(n.fields))
		for i := range n.fields {
			v, err := plain(&n.fields[i].value)
			if err != nil {
				return v, err
			}
			entries = append(entries, sel.Entry{Key: n.fields[i].name, Value: v})
		}
		return sel.Map(entries), nil
	}
	typ := "STRING_ARRAY"
	if len(n.elems) > 0 {
		switch n.elems[0].kind {
		case 'b':
			typ = "BOOLEAN_ARRAY"
		case 'd':
			typ = "LONG_ARRAY"
			for _, e := range n.elems {
				if strings.ContainsAny(e.text, ".eE") {
					typ = "DOUBLE_ARRAY"
				}
			}
		}
	}
	v, err := value(&node{kind: 'o', fields: []field{{"type", node{kind: 's', text: typ}}, {"value", *n}}})
	if err != nil {
		return v, fmt.Errorf("the elements of an array must have one type: %w", err)
	}
	return v, nil
}
