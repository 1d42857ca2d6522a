package jsonl

import (
	"context"
	"strings"
	"testing"
)

var testDefaults = Defaults{Now: func() int64 { return 1785000000000 }}

// TestServe: every line gets its answer, in order, whatever it is.
func TestServe(t *testing.T) {
	lines := []struct{ line, want string }{
		{`{"expr": "1 + 1;"}`, `{"result":{"type":"LONG","value":2}}`},
		{``, `{"error":"request","message":"not JSON: a value expected at byte 1"}`},
		{`   `, `{"error":"request","message":"not JSON: a value expected at byte 4"}`},
		{`[]`, `{"error":"request","message":"a request is an object with expr"}`},
		{`{"expr": 1}`, `{"error":"request","message":"expr is missing or no text"}`},
		{`{"expr": "1;", "entry": "x"}`, `{"error":"request","message":"entry \"x\" is none of program, parameter, validate"}`},
		{`{"expr": "1;"`, `{"error":"request","message":"not JSON: \",\" expected at byte 14"}`},
		{"{\"expr\": \"1;\"}\r", `{"result":{"type":"LONG","value":1}}`},
		{`{"expr": "a;", "params": 1}`, `{"error":"request","message":"params is no object"}`},
		{`{"expr": "a;", "params": {"a": {"type": "LONG", "value": 1.5}}}`, `{"error":"request","message":"param a: value does not fit type LONG"}`},
		{`{"expr": "a;", "params": {"a": {"type": "DATETIME", "value": 1}}}`, `{"error":"request","message":"param a: type \"DATETIME\" is none of a parameter"}`},
		{`{"expr": "1;", "limits": 1}`, `{"error":"request","message":"limits is no object"}`},
		{`{"expr": "1;", "limits": {"visits": 1}}`, `{"error":"request","message":"there is no limit \"visits\""}`},
		{`{"expr": "1;", "limits": {"visit": "1"}}`, `{"error":"request","message":"limit visit is no number"}`},
		{`{"expr": "1;", "limits": {"visit": 5, "memory": null}}`, `{"error":"request","message":"limit memory is no number"}`},
		{`{"expr": "1;", "limits": {"visit": 5}}`, `{"error":"limit-visit","line":1,"column":1,"message":"SEL evaluation aborted as it takes too many operations over the limit 5"}`},
		{`{"expr": "1;", "limits": {"visit": 6, "timeout_millis": 60000}}`, `{"result":{"type":"LONG","value":1}}`},
		{`{"expr": "new DateTime();", "now_millis": 86400000, "timezone": "Asia/Tokyo"}`, `{"result":{"type":"DATETIME","text":"1970-01-02T09:00:00.000+09:00"}}`},
		{`{"expr": "new DateTime();"}`, `{"result":{"type":"DATETIME","text":"2026-07-25T17:20:00.000Z"}}`},
		{`{"expr": "1;", "now_millis": "1"}`, `{"error":"request","message":"now_millis is no integer"}`},
		{`{"expr": "1;", "timezone": 1}`, `{"error":"request","message":"timezone is no text"}`},
		{`{"expr": "1;", "timezone": "Mars"}`, `{"error":"zone-id","message":"The datetime zone id 'Mars' is not recognised"}`},
		{`{"expr": "a + params.get('b') + c", "entry": "validate"}`, `{"error":"syntax","line":1,"column":23,"message":"Encountered \"<EOF>\" at line 1, column 23.\nWas expecting:\n    \";\""}`},
		{`{"expr": "c + params.get('b') + a;", "entry": "validate"}`, `{"names":["a","c","params"]}`},
		{`{"expr": " 1 / 0", "entry": "parameter"}`, `{"error":"division","line":1,"column":4,"message":"BAD_REQUEST - Expression evaluation throws an exception for expr=[ 1 / 0]: line 1, column 4: / by zero"}`},
		{`{"expr": "throw 'x';"}`, `{"error":"user","message":"ERROR: x"}`},
	}
	var in strings.Builder
	for _, l := range lines {
		in.WriteString(l.line + "\n")
	}
	in.WriteString(`{"expr": "'the last one';"}`) // without a line break
	var out strings.Builder
	if err := Serve(context.Background(), strings.NewReader(in.String()), &out, testDefaults); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(out.String(), "\n")
	if n := len(lines); len(got) != n+2 || got[n] != `{"result":{"type":"STRING","value":"the last one"}}` || got[n+1] != "" {
		t.Fatalf("%d lines, the last %q", len(got), got[len(got)-2:])
	}
	for i, l := range lines {
		if got[i] != l.want {
			t.Errorf("%s\n got %s\nwant %s", l.line, got[i], l.want)
		}
	}
}

// TestCancelled: an evaluation ends with the context.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	got := string(Answer(ctx, `{"expr": "while (true) {}"}`, testDefaults))
	if !strings.HasPrefix(got, `{"error":"timeout"`) {
		t.Error(got)
	}
}

// FuzzAnswer: any line gets one answer that is JSON and no failure of our own.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"expr": "m.get('k') + a[0];", "entry": "program", "params": {"m": {"type": "MAP", "value": {"k": {"type": "LONG", "value": 1}}}, "a": {"type": "STRING_ARRAY", "value": ["x", null]}}}`)
	f.Add(`{"expr": "d", "entry": "parameter", "params": {"d": {"type": "DOUBLE_ARRAY", "value": [1, "NaN"]}}, "limits": {"visit": 1e9, "memory": -1}, "timezone": "+01:00"}`)
	f.Add(`{"expr": "'\ud83d' + s", "entry": "validate", "params": {"s": {"type": "STRING_MAP", "value": {"\udc00": "1"}}}}`)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") {
			return
		}
		got := Answer(context.Background(), line, testDefaults)
		n, err := decode(string(got))
		if err != nil || strings.Contains(string(got), "\n") {
			t.Fatalf("answer %q: %v", got, err)
		}
		if e := n.get("error"); e != nil && e.text == "internal" {
			t.Errorf("%s", got)
		}
	})
}
