package definition

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
)

func dryRunInput(t *testing.T) DryRunInput {
	t.Helper()
	d, err := param.StandardDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return DryRunInput{Caller: NamedUser("ana"), Defaults: d, Now: now, Random: func() uint64 { return 4 }}
}

func workflowOf(t *testing.T, members string) *Workflow {
	t.Helper()
	r, err := ReadCreate([]byte(push(members)))
	if err != nil {
		t.Fatalf("%s: %v", members, err)
	}
	return r.Workflow
}

func TestDryRun(t *testing.T) { // workflow-definition.md 10.4
	in := dryRunInput(t)
	steps := func(s string) string { return `"steps":[` + s + `]` }
	for _, c := range []struct{ members, want string }{
		{load, ""},
		{`"params":{"a":{"expression":"b + 1","type":"LONG"},"b":{"value":1,"type":"LONG"}},` + load, ""},
		{`"params":{"a":{"expression":"1 +","type":"LONG"}},` + load, "a"},
		{`"params":{"a":{"expression":"throw 'no';","type":"STRING"}},` + load, "no"},
		{`"params":{"a":{"value":"$nowhere","type":"STRING"}},` + load, "nowhere"},
		{`"params":{"FROM_DATE":{"value":"x","type":"STRING"}},` + load, ""},
		{`"params":{"FROM_DATE":{"value":"x","type":"STRING","mode":"CONSTANT"}},` + load, "Cannot modify param with mode [CONSTANT] for parameter [FROM_DATE]"},
		{`"params":{"owner":{"value":"me","type":"STRING"}},` + load, "for parameter [owner]"},
		{`"params":{"m":{"value":{"x":{"type":"LONG"}},"type":"MAP"}},` + load, "[x] is a required parameter (type=[LONG])"},
		{`"timeout":"${limit}","params":{"limit":{"value":90,"type":"LONG"}},` + load, ""},
		{`"timeout":"$n hours","params":{"n":{"expression":"1 + 1","type":"LONG"}},` + load, ""},
		{`"timeout":"${limit} days","params":{"limit":{"value":121,"type":"LONG"}},` + load, "cannot be non-positive or more than system limit: 120 days"},
		{`"timeout":"$",` + load, "cannot be non-positive"},
		{`"timeout":"$limit",` + load, "limit"},
		{`"params":{"s":{"expression":"params.getFromSignal('sig', 'x')","type":"LONG"},"p":{"expression":"params.getFromSignal('q')","type":"LONG"}},"signal_triggers":[{"definitions":{"sig":{}},"params":{"q":{"value":"v","type":"STRING"}}}],` + load, ""},
		{`"params":{"s":{"expression":"params.getFromSignal('other', 'x')","type":"LONG"}},"signal_triggers":[{"definitions":{"sig":{}}}],` + load, "other"},
		{`"params":{"i":{"expression":"params.getFromInstance('INITIATOR_TYPE')","type":"STRING"},"check":{"expression":"if (i != 'VALIDATION') throw i; return i;","type":"STRING"}},` + load, ""},
		{`"time_triggers":[{"type":"CRON","cron":"0 3 * * *","timezone":"GMT+1"}],` + load, "WORKFLOW_CRON_TIMEZONE"},
		{steps(`{"step":{"id":"a","type":"NoOp","transition":{"successors":{"b":"true"}}}},{"step":{"id":"b","type":"NoOp","transition":{"successors":{"a":"true"}}}}`),
			"Invalid workflow definition [w], where DAG contains cycle"},
		{steps(`{"step":{"id":"a","type":"NoOp","transition":{"successors":{"a":"true"}}}}`), "contains cycle"},
		{steps(`{"step":{"id":"a","type":"Titus"}}`), "no runtime"},
		{steps(`{"step":{"id":"a","type":"join"}}`), "no runtime"},
		{steps(`{"template":{"id":"a"}}`), "no runtime"},
		{steps(`{"subworkflow":{"id":"a"}}`), "[subworkflow_id] is a required parameter (type=[STRING])"},
		{steps(`{"step":{"id":"a","type":"subworkflow"}}`), "[subworkflow_id] is a required parameter"},
		{steps(`{"step":{"id":"a","type":"subworkflow","params":{"subworkflow_id":{"value":"x","type":"STRING"}}}}`), ""},
		{steps(`{"subworkflow":{"id":"a","params":{"subworkflow_id":{"value":["x"],"type":"STRING_ARRAY"}}}}`), "ParameterDefinition type mismatch"},
		{steps(`{"step":{"id":"a","type":"Kubernetes"}}`), "[image] is a required parameter (type=[STRING])"},
		{steps(`{"step":{"id":"a","type":"NoOp","params":{"step_id":{"value":"x","type":"STRING"}}}}`), "for parameter [step_id]"},
		{steps(`{"step":{"id":"a","type":"NoOp","params":{"x":{"expression":"nowhere +","type":"LONG"}}}}`), ""},
		{steps(`{"foreach":{"id":"e","params":{"loop_params":{"value":{},"type":"MAP"}},"steps":[{"step":{"id":"a","type":"Titus"}},{"subworkflow":{"id":"b"}},{"step":{"id":"c","type":"NoOp","transition":{"successors":{"c":"true"}}}}]}}`), ""},
	} {
		err := DryRun(context.Background(), workflowOf(t, c.members), in)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: got %v", c.members, err)
		case c.want != "" && (fault.CodeOf(err) != fault.BadRequest || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.members, err, c.want)
		}
	}
}

