package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/template"
)

// workflow reads a definition: the members of a workflow with id "w".
func workflow(t testing.TB, members string) *Workflow {
	t.Helper()
	r, err := definition.ReadCreate([]byte(`{"properties":{"owner":"ann"},"workflow":{"id":"w",` + members + `}}`))
	if err != nil {
		t.Fatal(err)
	}
	return r.Workflow
}

func started(t testing.TB, w *Workflow, r StartRequest, env *testEnv) *Body {
	t.Helper()
	r.Initiator = manual("ann")
	if r.RequestID == "" {
		r.RequestID = "6f1c1b0e-9a55-4d8b-8f14-3d2f6f0b9b01"
	}
	b, err := PlanStart(Version{InternalID: 10000, VersionID: 1, Workflow: w, Properties: RunProperties{Owner: "ann"}}, r, env)
	if err != nil {
		t.Fatal(err)
	}
	b.Number(1, 1)
	return b
}

func defs(pairs ...any) ParamDefs {
	d := &param.Definitions{}
	for i := 0; i < len(pairs); i += 2 {
		d.Set(pairs[i].(string), pairs[i+1].(*param.Definition))
	}
	return d
}

// shown writes results of params: "a=1 b=x".
func shown(p Params, names ...string) string {
	var parts []string
	for _, n := range names {
		v, ok := p.Result(n)
		if !ok {
			parts = append(parts, n+"?")
			continue
		}
		parts = append(parts, n+"="+v.Text()+":"+p.Get(n).Source.String())
	}
	return strings.Join(parts, " ")
}

const twoSteps = `"params":{"day":{"value":"mon","type":"STRING"},"when":{"expression":"day + '!'","type":"STRING"},
	"fixed":{"expression":"day + '?'","type":"STRING","mode":"IMMUTABLE"}},
	"timeout":"${limit}","steps":[
	{"step":{"id":"a","type":"NoOp","params":{"rows":{"value":3,"type":"LONG"},"msg":{"value":"${when}-$day","type":"STRING"}},
	 "transition":{"successors":{"b":"rows > 2 && day == 'mon'"}}}},
	{"step":{"id":"b","type":"NoOp","params":{"seen":{"expression":"a__rows + 1","type":"LONG"}}}}]`

func TestParamsOfAStart(t *testing.T) {
	env := newTestEnv()
	b := started(t, workflow(t, twoSteps), StartRequest{RunParams: defs("limit", param.Long(90))}, env)
	if got, want := shown(b.Params, "day", "when", "limit", "owner", "workflow_id"), "day=mon:DEFINITION when=mon!:DEFINITION limit=90:LAUNCH owner=ann:SYSTEM_DEFAULT workflow_id=w:SYSTEM_DEFAULT"; got != want {
		t.Errorf("workflow: %s\nwant %s", got, want)
	}
	if b.TimeoutMillis != 90_000 || b.CorrelationID != "w:1:1" {
		t.Errorf("timeout %d, correlation %s", b.TimeoutMillis, b.CorrelationID)
	}
	st := NewState(b)
	if _, err := env.decide(st, []Input{Begin{}}); err != nil {
		t.Fatal(err)
	}
	if st.Run.Status != InstanceSucceeded {
		t.Fatalf("run %s", st.Run.Status)
	}
	a, next := st.Steps[0].Latest, st.Steps[1].Latest
	if got, want := shown(a.Params, "maestro_step_satisfied", "rows", "msg", "step_id", "step_attempt_id"), "maestro_step_satisfied=true: rows=3:DEFINITION msg=mon!-mon:DEFINITION step_id=a:SYSTEM_DEFAULT step_attempt_id=1:SYSTEM_DEFAULT"; got != want {
		t.Errorf("a: %s\nwant %s", got, want)
	}
	if got := shown(next.Params, "seen"); got != "seen=4:DEFINITION" {
		t.Errorf("b: %s", got)
	}
	if !a.Edges[0].True() || a.Edges[0].Param.Time != env.now {
		t.Errorf("edge %+v", a.Edges[0].Param)
	}
}

