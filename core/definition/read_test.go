package definition

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/downbeat/downbeat/core/fault"
)

// push wraps the members of a workflow besides its id in a create request.
func push(members string) string { return `{"workflow":{"id":"w",` + members + `}}` }

const load = `"steps":[{"step":{"id":"load","type":"NoOp"}}]`

// written reads a create request and writes its workflow again, without id and steps where those are
// the usual ones.
func written(t *testing.T, body string) string {
	t.Helper()
	r, err := ReadCreate([]byte(body))
	if err != nil {
		t.Errorf("%s: %v", body, err)
		return ""
	}
	out := string(r.Workflow.AppendJSON(nil))
	if !json.Valid([]byte(out)) {
		t.Errorf("%s is written as %s", body, out)
	}
	again, err := ReadWorkflow([]byte(out))
	if err != nil || string(again.AppendJSON(nil)) != out {
		t.Errorf("%s does not come back: %v", out, err)
	}
	out = strings.TrimSuffix(strings.TrimPrefix(out, `{"id":"w",`), "}")
	return strings.TrimSuffix(strings.TrimSuffix(out, `"steps":[{"step":{"id":"load","transition":{},"type":"NoOp"}}]`), ",")
}

func TestWorkflowMembers(t *testing.T) { // workflow-definition.md 1, 4.5, 5
	for _, c := range []struct{ in, want string }{
		{`"name":"","description":null`, `"name":""`},
		{`"name":1.50`, `"name":"1.50"`},
		{`"tags":["etl",{"name":"tier","namespace":"user_defined","level":2}]`, `"tags":[{"name":"etl"},{"name":"tier","namespace":"USER_DEFINED","level":2}]`},
		{`"tags":[{"name":"a","weight":3,"attributes":{"zone":"b"},"late":null}]`, `"tags":[{"name":"a","zone":"b","late":null}]`},
		{`"tags":[]`, `"tags":[]`},
		{`"timeout":3600.9`, `"timeout":3600`},
		{`"timeout":"3600"`, `"timeout":"3600"`},
		{`"criticality":"High"`, `"criticality":"HIGH"`},
		{`"instance_step_concurrency":"5"`, `"instance_step_concurrency":5`},
		{`"params":{"p":{"value":12.500,"type":"double"}}`, `"params":{"p":{"value":12.500,"type":"DOUBLE"}}`},
		{`"params":{}`, `"params":{}`},
		{`"time_triggers":[{"type":"cron","cron":" 0 3 * * *","timezone":"","fuzzy_max_delay":"10 minutes"}]`,
			`"time_triggers":[{"cron":" 0 3 * * *","fuzzy_max_delay":"10 minutes","timezone":"","type":"CRON"}]`},
		{`"time_triggers":[{"expression":"DAILY","type":"predefined"}]`, `"time_triggers":[{"expression":"@daily","type":"PREDEFINED"}]`},
		{`"time_triggers":[]`, `"time_triggers":[]`},
		{`"signal_triggers":[{"definitions":{"a":{"match_params":{"p":{"value":1.9,"operator":">"},"q":{"operator":"=","value":"x"}},"join_keys":["k",null]}}}]`,
			`"signal_triggers":[{"definitions":{"a":{"match_params":{"p":{"value":1,"operator":">"},"q":{"value":"x","operator":"="}},"join_keys":["k",null]}}}]`},
		{`"signal_triggers":[{"definitions":{"a":{"match_params":{},"join_keys":[]}},"params":{},"condition":"","dedup_expr":""}]`,
			`"signal_triggers":[{"definitions":{"a":{}}}]`},
		{`"signal_triggers":[{"definitions":{}}]`, `"signal_triggers":[{}]`},
	} {
		if got := written(t, push(c.in+","+load)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestStepForms(t *testing.T) { // workflow-definition.md 6
	const loop = `"params":{"loop_params":{"value":{},"type":"MAP"}}`
	for _, c := range []struct{ in, want string }{
		{`{"STEP":{"type":"noop","id":"a"}}`, `{"step":{"id":"a","transition":{},"type":"NoOp"}}`},
		{`{"step":{"params":{},"signal_outputs":[{"name":"o","params":{},"payload":{"any":{"value":true,"type":"BOOLEAN"}}}],"timeout":"1h","tags":["t"],"retry_policy":{},"failure_mode":"ignore_failure","sub_type_version":"v","sub_type":"s","type":"KUBERNETES","transition":{"successors":{"b":true,"c":1,"d":null},"predecessors":[]},"description":"d","name":"n","id":"a"}}`,
			`{"step":{"id":"a","name":"n","description":"d","transition":{"successors":{"b":"true","c":"1","d":null}},"type":"Kubernetes","sub_type":"s","sub_type_version":"v","failure_mode":"IGNORE_FAILURE","retry_policy":{},"tags":[{"name":"t"}],"timeout":"1h","signal_outputs":[{"name":"o","payload":{"any":{"value":true,"type":"BOOLEAN"}}}],"params":{}}}`},
		{`{"step":{"id":"a","type":"NoOp","retry_policy":{"backoff":{"type":"fixed_backoff","error_retry_backoff_in_secs":5},"error_retry_limit":"3"}}}`,
			`{"step":{"id":"a","transition":{},"type":"NoOp","retry_policy":{"error_retry_limit":"3","backoff":{"error_retry_backoff_in_secs":5,"type":"FIXED_BACKOFF"}}}}`},
		{`{"step":{"id":"a","type":"NoOp","signal_dependencies":[{"name":"x","match_params":{"d":{"operator":">=","param":{"expression":"1","type":"LONG"}},"e":{"param":{"type":"STRING"},"operator":"="}}},{"name":"y","match_params":{}}]}}`,
			`{"step":{"id":"a","transition":{},"type":"NoOp","signal_dependencies":[{"name":"x","match_params":{"d":{"param":{"expression":"1","type":"LONG"},"operator":">="},"e":{"param":{"type":"STRING"},"operator":"="}}},{"name":"y"}]}}`},
		{`{"Foreach":{"steps":[],"strict_ordering":false,"concurrency":"7","id":"e","retryPolicy":5,"type":["x"],` + loop + `}}`,
			`{"foreach":{"id":"e","transition":{},"concurrency":7,"strict_ordering":false,"params":{"loop_params":{"value":{},"type":"MAP"}},"steps":[]}}`},
		{`{"while":{"id":"w","condition":true,"steps":[{"step":{"id":"u","type":"sleep"}}],` + loop + `}}`,
			`{"while":{"id":"w","transition":{},"condition":"true","params":{"loop_params":{"value":{},"type":"MAP"}},"steps":[{"step":{"id":"u","transition":{},"type":"Sleep"}}]}}`},
		{`{"subworkflow":{"id":"c","sync":"false","explicit_params":1}}`, `{"subworkflow":{"id":"c","transition":{},"sync":false,"explicit_params":true}}`},
		{`{"template":{"id":"t","sub_type":"x"}}`, `{"template":{"id":"t","sub_type":"x","transition":{}}}`},
	} {
		if got, want := written(t, push(`"steps":[`+c.in+`]`)), `"steps":[`+c.want+`]`; got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, want)
		}
	}
}

func TestReadingRefuses(t *testing.T) { // workflow-definition.md 1, 10.3
	step := func(members string) string {
		return push(`"steps":[{"step":{"id":"a","type":"NoOp",` + members + `}}]`)
	}
	for _, body := range []string{
		"", "  ", "null", "[]", `"x"`, "5", "{", `{"workflow":[]}`, `{"workflow":5}`,
		push(`"owner":"x",` + load), push(`"retry_policy":{},` + load), push(`"ID":"x",` + load),
		push(`"tags":"a",` + load), push(`"tags":[5],` + load), push(`"tags":["a","a"],` + load), push(`"tags":[{"name":"a","namespace":"MINE"}],` + load),
		push(`"timeout":true,` + load), push(`"timeout":-1,` + load), push(`"timeout":[],` + load), push(`"timeout":99999999999999999999,` + load),
		push(`"criticality":"URGENT",` + load), push(`"criticality":" HIGH",` + load), push(`"instance_step_concurrency":"x",` + load),
		push(`"params":[],` + load), push(`"params":{"p":null},` + load), push(`"params":{"p":{"value":1}},` + load), push(`"params":{"p":{"type":"LONG"}},` + load),
		push(`"time_triggers":[{"cron":"0 3 * * *"}],` + load), push(`"time_triggers":[{"type":"DAILY"}],` + load), push(`"time_triggers":[null],` + load),
		push(`"time_triggers":[{"type":"CRON","expression":"@daily"}],` + load), push(`"time_triggers":[{"type":"PREDEFINED","expression":"@annually"}],` + load),
		push(`"signal_triggers":[null],` + load), push(`"signal_triggers":[{"definitions":["a"]}],` + load), push(`"signal_triggers":[{"name":"a"}],` + load),
		push(`"signal_triggers":[{"definitions":{"a":{"match_params":{"k":{"value":true,"operator":"="}}}}}],` + load),
		push(`"signal_triggers":[{"definitions":{"a":{"match_params":{"k":{"value":1,"operator":"!="}}}}}],` + load),
		push(`"signal_triggers":[{"definitions":{"a":{"match_params":{"k":5}}}}],` + load),
		push(`"steps":{}`), push(`"steps":[5]`), push(`"steps":[null]`), push(`"steps":[{}]`), push(`"steps":[{"job":{"id":"a"}}]`), push(`"steps":[{"step":null}]`),
		push(`"steps":[{"step":{"id":"a","type":"NoOp"},"foreach":{"id":"b"}}]`),
		step(`"retryPolicy":{}`), step(`"failureMode":"x"`), step(`"concurrency":3`), step(`"condition":"true"`), step(`"sync":true`), step(`"steps":[]`), step(`"owner":"x"`),
		step(`"failure_mode":"RETRY"`), step(`"failure_mode":""`), step(`"transition":null`), step(`"transition":[]`), step(`"transition":{"successors":["b"]}`),
		step(`"transition":{"successors":{"b":["true"]}}`), step(`"transition":{"predecessors":["b","b"]}`), step(`"transition":{"successor":{}}`),
		step(`"retry_policy":{"backoff":{}}`), step(`"retry_policy":{"backoff":{"type":"LINEAR"}}`), step(`"retry_policy":{"retries":1}`),
		step(`"retry_policy":{"backoff":{"type":"FIXED_BACKOFF","error_retry_exponent":2}}`),
		step(`"signal_dependencies":{"name":"x"}`), step(`"signal_dependencies":[{"name":"x","match_params":{"d":{"operator":"="}}}]`),
		step(`"signal_dependencies":[{"name":"x","match_params":{"d":{"param":{"value":true,"type":"BOOLEAN"},"operator":"="}}}]`),
		step(`"signal_outputs":[{"name":"x","params":{"p":{"type":"LONG"}}}]`), step(`"signal_outputs":[{"name":"x","params":{"p":{"value":1.5,"type":"DOUBLE"}}}]`),
		push(`"steps":[{"step":{"id":"a","type":"Spark"}}]`), push(`"steps":[{"step":{"id":"a","type":""}}]`),
		push(`"steps":[{"foreach":{"id":"a","retry_policy":{}}}]`), push(`"steps":[{"foreach":{"id":"a","strict_order":true}}]`), push(`"steps":[{"while":{"id":"a","concurrency":2}}]`),
		push(`"steps":[{"subworkflow":{"id":"a","steps":[]}}]`), push(`"steps":[{"template":{"id":"a","sub_type_version":"v"}}]`),
		`{"git_info":{"tag":"x"}}`, `{"git_info":"main"}`, `{"extra_info":"x"}`, `{"is_active":"maybe"}`,
		`{"properties":{"criticality":"HIGH"}}`, `{"properties":{"access_control":{}}}`, `{"properties":{"owner":5}}`, `{"properties":{"owner":{"team":"x"}}}`, `{"properties":{"owner":{"name":5}}}`,
		`{"properties":{"run_strategy":"fifo"}}`, `{"properties":{"run_strategy":"5"}}`, `{"properties":{"run_strategy":2.7}}`, `{"properties":{"run_strategy":1.0}}`, `{"properties":{"run_strategy":true}}`,
		`{"properties":{"run_strategy":{"workflow_concurrency":2}}}`, `{"properties":{"run_strategy":{"rule":"sequential","workflow_concurrency":3}}}`,
		`{"properties":{"alerting":{"type_configs":{"step_failure":{}}}}}`, `{"properties":{"alerting":{"phones":[]}}}`,
	} {
		r, err := ReadCreate([]byte(body))
		if err == nil {
			t.Errorf("%s is accepted as %s", body, r.AppendJSON(nil))
		} else if fault.CodeOf(err) != fault.BadRequest {
			t.Errorf("%s: %v is no bad request", body, err)
		}
	}
}

func TestCreateRequestEnvelope(t *testing.T) { // workflow-definition.md 3
	for _, c := range []struct{ in, want string }{
		{`{"workflow":null}`, `{"is_active":true}`},
		{`{"is_active":"false"}`, `{"is_active":false}`},
		{`{"git_info":{"timestamp":"5","branch":"b"},"a":1e10,"properties":null}`, `{"is_active":true,"git_info":{"branch":"b","timestamp":5},"a":1E+10}`},
		{`{"a":1,"extra_info":{"k":1,"n":{"x":[1,null]}},"b":"later"}`, `{"is_active":true,"k":1,"n":{"x":[1,null]},"b":"later"}`},
		{`{"metadata":{"x":1},"note":null}`, `{"is_active":true,"metadata":{"x":1},"note":null}`},
		{`{"properties":{"tags":[],"description":"","time_trigger_disabled":0,"run_strategy":12,"owner":{"team":"x","name":"bob","n":null}}}`,
			`{"properties":{"owner":{"name":"bob","team":"x"},"run_strategy":{"rule":"PARALLEL","workflow_concurrency":12},"time_trigger_disabled":false,"description":"","tags":[]},"is_active":true}`},
		{`{"properties":{"run_strategy":"Last_Only"}}`, `{"properties":{"run_strategy":{"rule":"LAST_ONLY","workflow_concurrency":1}},"is_active":true}`},
		{`{"properties":{"run_strategy":{"rule":"parallel"}}}`, `{"properties":{"run_strategy":{"rule":"PARALLEL","workflow_concurrency":20}},"is_active":true}`},
		{`{"properties":{"alerting":{"emails":["b","a","b"],"slack":{},"bypass_digest_config":{},"type_configs":{"RUN_SUCCESS":{"actions":["EMAIL"]},"STEP_FAILURE":null},"pagerduty_config":{"severity":"info"},"tct":{"tz":"UTC","completed_by_hour":6.9}}}}`,
			`{"properties":{"alerting":{"emails":["b","a"],"slack":{},"bypass_digest_config":{"workflow":false},"tct":{"completed_by_hour":6,"tz":"UTC"},"type_configs":{"RUN_SUCCESS":{"actions":["email"],"disabled":false},"STEP_FAILURE":null},"pagerduty_config":{"severity":"INFO"}}},"is_active":true}`},
	} {
		r, err := ReadCreate([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := string(r.AppendJSON(nil)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
	if r, err := ReadCreate([]byte(`{"is_active":null}`)); err != nil || r.CheckPush() == nil {
		t.Errorf("is_active null is read and refused at push: got %v", err)
	}
}

func violationsOf(t *testing.T, body string) []string {
	t.Helper()
	r, err := ReadCreate([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err = r.Validate(now); err == nil {
		return nil
	}
	return fault.Of(err).Errors
}

// now is 2025-01-01T00:00:00Z.
const now = 1735689600000

func TestValidation(t *testing.T) { // workflow-definition.md 7.2, 10.2
	step := func(members string) string {
		return push(`"steps":[{"step":{"id":"a","type":"NoOp",` + members + `}}]`)
	}
	loop := func(id, name, steps string) string {
		return `{"foreach":{"id":"` + id + `","params":{"loop_params":{"value":{"` + name + `":{"value":[1],"type":"LONG_ARRAY"}},"type":"MAP"}},"steps":[` + steps + `]}}`
	}
	const unit = `{"step":{"id":"u","type":"NoOp"}}`
	for _, c := range []struct {
		body string
		want []string
	}{
		{push(load), nil},
		{`{}`, []string{"workflow [workflow definition] cannot be null"}},
		{push(`"steps":[]`), []string{"workflow.steps [workflow step definitions] cannot be null or empty"}},
		{push(`"steps":[` + strings.TrimSuffix(strings.Repeat(unit+",", 301), ",") + `]`), []string{"workflow.steps [workflow step list] is too large [301] and over the size limit [300]"}},
		{push(`"steps":[` + unit + "," + loop("e", "i", unit) + `]`), []string{"workflow.steps [workflow step definitions] contain duplicate step ids"}},
		{step(`"transition":{"successors":{"z":"true"}}`), []string{"workflow.steps [workflow step transition] is invalid for step [a]'s successor step id [z], which does not exist in steps"}},
		{step(`"transition":{"predecessors":["z"]}`), []string{"workflow.steps [workflow step transition] is invalid for step [a]'s predecessors list [[z]], which does match computed one [null] based on the DAG"}},
		{push(`"instance_step_concurrency":1000,` + load), []string{"workflow.instanceStepConcurrency [workflow definitions] instance_step_concurrency should be positive and less than 1000 - rejected value is [1000]"}},
		{push(`"steps":[` + loop("e", "i", loop("f", "i", unit)) + `]`), []string{"workflow.steps [workflow step definitions] contain duplicate loop param name [i]"}},
		{push(`"steps":[` + loop("e", "i", unit) + "," + loop("f", "i", `{"step":{"id":"v","type":"NoOp"}}`) + `]`), nil},
		{push(`"steps":[` + loop("e", "i", "") + `]`), nil},
		{push(`"steps":[` + loop("e", "i", `{"step":{"id":"u","type":"NoOp","transition":{"successors":{"u":"true"}}}}`) + `]`), nil},
		{push(`"steps":[` + loop("e", "i", `{"template":{"id":"t"}},{"subworkflow":{"id":"s"}}`) + `]`), nil},
		{push(`"steps":[{"step":{"id":"a"}}]`), []string{"workflow.steps[0].type may not be null"}},
		{push(`"steps":[{"step":{"id":"a","type":"foreach"}}]`), []string{"workflow.steps [workflow step definitions] typed step [a] cannot be of the type of a loop"}},
		{push(`"steps":[{"while":{"id":"a","params":{"loop_params":{"value":{},"type":"MAP"}},"steps":[]}}]`), []string{"workflow.steps[0].condition may not be null"}},
		{push(`"steps":[{"while":{"id":"a","condition":"","steps":[]}}]`), []string{"workflow.steps [workflow step definitions] step [a] must have loop_params as a literal MAP"}},
		{push(`"steps":[{"foreach":{"id":"a","concurrency":501,"params":{"loop_params":{"value":{},"type":"MAP"}},"steps":[]}}]`), []string{"workflow.steps[0].concurrency must be less than or equal to 500"}},
		{push(`"steps":[{"foreach":{"id":"a","params":{"loop_params":{"value":{},"type":"MAP"}}}}]`), []string{"workflow.steps[0].steps [workflow step definitions] cannot be null"}},
		{push(`"timeout":"5m","params":{"a__b":{"value":1,"type":"LONG"},"m":{"value":{"1x":{"value":1,"type":"LONG","tags":["t","t"]}},"type":"MAP"}},` + load), []string{
			`workflow.timeout timeout [0 ms]/["5m"] cannot be non-positive or more than system limit: 120 days`,
			"workflow.params[a__b].name [maestro id or name reference] cannot contain the step param separator '__' - rejected value is [a__b]",
			`workflow.params[m].value[1x].name [maestro id or name reference] does not follow the regex rule: [_a-zA-Z][.\-_a-zA-Z0-9]*+ - rejected value is [1x]`,
			"workflow.params[m].value[1x].tags [tag list definition] cannot contain duplicate tag names"}},
		{step(`"timeout":"$"`), nil},
		{step(`"tags":["a","a"],"signal_dependencies":[],"signal_outputs":[{}],"retry_policy":{"error_retry_limit":100}`), []string{
			"workflow.steps[0].tags [tag list definition] cannot contain duplicate tag names",
			"workflow.steps[0].retryPolicy RetryPolicy: error_retry_limit value [100] is parsed to [100] but cannot be less than [0] or more than [99]",
			"workflow.steps[0].signalDependencies signal dependencies definitions cannot be null or empty or contain null elements",
			"workflow.steps[0].signalOutputs Signal step outputs definition doesn't contain mandatory name field"}},
		{step(`"signal_dependencies":[{"name":"x","match_params":{"a":{"param":{"type":"LONG"},"operator":">"},"b":{"param":{"type":"LONG"},"operator":"<"}}}]`),
			[]string{"workflow.steps[0].signalDependencies Invalid signal dependency for signal [x] with more than one range params: [a] and [b]"}},
		{push(`"signal_triggers":[{"definitions":{"a":{"join_keys":["k"]},"b":{}}}],` + load), []string{"workflow.signalTriggers[0] [signal-trigger] the join_keys lengths between signals in the signal triggers must be the same"}},
		{push(`"signal_triggers":[{"definitions":{"a":{"join_keys":["k"],"match_params":{"k":{}}}}}],` + load), []string{"workflow.signalTriggers[0] [signal-trigger] the join_key [k] cannot be used in match_params at the same time"}},
		{push(`"signal_triggers":[{},{"definitions":null},{"definitions":{}},{"definitions":{"not a # good name":{}},"condition":"1 +"}],` + load), nil},
		{push(`"time_triggers":[{"type":"CRON"},{"type":"CRON","cron":"x"},{"type":"CRON","cron":"0 3 * * *","timezone":"PST"},{"type":"CRON","cron":"* * * * *"},{"type":"INTERVAL"},{"type":"PREDEFINED"},{"type":"CRON","cron":"0 0 30 2 *"}],` + load), []string{
			"workflow.timeTriggers[0].cron [cron expression] cannot be null or empty",
			"workflow.timeTriggers[1].cron [cron expression] is not valid - rejected value is [x] - error: [expression has 1 parts, expected 6 or 7]",
			"workflow.timeTriggers[2].timezone [timezone expression] is not valid: Unknown time-zone ID: PST",
			"workflow.timeTriggers[3] [time-trigger] the interval between time triggers is less than the minimal value [120000] millis",
			"workflow.timeTriggers[4] [time-trigger] is not valid - rejected value is [IntervalTimeTrigger] - error: [TimeTrigger nextExecutionDate is not implemented for type: INTERVAL]",
			"workflow.timeTriggers[5].expression may not be null"}},
		{`{"properties":{"step_concurrency":1001,"run_strategy":0,"alerting":{"tct":{}}},"workflow":{"id":"w",` + load + `}}`, []string{
			"properties.runStrategy.workflowConcurrency [workflow properties run_strategy] workflow_concurrency should be positive and no greater than 1000 - rejected value is [0]",
			"properties.alerting.tct [TCT definition] is invalid, one and only one time field has to be set: Tct(completedByHour=null, durationMinutes=null, completedByTs=null, tz=null)"}},
	} {
		got := violationsOf(t, c.body)
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%.200s:\n got %q\nwant %q", c.body, got, c.want)
		}
	}
}

func TestRequestSize(t *testing.T) { // workflow-definition.md 3.1
	of := func(n int) *CreateRequest {
		r, err := ReadCreate([]byte(push(load+`,"description":"`+strings.Repeat("x", n)+`"`) + strings.Repeat(" ", 300000)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	base := len(of(0).AppendJSON(nil))
	var v *fault.Error
	if v = fault.Of(of(MaxRequestBytes - base + 1).Validate(now)); v == nil || len(v.Errors) != 0 ||
		v.Message != `400 BAD_REQUEST "Validation failure": `+"Size of class com.netflix.maestro.models.api.WorkflowCreateRequest is 262145 bytes which is larger than limit of 262144 bytes" {
		t.Errorf("one byte too many: got %v", v)
	}
	if v = fault.Of(of(MaxRequestBytes - base).Validate(now)); len(v.Errors) != 1 {
		t.Errorf("at the limit only the description is too long: got %v", v.Errors)
	}
}

func TestExamplesAreAccepted(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.*")
	if err != nil || len(files) < 10 {
		t.Fatalf("examples: %v %v", files, err)
	}
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var r *CreateRequest
		switch filepath.Ext(f) {
		case ".json":
			r, err = ReadCreate(body)
		case ".yaml":
			r, err = ReadCreateYAML(body, nil)
		default:
			continue
		}
		if err == nil {
			err = r.Validate(now)
		}
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		name := strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))
		if r.Workflow.ID != name {
			t.Errorf("%s holds workflow %s", f, r.Workflow.ID)
		}
	}
}

func FuzzReadCreate(f *testing.F) {
	for _, s := range []string{push(load), push(`"steps":[{"foreach":{"id":"e","params":{"loop_params":{"value":{},"type":"MAP"}},"steps":[]}}]`),
		`{"properties":{"owner":"a","run_strategy":3,"alerting":{"tct":{}}},"x":[1,{"y":null}]}`,
		push(`"time_triggers":[{"type":"CRON","cron":"0 3 * * *"}],"signal_triggers":[{"definitions":{"a":null}}],` + load)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ReadCreate(body)
		if err != nil {
			return
		}
		_ = r.Validate(now)
		out := r.AppendJSON(nil)
		again, err := ReadCreate(out)
		if err != nil {
			t.Fatalf("%q is written as %q: %v", body, out, err)
		}
		if second := again.AppendJSON(nil); !bytes.Equal(out, second) {
			t.Errorf("%q, then %q", out, second)
		}
	})
}
