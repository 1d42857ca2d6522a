package api_test

import (
	"testing"

	"github.com/downbeat/downbeat/core/app"
)

const waitingStep = `{"step":{"id":"s","type":"Sleep","params":{"sleep_seconds":{"type":"LONG","value":600}}}}`

// TestAReadEndCountsAtOnce has runs end while nobody delivers the message that tells the lane. Whoever has read that a
// run is over finds it over wherever it counts.
func TestAReadEndCountsAtOnce(t *testing.T) {
	t.Run("a start under FIRST_ONLY is not refused because of it", func(t *testing.T) {
		h := newHost(t, nil, app.Settings{})
		h.push("demo", waitingStep, `,"run_strategy":"FIRST_ONLY"`)
		h.start("demo")
		h.slow = 100
		h.must("PUT /demo/instances/1/actions/stop")
		if got := h.status("demo/instances/1/runs/1"); got != "STOPPED" {
			t.Fatalf("the run is %s", got)
		}
		if got := h.must("POST /demo/versions/latest/actions/start", `{"initiator":{"type":"manual"}}`).at("status"); got != "CREATED" {
			t.Errorf("the next start is %v", got)
		}
		if got := h.must("POST /demo/versions/latest/actions/start", `{"initiator":{"type":"manual"}}`).at("status"); got != "STOPPED" {
			t.Errorf("the start while that one waits is %v", got)
		}
	})
	t.Run("killed runs are counted as failed", func(t *testing.T) {
		h := newHost(t, nil, app.Settings{})
		h.push("demo", waitingStep, "")
		h.start("demo")
		h.start("demo") // waits in the queue
		h.slow = 100
		h.must("PUT /demo/actions/kill")
		for _, run := range []string{"demo/instances/1/runs/1", "demo/instances/2/runs/1"} {
			if got := h.status(run); got != "FAILED" {
				t.Fatalf("%s is %s", run, got)
			}
		}
		if got := h.must("GET /demo/overview").at("failed_instances"); got != 2.0 {
			t.Errorf("failed_instances is %v", got)
		}
		h.slow = 0
		h.deliver()
		if got := h.must("GET /demo/overview").at("failed_instances"); got != 2.0 {
			t.Errorf("failed_instances is %v when the lane was told", got)
		}
	})
}