func TestParamsThatCannotBeEvaluated(t *testing.T) {
	env := newTestEnv()
	v := Version{Workflow: workflow(t, twoSteps)} // no param limit
	_, err := PlanStart(v, StartRequest{Initiator: manual("ann")}, env)
	if fault.CodeOf(err) != fault.UnprocessableEntity {
		t.Errorf("got %v, want UNPROCESSABLE_ENTITY", err)
	}
	b, err := PlanStart(v, StartRequest{Initiator: manual("ann"), PersistFailedRun: true}, env)
	if err != nil || b.Params != nil || b.StartFailure == nil || b.StartFailure.Status != "INTERNAL_ERROR" || b.StartFailure.Retryable {
		t.Errorf("%+v, %v", b, err)
	}
	_, err = PlanStart(v, StartRequest{Initiator: manual("ann"), StepRunParams: []StepParams{{StepID: "x"}}}, env)
	if fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("params of no step: %v", err)
	}
	_, err = PlanStart(v, StartRequest{Initiator: Initiator{Type: ByForeach, Depth: 10}}, env)
	if fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("too deep: %v", err)
	}
}

func TestParamsOfARestart(t *testing.T) { // parameters.md 6.2: frozen, but for IMMUTABLE ones
	env := newTestEnv()
	b := started(t, workflow(t, twoSteps), StartRequest{RunParams: defs("limit", param.Long(90))}, env)
	st := NewState(b)
	if _, err := env.decide(st, []Input{Begin{}}); err != nil {
		t.Fatal(err)
	}
	again, err := PlanRestart(st, RestartRequest{Policy: RestartFromBeginning, RequestID: "r", Params: defs("day", param.String("tue")), User: "bob"}, env)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := shown(again.Params, "day", "when", "fixed", "limit"), "day=tue:RESTART when=mon!:DEFINITION fixed=tue?:DEFINITION limit=90:LAUNCH"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if again.Initiator.User != "bob" || again.CorrelationID != "w:1:1" || again.TimeoutMillis != 90_000 {
		t.Errorf("%+v", again.Initiator)
	}
	// A step restart gives its params to that step only.
	again, err = PlanRestart(st, RestartRequest{Policy: RestartFromSpecific, StepID: "a", RequestID: "s", StepParams: defs("rows", param.Long(1))}, env)
	if err != nil {
		t.Fatal(err)
	}
	// RESTART_FROM_INLINE_ROOT restarts the instance with params for a step: readers see no restart params then.
	root, err := PlanRestart(st, RestartRequest{Policy: RestartFromBeginning, RequestID: "t", Overrides: []StepParams{{StepID: "a"}}}, env)
	if err != nil {
		t.Fatal(err)
	}
	if c := root.RestartConfig; c.HasParams || len(c.StepRestartParams) != 1 || c.Path[0].StepID != "" || c.DownstreamPolicy != RestartFromBeginning {
		t.Errorf("restart from the inline root: %+v", c)
	}
	again.Number(1, 2)
	st = NewState(again)
	if _, err := env.decide(st, []Input{Begin{}}); err != nil {
		t.Fatal(err)
	}
	i, _ := again.DAG.Ordinal("a")
	j, _ := again.DAG.Ordinal("b")
	if got := shown(st.Steps[i].Latest.Params, "rows"); got != "rows=1:RESTART" {
		t.Errorf("a: %s", got)
	}
	if s := st.Steps[j].Latest.Status; s != StepUnsatisfied {
		t.Errorf("b is %s", s)
	}
	if _, err := PlanRestart(NewState(again), RestartRequest{Policy: RestartFromBeginning}, env); fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("restart of a run that is not terminal: %v", err)
	}
}

