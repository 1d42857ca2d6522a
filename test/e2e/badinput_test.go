package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// family is the kind of an error's body (api.md 3 of Maestro's contract).
type family int

const (
	details family = iota // status is the name of a code
	problem               // status is a number, application/problem+json
)

// bad is a request that must be refused.
type bad struct {
	name         string
	method, path string
	body         string
	header       map[string]string // besides user and Content-Type, which "" takes away
	family       family
	status       int
	code         string   // of family details
	says         []string // each must stand in the message, the detail or one of the errors
	errors       int      // how many entries `errors` has; -1: not judged
	answerHeader map[string]string
}

// nested is JSON of so many arrays inside one another.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func workflow(id, steps string) string {
	return fmt.Sprintf(`{"properties": {"owner": "ann"}, "workflow": {"id": %q, "steps": [%s]}}`, id, steps)
}

func noop(id string, successors ...string) string {
	var list []string
	for _, s := range successors {
		list = append(list, fmt.Sprintf(`%q: "true"`, s))
	}
	return fmt.Sprintf(`{"step": {"id": %q, "type": "NoOp", "transition": {"successors": {%s}}}}`, id, strings.Join(list, ", "))
}

const (
	startPath   = "/workflows/known/versions/latest/actions/start"
	restartPath = "/workflows/known/instances/1/actions/restart"
)

