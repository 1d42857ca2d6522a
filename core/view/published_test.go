package view

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/events"
)

func TestChangesOfACommit(t *testing.T) {
	st := state(t, "demo.daily", 18, 1, []string{"hello"}, graph(t, "hello"))
	st.Body.UUID, st.Body.Initiator.Depth = "wu", 1
	st.Run.Changes = []engine.InstanceChange{
		{From: engine.InstanceCreated, To: engine.InstanceInProgress, Time: 100}, {From: engine.InstanceInProgress, To: engine.InstanceSucceeded, Time: 105},
	}
	quiet := &engine.Attempt{StepID: "hello", AttemptID: 1, UUID: "s1"}
	busy := &engine.Attempt{StepID: "hello", AttemptID: 2, UUID: "s2", StepInstanceID: 3, Changes: []engine.StatusChange{
		{From: engine.StepNotCreated, To: engine.StepCreated, Time: 101}, {From: engine.StepCreated, To: engine.StepSkipped, Time: 130}}}

	list := AllChanges().Events(st.Body, &st.Run, []*engine.Attempt{quiet, busy})
	run := `{"workflow_id":"demo.daily","workflow_instance_id":18,"workflow_run_id":1,"workflow_uuid":"wu","correlation_id":"demo.daily:18:1","depth":1,"workflow_name":"demo.daily",`
	want := []string{
		run + `"old_status":"CREATED","new_status":"IN_PROGRESS","event_time":100,"cluster_name":"c","sync_time":100,"send_time":125,"type":"WORKFLOW_INSTANCE_STATUS_CHANGE_EVENT"}`,
		`{"workflow_id":"demo.daily","workflow_instance_id":18,"workflow_run_id":1,"step_id":"hello","step_attempt_id":2,"workflow_uuid":"wu","step_uuid":"s2","correlation_id":"demo.daily:18:1",` +
			`"step_instance_id":3,"status_change_records":[{"old_status":"NOT_CREATED","new_status":"CREATED","event_time":101},{"old_status":"CREATED","new_status":"SKIPPED","event_time":130}],` +
			`"cluster_name":"c","sync_time":130,"send_time":130,"type":"STEP_INSTANCE_STATUS_CHANGE_EVENT"}`,
		run + `"old_status":"IN_PROGRESS","new_status":"SUCCEEDED","event_time":105,"cluster_name":"c","sync_time":105,"send_time":125,"type":"WORKFLOW_INSTANCE_STATUS_CHANGE_EVENT"}`,
	}
	if len(list) != len(want) {
		t.Fatalf("%d events: %+v", len(list), list)
	}
	for i, e := range list {
		got, err := events.EncodePublished(e, "c", 125)
		if err != nil || string(got) != want[i] {
			t.Errorf("%v\n got %s\nwant %s", err, got, want[i])
		}
	}

	// P35: the end of a run is told after permits, lane and parent are done, by a call of its own.
	early := Changes{Steps: true, Begin: true}.Events(st.Body, &st.Run, []*engine.Attempt{busy})
	if len(early) != 2 {
		t.Errorf("without the end: %d events", len(early))
	}
	late := Changes{End: true}.Events(st.Body, &st.Run, []*engine.Attempt{busy})
	if len(late) != 1 || late[0].(events.WorkflowStatusChange).NewStatus != "SUCCEEDED" {
		t.Errorf("the end alone: %+v", late)
	}
}

