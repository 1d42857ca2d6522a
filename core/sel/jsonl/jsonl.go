package jsonl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/sel/javatext"
)

// catRequest is the category of a line that is no request.
const catRequest sel.Category = "request"

// Defaults are for requests that do not say otherwise.
type Defaults struct {
	// Now gives the time in epoch milliseconds; it is asked once for each request without now_millis.
	Now func() int64
	// Random gives random bits; nil is a sequence determined by the time.
	Random func() uint64
	// Zone is the default time zone; "" is UTC.
	Zone string
}

// Serve answers each line of in, in order, and flushes at the end and whenever no further line is
// waiting. The error is one of reading or writing.
func Serve(ctx context.Context, in io.Reader, out io.Writer, d Defaults) error {
	r := bufio.NewReaderSize(in, 1<<16)
	w := bufio.NewWriter(out)
	defer w.Flush()
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 { // also a blank one; behind the last line break there is none
			w.Write(Answer(ctx, string(line), d))
			if err := w.WriteByte('\n'); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return w.Flush()
		}
		if err != nil {
			return err
		}
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
}

// Answer gives the answer to one line, without a line break.
func Answer(ctx context.Context, line string, d Defaults) (out []byte) {
	defer func() {
		// The evaluator does not panic; should it all the same, the other lines still get their answers.
		if r := recover(); r != nil {
			out = failure(&sel.Error{Category: "internal", Message: fmt.Sprint(r)})
		}
	}()
	req, err := parseRequest(line, d)
	if err != nil {
		return failure(&sel.Error{Category: catRequest, Message: err.Error()})
	}
	ctx, cancel := context.WithTimeout(ctx, req.timeout)
	defer cancel()
	switch req.entry {
	case "validate":
		p, err := sel.CompileLimited(req.expr, req.env.Limits)
		if err != nil {
			return failure(err)
		}
		out = append(out, `{"names":[`...)
		for i, n := range p.Names() {
			if i > 0 {
				out = append(out, ',')
			}
			out = quote(out, n)
		}
		return append(out, "]}"...)
	case "parameter":
		v, err := sel.EvalParameter(ctx, req.expr, req.env)
		if err != nil {
			return failure(err)
		}
		return append(appendValue([]byte(`{"result":`), v, inParameter), '}')
	}
	p, err := sel.CompileLimited(req.expr, req.env.Limits)
	if err != nil {
		return failure(err)
	}
	v, err := sel.Eval(ctx, p, req.env)
	if err != nil {
		return failure(err)
	}
	return result(v)
}

type request struct {
	expr, entry string
	env         sel.Env
	timeout     time.Duration
}

func parseRequest(line string, d Defaults) (*request, error) {
	n, err := decode(line)
	if err != nil {
		return nil, err
	}
	if n.kind != 'o' {
		return nil, errors.New("a request is an object with expr")
	}
	r := &request{entry: "program", timeout: sel.DefaultLimits().Timeout}
	x := n.get("expr")
	if x.isNull() || x.kind != 's' {
		return nil, errors.New("expr is missing or no text")
	}
	r.expr = x.text
	if e := n.get("entry"); !e.isNull() {
		switch r.entry = e.text; r.entry {
		case "program", "parameter", "validate":
		default:
			return nil, fmt.Errorf("entry %q is none of program, parameter, validate", e.text)
		}
	}
	if p := n.get("params"); !p.isNull() {
		if r.env.Inputs, err = readParams(p); err != nil {
			return nil, err
		}
	}
	if l := n.get("limits"); !l.isNull() {
		if l.kind != 'o' {
			return nil, errors.New("limits is no object")
		}
		for _, f := range l.fields {
			v, err := strconv.ParseFloat(f.value.text, 64)
			if err != nil || f.value.kind != 'd' {
				return nil, fmt.Errorf("limit %s is no number", f.name)
			}
			switch f.name {
			case "stack":
				r.env.Limits.Stack = limit(v)
			case "loop":
				r.env.Limits.Loop = limit(v)
			case "array":
				r.env.Limits.Array = limit(v)
			case "length":
				r.env.Limits.Length = limit(v)
			case "visit":
				r.env.Limits.Visit = int64(limit(v))
			case "memory":
				r.env.Limits.Memory = int64(limit(v))
			case "timeout_millis":
				r.timeout = time.Duration(limit(v)) * time.Millisecond
			default:
				return nil, fmt.Errorf("there is no limit %q", f.name)
			}
		}
	}
	if now := n.get("now_millis"); !now.isNull() {
		if r.env.NowMillis, err = strconv.ParseInt(now.text, 10, 64); err != nil || now.kind != 'd' {
			return nil, errors.New("now_millis is no integer")
		}
	} else if d.Now != nil {
		r.env.NowMillis = d.Now()
	}
	r.env.Random, r.env.Zone = d.Random, d.Zone
	if z := n.get("timezone"); !z.isNull() {
		if z.kind != 's' {
			return nil, errors.New("timezone is no text")
		}
		r.env.Zone = z.text
	}
	return r, nil
}

