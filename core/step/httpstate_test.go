package step

import (
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/timeline"
)

func TestHTTPState(t *testing.T) {
	s := server(t)
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}, MaxBytes: 1_000_000})
	for name, c := range map[string]struct {
		path, expr string
		want       State
	}{
		"200":                             {"/status/200", defaultState, Done},
		"299":                             {"/status/299", defaultState, Done},
		"302":                             {"/redirect", defaultState, UserError},
		"404":                             {"/status/404", defaultState, FatalError},
		"499":                             {"/status/499", defaultState, FatalError},
		"503":                             {"/status/503", defaultState, UserError},
		"letter case":                     {"/status/200", `'platform_error'`, PlatformError},
		"continue":                        {"/status/202", `status_code == 202 ? 'CONTINUE' : 'DONE'`, Continue},
		"stopped":                         {"/status/200", `'STOPPED'`, Stopped},
		"timed out":                       {"/status/200", `'TIMED_OUT'`, TimedOut},
		"by the response and a param":     {"/bytes/6", `response_body.length() > threshold ? 'DONE' : 'USER_ERROR'`, Done},
		"by the response and a param, no": {"/bytes/5", `response_body.length() > threshold ? 'DONE' : 'USER_ERROR'`, UserError},
	} {
		t.Run(name, func(t *testing.T) {
			r := poll(t, h, httpCall(mapOf("url", s.URL+c.path), c.expr))
			if r.State != c.want {
				t.Fatalf("result: %+v, want %s", r, c.want)
			}
			if len(r.Timeline) != 3 || r.Timeline[0].Type != timeline.Log {
				t.Errorf("timeline: %+v", r.Timeline)
			}
			artifact, _ := r.Artifacts.Get(HTTPArtifact)
			status := `"status":"SUCCESS"`
			if c.want.Failed() {
				status = `"status":"FAILED"`
			}
			if !strings.Contains(string(artifact), status) {
				t.Errorf("artifact: %s, want %s", artifact, status)
			}
			if want := map[bool]int64{true: continueMillis}[c.want == Continue]; r.NextPollMillis != want {
				t.Errorf("next poll in %d ms, want %d", r.NextPollMillis, want)
			}
		})
	}
}

func TestHTTPArtifactAndOutput(t *testing.T) {
	s := server(t)
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}, MaxBytes: 1_000_000})
	headers := mapOf("Content-Type", "application/json", "Accept", "application/json")
	r := poll(t, h, httpCall(mapOf("url", s.URL+"/status/404", "method", "POST", "headers", headers, "body", "<a>"), defaultState))
	want := `{"request":{"url":"` + s.URL + `/status/404","method":"POST","headers":{"Content-Type":"application/json","Accept":"application/json"},` +
		`"body":"<a>"},"status":"FAILED","status_code":404,"body":"status 404","type":"HTTP"}`
	if got, _ := r.Artifacts.Get(HTTPArtifact); string(got) != want {
		t.Errorf("artifact: %s\nwant %s", got, want)
	}
	out := string(r.Output.Params.object())
	want = `{"status_code":{"value":404,"type":"LONG","evaluated_result":404,"evaluated_time":1700000000000},` +
		`"response_body":{"value":"status 404","type":"STRING","evaluated_result":"status 404","evaluated_time":1700000000000}}`
	if r.Output.JobType != "Http" || r.Output.JobID != "uuid-1" || out != want {
		t.Errorf("output: %+v\nparams %s\nwant %s", r.Output, out, want)
	}

	r = poll(t, h, httpCall(mapOf("url", s.URL+"/bytes/1001"), defaultState))
	body, _ := r.Output.Params.Get("response_body")
	if !strings.HasPrefix(string(body), `{"value":"`+Identical+`","type":"STRING","evaluated_result":"xxx`) {
		t.Errorf("a response of 1001 characters is kept as %.120s", body)
	}
	if got, _ := r.Artifacts.Get(HTTPArtifact); !strings.Contains(string(got), `"body":"xxx`) {
		t.Errorf("artifact: %.200s", got)
	}

	r = poll(t, h, httpCall(mapOf("url", s.URL+"/bytes/750000"), defaultState))
	if r.State != FatalError || r.Output != nil {
		t.Errorf("output data that is too long: state %s, output %v", r.State, r.Output != nil)
	}
}

func TestHTTPStateErrors(t *testing.T) {
	s := server(t)
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}})
	for name, expr := range map[string]string{
		"no text":             "",
		"syntax":              "if (",
		"unknown name":        "nobody == 1 ? 'DONE' : 'DONE'",
		"no state":            "'FINE'",
		"a number":            "1",
		"a thrown text":       "throw 'no';",
		"an endless loop":     "while (true) { status_code = 1; }",
		"a text that doubles": "s = 'x'; for (i = 0; i < 60; i += 1) s = s + s; return 'DONE';",
		"an endless match":    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('(a*)*(a*)*(a|a)*b') ? 'DONE' : 'DONE'",
	} {
		t.Run(name, func(t *testing.T) {
			r := poll(t, h, httpCall(mapOf("url", s.URL+"/status/200"), expr))
			if r.State != FatalError || len(r.Timeline) != 1 || r.Timeline[0].Type != timeline.Details || len(r.Artifacts) != 0 {
				t.Fatalf("result: %+v", r)
			}
			if got := strings.Join(r.Timeline[0].Errors, " "); !strings.Contains(got, "state_expr") {
				t.Errorf("says %q", got)
			}
			if r.Output == nil {
				t.Error("the output data, saved before, is lost")
			}
		})
	}
}

func TestHTTPStateSeesOnlyTheStepsParams(t *testing.T) {
	s := server(t)
	h := newHTTP(t, HTTPConfig{AllowedHosts: []string{"127.0.0.1"}})
	call := httpCall(mapOf("url", s.URL+"/status/200"), "w == 1 ? 'DONE' : 'USER_ERROR'")
	call.WorkflowParams = Params{"w": {Result: sel.Long(1)}}
	if r := poll(t, h, call); r.State != FatalError {
		t.Errorf("state %s", r.State)
	}
	call.StepParams["w"] = Param{Result: sel.Long(1)}
	if r := poll(t, h, call); r.State != Done {
		t.Errorf("state %s with a param of the step", r.State)
	}
}
