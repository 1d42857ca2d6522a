package sel

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/sel/javare"
	"github.com/downbeat/downbeat/core/sel/javatext"
	"github.com/downbeat/downbeat/core/sel/joda"
)

// call is x.name(args).
func (ev *evaluator) call(x *cell, name string, args []*cell) *cell {
	switch x.typ {
	case TypeString:
		return ev.callString(x, name, args)
	case TypeLong:
		return ev.callLong(x, name, args)
	case TypeDouble:
		return ev.callDouble(x, name, args)
	case TypeMap:
		return ev.callMap(x, name, args)
	case TypeDateTime:
		return ev.callDateTime(x, name, args)
	case TypeDateTimeZone, TypeDateTimeFormatter, TypeDateTimeProperty, TypeDateTimeDays:
		return ev.callDateType(x, name, args)
	case TypeMath:
		return ev.callMath(x, name, args)
	case TypeUtil:
		return ev.callUtil(x, name, args)
	case TypeMisc:
		switch {
		case name == "currentTimeMillis" && len(args) == 0:
			return ev.long(ev.env.NowMillis)
		case name == "asList" && len(args) == 1:
			return args[0]
		}
	case TypeUUID:
		switch {
		case name == "randomUUID" && len(args) == 0:
			c := ev.make(TypeUUID)
			if c != nil {
				hi, lo := ev.randomBits(), ev.randomBits()
				c.str = fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", hi>>32, hi>>16&0xFFFF, hi&0xFFFF, lo>>48, lo&0xFFFFFFFFFFFF)
			}
			return c
		case name == "toString" && len(args) == 0:
			if x.null {
				return ev.text("null")
			}
			return ev.text(x.str)
		}
	case TypeParams:
		return ev.callParams(name, args)
	}
	return ev.noMethod(x.typ, name, args)
}

func (ev *evaluator) noMethod(t Type, name string, args []*cell) *cell {
	var m string
	switch {
	case t == TypeNull || t == TypeBoolean || t.isArray():
		m = fmt.Sprintf("%s DO NOT support calling %s", t, name)
	case t == TypeString || t == TypeDateTime:
		m = fmt.Sprintf("%s DO NOT support calling method: %s%d with args: %s", t, name, len(args), argsText(args))
	default:
		m = fmt.Sprintf("%s DO NOT support calling method: %s with args: %s", t, name, argsText(args))
	}
	e := &Error{Category: CatNoMethod, Message: m}
	switch t {
	case TypeNull:
		e.Hint = "the value before the dot is NULL; is its name spelt as the parameter is?"
	default:
		e.Hint = suggestMethod(t, name, len(args))
	}
	ev.fail(e)
	return nil
}

// argsText shows arguments in a message, each cut to a readable length.
func argsText(args []*cell) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, a := range args {
		if i > 0 {
			b.WriteString(", ")
		}
		t := a.typ.String()
		if a.hasContent() && a.typ != TypeMap && !a.typ.isArray() && a.typ != TypeDateTimeFormatter {
			t = a.scalarText()
		}
		if len(t) > 100 {
			t = t[:100] + "…"
		}
		b.WriteString(t)
	}
	b.WriteByte(']')
	return b.String()
}

