package view

import (
	"testing"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/timeline"
)

func TestActionMaps(t *testing.T) { // api.md 9.5 and 11
	want := `{"CREATED":["STOP","KILL"],"IN_PROGRESS":["STOP","KILL"],"PAUSED":["STOP","KILL"],"TIMED_OUT":["RESTART"],` +
		`"STOPPED":["RESTART"],"FAILED":["RESTART","UNBLOCK"],"SUCCEEDED":["RESTART"]}`
	if got := string(AppendInstanceActionMap(nil)); got != want {
		t.Errorf("instances:\n got %s\nwant %s", got, want)
	}
	want = `{"CREATED":["PAUSE","STOP","KILL"],"INITIALIZED":["PAUSE","STOP","KILL","SKIP"],"PAUSED":["RESUME","STOP","KILL","SKIP"],` +
		`"WAITING_FOR_SIGNALS":["STOP","KILL","SKIP","BYPASS_STEP_DEPENDENCIES"],"EVALUATING_PARAMS":["STOP","KILL","SKIP"],` +
		`"WAITING_FOR_PERMITS":["STOP","KILL","SKIP"],"STARTING":["STOP","KILL","SKIP"],"RUNNING":["STOP","KILL","SKIP"],` +
		`"FINISHING":["STOP","KILL","SKIP"],"DISABLED":["RESTART"],"UNSATISFIED":["RESTART"],"SKIPPED":["RESTART","SKIP"],` +
		`"SUCCEEDED":["RESTART","SKIP"],"COMPLETED_WITH_ERROR":["RESTART","SKIP"],"USER_FAILED":["STOP","KILL","SKIP"],` +
		`"PLATFORM_FAILED":["STOP","KILL","SKIP"],"FATALLY_FAILED":["RESTART","SKIP"],"INTERNALLY_FAILED":["RESTART","SKIP"],` +
		`"STOPPED":["RESTART","SKIP"],"TIMEOUT_FAILED":["STOP","KILL","SKIP"],"TIMED_OUT":["RESTART","SKIP"]}`
	if got := string(AppendStepActionMap(nil)); got != want {
		t.Errorf("steps:\n got %s\nwant %s", got, want)
	}
}

func TestResponses(t *testing.T) {
	line := timeline.Line(1735689600000, "done")
	const event = `{"timestamp":1735689600000,"type":"LOG","level":"INFO","message":"done"}`
	attempt := &engine.Attempt{Status: engine.StepStopped, Times: engine.Times{Create: 5, End: 8, Modify: 9}}
	for _, tt := range []struct {
		name string
		got  func() ([]byte, error)
		want string
	}{
		{"start", func() ([]byte, error) {
			return AppendStartResponse(nil, &StartResponse{WorkflowID: "w", VersionID: 3, InstanceID: 18, RunID: 1, UUID: "u", Status: StartCreated, Event: line})
		}, `{"workflow_id":"w","workflow_version_id":3,"workflow_instance_id":18,"workflow_run_id":1,"workflow_uuid":"u","status":"CREATED","timeline_event":` + event + `}`},
		{"duplicate start has the ids 0", func() ([]byte, error) {
			return AppendStartResponse(nil, &StartResponse{WorkflowID: "w", VersionID: 3, UUID: "u", Status: StartDuplicated, Event: line})
		}, `{"workflow_id":"w","workflow_version_id":3,"workflow_instance_id":0,"workflow_run_id":0,"workflow_uuid":"u","status":"DUPLICATED","timeline_event":` + event + `}`},
		{"step restart in a new run", func() ([]byte, error) {
			return AppendStepRestartResponse(nil, &StepRestartResponse{WorkflowID: "w", VersionID: 3, InstanceID: 18, RunID: 2, Status: StartCreated, Event: line})
		}, `{"workflow_id":"w","workflow_version_id":3,"workflow_instance_id":18,"workflow_run_id":2,"status":"CREATED","timeline_event":` + event + `}`},
		{"step restart inside a run", func() ([]byte, error) {
			return AppendStepRestartResponse(nil, &StepRestartResponse{WorkflowID: "w", VersionID: 3, InstanceID: 18, RunID: 1, StepID: "s", AttemptID: 2, Status: StartCreated})
		}, `{"workflow_id":"w","workflow_version_id":3,"workflow_instance_id":18,"workflow_run_id":1,"step_id":"s","step_attempt_id":2,"status":"CREATED"}`},
		{"step stop, waited for", func() ([]byte, error) {
			return AppendStepActionResponse(nil, &StepActionResponse{WorkflowID: "w", InstanceID: 18, RunID: 1, StepID: "s", AttemptID: 1, Attempt: attempt, Event: line})
		}, `{"workflow_id":"w","workflow_instance_id":18,"workflow_run_id":1,"step_id":"s","step_attempt_id":1,` +
			`"step_runtime_state":{"status":"STOPPED","create_time":5,"end_time":8,"modify_time":9},"timeline_event":` + event + `}`},
		{"skip that made a new run", func() ([]byte, error) {
			return AppendStepActionResponse(nil, &StepActionResponse{WorkflowID: "w", InstanceID: 18, RunID: 2, Event: line})
		}, `{"workflow_id":"w","workflow_instance_id":18,"workflow_run_id":2,"timeline_event":` + event + `}`},
		{"run stop, going on", func() ([]byte, error) {
			return AppendInstanceActionResponse(nil, &InstanceActionResponse{WorkflowID: "w", InstanceID: 18, RunID: 1, Status: engine.InstanceInProgress, Event: line})
		}, `{"workflow_id":"w","workflow_instance_id":18,"workflow_run_id":1,"workflow_instance_status":"IN_PROGRESS","completed":false,"info":"` + InfoAccepted + `","timeline_event":` + event + `}`},
		{"run stop, done", func() ([]byte, error) {
			return AppendInstanceActionResponse(nil, &InstanceActionResponse{WorkflowID: "w", InstanceID: 18, RunID: 1, Status: engine.InstanceStopped, Completed: true, Event: line})
		}, `{"workflow_id":"w","workflow_instance_id":18,"workflow_run_id":1,"workflow_instance_status":"STOPPED","completed":true,"info":"` + InfoCompleted + `","timeline_event":` + event + `}`},
		{"an entry alone", func() ([]byte, error) { return AppendEvent(nil, line) }, event},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.got()
			if err != nil || string(got) != tt.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, tt.want)
			}
		})
	}
	if _, err := AppendEvent(nil, timeline.Event{Type: "NO_SUCH"}); err == nil {
		t.Error("an entry of an unknown type was written")
	}
}
