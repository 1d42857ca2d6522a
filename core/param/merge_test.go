package param

import (
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/wire"
)

func readDef(t testing.TB, text string) *Definition {
	t.Helper()
	v, err := wire.ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	n := wire.Root(v, "")
	d := ReadDefinition(n, "p", false)
	if n.Err() != nil {
		t.Fatal(n.Err())
	}
	return d
}

func single(d *Definition) *Definitions { return define("p", d) }

func definitionJSON(d *Definitions) string { return string(d.AppendJSON(nil)) }

// One definition over another: values, types, modes, permissions, sources (parameters.md 5 and 18.2).
func TestMerge(t *testing.T) {
	definition, launch := Layer{Source: SourceDefinition}, Layer{Source: SourceLaunch}
	upstream := Layer{Source: SourceSubworkflow, Upstream: true}
	restart := Layer{Source: SourceRestart, Restart: true}
	output := Layer{Source: SourceOutputParameter}
	system := Layer{Source: SourceTemplateSchema}
	for _, c := range []struct {
		name, base, over string
		layer            Layer
		want             string // JSON, or "!" and a part of the error
	}{
		{"5.2: a literal is cast to the type that is there", `{"type":"STRING","expression":"x","mode":"MUTABLE_ON_START"}`, `{"type":"LONG","value":5}`, definition,
			`{"value":"5","type":"STRING","tags":[],"mode":"MUTABLE_ON_START","source":"DEFINITION"}`},
		{"5.4: equal to a CONSTANT", `{"type":"STRING","value":"v","mode":"CONSTANT"}`, `{"type":"STRING","value":"v"}`, launch,
			`{"value":"v","type":"STRING","tags":[],"mode":"CONSTANT","source":"LAUNCH"}`},
		{"5.4: other than a CONSTANT", `{"type":"STRING","value":"v","mode":"CONSTANT"}`, `{"type":"STRING","value":"w"}`, launch,
			"!Cannot modify param with mode [CONSTANT] for parameter [p]"},
		{"5.4: equal but for its mode", `{"type":"STRING","value":"v","mode":"CONSTANT"}`, `{"type":"STRING","value":"v","mode":"MUTABLE"}`, launch,
			"!Cannot modify param mode to be less strict for parameter [p] from [CONSTANT] to [MUTABLE]"},
		{"5.4: equal but for a tag", `{"type":"STRING","value":"v","mode":"IMMUTABLE"}`, `{"type":"STRING","value":"v","tags":["late"]}`, launch,
			"!Cannot modify param with mode [IMMUTABLE]"},
		{"5.4: less strict", `{"type":"STRING","value":"v","mode":"MUTABLE_ON_START"}`, `{"type":"STRING","value":"w","mode":"MUTABLE"}`, launch,
			"!less strict for parameter [p] from [MUTABLE_ON_START] to [MUTABLE]"},
		{"5.4: raised as far as the source may change", `{"type":"STRING","value":"v"}`, `{"type":"STRING","value":"w","mode":"MUTABLE_ON_START"}`, launch,
			`{"value":"w","type":"STRING","tags":[],"mode":"MUTABLE_ON_START","source":"LAUNCH"}`},
		{"5.4: raised too far", `{"type":"STRING","value":"v"}`, `{"type":"STRING","value":"w","mode":"IMMUTABLE"}`, launch, "!with mode [IMMUTABLE]"},
		{"4.4: restart row", `{"type":"STRING","value":"v","mode":"MUTABLE_ON_START"}`, `{"type":"STRING","value":"w"}`, restart, "!with mode [MUTABLE_ON_START]"},
		{"4.4: output row", `{"type":"STRING","value":"v","mode":"MUTABLE_ON_START_RESTART"}`, `{"type":"STRING","value":"w"}`, output, "!with mode [MUTABLE_ON_START_RESTART]"},
		{"4.4: the system may do all", `{"type":"STRING","value":"v","mode":"CONSTANT"}`, `{"type":"STRING","value":"w"}`, system,
			`{"value":"w","type":"STRING","tags":[],"mode":"CONSTANT","source":"TEMPLATE_SCHEMA"}`},
		{"4.2: RESERVED", `{"type":"STRING","value":"v","internal_mode":"RESERVED"}`, `{"type":"STRING","value":"w"}`, definition, "!with mode [CONSTANT] for parameter [p]"},
		{"4.4: upstream bypass keeps the stricter mode", `{"type":"STRING","value":"v","internal_mode":"RESERVED"}`, `{"type":"STRING","value":"w","source":"SYSTEM_DEFAULT"}`, upstream,
			`{"value":"w","type":"STRING","tags":[],"mode":"CONSTANT","source":"SUBWORKFLOW","internal_mode":"RESERVED"}`},
		{"4.4: no bypass for DEFINITION", `{"type":"STRING","value":"v","mode":"IMMUTABLE"}`, `{"type":"STRING","value":"w","source":"DEFINITION"}`, upstream, "!with mode [IMMUTABLE]"},
		{"5.5: upstream and equal keeps the source", `{"type":"STRING","value":"v","mode":"CONSTANT","source":"DEFINITION"}`, `{"type":"STRING","value":"v","mode":"MUTABLE","source":"DEFINITION"}`, upstream,
			`{"value":"v","type":"STRING","tags":[],"mode":"CONSTANT","source":"DEFINITION"}`},
		{"5.4: internal mode on a param that is there", `{"type":"STRING","value":"v"}`, `{"type":"STRING","value":"w","internal_mode":"OPTIONAL"}`, launch, "!Cannot modify system mode for parameter [p]"},
		{"5.5: source on a changed param", `{"type":"STRING","value":"v"}`, `{"type":"STRING","value":"w","source":"SYSTEM"}`, launch, "!Cannot modify source for parameter [p]"},
		{"5.5: source on an equal param", `{"type":"STRING","value":"v"}`, `{"type":"STRING","value":"v","source":"SYSTEM"}`, launch,
			`{"value":"v","type":"STRING","tags":[],"mode":"MUTABLE","source":"LAUNCH"}`},
		{"5.5: tags are united, the validator is replaced, meta is dropped", `{"type":"STRING","value":"v","tags":["a"],"validator":"@A","x":1}`, `{"type":"STRING","value":"w","tags":["b","a"],"y":2}`, launch,
			`{"value":"w","type":"STRING","validator":"@A","tags":[{"name":"b"},{"name":"a"}],"mode":"MUTABLE","source":"LAUNCH"}`},
		{"5.1: MAPs merge", `{"type":"MAP","value":{"x":{"type":"LONG","value":2,"mode":"CONSTANT"}}}`, `{"type":"MAP","value":{"y":{"type":"LONG","value":3}}}`, definition,
			`{"value":{"x":{"value":2,"type":"LONG","tags":[],"mode":"CONSTANT","source":"DEFINITION"},"y":{"value":3,"type":"LONG","tags":[],"mode":"MUTABLE","source":"DEFINITION"}},"type":"MAP","tags":[],"mode":"MUTABLE","source":"DEFINITION"}`},
		{"5.1: a CONSTANT member", `{"type":"MAP","value":{"x":{"type":"LONG","value":2,"mode":"CONSTANT"}}}`, `{"type":"MAP","value":{"x":{"type":"LONG","value":3}}}`, definition, "!for parameter [x]"},
		{"5.4: a CONSTANT MAP protects its members", `{"type":"MAP","value":{"x":{"type":"LONG","value":2}},"mode":"CONSTANT"}`, `{"type":"MAP","value":{"x":{"type":"LONG","value":3}}}`, launch, "!with mode [CONSTANT] for parameter [x]"},
		{"5.4: and takes new ones", `{"type":"MAP","value":{},"mode":"CONSTANT"}`, `{"type":"MAP","value":{"c":{"type":"LONG","value":3}}}`, launch,
			`{"value":{"c":{"value":3,"type":"LONG","tags":[],"mode":"CONSTANT","source":"LAUNCH"}},"type":"MAP","tags":[],"mode":"CONSTANT","source":"LAUNCH"}`},
		{"5.1: an expression replaces a MAP", `{"type":"MAP","value":{"x":{"type":"LONG","value":2}}}`, `{"type":"MAP","expression":"m"}`, definition,
			`{"expression":"m","type":"MAP","tags":[],"mode":"MUTABLE","source":"DEFINITION"}`},
		{"5.1: a MAP over an expression", `{"type":"MAP","expression":"m"}`, `{"type":"MAP","value":{}}`, system, "!MAP param [p] definition exp=[m] is not a literal"},
		{"5.1: a MAP over another type", `{"type":"STRING","value":"x"}`, `{"type":"MAP","value":{}}`, launch, "!mismatch, [p] is not a [MAP] but [STRING]"},
		{"5.1: STRING_MAPs unite", `{"type":"STRING_MAP","value":{"a":"1","b":"2"}}`, `{"type":"STRING_MAP","value":{"b":"3","c":"4"}}`, launch,
			`{"value":{"a":"1","b":"3","c":"4"},"type":"STRING_MAP","tags":[],"mode":"MUTABLE","source":"LAUNCH"}`},
		{"5.1: a STRING_MAP over a MAP", `{"type":"MAP","value":{}}`, `{"type":"STRING_MAP","value":{}}`, launch, "!is not a [STRING_MAP] but [MAP]"},
		{"5.2: an expression gets the type", `{"type":"LONG","value":1}`, `{"type":"STRING","expression":"'4'"}`, launch,
			`{"expression":"'4'","type":"LONG","tags":[],"mode":"MUTABLE","source":"LAUNCH"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, err := Merge(nil, single(readDef(t, c.base)), Layer{Source: SourceDefinition})
			if err != nil {
				t.Fatal(err)
			}
			before := definitionJSON(base)
			got, err := Merge(base, single(readDef(t, c.over)), c.layer)
			if after := definitionJSON(base); after != before {
				t.Errorf("the base changed from %s to %s", before, after)
			}
			if part, refused := strings.CutPrefix(c.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want %q", err, part)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s := definitionJSON(got); s != `{"p":`+c.want+`}` {
				t.Errorf("got %s, want %s", s, c.want)
			}
		})
	}
}

// Casts of literals, parameters.md 5.2: what is not listed is a mismatch.
func TestCasts(t *testing.T) {
	values := map[Type]string{"STRING": `"x"`, "LONG": `7`, "DOUBLE": `2.50`, "BOOLEAN": `true`, "STRING_ARRAY": `["a"]`, "LONG_ARRAY": `[1]`,
		"DOUBLE_ARRAY": `[1.0]`, "BOOLEAN_ARRAY": `[true]`}
	allowed := map[string]string{
		"LONG>STRING": `"7"`, "DOUBLE>STRING": `"2.5"`, "BOOLEAN>STRING": `"true"`, "LONG>DOUBLE": `7.0`,
		"LONG_ARRAY>STRING_ARRAY": `["1"]`, "DOUBLE_ARRAY>STRING_ARRAY": `["1.0"]`, "BOOLEAN_ARRAY>STRING_ARRAY": `["true"]`,
	}
	for from, v := range values {
		for to, old := range values {
			want, ok := allowed[string(from)+">"+string(to)]
			if from == to {
				want, ok = v, true
			}
			base := single(readDef(t, `{"type":"`+string(to)+`","value":`+old+`}`))
			got, err := Merge(base, single(readDef(t, `{"type":"`+string(from)+`","value":`+v+`}`)), Layer{Source: SourceLaunch})
			if ok != (err == nil) {
				t.Errorf("%s to %s: %v", from, to, err)
			}
			if err == nil && !strings.HasPrefix(definitionJSON(got), `{"p":{"value":`+want+`,"type":"`+string(to)+`"`) {
				t.Errorf("%s to %s: got %s", from, to, definitionJSON(got))
			}
		}
	}
	for text, to := range map[string]Type{"12": "LONG", "1e2": "DOUBLE", "TRUE": "BOOLEAN"} {
		if _, err := Merge(single(readDef(t, `{"type":"`+string(to)+`","expression":"x"}`)), single(String(text)), Layer{Source: SourceLaunch}); err != nil {
			t.Errorf("%s to %s: %v", text, to, err)
		}
	}
}

// A literal that is cast, and a DOUBLE that changes, is a double on the way.
func TestCastsOfDoubles(t *testing.T) {
	for _, c := range []struct{ base, over, want string }{
		{`"type":"DOUBLE","value":1`, `"type":"DOUBLE","value":2.500`, `2.5`},
		{`"type":"DOUBLE","value":2.500`, `"type":"DOUBLE","value":2.500`, `2.500`},
		{`"type":"DOUBLE","value":1`, `"type":"DOUBLE","value":5`, `5.0`},
		{`"type":"DOUBLE","expression":"1.0"`, `"type":"DOUBLE","value":5`, `5.0`},
		{`"type":"DOUBLE","value":1`, `"type":"STRING","value":"1e10"`, `1.0E+10`},
		{`"type":"DOUBLE","value":1`, `"type":"LONG","value":9007199254740993`, `9007199254740992`},
		{`"type":"STRING","value":"x"`, `"type":"DOUBLE","value":5`, `"5.0"`},
		{`"type":"STRING_ARRAY","value":[]`, `"type":"DOUBLE_ARRAY","value":[1,2.50]`, `["1.0","2.5"]`},
		{`"type":"DOUBLE_ARRAY","value":[]`, `"type":"DOUBLE_ARRAY","value":[1,2.50]`, `[1,2.50]`},
	} {
		got, err := Merge(single(readDef(t, `{`+c.base+`}`)), single(readDef(t, `{`+c.over+`}`)), Layer{Source: SourceLaunch})
		if err != nil || !strings.HasPrefix(definitionJSON(got), `{"p":{"value":`+c.want+`,"type":`) {
			t.Errorf("%s over %s: got %s, %v, want %s", c.over, c.base, definitionJSON(got), err, c.want)
		}
	}
	if _, err := Merge(single(readDef(t, `{"type":"DOUBLE","value":1}`)), single(readDef(t, `{"type":"DOUBLE","value":1e400}`)), Layer{Source: SourceLaunch}); err == nil {
		t.Error("a double beyond the range was taken")
	}
}

// parameters.md 5.6.
func TestCleanup(t *testing.T) {
	d := readDefs(t, `{"a":{"type":"MAP","value":{"o":{"type":"LONG","internal_mode":"OPTIONAL"},"k":{"type":"LONG","value":1,"internal_mode":"PROVIDED"},
		"deep":{"type":"MAP","internal_mode":"OPTIONAL","value":{"x":{"type":"LONG","internal_mode":"OPTIONAL"}}}}},
		"e":{"type":"MAP","value":{},"internal_mode":"OPTIONAL"},"m":{"type":"MAP","value":{},"internal_mode":"REQUIRED"}}`)
	d, err := Merge(nil, d, systemDefault)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Cleanup(); err != nil {
		t.Fatal(err)
	}
	want := `{"a":{"value":{"k":{"value":1,"type":"LONG","tags":[],"mode":"MUTABLE","source":"SYSTEM_DEFAULT"}},"type":"MAP","tags":[],"mode":"MUTABLE","source":"SYSTEM_DEFAULT"},` +
		`"m":{"value":{},"type":"MAP","tags":[],"mode":"MUTABLE","source":"SYSTEM_DEFAULT"}}`
	if got := definitionJSON(d); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, missing := range []string{`{"image":{"type":"STRING","internal_mode":"REQUIRED"}}`, `{"image":{"type":"STRING"}}`} {
		v, _ := wire.ParseText(`{"type":"MAP","value":` + missing + `}`)
		d := single(ReadDefinition(wire.Root(v, ""), "p", true))
		if err := d.Cleanup(); err == nil || !strings.Contains(err.Error(), "[image] is a required parameter (type=[STRING])") {
			t.Errorf("got %v", err)
		}
	}
}

func TestCheckRunParams(t *testing.T) { // parameters.md 17
	many := &Definitions{}
	for i := range 129 {
		many.Set("p"+strings.Repeat("x", i), Long(1))
	}
	for want, d := range map[string]*Definitions{
		"contain the number of params [129] more than param size limit 128": many,
		"cannot use any of reserved param names - rejected value is [util]": define("params", Long(1), "util", Long(1)),
		"users cannot set param source for a param: p":                      single(readDef(t, `{"type":"LONG","value":1,"source":"LAUNCH"}`)),
	} {
		if got := CheckRunParams(d); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := CheckRunParams(define("MaEsTrO", Long(1), "AUTH", Long(1))); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestOrdered(t *testing.T) {
	d := &Definitions{}
	for i := range 40 {
		d.Set(string(rune('A'+i)), Long(int64(i)))
	}
	d.Delete("C")
	d.Set("B", Long(-1))
	if d.Len() != 39 || d.Has("C") || d.Get("Z").Value.V.AsLong() != 25 || d.Names()[1] != "B" || d.Get("B").Value.V.AsLong() != -1 || d.Names()[2] != "D" {
		t.Errorf("got %v", d.Names())
	}
	c := d.Clone()
	c.Delete("A")
	if !d.Has("A") || c.Has("A") || c.Get("B") != d.Get("B") {
		t.Error("a clone must be on its own")
	}
	var none *Definitions
	if none.Len() != 0 || none.Get("x") != nil || none.Has("x") || len(none.Names()) != 0 || definitionJSON(none) != "{}" {
		t.Error("nil must read as empty")
	}
}
