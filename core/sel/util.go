package sel

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/sel/javatext"
	"github.com/downbeat/downbeat/core/sel/joda"
)

// callUtil is Util.name(args) (section 12).
func (ev *evaluator) callUtil(x *cell, name string, args []*cell) *cell {
	if f, ok := ev.env.Functions[name]; ok {
		return ev.callFunc(f, args)
	}
	switch name + strconv.Itoa(len(args)) {
	case "dateIntToTs1":
		if d, ok := ev.dateInt(args[0]); ok {
			return ev.long(d.Millis)
		}
		return nil
	case "tsToDateInt1":
		if ms, ok := ev.longArg(args[0]); ok {
			return ev.text(printDateInt(ms))
		}
		return nil
	case "incrementDateInt2":
		if args[1].typ != TypeLong {
			return ev.castError(args[1].typ, "LONG")
		}
		d, ok := ev.dateInt(args[0])
		if !ok {
			return nil
		}
		d, err := d.Plus(joda.Days, int64(int32(args[1].num)))
		if err != nil {
			return ev.dateError(err)
		}
		return ev.text(printDateInt(d.Millis))
	case "dateIntHourToTs5":
		return ev.dateIntHourToTs(args)
	case "dateIntsBetween3":
		return ev.dateIntsBetween(args)
	case "intsBetween3":
		return ev.intsBetween(args)
	case "timeoutForDateTimeDeadline2", "timeoutForDateIntDeadline2":
		return ev.timeout(name, args)
	}
	if name == "toJson" {
		return ev.toJSON(args)
	}
	return ev.noMethod(x.typ, name, args)
}

// textArg and longArg take an argument as `new String(x)` and `new Long(x)` would.
func (ev *evaluator) textArg(a *cell) (string, bool) {
	s, null, ok := stringOrLong(a)
	if !ok {
		ev.badConstructor("Invalid input argument (%s) for String constructor", a)
		return "", false
	}
	if null {
		ev.nullObject("the text")
		return "", false
	}
	return s, true
}

func (ev *evaluator) longArg(a *cell) (int64, bool) {
	switch a.typ {
	case TypeLong:
		return a.num, true
	case TypeString:
		return ev.longText(a)
	}
	ev.badConstructor("Invalid input argument (%s) for Long constructor", a)
	return 0, false
}

func (ev *evaluator) dateInt(a *cell) (joda.DateTime, bool) {
	s, ok := ev.textArg(a)
	if !ok {
		return joda.DateTime{}, false
	}
	return ev.dateIntPattern(s, "YYYYMMdd", joda.UTC)
}

func (ev *evaluator) dateIntHourToTs(args []*cell) *cell {
	d, ok := ev.textArg(args[0])
	if !ok {
		return nil
	}
	h, ok := ev.textArg(args[1])
	if !ok {
		return nil
	}
	id, ok := ev.textArg(args[2])
	if !ok {
		return nil
	}
	days, ok := ev.longArg(args[3])
	if !ok {
		return nil
	}
	hours, ok := ev.longArg(args[4])
	if !ok {
		return nil
	}
	z, err := joda.ForID(id)
	if err != nil {
		return ev.dateError(err)
	}
	at, ok := ev.dateIntPattern(d+h, "YYYYMMddHH", z)
	if !ok {
		return nil
	}
	at, err = at.Plus(joda.Days, -int64(int32(days)))
	if err == nil {
		at, err = at.Plus(joda.Hours, -int64(int32(hours)))
	}
	if err != nil {
		return ev.dateError(err)
	}
	return ev.long(at.Millis)
}

// grow charges one more element of a list that is being built.
func (ev *evaluator) grow(n int) bool {
	return int64(n)*32 < ev.limits.Memory-ev.memory && ev.spend(16) || ev.err != nil || ev.charge(int64(n)*32+32)
}

func (ev *evaluator) dateIntsBetween(args []*cell) *cell {
	from, ok := ev.dateInt(args[0])
	if !ok {
		return nil
	}
	to, ok := ev.dateInt(args[1])
	if !ok {
		return nil
	}
	// Whatever the step is, its text must be an integer.
	text, ok := ev.contentText(args[2])
	if !ok {
		return nil
	}
	step, err := javatext.ParseInt(text)
	if err != nil || step == math.MinInt32 {
		ev.failf(CatNumberText, `For input string: "%s"`, text)
		return nil
	}
	if step == 0 {
		ev.failf(CatInvalidArgs, "Invalid incremental interval value: 0")
		return nil
	}
	down := step < 0
	if down {
		from, to, step = to, from, -step
	}
	var out []int64
	for from.Millis < to.Millis {
		n, err := strconv.ParseInt(printDateInt(from.Millis), 10, 64)
		if err != nil {
			ev.failf(CatNumberText, `For input string: "%s"`, printDateInt(from.Millis))
			return nil
		}
		out = append(out, n)
		if !ev.grow(len(out)) || !ev.spend(128) {
			return nil
		}
		if from, err = from.Plus(joda.Days, step); err != nil {
			return ev.dateError(err)
		}
	}
	if down {
		for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
			out[i], out[j] = out[j], out[i]
		}
	}
	return ev.longs(out)
}

