package definition

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/definition/yamltree"
	"github.com/downbeat/downbeat/core/sel"
)

// The parameter notation of the YAML DSL: `[!]name[<type>][(mode)]` (workflow-definition.md 8.6).

type dslParamKey struct {
	name       string
	expression bool
	paramType  sel.ParamType // "" when not given
	pmap       bool          // the type was given as MAP, which a map of texts may have too
	mode       string        // "" when not given
}

var dslTypes = map[string]sel.ParamType{
	"string": sel.ParamString, "long": sel.ParamLong, "double": sel.ParamDouble, "boolean": sel.ParamBoolean,
	"array<string>": sel.ParamStringArray, "array<long>": sel.ParamLongArray, "array<double>": sel.ParamDoubleArray,
	"array<boolean>": sel.ParamBooleanArray, "map": sel.ParamStringMap, "pmap": sel.ParamMap,
	"string_array": sel.ParamStringArray, "long_array": sel.ParamLongArray, "double_array": sel.ParamDoubleArray,
	"boolean_array": sel.ParamBooleanArray, "string_map": sel.ParamStringMap,
}

var paramModes = []string{"MUTABLE", "MUTABLE_ON_START_RESTART", "MUTABLE_ON_START", "IMMUTABLE", "CONSTANT"}

func parseDSLParamKey(text string) (dslParamKey, error) {
	var k dslParamKey
	s := strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(s, "!"); ok {
		k.expression, s = true, strings.TrimSpace(rest)
	}
	if open := strings.IndexByte(s, '('); open > 0 {
		if length := strings.IndexByte(s[open:], ')'); length > 0 {
			mode := strings.ToUpper(strings.TrimSpace(s[open+1 : open+length]))
			for _, m := range paramModes {
				if m == mode {
					k.mode = m
				}
			}
			if k.mode == "" {
				return k, fmt.Errorf("Invalid param mode [%s] in param name [%s]. Supported modes are [%s]",
					s[open+1:open+length], text, strings.Join(paramModes, ", "))
			}
			s = strings.TrimSpace(s[:open]) // what follows the mode is dropped
		}
	}
	if open, end := strings.IndexByte(s, '<'), strings.LastIndexByte(s, '>'); open > 0 && end > open {
		given := strings.ToLower(strings.TrimSpace(s[open+1 : end]))
		t, ok := dslTypes[given]
		if !ok {
			return k, fmt.Errorf("Invalid param type [%s] in param name [%s]", s[open+1:end], text)
		}
		k.paramType, k.pmap = t, t == sel.ParamMap
		s = strings.TrimSpace(s[:open])
	}
	if s == "" {
		return k, fmt.Errorf("param name cannot be empty after parsing name: [%s]", text)
	}
	k.name = s
	return k, nil
}

// dslParams gives the JSON of a map of parameter definitions.
func dslParams(entries []yamltree.Entry) ([]byte, error) { return dslParamsInto(object{}, entries) }

// dslParamsInto adds parameter definitions to those that are in the object already.
func dslParamsInto(o object, entries []yamltree.Entry) ([]byte, error) {
	seen := make(map[string]string, len(entries))
	for _, e := range entries {
		k, err := parseDSLParamKey(e.Key)
		if err != nil {
			return nil, err
		}
		if first, ok := seen[k.name]; ok {
			return nil, fmt.Errorf("There is a duplicate key with values [%s] and [%s]", first, e.Value.Java())
		}
		seen[k.name] = e.Value.Java()
		p, err := dslParam(k, e.Value)
		if err != nil {
			return nil, err
		}
		o.raw(k.name, p)
	}
	return o.json(), nil
}

func dslParam(k dslParamKey, v yamltree.Node) ([]byte, error) {
	if v.Kind == yamltree.Null {
		return nil, fmt.Errorf("param value for param [%s] cannot be null", k.name)
	}
	var p object
	if k.expression {
		t := k.paramType
		if t == "" {
			t = sel.ParamString
		}
		p.text("expression", v.Java())
		p.text("type", string(t))
	} else {
		value, t, err := dslLiteral(k, v)
		if err != nil {
			return nil, err
		}
		p.raw("value", value)
		p.text("type", string(t))
	}
	if k.mode != "" {
		p.text("mode", k.mode)
	}
	return p.json(), nil
}

func dslLiteral(k dslParamKey, v yamltree.Node) ([]byte, sel.ParamType, error) {
	implied, err := dslImpliedType(v)
	if err != nil {
		return nil, "", err
	}
	t := implied
	if k.paramType != "" && k.paramType != implied {
		emptyArray := v.Kind == yamltree.List && len(v.Items) == 0 && strings.HasSuffix(string(k.paramType), "_ARRAY")
		if !emptyArray && !(k.pmap && implied == sel.ParamStringMap) {
			return nil, "", fmt.Errorf("Type mismatch for param [%s]: specified type [%s] does not match implied type [%s] from its value: [%s]",
				k.name, k.paramType, implied, v.Java())
		}
		t = k.paramType
	}
	switch t {
	case sel.ParamMap:
		members, err := dslParams(v.Entries)
		return members, t, err
	case sel.ParamStringMap:
		return v.AppendJSON(nil), t, nil
	case sel.ParamStringArray, sel.ParamLongArray, sel.ParamDoubleArray, sel.ParamBooleanArray:
		list, err := dslArray(k.name, t, v)
		return list, t, err
	case sel.ParamDouble:
		return []byte(sel.DoubleText(v.Float)), t, nil
	}
	return v.AppendJSON(nil), t, nil
}

