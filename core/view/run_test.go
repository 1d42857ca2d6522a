package view

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/timeline"
)

// graph makes a DAG of lines like "a -> b, c"; every condition is true.
func graph(t testing.TB, lines ...string) *dag.Graph {
	t.Helper()
	var nodes []dag.Node
	for _, line := range lines {
		id, tail, _ := strings.Cut(line, "->")
		n := dag.Node{ID: strings.TrimSpace(id)}
		for _, to := range strings.Split(tail, ",") {
			if to = strings.TrimSpace(to); to != "" {
				n.Successors = append(n.Successors, dag.Edge{To: to, Condition: "true"})
			}
		}
		nodes = append(nodes, n)
	}
	g, err := dag.Fresh("w", nodes)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// state makes a run that is in progress, of a workflow that has the given steps, with a DAG of its own.
func state(t testing.TB, workflow string, instance, run int64, steps []string, g *dag.Graph) *engine.State {
	t.Helper()
	body := &engine.Body{WorkflowID: workflow, VersionID: 1, InstanceID: instance, RunID: run, Policy: engine.StartFreshNewRun,
		CorrelationID: fmt.Sprintf("%s:%d:1", workflow, instance), DAG: g, Workflow: workflowOf(workflow, steps...)}
	st := engine.NewState(body)
	st.Run.Executed, st.Run.Status = true, engine.InstanceInProgress
	return st
}

// put makes an attempt the latest of its step.
func put(t testing.TB, st *engine.State, a engine.Attempt) *engine.Attempt {
	t.Helper()
	i, ok := st.Body.DAG.Ordinal(a.StepID)
	if !ok {
		t.Fatalf("%s is not in the DAG", a.StepID)
	}
	st.Steps[i].Latest = &a
	return &a
}

func overviewJSON(t testing.TB, st *engine.State, expanded func(engine.StepView) *Rollup) string {
	t.Helper()
	o, err := OverviewOf(st, Base(st.Body, expanded))
	if err != nil {
		t.Fatal(err)
	}
	if o == nil {
		return ""
	}
	return string(o.AppendJSON(nil))
}

func TestOverviewOfNestedSteps(t *testing.T) { // engine-json-and-events.md 5.4
	st := state(t, "P", 3, 1, []string{"prep", "loop", "report"}, graph(t, "prep -> loop", "loop -> report", "report"))
	put(t, st, engine.Attempt{StepID: "prep", AttemptID: 1, Status: engine.StepSucceeded, Times: engine.Times{Start: 1700000001000, End: 1700000002000}})
	put(t, st, engine.Attempt{StepID: "loop", AttemptID: 1, Status: engine.StepRunning, Times: engine.Times{Start: 1700000010000},
		Artifacts: step.Artifacts{{Key: "maestro_foreach", JSON: json.RawMessage(`{"foreach_overview":{"checkpoint":2,
			"rollup":{"total_leaf_count":2,"overview":{"SUCCEEDED":{"cnt":2}}},
			"running_rollup":{"total_leaf_count":2,"overview":{"RUNNING":{"cnt":1,"ref":{"I:1":["2:y:1"]}},"SUCCEEDED":{"cnt":1}}}}}`)}}})
	want := `{"total_step_count":3,"step_overview":{"RUNNING":{"cnt":1,"steps":[[2,1700000010000,null]]},"SUCCEEDED":{"cnt":1,"steps":[[1,1700000001000,1700000002000]]}},` +
		`"rollup_overview":{"total_leaf_count":5,"overview":{"RUNNING":{"cnt":1,"ref":{"I:1":["2:y:1"]}},"SUCCEEDED":{"cnt":4}}}}`
	if got := overviewJSON(t, st, nil); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestRollupOfChildren(t *testing.T) { // engine-json-and-events.md 5.2
	const leaves = `{"total_leaf_count":2,"overview":{"SUCCEEDED":{"cnt":2}}}`
	for _, tt := range []struct {
		name, key, artifact string
		want                string // counts of SUCCEEDED, RUNNING
	}{
		{"no artifact", "other", `{}`, "0 1"},
		{"foreach before its first refresh", "maestro_foreach", `{"foreach_overview":{"checkpoint":0,"rollup":` + leaves + `}}`, "0 1"},
		{"foreach without overview", "maestro_foreach", `{}`, "0 1"},
		{"foreach", "maestro_foreach", `{"foreach_overview":{"checkpoint":1,"rollup":` + leaves + `,"running_rollup":` + leaves + `}}`, "4 0"},
		{"foreach of which nothing is known", "maestro_foreach", `{"foreach_overview":{"checkpoint":1}}`, "0 0"},
		{"while that never ran", "maestro_while", `{"first_iteration":1,"last_iteration":0,"rollup":{"total_leaf_count":0}}`, "0 1"},
		{"while", "maestro_while", `{"first_iteration":1,"last_iteration":2,"rollup":` + leaves + `,"last_overview":{"rollup_overview":` + leaves + `}}`, "4 0"},
		{"while whose last iteration is queued", "maestro_while", `{"first_iteration":2,"last_iteration":2,"rollup":` + leaves + `}`, "2 0"},
		{"subworkflow that is queued", "maestro_subworkflow", `{"subworkflow_id":"c"}`, "0 1"},
		{"subworkflow without a roll-up", "maestro_subworkflow", `{"subworkflow_overview":{}}`, "0 0"},
		{"subworkflow", "maestro_subworkflow", `{"subworkflow_overview":{"rollup_overview":` + leaves + `}}`, "2 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := state(t, "w", 1, 1, []string{"a"}, graph(t, "a"))
			put(t, st, engine.Attempt{StepID: "a", AttemptID: 1, Status: engine.StepRunning, Artifacts: step.Artifacts{{Key: tt.key, JSON: json.RawMessage(tt.artifact)}}})
			o, err := OverviewOf(st, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(o.Rollup.Counts[engine.StepSucceeded], o.Rollup.Counts[engine.StepRunning])
			if got != tt.want || o.Rollup.Leaves != o.Rollup.Counts[engine.StepSucceeded]+o.Rollup.Counts[engine.StepRunning] {
				t.Errorf("counts %s, want %s; %d leaves", got, tt.want, o.Rollup.Leaves)
			}
		})
	}
}

func TestOverviewNamesAnArtifactThatCannotBeRead(t *testing.T) {
	st := state(t, "w", 1, 1, []string{"a"}, graph(t, "a"))
	put(t, st, engine.Attempt{StepID: "a", Artifacts: step.Artifacts{{Key: "maestro_while", JSON: json.RawMessage(`{"rollup":{"overview":{"NO_SUCH":1}}}`)}}})
	if _, err := OverviewOf(st, nil); err == nil || !strings.Contains(err.Error(), "step a: maestro_while: rollup_overview: NO_SUCH") {
		t.Errorf("error %v", err)
	}
	if _, err := AppendInstance(nil, st, InstanceOptions{}); err == nil {
		t.Error("the run was written all the same")
	}
}

// restarted is run 2 of Q: a SUCCEEDED, b FATALLY_FAILED in its attempt 3, k stayed PLATFORM_FAILED, c was not created.
func restarted(t testing.TB) *engine.State {
	st := state(t, "Q", 9, 2, []string{"a", "b", "c", "k"}, graph(t, "b -> c", "c"))
	st.Body.Policy = engine.RestartFromIncomplete
	st.Body.Baseline = &engine.Baseline{Status: engine.InstanceFailed, Views: []engine.StepView{
		{StepID: "a", RunID: 1, Status: engine.StepSucceeded, StartTime: 1000, EndTime: 1100},
		{StepID: "b", RunID: 1, Status: engine.StepFatallyFailed, StartTime: 1100, EndTime: 1200},
		{StepID: "c", Status: engine.StepNotCreated},
		{StepID: "k", RunID: 1, Status: engine.StepPlatformFailed, StartTime: 1100, EndTime: 1200},
	}}
	put(t, st, engine.Attempt{StepID: "b", AttemptID: 1, Status: engine.StepRunning, Times: engine.Times{Start: 1700001000000}})
	return st
}

func TestOverviewOfARestart(t *testing.T) { // engine-json-and-events.md 5.5
	want := `{"total_step_count":2,"step_overview":{"RUNNING":{"cnt":1,"steps":[[1,1700001000000,null]]}},` +
		`"rollup_overview":{"total_leaf_count":3,"overview":{"RUNNING":{"cnt":1,"ref":{"Q:2":["9:b:1"]}},"SUCCEEDED":{"cnt":1},"PLATFORM_FAILED":{"cnt":1,"ref":{"Q:1":["9:k:0"]}}}}}`
	st := restarted(t)
	if got := overviewJSON(t, st, nil); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	st.Body.Policy = engine.RestartFromBeginning
	if b := Base(st.Body, nil); b != nil {
		t.Errorf("a restart from the beginning has the base %+v", b)
	}
}

func TestBaseOfALoop(t *testing.T) {
	st := restarted(t)
	got := overviewJSON(t, st, func(v engine.StepView) *Rollup {
		if v.StepID != "a" {
			return nil
		}
		r := &Rollup{}
		r.AddLeaf(engine.StepSucceeded, "I", 1, 1, "x", 1)
		r.AddLeaf(engine.StepFatallyFailed, "I", 2, 1, "x", 2)
		return r
	})
	want := `"rollup_overview":{"total_leaf_count":4,"overview":{"RUNNING":{"cnt":1,"ref":{"Q:2":["9:b:1"]}},"SUCCEEDED":{"cnt":1},` +
		`"PLATFORM_FAILED":{"cnt":1,"ref":{"Q:1":["9:k:0"]}},"FATALLY_FAILED":{"cnt":1,"ref":{"I:1":["2:x:2"]}}}}`
	if !strings.Contains(got, want) {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestOverviewOfAnEmptyDAG(t *testing.T) { // scenario engine/restart-nothing-to-do
	st := state(t, "w", 1, 2, []string{"a"}, graph(t))
	st.Body.Policy = engine.RestartFromIncomplete
	st.Body.Baseline = &engine.Baseline{Status: engine.InstanceSucceeded, Views: []engine.StepView{{StepID: "a", RunID: 1, Status: engine.StepSucceeded, StartTime: 1, EndTime: 2}}}
	st.Run.Status = engine.InstanceFailed
	if got, want := overviewJSON(t, st, nil), `{"total_step_count":0,"step_overview":{},"rollup_overview":{"total_leaf_count":0}}`; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	w := newWriter(nil)
	w.Open()
	w.aggregated(st.Run.Status, engine.Views(st))
	want := `{"aggregated_info":{"workflow_instance_status":"FAILED","step_aggregated_views":{"a":{"workflow_run_id":1,"status":"SUCCEEDED","start_time":1,"end_time":2}}}`
	if string(w.Bytes()) != want {
		t.Errorf("\n got %s\nwant %s", w.Bytes(), want)
	}
}

func TestNoOverviewInTheQueue(t *testing.T) { // engine-json-and-events.md 5.3
	st := state(t, "w", 1, 1, []string{"a"}, graph(t, "a"))
	for _, tt := range []struct {
		status   engine.InstanceStatus
		executed bool
		want     bool
	}{
		{engine.InstanceCreated, false, false},
		{engine.InstanceStopped, false, false}, // stopped in the queue
		{engine.InstanceCreated, true, false},  // dequeued, not yet decided
		{engine.InstanceInProgress, true, true},
		{engine.InstanceFailed, true, true},
	} {
		st.Run.Status, st.Run.Executed = tt.status, tt.executed
		if got := overviewJSON(t, st, nil) != ""; got != tt.want {
			t.Errorf("%v, executed %v: overview %v", tt.status, tt.executed, got)
		}
	}
}

func TestRunStatusOfARestart(t *testing.T) { // engine.md 3.3
	st := restarted(t)
	st.Run.Status, st.Run.RunStatus = engine.InstanceFailed, engine.InstanceSucceeded
	if got := overviewJSON(t, st, nil); !strings.HasSuffix(got, `,"run_status":"SUCCEEDED"}`) {
		t.Errorf("got %s", got)
	}
}

func TestAggregatedViewOfAStepRestart(t *testing.T) { // engine-json-and-events.md 6
	st := state(t, "w", 1, 2, []string{"a", "b", "d", "c"}, graph(t, "b -> c", "d", "c"))
	st.Body.Policy = engine.RestartFromSpecific
	st.Body.RestartConfig = &engine.RestartConfig{Path: []engine.PathNode{{WorkflowID: "w", InstanceID: 1, StepID: "b"}}, Policy: engine.RestartFromSpecific}
	st.Body.Baseline = &engine.Baseline{Status: engine.InstanceFailed, Views: []engine.StepView{
		{StepID: "a", RunID: 1, Status: engine.StepSucceeded, StartTime: 1000, EndTime: 1100},
		{StepID: "b", RunID: 1, Status: engine.StepFatallyFailed, StartTime: 1100, EndTime: 1200},
		{StepID: "d", RunID: 1, Status: engine.StepFatallyFailed, StartTime: 1100, EndTime: 1200},
		{StepID: "c", Status: engine.StepNotCreated},
	}}
	put(t, st, engine.Attempt{StepID: "b", AttemptID: 1, Status: engine.StepRunning, Times: engine.Times{Start: 5000}})
	w := newWriter(nil)
	w.Open()
	w.aggregated(st.Run.Status, engine.Views(st))
	want := `{"aggregated_info":{"workflow_instance_status":"IN_PROGRESS","step_aggregated_views":{` +
		`"a":{"workflow_run_id":1,"status":"SUCCEEDED","start_time":1000,"end_time":1100},` +
		`"b":{"workflow_run_id":2,"status":"RUNNING","start_time":5000},` +
		`"d":{"workflow_run_id":1,"status":"FATALLY_FAILED","start_time":1100,"end_time":1200},"c":{"status":"NOT_CREATED"}}}`
	if string(w.Bytes()) != want {
		t.Errorf("\n got %s\nwant %s", w.Bytes(), want)
	}
}

func TestRollupReadsWhatItWrites(t *testing.T) {
	const text = `{"total_leaf_count":6,"overview":{"RUNNING":{"cnt":2,"ref":{"I:1":["2:y:1"],"J:3":["1:z:4"]}},"SUCCEEDED":{"cnt":4}}}`
	var r Rollup
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(r); err != nil || string(got) != text {
		t.Errorf("%v\n got %s\nwant %s", err, got, text)
	}
	var old Rollup
	if err := json.Unmarshal([]byte(`{"total_leaf_count":6,"overview":{"RUNNING":2,"SUCCEEDED":4}}`), &old); err != nil || !old.SameCounts(&r) || old.Leaves != 6 {
		t.Errorf("old form: %+v, %v", old, err)
	}
	sum := r
	sum.Refs = [engine.NumStepStatuses][]Ref{}
	sum.Counts, sum.Leaves = [engine.NumStepStatuses]int64{}, 0
	sum.Add(&r)
	sum.Add(&r)
	if got, _ := json.Marshal(r); string(got) != text {
		t.Errorf("adding changed what was added: %s", got)
	}
	if sum.Leaves != 12 || len(sum.Refs[engine.StepRunning]) != 2 || len(sum.Refs[engine.StepRunning][0].Leaves) != 2 {
		t.Errorf("sum %+v", sum)
	}
	for _, bad := range []string{`[]`, `{"overview":{"X":1}}`, `{"overview":{"RUNNING":"x"}}`, `{"overview":{"RUNNING":{"cnt":1,"ref":{"nocolon":[]}}}}`} {
		if err := json.Unmarshal([]byte(bad), &r); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestStepJSON(t *testing.T) { // engine-json-and-events.md 3
	st := state(t, "w", 1, 1, []string{"a", "b"}, graph(t, "a -> b", "b"))
	st.Body.UUID, st.Body.GroupInfo, st.Body.Properties.Owner = "wu", 3, "tester"
	a := &engine.Attempt{StepID: "b", AttemptID: 2, UUID: "su", StepInstanceID: 4, Status: engine.StepUnsatisfied,
		Times: engine.Times{Create: 10, End: 12, Modify: 12},
		Retry: engine.StepRetry{Error: engine.Retries{Made: 1, Limit: 2, BackoffSecs: 60}, Platform: engine.Retries{Limit: 10, BackoffSecs: 60},
			Timeout: engine.Retries{BackoffSecs: 60}, Retryable: true, Backoff: engine.Fixed},
		Timeline: []timeline.Event{timeline.Line(11, "no condition was true")},
	}
	got, err := AppendStep(nil, st.Body, a, true)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"workflow_id":"w","workflow_instance_id":1,"workflow_run_id":1,"step_id":"b","step_attempt_id":2,"workflow_uuid":"wu","step_uuid":"su",` +
		`"correlation_id":"w:1:1","step_instance_id":4,"workflow_version_id":1,"group_info":3,"owner":"tester","definition":DEFINITION,"tags":[],"params":{},` +
		`"transition":{"predecessors":["a"]},"step_retry":{"error_retries":1,"error_retry_limit":2,"platform_retries":0,"platform_retry_limit":10,` +
		`"timeout_retries":0,"timeout_retry_limit":0,"manual_retries":0,"retryable":true,"backoff":{"type":"FIXED_BACKOFF","error_retry_backoff_in_secs":60,` +
		`"platform_retry_backoff_in_secs":60,"timeout_retry_backoff_in_secs":60}},"runtime_state":{"status":"UNSATISFIED","create_time":10,"end_time":12,"modify_time":12},` +
		`"artifacts":{"tracing_context":{"tracing_id":"su"}},"timeline":[{"timestamp":10,"type":"STATUS","status":"CREATED"},` +
		`{"timestamp":11,"type":"LOG","level":"INFO","message":"no condition was true"},{"timestamp":12,"type":"STATUS","status":"UNSATISFIED"}]}`
	if without := cutMember(t, got, "definition"); without != want {
		t.Errorf("\n got %s\nwant %s", without, want)
	}
}

// cutMember puts the member's name in capitals in the place of its value.
func cutMember(t testing.TB, doc []byte, name string) string {
	t.Helper()
	key := `"` + name + `":`
	_, tail, ok := strings.Cut(string(doc), key)
	if !ok {
		return string(doc)
	}
	var raw json.RawMessage
	if err := json.NewDecoder(strings.NewReader(tail)).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(doc), key+string(raw), key+strings.ToUpper(name), 1)
}

func TestStepJSONOfSignalsAndRestart(t *testing.T) {
	st := state(t, "w", 1, 1, []string{"a", "b"}, graph(t, "a -> b", "b"))
	info := timeline.Line(20, "bypassed")
	a := &engine.Attempt{StepID: "a", AttemptID: 1, Status: engine.StepSucceeded, TimeoutMillis: 5000,
		Edges:              []engine.Edge{{To: "b", Condition: "x > 1"}},
		RestartConfig:      &engine.RestartConfig{Path: []engine.PathNode{{WorkflowID: "w", InstanceID: 1, StepID: "a"}}, Policy: engine.RestartFromSpecific, DownstreamPolicy: engine.RestartFromIncomplete, StepRestartParams: []engine.StepParams{{StepID: "a"}}},
		SignalDependencies: &engine.SignalDependencies{Info: &info, Dependencies: []engine.SignalDependency{{Name: "n", Status: engine.SignalMatched, SignalID: 4}, {Name: "m", Status: engine.SignalPending}}},
		SignalOutputs:      &engine.SignalOutputs{Outputs: []engine.SignalOutput{{Name: "o", SignalID: 17, AnnounceTime: 30}, {Name: "p", SignalID: -1}}},
		Artifacts:          step.Artifacts{{Key: "k", JSON: json.RawMessage(`{"v":1}`)}, {Key: "tracing_context", JSON: json.RawMessage(`{"tracing_id":"t"}`)}},
	}
	got, err := AppendStep(nil, st.Body, a, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"step_run_params":{},"restart_config":{"restart_path":[{"workflow_id":"w","instance_id":1,"step_id":"a"}],"restart_policy":"RESTART_FROM_SPECIFIC",` +
			`"downstream_policy":"RESTART_FROM_INCOMPLETE","step_restart_params":{"a":{}}},"params":{},`,
		`"transition":{"successors":{"b":{"expression":"x > 1","type":"BOOLEAN"}}}`,
		`"timeout_in_millis":5000,`,
		`"signal_dependencies":{"dependencies":[{"name":"n","status":"MATCHED","signal_id":4},{"name":"m","status":"PENDING"}],"info":{"timestamp":20,"type":"LOG","level":"INFO","message":"bypassed"}}`,
		`"signal_outputs":{"outputs":[{"name":"o","signal_id":17,"announce_time":30},{"name":"p","signal_id":-1}]}`,
		`"artifacts":{"k":{"v":1},"tracing_context":{"tracing_id":"t"}}}`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s\nis not in %s", want, got)
		}
	}
	if strings.Contains(string(got), `"timeline"`) {
		t.Errorf("a timeline that was never stored was written: %s", got)
	}
}

func TestTimelineOfAnAttemptThatSaidNothing(t *testing.T) {
	st := state(t, "w", 1, 1, []string{"a"}, graph(t, "a"))
	created := engine.Times{Create: 1, End: 2, Modify: 2}
	initialized := engine.Times{Create: 1, Initialize: 2, WaitSignal: 3}
	for _, tt := range []struct {
		name     string
		times    engine.Times
		enriched bool
		want     string
	}{
		{"ended when created", created, false, ""},
		{"ended when created, enriched", created, true, ""},
		{"initialised", initialized, false, `"timeline":[]}`},
		{"initialised, enriched", initialized, true, `"timeline":[{"timestamp":1,"type":"STATUS","status":"CREATED"},{"timestamp":2,"type":"STATUS","status":"INITIALIZED"},` +
			`{"timestamp":3,"type":"STATUS","status":"WAITING_FOR_SIGNALS"}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AppendStep(nil, st.Body, &engine.Attempt{StepID: "a", Times: tt.times}, tt.enriched)
			if err != nil {
				t.Fatal(err)
			}
			i := strings.Index(string(got), `"timeline"`)
			if i < 0 && tt.want != "" || i >= 0 && string(got[i:]) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestStepsAreOrderedByTheirNumber(t *testing.T) {
	st := state(t, "w", 1, 1, []string{"a", "b", "c"}, graph(t, "a", "b", "c"))
	put(t, st, engine.Attempt{StepID: "a", StepInstanceID: 5})
	put(t, st, engine.Attempt{StepID: "c", StepInstanceID: 3})
	got, err := AppendSteps(nil, Created(st))
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		ID string `json:"step_id"`
	}
	if err := json.Unmarshal(got, &list); err != nil || len(list) != 2 || list[0].ID != "c" || list[1].ID != "a" {
		t.Errorf("%v %v", list, err)
	}
	if none, err := AppendSteps(nil, nil); err != nil || string(none) != "[]" {
		t.Errorf("no steps: %s, %v", none, err)
	}
}

func TestInstanceJSON(t *testing.T) { // engine-json-and-events.md 2, the minimal example
	st := state(t, "demo.wf", 7, 1, []string{"a", "b"}, graph(t, "a -> b", "b"))
	b := st.Body
	b.UUID, b.VersionID, b.GroupInfo, b.InternalID = "3b0c6f0e-5a1e-4a93-9a51-8a8a2f9a1d11", 4, 3, 10001
	b.Properties = engine.RunProperties{CreateTime: 1700000000000, Owner: "ann"}
	b.Initiator = engine.Initiator{Type: engine.Manual, User: "ann"}
	b.RequestTime, b.CreateTime = 1700000001000, 1700000001010
	st.Run.StartTime, st.Run.ModifyTime = 1700000001200, 1700000004300
	st.Run.Timeline = []timeline.Event{timeline.Line(1700000001200, "dequeued")}
	put(t, st, engine.Attempt{StepID: "a", AttemptID: 1, Status: engine.StepSucceeded, Times: engine.Times{Start: 1700000001300, End: 1700000001301}})
	put(t, st, engine.Attempt{StepID: "b", AttemptID: 1, Status: engine.StepRunning, Times: engine.Times{Start: 1700000001500}})
	got, err := AppendInstance(nil, st, InstanceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"workflow_id":"demo.wf","workflow_instance_id":7,"workflow_run_id":1,"workflow_uuid":"3b0c6f0e-5a1e-4a93-9a51-8a8a2f9a1d11",` +
		`"correlation_id":"demo.wf:7:1","workflow_version_id":4,"group_info":3,"internal_id":10001,"execution_id":"3b0c6f0e-5a1e-4a93-9a51-8a8a2f9a1d11",` +
		`"run_config":{"policy":"START_FRESH_NEW_RUN"},"run_params":{},"run_properties":{"create_time":1700000000000,"owner":"ann"},"runtime_workflow":RUNTIME_WORKFLOW,` +
		`"runtime_dag":{"a":{"successors":{"b":"true"}},"b":{"predecessors":["a"]}},"params":{},"initiator":{"depth":0,"type":"MANUAL","user":"ann"},"status":"IN_PROGRESS",` +
		`"request_time":1700000001000,"create_time":1700000001010,"start_time":1700000001200,"modify_time":1700000004300,` +
		`"runtime_overview":{"total_step_count":2,"step_overview":{"RUNNING":{"cnt":1,"steps":[[2,1700000001500,null]]},"SUCCEEDED":{"cnt":1,"steps":[[1,1700000001300,1700000001301]]}},` +
		`"rollup_overview":{"total_leaf_count":2,"overview":{"RUNNING":{"cnt":1,"ref":{"demo.wf:1":["7:b:1"]}},"SUCCEEDED":{"cnt":1}}}},` +
		`"timeline":[{"timestamp":1700000001200,"type":"LOG","level":"INFO","message":"dequeued"}]}`
	if cut := cutMember(t, got, "runtime_workflow"); cut != want {
		t.Errorf("\n got %s\nwant %s", cut, want)
	}

	got, err = AppendInstance(nil, st, InstanceOptions{Enriched: true, Aggregate: AggregateComputed})
	if err != nil {
		t.Fatal(err)
	}
	want = `"timeline":[{"timestamp":1700000001010,"type":"STATUS","status":"CREATED"},{"timestamp":1700000001200,"type":"LOG","level":"INFO","message":"dequeued"},` +
		`{"timestamp":1700000001200,"type":"STATUS","status":"IN_PROGRESS"}],"aggregated_info":{"workflow_instance_status":"IN_PROGRESS","step_aggregated_views":{` +
		`"a":{"workflow_run_id":1,"status":"SUCCEEDED","start_time":1700000001300,"end_time":1700000001301},"b":{"workflow_run_id":1,"status":"RUNNING","start_time":1700000001500}}}}`
	if !strings.HasSuffix(string(got), want) {
		t.Errorf("\n got %s\nwant the end %s", got, want)
	}
}

func TestInstanceJSONOfAQueuedRun(t *testing.T) { // scenario engine/restart-is-queued
	st := restarted(t)
	st.Steps[0].Latest = nil
	st.Run = engine.RunRecord{Status: engine.InstanceCreated}
	st.Body.RestartConfig = &engine.RestartConfig{Path: []engine.PathNode{{WorkflowID: "Q", InstanceID: 9}}, Policy: engine.RestartFromIncomplete, DownstreamPolicy: engine.RestartFromIncomplete, HasParams: true}
	got, err := AppendInstance(nil, st, InstanceOptions{Enriched: true, Aggregate: AggregateStored})
	if err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{`"timeline"`, `"execution_id"`, `"runtime_overview"`, `"start_time":0`, `"end_time":0`, `"artifacts"`, `"timeout_in_millis"`} {
		if strings.Contains(string(got), absent) {
			t.Errorf("%s is in %s", absent, got)
		}
	}
	for _, want := range []string{
		`"run_config":{"policy":"RESTART_FROM_INCOMPLETE","restart_config":{"restart_path":[{"workflow_id":"Q","instance_id":9,"step_id":null}],` +
			`"restart_policy":"RESTART_FROM_INCOMPLETE","downstream_policy":"RESTART_FROM_INCOMPLETE","restart_params":{}}}`,
		`"request_time":0`,
		`"aggregated_info":{"workflow_instance_status":"FAILED","step_aggregated_views":{"a":{`, // as stored: that of run 1
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s\nis not in %s", want, got)
		}
	}
}

func TestInstanceJSONOfAChild(t *testing.T) {
	st := state(t, "maestro_foreach_1_1_x", 2, 1, []string{"a"}, graph(t, "a"))
	yes := true
	st.Body.CorrelationID = "root:1:1"
	st.Body.TimeoutMillis = 1000
	st.Body.Initiator = engine.Initiator{Type: engine.ByForeach, Depth: 2, Ancestors: []engine.Ancestor{
		{WorkflowID: "root", InstanceID: 1, RunID: 1, StepID: "sub", AttemptID: 1, Sync: &yes}, {WorkflowID: "mid", InstanceID: 4, RunID: 1, StepID: "each", AttemptID: 2}}}
	st.Body.Artifacts = step.Artifacts{{Key: "ticket", JSON: json.RawMessage(`{"n":1}`)}}
	st.Body.StepRunParams = []engine.StepParams{}
	got, err := AppendInstance(nil, st, InstanceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"run_config":{"correlation_id":"root:1:1","policy":"START_FRESH_NEW_RUN"},"run_params":{},"step_run_params":{},`,
		`"timeout_in_millis":1000,"params":{},"initiator":{"ancestors":[{"workflow_id":"root","instance_id":1,"run_id":1,"step_id":"sub","step_attempt_id":1,"sync":true},` +
			`{"workflow_id":"mid","instance_id":4,"run_id":1,"step_id":"each","step_attempt_id":2}],"depth":2,"type":"FOREACH"}`,
		`"artifacts":{"ticket":{"n":1}}`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s\nis not in %s", want, got)
		}
	}
}

func TestInitiators(t *testing.T) { // api.md 21.7
	zone := "UTC"
	for _, tt := range []struct {
		in   engine.Initiator
		want string
	}{
		{engine.Initiator{Type: engine.Manual, User: "ana", Depth: 3}, `{"depth":3,"type":"MANUAL","user":"ana"}`},
		{engine.Initiator{Type: engine.TimeTriggered, TriggerUUID: "u", TriggerTime: 5, Timezone: &zone}, `{"depth":0,"timezone":"UTC","trigger_time":5,"trigger_uuid":"u","type":"TIME"}`},
		{engine.Initiator{Type: engine.TimeTriggered, TriggerUUID: "u", TriggerTime: 5}, `{"depth":0,"trigger_time":5,"trigger_uuid":"u","type":"TIME"}`},
		{engine.Initiator{Type: engine.Signalled, TriggerUUID: "u", SignalIDs: []engine.SignalID{{Name: "n", ID: 4}}, Params: &param.Params{}},
			`{"depth":0,"params":{},"signal_id_map":{"n":4},"trigger_uuid":"u","type":"SIGNAL"}`},
		{engine.Initiator{Type: engine.Signalled, TriggerUUID: "u"}, `{"depth":0,"trigger_uuid":"u","type":"SIGNAL"}`}, // as sent over REST
	} {
		w := newWriter(nil)
		w.Open()
		w.initiator("i", &tt.in)
		if got := string(w.Bytes()[len(`{"i":`):]); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestFailedStartHasNoParams(t *testing.T) {
	st := state(t, "w", 1, 1, []string{"a"}, graph(t, "a"))
	failure := timeline.Failure(1, "no such param")
	st.Body.StartFailure = &failure
	got, err := AppendInstance(nil, st, InstanceOptions{})
	if err != nil || strings.Contains(string(got), `"params":`) {
		t.Errorf("%v: %s", err, got)
	}
}

// BenchmarkInstance writes a run of 300 steps, as readers get it.
func BenchmarkInstance(b *testing.B) {
	var lines, ids []string
	for i := range 300 {
		id := fmt.Sprintf("step-%03d", i)
		ids = append(ids, id)
		if i < 299 {
			lines = append(lines, fmt.Sprintf("%s -> step-%03d", id, i+1))
		} else {
			lines = append(lines, id)
		}
	}
	st := state(b, "wide", 1, 1, ids, graph(b, lines...))
	for i, id := range ids {
		status := engine.StepSucceeded
		if i%50 == 49 {
			status = engine.StepRunning
		}
		put(b, st, engine.Attempt{StepID: id, AttemptID: 1, Status: status, Times: engine.Times{Start: 1700000001300, End: 1700000001301}})
	}
	st.Run.Timeline = []timeline.Event{timeline.Line(1, "dequeued")}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = AppendInstance(buf[:0], st, InstanceOptions{Enriched: true, Aggregate: AggregateComputed}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

// workflowOf makes a workflow of NoOp steps.
func workflowOf(id string, steps ...string) *engine.Workflow {
	w := &engine.Workflow{ID: id}
	for _, s := range steps {
		w.Steps = append(w.Steps, &engine.Step{Form: definition.TypedForm, ID: s, Type: definition.NoOp})
	}
	return w
}
