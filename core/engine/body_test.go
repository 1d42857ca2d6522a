package engine

import (
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/step"
)

var doneResult = step.Result{State: step.Done, Running: true}

// testStep is a step of a test workflow, written as
//
//	id [Type] [key=value …] [-> successor, successor[condition] …]
//
// with the keys mode (ignore, now), timeout (seconds), retries (n of user errors, 60 s apart), timeouts (n retries after
// a timeout), sleep (seconds), tags (a,b) and after (declared predecessors).
type testStep struct {
	id         string
	def        Step
	after      []string
	successors []dag.Edge
}

// fataler is a test, a benchmark or a property.
type fataler interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

func parseTestStep(t fataler, line string) testStep {
	head, tail, _ := strings.Cut(line, "->")
	f := strings.Fields(head)
	s := testStep{id: f[0], def: Step{ID: f[0], Type: definition.NoOp}}
	params := &param.Definitions{}
	for _, word := range f[1:] {
		key, value, option := strings.Cut(word, "=")
		if !option {
			typ, ok := definition.ParseStepType(word)
			if !ok {
				t.Fatalf("no step type %s", word)
			}
			s.def.Type = typ
			continue
		}
		number := func() int64 {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if s.def.RetryPolicy == nil && (key == "retries" || key == "timeouts") {
			s.def.RetryPolicy = &definition.RetryPolicy{
				ErrorRetryLimit: definition.LongNumber(2), Backoff: &definition.Backoff{Type: definition.FixedBackoff},
			}
		}
		switch key {
		case "mode":
			s.def.FailureMode = map[string]definition.FailureMode{"ignore": definition.IgnoreFailure, "now": definition.FailImmediately}[value]
		case "timeout":
			s.def.Timeout = definition.LongText(value)
		case "retries":
			s.def.RetryPolicy.ErrorRetryLimit = definition.LongNumber(number())
		case "timeouts":
			s.def.RetryPolicy.TimeoutRetryLimit = definition.LongNumber(number())
		case "sleep":
			params.Set("sleep_seconds", param.Long(number()))
		case "tags":
			for _, name := range strings.Split(value, ",") {
				s.def.Tags = append(s.def.Tags, param.Tag{Name: name})
			}
		case "after":
			s.after = strings.Split(value, ",")
		default:
			t.Fatalf("unknown key %s", key)
		}
	}
	if s.def.Type == definition.HTTP {
		url := &param.Definitions{}
		url.Set("url", param.String("http://x"))
		params.Set("http", param.Map(url))
	}
	if params.Len() > 0 {
		s.def.Params = params
	}
	for _, to := range strings.Split(tail, ",") {
		to = strings.TrimSpace(to)
		if to == "" {
			continue
		}
		id, condition, ok := strings.Cut(to, "[")
		e := dag.Edge{To: id, Condition: "true"}
		if ok {
			e.Condition = strings.TrimSuffix(condition, "]")
		}
		s.successors = append(s.successors, e)
	}
	return s
}

func testBody(t fataler, steps []testStep) *Body {
	workflow := &Workflow{ID: "w"}
	for _, s := range steps {
		s.def.Transition = dag.Transition{Predecessors: s.after, Successors: s.successors}
		workflow.Steps = append(workflow.Steps, &s.def)
	}
	g, err := dag.Fresh("w", workflow.Nodes())
	if err != nil {
		t.Fatal(err)
	}
	return &Body{
		WorkflowID: "w", InternalID: 10000, VersionID: 1, InstanceID: 1, RunID: 1, UUID: "6f1c1b0e-9a55-4d8b-8f14-3d2f6f0b9b01",
		CorrelationID: "w:1:1", GroupInfo: 3, Policy: StartFreshNewRun, CreateTime: scriptEpoch, Workflow: workflow, DAG: g,
	}
}

func planTestRestart(st *State, request RestartRequest, env *testEnv) (*Body, error) {
	return PlanRestart(st, request, env)
}
