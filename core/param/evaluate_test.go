package param

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/sel"
)

// world is an Outside made of maps. Steps named in missing are not loaded yet.
type world struct {
	steps   map[string]*StepRecord
	missing map[string]bool
	signals map[string]sel.Value
	loop    []sel.Value
}

func (w *world) Step(id string) (*StepRecord, error) {
	if w.missing[id] {
		return nil, &NeedError{Keys: []any{id}}
	}
	return w.steps[id], nil
}

func (w *world) Subworkflow(step, child string) (*StepRecord, error) {
	return w.Step(step + "/" + child)
}

func (w *world) Foreach(loop, step, param string) ([]sel.Value, error) {
	if w.missing[loop] {
		return nil, &NeedError{Keys: []any{loop}}
	}
	return w.loop, nil
}

func (w *world) SignalParam(signal, param string) (sel.Value, bool, error) {
	if w.missing[signal] {
		return sel.Value{}, false, &NeedError{Keys: []any{signal}}
	}
	v, ok := w.signals[signal+"/"+param]
	return v, ok, nil
}

func (w *world) DependencyParam(i int, param string) (sel.Value, bool, error) {
	v, ok := w.signals[fmt.Sprint(i, "/", param)]
	return v, ok, nil
}

func standard(t testing.TB) *Defaults {
	t.Helper()
	d, err := StandardDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func testEnv(id, run int64) *Env {
	who, bits := "ana", uint64(7)
	return &Env{Now: 1456704000000, Environment: "test", Random: func() uint64 { bits = bits*6364136223846793005 + 1442695040888963407; return bits },
		Instance: Instance{WorkflowID: "w", InstanceID: id, RunID: run, InitiatorType: "MANUAL", RunPolicy: "START_FRESH_NEW_RUN", RunnerName: &who, Owner: "bob"}}
}

func startWith(t testing.TB, definition, run string) (*Params, error) {
	t.Helper()
	p, err := MergeStart(standard(t), readDefs(t, definition), readDefs(t, run), "MANUAL")
	if err != nil {
		return nil, err
	}
	s := Scope{Env: testEnv(0, 0), Own: p}
	return p, s.EvaluateAll(context.Background())
}

func start(t testing.TB, definition, run string) *Params {
	t.Helper()
	p, err := startWith(t, definition, run)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func shown(p *Params, name string) string {
	q := p.Get(name)
	if q == nil || !q.Evaluated {
		return "none"
	}
	return string(AppendValue(nil, q.Result))
}

const worked = `{"region":{"type":"STRING","value":"eu","tags":["routing"]},"table":{"type":"STRING","value":"t_${region}_$RUN_DATE"},
	"limits":{"type":"MAP","value":{"rows":{"type":"LONG","value":10},"ratio":{"type":"DOUBLE","expression":"factor * 2"}}},
	"factor":{"type":"DOUBLE","value":1.50,"mode":"IMMUTABLE"},"n":{"type":"STRING","expression":"1 + 2"}}`

// The worked example, parameters.md 18.1, with its restarts.
func TestWorkedExample(t *testing.T) {
	p := start(t, worked, `{"region":{"type":"STRING","value":"us"},"RUN_TS":{"type":"LONG","value":1735689600000},
		"limits":{"type":"MAP","value":{"rows":{"type":"STRING","value":"20"}}},"extra":{"type":"BOOLEAN","value":true}}`)
	for name, want := range map[string]string{
		"region": `{"value":"us","type":"STRING","tags":[{"name":"routing"}],"mode":"MUTABLE","evaluated_result":"us","evaluated_time":1456704000000,"source":"LAUNCH"}`,
		"RUN_TS": `{"value":1735689600000,"type":"LONG","tags":[],"mode":"MUTABLE_ON_START","evaluated_result":1735689600000,"evaluated_time":1456704000000,"source":"LAUNCH"}`,
		"limits": `{"value":{"rows":{"value":20,"type":"LONG","tags":[],"mode":"MUTABLE","source":"LAUNCH"},"ratio":{"expression":"factor * 2","type":"DOUBLE","tags":[],"mode":"MUTABLE","source":"DEFINITION"}},"type":"MAP","tags":[],"mode":"MUTABLE","evaluated_result":{"rows":20,"ratio":3.0},"evaluated_time":1456704000000,"source":"LAUNCH"}`,
		"factor": `{"value":1.50,"type":"DOUBLE","tags":[],"mode":"IMMUTABLE","evaluated_result":1.5,"evaluated_time":1456704000000,"source":"DEFINITION"}`,
		"n":      `{"expression":"1 + 2","type":"STRING","tags":[],"mode":"MUTABLE","evaluated_result":"3","evaluated_time":1456704000000,"source":"DEFINITION","info":"Implicitly converted the evaluated result to a string for type class java.lang.Long"}`,
	} {
		if got := string(p.Get(name).AppendJSON(nil)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	// 13.1, for 2025-01-01T00:00Z
	for name, want := range map[string]string{
		"TARGET_RUN_DATE": "20250101", "TARGET_RUN_HOUR": "00", "DERIVED_RUN_DATE_US_PACIFIC": "20241231", "DERIVED_RUN_DATE_US_PACIFIC_MINUS_ONE": "20241230",
		"DERIVED_RUN_DATE_UTC": "20250101", "DERIVED_RUN_DATE_UTC_MINUS_ONE": "20241231", "DERIVED_RUN_DATE_UTC_PLUS_ONE": "20250102",
		"DERIVED_RUN_DATE_UTC_MINUS_ONE_HOUR": "20241231", "DERIVED_RUN_DATE_UTC_PLUS_ONE_HOUR": "20250101", "DERIVED_RUN_HOUR_US_PACIFIC": "16",
		"DERIVED_RUN_HOUR_UTC": "00", "DERIVED_RUN_HOUR_UTC_MINUS_ONE_HOUR": "23", "DERIVED_RUN_HOUR_UTC_PLUS_ONE_HOUR": "01", "RUN_DATE_MINUS_1": "20241231",
		"RUN_DATE_MINUS_7": "20241225", "table": "t_us_20250101", "owner": "bob", "workflow_id": "w", "DSL_DEFAULT_TZ": "UTC", "LOCAL_RUN_DATE": "20250101",
	} {
		if got := shown(p, name); got != `"`+want+`"` {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if names := p.Names(); len(names) != 29 || names[0] != "DSL_DEFAULT_TZ" || names[23] != "region" || names[28] != "extra" || p.Has("job_template_version") {
		t.Errorf("order of params: %v", names)
	}

	again := func(run string) (*Params, error) {
		p, err := MergeRestart(p, nil, readDefs(t, run), "MANUAL")
		if err != nil {
			return nil, err
		}
		s := Scope{Env: testEnv(1, 2), Own: p}
		return p, s.EvaluateAll(context.Background())
	}
	r, err := again(`{"region":{"type":"STRING","value":"asia"}}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"table":  `{"value":"t_us_20250101","type":"STRING","tags":[],"mode":"MUTABLE","evaluated_result":"t_us_20250101","evaluated_time":1456704000000,"source":"DEFINITION"}`,
		"region": `{"value":"asia","type":"STRING","tags":[{"name":"routing"}],"mode":"MUTABLE","evaluated_result":"asia","evaluated_time":1456704000000,"source":"RESTART"}`,
		"factor": `{"value":1.50,"type":"DOUBLE","tags":[],"mode":"IMMUTABLE","evaluated_result":1.5,"evaluated_time":1456704000000,"source":"DEFINITION"}`,
		"n":      `{"value":"3","type":"STRING","tags":[],"mode":"MUTABLE","evaluated_result":"3","evaluated_time":1456704000000,"source":"DEFINITION"}`,
		"limits": `{"value":{"rows":{"value":20,"type":"LONG","tags":[],"mode":"MUTABLE","source":"LAUNCH"},"ratio":{"value":3.0,"type":"DOUBLE","tags":[],"mode":"MUTABLE","source":"DEFINITION"}},"type":"MAP","tags":[],"mode":"MUTABLE","evaluated_result":{"rows":20,"ratio":3.0},"evaluated_time":1456704000000,"source":"LAUNCH"}`,
	} {
		if got := string(r.Get(name).AppendJSON(nil)); got != want {
			t.Errorf("restart, %s: got %s, want %s", name, got, want)
		}
	}
	if _, err := again(`{"RUN_TS":{"type":"LONG","value":1}}`); err == nil || !strings.Contains(err.Error(), "Cannot modify param with mode [MUTABLE_ON_START] for parameter [RUN_TS]") {
		t.Errorf("got %v", err)
	}
}

// Workflow scope, parameters.md 7.2, 8, 10: one definition, the results of some params or "!" and a part of the error.
func TestWorkflowParams(t *testing.T) {
	for _, c := range []struct{ name, params, want string }{
		{"order does not matter", `{"a":{"type":"STRING","value":"$b!"},"b":{"type":"LONG","expression":"c + 1"},"c":{"type":"LONG","value":1}}`, `a="2!" b=2`},
		{"cycle", `{"a":{"type":"STRING","value":"$b"},"b":{"type":"STRING","expression":"a"}}`, "!In workflow [w], param [a] definition contains a cyclic reference chain"},
		{"a MAP that refers to itself", `{"m":{"type":"MAP","value":{"k":{"type":"STRING","value":"$m"}}}}`, "!param [m] definition contains a cyclic"},
		{"an assignment is no reference", `{"a":{"type":"STRING","expression":"a = 'x'; a"}}`, `a="x"`},
		{"missing", `{"a":{"type":"STRING","value":"$nope"}}`, "!Param [a] referenced a non-existing param [nope] in workflow [w]"},
		{"missing though not replaced", `{"a":{"type":"STRING","value":"$$$$nope"}}`, "!non-existing param [nope]"},
		{"escaped", `{"a":{"type":"STRING","value":"$$nope,$${nope},$1"}}`, `a="$nope,${nope},$1"`},
		{"params is no param of a text", `{"a":{"type":"STRING","value":"${params}"}}`, "!non-existing param [params]"},
		{"steps cannot be seen", `{"a":{"type":"LONG","expression":"load__rows"}}`, "!Failed to evaluate the param with a definition: [load__rows]"},
		{"collections", `{"n":{"type":"LONG","value":2},"s":{"type":"STRING_ARRAY","value":["$n","x"]},"m":{"type":"STRING_MAP","value":{"k$n":"${n}"}}}`, `s=["2","x"] m={"k2":"2"}`},
		{"keys that become equal", `{"n":{"type":"LONG","value":2},"m":{"type":"STRING_MAP","value":{"$n":"a","2":"b"}}}`, "!duplicate key [2]"},
		{"a null element", `{"s":{"type":"STRING_ARRAY","value":["a",null]}}`, "!null element"},
		{"a null value", `{"s":{"type":"STRING_MAP","value":{"a":null}}}`, "!null value"},
		{"a null of a DOUBLE_ARRAY", `{"s":{"type":"DOUBLE_ARRAY","value":[1,null]}}`, "!null element"},
		{"members are not converted and blind", `{"k":{"type":"LONG","value":5},"m":{"type":"MAP","value":{"k":{"type":"STRING","expression":"1 + 1"},"c":{"type":"LONG","expression":"k + 1"}}}}`, `m={"k":2,"c":6}`},
		{"double literals", `{"d":{"type":"DOUBLE","value":1e20},"t":{"type":"STRING","value":"$d"}}`, `d=1.0E20 t="1.0E20"`},
		{"a map in a text", `{"m":{"type":"MAP","value":{"b":{"type":"LONG","value":1},"a":{"type":"DOUBLE","value":2}}},"t":{"type":"STRING","value":"$m"}}`, `t="{\"b\":1,\"a\":2.0}"`},
		{"the first value with both", `{"m":{"type":"MAP","value":{"a":{"type":"LONG","value":1,"expression":"2"}}}}`, `m={"a":1}`},
		{"conversions", `{"a":{"type":"LONG","expression":"'+8'"},"b":{"type":"DOUBLE","expression":"3"},"c":{"type":"BOOLEAN","expression":"'False'"},"d":{"type":"STRING_ARRAY","expression":"new long[]{1};"}}`, `a=8 b=3.0 c=false d=["1"]`},
		{"a double is no LONG", `{"a":{"type":"LONG","expression":"1.0"}}`, "!Param [a] is expected to be a Long compatible type"},
		{"a number is no BOOLEAN", `{"a":{"type":"BOOLEAN","expression":"1"}}`, "!Boolean compatible"},
		{"NaN is no DOUBLE", `{"a":{"type":"DOUBLE","expression":"0.0 / 0"}}`, "!not a decimal number"},
		{"long[] is no DOUBLE_ARRAY", `{"a":{"type":"DOUBLE_ARRAY","expression":"new long[]{1};"}}`, "!invalid evaluated result"},
		{"a text is no MAP", `{"a":{"type":"MAP","expression":"'x'"}}`, "!Map"},
		{"a STRING_MAP of numbers", `{"a":{"type":"STRING_MAP","expression":"m = new Map(); m.put('a', 1); return m;"}}`, "!not a string"},
		{"a null in a MAP", `{"a":{"type":"MAP","expression":"m = new Map(); m.put('a', null); return m;"}}`, "!m.put('a', null)"},
		{"null", `{"a":{"type":"STRING","expression":"null"}}`, "!Invalid return type [NULL]"},
		{"nothing", `{"a":{"type":"STRING","expression":"  "}}`, "!VOID"},
		{"a throw", `{"a":{"type":"STRING","expression":"throw 'halt'"}}`, "!halt"},
		{"no syntax", `{"a":{"type":"STRING","expression":"1 +"}}`, "!1 +"},
		{"fields of the instance", `{"a":{"type":"STRING","expression":"params.getFromInstance('INITIATOR_TYPE') + params.getFromInstance('workflow_run_id') + params.getFromInstance('INITIATOR_RUNNER_NAME')"}}`, `a="MANUALana"`},
		{"no such field", `{"a":{"type":"STRING","expression":"params.getFromInstance('x')"}}`, "!getFromInstance"},
		{"no fields of a step", `{"a":{"type":"STRING","expression":"params.getFromStep('step_id')"}}`, "!getFromStep"},
		{"no signal", `{"a":{"type":"STRING","expression":"params.getFromSignal('x')"}}`, "!getFromSignal"},
		{"no signal but a default", `{"a":{"type":"STRING","expression":"params.getFromSignalOrDefault('s', 'x', 'd')"}}`, `a="d"`},
		{"wrong number of arguments", `{"a":{"type":"LONG","expression":"params.nextUniqueId('a')"}}`, "!nextUniqueId"},
		{"ids differ", `{"a":{"type":"LONG","expression":"params.nextUniqueId()"},"b":{"type":"LONG","expression":"params.nextUniqueId()"},"c":{"type":"BOOLEAN","expression":"a != b && a > 0"},"e":{"type":"STRING","expression":"params.getExecutionEnvironment()"}}`, `c=true e="test"`},
		{"owner is reserved", `{"owner":{"type":"STRING","value":"x"}}`, "!Cannot modify param with mode [CONSTANT] for parameter [owner]"},
		{"params sees what is named only", `{"x":{"type":"LONG","value":1},"a":{"type":"BOOLEAN","expression":"params.get('x') == null"},"b":{"type":"BOOLEAN","expression":"x == params.get('x')"}}`, `a=true b=true`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := startWith(t, c.params, `{}`)
			if part, refused := strings.CutPrefix(c.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), part) && !strings.Contains(strings.Join(fault.Of(err).Errors, " "), part) || fault.CodeOf(err) != fault.BadRequest {
					t.Errorf("got %v, want %q", err, part)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range strings.Split(c.want, " ") {
				name, want, _ := strings.Cut(w, "=")
				if got := shown(p, name); got != want {
					t.Errorf("%s: got %s, want %s", name, got, want)
				}
			}
		})
	}
}

func stepScope(t testing.TB, workflow *Params, id, params string, out Outside) *Scope {
	t.Helper()
	p, err := AssembleStep(Assembly{Defaults: standard(t), StepType: "NOOP", Defined: readDefs(t, params)})
	if err != nil {
		t.Fatal(err)
	}
	return &Scope{Env: testEnv(3, 4), Workflow: workflow, Step: &Step{ID: id, InstanceID: 5, UUID: "u-1", AttemptID: 2, TypeInfo: "NOOP"},
		Own: p, Outside: out, Functions: true}
}

func record(t testing.TB, status string, end int64, params string) *StepRecord {
	return &StepRecord{Status: status, EndTime: end, Params: evaluated(t, params)}
}

// evaluated are literals with their results.
func evaluated(t testing.TB, params string) *Params {
	t.Helper()
	p := NewParams(readDefs(t, params))
	s := Scope{Env: testEnv(0, 0), Own: p}
	if err := s.EvaluateAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	return p
}

// Step scope, parameters.md 7.3, 7.4, 11.
func TestStepParams(t *testing.T) {
	workflow := evaluated(t, `{"foo":{"type":"LONG","value":1},"bar":{"type":"LONG","value":6},"x":{"type":"LONG","value":5},"workflow_id":{"type":"STRING","value":"w"}}`)
	unready := record(t, "RUNNING", 0, `{"rows":{"type":"LONG","value":1}}`)
	unready.Params.Set("rows", &Param{Definition: *Long(1)})
	out := &world{
		steps: map[string]*StepRecord{
			"extract":   record(t, "SUCCEEDED", 99, `{"rows":{"type":"LONG","value":42},"_x":{"type":"STRING","value":"u"},"t.v-1":{"type":"STRING","value":"d"}}`),
			"job_":      record(t, "SUCCEEDED", 99, `{"x":{"type":"STRING","value":"j"},"_y":{"type":"STRING","value":"k"}}`),
			"extract_":  record(t, "SUCCEEDED", 99, `{}`),
			"slow":      unready,
			"call/prep": record(t, "SUCCEEDED", 99, `{"rows":{"type":"LONG","value":7}}`),
		},
		signals: map[string]sel.Value{"ready/day": sel.Long(20), "0/n": sel.Long(4)},
		loop:    []sel.Value{sel.String("a"), sel.Null(), sel.String("b")},
	}
	for _, c := range []struct{ name, params, want string }{
		{"workflow params hide what is not evaluated", `{"foo":{"type":"LONG","expression":"bar + 1"},"bar":{"type":"LONG","expression":"foo + 1"}}`, `foo=7 bar=8`},
		{"in the other order", `{"bar":{"type":"LONG","expression":"foo + 1"},"foo":{"type":"LONG","expression":"bar + 1"}}`, `bar=2 foo=3`},
		{"the own name", `{"x":{"type":"LONG","expression":"x + 1"}}`, `x=6`},
		{"the own name without a workflow param", `{"y":{"type":"LONG","expression":"y + 1"}}`, "!In step [load], param [y] definition contains a cyclic reference chain"},
		{"built-in params", `{"a":{"type":"STRING","value":"$step_id/$step_attempt_id/$step_instance_uuid/$workflow_instance_id/$workflow_id"}}`, `a="load/2/u-1/3/w"`},
		{"missing", `{"a":{"type":"STRING","value":"$nope"}}`, "!Cannot find the referenced param [nope] in step [load] or upstream steps or the workflow"},
		{"params are all workflow params", `{"a":{"type":"LONG","expression":"params.get('foo') + params['bar']"},"b":{"type":"BOOLEAN","expression":"params.containsKey('a')"}}`, `a=7 b=false`},
		{"another step", `{"a":{"type":"LONG","expression":"extract__rows + 1"},"b":{"type":"STRING","value":"${extract__t.v-1}$extract__rows"}}`, `a=43 b="d42"`},
		{"the own step", `{"a":{"type":"LONG","expression":"load__b"},"b":{"type":"LONG","value":3}}`, `a=3`},
		{"the own step in a circle", `{"a":{"type":"LONG","expression":"load__a"}}`, "!cyclic"},
		{"the own step without it", `{"a":{"type":"LONG","expression":"load__z"}}`, "!Param [a] referenced a non-existing param [load__z] in step [load]"},
		{"a step without the param", `{"a":{"type":"LONG","expression":"extract__z"}}`, "!Cannot find the referenced param name [z] in step [extract]"},
		{"a step that is not ready", `{"a":{"type":"LONG","expression":"slow__rows"}}`, "!Referenced param [rows] in step [slow] is not evaluated yet"},
		{"no step, no signal", `{"a":{"type":"LONG","expression":"other__z"}}`, "!Failed to evaluate the param with a definition: [other__z]"},
		{"both cuts are steps", `{"a":{"type":"STRING","value":"${extract___x}"}}`, "!ambiguity (both step ids [extract] and [extract_]"},
		{"the longer cut", `{"a":{"type":"STRING","value":"${job___x}${job____y}"}}`, `a="jk"`},
		{"neither cut", `{"a":{"type":"STRING","value":"${none___x}"}}`, "!cannot find either step id [none] or [none_]"},
		{"functions", `{"a":{"type":"STRING","expression":"params.getFromStep('extract', 'MAESTRO_STEP_STATUS') + params.getFromStep('extract', 'MAESTRO_STEP_END_TIME') + params.getFromStep('step_type_info') + params.getFromStep('step_instance_id')"}}`, `a="SUCCEEDED99NOOP5"`},
		{"a param of a step", `{"a":{"type":"LONG","expression":"params.getFromStep('extract', 'rows')"},"b":{"type":"LONG","expression":"params.getFromSubworkflow('call', 'prep', 'rows')"}}`, `a=42 b=7`},
		{"an end that has not come", `{"a":{"type":"LONG","expression":"params.getFromStep('slow', 'MAESTRO_STEP_END_TIME')"}}`, "!MAESTRO_STEP_END_TIME"},
		{"the own id", `{"a":{"type":"LONG","expression":"params.getFromStep('load', 'b')"},"b":{"type":"LONG","value":3}}`, "!getFromStep"},
		{"owner is for workflows", `{"a":{"type":"STRING","expression":"params.getFromInstance('owner')"}}`, "!getFromInstance"},
		{"iterations", `{"a":{"type":"STRING_ARRAY","expression":"params.getFromForeach('each', 'part', 's')"}}`, `a=["a",null,"b"]`},
		{"a dependency", `{"a":{"type":"LONG","expression":"params.getFromSignalDependency('0', 'n')"}}`, `a=4`},
		{"no such dependency", `{"a":{"type":"LONG","expression":"params.getFromSignalDependency('1', 'n')"}}`, "!getFromSignalDependency"},
		{"a dependency by number", `{"a":{"type":"LONG","expression":"params.getFromSignalDependency(0, 'n')"}}`, "!getFromSignalDependency"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stepScope(t, workflow, "load", c.params, out)
			err := s.EvaluateAll(context.Background())
			if part, refused := strings.CutPrefix(c.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want %q", err, part)
				}
				return
			}
			if err != nil {
				t.Fatal(err, fault.Of(err).Errors)
			}
			for _, w := range strings.Split(c.want, " ") {
				name, want, _ := strings.Cut(w, "=")
				if got := shown(s.Own, name); got != want {
					t.Errorf("%s: got %s, want %s", name, got, want)
				}
			}
		})
	}
	t.Run("signals", func(t *testing.T) {
		s := stepScope(t, workflow, "load", `{"a":{"type":"LONG","expression":"ready__day + params.getFromSignal('ready', 'day')"},
			"b":{"type":"STRING","expression":"params.getFromSignal('kind') + params.getFromSignalOrDefault('ready', 'no', 'd')"}}`, out)
		s.Env.Instance.TriggerParams = evaluated(t, `{"kind":{"type":"STRING","value":"k"}}`)
		if err := s.EvaluateAll(context.Background()); err != nil || shown(s.Own, "a") != "40" || shown(s.Own, "b") != `"kd"` {
			t.Errorf("got %s %s, %v", shown(s.Own, "a"), shown(s.Own, "b"), err)
		}
	})
}

// What is not loaded comes out of every kind of look-up as it is, and the evaluation goes on afterwards (P1).
func TestNeed(t *testing.T) {
	for _, code := range []string{
		`{"type":"LONG","expression":"far__rows"}`, `{"type":"STRING","value":"${far__rows}"}`, `{"type":"LONG","expression":"params.getFromStep('far', 'rows')"}`,
		`{"type":"MAP","value":{"k":{"type":"STRING","value":"$far__rows"}}}`, `{"type":"STRING_ARRAY","value":["$far__rows"]}`,
		`{"type":"STRING","expression":"params.getFromSignalOrDefault('far', 'rows', 'd')"}`, `{"type":"STRING","value":"${far___rows}"}`,
		`{"type":"LONG_ARRAY","expression":"params.getFromForeach('far', 'x', 'rows')"}`, `{"type":"LONG","expression":"b"}`,
		`{"type":"LONG","expression":"params.getFromSubworkflow('far', 'x', 'rows')"}`,
	} {
		out := &world{missing: map[string]bool{"far": true, "far/x": true}, steps: map[string]*StepRecord{"far": record(t, "SUCCEEDED", 1, `{"rows":{"type":"LONG","value":9},"_rows":{"type":"LONG","value":9}}`)}}
		out.steps["far/x"] = out.steps["far"]
		out.loop = []sel.Value{sel.Long(9)}
		out.signals = map[string]sel.Value{"far/rows": sel.Long(9)}
		s := stepScope(t, &Params{}, "load", `{"a":`+code+`,"b":{"type":"LONG","expression":"far__rows"}}`, out)
		s.Env.Instance.TriggerParams = &Params{}
		err := s.EvaluateAll(context.Background())
		var need *NeedError
		if !errors.As(err, &need) || !strings.HasPrefix(need.Keys[0].(string), "far") {
			t.Errorf("%s: got %v", code, err)
			continue
		}
		out.missing = nil
		if err := s.EvaluateAll(context.Background()); err != nil || !strings.Contains(shown(s.Own, "a"), "9") {
			t.Errorf("%s: got %s, %v", code, shown(s.Own, "a"), err)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := Scope{Env: testEnv(0, 0), Own: NewParams(readDefs(t, `{"a":{"type":"LONG","expression":"x = 0; for (int i = 0; i < 20000; i += 1) { x += i; } return x;"}}`))}
	if err := s.EvaluateAll(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Conditions, workflow-definition.md 7.3 and parameters.md 12.
func TestCondition(t *testing.T) {
	s := stepScope(t, evaluated(t, `{"region":{"type":"STRING","value":"eu"}}`), "load", `{"rows":{"type":"LONG","expression":"20 + 22"},"other":{"type":"LONG","expression":"nope"}}`, &world{})
	for expr, want := range map[string]string{
		"rows > 10 && region == 'eu'":         `{"expression":"rows > 10 && region == 'eu'","type":"BOOLEAN","evaluated_result":true,"evaluated_time":1456704000000}`,
		"'False'":                             `{"expression":"'False'","type":"BOOLEAN","evaluated_result":false,"evaluated_time":1456704000000,"warn":"Implicitly converted the evaluated result to a boolean for type String"}`,
		"'yes'":                               `{"expression":"'yes'","type":"BOOLEAN","warn":"Implicitly converted the evaluated result to a boolean for type String"}`,
		"":                                    `{"expression":"","type":"BOOLEAN"}`,
		"params.getFromSignal('s', 'p') == 1": `{"expression":"params.getFromSignal('s', 'p') == 1","type":"BOOLEAN"}`,
	} {
		s.NoSignals = true
		p, err := s.Condition(context.Background(), "next", expr)
		if got := string(p.AppendJSON(nil)); got != want || (err == nil) != p.Evaluated {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	if got := s.Own.Evaluated().Names(); len(got) != 1 || got[0] != "rows" {
		t.Errorf("evaluated on demand: %v", got)
	}
}

// Texts and loop conditions see less, parameters.md 12.
func TestNarrowScopes(t *testing.T) {
	ctx, workflow := context.Background(), evaluated(t, `{"n":{"type":"LONG","value":2}}`)
	texts := Scope{Env: testEnv(1, 1), Workflow: workflow}
	if got, err := texts.Interpolate(ctx, "timeout", "$n hours"); got != "2 hours" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := texts.Interpolate(ctx, "timeout", "$m hours"); err == nil {
		t.Error("a missing name must be an error")
	}
	loop := Scope{Env: testEnv(1, 1), Workflow: workflow, Step: &Step{ID: "grow"}, Own: evaluated(t, `{"max":{"type":"LONG","value":8}}`),
		Values: []Member{{Name: "n", Type: sel.ParamLong, Value: sel.Long(9)}}}
	if p, err := loop.Condition(ctx, "condition", "n < max"); err != nil || p.Result.AsBool() {
		t.Errorf("got %v, %v", p.Result.AsBool(), err)
	}
	for _, code := range []string{"x__y == 1", "params.getFromInstance('workflow_id') == 'w'"} {
		if _, err := loop.Condition(ctx, "condition", code); err == nil {
			t.Errorf("%s must be an error", code)
		}
	}
}

// parameters.md 11, workflow-definition.md 10.4.
func TestDryRunAndOwner(t *testing.T) {
	env := testEnv(0, 0)
	env.Instance.DryRun = &DryRun{Signals: map[string]bool{"s": true}, Params: map[string]bool{"k": true}}
	eval := func(code string) (string, error) {
		s := Scope{Env: env, Own: define("a", Expression(sel.ParamString, code)).params()}
		return shown(s.Own, "a"), s.EvaluateAll(context.Background())
	}
	for code, ok := range map[string]bool{
		"'' + params.getFromSignal('k')": true, "'' + params.getFromSignal('s', 'any')": true, "'' + s__any": true,
		"params.getFromSignal('x')": false, "params.getFromSignal('x', 'any')": false, "x__any": false,
	} {
		if _, err := eval(code); (err == nil) != ok {
			t.Errorf("%s: %v", code, err)
		}
	}
	for _, c := range []struct {
		owner *Definition
		child bool
		want  string
	}{{nil, false, "bob"}, {String("dad"), true, "dad"}, {String("x"), false, ""}, {Expression(sel.ParamString, "'x'"), true, ""}} {
		env := testEnv(0, 0)
		env.Instance.RunOwner, env.Instance.Child = c.owner, c.child
		s := Scope{Env: env, Own: define("a", Expression(sel.ParamString, "params.getFromInstance('owner')")).params()}
		err := s.EvaluateAll(context.Background())
		if (err == nil) != (c.want != "") || err == nil && shown(s.Own, "a") != `"`+c.want+`"` {
			t.Errorf("got %s, %v, want %q", shown(s.Own, "a"), err, c.want)
		}
	}
}

func (d *Definitions) params() *Params { return NewParams(d) }

// parameters.md 15.
func TestSize(t *testing.T) {
	grow := func(n int) string {
		return fmt.Sprintf(`{"a":{"type":"STRING","value":"%s"},"b":{"type":"STRING","value":"$a$a"}}`, strings.Repeat("é", n))
	}
	if _, err := startWith(t, grow(100_000), `{}`); err != nil {
		t.Errorf("half a million characters: %v", err)
	}
	if _, err := startWith(t, grow(200_000), `{}`); err == nil || !strings.Contains(err.Error(), "is larger than system limit [750000]") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkStart(b *testing.B) {
	defaults, defs := standard(b), readDefs(b, worked)
	b.ReportAllocs()
	for b.Loop() {
		p, err := MergeStart(defaults, defs, nil, "MANUAL")
		if err != nil {
			b.Fatal(err)
		}
		s := Scope{Env: testEnv(0, 0), Own: p}
		if err := s.EvaluateAll(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSteps assembles and evaluates the params of steps, each of which reads the one before. The cost of a step is
// that of its own params, however many steps there are.
func BenchmarkSteps(b *testing.B) {
	defaults, workflow := standard(b), start(b, worked, `{}`)
	defs := readDefs(b, `{"rows":{"type":"LONG","expression":"before__rows + 1"},"msg":{"type":"STRING","value":"t_${region}_$rows"},"flag":{"type":"BOOLEAN","value":true}}`)
	env := testEnv(1, 1)
	for _, n := range []int{100, 300, 900} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out := &world{steps: map[string]*StepRecord{"before": record(b, "SUCCEEDED", 1, `{"rows":{"type":"LONG","value":0}}`)}}
				for i := range n {
					p, err := AssembleStep(Assembly{Defaults: defaults, StepType: "NOOP", Defined: defs})
					if err != nil {
						b.Fatal(err)
					}
					s := Scope{Env: env, Workflow: workflow, Step: &Step{ID: "s", InstanceID: int64(i)}, Own: p, Outside: out, Functions: true}
					if err := s.EvaluateAll(context.Background()); err != nil {
						b.Fatal(err)
					}
					if _, err := s.Condition(context.Background(), "next", "rows >= 0"); err != nil {
						b.Fatal(err)
					}
					out.steps["before"] = &StepRecord{Params: p}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/step")
		})
	}
}

// BenchmarkWorkflowParams evaluates params of a workflow, each of which needs the next: the deepest chain there can be.
func BenchmarkWorkflowParams(b *testing.B) {
	defaults := standard(b)
	for _, n := range []int{100, 300, 900} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			defs := &Definitions{}
			for i := range n {
				expr := fmt.Sprintf("p%d + 1", i+1)
				defs.Set(fmt.Sprintf("p%d", i), &Definition{Type: "LONG", Expression: &expr})
			}
			defs.Set(fmt.Sprintf("p%d", n), Long(0))
			b.ReportAllocs()
			for b.Loop() {
				p, err := MergeStart(defaults, defs, nil, "MANUAL")
				if err != nil {
					b.Fatal(err)
				}
				s := Scope{Env: testEnv(0, 0), Own: p}
				if err := s.EvaluateAll(context.Background()); err != nil {
					b.Fatal(err)
				}
				if got := p.Get("p0").Result.AsLong(); got != int64(n) {
					b.Fatalf("got %d", got)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/param")
		})
	}
}
