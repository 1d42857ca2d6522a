package definition

import (
	"errors"
	"strings"
	"testing"
)

// dsl wraps jobs in a document; head are other keys of the workflow.
func dsl(head, jobs string) string {
	return "workflow: {id: w" + head + ", jobs: [" + jobs + "]}"
}

func shellTemplate(jobType, version string) (StepType, bool, error) {
	switch {
	case jobType == "shell" && version == "default":
		return Notebook, true, nil
	case jobType == "shell" && version == "v2":
		return Kubernetes, true, nil
	case jobType == "broken":
		return "", false, errors.New("store is away")
	}
	return "", false, nil
}

// converted gives the workflow that a document becomes, without its id.
func converted(t *testing.T, document string) string {
	t.Helper()
	r, err := ReadCreateYAML([]byte(document), shellTemplate)
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(string(r.Workflow.AppendJSON(nil)), `{"id":"w",`)
}

func TestExampleOfTheShorthand(t *testing.T) { // workflow-definition.md 8.7
	r, err := ReadCreateYAML([]byte(`workflow:
  id: nightly
  owner: alice
  run_strategy: parallel
  workflow_concurrency: 3
  region: eu
  "!today<string>(immutable)": "return TARGET_RUN_DATE;"
  jobs:
    - job: {id: extract, type: NoOp, "rows<long>": 10,
            transition: ["IF rows > 100 THEN big", "OTHERWISE small"]}
    - job: {id: big, type: sleep, sleep_seconds: 5}
    - foreach:
        id: small
        ranges: {i: {to: 3}}
        jobs:
          - job: {id: one, type: noop}
          - job: {id: two, type: noop}
        dag: sequential
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"properties":{"owner":"alice","run_strategy":{"rule":"PARALLEL","workflow_concurrency":3},"step_concurrency":20},` +
		`"workflow":{"id":"nightly","params":{"region":{"value":"eu","type":"STRING"},"today":{"expression":"return TARGET_RUN_DATE;","type":"STRING","mode":"IMMUTABLE"}},` +
		`"steps":[{"step":{"id":"extract","transition":{"successors":{"big":"rows > 100","small":"!((rows > 100))"}},"type":"NoOp","params":{"rows":{"value":10,"type":"LONG"}}}},` +
		`{"step":{"id":"big","transition":{},"type":"Sleep","params":{"sleep_seconds":{"value":5,"type":"LONG"}}}},` +
		`{"foreach":{"id":"small","transition":{},"params":{"loop_params":{"value":{"i":{"expression":"Util.intsBetween(0, 3, 1);","type":"LONG_ARRAY"}},"type":"MAP"}},` +
		`"steps":[{"step":{"id":"one","transition":{"successors":{"two":"true"}},"type":"NoOp","params":{}}},{"step":{"id":"two","transition":{},"type":"NoOp","params":{}}}]}}]},"is_active":true}`
	if got := string(r.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestShorthandParams(t *testing.T) { // workflow-definition.md 8.6
	for _, c := range []struct{ entry, want string }{
		{"x: a", `"x":{"value":"a","type":"STRING"}`},
		{"x: 5", `"x":{"value":5,"type":"LONG"}`},
		{"x: 1e3", `"x":{"value":1000.0,"type":"DOUBLE"}`},
		{"x: yes", `"x":{"value":true,"type":"BOOLEAN"}`},
		{"x: {a: b}", `"x":{"value":{"a":"b"},"type":"STRING_MAP"}`},
		{"x: {a: b, '!c<long>': 12}", `"x":{"value":{"a":{"value":"b","type":"STRING"},"c":{"expression":"12","type":"LONG"}},"type":"MAP"}`},
		{"x: {}", `"x":{"value":{},"type":"MAP"}`},
		{"x<pmap>: {a: b}", `"x":{"value":{"a":{"value":"b","type":"STRING"}},"type":"MAP"}`},
		{"x: []", `"x":{"value":[],"type":"STRING_ARRAY"}`},
		{"'x<array<double>>': []", `"x":{"value":[],"type":"DOUBLE_ARRAY"}`},
		{"x: [1, 2.5]", `"x":{"value":[1,2],"type":"LONG_ARRAY"}`},
		{"x: [2.5, 1]", `"x":{"value":[2.5,1.0],"type":"DOUBLE_ARRAY"}`},
		{"x: [true, no]", `"x":{"value":[true,false],"type":"BOOLEAN_ARRAY"}`},
		{"'x<LONG_ARRAY>': [1]", `"x":{"value":[1],"type":"LONG_ARRAY"}`},
		{"' x < long > ( Mutable_On_Start ) ': 1", `"x":{"value":1,"type":"LONG","mode":"MUTABLE_ON_START"}`},
		{"'x(constant)<long>': a", `"x":{"value":"a","type":"STRING","mode":"CONSTANT"}`},
		{"'!x': 5", `"x":{"expression":"5","type":"STRING"}`},
		{"'! x<array<long>>': 'new long[]'", `"x":{"expression":"new long[]","type":"LONG_ARRAY"}`},
	} {
		want := `"params":{` + c.want + `},"steps":[]}`
		if got := converted(t, dsl(", "+strings.Replace(c.entry, "x<pmap>", "'x<pmap>'", 1), "")); got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.entry, got, want)
		}
	}
}

func TestShorthandJobs(t *testing.T) { // workflow-definition.md 8.2 to 8.5
	for _, c := range []struct{ name, document, want string }{
		{"all keys of a job", dsl("", "job: {id: a, name: n, description: d, type: HTTP, failure_mode: ignore_failure, tags: [t], timeout: 30, job_params: {q: 1}, p: x}"),
			`"params":{},"steps":[{"step":{"id":"a","name":"n","description":"d","transition":{},"type":"Http","failure_mode":"IGNORE_FAILURE","tags":[{"name":"t"}],"timeout":"30","params":{"q":{"value":1,"type":"LONG"},"p":{"value":"x","type":"STRING"}}}}]}`},
		{"job_params sets all", dsl("", "job: {id: a, type: noop, rows: 5, job_params: {inner: x}}"),
			`"params":{},"steps":[{"step":{"id":"a","transition":{},"type":"NoOp","params":{"inner":{"value":"x","type":"STRING"}}}}]}`},
		{"job_params null", dsl("", "job: {id: a, type: noop, job_params: null}"), `"params":{},"steps":[{"step":{"id":"a","transition":{},"type":"NoOp"}}]}`},
		{"a job template", dsl("", "job: {id: a, type: shell}"), `"params":{},"steps":[{"step":{"id":"a","transition":{},"type":"Notebook","sub_type":"shell","params":{}}}]}`},
		{"its version is only looked up", dsl("", "job: {id: a, type: shell, type_version: v2}"), `"params":{},"steps":[{"step":{"id":"a","transition":{},"type":"Kubernetes","sub_type":"shell","params":{}}}]}`},
		{"subworkflow", dsl("", "Subworkflow: {id: a, version: 3, sync: no, explicit_params: yes, day: x}"),
			`"params":{},"steps":[{"subworkflow":{"id":"a","transition":{},"sync":false,"explicit_params":true,"params":{"subworkflow_id":{"value":"a","type":"STRING"},"subworkflow_version":{"value":"3","type":"STRING"},"day":{"value":"x","type":"STRING"}}}}]}`},
		{"while", dsl("", "while: {id: a, condition: k < 3, params: {k: 0}, jobs: []}"),
			`"params":{},"steps":[{"while":{"id":"a","transition":{},"condition":"k < 3","params":{"loop_params":{"value":{"k":{"value":0,"type":"LONG"}},"type":"MAP"}},"steps":[]}}]}`},
		{"while without loop params", dsl("", "while: {id: a, condition: 'false', jobs: []}"), `"params":{},"steps":[{"while":{"id":"a","transition":{},"condition":"false","params":{},"steps":[]}}]}`},
		{"ranges go over loop params", dsl("", "foreach: {id: a, job_concurrency: 4, loop_params: {i: [1], j: [a]}, ranges: {i: {from: '2', to: 5.9, increment: 2}, k: {from: 1}}, jobs: []}"),
			`"params":{},"steps":[{"foreach":{"id":"a","transition":{},"concurrency":4,"params":{"loop_params":{"value":{"i":{"expression":"Util.intsBetween(2, 5, 2);","type":"LONG_ARRAY"},"j":{"value":["a"],"type":"STRING_ARRAY"},"k":{"expression":"Util.intsBetween(1, null, 1);","type":"LONG_ARRAY"}},"type":"MAP"}},"steps":[]}}]}`},
		{"unknown keys are params", dsl("", "foreach: {id: a, type: NoOp, strict_ordering: true, jobs: []}"),
			`"params":{},"steps":[{"foreach":{"id":"a","transition":{},"params":{"loop_params":{"value":{},"type":"MAP"},"type":{"value":"NoOp","type":"STRING"},"strict_ordering":{"value":true,"type":"BOOLEAN"}},"steps":[]}}]}`},
		{"transitions", dsl("", "job: {id: a, type: noop, transition: [b, 'if x THEN 1 then c', IF y THEN b, '', null, otherwise d]}"),
			`"params":{},"steps":[{"step":{"id":"a","transition":{"successors":{"b":"y","c":"x THEN 1","d":"!((x THEN 1) || (y))"}},"type":"NoOp","params":{}}}]}`},
		{"OTHERWISE alone", dsl("", "job: {id: a, type: noop, transition: [' b ', OTHERWISE c]}"),
			`"params":{},"steps":[{"step":{"id":"a","transition":{"successors":{"b":"true","c":"true"}},"type":"NoOp","params":{}}}]}`},
		{"a map of transitions; own ones win, a text is a list of one", dsl(", dag: {a: [b], b: c, c: [a]}", "job: {id: a, type: noop}, job: {id: b, type: noop}"), "DAG transition refers to an unknown job id: [c]"},
		{"a text in a map of transitions", dsl(", dag: {a: b}", "{job: {id: a, type: noop}}, {job: {id: b, type: noop, transition: []}}"),
			`"params":{},"steps":[{"step":{"id":"a","transition":{"successors":{"b":"true"}},"type":"NoOp","params":{}}},{"step":{"id":"b","transition":{},"type":"NoOp","params":{}}}]}`},
		{"free keys before workflow_params are lost", dsl(", a: 1, workflow_params: {b: 2}, c: 3", ""), `"params":{"b":{"value":2,"type":"LONG"},"c":{"value":3,"type":"LONG"}},"steps":[]}`},
		{"what the SDK emits", dsl(", tags: []", "foreach: {id: a, tags: [], transition: [], loop_params: {}, ranges: {}, jobs: []}"),
			`"tags":[],"params":{},"steps":[{"foreach":{"id":"a","transition":{},"tags":[],"params":{"loop_params":{"value":{},"type":"MAP"}},"steps":[]}}]}`},
	} {
		got := converted(t, c.document)
		got = strings.TrimPrefix(got, "BAD_REQUEST: ")
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestShorthandRefuses(t *testing.T) { // workflow-definition.md 8, api.md 23.7
	for _, c := range []struct{ document, want string }{
		{"", "empty"},
		{"flow: {}", "Unrecognized field"},
		{"workflow: {}\nWorkflow: {}", "both"},
		{"workflow:", "must be a map"},
		{"- a", "must be a map"},
		{dsl(", owner: [a]", ""), "owner must be a scalar"},
		{dsl(", run_strategy: {rule: parallel}", ""), "run_strategy must be a scalar"},
		{dsl(", run_strategy: 5", ""), "unknown run strategy rule [5]"},
		{dsl(", run_strategy: sequential, workflow_concurrency: 2", ""), "Only PARALLEL run strategy allows"},
		{dsl(", workflow_concurrency: x", ""), "workflow_concurrency must be a number"},
		{dsl(", tags: a", ""), "tags must be a list"},
		{dsl(", workflow_params: [a]", ""), "workflow_params must be a map"},
		{dsl(", dag: random", ""), "Invalid DAG order: random. Supported orders are SEQUENTIAL and PARALLEL."},
		{dsl(", dag: [a]", ""), "Dag value only supports an order string or a transition map."},
		{dsl(", dag: {a: {b: c}}", "job: {id: a, type: noop}"), "transition must be a list"},
		{dsl("", "{id: a}"), "Could not resolve type id 'id'"},
		{dsl("", "{job: {id: a, type: noop}, foreach: {id: b}}"), "single key"},
		{dsl("", "job: [a]"), "'job' must be a map"},
		{dsl("", "job: {id: a}"), "type cannot be null for job id: [a]"},
		{dsl("", "job: {id: a, type: nothing}"), "cannot find step type for job id: [a] with job type: [nothing]"},
		{dsl("", "job: {id: a, type: shell, type_version: v9}"), "cannot find step type"},
		{dsl("", "job: {id: a, type: noop, transition: b}"), "transition must be a list"},
		{dsl("", "job: {id: a, type: noop, transition: [{b: x}]}"), "transition must be a list of texts"},
		{dsl("", "job: {id: a, type: noop, transition: ['  ']}"), "Invalid transition: [  ]. Expected formats: 'job_id', 'IF condition THEN job_id', or 'OTHERWISE job_id'"},
		{dsl("", "job: {id: a, type: noop, transition: [1b]}"), "Invalid transition: [1b]"},
		{dsl("", "job: {id: a, type: noop, transition: [IF x b]}"), "Invalid transition"},
		{dsl("", "job: {id: a, type: noop, transition: [OTHERWISE b, c]}"), "'OTHERWISE' must be the last row in the transition list: [[OTHERWISE b, c]]"},
		{dsl("", "foreach: {id: a, ranges: {i: {until: 3}}, jobs: []}"), `Unrecognized field "until"`},
		{dsl("", "foreach: {id: a, ranges: {i: {to: x}}, jobs: []}"), "must be a number"},
		{dsl("", "foreach: {id: a, ranges: {i: 3}, jobs: []}"), "must be a map"},
		{dsl(", x: null", ""), "param value for param [x] cannot be null"},
		{dsl(", 'x<double>': 5", ""), "Type mismatch for param [x]: specified type [DOUBLE] does not match implied type [LONG] from its value: [5]"},
		{dsl(", 'x<map>': {}", ""), "Type mismatch for param [x]: specified type [STRING_MAP] does not match implied type [MAP] from its value: [{}]"},
		{dsl(", x: [[1]]", ""), "Invalid type for array param: [[[1]]]"},
		{dsl(", x: [1, a]", ""), "not all of the type of the first"},
		{dsl(", x: [a, 1]", ""), "not all of the type of the first"},
		{dsl(", x: [true, 1]", ""), "not all of the type of the first"},
		{dsl(", 'x(frozen)': a", ""), "Invalid param mode [frozen] in param name [x(frozen)]"},
		{dsl(", 'x<text>': a", ""), "Invalid param type [text]"},
		{dsl(", '!': 1", ""), "param name cannot be empty after parsing name: [!]"},
		{dsl(", a: 1, '!a': '2'", ""), "There is a duplicate key with values [1] and [2]"},
		{dsl(", time_triggers: [{type: CRON}]", ""), "Invalid type for array param"},
		{"workflow: {id: x", ""},
	} {
		_, err := ReadCreateYAML([]byte(c.document), shellTemplate)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "BAD_REQUEST") {
			t.Errorf("%s: got %v, want %q", c.document, err, c.want)
		}
	}
	if _, err := ReadCreateYAML([]byte(dsl("", "job: {id: a, type: broken}")), shellTemplate); err == nil || strings.HasPrefix(err.Error(), "BAD_REQUEST") {
		t.Errorf("a failing lookup is no fault of the document: got %v", err)
	}
}

func FuzzReadCreateYAML(f *testing.F) {
	f.Add([]byte(dsl(", 'x<array<long>>(constant)': [1]", "job: {id: a, type: shell, transition: [IF x THEN b, OTHERWISE c]}")))
	f.Add([]byte(dsl(", dag: {a: [b]}", "foreach: {id: a, ranges: {i: {to: 3}}, dag: sequential, jobs: [{job: {id: u, type: noop}}]}")))
	f.Add([]byte("Workflow:\n  id: w\n  '!p': &a |\n    x\n  q: *a\n  jobs:\n  - while: {id: a, loop_params: {k: 0}}\n"))
	f.Fuzz(func(t *testing.T, document []byte) {
		r, err := ReadCreateYAML(document, shellTemplate)
		if err != nil {
			return
		}
		_ = r.Validate(now)
		if _, err := ReadCreate(r.AppendJSON(nil)); err != nil {
			t.Errorf("%q becomes %s, which is refused: %v", document, r.AppendJSON(nil), err)
		}
	})
}
