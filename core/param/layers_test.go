package param

import (
	"context"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/wire"
)

// What becomes of results as definitions, parameters.md 3.3.
func TestAsDefinition(t *testing.T) {
	p := start(t, `{"n":{"type":"LONG","value":2},"txt":{"type":"STRING","expression":"n * 5"},"exact":{"type":"DOUBLE","value":1.50},
		"million":{"type":"DOUBLE","expression":"1.0E7"},"big":{"type":"DOUBLE","value":123456789.0},"imm":{"type":"STRING","value":"i$n","mode":"IMMUTABLE"},
		"con":{"type":"STRING","value":"c$n","mode":"CONSTANT"},"map":{"type":"MAP","expression":"m = new Map(); m.put('k', 1.5); return m;"},
		"raw":{"type":"MAP","value":{"s":{"type":"STRING","expression":"1 + 1"},"i":{"type":"STRING","value":"$n","mode":"IMMUTABLE"}}}}`, `{}`)
	for name, want := range map[string]string{
		"txt":     `{"value":"10","type":"STRING","tags":[],"mode":"MUTABLE","source":"DEFINITION","info":"Implicitly converted the evaluated result to a string for type class java.lang.Long"}`,
		"exact":   `{"value":1.5,"type":"DOUBLE","tags":[],"mode":"MUTABLE","source":"DEFINITION"}`,
		"million": `{"value":1.0E+7,"type":"DOUBLE","tags":[],"mode":"MUTABLE","source":"DEFINITION"}`,
		"big":     `{"value":123456789,"type":"DOUBLE","tags":[],"mode":"MUTABLE","source":"DEFINITION"}`,
		"imm":     `{"value":"i$n","type":"STRING","tags":[],"mode":"IMMUTABLE","source":"DEFINITION"}`,
		"con":     `{"value":"c2","type":"STRING","tags":[],"mode":"CONSTANT","source":"DEFINITION"}`,
		"map":     `{"value":{"k":{"value":1.5,"type":"DOUBLE"}},"type":"MAP","tags":[],"mode":"MUTABLE","source":"DEFINITION"}`,
		"raw":     `{"value":{"s":{"value":"2","type":"STRING","tags":[],"mode":"MUTABLE","source":"DEFINITION"},"i":{"value":"$n","type":"STRING","tags":[],"mode":"IMMUTABLE","source":"DEFINITION"}},"type":"MAP","tags":[],"mode":"MUTABLE","source":"DEFINITION"}`,
	} {
		d, err := p.Get(name).AsDefinition(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := string(d.AppendJSON(nil)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for want, text := range map[string]string{
		"not a number":                `{"type":"DOUBLE_ARRAY","expression":"new double[]{0.0 / 0};"}`,
		"derived from an empty array": `{"type":"MAP","expression":"m = new Map(); m.put('k', new long[0]); return m;"}`,
		"a Boolean compatible result": `{"type":"MAP","value":{"f":{"type":"BOOLEAN","expression":"'yes'"}}}`,
	} {
		q := start(t, `{"a":`+text+`}`, `{}`).Get("a")
		if _, err := q.AsDefinition("a"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if _, err := (&Param{Definition: *Long(1)}).AsDefinition("a"); err == nil || !strings.Contains(err.Error(), "Cannot convert an un-evaluated parameter a to a parameter definition") {
		t.Errorf("got %v", err)
	}
}

// parameters.md 3.3: dollars are looked at once more in a restart.
func TestRestartInterpolatesAgain(t *testing.T) {
	p := start(t, `{"n":{"type":"LONG","value":5},"hint":{"type":"STRING","value":"$$n"},"sm":{"type":"STRING_MAP","value":{"$$n":"$$n"}},
		"imm":{"type":"STRING","value":"$$n","mode":"IMMUTABLE"}}`, `{}`)
	r, err := MergeRestart(p, nil, nil, "MANUAL")
	if err != nil {
		t.Fatal(err)
	}
	s := Scope{Env: testEnv(1, 2), Own: r}
	if err := s.EvaluateAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if shown(r, "hint") != `"5"` || shown(r, "sm") != `{"5":"5"}` || shown(r, "imm") != `"$n"` {
		t.Errorf("got %s %s %s", shown(r, "hint"), shown(r, "sm"), shown(r, "imm"))
	}
	t.Run("a run without params has nothing to give (6.2)", func(t *testing.T) {
		r, err := MergeRestart(nil, nil, define("a", Long(1)), "MANUAL")
		if err != nil || r.Len() != 1 || r.Get("a").Source != SourceRestart {
			t.Errorf("got %v, %v", r.Names(), err)
		}
	})
	t.Run("a child's restart lets the parent's params pass", func(t *testing.T) {
		prev := evaluated(t, `{"c":{"type":"STRING","value":"a","mode":"CONSTANT"}}`)
		over := define("c", &Definition{Type: sel.ParamString, Value: String("b").Value, Source: SourceLaunch})
		r, err := MergeRestart(prev, over, nil, "FOREACH")
		if err != nil || r.Get("c").Source != SourceForeach || r.Get("c").Mode != Constant {
			t.Errorf("got %v, %v", r, err)
		}
	})
}

// The layers of a step, parameters.md 6.3.
func TestAssembleStep(t *testing.T) {
	defaults := standard(t)
	defined := readDefs(t, `{"a":{"type":"STRING","value":"d"},"fix":{"type":"STRING","value":"f","mode":"CONSTANT"}}`)
	restart := RestartLayer("MANUAL")
	p, err := AssembleStep(Assembly{Defaults: defaults, StepType: "HTTP", Defined: define("http", readDef(t, `{"type":"MAP","value":{"url":{"type":"STRING","value":"u"}}}`)),
		Template: readDefs(t, `{"table":{"type":"STRING","value":"t"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Names(), " "); got != "workflow_instance_id step_instance_uuid step_attempt_id step_id http status_code response_body state_expr table" {
		t.Errorf("order: %s", got)
	}
	want := `{"value":{"url":{"value":"u","type":"STRING","tags":[],"mode":"MUTABLE","source":"DEFINITION"},"method":{"value":"GET","type":"STRING","tags":[],"mode":"MUTABLE","source":"SYSTEM_DEFAULT"},` +
		`"headers":{"value":{"Content-Type":"application/json","Accept":"application/json"},"type":"STRING_MAP","tags":[],"mode":"MUTABLE","source":"SYSTEM_DEFAULT"}},` +
		`"type":"MAP","tags":[{"name":"http"}],"mode":"MUTABLE","source":"DEFINITION"}`
	if got := string(p.Get("http").AppendJSON(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := p.Get("table").Source; got != SourceTemplateSchema {
		t.Errorf("source of a template param: %s", got)
	}

	p, err = AssembleStep(Assembly{Defaults: defaults, StepType: "NOOP", Defined: defined, RestartLayer: restart, Layer: restart,
		Restart: readDefs(t, `{"new":{"type":"STRING","value":"n"},"a":{"type":"LONG","value":7},"fix":{"type":"STRING","value":"f"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Names()[4:], " "); got != "new a fix" || p.Get("new").Source != SourceRestart || p.Get("a").Value.V.AsString() != "7" || p.Get("a").Source != SourceRestart {
		t.Errorf("got %s, %s", got, p.AppendJSON(nil))
	}
	for text, want := range map[string]string{
		`{"fix":{"type":"STRING","value":"g"}}`:     "Cannot modify param with mode [CONSTANT] for parameter [fix]",
		`{"step_id":{"type":"STRING","value":"g"}}`: "Cannot modify param with mode [CONSTANT] for parameter [step_id]",
	} {
		if _, err := AssembleStep(Assembly{Defaults: defaults, StepType: "NOOP", Defined: defined, Restart: readDefs(t, text), RestartLayer: restart}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if _, err := AssembleStep(Assembly{Defaults: defaults, StepType: "KUBERNETES"}); err == nil || !strings.Contains(err.Error(), "[image] is a required parameter (type=[STRING])") {
		t.Errorf("got %v", err)
	}
	t.Run("13.4: pre_stop disappears", func(t *testing.T) {
		p, err := AssembleStep(Assembly{Defaults: defaults, StepType: "KUBERNETES", Defined: define("kubernetes", Map(define("image", String("i"))))})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.Get("kubernetes").Value.Members.Names(), " "); got != "app_name image env" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("workflow params go over template params", func(t *testing.T) {
		workflow := evaluated(t, `{"table":{"type":"STRING","value":"w","mode":"MUTABLE"},"other":{"type":"LONG","value":1}}`)
		template, err := MergeTemplate(readDefs(t, `{"table":{"type":"STRING","value":"t"},"limit":{"type":"LONG","value":5}}`), workflow)
		if err != nil {
			t.Fatal(err)
		}
		p, err := AssembleStep(Assembly{Defaults: defaults, StepType: "NOOP", Template: template})
		if err != nil || p.Get("table").Source != SourceWorkflowParameter || p.Get("table").Value.V.AsString() != "w" || p.Get("limit").Source != SourceTemplateSchema || p.Has("other") {
			t.Errorf("got %s, %v", p.AppendJSON(nil), err)
		}
	})
}

// Every default evaluates, in a run and in a step that has what is required.
func TestDefaultsEvaluate(t *testing.T) {
	defaults, workflow := standard(t), start(t, `{}`, `{"RUN_TS":{"type":"LONG","value":1735689600000}}`)
	given := map[string]string{
		"FOREACH": `{}`, "WHILE": `{}`, "NOOP": `{}`, "SUBWORKFLOW": `{"subworkflow_id":{"type":"STRING","value":"c"}}`,
		"HTTP":       `{"http":{"type":"MAP","value":{"url":{"type":"STRING","value":"u"}}}}`,
		"KUBERNETES": `{"kubernetes":{"type":"MAP","value":{"image":{"type":"STRING","value":"u"}}}}`,
		"NOTEBOOK":   `{"kubernetes":{"type":"MAP","value":{"image":{"type":"STRING","value":"u"}}},"notebook":{"type":"MAP","value":{"input_path":{"type":"STRING","value":"u"}}}}`,
	}
	for stepType, text := range given {
		p, err := AssembleStep(Assembly{Defaults: defaults, StepType: stepType, Defined: readDefs(t, text)})
		if err != nil {
			t.Errorf("%s: %v", stepType, err)
			continue
		}
		s := Scope{Env: testEnv(3, 1), Workflow: workflow, Step: &Step{ID: "s", InstanceID: 5, UUID: "u-1", AttemptID: 2}, Own: p, Outside: &world{}, Functions: true}
		if err := s.EvaluateAll(context.Background()); err != nil {
			t.Errorf("%s: %v", stepType, err)
		}
		if stepType == "NOTEBOOK" {
			want := `{"init_command":"","input_path":"u","output_path":"maestro-output_20250101000000__3_5_u-1.ipynb","run_id":"w_3_1_s_2"}`
			if got := shown(p, "notebook"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if stepType == "HTTP" {
			for code, want := range map[string]string{"204": "DONE", "404": "FATAL_ERROR", "500": "USER_ERROR"} {
				expr := p.Get("state_expr").Result.AsString()
				v, err := sel.EvalParameter(context.Background(), strings.ReplaceAll(expr, "status_code", code), sel.Env{})
				if err != nil || v.AsString() != want {
					t.Errorf("%s: got %s, %v", code, v.Text(), err)
				}
			}
		}
	}
	for builtin, code := range map[string]*Definition{"owner": defaults.Workflow.Get("owner"), "step_id": defaults.Step.Get("step_id")} {
		plain := *code
		plain.builtin = 0
		s := Scope{Env: testEnv(3, 1), Own: define("a", &plain).params(), Functions: true}
		if builtin == "step_id" {
			s.Step = &Step{ID: "s"}
		}
		fast := &Param{Definition: *code}
		if err := s.EvaluateAll(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := s.Evaluate(context.Background(), builtin, fast); err != nil || string(AppendValue(nil, fast.Result)) != shown(s.Own, "a") {
			t.Errorf("%s: the short cut gives %s, the expression %s, %v", builtin, AppendValue(nil, fast.Result), shown(s.Own, "a"), err)
		}
	}
}

// What steps hand down, parameters.md 6.4 to 6.6 and 18.3.
func TestChildren(t *testing.T) {
	defaults := standard(t)
	workflow := start(t, `{"day":{"type":"STRING","value":"20250101"},"n":{"type":"LONG","value":1},"imm":{"type":"STRING","expression":"'i' + n","mode":"IMMUTABLE"},
		"c":{"type":"STRING","value":"hidden"}}`, `{}`)
	defined := readDefs(t, `{"fmt":{"type":"STRING","value":"${day}.csv"},"n":{"type":"LONG","expression":"n + 1"},
		"loop_params":{"type":"MAP","value":{"c":{"type":"STRING_ARRAY","value":["de","fr"]}}}}`)
	step, err := AssembleStep(Assembly{Defaults: defaults, StepType: "FOREACH", Defined: defined})
	if err != nil {
		t.Fatal(err)
	}
	s := Scope{Env: testEnv(1, 1), Workflow: workflow, Step: &Step{ID: "f"}, Own: step, Functions: true}
	if err := s.EvaluateAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	members, err := step.Get("loop_params").Members()
	if err != nil || len(members) != 1 || !members[0].IsArray() {
		t.Fatal(members, err)
	}
	c, ok := members[0].Element(1)
	if !ok || c.Type != sel.ParamString {
		t.Fatal(c)
	}
	base, err := LoopBase(workflow, step, defined)
	if err != nil {
		t.Fatal(err)
	}
	run, err := IterationParams(base, 1, []Member{c}, true)
	if err != nil {
		t.Fatal(err)
	}
	if base.Has("loop_index") || run.Has("loop_params") || run.Has("step_id") {
		t.Error("the base must stay, loop_params and built-in step params stay behind")
	}
	for name, want := range map[string]string{"c": `{"value":"fr","type":"STRING"}`, "loop_index": `{"value":1,"type":"LONG"}`, "condition": `{"value":true,"type":"BOOLEAN"}`,
		"fmt": `{"value":"20250101.csv","type":"STRING","tags":[],"mode":"MUTABLE","source":"DEFINITION"}`} {
		if got := string(run.Get(name).AppendJSON(nil)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	p, err := MergeStart(defaults, nil, run, "WHILE")
	if err != nil {
		t.Fatal(err)
	}
	child := Scope{Env: testEnv(0, 0), Own: p}
	if err := child.EvaluateAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"imm":        `{"expression":"'i' + n","type":"STRING","tags":[],"mode":"IMMUTABLE","evaluated_result":"i2","evaluated_time":1456704000000,"source":"WHILE"}`,
		"loop_index": `{"value":1,"type":"LONG","tags":[],"mode":"MUTABLE","evaluated_result":1,"evaluated_time":1456704000000,"source":"WHILE"}`,
		"owner":      `{"value":"bob","type":"STRING","tags":[],"mode":"CONSTANT","evaluated_result":"bob","evaluated_time":1456704000000,"source":"WHILE"}`,
	} {
		if got := string(p.Get(name).AppendJSON(nil)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	explicit, err := SubworkflowParams(workflow, step, defined, true, []string{"day"})
	if err != nil || strings.Join(explicit.Names(), " ") != "day fmt n loop_params" {
		t.Errorf("got %v, %v", explicit.Names(), err)
	}
}

// Outputs, parameters.md 14.
func TestMergeOutputs(t *testing.T) {
	step := start(t, `{"rows":{"type":"LONG","value":1,"mode":"MUTABLE","tags":["t"]},"conf":{"type":"MAP","mode":"MUTABLE","value":{"path":{"type":"STRING","value":"/"},"limit":{"type":"LONG","value":9}}},
		"sm":{"type":"STRING_MAP","mode":"MUTABLE","value":{"a":"1"}},"text":{"type":"STRING","mode":"MUTABLE","value":"x"},"once":{"type":"LONG","value":3,"mode":"MUTABLE_ON_START"}}`, `{}`)
	outputs := func(text string) *Params {
		v, err := wire.ParseText(text)
		if err != nil {
			t.Fatal(err)
		}
		n := wire.Root(v, "params")
		p := ReadParams(n, true)
		if n.Err() != nil {
			t.Fatal(n.Err())
		}
		return p
	}
	before := string(step.AppendJSON(nil))
	got, err := MergeOutputs(step, outputs(`{"rows":{"value":42,"type":"LONG","evaluated_result":42,"evaluated_time":5},
		"conf":{"value":{"path":{"value":"/tmp/x","type":"STRING"},"limit":{"value":"10","type":"STRING"}},"type":"MAP","evaluated_result":{"path":"/tmp/x","limit":"10"},"evaluated_time":6},
		"sm":{"value":{"b":"2"},"type":"STRING_MAP","evaluated_result":{"b":"2"},"evaluated_time":7},
		"text":{"value":"MARK","type":"STRING","evaluated_result":"long text","evaluated_time":8},
		"once":{"value":3,"type":"LONG","evaluated_result":3,"evaluated_time":9}}`))
	if err != nil {
		t.Fatal(err)
	}
	if string(step.AppendJSON(nil)) != before {
		t.Error("the params of the step changed")
	}
	for name, want := range map[string]string{
		"rows": `{"value":42,"type":"LONG","tags":[{"name":"t"}],"mode":"MUTABLE","evaluated_result":42,"evaluated_time":5,"source":"OUTPUT_PARAMETER"}`,
		"conf": `{"value":{"path":{"value":"/tmp/x","type":"STRING","tags":[],"mode":"MUTABLE","source":"OUTPUT_PARAMETER"},"limit":{"value":10,"type":"LONG","tags":[],"mode":"MUTABLE","source":"OUTPUT_PARAMETER"}},"type":"MAP","tags":[],"mode":"MUTABLE","evaluated_result":{"path":"/tmp/x","limit":10},"evaluated_time":6,"source":"OUTPUT_PARAMETER"}`,
		"sm":   `{"value":{"a":"1","b":"2"},"type":"STRING_MAP","tags":[],"mode":"MUTABLE","evaluated_result":{"a":"1","b":"2"},"evaluated_time":7,"source":"OUTPUT_PARAMETER"}`,
		"text": `{"value":"MARK","type":"STRING","tags":[],"mode":"MUTABLE","evaluated_result":"long text","evaluated_time":8,"source":"OUTPUT_PARAMETER"}`,
	} {
		if s := string(got.Get(name).AppendJSON(nil)); s != want {
			t.Errorf("%s: got %s, want %s", name, s, want)
		}
	}
	for text, want := range map[string]string{
		`{"none":{"value":1,"type":"LONG","evaluated_result":1,"evaluated_time":1}}`:       "Invalid output parameter [none], not defined in params",
		`{"once":{"value":4,"type":"LONG","evaluated_result":4,"evaluated_time":1}}`:       "Cannot modify param with mode [MUTABLE_ON_START]",
		`{"rows":{"value":"x","type":"STRING","evaluated_result":"x","evaluated_time":1}}`: "type mismatch name [rows] from [STRING] != to [LONG]",
	} {
		if _, err := MergeOutputs(step, outputs(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
