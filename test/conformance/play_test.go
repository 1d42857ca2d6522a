package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func parse(t *testing.T, text string) any {
	t.Helper()
	v, err := decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestPointers(t *testing.T) {
	doc := parse(t, `{"a": [{"b/c": 1}, 2], "d~e": null}`)
	for pointer, want := range map[string]any{
		"/a/0/b~1c": json.Number("1"), "/a/-1": json.Number("2"), "/d~0e": nil, "/a/2": missing, "/a/x": missing, "/a/1/y": missing, "/z": missing,
	} {
		if got := at(doc, pointer); got != want {
			t.Errorf("%s: %v, want %v", pointer, got, want)
		}
	}
	for _, tt := range []struct {
		pattern, pointer string
		below, want      bool
	}{
		{"/a/b", "/a/b", false, true},
		{"/a/b", "/a/b/c", true, true},
		{"/a/b", "/a/b/c", false, false},
		{"/a/*/c", "/a/b/c", false, true},
		{"/a/*/c", "/a/c", true, false},
		{"/**/c", "/c", false, true},
		{"/**/c", "/a/b/c/d", true, true},
		{"/**/c", "/a/b/c/d", false, false},
		{"/**/x/*/y", "/a/x/0/y", false, true},
	} {
		got := pattern(strings.Split(tt.pattern, "/")[1:]).matches(strings.Split(tt.pointer, "/")[1:], tt.below)
		if got != tt.want {
			t.Errorf("%s at %s (below %v): %v", tt.pattern, tt.pointer, tt.below, got)
		}
	}
}

func TestNormalise(t *testing.T) {
	n := newNormaliser("abcd1234", "http://127.0.0.1:9")
	got := n.value(parse(t, `{"id": "wf-abcd1234", "url": "http://127.0.0.1:9/echo",
		"u": ["6F1C1B0E-9a55-4d8b-8f14-3d2f6f0b9b01", "0d9a7c52-3f1e-4f3a-a2b8-5b1f0f6f7a10", "at 6f1c1b0e-9a55-4d8b-8f14-3d2f6f0b9b01"],
		"t": 1735689600000, "n": 5, "s": "since 1735689600000, 2025-01-01T00:00:00.123Z", "k-abcd1234": true}`))
	want := parse(t, `{"id": "wf-${run}", "url": "${stub}/echo", "u": ["<uuid-1>", "<uuid-2>", "at <uuid-1>"],
		"t": "<time>", "n": 5, "s": "since <time>, <iso-time>", "k-${run}": true}`)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %s", compact(got))
	}
}