func badRequests() []bad {
	large := strings.Repeat("x", 300<<10)
	post := func(name, path, body string, says ...string) bad {
		return bad{name: name, method: "POST", path: path, body: body, status: 400, code: "BAD_REQUEST", says: says}
	}
	gone := func(name, method, path, body string) bad {
		return bad{name: name, method: method, path: path, body: body, status: 404, code: "NOT_FOUND"}
	}
	// Cycles are found by the dry run, which comes after the rules of the fields.
	cyclic := func(name, body string, says ...string) bad {
		b := post(name, "/workflows", body, append(says, "dry run")...)
		b.errors = -1
		return b
	}
	rejected := func(name, body string, says ...string) bad {
		b := post(name, "/workflows", body, append(says, "Validation failure")...)
		b.errors = -1
		return b
	}
	list := []bad{
		// What cannot be read.
		post("push: cut short", "/workflows", `{"workflow": {"id"`, "JSON parse error"),
		post("push: not JSON", "/workflows", `workflow: {id: w}`, "JSON parse error"),
		post("push: an array", "/workflows", `[]`, "JSON parse error"),
		post("push: invalid UTF-8", "/workflows", "{\"workflow\": {\"id\": \"\xff\xfe\"}}", "JSON parse error"),
		post("push: nested too deep", "/workflows", `{"workflow": `+nested(100_000)+`}`),
		post("push: empty", "/workflows", ``, "body is missing"),
		post("push: null", "/workflows", `null`, "body is missing"),
		post("start: cut short", startPath, `{"initiator": {"type": "manual"`, "JSON parse error"),
		post("start: a number", startPath, `7`, "JSON parse error"),
		post("start: empty", startPath, ``, "body is missing"),
		post("restart: cut short", restartPath, `{`, "JSON parse error"),
		post("properties: cut short", "/workflows/known/properties", `{`, "JSON parse error"),
		post("breakpoint: cut short", "/workflows/steps/breakpoints", `{`, "JSON parse error"),
		post("tag permit: cut short", "/tag-permits", `{`, "JSON parse error"),
		post("job template: cut short", "/job-templates", `{`, "JSON parse error"),

		// What is not a member, or not of its type.
		post("push: unknown field of the workflow", "/workflows", `{"workflow": {"id": "w", "stepz": []}}`, `Unrecognized field "stepz"`),
		post("push: unknown field of a step", "/workflows", workflow("w", `{"step": {"id": "a", "type": "NoOp", "retries": 3}}`), `Unrecognized field "retries"`),
		post("push: unknown field of the properties", "/workflows", `{"properties": {"owner": "ann", "colour": 1}, "workflow": {"id": "w", "steps": []}}`, `Unrecognized field "colour"`),
		post("push: is_active null", "/workflows", strings.Replace(workflow("w", noop("a")), "{", `{"is_active": null, `, 1)),
		post("push: reserved metadata", "/workflows", strings.Replace(workflow("w", noop("a")), "{", `{"version_author": "bob", `, 1), "version_author"),
		post("push: unknown param type", "/workflows", `{"properties": {"owner": "ann"}, "workflow": {"id": "w", "params": {"p": {"type": "DECIMAL", "value": 1}}, "steps": [`+noop("a")+`]}}`, "DECIMAL"),
		post("push: no owner", "/workflows", `{"workflow": {"id": "ownerless", "steps": [`+noop("a")+`]}}`, "owner"),
		post("start: unknown field", startPath, `{"initiator": {"type": "manual"}, "when": "now"}`, `Unrecognized field "when"`),
		post("start: unknown initiator", startPath, `{"initiator": {"type": "wish"}}`, "Could not resolve type id 'wish'"),
		post("start: initiator without type", startPath, `{"initiator": {}}`, "missing type id property 'type'"),
		post("start: request id", startPath, `{"initiator": {"type": "manual"}, "request_id": "7"}`, "JSON parse error"),
		post("start: param without type", startPath, `{"initiator": {"type": "manual"}, "run_params": {"p": {"value": 1}}}`),
		{name: "start: reserved param", method: "POST", path: startPath, status: 400, code: "BAD_REQUEST", says: []string{"Validation failure", "params"}, errors: 1,
			body: `{"initiator": {"type": "manual"}, "run_params": {"params": {"type": "LONG", "value": 1}}}`},
		post("restart: unknown policy", restartPath, `{"restart_policy": "RESTART_FROM_MONDAY"}`, "JSON parse error"),
		post("restart: unknown field", restartPath, `{"restart_policy": "RESTART_FROM_BEGINNING", "artifacts": {}}`, `Unrecognized field "artifacts"`),
		post("properties: unknown workflow", "/workflows/nobody/properties", `{"owner": "ann"}`),
		post("properties: tags at the top", "/workflows/known/properties", `{"tags": []}`, `Unrecognized field "tags"`),
		post("breakpoint: step that is not there", "/workflows/steps/breakpoints", `{"workflow_id": "known", "step_id": "nobody"}`, "nobody"),

		// What is no workflow.
		rejected("push: no steps", workflow("w", ""), "workflow.steps"),
		rejected("push: bad id", workflow("a b", noop("a")), "workflow.id"),
		rejected("push: reserved id", workflow("maestro_w", noop("a")), "workflow.id"),
		rejected("push: same step twice", workflow("w", noop("a")+","+noop("a")), "workflow.steps", "duplicate"),
		cyclic("push: cycle of two", workflow("w", noop("a", "b")+","+noop("b", "a")), "DAG contains cycle"),
		cyclic("push: step before itself", workflow("w", noop("a", "a")), "DAG contains cycle"),
		cyclic("push: cycle behind a root", workflow("w", noop("root", "a")+","+noop("a", "b")+","+noop("b", "c")+","+noop("c", "a")), "DAG contains cycle"),
		rejected("push: unknown successor", workflow("w", noop("a", "nobody")), "workflow.steps", "nobody"),
		rejected("push: several at once", `{"properties": {"owner": "ann", "step_concurrency": 0}, "workflow": {"id": "a b", "instance_step_concurrency": 0, "steps": [`+noop("a")+`]}}`,
			"workflow.id", "workflow.instanceStepConcurrency", "properties.stepConcurrency"),
		post("push: 300 KB", "/workflows", `{"properties": {"owner": "ann"}, "workflow": {"id": "w", "params": {"p": {"type": "STRING", "value": "`+large+`"}}, "steps": [`+noop("a")+`]}}`,
			"Validation failure", "262144"),
		{name: "validate: 300 KB", method: "PUT", path: "/workflows/actions/validate", status: 400, code: "BAD_REQUEST", says: []string{"Validation failure", "262144"},
			body: `{"workflow": {"id": "w", "params": {"p": {"type": "STRING", "value": "` + large + `"}}, "steps": [` + noop("a") + `]}}`},
		{name: "validate: cycle", method: "PUT", path: "/workflows/actions/validate", status: 400, code: "BAD_REQUEST", errors: 1, says: []string{"DAG contains cycle"},
			body: workflow("w", noop("a", "b")+","+noop("b", "a"))},
		post("push: 9 MB", "/workflows", `{"workflow": {"id": "`+strings.Repeat("x", 9<<20)+`"}}`, "bytes"),
		post("start: 9 MB", startPath, `{"initiator": {"type": "`+strings.Repeat("x", 9<<20)+`"}}`, "bytes"),
		{name: "push: dry run", method: "POST", path: "/workflows", status: 400, code: "BAD_REQUEST", errors: -1, says: []string{"nobody"},
			body: `{"properties": {"owner": "ann"}, "workflow": {"id": "w", "params": {"p": {"type": "LONG", "expression": "nobody + 1"}}, "steps": [` + noop("a") + `]}}`},
		post("push YAML: not YAML", "/workflows/yaml", "workflow: [", ""),

		// Who is not there.
		gone("version of an unknown workflow", "GET", "/workflows/nobody/versions/latest", ""),
		gone("unknown version", "GET", "/workflows/known/versions/99", ""),
		gone("overview", "GET", "/workflows/nobody/overview", ""),
		gone("delete", "DELETE", "/workflows/nobody", ""),
		gone("start of an unknown workflow", "POST", "/workflows/nobody/versions/latest/actions/start", `{"initiator": {"type": "manual"}}`),
		gone("start of an unknown version", "POST", "/workflows/known/versions/99/actions/start", `{"initiator": {"type": "manual"}}`),
		gone("activate", "PUT", "/workflows/nobody/versions/1/actions/activate", ""),
		gone("deactivate", "PUT", "/workflows/nobody/actions/deactivate", ""),
		gone("instance", "GET", "/workflows/known/instances/99", ""),
		gone("instance of an unknown workflow", "GET", "/workflows/nobody/instances/1", ""),
		gone("instance 0", "GET", "/workflows/known/instances/0", ""),
		gone("instance -1", "GET", "/workflows/known/instances/-1", ""),
		gone("run", "GET", "/workflows/known/instances/1/runs/9", ""),
		gone("step", "GET", "/workflows/known/instances/1/steps/nobody", ""),
		gone("attempt", "GET", "/workflows/known/instances/1/runs/1/steps/a/attempts/9", ""),
		gone("steps of an unknown run", "GET", "/workflows/known/instances/1/runs/9/steps", ""),
		gone("stop", "PUT", "/workflows/known/instances/99/actions/stop", ""),
		gone("kill", "PUT", "/workflows/nobody/instances/1/actions/kill", ""),
		gone("restart", "POST", "/workflows/known/instances/99/actions/restart", `{"restart_policy": "RESTART_FROM_BEGINNING"}`),
		gone("breakpoint", "POST", "/workflows/steps/breakpoints", `{"workflow_id": "nobody", "step_id": "a"}`),
		gone("breakpoints", "GET", "/workflows/steps/breakpoints?workflowId=nobody&stepId=a", ""),
		gone("no breakpoint", "DELETE", "/workflows/steps/breakpoints?workflowId=known&stepId=a", ""),
		gone("tag permit", "GET", "/tag-permits/nobody", ""),
		gone("job template", "GET", "/job-templates/nobody", ""),
		gone("tag", "DELETE", "/workflows/known/properties/tag/nobody", ""),

		// Numbers and names in the path and the query.
		{name: "instance id", method: "GET", path: "/workflows/known/instances/one", family: problem, status: 400, says: []string{"workflowInstanceId", "one"}},
		{name: "run id of an action", method: "PUT", path: "/workflows/known/instances/1/runs/latest/actions/stop", family: problem, status: 400, says: []string{"workflowRunId"}},
		{name: "run id of a read", method: "GET", path: "/workflows/known/instances/1/runs/one", status: 400, code: "BAD_REQUEST", says: []string{`For input string: "one"`}},
		{name: "version text", method: "GET", path: "/workflows/known/versions/newest", status: 400, code: "BAD_REQUEST", says: []string{"newest"}, errors: 1},
		{name: "version 0", method: "GET", path: "/workflows/known/versions/0", status: 400, code: "BAD_REQUEST", says: []string{"0"}, errors: 1},
		{name: "query boolean", method: "GET", path: "/workflows/known/instances/1?enriched=maybe", family: problem, status: 400, says: []string{"enriched", "maybe"}},
		{name: "page without size", method: "GET", path: "/workflows/known/instances", status: 400, code: "BAD_REQUEST"},
		{name: "page with both sizes", method: "GET", path: "/workflows/known/instances?first=1&last=1", status: 400, code: "BAD_REQUEST"},
		{name: "page of 201", method: "GET", path: "/workflows/known/instances?first=201", status: 400, code: "BAD_REQUEST", says: []string{"Validation failure", "first", "200"}},
		{name: "page of some", method: "GET", path: "/workflows/known/instances?first=some", family: problem, status: 400, says: []string{"first", "some"}},
		{name: "cursor", method: "GET", path: "/workflows/known/instances?first=1&cursor=here", status: 400, code: "BAD_REQUEST", says: []string{`For input string: "here"`}},
		{name: "query parameter missing", method: "GET", path: "/workflows/steps/breakpoints?workflowId=known", family: problem, status: 400, says: []string{"stepId"}},

		// The envelope.
		{name: "unknown route", method: "GET", path: "/nothing", family: problem, status: 404, says: []string{"api/v3/nothing"}},
		{name: "slash at the end", method: "GET", path: "/workflows/known/overview/", family: problem, status: 404},
		{name: "method", method: "PATCH", path: "/workflows/known/overview", family: problem, status: 405, says: []string{"PATCH"}, answerHeader: map[string]string{"Allow": "GET"}},
		{name: "no content type", method: "POST", path: "/workflows", body: `{}`, header: map[string]string{"Content-Type": ""}, family: problem, status: 415, says: []string{"null"}, answerHeader: map[string]string{"Accept": "application/json"}},
		{name: "wrong content type", method: "POST", path: "/workflows", body: `{}`, header: map[string]string{"Content-Type": "text/plain"}, family: problem, status: 415, says: []string{"text/plain"}},
		{name: "YAML as text", method: "POST", path: "/workflows/yaml", body: `a: b`, header: map[string]string{"Content-Type": "text/yaml"}, family: problem, status: 415, answerHeader: map[string]string{"Accept": "application/yaml"}},
		{name: "accept", method: "GET", path: "/workflows/known/overview", header: map[string]string{"Accept": "text/html"}, family: problem, status: 406},
		{name: "push: nobody calls", method: "POST", path: "/workflows", body: workflow("w", noop("a")), header: map[string]string{"user": ""}, status: 400, code: "BAD_REQUEST", says: []string{"user name is missing"}},
		{name: "start: nobody calls", method: "POST", path: startPath, body: `{"initiator": {"type": "manual"}}`, header: map[string]string{"user": ""}, status: 400, code: "BAD_REQUEST", says: []string{"user name is missing"}},
		{name: "stop: nobody calls", method: "PUT", path: "/workflows/known/instances/1/actions/stop", header: map[string]string{"user": ""}, status: 400, code: "BAD_REQUEST", says: []string{"user name is missing"}},
	}
	return list
}