func (ev *evaluator) intsBetween(args []*cell) *cell {
	var v [3]int64
	for i, a := range args {
		n, ok := ev.longArg(a)
		if !ok {
			return nil
		}
		v[i] = int64(int32(n))
	}
	from, to, step := v[0], v[1], v[2]
	if step == 0 && from > to {
		// Different from Maestro, which never ends.
		ev.failf(CatInvalidArgs, "Invalid incremental interval value: 0")
		return nil
	}
	var out []int64
	for step > 0 && from < to || step <= 0 && from > to {
		out = append(out, from)
		if !ev.grow(len(out)) {
			return nil
		}
		from += step
		if from > math.MaxInt32 || from < math.MinInt32 {
			// Different from Maestro, whose counter wraps and never ends.
			ev.failf(CatInvalidArgs, "Invalid incremental interval value: %d leaves the range of 32 bits", step)
			return nil
		}
	}
	return ev.longs(out)
}

func (ev *evaluator) timeout(name string, args []*cell) *cell {
	var at int64
	if name == "timeoutForDateTimeDeadline" {
		if args[0].typ != TypeDateTime {
			return ev.castError(args[0].typ, "DATETIME")
		}
		if args[1].typ != TypeString {
			return ev.castError(args[1].typ, "STRING")
		}
		if args[0].null || args[1].null {
			return ev.nullObject("an argument of " + name)
		}
		at = args[0].num
	} else {
		if args[1].typ != TypeString {
			return ev.castError(args[1].typ, "STRING")
		}
		d, ok := ev.dateInt(args[0])
		if !ok {
			return nil
		}
		if args[1].null {
			return ev.nullObject("an argument of " + name)
		}
		at = d.Millis
	}
	p, err := joda.ParsePeriod(args[1].str)
	if err != nil {
		return ev.dateError(err)
	}
	end, err := joda.DateTime{Millis: at, Zone: joda.UTC}.Plus(joda.Millis, p)
	if err != nil {
		return ev.dateError(err)
	}
	left := end.Millis - ev.env.NowMillis
	return ev.text(strconv.FormatInt(max(left, 0), 10) + " milliseconds")
}

// toJSON is Util.toJson(x).
func (ev *evaluator) toJSON(args []*cell) *cell {
	for _, a := range args {
		if !a.hasContent() {
			return ev.noContent(a.typ)
		}
	}
	if len(args) != 1 {
		ev.failf(CatInvalidArgs, "toJson function requires exactly one argument")
		return nil
	}
	a := args[0]
	var v Value
	switch {
	case a.isNull():
	case a.typ == TypeLong:
		n, _ := narrow(a.num)
		v = Long(n)
	case a.typ.IsData():
		var ok bool
		if v, ok = ev.out(a, 0); !ok {
			return nil
		}
	default:
		ev.failf(CatJSON, "Failed to write an object to json string due to [%s]", a.typ)
		return nil
	}
	s, err := v.JSON()
	if err != nil {
		ev.fail(err)
		return nil
	}
	if !ev.spend(len(s)) {
		return nil
	}
	return ev.text(s)
}

// callFunc calls a function that was added to Util.
func (ev *evaluator) callFunc(f Func, args []*cell) *cell {
	in := make([]Value, len(args))
	for i, a := range args {
		if !a.hasContent() {
			return ev.noContent(a.typ)
		}
		switch {
		case a.isNull():
		case a.typ == TypeLong:
			n, _ := narrow(a.num)
			in[i] = Long(n)
		default:
			v, ok := ev.out(a, 0)
			if !ok {
				return nil
			}
			in[i] = v
		}
	}
	v, err := f(in)
	if err != nil {
		ev.fail(outside(err))
		return nil
	}
	return ev.fromValue(v, 0)
}

// outside is how an error of code that was handed in comes out.
func outside(err error) error {
	var need needsData
	if errors.As(err, &need) && need.NeedsData() {
		return err
	}
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	return &Error{Category: CatExtension, Message: err.Error(), Cause: causeOf(err)}
}

// causeOf keeps what err wraps without repeating its text.
func causeOf(err error) error { return errors.Unwrap(err) }

