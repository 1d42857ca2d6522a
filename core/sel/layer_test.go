package sel

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
)

// TestComplete: section 1, the rule of the semicolon.
func TestComplete(t *testing.T) {
	for expr, want := range map[string]string{
		"1 + 1": "1 + 1;", " 1; ": "1;", "": "", "\x00 \t": "", "new int[]{1,2}": "new int[]{1,2}", `{"a": 1}`: `{"a": 1};`,
		"1; // note": "1; // note;", "if (c) { return 1; }": "if (c) { return 1; }", "1\u00a0": "1\u00a0;",
	} {
		if got := Complete(expr); got != want {
			t.Errorf("Complete(%q) = %q, want %q", expr, got, want)
		}
	}
}

// TestWrapperErrors: section 9, the errors of the parameter layer.
func TestWrapperErrors(t *testing.T) {
	for expr, want := range map[string]string{
		"1 +":       "BAD_REQUEST - Expression evaluation throws an exception for expr=[1 +]",
		"zzz":       "Invalid return type [NULL] for expr=[zzz]",
		"throw 'x'": "Expression throws an error [ERROR: x] for expr=[throw 'x']",
		"m = new Map(); m.put('k', null); return m": "INTERNAL_ERROR - Expression evaluation is failed with an exception for expr=[m = new Map(); m.put('k', null); return m]",
	} {
		_, err := EvalParameter(context.Background(), expr, Env{})
		var e *ParamError
		if !errors.As(err, &e) || e.Message != want {
			t.Errorf("%s: %v", expr, err)
		}
	}
	_, err := EvalParameter(context.Background(), " \r\n  \n  1 / 0", Env{})
	var e *Error
	if !errors.As(err, &e) || e.Line != 3 || e.Column != 5 {
		t.Errorf("place of an error behind blanks: %v", err)
	}
	if _, err := ParameterNames("1 +", Limits{}); err == nil || err.(*ParamError).Message != "BAD_REQUEST - Expression validator throws an exception for expr=[1 +]" {
		t.Error(err)
	}
	if names, err := ParameterNames("a + params.get('x')", Limits{}); err != nil || !reflect.DeepEqual(names, []string{"a", "params"}) {
		t.Error(names, err)
	}
}