// TestBadRequests: what is wrong with a request is told in the family of errors that Maestro uses for it, and does no
// harm: the server goes on, and nothing was stored.
func TestBadRequests(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	base := startLocal(ctx, t)
	p := &play{t: t, ctx: ctx, base: base + "/api/v3/workflows", id: "known"}
	p.do(http.MethodPost, "", workflow("known", noop("a")), nil)
	p.start()
	p.await(1, "SUCCEEDED")
	for _, b := range badRequests() {
		t.Run(b.name, func(t *testing.T) {
			b.judge(ctx, t, base)
		})
	}
	for _, id := range []string{"w", "a b", "ownerless"} {
		a, err := call(ctx, http.MethodGet, p.base+"/"+strings.ReplaceAll(id, " ", "%20")+"/versions/latest", "", "")
		if err != nil || a.status != http.StatusNotFound {
			t.Errorf("workflow %q exists: %d %v", id, a.status, err)
		}
	}
	if got := p.instance(1); got.Status != "SUCCEEDED" || got.Run != 1 {
		t.Errorf("instance 1, run %d is %s", got.Run, got.Status)
	}
}

func (b bad) judge(ctx context.Context, t *testing.T, base string) {
	req, err := http.NewRequestWithContext(ctx, b.method, base+"/api/v3"+b.path, strings.NewReader(b.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("user", "ann")
	if b.body != "" || b.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		if strings.HasSuffix(b.path, "/yaml") {
			req.Header.Set("Content-Type", "application/yaml")
		}
	}
	for k, v := range b.header {
		req.Header.Del(k)
		if v != "" {
			req.Header.Set(k, v)
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	shown := string(bytes.TrimSpace(body[:min(len(body), 600)]))
	if resp.StatusCode != b.status {
		t.Fatalf("status %d, want %d: %s", resp.StatusCode, b.status, shown)
	}
	for k, v := range b.answerHeader {
		if got := resp.Header.Get(k); !strings.Contains(got, v) {
			t.Errorf("header %s is %q, want %q in it", k, got, v)
		}
	}
	var e struct {
		Status  json.RawMessage `json:"status"`
		Message string          `json:"message"`
		Errors  []string        `json:"errors"`
		// Of a problem.
		Type, Title, Detail, Instance string
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("%v: %s", err, shown)
	}
	want, status := "application/json", fmt.Sprintf("%q", b.code)
	if b.family == problem {
		want, status = "application/problem+json", fmt.Sprint(b.status)
	}
	if got := resp.Header.Get("Content-Type"); got != want {
		t.Errorf("content type %q, want %q", got, want)
	}
	if string(e.Status) != status {
		t.Errorf("status member %s, want %s", e.Status, status)
	}
	text := e.Message
	if b.family == problem {
		text = e.Detail
		if e.Type != "about:blank" || e.Title != http.StatusText(b.status) || e.Instance == "" {
			t.Errorf("problem of type %q, title %q, instance %q", e.Type, e.Title, e.Instance)
		}
	}
	if text == "" {
		t.Errorf("it does not say what is wrong: %s", shown)
	}
	if len(body) > 4096 {
		t.Errorf("the answer has %d bytes: %s", len(body), shown)
	}
	if b.errors >= 0 && len(e.Errors) != b.errors {
		t.Errorf("%d errors, want %d: %s", len(e.Errors), b.errors, shown)
	}
	all := text + "\n" + strings.Join(e.Errors, "\n")
	for _, s := range b.says {
		if !strings.Contains(all, s) {
			t.Errorf("it does not say %q: %s", s, shown)
		}
	}
}
