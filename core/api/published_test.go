package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/events"
)

// told lists the published changes, those of an attempt as a chain, each once.
func (h *host) told() []string {
	h.t.Helper()
	var out []string
	seen := map[string]bool{}
	chain := map[string]int{}
	for _, raw := range h.published {
		e, err := events.ParsePublished(raw)
		if err != nil {
			h.t.Fatalf("%s: %v", raw, err)
		}
		var stored events.Stored
		if err := json.Unmarshal(raw, &stored); err != nil {
			h.t.Fatal(err)
		}
		again, err := events.EncodePublished(e, "", 0)
		if err != nil {
			h.t.Fatal(err)
		}
		again = []byte(strings.ReplaceAll(string(again), fmt.Sprint(stored.SendTime), ""))
		if seen[string(again)] {
			continue
		}
		seen[string(again)] = true
		switch e := e.(type) {
		case events.StepStatusChange:
			name := fmt.Sprintf("%s#%d", e.StepID, e.AttemptID)
			k, ok := chain[name]
			if !ok {
				k = len(out)
				chain[name] = k
				out = append(out, name+" NOT_CREATED")
			}
			for _, r := range e.Records {
				if !strings.HasSuffix(out[k], r.OldStatus) {
					h.t.Errorf("%s: the change from %s to %s does not follow", out[k], r.OldStatus, r.NewStatus)
				}
				out[k] += " " + r.NewStatus
			}
		case events.WorkflowStatusChange:
			out = append(out, fmt.Sprintf("run %d.%d %s %s", e.InstanceID, e.RunID, e.OldStatus, e.NewStatus))
		default:
			out = append(out, e.EventType())
		}
	}
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("published\n%s\nwant\n%s", g, w)
	}
}

const wholeLife = " NOT_CREATED CREATED INITIALIZED WAITING_FOR_SIGNALS EVALUATING_PARAMS WAITING_FOR_PERMITS STARTING RUNNING FINISHING SUCCEEDED"

// A chain of jobs commits often: each change is told once, and the pages of what is told are filled up.
func TestEveryChangeIsPublished(t *testing.T) {
	h := newHost(t, step.Registry{step.SimulatedType: &step.Simulated{Hint: true}}, app.Settings{Publish: true})
	h.push("w", `{"step":{"id":"a","type":"Simulated","transition":{"successors":{"b":"true"}}}},
		{"step":{"id":"b","type":"Simulated","transition":{"successors":{"c":"true"}}}},{"step":{"id":"c","type":"NoOp"}}`, "")
	h.start("w")
	h.must("PUT /w/instances/1/actions/pause")
	h.must("PUT /w/instances/1/actions/resume")
	h.pass(10 * time.Second)
	expect(t, h.told(), events.TypeDefinition, "run 1.1 CREATED IN_PROGRESS", "a#1"+wholeLife, "run 1.1 IN_PROGRESS PAUSED",
		"run 1.1 PAUSED IN_PROGRESS", "b#1"+wholeLife, "c#1"+wholeLife, "run 1.1 IN_PROGRESS SUCCEEDED")
	n := len(h.published)
	h.pass(time.Hour)
	if len(h.published) != n {
		t.Errorf("%d events were published of a run that rests", len(h.published)-n)
	}
}

func TestOnlyWantedTypesArePublished(t *testing.T) {
	h := newHost(t, nil, app.Settings{Publish: true, PublishTypes: []string{events.TypeWorkflowStatus, events.TypeProperties}})
	h.push("w", `{"step":{"id":"a","type":"NoOp"}}`, "")
	h.start("w")
	h.must("POST /w/properties", `{"owner":"other"}`)
	expect(t, h.told(), "run 1.1 CREATED IN_PROGRESS", "run 1.1 IN_PROGRESS SUCCEEDED", events.TypeProperties)

	if _, err := app.New(app.Config{Table: nil}); err == nil {
		t.Error("an App without a table was made")
	}
}

// The bus is away for a while: nothing is lost, of definitions neither.
func TestEventsOfABusThatWasAway(t *testing.T) {
	h := newHost(t, step.Registry{step.SimulatedType: &step.Simulated{Hint: true}}, app.Settings{Publish: true})
	h.refuse = errors.New("the bus is away")
	h.push("w", `{"step":{"id":"a","type":"Simulated"}}`, "")
	h.must("POST /w/properties", `{"owner":"other"}`)
	h.start("w")
	h.pass(20 * time.Second)
	if got := h.status("w/instances/1/runs/1"); got != "SUCCEEDED" || len(h.published) != 0 {
		t.Fatalf("the run is %s, %d events", got, len(h.published))
	}
	h.refuse = nil
	h.pass(2 * time.Hour)
	got := h.told()
	want := map[string]bool{
		events.TypeDefinition: true, events.TypeProperties: true, "run 1.1 CREATED IN_PROGRESS": true, "a#1" + wholeLife: true,
		"run 1.1 IN_PROGRESS SUCCEEDED": true,
	}
	for _, e := range got {
		if !want[e] {
			t.Errorf("published: %s", e)
		}
		delete(want, e)
	}
	for e := range want {
		t.Errorf("not published: %s", e)
	}
}

func TestAFailedStartThatIsKeptIsPublished(t *testing.T) { // events.md 4: FAILED on both sides
	h := newHost(t, nil, app.Settings{Publish: true, PublishTypes: []string{events.TypeWorkflowStatus}})
	h.must("POST ", `{"properties":{"owner":"tester"},"workflow":{"id":"w","params":{"n":{"type":"LONG","value":1}},"steps":[{"step":{"id":"a","type":"NoOp"}}]}}`)
	h.must("POST /w/versions/latest/actions/start", `{"initiator":{"type":"manual"},"persist_failed_run":true,"run_params":{"n":{"type":"LONG","expression":"1 / 0;"}}}`)
	h.deliver()
	expect(t, h.told(), "run 1.1 FAILED FAILED")
}