// limit keeps a limit within what the evaluator counts with; 0 would mean the default.
func limit(v float64) int {
	return int(min(max(v, 1), 1<<40))
}

// readParams reads parameters: {name: {"type", "value"}}.
func readParams(n *node) (map[string]sel.Value, error) {
	if n.kind != 'o' {
		return nil, errors.New("params is no object")
	}
	out := make(map[string]sel.Value, len(n.fields))
	for _, f := range n.fields {
		v, err := value(&f.value)
		if err != nil {
			return nil, fmt.Errorf("param %s: %w", f.name, err)
		}
		out[f.name] = v
	}
	return out, nil
}

// ParseParams reads parameters from JSON text: {name: {"type", "value"}}, or {name: value} with the type
// that the value shows.
func ParseParams(text string) (map[string]sel.Value, error) {
	n, err := decode(text)
	if err != nil {
		return nil, err
	}
	if n.kind != 'o' {
		return nil, errors.New("parameters are a JSON object")
	}
	out := make(map[string]sel.Value, len(n.fields))
	for i := range n.fields {
		f := &n.fields[i]
		read := plain
		if t := f.value.get("type"); t != nil && t.kind == 's' {
			read = value
		}
		if out[f.name], err = read(&f.value); err != nil {
			return nil, fmt.Errorf("param %s: %w", f.name, err)
		}
	}
	return out, nil
}

func value(n *node) (sel.Value, error) {
	var none sel.Value
	if n.kind != 'o' {
		return none, errors.New("not an object with type and value")
	}
	t, v := n.get("type"), n.get("value")
	if t.isNull() {
		return none, errors.New("type is missing")
	}
	if t.text == "NULL" {
		return sel.Null(), nil
	}
	typ, ok := sel.TypeByName(t.text)
	if t.text == "STRING_MAP" {
		typ, ok = sel.TypeMap, true
	}
	if !ok || !typ.IsData() {
		return none, fmt.Errorf("type %q is none of a parameter", t.text)
	}
	if v.isNull() {
		if typ == sel.TypeString || typ == sel.TypeMap {
			return sel.NullOf(typ), nil
		}
		return sel.Null(), nil
	}
	bad := fmt.Errorf("value does not fit type %s", t.text)
	switch typ {
	case sel.TypeString:
		if v.kind != 's' {
			return none, bad
		}
		return sel.String(v.text), nil
	case sel.TypeLong:
		i, err := strconv.ParseInt(v.text, 10, 64)
		if err != nil {
			return none, bad
		}
		return sel.Long(i), nil
	case sel.TypeDouble:
		f, ok := double(v)
		if !ok {
			return none, bad
		}
		return sel.Double(f), nil
	case sel.TypeBoolean:
		if v.kind != 'b' {
			return none, bad
		}
		return sel.Bool(v.bool), nil
	case sel.TypeMap:
		if v.kind != 'o' {
			return none, bad
		}
		var entries []sel.Entry
		for _, f := range v.fields {
			var e sel.Value
			var err error
			switch {
			case f.value.kind == 's':
				e = sel.String(f.value.text)
			case f.value.kind == 'n':
			default:
				e, err = value(&f.value)
			}
			if err != nil {
				return none, fmt.Errorf("entry %s: %w", f.name, err)
			}
			entries = append(entries, sel.Entry{Key: f.name, Value: e})
		}
		return sel.Map(entries), nil
	}
	if v.kind != 'a' {
		return none, bad
	}
	switch typ {
	case sel.TypeStringArray:
		s, null := make([]string, len(v.elems)), make([]bool, len(v.elems))
		any := false
		for i, e := range v.elems {
			if e.kind != 's' && e.kind != 'n' {
				return none, bad
			}
			s[i], null[i] = e.text, e.kind == 'n'
			any = any || null[i]
		}
		if !any {
			null = nil
		}
		return sel.StringsWithNulls(s, null), nil
	case sel.TypeLongArray:
		l := make([]int64, len(v.elems))
		for i, e := range v.elems {
			var err error
			if l[i], err = strconv.ParseInt(e.text, 10, 64); err != nil {
				return none, bad
			}
		}
		return sel.Longs(l), nil
	case sel.TypeDoubleArray:
		l := make([]float64, len(v.elems))
		for i := range v.elems {
			if l[i], ok = double(&v.elems[i]); !ok {
				return none, bad
			}
		}
		return sel.Doubles(l), nil
	}
	l := make([]bool, len(v.elems))
	for i, e := range v.elems {
		if e.kind != 'b' {
			return none, bad
		}
		l[i] = e.bool
	}
	return sel.Bools(l), nil
}