func TestInterpolate(t *testing.T) {
	values := map[string]Value{"v": Long(7), "a": String("<a>"), "a-b": String("<a-b>"), "a.b/c": String("<a.b/c>"), "b": String("<b>"),
		"d": Double(1e7), "arr": Doubles([]float64{1, 2.5}), "m": Map([]Entry{{Key: "z", Value: Long(1)}, {Key: "a", Value: String(`q"`)}})}
	lookup := func(name string) (Value, error) {
		v, ok := values[name]
		if !ok {
			return v, fmt.Errorf("no %s", name)
		}
		return v, nil
	}
	for text, want := range map[string]string{
		"$v ${v}": "7 7", "$$v $${v}": "$v ${v}", "$ $1 ${} ${v $_v": "$ $1 ${} ${v $_v", "$v.x": "7.x",
		"$$$v": "$7", "$$$$v": "$$v", "a$$ b": "a$ b", `\$v`: `\7`,
		"$a": "<a>", "$$": "$", "$$$": "$$", "x$$": "x$", "$a$": "<a>$", "$a$$": "<a>$", "$a-b": "<a>-b", "${a-b}": "<a-b>",
		"${a.b/c}": "<a.b/c>", "${_a}": "${_a}", "${ a }": "${ a }", "$a$b": "<a><b>", "$a$$b": "<a>$b", "${a$b}": "${a<b>}", "${a}}": "<a>}",
		"$d $arr ${m}": `1.0E7 [1.0,2.5] {"z":1,"a":"q\""}`,
	} {
		got, err := Interpolate(text, lookup)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := Interpolate("$nope", lookup); err == nil {
		t.Error("a missing name is no error")
	}
	for text, want := range map[string][]string{"$$$$nope": {"nope"}, "$$nope": nil, "$a${b-c}$a": {"a", "b-c"}} {
		if got := References(text); !reflect.DeepEqual(got, want) {
			t.Errorf("References(%q) = %q", text, got)
		}
	}
}

func TestConvert(t *testing.T) {
	for _, c := range []struct {
		to   ParamType
		v    Value
		want string // text, or ✗ and the kind
		note Note
	}{
		{ParamString, String("x"), "x", Note{}},
		{ParamString, Double(100), "100.0", Note{Info: "Implicitly converted the evaluated result to a string for type class java.lang.Double"}},
		{ParamString, Longs([]int64{1}), "✗1", Note{}},
		{ParamLong, String("+5"), "5", Note{Warn: "Implicitly converted the evaluated result to a long for type String"}},
		{ParamLong, String("5.0"), "✗4", Note{}},
		{ParamLong, Double(1), "✗1", Note{}},
		{ParamDouble, Double(math.Copysign(0, -1)), "0.0", Note{}},
		{ParamDouble, Double(math.NaN()), "✗4", Note{}},
		{ParamDouble, String("1e3"), "1000.0", Note{}},
		{ParamDouble, String("1f"), "✗4", Note{}},
		{ParamDouble, String(" 1"), "✗4", Note{}},
		{ParamDouble, Bool(true), "✗4", Note{}},
		{ParamBoolean, String("TRUE"), "true", Note{Warn: "Implicitly converted the evaluated result to a boolean for type String"}},
		{ParamBoolean, String("yes"), "✗2", Note{}},
		{ParamBoolean, Long(1), "✗1", Note{}},
		{ParamStringArray, Longs([]int64{1, 2}), "[1, 2]", Note{Info: "Implicitly converted the evaluated result to a string array for type class [J"}},
		{ParamDoubleArray, Longs([]int64{1}), "✗3", Note{}},
		{ParamMap, String("x"), "✗5", Note{}},
		{ParamStringMap, Map([]Entry{{Key: "a", Value: Long(1)}}), "{a=1}", Note{}},
		{ParamString, NullOf(TypeString), "✗3", Note{}},
	} {
		v, note, err := Convert("p", c.to, c.v)
		got := v.Text()
		var e *ConversionError
		if errors.As(err, &e) {
			got = fmt.Sprintf("✗%d", e.Kind)
		}
		if got != c.want || note != c.note {
			t.Errorf("%s to %s: %s %v %v, want %s", c.v.Text(), c.to, got, note, err, c.want)
		}
	}
}

type needKey string

func (k needKey) Error() string   { return "need " + string(k) }
func (k needKey) NeedsData() bool { return true }

type extension struct{}

func (extension) CallParams(_ context.Context, method string, args []string) (Value, error) {
	switch {
	case method == "getFromStep" && len(args) == 2 && args[0] == "later":
		return Value{}, fmt.Errorf("step %s: %w", args[0], needKey(args[1]))
	case method == "getFromStep" && len(args) == 2:
		return Long(42), nil
	case method == "getFromSignal":
		return Value{}, errors.New("getFromSignal throws an exception for paramName=[x]")
	}
	return Value{}, ErrNoSuchFunction
}

// TestExtension: section 13, and the rule that a need for data comes out unchanged.
func TestExtension(t *testing.T) {
	env := Env{Extension: extension{}}
	for source, want := range map[string]string{
		"params.getFromStep('a', 'b') + 1;":        "LONG 43",
		"params.getFromStep('a', 1);":              "✗ no-such-method",
		"params.getFromSteps('a');":                "✗ no-such-method",
		"params.getFromSignal('x');":               "✗ extension",
		"params.getFromStep('a','b','c','d');":     "✗ no-such-method",
		"String s; params.getFromStep(s, 'b');":    "LONG 42",
		"params.nextUniqueId();":                   "✗ no-such-method",
		"x = params.getFromStep('a', 'b'); x / 2;": "LONG 21",
	} {
		if got := evalText(t, source, env); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
	_, err := EvalParameter(context.Background(), "1 + params.getFromStep('later', 'k')", env)
	var need needKey
	if !errors.As(err, &need) || need != "k" {
		t.Errorf("a need for data came out as %v", err)
	}
	var e *Error
	if errors.As(err, &e) {
		t.Error("a need for data became a SEL error")
	}
}

func TestLookup(t *testing.T) {
	env := Env{Lookup: func(name string) (Value, bool, error) {
		switch name {
		case "a":
			return Long(1), true, nil
		case "later":
			return Value{}, false, needKey(name)
		}
		return Value{}, false, nil
	}}
	for source, want := range map[string]string{"a + 1;": "LONG 2", "b;": "NULL null", "params.containsKey('a');": "BOOLEAN true", "params.b;": "NULL null"} {
		if got := evalText(t, source, env); got != want {
			t.Errorf("%s: %s", source, got)
		}
	}
	p, err := Compile("later;")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Eval(context.Background(), p, env)
	var need needKey
	if !errors.As(err, &need) {
		t.Error(err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p, err := Compile("for (i = 0; i < 20000; i += 1) {}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Eval(ctx, p, Env{})
	var e *Error
	if !errors.As(err, &e) || e.Category != CatTimeout || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestConcurrent: one program, evaluated by many at a time, stays what it was.
func TestConcurrent(t *testing.T) {
	p, err := Compile("String s = 'a'; s += n; m = new Map(); m.put(s, n); m;")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	for i := range 8 {
		go func() {
			out := ""
			for range 200 {
				v, err := Eval(context.Background(), p, Env{Inputs: map[string]Value{"n": Long(int64(i))}})
				if want := fmt.Sprintf("{a%d=%d}", i, i); err != nil || v.Text() != want {
					out = fmt.Sprint(v.Text(), err)
				}
			}
			done <- out
		}()
	}
	for range 8 {
		if s := <-done; s != "" {
			t.Error(s)
		}
	}
}

func TestHints(t *testing.T) {
	for source, want := range map[string]string{
		"'a'.lenght();":               "did you mean length?",
		"'a'.substring(1, 2, 3);":     "substring does not take 3 arguments",
		"new Datetime(0);":            "did you mean DateTime?",
		"new DateTime(0).plusDay(1);": "did you mean plusDays?",
	} {
		p, err := Compile(source)
		if err == nil {
			_, err = Eval(context.Background(), p, Env{})
		}
		var e *Error
		if !errors.As(err, &e) || e.Hint != want {
			t.Errorf("%s: %v", source, err)
		}
	}
}