func (ev *evaluator) randomBits() uint64 {
	if ev.env.Random != nil {
		return ev.env.Random()
	}
	// splitmix64, so that an evaluation without a source stays a function of its inputs.
	if ev.random == 0 {
		ev.random = uint64(ev.env.NowMillis)
	}
	ev.random += 0x9E3779B97F4A7C15
	z := ev.random
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// construct is new T(args).
func (ev *evaluator) construct(t Type, name string, args []*cell) *cell {
	switch t {
	case TypeString:
		if len(args) == 0 {
			return ev.text("")
		}
		if len(args) == 1 {
			if s, null, ok := stringOrLong(args[0]); ok {
				c := ev.text(s)
				if c != nil {
					c.null = null
				}
				return c
			}
			return ev.badConstructor("Invalid input argument (%s) for String constructor", args[0])
		}
	case TypeLong:
		if len(args) == 1 {
			switch a := args[0]; {
			case a.typ == TypeLong:
				return ev.long(a.num)
			case a.typ == TypeString:
				return ev.parseLong(a)
			}
			return ev.badConstructor("Invalid input argument (%s) for Long constructor", args[0])
		}
	case TypeDouble:
		if len(args) == 1 {
			switch a := args[0]; {
			case a.typ == TypeDouble:
				return ev.doubleCell(a.double())
			case a.typ == TypeString:
				return ev.parseDouble(a)
			}
			return ev.badConstructor("Invalid input argument (%s) for Double constructor", args[0])
		}
	case TypeBoolean:
		if len(args) == 1 {
			switch a := args[0]; {
			case a.typ == TypeBoolean:
				return ev.boolean(a.truth())
			case a.typ == TypeString:
				return ev.boolean(!a.null && strings.EqualFold(a.str, "true"))
			}
			return ev.badConstructor("Invalid input argument (%s) for Boolean constructor", args[0])
		}
	case TypeMap:
		if len(args) == 0 {
			c := ev.make(TypeMap)
			if c != nil {
				c.ref = newHashMap()
			}
			return c
		}
	case TypeDateTime:
		return ev.newDateTime(args)
	default:
		ev.failf(CatNoConstructor, "%s DO NOT support calling constructor", t)
		return nil
	}
	ev.failf(CatNoConstructor, "Invalid input arguments (%s) for %s constructor", argsText(args), name)
	return nil
}

func (ev *evaluator) badConstructor(format string, a *cell) *cell {
	ev.failf(CatNoConstructor, format, strings.Trim(argsText([]*cell{a}), "[]"))
	return nil
}

// stringOrLong is the rule of `new String(x)`.
func stringOrLong(a *cell) (s string, null, ok bool) {
	switch a.typ {
	case TypeString:
		return a.str, a.null, true
	case TypeLong:
		return strconv.FormatInt(a.num, 10), false, true
	}
	return "", false, false
}

func (ev *evaluator) parseLong(a *cell) *cell {
	n, ok := ev.longText(a)
	if !ok {
		return nil
	}
	return ev.long(n)
}

func (ev *evaluator) longText(a *cell) (int64, bool) {
	if a.null {
		return 0, ev.failf(CatNumberText, "Cannot parse null string: null")
	}
	n, err := javatext.ParseLong(a.str)
	if err != nil {
		return 0, ev.failf(CatNumberText, "%s", err)
	}
	return n, ev.spend(len(a.str))
}

func (ev *evaluator) parseDouble(a *cell) *cell {
	if a.null {
		return ev.nullObject("the text of a number")
	}
	f, err := javatext.ParseDouble(a.str)
	if err != nil {
		ev.failf(CatNumberText, "%s", err)
		return nil
	}
	if !ev.spend(len(a.str)) {
		return nil
	}
	return ev.doubleCell(f)
}

func (ev *evaluator) callLong(x *cell, name string, args []*cell) *cell {
	switch {
	case name == "toString" && len(args) == 0:
		return ev.text(x.scalarText())
	case name == "intValue" && len(args) == 0:
		return ev.long(x.num)
	case len(args) != 1:
	case name == "toString":
		if args[0].typ != TypeLong {
			return ev.castError(args[0].typ, "LONG")
		}
		return ev.text(args[0].scalarText())
	case name == "valueOf" && args[0].typ == TypeLong:
		return ev.long(args[0].num)
	case name == "valueOf" && args[0].typ == TypeString:
		return ev.parseLong(args[0])
	case name == "parseLong":
		if args[0].typ != TypeString {
			return ev.castError(args[0].typ, "STRING")
		}
		return ev.parseLong(args[0])
	}
	return ev.noMethod(x.typ, name, args)
}

func (ev *evaluator) callDouble(x *cell, name string, args []*cell) *cell {
	switch {
	case name == "toString" && len(args) == 0:
		return ev.text(x.scalarText())
	case (name == "intValue" || name == "longValue") && len(args) == 0:
		return ev.long(javatext.DoubleToLong(x.double()))
	case len(args) != 1:
	case name == "toString":
		if args[0].typ != TypeDouble {
			return ev.castError(args[0].typ, "DOUBLE")
		}
		return ev.text(args[0].scalarText())
	case name == "valueOf" && args[0].typ == TypeDouble:
		return ev.doubleCell(args[0].double())
	case name == "valueOf" && args[0].typ == TypeString:
		return ev.parseDouble(args[0])
	case name == "parseDouble":
		if args[0].typ != TypeString {
			return ev.castError(args[0].typ, "STRING")
		}
		return ev.parseDouble(args[0])
	}
	return ev.noMethod(x.typ, name, args)
}

func (ev *evaluator) callMath(x *cell, name string, args []*cell) *cell {
	switch {
	case name == "random" && len(args) == 0:
		return ev.doubleCell(float64(ev.randomBits()>>11) / (1 << 53))
	case len(args) != 2:
	case name == "min", name == "max":
		for _, a := range args {
			if a.typ != TypeLong {
				return ev.castError(a.typ, "LONG")
			}
		}
		if (args[0].num < args[1].num) == (name == "min") {
			return ev.long(args[0].num)
		}
		return ev.long(args[1].num)
	case name == "pow":
		a, ok := ev.powArg(args[0])
		if !ok {
			return nil
		}
		b, ok := ev.powArg(args[1])
		if !ok {
			return nil
		}
		return ev.doubleCell(pow(a, b))
	}
	return ev.noMethod(x.typ, name, args)
}

func (ev *evaluator) powArg(c *cell) (float64, bool) {
	if c.typ == TypeNull {
		return 0, ev.failf(CatNullObject, "an argument of Math.pow is NULL")
	}
	return ev.asDouble(c)
}

// pow differs from Go's where the base is ±1 and the exponent infinite or NaN.
func pow(a, b float64) float64 {
	if b == 0 {
		return 1
	}
	if math.IsNaN(b) || math.Abs(a) == 1 && math.IsInf(b, 0) {
		return math.NaN()
	}
	return javatext.Pow(a, b)
}

func (ev *evaluator) callMap(x *cell, name string, args []*cell) *cell {
	var m *hashMap
	if !x.null {
		m = x.ref.(*hashMap)
	}
	key := func() *cell {
		if args[0].typ != TypeString {
			return ev.castError(args[0].typ, "STRING")
		}
		return args[0]
	}
	lookup := func(def *cell) *cell {
		k := key()
		if k == nil {
			return nil
		}
		if m == nil {
			return ev.nullObject("the map")
		}
		at, steps := m.find(k)
		if !ev.spend(4*steps + len(k.str)) {
			return nil
		}
		if at < 0 {
			return def
		}
		return m.entries[at].val
	}
	switch {
	case name == "size" && len(args) == 0:
		if m == nil {
			return ev.long(0)
		}
		return ev.long(int64(len(m.entries)))
	case name == "get" && len(args) == 1:
		return lookup(nullCell)
	case name == "getOrDefault" && len(args) == 2:
		return lookup(args[1])
	case name == "containsKey" && len(args) == 1:
		if m == nil {
			return ev.boolean(false)
		}
		k := key()
		if k == nil {
			return nil
		}
		at, steps := m.find(k)
		if !ev.spend(4*steps + len(k.str)) {
			return nil
		}
		return ev.boolean(at >= 0)
	case name == "put" && len(args) == 2:
		k := key()
		if k == nil {
			return nil
		}
		if m == nil {
			return ev.nullObject("the map")
		}
		at, steps := m.find(k)
		if !ev.spend(4*steps + len(k.str)) {
			return nil
		}
		if at >= 0 {
			old := m.entries[at].val
			m.entries[at].val = args[1]
			return old
		}
		m.add(k, args[1])
		return nullCell
	}
	return ev.noMethod(x.typ, name, args)
}

// failed is the failure inside a method of STRING or DATETIME.
func (ev *evaluator) failed(name string, n int, cause error) *cell {
	ev.fail(&Error{Category: CatMethodFailure, Message: fmt.Sprintf("Failed calling method %s%d", name, n), Cause: cause})
	return nil
}

// narrow is how a LONG arrives in a method: as a 32-bit integer unless it is greater than one (7.8).
func narrow(n int64) (v int64, is32 bool) {
	if n <= math.MaxInt32 {
		return int64(int32(n)), true
	}
	return n, false
}

// errCast is the cause of a failure by an argument's type.
func errCast(a *cell) error { return fmt.Errorf("%s is not what the method takes", a.typ) }

var errNull = errors.New("null")

func (ev *evaluator) callString(x *cell, name string, args []*cell) *cell {
	n := len(args)
	switch {
	case name == "format":
		return ev.format(args)
	case name == "join":
		return ev.join(args)
	case name == "escape" && n == 1:
		if args[0].typ != TypeString {
			ev.failf(CatInvalidArgs, "Invalid input args for String.escape method")
			return nil
		}
		return ev.text(javatext.Escape(args[0].scalarText()))
	case name == "escape" && n == 0 && x.null:
		return ev.nullObject("the text")
	}
	if !stringMethods[name+strconv.Itoa(n)] {
		return ev.noMethod(x.typ, name, args)
	}
	for _, a := range args {
		if !a.hasContent() {
			return ev.failed(name, n, errCast(a))
		}
	}
	if name == "valueOf" {
		if !x.null {
			return ev.failed(name, n, errors.New("valueOf needs no receiver"))
		}
		return ev.valueOf(args[0])
	}
	if x.null {
		return ev.failed(name, n, errNull)
	}
	s := x.str
	if !ev.spend(len(s) / 4) {
		return nil
	}
	if n == 0 {
		switch name {
		case "length":
			return ev.long(int64(javatext.Len(s)))
		case "isEmpty":
			return ev.boolean(s == "")
		case "toUpperCase":
			return ev.text(javatext.Upper(s))
		case "toLowerCase":
			return ev.text(javatext.Lower(s))
		case "trim":
			return ev.text(javatext.Trim(s))
		}
		return ev.text(javatext.Escape(s))
	}
	a := args[0]
	if name == "equals" {
		return ev.boolean(a.typ == TypeString && !a.null && a.str == s)
	}
	if name == "substring" {
		return ev.substring(s, args)
	}
	if a.typ != TypeString {
		return ev.failed(name, n, errCast(a))
	}
	if a.null {
		return ev.failed(name, n, errNull)
	}
	if !ev.spend(len(a.str) / 4) {
		return nil
	}
	plain := javatext.IsASCII(s) && javatext.IsASCII(a.str)
	switch name {
	case "compareTo":
		return ev.long(javatext.Compare(s, a.str))
	case "startsWith":
		if plain || strings.HasPrefix(s, a.str) {
			return ev.boolean(strings.HasPrefix(s, a.str))
		}
		return ev.boolean(hasPrefix(javatext.Units(s), javatext.Units(a.str)))
	case "endsWith":
		if plain || strings.HasSuffix(s, a.str) {
			return ev.boolean(strings.HasSuffix(s, a.str))
		}
		u, v := javatext.Units(s), javatext.Units(a.str)
		return ev.boolean(len(u) >= len(v) && hasPrefix(u[len(u)-len(v):], v))
	case "contains":
		if plain {
			return ev.boolean(strings.Contains(s, a.str))
		}
		return ev.boolean(lastIndex(javatext.Units(s), javatext.Units(a.str)) >= 0)
	case "lastIndexOf":
		if plain {
			return ev.long(int64(strings.LastIndex(s, a.str)))
		}
		return ev.long(int64(lastIndex(javatext.Units(s), javatext.Units(a.str))))
	case "replace":
		return ev.replace(s, args)
	case "replaceAll":
		return ev.replaceAll(s, args)
	}
	return ev.split(s, args)
}

var stringMethods = map[string]bool{
	"length0": true, "isEmpty0": true, "toUpperCase0": true, "toLowerCase0": true, "trim0": true, "escape0": true,
	"startsWith1": true, "endsWith1": true, "contains1": true, "equals1": true, "compareTo1": true, "lastIndexOf1": true,
	"substring1": true, "substring2": true, "replace2": true, "replaceAll2": true, "split1": true, "split2": true, "valueOf1": true,
}

func hasPrefix(u, v []uint16) bool {
	if len(u) < len(v) {
		return false
	}
	for i := range v {
		if u[i] != v[i] {
			return false
		}
	}
	return true
}

func lastIndex(u, v []uint16) int {
	for i := len(u) - len(v); i >= 0; i-- {
		if hasPrefix(u[i:], v) {
			return i
		}
	}
	return -1
}

func (ev *evaluator) valueOf(a *cell) *cell {
	switch {
	case a.typ == TypeLong:
		n, _ := narrow(a.num)
		return ev.text(strconv.FormatInt(n, 10))
	case a.typ == TypeMap && !a.null:
		v, ok := ev.out(a, 0)
		if !ok {
			return nil
		}
		return ev.text(ev.plainMapText(v))
	}
	t, ok := ev.contentText(a)
	if !ok {
		return nil
	}
	return ev.text(t)
}

// plainMapText is the text of a map that was taken out: a plain map, in which arrays show their identity.
func (ev *evaluator) plainMapText(v Value) string {
	var bad func(Value) bool
	bad = func(v Value) bool {
		for _, e := range v.Entries() {
			if e.Value.typ.isArray() || bad(e.Value) {
				return true
			}
		}
		return false
	}
	if bad(v) {
		return ev.identity(TypeMap)
	}
	return javatext.Normalize(v.Text())
}

func (ev *evaluator) substring(s string, args []*cell) *cell {
	size := int64(javatext.Len(s))
	bounds := [2]int64{0, size}
	for i, a := range args {
		if a.typ != TypeLong {
			return ev.failed("substring", len(args), errCast(a))
		}
		v, ok := narrow(a.num)
		if !ok {
			return ev.failed("substring", len(args), errors.New("Cannot cast java.lang.Long to java.lang.Integer"))
		}
		bounds[i] = v
	}
	b, e := bounds[0], bounds[1]
	if b < 0 || e > size || b > e {
		return ev.failed("substring", len(args), fmt.Errorf("begin %d, end %d, length %d", b, e, size))
	}
	return ev.text(javatext.Substring(s, int(b), int(e)))
}

func (ev *evaluator) replace(s string, args []*cell) *cell {
	from, to := args[0].str, args[1]
	if to.typ != TypeString {
		return ev.failed("replace", 2, errCast(to))
	}
	if to.null {
		return ev.failed("replace", 2, errNull)
	}
	if javatext.IsASCII(s) && javatext.IsASCII(from) {
		n := strings.Count(s, from)
		if !ev.fits((len(s) + n*(len(to.str)-len(from))) / 2) {
			return nil
		}
		return ev.text(strings.ReplaceAll(s, from, to.str))
	}
	u, f, t := javatext.Units(s), javatext.Units(from), javatext.Units(to.str)
	if !ev.spend(len(u)) {
		return nil
	}
	var out []uint16
	for i := 0; i <= len(u); {
		switch {
		case len(f) == 0:
			out = append(out, t...)
			if i < len(u) {
				out = append(out, u[i])
			}
			i++
		case hasPrefix(u[i:], f):
			out = append(out, t...)
			i += len(f)
		default:
			if i < len(u) {
				out = append(out, u[i])
			}
			i++
		}
		if !ev.fits(2 * len(out)) {
			return nil
		}
	}
	return ev.text(javatext.Encode(out))
}

// regexSteps bounds one call that matches: what a match over the text may reasonably take, some seconds
// since nothing looks at the deadline in between, and what the evaluation has left.
func (ev *evaluator) regexSteps(units int) int64 {
	return min(2_000_000+64*int64(units), 300_000_000, max(ev.limits.Visit, 4_000_000)*32-ev.work)
}

// matcher begins a search; nil after a failure.
func (ev *evaluator) matcher(name string, n int, pattern string, text []uint16) (*javare.Regexp, *javare.Matcher) {
	if !ev.spend(len(text) + len(pattern)) {
		return nil, nil
	}
	re, err := javare.Compile(pattern)
	if err != nil {
		ev.failed(name, n, err)
		return nil, nil
	}
	return re, re.Matcher(text, ev.regexSteps(len(text)))
}

// find is the next match; ok is false after a failure.
func (ev *evaluator) find(m *javare.Matcher) (found, ok bool) {
	found, err := m.Find()
	if err != nil {
		return false, ev.failf(CatLimitVisit, "SEL evaluation aborted as it takes too many operations: %s", err)
	}
	return found, true
}

func (ev *evaluator) replaceAll(s string, args []*cell) *cell {
	if args[1].typ != TypeString {
		return ev.failed("replaceAll", 2, errCast(args[1]))
	}
	if args[1].null {
		return ev.failed("replaceAll", 2, errNull)
	}
	text, with := javatext.Units(s), javatext.Units(args[1].str)
	re, m := ev.matcher("replaceAll", 2, args[0].str, text)
	if m == nil {
		return nil
	}
	start := m.Steps()
	var out []uint16
	last := 0
	for {
		found, ok := ev.find(m)
		if !ok {
			return nil
		}
		if !found {
			break
		}
		out = append(out, text[last:m.Start()]...)
		var err error
		if out, err = expand(out, with, re, m); err != nil {
			return ev.failed("replaceAll", 2, err)
		}
		last = m.End()
		if !ev.fits(2*len(out)) || !ev.spend(len(with)) {
			return nil
		}
	}
	if !ev.spend(int(start - m.Steps())) {
		return nil
	}
	return ev.text(javatext.Encode(append(out, text[last:]...)))
}

// expand appends a replacement: $n and ${name} are groups, a backslash quotes.
func expand(out, with []uint16, re *javare.Regexp, m *javare.Matcher) ([]uint16, error) {
	digit := func(u uint16) bool { return u >= '0' && u <= '9' }
	for i := 0; i < len(with); i++ {
		switch u := with[i]; u {
		case '\\':
			i++
			if i == len(with) {
				return out, errors.New("character to be escaped is missing")
			}
			out = append(out, with[i])
		case '$':
			i++
			if i == len(with) {
				return out, errors.New("Illegal group reference: group index is missing")
			}
			group := 0
			switch {
			case with[i] == '{':
				b := i + 1
				for i++; i < len(with) && (with[i]|0x20 >= 'a' && with[i]|0x20 <= 'z' || digit(with[i])); i++ {
				}
				name := javatext.Encode(with[b:i])
				if name == "" {
					return out, errors.New("named capturing group is missing trailing '}'")
				}
				if i == len(with) || with[i] != '}' {
					return out, errors.New("named capturing group is missing trailing '}'")
				}
				if digit(with[b]) {
					return out, fmt.Errorf("capturing group name {%s} starts with digit character", name)
				}
				n, ok := re.GroupIndex(name)
				if !ok {
					return out, fmt.Errorf("No group with name {%s}", name)
				}
				group = n
			case digit(with[i]):
				group = int(with[i] - '0')
				if group > re.Groups() {
					return out, fmt.Errorf("No group %d", group)
				}
				for i+1 < len(with) && digit(with[i+1]) {
					n := group*10 + int(with[i+1]-'0')
					if n > re.Groups() {
						break
					}
					group = n
					i++
				}
			default:
				return out, errors.New("Illegal group reference")
			}
			if t, ok := m.Group(group); ok {
				out = append(out, t...)
			}
		default:
			out = append(out, u)
		}
	}
	return out, nil
}

func (ev *evaluator) split(s string, args []*cell) *cell {
	limit := int64(0)
	if len(args) == 2 {
		if args[1].typ != TypeLong {
			return ev.failed("split", 2, errCast(args[1]))
		}
		v, ok := narrow(args[1].num)
		if !ok {
			return ev.failed("split", 2, errors.New("Cannot cast java.lang.Long to java.lang.Integer"))
		}
		limit = v
	}
	text := javatext.Units(s)
	_, m := ev.matcher("split", len(args), args[0].str, text)
	if m == nil {
		return nil
	}
	start := m.Steps()
	var out []string
	last := 0
	for limit <= 0 || int64(len(out)) < limit-1 {
		found, ok := ev.find(m)
		if !ok {
			return nil
		}
		if !found {
			break
		}
		if m.End() == 0 {
			continue // nothing, at the start
		}
		out = append(out, javatext.Encode(text[last:m.Start()]))
		last = m.End()
		if !ev.fits(16 * len(out)) {
			return nil
		}
	}
	if !ev.spend(int(start - m.Steps())) {
		return nil
	}
	if len(out) == 0 && last == 0 {
		return ev.strings([]string{s})
	}
	out = append(out, javatext.Encode(text[last:]))
	if limit == 0 {
		for len(out) > 0 && out[len(out)-1] == "" {
			out = out[:len(out)-1]
		}
	}
	return ev.strings(out)
}

func (ev *evaluator) join(args []*cell) *cell {
	if len(args) == 0 {
		ev.failf(CatInvalidArgs, "Invalid empty input args for String.join method")
		return nil
	}
	sep := args[0]
	items := args[1:]
	if len(args) == 2 && args[1].typ.isArray() {
		if args[1].typ != TypeStringArray {
			return ev.castError(args[1].typ, "STRING_ARRAY")
		}
		elems := args[1].ref.(*array).elems
		items = make([]*cell, len(elems))
		for i := range elems {
			items[i] = &elems[i]
		}
	}
	if sep.typ != TypeString {
		return ev.castError(sep.typ, "STRING")
	}
	if sep.null {
		return ev.nullObject("the separator of String.join")
	}
	n := 0
	for _, a := range items {
		if a.typ != TypeString {
			return ev.castError(a.typ, "STRING")
		}
		n += len(sep.str) + len(a.str)
	}
	if !ev.fits(n/2) || !ev.spend(n/4) {
		return nil
	}
	s := make([]string, len(items))
	for i, a := range items {
		s[i] = a.scalarText()
	}
	return ev.text(javatext.Normalize(strings.Join(s, sep.str)))
}

func (ev *evaluator) format(args []*cell) *cell {
	if len(args) == 0 {
		ev.failf(CatInvalidArgs, "Invalid empty input args for String.format method")
		return nil
	}
	list := make([]any, 0, len(args))
	for _, a := range args {
		v, ok := ev.formatArg(a)
		if !ok {
			return nil
		}
		list = append(list, v)
	}
	f := args[0]
	if f.typ != TypeString {
		return ev.castError(f.typ, "STRING")
	}
	if f.null {
		return ev.nullObject("the format")
	}
	if !ev.spend(len(f.str)) {
		return nil
	}
	most := int(min(max((ev.limits.Memory-ev.memory)/2, 1024), 1<<26))
	s, err := javatext.Format(f.str, list[1:], most, func(ms int64, conv byte) (string, bool) {
		return formatDate(joda.DateTime{Millis: ms, Zone: ev.zone}, conv)
	})
	switch {
	case err == javatext.ErrTooLong:
		ev.charge(ev.limits.Memory)
		return nil
	case err == javatext.ErrNoHash:
		ev.failf(CatNoContent, "%s", err)
		return nil
	case err != nil:
		ev.failf(CatFormat, "%s", err)
		return nil
	}
	if !ev.spend(len(s)) {
		return nil
	}
	return ev.text(s)
}

// formatArg is a cell as the formatter sees it.
func (ev *evaluator) formatArg(a *cell) (any, bool) {
	if !a.hasContent() {
		ev.noContent(a.typ)
		return nil, false
	}
	if a.isNull() {
		return nil, true
	}
	switch a.typ {
	case TypeString:
		return a.str, true
	case TypeLong:
		if v, is32 := narrow(a.num); is32 {
			return int32(v), true
		}
		return a.num, true
	case TypeDouble:
		return a.double(), true
	case TypeBoolean:
		return a.truth(), true
	case TypeMap:
		v, ok := ev.out(a, 0)
		if !ok {
			return nil, false
		}
		o := javatext.Object{Text: ev.plainMapText(v), Class: javaClass[TypeMap]}
		o.Hash, o.HasHash = mapHash(v)
		return o, true
	case TypeStringArray, TypeLongArray, TypeDoubleArray, TypeBooleanArray:
		return javatext.Object{Text: ev.identity(a.typ), Class: javaClass[a.typ]}, true
	}
	class := map[Type]string{TypeDateTime: "org.joda.time.DateTime", TypeDateTimeZone: "org.joda.time.tz.CachedDateTimeZone",
		TypeDateTimeDays: "org.joda.time.Days", TypeDateTimeProperty: "org.joda.time.DateTime$Property", TypeDateTimeFormatter: "org.joda.time.format.DateTimeFormatter"}[a.typ]
	text := a.scalarText()
	if a.typ == TypeDateTimeFormatter {
		text = ev.identity(a.typ)
	}
	return javatext.Object{Text: text, Class: class}, true
}

// mapHash is the hash code of a map that was taken out; ok is false if an array in it has none.
func mapHash(v Value) (h int32, ok bool) {
	for _, e := range v.Entries() {
		var key, val int32
		if !e.NullKey {
			key = javatext.Hash(e.Key)
		}
		switch x := e.Value; {
		case x.IsNull():
		case x.typ == TypeMap:
			if val, ok = mapHash(x); !ok {
				return 0, false
			}
		case x.typ == TypeString:
			val = javatext.Hash(x.str)
		case x.typ == TypeLong:
			val = javatext.HashOf(x.num)
		case x.typ == TypeDouble:
			val = javatext.HashOf(x.AsDouble())
		case x.typ == TypeBoolean:
			val = javatext.HashOf(x.AsBool())
		default:
			return 0, false
		}
		h += key ^ val
	}
	return h, true
}
