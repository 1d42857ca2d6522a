package param

import (
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/wire"
)

func readDefs(t testing.TB, text string) *Definitions {
	t.Helper()
	v, err := wire.ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	n := wire.Root(v, "params")
	d := ReadDefinitions(n, true)
	if err := n.Err(); err != nil {
		t.Fatal(err)
	}
	return d
}

// Spellings of literals, parameters.md 2 and 3.1: what was read is written in canonical form.
func TestDefinitionJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"type":"string","value":1.50}`:                     `{"value":"1.50","type":"STRING"}`,
		`{"type":"STRING","value":true}`:                     `{"value":"true","type":"STRING"}`,
		`{"type":"LONG","value":" 12 "}`:                     `{"value":12,"type":"LONG"}`,
		`{"type":"LONG","value":1.9}`:                        `{"value":1,"type":"LONG"}`,
		`{"type":"DOUBLE","value":"12.50"}`:                  `{"value":12.50,"type":"DOUBLE"}`,
		`{"type":"DOUBLE","value":1e10}`:                     `{"value":1E+10,"type":"DOUBLE"}`,
		`{"type":"BOOLEAN","value":"TRUE"}`:                  `{"value":true,"type":"BOOLEAN"}`,
		`{"type":"BOOLEAN","value":0}`:                       `{"value":false,"type":"BOOLEAN"}`,
		`{"type":"STRING_MAP","value":{"b":1,"a":null}}`:     `{"value":{"b":"1","a":null},"type":"STRING_MAP"}`,
		`{"type":"STRING_ARRAY","value":["x",2,null]}`:       `{"value":["x","2",null],"type":"STRING_ARRAY"}`,
		`{"type":"LONG_ARRAY","value":["2",2.7,null]}`:       `{"value":[2,2,0],"type":"LONG_ARRAY"}`,
		`{"type":"DOUBLE_ARRAY","value":["3",2.50]}`:         `{"value":[3,2.50],"type":"DOUBLE_ARRAY"}`,
		`{"type":"DOUBLE_ARRAY","value":[1,null]}`:           `{"value":[1,null],"type":"DOUBLE_ARRAY"}`,
		`{"type":"BOOLEAN_ARRAY","value":["false",1]}`:       `{"value":[false,true],"type":"BOOLEAN_ARRAY"}`,
		`{"type":"MAP","value":{"a":{"type":"LONG"}}}`:       `{"value":{"a":{"type":"LONG"}},"type":"MAP"}`,
		`{"mode":"constant","type":"LONG","expression":"1"}`: `{"expression":"1","type":"LONG","mode":"CONSTANT"}`,
		`{"type":"LONG","value":1,"tags":["a",{"name":"b","namespace":"system","w":2}],"validator":"@Min(1)"}`: `{"value":1,"type":"LONG","validator":"@Min(1)","tags":[{"name":"a"},{"name":"b","namespace":"SYSTEM","w":2}]}`,
		`{"type":"LONG","value":1,"z":1,"meta":{"k":{"x":[]}},"y":2}`:                                          `{"value":1,"type":"LONG","k":{"x":[]},"y":2}`,
		`{"type":"LONG","value":1,"source":"launch","internal_mode":"optional","name":"n"}`:                    `{"value":1,"type":"LONG","source":"LAUNCH","internal_mode":"OPTIONAL","name":"n"}`,
		`{"type":"STRING","value":"","evaluated_result":"q"}`:                                                  `{"value":"","type":"STRING","evaluated_result":"q"}`,
		`{"type":"STRING","expression":"","mode":null,"tags":null}`:                                            `{"expression":"","type":"STRING"}`,
	} {
		got := string(readDefs(t, `{"p":`+in+`}`).AppendJSON(nil))
		if got != `{"p":`+want+`}` {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestDefinitionRefused(t *testing.T) {
	for in, want := range map[string]string{
		`{"value":1}`:                               "missing type id property 'type'",
		`{"type":"DATE","value":1}`:                 "Could not resolve type id 'DATE'",
		`{"type":"LONG"}`:                           "Param [p] must be defined with either a literal value or an expression",
		`{"type":"LONG","value":1,"expression":""}`: "Param [p] must be defined",
		`{"type":"LONG","value":""}`:                "Param [p] must be defined",
		`{"type":"LONG","value":"1.5"}`:             "params.p.value",
		`{"type":"LONG","value":true}`:              "a long",
		`{"type":"DOUBLE","value":"NaN"}`:           "decimal",
		`{"type":"DOUBLE","value":true}`:            "number",
		`{"type":"BOOLEAN","value":"tRue"}`:         "boolean",
		`{"type":"STRING","value":{}}`:              "string",
		`{"type":"STRING_ARRAY","value":"x"}`:       "array",
		`{"type":"LONG_ARRAY","value":1}`:           "array",
		`{"type":"STRING_MAP","value":{"a":{}}}`:    "string",
		`{"type":"MAP","value":{"a":1}}`:            "params.p.value.a: expected an object",
		`{"type":"LONG","value":1,"mode":"x"}`:      "mode",
		`{"type":"LONG","value":1,"tags":"x"}`:      "tags",
		`null`:                                      "param [p]",
	} {
		v, err := wire.ParseText(`{"p":` + in + `}`)
		if err != nil {
			t.Fatal(err)
		}
		n := wire.Root(v, "params")
		ReadDefinitions(n, true)
		if err := n.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", in, err, want)
		}
	}
}

// Evaluated parameters are written and read back without loss (parameters.md 3.2).
func TestParamJSON(t *testing.T) {
	for _, text := range []string{
		`{"region":{"value":"us","type":"STRING","tags":[{"name":"routing"}],"mode":"MUTABLE","evaluated_result":"us","evaluated_time":17,"source":"LAUNCH"}}`,
		`{"n":{"expression":"1 + 2","type":"STRING","tags":[],"mode":"MUTABLE","evaluated_result":"3","evaluated_time":18,"source":"DEFINITION","info":"Implicitly"}}`,
		`{"d":{"value":100,"type":"DOUBLE","evaluated_result":100.0,"evaluated_time":1}}`,
		`{"d":{"expression":"x","type":"DOUBLE_ARRAY","evaluated_result":["Infinity","NaN",-0.0,1.0E-7],"evaluated_time":1}}`,
		`{"m":{"expression":"x","type":"MAP","evaluated_result":{"rows":20,"r":3.0,"s":"x","l":[1,2],"d":[1.5],"t":["a",null],"b":[true],"deep":{"on":false},"e":[],"n":[null,"x"]},"evaluated_time":1}}`,
		`{"m":{"value":{"e":{"value":[],"type":"LONG_ARRAY"}},"type":"MAP","evaluated_result":{"e":[]},"evaluated_time":1}}`,
		`{"a":{"expression":"new String[2]","type":"STRING_ARRAY","evaluated_result":[null,null],"evaluated_time":1}}`,
		`{"a":{"value":{"x":"1"},"type":"STRING_MAP","evaluated_result":{"x":"1"},"evaluated_time":1}}`,
		`{"a":{"expression":"b","type":"BOOLEAN"}}`,
	} {
		v, err := wire.ParseText(text)
		if err != nil {
			t.Fatal(err)
		}
		n := wire.Root(v, "")
		p := ReadParams(n, false)
		if n.Err() != nil {
			t.Errorf("%s: %v", text, n.Err())
			continue
		}
		if got := string(p.AppendJSON(nil)); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
	t.Run("typed by the first element", func(t *testing.T) {
		v, _ := wire.ParseText(`{"type":"MAP","expression":"x","evaluated_time":1,"evaluated_result":{"a":[1.0,2]}}`)
		p := ReadParam(wire.Root(v, ""), "m", true)
		if a, _ := p.Result.Get("a"); a.Type() != sel.TypeDoubleArray || a.AsDoubles()[1] != 2 {
			t.Errorf("got %s", a.Type())
		}
	})
	t.Run("refused", func(t *testing.T) {
		for in, want := range map[string]string{
			`{"type":"LONG","value":1}`:                                                            "evaluated result and evaluated time should be set",
			`{"type":"LONG","value":1,"evaluated_result":1}`:                                       "evaluated result and evaluated time should be set",
			`{"type":"MAP","expression":"x","evaluated_time":1,"evaluated_result":{"a":[[1]]}}`:    "first element is an array",
			`{"type":"LONG_ARRAY","expression":"x","evaluated_time":1,"evaluated_result":["a",1]}`: "a long",
		} {
			v, _ := wire.ParseText(in)
			n := wire.Root(v, "")
			ReadParam(n, "p", true)
			if n.Err() == nil || !strings.Contains(n.Err().Error(), want) {
				t.Errorf("%s: got %v", in, n.Err())
			}
		}
	})
}