func dslImpliedType(v yamltree.Node) (sel.ParamType, error) {
	switch v.Kind {
	case yamltree.Bool:
		return sel.ParamBoolean, nil
	case yamltree.Int:
		return sel.ParamLong, nil
	case yamltree.Float:
		return sel.ParamDouble, nil
	case yamltree.String:
		return sel.ParamString, nil
	case yamltree.Map:
		if len(v.Entries) == 0 {
			return sel.ParamMap, nil
		}
		for _, e := range v.Entries {
			if e.Value.Kind != yamltree.String {
				return sel.ParamMap, nil
			}
		}
		return sel.ParamStringMap, nil
	case yamltree.List:
		if len(v.Items) == 0 {
			return sel.ParamStringArray, nil
		}
		switch v.Items[0].Kind {
		case yamltree.Bool:
			return sel.ParamBooleanArray, nil
		case yamltree.Int:
			return sel.ParamLongArray, nil
		case yamltree.Float:
			return sel.ParamDoubleArray, nil
		case yamltree.String:
			return sel.ParamStringArray, nil
		}
		return "", fmt.Errorf("Invalid type for array param: [%s]", v.Java())
	}
	return "", errors.New("a param has no type")
}

// dslArray writes the elements in the type of the first. Numbers convert; other mixtures, at which
// Maestro crashes, are refused.
func dslArray(name string, t sel.ParamType, v yamltree.Node) ([]byte, error) {
	out := []byte{'['}
	for i, item := range v.Items {
		if i > 0 {
			out = append(out, ',')
		}
		number := item.Kind == yamltree.Int || item.Kind == yamltree.Float
		switch {
		case t == sel.ParamLongArray && item.Kind == yamltree.Float:
			n, err := dslLong("array element", item)
			if err != nil {
				return nil, err
			}
			out = strconv.AppendInt(out, n, 10)
		case t == sel.ParamDoubleArray && item.Kind == yamltree.Int:
			out = append(out, sel.DoubleText(float64(item.Int))...)
		case t == sel.ParamDoubleArray && item.Kind == yamltree.Float:
			out = append(out, sel.DoubleText(item.Float)...)
		case t == sel.ParamLongArray && number, t == sel.ParamStringArray && item.Kind == yamltree.String,
			t == sel.ParamBooleanArray && item.Kind == yamltree.Bool:
			out = item.AppendJSON(out)
		default:
			return nil, fmt.Errorf("the elements of array param [%s] are not all of the type of the first: [%s]", name, v.Java())
		}
	}
	return append(out, ']'), nil
}

// dslLoopParams gives the JSON of the parameter `loop_params`: the loop params and, over them, one array
// of numbers for each range.
func dslLoopParams(params, ranges yamltree.Node) ([]byte, error) {
	if params.Kind != yamltree.Null && params.Kind != yamltree.Map {
		return nil, errors.New("loop_params must be a map")
	}
	if ranges.Kind != yamltree.Null && ranges.Kind != yamltree.Map {
		return nil, errors.New("ranges must be a map")
	}
	entries := append([]yamltree.Entry(nil), params.Entries...)
	var extra []yamltree.Entry
	for _, e := range ranges.Entries {
		expr, err := dslRange(e)
		if err != nil {
			return nil, err
		}
		entry := yamltree.Entry{Key: "!" + e.Key + "<long_array>", Value: yamltree.Node{Kind: yamltree.String, Text: expr}}
		placed := false
		for i := range entries {
			if k, err := parseDSLParamKey(entries[i].Key); err == nil && k.name == e.Key {
				entries[i], placed = entry, true
			}
		}
		if !placed {
			extra = append(extra, entry)
		}
	}
	members, err := dslParams(append(entries, extra...))
	if err != nil {
		return nil, err
	}
	var p object
	p.raw("value", members)
	p.text("type", string(sel.ParamMap))
	return p.json(), nil
}

func dslRange(e yamltree.Entry) (string, error) {
	if e.Value.Kind != yamltree.Map {
		return "", fmt.Errorf("range [%s] must be a map", e.Key)
	}
	from, to, increment := "0", "null", "1"
	for _, m := range e.Value.Entries {
		into := map[string]*string{"from": &from, "to": &to, "increment": &increment}[m.Key]
		if into == nil {
			return "", fmt.Errorf("Unrecognized field %q in range [%s]", m.Key, e.Key)
		}
		if m.Value.Kind == yamltree.Null {
			continue
		}
		n, err := dslLong(m.Key+" of range ["+e.Key+"]", m.Value)
		if err != nil {
			return "", err
		}
		*into = strconv.FormatInt(n, 10)
	}
	return "Util.intsBetween(" + from + ", " + to + ", " + increment + ");", nil
}