func TestFailingParamsKeepNone(t *testing.T) { // parameters.md 7.3
	env := newTestEnv()
	b := started(t, workflow(t, `"steps":[{"step":{"id":"a","type":"NoOp","params":{"x":{"value":1,"type":"LONG"},"y":{"expression":"nope","type":"LONG"}},
		"transition":{"successors":{"b":"x == 1"}}}},{"step":{"id":"b","type":"NoOp"}}]`), StartRequest{}, env)
	st := NewState(b)
	if _, err := env.decide(st, []Input{Begin{}}); err != nil {
		t.Fatal(err)
	}
	a := st.Steps[0].Latest
	if a.Status != StepInternallyFailed || a.Params.Len() != 1 || a.Times.WaitPermit != 0 {
		t.Errorf("%s with %d params", a.Status, a.Params.Len())
	}
	// Skipped, its edge needs only x: that one is evaluated and kept.
	next, err := PlanRestart(st, RestartRequest{Policy: RestartFromSpecific, StepID: "a", Skip: true, RequestID: "s"}, env)
	if err != nil {
		t.Fatal(err)
	}
	next.Number(1, 2)
	st = NewState(next)
	if _, err := env.decide(st, []Input{Begin{}}); err != nil {
		t.Fatal(err)
	}
	a = st.Steps[0].Latest
	if a.Status != StepSkipped || shown(a.Params, "x") != "x=1:DEFINITION" || a.Params.Len() != 2 || st.Run.Status != InstanceSucceeded {
		t.Errorf("%s with %v, run %s", a.Status, a.Params.Names(), st.Run.Status)
	}
}

func TestOutputDataIsMergedOnSuccess(t *testing.T) { // parameters.md 14
	run := func(output string, state step.State) *Attempt {
		env := newTestEnv()
		b := started(t, workflow(t, `"steps":[{"step":{"id":"a","type":"Http","params":{"http":{"value":{"url":{"value":"http://x","type":"STRING"}},"type":"MAP"},
			"rows":{"value":0,"type":"LONG"},"kept":{"value":1,"type":"LONG","mode":"CONSTANT"}}}}]`), StartRequest{}, env)
		st := NewState(b)
		if _, err := env.decide(st, []Input{Begin{}}); err != nil {
			t.Fatal(err)
		}
		a := st.Steps[0].Latest
		r := step.Result{State: state, Running: true, Output: &step.Output{Params: step.Artifacts{}, Artifacts: step.Artifacts{{Key: "k", JSON: []byte(`{"a":1}`)}}}}
		name, rest, _ := strings.Cut(output, " ")
		r.Output.Params = append(r.Output.Params, step.Artifact{Key: name, JSON: []byte(rest)})
		if _, err := env.decide(st, []Input{Result{StepUUID: a.UUID, Result: r}}); err != nil {
			t.Fatal(err)
		}
		return a
	}
	rows := `rows {"value":42,"type":"LONG","evaluated_result":42,"evaluated_time":5}`
	a := run(rows, step.Done)
	if got := shown(a.Params, "rows"); got != "rows=42:OUTPUT_PARAMETER" || a.Params.Get("rows").Time != 5 || a.Status != StepSucceeded {
		t.Errorf("%s, %s", got, a.Status)
	}
	if _, ok := a.Artifacts.Get("k"); !ok {
		t.Error("artifacts of the output data are not merged")
	}
	if a = run(rows, step.FatalError); shown(a.Params, "rows") != "rows=0:DEFINITION" || a.Status != StepFatallyFailed {
		t.Errorf("after a failure: %s", shown(a.Params, "rows"))
	}
	for _, bad := range []string{
		`nope {"value":1,"type":"LONG","evaluated_result":1,"evaluated_time":5}`,
		`kept {"value":2,"type":"LONG","evaluated_result":2,"evaluated_time":5}`,
		`rows {"type":"LONG"}`,
	} {
		if a = run(bad, step.Done); a.Status != StepInternallyFailed {
			t.Errorf("%s: %s", bad, a.Status)
		}
	}
}

// templateEnv knows one template, once it is loaded.
type templateEnv struct {
	*testEnv
	loaded bool
}