// callParams is params.name(args) (section 13).
func (ev *evaluator) callParams(name string, args []*cell) *cell {
	if len(args) == 1 && (name == "get" || name == "containsKey") {
		k := args[0]
		if k.typ != TypeString {
			return ev.castError(k.typ, "STRING")
		}
		if name == "get" {
			c, _ := ev.input(k.scalarText())
			return c
		}
		_, ok := ev.env.Inputs[k.str]
		if !ok && ev.env.Lookup != nil {
			var err error
			if _, ok, err = ev.env.Lookup(k.str); err != nil {
				ev.fail(outside(err))
				return nil
			}
		}
		return ev.boolean(ok && !k.null)
	}
	if ev.env.Extension == nil {
		return ev.noMethod(TypeParams, name, args)
	}
	unsupported := func(who string) *cell {
		e := &Error{Category: CatNoMethod, Message: who + " DO NOT support calling method: " + name + " with args: " + argsText(args)}
		e.Hint = suggestOf(name, extensionFunctions)
		ev.fail(e)
		return nil
	}
	texts := make([]string, len(args))
	for i, a := range args {
		if a.typ != TypeString {
			return unsupported("ParamExtension")
		}
		if texts[i] = a.scalarText(); ev.shows(texts[i]) {
			return nil
		}
	}
	if len(args) > 3 {
		return unsupported("ParamExtension")
	}
	v, err := ev.env.Extension.CallParams(ev.ctx, name, texts)
	if errors.Is(err, ErrNoSuchFunction) {
		return unsupported("MaestroParamExtension")
	}
	if err != nil {
		ev.fail(outside(err))
		return nil
	}
	return ev.fromValue(v, 0)
}

var extensionFunctions = []string{"nextUniqueId", "getExecutionEnvironment", "getFromInstance", "getFromStep", "getFromSignal",
	"getFromSignalOrDefault", "getFromSignalDependency", "getFromForeach", "getFromSubworkflow", "get", "containsKey"}

// methodNames are for suggestions only.
var methodNames = map[Type][]string{
	TypeString:            {"length", "isEmpty", "toUpperCase", "toLowerCase", "trim", "startsWith", "endsWith", "contains", "equals", "compareTo", "lastIndexOf", "substring", "replace", "replaceAll", "split", "escape", "valueOf", "format", "join"},
	TypeLong:              {"toString", "valueOf", "parseLong", "intValue"},
	TypeDouble:            {"toString", "valueOf", "parseDouble", "intValue", "longValue"},
	TypeMath:              {"min", "max", "pow", "random"},
	TypeMap:               {"size", "get", "getOrDefault", "containsKey", "put"},
	TypeUUID:              {"randomUUID", "toString"},
	TypeMisc:              {"currentTimeMillis", "asList"},
	TypeDateTimeZone:      {"forID", "getOffset"},
	TypeDateTimeFormatter: {"forPattern", "withZone", "parseDateTime", "parseMillis", "print"},
	TypeDateTimeProperty:  {"get", "getAsText", "withMinimumValue", "withMaximumValue"},
	TypeDateTimeDays:      {"daysBetween", "getDays"},
	TypeUtil:              {"dateIntToTs", "tsToDateInt", "incrementDateInt", "dateIntHourToTs", "dateIntsBetween", "intsBetween", "timeoutForDateTimeDeadline", "timeoutForDateIntDeadline", "toJson"},
	TypeParams:            extensionFunctions,
	TypeDateTime:          dateTimeMethodNames(),
}

func dateTimeMethodNames() []string {
	out := []string{"toString", "withZone", "toDateTime", "withTimeAtStartOfDay", "isAfter", "isBefore", "isEqual", "getMillis"}
	for _, m := range []map[string]joda.Field{withFields, getFields, propertyFields} {
		for n := range m {
			out = append(out, n)
		}
	}
	for u := range plusUnits {
		out = append(out, "plus"+u, "minus"+u)
	}
	return out
}

func suggestMethod(t Type, name string, n int) string {
	for _, m := range methodNames[t] {
		if m == name {
			return name + " does not take " + strconv.Itoa(n) + " arguments"
		}
	}
	return suggestOf(name, methodNames[t])
}

func suggest(name string, known map[string]Type) string {
	names := make([]string, 0, len(known))
	for n := range known {
		names = append(names, n)
	}
	return suggestOf(name, names)
}

// suggestOf names the known name that is nearest, if one is near.
func suggestOf(name string, known []string) string {
	best, least := "", len(name)/3+1
	for _, k := range known {
		if len(k) > len(name)+least || len(name) > len(k)+least {
			continue
		}
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if d < least || d == least && best != "" && k < best {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// distance is the edit distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diag
			if a[i-1] != b[j-1] {
				cost++
			}
			diag = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
