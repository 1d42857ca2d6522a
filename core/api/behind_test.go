package api_test

import (
	"testing"

	"github.com/downbeat/downbeat/core/app"
)

const waitingStep = `{"step":{"id":"s","type":"Sleep","params":{"sleep_seconds":{"type":"LONG","value":600}}}}`

// TestAReadEndCountsAtOnce has a run end while its lane cannot be told. Whoever has read that the run is over may start
// the next one under FIRST_ONLY.
func TestAReadEndCountsAtOnce(t *testing.T) {
	h := newHost(t, nil, app.Settings{})
	h.push("demo", waitingStep, `,"run_strategy":"FIRST_ONLY"`)
	h.start("demo")
	h.deaf = map[string]bool{"demo": true}
	h.must("PUT /demo/instances/1/actions/stop")
	h.deaf = nil
	if got := h.status("demo/instances/1/runs/1"); got != "STOPPED" {
		t.Fatalf("the run is %s", got)
	}
	if got := h.must("POST /demo/versions/latest/actions/start", `{"initiator":{"type":"manual"}}`).at("status"); got != "CREATED" {
		t.Errorf("the next start is %v", got)
	}
	if got := h.must("POST /demo/versions/latest/actions/start", `{"initiator":{"type":"manual"}}`).at("status"); got != "STOPPED" {
		t.Errorf("the start while that one waits is %v", got)
	}
}