func (e templateEnv) Template(jobType, version string) (*template.Template, error) {
	if !e.loaded {
		return nil, &NeedError{Keys: []Key{{Kind: KeyTemplate, Name: jobType, Version: version}}}
	}
	return &template.Template{Definition: template.Definition{
		JobType: jobType, StepType: definition.HTTP, Version: version,
		Params: defs("extra", param.String("from "+version)), Tags: Tags{{Name: "brought"}},
	}}, nil
}

func TestJobTemplates(t *testing.T) {
	env := templateEnv{testEnv: newTestEnv()}
	b := started(t, workflow(t, `"params":{"job_template_version":{"value":"v2","type":"STRING"}},"steps":[{"step":{"id":"a","type":"Http","sub_type":"call",
		"tags":["own"],"params":{"http":{"value":{"url":{"value":"http://x","type":"STRING"}},"type":"MAP"}}}}]`), StartRequest{}, env.testEnv)
	_, err := Decide(NewState(b), []Input{Begin{}}, env)
	var need *NeedError
	if !errors.As(err, &need) || fmt.Sprint(need.Keys[0].Name, need.Keys[0].Version) != "callv2" {
		t.Fatalf("got %v", err)
	}
	env.loaded = true
	st := NewState(b)
	if _, err := Decide(st, []Input{Begin{}}, env); err != nil {
		t.Fatal(err)
	}
	a := st.Steps[0].Latest
	if shown(a.Params, "extra") != "extra=from v2:TEMPLATE_SCHEMA" || len(a.Tags) != 2 || a.Tags[1].Name != "brought" {
		t.Errorf("%s, tags %v", shown(a.Params, "extra"), a.Tags)
	}
}

// signalEnv has signals by name.
type signalEnv struct {
	*testEnv
	ids map[string]int64
}

func (e signalEnv) MatchSignal(dep *SignalDependency) (int64, bool, error) {
	id, ok := e.ids[dep.Name]
	return id, ok, nil
}

func (e signalEnv) Announce(a *Attempt, n int) (int64, int64, bool, error) {
	id, ok := e.ids[a.SignalOutputs.Outputs[n].Name]
	return id, e.now, ok, nil
}

func TestSignalsOfAStep(t *testing.T) { // signals.md 9, 10
	env := signalEnv{newTestEnv(), map[string]int64{}}
	b := started(t, workflow(t, `"params":{"region":{"value":"eu","type":"STRING"}},"steps":[{"step":{"id":"a","type":"NoOp",
		"signal_dependencies":[{"name":"in.${region}","match_params":{"day":{"param":{"expression":"20250100 + 1","type":"LONG"},"operator":"="}}}],
		"signal_outputs":[{"name":"out.${region}","params":{"n":{"expression":"3 + 4","type":"LONG"}}}]}}]`), StartRequest{}, env.testEnv)
	st := NewState(b)
	decide := func(in ...Input) {
		t.Helper()
		if _, err := Decide(st, in, env); err != nil {
			t.Fatal(err)
		}
		if due := Due(st); due != 0 && due <= env.now {
			t.Errorf("due at once: the run would be looked at without pause")
		}
	}
	decide(Begin{})
	a := st.Steps[0].Latest
	if a.Status != StepWaitingForSignals || a.SignalDependencies.Dependencies[0].Name != "in.eu" ||
		a.SignalDependencies.Dependencies[0].MatchParams[0].Value.Result.AsLong() != 20250101 {
		t.Fatalf("%s: %+v", a.Status, a.SignalDependencies)
	}
	env.ids["in.eu"] = 4
	decide(Tick{})
	if a.Status != StepFinishing || a.SignalDependencies.Dependencies[0].SignalID != 4 {
		t.Fatalf("%s: %+v", a.Status, a.SignalDependencies)
	}
	env.ids["out.eu"] = 9
	env.now += checkMillis
	decide(Tick{})
	out := a.SignalOutputs.Outputs[0]
	if a.Status != StepSucceeded || out.SignalID != 9 || shown(out.Params, "n") != "n=7:" {
		t.Errorf("%s: %+v", a.Status, out)
	}
	// The next run keeps what was matched.
	next, err := PlanRestart(st, RestartRequest{Policy: RestartFromBeginning, RequestID: "r"}, env)
	if err != nil {
		t.Fatal(err)
	}
	delete(env.ids, "in.eu")
	next.Number(1, 2)
	st = NewState(next)
	decide(Begin{})
	if st.Run.Status != InstanceSucceeded {
		t.Errorf("run 2 is %s", st.Run.Status)
	}
}

