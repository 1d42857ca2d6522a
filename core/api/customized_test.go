package api_test

import (
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/app"
)

const diamond = `{"step":{"id":"a","type":"NoOp","transition":{"successors":{"b":"true","c":"true"}}}},
	{"step":{"id":"b","type":"NoOp","transition":{"successors":{"d":"true"}}}},
	{"step":{"id":"c","type":"NoOp","transition":{"successors":{"d":"true"}}}},
	{"step":{"id":"d","type":"NoOp"}}`

// steps lists the aggregated results of a run: status and, after a slash, the run that it is of.
func (h *host) steps(run string, ids ...string) string {
	views, _ := h.must("GET /"+run+"?aggregated=true").at("aggregated_info", "step_aggregated_views").(map[string]any)
	var out []string
	for _, id := range ids {
		v, _ := views[id].(map[string]any)
		text := id + " " + v["status"].(string)
		if n, ok := v["workflow_run_id"].(float64); ok {
			text += "/" + string(rune('0'+int(n)))
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func TestStartOfACustomizedRun(t *testing.T) {
	h := newHost(t, nil, app.Settings{})
	h.push("w", diamond, "")
	r := h.must("POST /w/versions/latest/actions/start-customized",
		`{"initiator":{"type":"manual"},"start_steps":["b"],"skip_steps":["d"]}`)
	if r.at("status") != "CREATED" || r.at("workflow_instance_id") != 1.0 {
		t.Errorf("answer %s", r.text)
	}
	h.deliver()
	if got, want := h.steps("w/instances/1/runs/1", "a", "b", "c", "d"), "a NOT_CREATED, b SUCCEEDED/1, c NOT_CREATED, d SKIPPED/1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	run := h.must("GET /w/instances/1/runs/1")
	if run.at("run_config", "policy") != "START_CUSTOMIZED_RUN" || run.at("run_config", "restart_config", "start_steps", 0) != "b" || run.at("status") != "SUCCEEDED" {
		t.Errorf("run %s", run.text)
	}
	// What it left out is what a restart from incomplete runs.
	h.must("POST /w/instances/1/actions/restart", `{"restart_policy":"RESTART_FROM_INCOMPLETE"}`)
	h.deliver()
	if got, want := h.steps("w/instances/1/runs/2", "a", "b", "c", "d"), "a SUCCEEDED/2, b SUCCEEDED/2, c SUCCEEDED/2, d SUCCEEDED/2"; got != want {
		t.Errorf("after the restart %s, want %s", got, want)
	}
}

func TestCustomizedRestartRunsNothingOutside(t *testing.T) {
	h := newHost(t, nil, app.Settings{})
	h.push("w", diamond, "")
	h.start("w")
	h.must("POST /w/instances/1/actions/restart-customized", `{"start_steps":["a"],"end_steps":["b"]}`)
	h.deliver()
	if got, want := h.steps("w/instances/1/runs/2", "a", "b", "c", "d"), "a SUCCEEDED/2, b SUCCEEDED/2, c SUCCEEDED/1, d SUCCEEDED/1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := h.status("w/instances/1/runs/2"); got != "SUCCEEDED" {
		t.Errorf("the run is %s", got)
	}
}

func TestCustomizedRunsRefuse(t *testing.T) {
	h := newHost(t, nil, app.Settings{})
	h.push("w", diamond, "")
	h.start("w")
	for body, want := range map[string]string{
		`{}`:                    "at least one of start_steps, end_steps and skip_steps must name a step",
		`{"start_steps":["x"]}`: "start_steps: step [x] is not in the definition",
		`{"start_steps":["b"],"end_steps":["c"]}`:           "start_steps: no end step is reached from step [b]",
		`{"end_steps":["b","b"]}`:                           "end_steps: step [b] is named twice",
		`{"end_steps":["b"],"skip_steps":["d"]}`:            "skip_steps: step [d] does not lie between the start and the end steps",
		`{"start_steps":"b"}`:                               "start_steps",
		`{"start_steps":["b"],"restart_policy":"anything"}`: "restart_policy",
	} {
		r := h.call("POST /w/instances/1/actions/restart-customized", body)
		if r.status != 400 || !strings.Contains(r.text, want) {
			t.Errorf("%s: %d %s, want 400 with %q", body, r.status, r.text, want)
		}
	}
	// Maestro's own calls know neither the sets nor the policy.
	for path, body := range map[string]string{
		"/w/instances/1/actions/restart":    `{"restart_policy":"RESTART_CUSTOMIZED_RUN"}`,
		"/w/versions/latest/actions/start":  `{"initiator":{"type":"manual"},"start_steps":["b"]}`,
		"/w/instances/1/actions/restart?x=": `{"restart_policy":"RESTART_FROM_BEGINNING","skip_steps":["b"]}`,
	} {
		if r := h.call("POST "+path, body); r.status != 400 {
			t.Errorf("%s %s: %d %s", path, body, r.status, r.text)
		}
	}
}