// double reads a number, or the text of one: NaN and infinities are texts.
func double(n *node) (float64, bool) {
	if n.kind == 's' {
		f, err := javatext.ParseDouble(n.text)
		return f, err == nil
	}
	f, err := strconv.ParseFloat(n.text, 64)
	return f, n.kind == 'd' && (err == nil || math.IsInf(f, 0))
}

func failure(err error) []byte {
	var e *sel.Error
	var p *sel.ParamError
	out := []byte(`{"error":`)
	switch {
	case errors.As(err, &p):
		out = quote(out, string(p.Category))
		msg := p.Message
		if e = p.Cause; e != nil {
			msg = p.Error()
		}
		out = append(position(out, e), `,"message":`...)
		return append(quote(out, msg), '}')
	case errors.As(err, &e):
		out = position(quote(out, string(e.Category)), e)
		msg := e.Message
		if e.Cause != nil && !strings.Contains(msg, e.Cause.Error()) {
			msg += ": " + e.Cause.Error()
		}
		if e.Hint != "" {
			msg += " (" + e.Hint + ")"
		}
		return append(quote(append(out, `,"message":`...), msg), '}')
	}
	out = append(quote(out, "internal"), `,"message":`...)
	return append(quote(out, err.Error()), '}')
}

func position(out []byte, e *sel.Error) []byte {
	if e == nil || e.Line == 0 {
		return out
	}
	out = strconv.AppendInt(append(out, `,"line":`...), int64(e.Line), 10)
	return strconv.AppendInt(append(out, `,"column":`...), int64(e.Column), 10)
}

func result(v sel.Value) []byte {
	return append(appendValue([]byte(`{"result":`), v, inProgram), '}')
}

func appendDouble(out []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return quote(out, javatext.Double(f))
	}
	return javatext.AppendDouble(out, f)
}

// place is where a value stands: only the result of a program shows the text of a map, and inside
// a map nothing is known of a null but that it is one, which counts as a null STRING.
type place uint8

const (
	inProgram place = iota
	inParameter
	inMap
)

func appendValue(out []byte, v sel.Value, at place) []byte {
	name := v.Type().String()
	if at == inMap && v.IsNull() && v.Type().IsData() {
		name = sel.TypeString.String()
	}
	top := at == inProgram
	out = quote(append(out, `{"type":`...), name)
	text := func() {
		out = quote(append(out, `,"text":`...), v.Text())
	}
	switch v.Type() {
	case sel.TypeString, sel.TypeLong, sel.TypeDouble, sel.TypeBoolean, sel.TypeMap,
		sel.TypeStringArray, sel.TypeLongArray, sel.TypeDoubleArray, sel.TypeBooleanArray:
		out = append(out, `,"value":`...)
	case sel.TypeDateTime, sel.TypeDateTimeZone, sel.TypeDateTimeProperty, sel.TypeDateTimeDays:
		text()
		return append(out, '}')
	default:
		return append(out, '}')
	}
	if v.IsNull() {
		out = append(out, "null"...)
		if v.Type() == sel.TypeMap && top {
			text()
		}
		return append(out, '}')
	}
	switch v.Type() {
	case sel.TypeString:
		out = quote(out, v.AsString())
		if javatext.HasLoneSurrogate(v.AsString()) {
			out = append(out, `,"utf16":"`...)
			for _, u := range javatext.Units(v.AsString()) {
				out = fmt.Appendf(out, "%04x", u)
			}
			out = append(out, '"')
		}
	case sel.TypeLong:
		out = strconv.AppendInt(out, v.AsLong(), 10)
	case sel.TypeDouble:
		out = appendDouble(out, v.AsDouble())
		text()
	case sel.TypeBoolean:
		out = strconv.AppendBool(out, v.AsBool())
	case sel.TypeMap:
		out = append(out, '{')
		nullKey := false
		for i, e := range v.Entries() {
			if i > 0 {
				out = append(out, ',')
			}
			key := e.Key
			if e.NullKey {
				nullKey, key = true, "null"
			}
			out = appendValue(append(quote(out, key), ':'), e.Value, inMap)
		}
		out = append(out, '}')
		if nullKey {
			out = append(out, `,"null_key":true`...)
		}
		if top {
			text()
		}
	case sel.TypeStringArray:
		s, null := v.AsStrings()
		out = append(out, '[')
		for i := range s {
			if i > 0 {
				out = append(out, ',')
			}
			if null != nil && null[i] {
				out = append(out, "null"...)
			} else {
				out = quote(out, s[i])
			}
		}
		out = append(out, ']')
	case sel.TypeLongArray:
		out = append(out, '[')
		for i, n := range v.AsLongs() {
			if i > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendInt(out, n, 10)
		}
		out = append(out, ']')
	case sel.TypeDoubleArray:
		out = append(out, '[')
		for i, f := range v.AsDoubles() {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendDouble(out, f)
		}
		out = append(out, ']')
		text()
	case sel.TypeBooleanArray:
		out = append(out, '[')
		for i, b := range v.AsBools() {
			if i > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendBool(out, b)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}