func TestDryRunWithTemplates(t *testing.T) { // workflow-definition.md 10.4, parameters.md 6.3
	in := dryRunInput(t)
	asked := ""
	in.Templates = func(s *Step, version string) (*param.Definitions, error) {
		asked = version
		if s.SubType == nil {
			return nil, nil
		}
		defs := &param.Definitions{}
		defs.Set("limit", param.Long(5))
		kubernetes := &param.Definitions{}
		kubernetes.Set("image", param.String("example/image"))
		defs.Set("kubernetes", param.Map(kubernetes))
		return defs, nil
	}
	step := func(members string) string { return `"steps":[{"step":{"id":"a","type":"Kubernetes"` + members + `}}]` }
	for _, c := range []struct{ members, want string }{
		{step(`,"sub_type":"spark"`), ""},
		{step(``), "[image] is a required parameter"},
		{step(`,"sub_type":"spark","params":{"limit":{"value":"many","type":"STRING"}}`), "limit"},
		{`"params":{"limit":{"value":"many","type":"STRING"}},` + step(`,"sub_type":"spark"`), "limit"},
		{`"params":{"limit":{"value":7,"type":"LONG"},"job_template_version":{"value":"v3","type":"STRING"}},` + step(`,"sub_type":"spark"`), ""},
	} {
		err := DryRun(context.Background(), workflowOf(t, c.members), in)
		if c.want == "" && err != nil || c.want != "" && (fault.CodeOf(err) != fault.BadRequest || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.members, err, c.want)
		}
	}
	if asked != "v3" {
		t.Errorf("the version of the workflow param: got %q", asked)
	}
	away := errors.New("store is away")
	in.Templates = func(*Step, string) (*param.Definitions, error) { return nil, away }
	if err := DryRun(context.Background(), workflowOf(t, load), in); err != away {
		t.Errorf("a failing lookup: got %v", err)
	}
}

func TestDryRunAnswers(t *testing.T) { // workflow-definition.md 10.1
	bad := fault.New(fault.BadRequest, "x is missing")
	if f := fault.Of(PushFailure("w", bad)); f.Code != fault.BadRequest || !strings.HasPrefix(f.Message, "BAD_REQUEST - Exception during dry run") || len(f.Errors) != 1 || !strings.Contains(f.Errors[0], "x is missing") {
		t.Errorf("push: got %+v", f)
	}
	if f := fault.Of(ValidationFailure(bad)); f.Message != "Invalid workflow create request" || len(f.Errors) != 1 || f.Errors[0] != "x is missing" {
		t.Errorf("validation: got %+v", f)
	}
	nested := bad.With("line 1, column 1: y is null")
	if f := fault.Of(PushFailure("w", nested)); len(f.Errors) != 2 || f.Errors[1] != "line 1, column 1: y is null" {
		t.Errorf("push: got %q", f.Errors)
	}
	if f := fault.Of(ValidationFailure(nested)); len(f.Errors) != 1 || f.Errors[0] != "line 1, column 1: y is null" {
		t.Errorf("validation: got %q", f.Errors)
	}
	away := errors.New("store is away")
	if PushFailure("w", away) != away || ValidationFailure(away) != away {
		t.Error("other errors stay as they are")
	}
}

func TestEnrich(t *testing.T) { // api.md 7.6
	in := dryRunInput(t)
	in.Templates = func(s *Step, version string) (*param.Definitions, error) {
		if version != "" {
			t.Errorf("the workflow param is not looked at: got %q", version)
		}
		defs := &param.Definitions{}
		defs.Set("limit", param.Long(5))
		return defs, nil
	}
	w := workflowOf(t, `"params":{"limit":{"value":7,"type":"LONG"},"job_template_version":{"value":"v3","type":"STRING"}},`+
		`"time_triggers":[{"type":"CRON","cron":"0 3 * * *"},{"type":"CRON","cron":"0 0 30 2 *"}],"steps":[{"step":{"id":"a","type":"NoOp","params":{"own":{"value":"x","type":"STRING"}}}}]`)
	e, err := Enrich(w, in)
	if err != nil {
		t.Fatal(err)
	}
	out := string(e.AppendJSON(nil))
	for _, part := range []string{
		`"limit":{"value":7,"type":"LONG","tags":[],"mode":"MUTABLE","source":"DEFINITION"}`,
		`"a":{"workflow_instance_id":`, `"limit":{"value":5,"type":"LONG","tags":[],"mode":"MUTABLE","source":"TEMPLATE_SCHEMA"}`,
		`"own":{"value":"x","type":"STRING","tags":[],"mode":"MUTABLE","source":"DEFINITION"}`,
		`"next_execution_times":[1735700400000,null],"next_execution_time":1735700400000`,
	} {
		if !strings.Contains(out, part) {
			t.Errorf("%s is not in %s", part, out)
		}
	}
	w.TimeTriggers = []TimeTrigger{}
	if e, err = Enrich(w, in); err != nil || !strings.HasSuffix(string(e.AppendJSON(nil)), `"next_execution_times":[]}`) {
		t.Errorf("an empty list of triggers: got %s, %v", e.AppendJSON(nil), err)
	}
	w.TimeTriggers = nil
	if e, err = Enrich(w, in); err != nil || strings.Contains(string(e.AppendJSON(nil)), "next_execution") {
		t.Errorf("no triggers: got %s, %v", e.AppendJSON(nil), err)
	}
}