func TestDifferences(t *testing.T) {
	for _, tt := range []struct {
		name, want, got   string
		ignore, unordered []string
		lines             []string
	}{
		{"equal numbers of other spelling", `[1, 1e10, 0.5]`, `[1.0, 10000000000, 5e-1]`, nil, nil, nil},
		{"large integers are exact", `9007199254740993`, `9007199254740992`, nil, nil, []string{"/: expected 9007199254740993, got 9007199254740992"}},
		{"a key too many", `{"a": 1}`, `{"a": 1, "b": null}`, nil, nil, []string{"/b: expected <missing>, got null"}},
		{"a key too few", `{"a": {"x/y": 1}}`, `{"a": {}}`, nil, nil, []string{"/a/x~1y: expected 1, got <missing>"}},
		{"no number is a text or boolean", `[1, 1, true]`, `["1", true, 1]`, nil, nil,
			[]string{`/0: expected 1, got "1"`, "/1: expected 1, got true", "/2: expected true, got 1"}},
		{"lists of other length", `[1, 2]`, `[1]`, nil, nil, []string{"/: expected 2 entries, got 1: [1]"}},
		{"ignored", `{"a": [{"t": 1, "k": 2}]}`, `{"a": [{"t": 9, "k": 2, "z": 1}]}`, []string{"/**/t", "/a/*/z"}, nil, nil},
		{"ignored entries keep the places of others", `[1, 2, 3]`, `[1, 9, 3]`, []string{"/1"}, nil, nil},
		{"unordered", `{"l": [{"u": "<uuid-1>", "n": 1}, {"u": "<uuid-2>", "n": 2.0}]}`, `{"l": [{"u": "<uuid-7>", "n": 2}, {"u": "<uuid-9>", "n": 1}]}`, nil, []string{"/l"}, nil},
		{"unordered at the top", `[1, 2]`, `[2, 1]`, nil, []string{"/"}, nil},
		{"ordered otherwise", `[1, 2]`, `[2, 1]`, nil, []string{"/l"}, []string{"/0: expected 1, got 2", "/1: expected 2, got 1"}},
		{"UUIDs by identity", `["<uuid-1>", "<uuid-2>", "x <uuid-1>"]`, `["<uuid-5>", "<uuid-3>", "x <uuid-5>"]`, nil, nil, nil},
		{"one UUID for two", `["<uuid-1>", "<uuid-2>"]`, `["<uuid-5>", "<uuid-5>"]`, nil, nil, []string{`/1: expected "<uuid-2>", got "<uuid-5>"`}},
		{"two UUIDs for one", `["<uuid-1>", "<uuid-1>"]`, `["<uuid-5>", "<uuid-6>"]`, nil, nil, []string{`/1: expected "<uuid-1>", got "<uuid-6>"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rules{ignore: patterns(tt.ignore), unordered: patterns(tt.unordered), uuids: newSameUUIDs()}
			if got := r.differences(parse(t, tt.want), parse(t, tt.got)); !reflect.DeepEqual(got, tt.lines) {
				t.Errorf("got %q\nwant %q", got, tt.lines)
			}
		})
	}
}

// A server that keeps what is put to it and answers in the ways that scenarios know.
func fakeServer(t *testing.T) *httptest.Server {
	looks := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		switch {
		case strings.HasPrefix(r.URL.Path, "/thing"):
			fmt.Fprintf(w, `{"target": %q, "body": %s, "user": %q, "type": %q, "uuid": "6f1c1b0e-9a55-4d8b-8f14-3d2f6f0b9b01", "n": 7}`,
				r.RequestURI, strings.TrimSpace("0" + string(body))[min(len(body), 1):], r.Header.Get("user"), r.Header.Get("Content-Type"))
		case r.URL.Path == "/look":
			looks++
			fmt.Fprintf(w, `{"status": "%d"}`, looks)
		case r.URL.Path == "/gone":
			w.WriteHeader(404)
			io.WriteString(w, `{"status": "NOT_FOUND", "message": "no"}`)
		case r.URL.Path == "/bad":
			w.WriteHeader(400)
			io.WriteString(w, `{"status": "BAD_REQUEST"}`)
		case r.URL.Path == "/raw":
			io.WriteString(w, "not json")
		case r.URL.Path == "/empty":
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestPlay(t *testing.T) {
	for _, tt := range []struct {
		name, steps string
		want        []string
	}{
		{"filled body in its own order, path as spelled", `[{"call": "POST /thing%2f/${run}?a=1&b=%20", "body": {"z-${run}": "x ${run} ${gone}", "a": [1.50, null]},
			"expect": {"status": 200, "body": {"target": "/thing%2f/${run}?a=1&b=%20", "body": {"z-${run}": "x ${run} ${gone}", "a": [1.5, null]}, "user": "tester",
			"type": "application/json", "uuid": "<uuid-1>", "n": 7}}}]`, nil},
		{"a call without a body", `[{"call": "PUT /thing", "headers": {"user": null}, "expect": {"status": 200, "body":
			{"target": "/thing", "body": 0, "user": "", "type": "", "uuid": "<uuid-1>", "n": 7}}}]`, nil},
		{"saved values keep their type", `[{"call": "GET /thing", "save": {"n": "/n", "u": "/uuid"}},
			{"call": "POST /thing", "body": {"n": "${n}", "t": "n${n}", "u": "${u}"}, "ignore": ["/target", "/type", "/user"],
			 "expect": {"status": 200, "body": {"body": {"n": 7, "t": "n7", "u": "<uuid-4>"}, "uuid": "<uuid-4>", "n": 7}}}]`, nil},
		{"nothing to save ends it", `[{"call": "GET /thing", "save": {"n": "/m"}}, {"call": "GET /gone", "expect": {"status": 200}}]`,
			[]string{"step 1: GET /thing: nothing at /m in 200 "}},
		{"a wait", `[{"call": "GET /look", "until": {"/status": ["2", "3"]}}, {"call": "GET /look", "until": {"/nothing": "<missing>"}}]`, nil},
		{"a wait that runs out", `[{"call": "GET /look", "until": {"/status": "none"}, "seconds": 0.01}, {"call": "GET /gone", "expect": {"status": 200}}]`,
			[]string{"step 1: GET /look: not {\"/status\":\"none\"} within "}},
		{"family of an error", `[{"call": "GET /gone", "expect": {"status": 404, "error": {"type": "application/json", "status": "NOT_FOUND"}}}]`, nil},
		{"another family", `[{"call": "GET /gone", "expect": {"status": 404, "error": {"type": "application/problem+json", "status": 404}}}]`,
			[]string{`step 1: GET /gone: error: expected {"type":"application/problem+json","status":404}, got {"type":"application/json","status":"NOT_FOUND"}`}},
		{"another status", `[{"call": "GET /gone", "expect": {"status": 200, "body": {}}}]`, []string{"step 1: GET /gone: status: expected 200, got 404 "}},
		{"a refusal where the recorded server crashed", `[{"call": "GET /bad", "expect": {"status": 500, "error": {"type": "application/json", "status": 500}}}]`, nil},
		{"a missing thing where it crashed", `[{"call": "GET /gone", "expect": {"status": 500, "error": {"type": "application/json", "status": 500}}}]`,
			[]string{"step 1: GET /gone: status: expected 500, got 404 "}},
		{"status alone", `[{"call": "GET /thing", "check": "status", "expect": {"status": 200, "body": {"other": 1}}}]`, nil},
		{"nothing at all", `[{"call": "GET /gone", "check": "none", "expect": {"status": 200}}]`, nil},
		{"raw text", `[{"call": "GET /raw", "expect": {"status": 200, "body": {"<not-json>": "not json"}}}]`, nil},
		{"no text", `[{"call": "GET /empty", "expect": {"status": 200, "body": null}}]`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := fakeServer(t)
			fsys := fstest.MapFS{"scenarios/a/b.json": {Data: []byte(`{"about": "x", "spec": "y", "steps": ` + tt.steps + `}`)}}
			s, err := Load(fsys, "scenarios/a/b.json")
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != "a/b" || s.Area() != "a" {
				t.Errorf("name %q, area %q", s.Name, s.Area())
			}
			r := s.Play(t.Context(), Options{Base: server.URL, Poll: time.Millisecond})
			if len(r.Differences) != len(tt.want) {
				t.Fatalf("differences: %q, want %q", r.Differences, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(r.Differences[i], want) {
					t.Errorf("got  %s\nwant %s", r.Differences[i], want)
				}
			}
		})
	}
}

func TestLoadRefusesWhatTheFormatDoesNotHave(t *testing.T) {
	for _, text := range []string{
		`{"about": "x", "steps": [{"call": "GET /", "untill": {}}]}`,
		`{"about": "x", "steps": [{"check": "none"}]}`,
		`{"about": "x", "steps": [{"call": "GET /", "check": "some"}]}`,
	} {
		if _, err := Load(fstest.MapFS{"s.json": {Data: []byte(text)}}, "s.json"); err == nil {
			t.Errorf("%s: was read", text)
		}
	}
}

func TestPending(t *testing.T) {
	known := []string{"a/b", "a/c"}
	got, err := Pending(fstest.MapFS{"pending.txt": {Data: []byte("# why\n\na/b   loops are missing\n")}}, known)
	if err != nil || !reflect.DeepEqual(got, map[string]string{"a/b": "loops are missing"}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"a/d gone", "a/b", "a/b x\na/b y"} {
		if _, err := Pending(fstest.MapFS{"pending.txt": {Data: []byte(text)}}, known); err == nil {
			t.Errorf("%q: was read", text)
		}
	}
}

func TestStub(t *testing.T) {
	stub, err := StartStub("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stub.Close()
	client := NewClient(10*time.Second, 1)
	for _, tt := range []struct {
		call, body string
		status     int
		want       string
	}{
		{"GET /status/404", "", 404, "status 404"},
		{"GET /json/%7B%22a%22:1%7D", "", 200, `{"a":1}`},
		{"POST /echo?q=1", "é\n\"", 200, `{"body": "\u00e9\n\"", "headers": {"content-type": "text/x", "x-a": "1"}, "method": "POST", "path": "/echo?q=1"}`},
		{"GET /flaky/k/2", "", 500, "failure 1"},
		{"GET /flaky/k/2", "", 500, "failure 2"},
		{"GET /flaky/k/2", "", 200, "ok"},
		{"GET /flaky/other/1", "", 500, "failure 1"},
		{"GET /slow/1", "", 200, "ok"},
		{"GET /size/3", "", 200, "xxx"},
		{"GET /redirect/204", "", 302, "ok"},
		{"GET /status/9", "", 400, "no such status"},
		{"GET /flaky", "", 200, "ok"},
		{"DELETE /", "", 200, "ok"},
	} {
		method, path, _ := strings.Cut(tt.call, " ")
		req, err := http.NewRequest(method, stub.URL()+path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-A", "1")
		req.Header.Set("Content-Type", "text/x")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || string(body) != tt.want {
			t.Errorf("%s: %d %s (%v), want %d %s", tt.call, resp.StatusCode, body, err, tt.status, tt.want)
		}
		if tt.status == 302 && resp.Header.Get("Location") != "/status/204" {
			t.Errorf("%s: to %s", tt.call, resp.Header.Get("Location"))
		}
	}
}

const uuidA, uuidB = "6f1c1b0e-9a55-4d8b-8f14-3d2f6f0b9b01", "0d9a7c52-3f1e-4f3a-a2b8-5b1f0f6f7a10"

// message is a step event with records given as "OLD>NEW@time".
func message(workflow, uuid string, sync, send int64, records ...string) string {
	var list []string
	for _, r := range records {
		change, at, _ := strings.Cut(r, "@")
		from, to, _ := strings.Cut(change, ">")
		list = append(list, fmt.Sprintf(`{"old_status": %q, "new_status": %q, "event_time": %s}`, from, to, at))
	}
	return fmt.Sprintf(`{"type": "STEP_INSTANCE_STATUS_CHANGE_EVENT", "workflow_id": %q, "workflow_instance_id": 1, "workflow_run_id": 1, "step_id": "a",
		"step_attempt_id": 1, "step_uuid": %q, "cluster_name": "x", "sync_time": %d, "send_time": %d, "status_change_records": [%s]}`,
		workflow, uuid, sync, send, strings.Join(list, ", "))
}

func TestEvents(t *testing.T) {
	const t0 = 1735689600000
	first := "NOT_CREATED>CREATED@1735689600000"
	second := "CREATED>SKIPPED@1735689600001"
	want := `[{"type": "STEP_INSTANCE_STATUS_CHANGE_EVENT", "workflow_id": "w-${run}", "workflow_instance_id": 1, "workflow_run_id": 1, "step_id": "a",
		"step_attempt_id": 1, "step_uuid": "<uuid-1>", "status_change_records": [{"old_status": "NOT_CREATED", "new_status": "CREATED", "event_time": "<time>"},
		{"old_status": "CREATED", "new_status": "SKIPPED", "event_time": "<time>"}]}]`
	for _, tt := range []struct {
		name     string
		messages []string
		want     string // what the first difference contains; "" for none
	}{
		{"one message", []string{message("w-RUN", uuidA, t0+1, t0+2, first, second)}, ""},
		{"two messages in disorder, one repeated", []string{message("w-RUN", uuidA, t0+2, t0+3, second), message("w-RUN", uuidA, t0, t0+3, first), message("w-RUN", uuidA, t0, t0+9, first)}, ""},
		{"others' messages", []string{message("w-RUN", uuidA, t0+1, t0+2, first, second), message("w-other", uuidB, t0, t0, first)}, ""},
		{"a gap", []string{message("w-RUN", uuidA, t0+1, t0+2, second)}, "broken chain"},
		{"a repeated record", []string{message("w-RUN", uuidA, t0, t0, first), message("w-RUN", uuidA, t0+1, t0+2, first, second)}, "broken chain"},
		{"no records", []string{message("w-RUN", uuidA, t0, t0), message("w-RUN", uuidA, t0+1, t0+2, first, second)}, "no records"},
		{"stored before it happened", []string{message("w-RUN", uuidA, t0, t0+2, first, second)}, "times out of order"},
		{"sent before it was stored", []string{message("w-RUN", uuidA, t0+2, t0+1, first, second)}, "times out of order"},
		{"none", nil, "expected 1 entries, got 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &Scenario{Events: json.RawMessage(want)}
			p := &player{scenario: s, names: map[string]any{"run": "RUN"}, options: Options{Poll: time.Millisecond, Patience: 1, MaxEventWait: 1,
				Published: func(context.Context) ([][]byte, error) {
					var out [][]byte
					for _, m := range tt.messages {
						out = append(out, []byte(m))
					}
					return out, nil
				}}}
			_, diff := p.events(t.Context())
			switch {
			case tt.want == "" && len(diff) > 0:
				t.Errorf("differences: %q", diff)
			case tt.want != "" && (len(diff) == 0 || !strings.Contains(diff[0], tt.want)):
				t.Errorf("differences: %q, want %q", diff, tt.want)
			}
		})
	}
}
