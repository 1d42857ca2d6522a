package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/fault"
)

// Numbers, order, duplicates and escapes as workflow-definition.md 1 and api.md 1.2 have them.
func TestParseAndWrite(t *testing.T) {
	for in, want := range map[string]string{
		` {"b":1,"a":[true,null,"x"]} `:        `{"b":1,"a":[true,null,"x"]}`,
		`{"a":1,"b":2,"a":3}`:                  `{"a":3,"b":2}`,
		`[12.500, 1e10, 1E-7, 0.000001, -0]`:   `[12.500,1E+10,1E-7,0.000001,0]`,
		`[1.0e+2, 0.00, 123e-2, -1.50, 1E0]`:   `[1.0E+2,0.00,1.23,-1.50,1]`,
		`0.0000001234`:                         `1.234E-7`,
		`"\u00e9\u20ac\ud83d\ude00\/\b\u001f"`: `"é€😀/\b\u001F"`,
		`"\ud83dx\uDE00"`:                      `"\uD83Dx\uDE00"`,
		`{"a":1} trailing`:                     `{"a":1}`,
		"\ufeff[]":                             `[]`,
		`99999999999999999999`:                 `99999999999999999999`,
		`""`:                                   `""`,
	} {
		v, err := Parse([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := string(v.AppendJSON(nil)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		``:                        "no content",
		"{\"a\":1,\n \"b\" 2}":    "line 2, column 6",
		`{"a":1,}`:                "name of a member",
		`[1,]`:                    "unexpected character ']'",
		`{a:1}`:                   "double quotes",
		`'x'`:                     "JSON value",
		`01`:                      "leading zeros",
		`+1`:                      "JSON value",
		`1.`:                      "digit after the point",
		`1e`:                      "exponent",
		`1x`:                      "end of the number",
		`nullx`:                   "JSON value",
		`NaN`:                     "JSON value",
		`"a`:                      "end of input",
		"\"a\nb\"":                "control character",
		"\"\xff\"":                "UTF-8",
		`"\q"`:                    "backslash",
		`"\u12G4"`:                "hexadecimal",
		`1e99999999999`:           "out of range",
		strings.Repeat("[", 1001): "nesting depth",
		strings.Repeat("9", 1001): "longer than 1000",
	} {
		_, err := Parse([]byte(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: got %v, want %q", in, err, want)
		}
		if err != nil && fault.CodeOf(err) != fault.BadRequest {
			t.Errorf("%.20s: code %s", in, fault.CodeOf(err))
		}
	}
}

// The coercions of workflow-definition.md 1.
func TestCoercions(t *testing.T) {
	deref := func(n Node, kind string) any {
		switch kind {
		case "long":
			if v := n.LongOpt(); v != nil {
				return *v
			}
		case "int":
			if v := n.IntOpt(); v != nil {
				return *v
			}
		case "bool":
			if v := n.BoolOpt(); v != nil {
				return *v
			}
		case "str":
			if v := n.StrOpt(); v != nil {
				return *v
			}
		case "decimal":
			if v, ok := n.DecimalOpt(); ok {
				return v.String()
			}
		case "enum":
			return n.Enum([]string{"FIRST_ONLY", "Other"})
		case "exact":
			return n.EnumExact([]string{"A", "B"})
		}
		return nil
	}
	bad := "error"
	for _, c := range []struct {
		kind, in string
		want     any
	}{
		{"long", `5`, int64(5)}, {"long", `" 12 "`, int64(12)}, {"long", `1.9`, int64(1)}, {"long", `-1.9`, int64(-1)},
		{"long", `1e3`, int64(1000)}, {"long", `""`, nil}, {"long", `null`, nil}, {"long", `"1.5"`, bad},
		{"long", `true`, bad}, {"long", `9223372036854775808`, bad}, {"long", `1e30`, bad}, {"long", `0.001`, int64(0)},
		{"long", `-9223372036854775808`, int64(-9223372036854775808)}, {"int", `3000000000`, bad}, {"long", `[]`, bad},
		{"bool", `"True"`, true}, {"bool", `"tRue"`, bad}, {"bool", `0`, false}, {"bool", `7`, true}, {"bool", `1.5`, bad},
		{"bool", `""`, nil}, {"bool", `"FALSE"`, false}, {"bool", `{}`, bad},
		{"str", `1.50`, "1.50"}, {"str", `true`, "true"}, {"str", `{}`, bad}, {"str", `null`, nil}, {"str", `1e3`, "1e3"},
		{"decimal", `12.500`, "12.500"}, {"decimal", `"1e10"`, "1E+10"}, {"decimal", `"NaN"`, bad}, {"decimal", `true`, bad},
		{"decimal", `5`, "5"}, {"decimal", `""`, nil},
		{"enum", `"first_only"`, "FIRST_ONLY"}, {"enum", `"OTHER"`, "Other"}, {"enum", `" OTHER"`, bad}, {"enum", `1`, bad},
		{"exact", `1`, "B"}, {"exact", `"a"`, bad}, {"exact", `""`, bad},
	} {
		v, err := ParseText(c.in)
		if err != nil {
			t.Fatal(err)
		}
		n := Root(v, "x")
		got := deref(n, c.kind)
		if n.Err() != nil {
			got = bad
		}
		if got != c.want {
			t.Errorf("%s of %s: got %v (%v), want %v", c.kind, c.in, got, n.Err(), c.want)
		}
	}
}

func open(t *testing.T, text string) *Object {
	t.Helper()
	v, err := ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	o, err := Open(v, "")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestObject(t *testing.T) {
	t.Run("unknown members are refused by path", func(t *testing.T) {
		o := open(t, `{"workflow":{"id":"w","steps":[{"step":{"id":"a","failureMode":1}}]}}`)
		w := o.Object("workflow")
		w.Str("id")
		for _, n := range w.List("steps") {
			s := n.Object()
			step := s.Object("step")
			step.Str("id")
			_ = step.Close()
			_ = s.Close()
		}
		err := o.Close()
		var e *Error
		if !errors.As(err, &e) || e.Path != "workflow.steps[0].step" || !strings.Contains(e.Msg, `Unrecognized field "failureMode"`) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a collector replaces what stands before it (api.md 1.2)", func(t *testing.T) {
		o := open(t, `{"a":1,"k":0,"extra_info":{"b":2,"c":3},"c":4,"d":null}`)
		o.Long("k")
		got := string(ObjectOf(o.Rest("extra_info")).AppendJSON(nil))
		if got != `{"b":2,"c":4,"d":null}` || o.Close() != nil {
			t.Errorf("got %s, %v", got, o.Close())
		}
	})
	t.Run("type ids", func(t *testing.T) {
		for in, want := range map[string]string{
			`{"type":"cron"}`: "", `{}`: "missing type id property 'type'", `{"type":"x"}`: "Could not resolve type id 'x'",
		} {
			o := open(t, in)
			got := o.Type("type", []string{"CRON"})
			err := o.Close()
			if want == "" && (err != nil || got != "CRON") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %q, %v", in, got, err)
			}
		}
	})
	t.Run("a nil object has no members", func(t *testing.T) {
		o := open(t, `{"a":null}`)
		if a := o.Object("a"); a != nil || a.Str("x") != "" || a.Close() != nil || a.List("y") != nil {
			t.Error("null must read as absent")
		}
	})
	t.Run("the first error stays", func(t *testing.T) {
		o := open(t, `{"a":"x","b":[]}`)
		o.Long("a")
		o.Long("b")
		if err := o.Close(); err == nil || !strings.HasPrefix(err.Error(), "a: ") {
			t.Errorf("got %v", err)
		}
	})
}

func TestWriter(t *testing.T) {
	w := NewWriter([]byte("x"))
	w.Open()
	w.Str("a", "q\"")
	w.StrIf("b", "")
	w.StrOpt("c", nil)
	w.LongIf("d", 0)
	w.Object("e")
	w.Close()
	w.List("f")
	w.LongItem(1)
	w.StrItem("{")
	w.Open()
	w.Bool("g", false)
	w.Close()
	w.OpenList()
	w.NullItem()
	w.CloseList()
	w.CloseList()
	w.Double("h", 1e7)
	w.Value("i", Num("1.50"))
	w.Strs("j", nil)
	w.Close()
	want := `x{"a":"q\"","e":{},"f":[1,"{",{"g":false},[null]],"h":1.0E7,"i":1.50,"j":[]}`
	if string(w.Bytes()) != want {
		t.Errorf("got %s, want %s", w.Bytes(), want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,"x\ud800"],"b":null,"a":{}}`, `"\ud83d\ude00"`, `1e-400`, `[[[]]]`, "\"\xed\xa0\x80\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Parse(data)
		if err != nil {
			return
		}
		once := v.AppendJSON(nil)
		w, err := Parse(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice := w.AppendJSON(nil); string(once) != string(twice) {
			t.Fatalf("%s became %s", once, twice)
		}
		n := Root(v, "x")
		n.LongOpt()
		n.DecimalOpt()
		n.BoolOpt()
		n.DoubleOpt()
	})
}

func BenchmarkParse(b *testing.B) {
	doc := []byte(`{"steps":[` + strings.Repeat(`{"step":{"id":"some_step","type":"NoOp","transition":{"successors":{"next":"true"}},"params":{"a":{"value":1,"type":"LONG"}}}},`, 299) + `{}]}`)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	buf := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		w := NewWriter(buf[:0])
		w.OpenList()
		for i := range 300 {
			w.Open()
			w.Str("step_id", "some_step")
			w.Long("step_attempt_id", int64(i))
			w.StrIf("status", "SUCCEEDED")
			w.Close()
		}
		w.CloseList()
	}
}
