package yamltree

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestScalars(t *testing.T) { // workflow-definition.md 8.1
	for _, c := range []struct{ yaml, want string }{
		{"true", "true"}, {"False", "false"}, {"YES", "true"}, {"off", "false"}, {"y", `"y"`}, {"n", `"n"`}, {"tRue", `"tRue"`},
		{"12", "12"}, {"-7", "-7"}, {"+5", "5"}, {"0", "0"}, {"0x1F", "31"}, {"0b11", "3"}, {"0777", "511"}, {"1_000", "1000"},
		{"9223372036854775807", "9223372036854775807"}, {"-9223372036854775808", "-9223372036854775808"},
		{"0o17", `"0o17"`}, {"08", `"08"`}, {"12a", `"12a"`}, {"- 5", "[5]"}, {"1:30", `"1:30"`}, {"2020-01-01", `"2020-01-01"`},
		{"2020-01-01T10:00:00Z", `"2020-01-01T10:00:00Z"`}, {"NaN", `"NaN"`}, {"v1.2.3", `"v1.2.3"`}, {"= x", `"= x"`},
		{"1.5", "1.5"}, {"1.50", "1.50"}, {"1e3", "1e3"}, {".5", "0.5"}, {"1.", "1.0"}, {"1_0.5", "10.5"}, {"-0.25", "-0.25"}, {"1.0e-2", "1.0e-2"},
		{"~", "null"}, {"null", "null"}, {"Null", "null"}, {"'null'", `"null"`}, {`"true"`, `"true"`}, {"'12'", `"12"`}, {"''", `""`},
		{"!!str 12", `"12"`}, {"!!int '12'", "12"}, {"!!str true", `"true"`},
		{"a: &b hello\nc: *b", `{"a":"hello","c":"b"}`},
		{"a: 1\na: 2", `{"a":2}`},
		{"a: 1\nb: 0\na: 2", `{"a":2,"b":0}`},
		{"{a: 1, b: [x, 2], c: {}}", `{"a":1,"b":["x",2],"c":{}}`},
		{"a: |\n  two\n  lines\n", `{"a":"two\u000alines\u000a"}`},
		{"a: >-\n  folded\n  text\n", `{"a":"folded text"}`},
		{`"tab\there \u00e9"`, `"tab\u0009here é"`},
		{"a:\nb: ", `{"a":null,"b":null}`},
		{"---\na: 1\n---\n: [", `{"a":1}`},
		{"# comment\na: 1 # another", `{"a":1}`},
		{"a: 1\n...\n: [", `{"a":1}`},
		{`{"a": {"b": [true, null, "x"]}}`, `{"a":{"b":[true,null,"x"]}}`},
		{"1: a\nyes: b", `{"1":"a","yes":"b"}`},
		{"a: x\r\nb:\r\n  - 1\r\n  - y z\r\n", `{"a":"x","b":[1,"y z"]}`},
		{"a: some words\n  that go on\nb: 'quoted\n  too'", `{"a":"some words that go on","b":"quoted too"}`},
		{"a: 'some\r\n  words\r\n\r\n  that go on'\r\nb: \"so\r\n  too\"\r\nc: |\r\n  x\r\n  y\r\n", `{"a":"some words\u000athat go on","b":"so too","c":"x\u000ay\u000a"}`},
		{"a: x\rb: y\r", `{"a":"x","b":"y"}`},
		{"a: x # not y\nb: x#y", `{"a":"x","b":"x#y"}`},
		{"[a: 1, {b: 2}]", `[{"a":1},{"b":2}]`},
	} {
		n, err := Parse([]byte(c.yaml))
		if err != nil {
			t.Errorf("%q: %v", c.yaml, err)
			continue
		}
		if got := string(n.AppendJSON(nil)); got != c.want {
			t.Errorf("%q: got %s, want %s", c.yaml, got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, text := range []string{
		"", "  ", "# only a comment", "9223372036854775808", ".inf", "-.inf", ".nan", "1e400", "@x", "'a", "{x: - a}", "a: b: c",
		"workflow:\n\tid: x", "workflow: {id: x", "workflow:\n  id: x\n jobs: [", "{a: 'b}", "\xff", strings.Repeat("[", 5000), strings.Repeat("- ", 50000), strings.Repeat("a: b\n", 50000), strings.Repeat("? ", 50000),
	} {
		if n, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q is accepted as %s", text, n.AppendJSON(nil))
		}
	}
}

func TestJavaText(t *testing.T) {
	n, err := Parse([]byte("{a: [1, 2.5, yes], b: {c: ~, d: 1e10}}"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.Java(), "{a=[1, 2.5, true], b={c=null, d=1.0E10}}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("workflow:\n  id: x\n  jobs: [{job: {id: load, type: NoOp}}]\n"))
	f.Add([]byte("a: &b !!str 12\nc: *b\n<<: {d: |\n  text\n}"))
	f.Add([]byte("? a\n: - 1\n  - 0x1F\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := Parse(text)
		if err != nil {
			return
		}
		if out := n.AppendJSON(nil); !json.Valid(out) {
			t.Errorf("%q becomes %s", text, out)
		}
	})
}