func TestBypassOfSignals(t *testing.T) { // engine-runs-and-actions.md 4.4
	env := newTestEnv()
	b := started(t, workflow(t, `"steps":[{"step":{"id":"a","type":"NoOp","signal_dependencies":[{"name":"never"}]}}]`), StartRequest{}, env)
	st := NewState(b)
	if _, err := env.decide(st, []Input{Begin{}}); err != nil {
		t.Fatal(err)
	}
	d, err := env.decide(st, []Input{Action{Kind: ActionBypass, StepID: "a", User: "ann"}})
	if err != nil {
		t.Fatal(err)
	}
	deps := st.Steps[0].Latest.SignalDependencies
	if d.Answers[0].Err != nil || deps.Dependencies[0].Status != SignalSkipped || deps.Info == nil || st.Run.Status != InstanceSucceeded {
		t.Errorf("%+v, %+v, run %s", d.Answers[0], deps, st.Run.Status)
	}
}

func TestStartOfACustomizedRun(t *testing.T) {
	env := newTestEnv()
	w := workflow(t, `"steps":[{"step":{"id":"a","type":"NoOp","transition":{"successors":{"b":"true"}}}},
		{"step":{"id":"b","type":"NoOp","transition":{"successors":{"c":"true","x":"true"}}}},
		{"step":{"id":"c","type":"NoOp","transition":{"successors":{"d":"true"}}}},{"step":{"id":"d","type":"NoOp"}},{"step":{"id":"x","type":"NoOp"}}]`)
	b := started(t, w, StartRequest{Policy: StartCustomizedRun, Selection: Selection{Start: []string{"b"}, End: []string{"d"}, Skip: []string{"c"}}}, env)
	st := NewState(b)
	if _, err := env.decide(st, []Input{Begin{}}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range Views(st) {
		got = append(got, v.StepID+" "+v.Status.String())
	}
	want := "a NOT_CREATED, b SUCCEEDED, c SKIPPED, d SUCCEEDED, x NOT_CREATED"
	if text := strings.Join(got, ", "); text != want || st.Run.Status != InstanceSucceeded {
		t.Errorf("%s, run %s; want %s", text, st.Run.Status, want)
	}
	if b.RestartConfig.Path[0].InstanceID != 1 {
		t.Errorf("path %+v", b.RestartConfig.Path)
	}
	_, err := PlanStart(Version{Workflow: w}, StartRequest{Initiator: manual("ann"), Policy: StartCustomizedRun, Selection: Selection{Start: []string{"x"}, End: []string{"d"}}}, env)
	if fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("got %v, want BAD_REQUEST", err)
	}
}

func TestUniqueIDsDifferBetweenParamsAndConditions(t *testing.T) { // P2: the same again when decided again
	env := newTestEnv()
	b := started(t, workflow(t, `"steps":[{"step":{"id":"a","type":"NoOp","params":{"id":{"expression":"params.nextUniqueId()","type":"LONG"}},
		"transition":{"successors":{"b":"params.nextUniqueId() != id"}}}},{"step":{"id":"b","type":"NoOp"}}]`), StartRequest{}, env)
	var ids []int64
	for range 2 {
		st := NewState(b)
		if _, err := env.decide(st, []Input{Begin{}}); err != nil {
			t.Fatal(err)
		}
		if a := st.Steps[0].Latest; !a.Edges[0].True() {
			t.Error("the condition got the id of the param")
		}
		v, _ := st.Steps[0].Latest.Params.Result("id")
		ids = append(ids, v.AsLong())
	}
	if ids[0] != ids[1] || ids[0] <= 0 {
		t.Errorf("ids %v", ids)
	}
}