// TestRecordsFormAChain cuts the life of attempts into commits at random and looks at what was published: for every
// attempt one chain of records from NOT_CREATED to where it is now, without gap or repetition.
func TestRecordsFormAChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := &engine.Body{WorkflowID: "w", InstanceID: 1, RunID: 1}
		attempts := make([]*engine.Attempt, rapid.IntRange(1, 4).Draw(t, "attempts"))
		for i := range attempts {
			attempts[i] = &engine.Attempt{StepID: "s", AttemptID: int64(i + 1), UUID: string(rune('a' + i))}
		}
		run := engine.RunRecord{Status: engine.InstanceCreated}
		chains, times := map[string]string{}, map[string]int64{}
		runStatus := "CREATED"
		now := int64(1000)
		for range rapid.IntRange(1, 12).Draw(t, "commits") {
			var changed []*engine.Attempt
			for _, a := range attempts {
				if !rapid.Bool().Draw(t, "touched") {
					continue
				}
				changed = append(changed, a)
				for range rapid.IntRange(0, 4).Draw(t, "changes") {
					now += rapid.Int64Range(0, 2).Draw(t, "later")
					to := engine.StepStatus(rapid.IntRange(1, int(engine.NumStepStatuses)-1).Draw(t, "to"))
					a.Changes = append(a.Changes, engine.StatusChange{From: a.Status, To: to, Time: now})
					a.Status = to
				}
			}
			if rapid.Bool().Draw(t, "run") && !run.Status.Terminal() {
				to := engine.InstanceStatus(rapid.IntRange(int(engine.InstanceInProgress), int(engine.InstanceSucceeded)).Draw(t, "status"))
				run.Changes = append(run.Changes, engine.InstanceChange{From: run.Status, To: to, Time: now})
				run.Status = to
			}
			list := AllChanges().Events(body, &run, changed)
			for _, a := range attempts { // committed
				a.Changes = nil
			}
			run.Changes = nil
			for _, e := range list {
				data, err := events.EncodePublished(e, "c", now)
				if err != nil {
					t.Fatal(err)
				}
				back, err := events.ParsePublished(data)
				if err != nil {
					t.Fatal(err)
				}
				switch e := back.(type) {
				case events.StepStatusChange:
					if len(e.Records) == 0 {
						t.Fatalf("no records: %s", data)
					}
					for _, r := range e.Records {
						if was := chains[e.StepUUID]; r.OldStatus != was && !(was == "" && r.OldStatus == "NOT_CREATED") {
							t.Fatalf("%s after %s: %s", r.OldStatus, was, data)
						}
						if r.EventTime < times[e.StepUUID] || r.EventTime > e.SyncTime || e.SyncTime > e.SendTime {
							t.Fatalf("times out of order: %s", data)
						}
						chains[e.StepUUID], times[e.StepUUID] = r.NewStatus, r.EventTime
					}
				case events.WorkflowStatusChange:
					if e.OldStatus != runStatus {
						t.Fatalf("%s after %s: %s", e.OldStatus, runStatus, data)
					}
					runStatus = e.NewStatus
				}
			}
		}
		for _, a := range attempts {
			if got := chains[a.UUID]; got != a.Status.String() && !(got == "" && a.Status == engine.StepNotCreated) {
				t.Fatalf("attempt %s is %v, published %q", a.UUID, a.Status, got)
			}
		}
		if runStatus != run.Status.String() {
			t.Fatalf("run is %v, published %s", run.Status, runStatus)
		}
	})
}

func TestDefinitionUpdate(t *testing.T) { // engine-json-and-events.md 9: selection order
	author := json.RawMessage(`"ana"`)
	for _, tt := range []struct {
		name string
		u    DefinitionUpdate
		want string
	}{
		{"push with properties", DefinitionUpdate{VersionID: 4, SnapshotID: 7, Active: 4, Previous: 3}, events.TypeDefinition},
		{"inactive push", DefinitionUpdate{VersionID: 4, SnapshotID: 7}, events.TypeDefinition},
		{"push", DefinitionUpdate{VersionID: 4, Active: 4}, events.TypeVersion},
		{"properties", DefinitionUpdate{SnapshotID: 7, Active: 4, Previous: 4}, events.TypeProperties},
		{"activation", DefinitionUpdate{Active: 4}, events.TypeActivation},
		{"deactivation", DefinitionUpdate{Previous: 4}, events.TypeDeactivation},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.u.WorkflowID, tt.u.Author, tt.u.EventTime, tt.u.Committed = "w", author, 9, 8
			e := tt.u.Event()
			if e.EventType() != tt.want {
				t.Errorf("%s, want %s", e.EventType(), tt.want)
			}
			data, err := events.EncodePublished(e, "c", 10)
			if err != nil {
				t.Fatal(err)
			}
			var times struct {
				Event int64 `json:"event_time"`
				Sync  int64 `json:"sync_time"`
			}
			if err := json.Unmarshal(data, &times); err != nil || times.Event != 9 || times.Sync != 9 {
				t.Errorf("%+v, %v", times, err)
			}
		})
	}
}
