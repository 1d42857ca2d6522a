package sim

import (
	"fmt"
	"strings"
)

// The workflow ids of a simulation. How many of them a seed has is drawn.
var workflowIDs = []string{"alpha", "beta", "gamma"}

// strategies are what a workflow may be pushed with or changed to.
var strategies = []string{
	`"SEQUENTIAL"`, `"STRICT_SEQUENTIAL"`, `{"rule":"PARALLEL","workflow_concurrency":3}`, `"FIRST_ONLY"`, `"LAST_ONLY"`, `"SERIAL_LATEST_ONLY"`,
}

// sharedTags are tags that steps of all workflows may have, and that limits are set for.
var sharedTags = []string{"shared", "scarce"}

// maxSteps is how many steps a definition has at most.
const maxSteps = 9

func stepName(i int) string { return fmt.Sprintf("s%d", i) }

// definitionOf draws a workflow: a random DAG of control steps and of jobs that run outside, some of which fail, with
// conditions, retries, timeouts and failure modes.
func (s *system) definitionOf(workflow, strategy string) string {
	r := s.w.rng
	n, edges := 1+r.IntN(4), 3
	if r.IntN(8) == 0 {
		// A wide one: with many jobs outside at once, completions go through their queue and are folded together.
		n, edges = maxSteps-r.IntN(3), 12
	}
	var steps []string
	for i := range n {
		var next []string
		for j := i + 1; j < n; j++ {
			if r.IntN(edges) == 0 {
				next = append(next, fmt.Sprintf(`"%s":%q`, stepName(j), []string{"true", "true", "1 < 2", "false"}[r.IntN(4)]))
			}
		}
		transition := fmt.Sprintf(`"transition":{"successors":{%s}}`, strings.Join(next, ","))
		if nested := s.nestedOf(workflow, stepName(i), transition); nested != "" {
			steps = append(steps, nested)
			continue
		}
		steps = append(steps, fmt.Sprintf(`{"step":{"id":"%s",%s,%s}}`, stepName(i), s.stepOf(), transition))
	}
	timeout := ""
	if r.IntN(8) == 0 {
		timeout = fmt.Sprintf(`"timeout":"%d seconds",`, 5+r.IntN(200))
	}
	return fmt.Sprintf(`{"properties":{"owner":"sim","run_strategy":%s},"is_active":true,"workflow":{"id":%q,%s%s"steps":[%s]}}`,
		strategy, workflow, timeout, s.timeTriggersOf(), strings.Join(steps, ","))
}

// nestedOf draws a loop, or a step that starts one of the workflows after this one in their order; "" for a step that is
// neither.
func (s *system) nestedOf(workflow, id, transition string) string {
	r := s.w.rng
	if !s.nesting || r.IntN(3) != 0 {
		return ""
	}
	body := fmt.Sprintf(`{"step":{"id":"%[1]sa","transition":{"successors":{"%[1]sb":"true"}},%[2]s}},{"step":{"id":"%[1]sb","type":"NoOp","params":{"k":{"type":"LONG","expression":"1"}}}}`, id, s.stepOf())
	mode := fmt.Sprintf(`"failure_mode":%q`, []string{"FAIL_AFTER_RUNNING", "FAIL_IMMEDIATELY", "IGNORE_FAILURE"}[r.IntN(3)])
	switch later := s.after(workflow); {
	case len(later) > 0 && r.IntN(3) == 0:
		return fmt.Sprintf(`{"subworkflow":{"id":%q,%s,%s,"sync":%v,"params":{"subworkflow_id":{"type":"STRING","value":%q}}}}`,
			id, transition, mode, r.IntN(4) != 0, later[r.IntN(len(later))])
	case r.IntN(3) == 0:
		return fmt.Sprintf(`{"while":{"id":%q,%s,%s,"condition":"k < 1","params":{"loop_params":{"type":"MAP","value":{"k":{"type":"LONG","value":0}}}},"steps":[%s]}}`,
			id, transition, mode, body)
	}
	return fmt.Sprintf(`{"foreach":{"id":%q,%s,%s,"concurrency":%d,"strict_ordering":%v,"params":{"loop_params":{"type":"MAP","value":{"n":{"type":"LONG_ARRAY","value":[1,2,3]}}}},"steps":[%s]}}`,
		id, transition, mode, 1+r.IntN(3), r.IntN(3) == 0, body)
}

// after are the workflow ids behind one.
func (s *system) after(workflow string) []string {
	for i, id := range s.ids {
		if id == workflow {
			return s.ids[i+1:]
		}
	}
	return nil
}

// stepOf draws the members of a step but its id and transition.
func (s *system) stepOf() string {
	r := s.w.rng
	body := `"type":"NoOp"`
	switch r.IntN(5) {
	case 0:
		body = fmt.Sprintf(`"type":"Sleep","params":{"sleep_seconds":{"value":%d,"type":"LONG"}}`, r.IntN(20))
	case 1, 2, 3:
		var outcomes []string
		for range 1 + r.IntN(3) {
			outcomes = append(outcomes, fmt.Sprintf("%q", []string{"DONE", "DONE", "DONE", "USER_ERROR", "PLATFORM_ERROR", "FATAL_ERROR", "TIMED_OUT"}[r.IntN(7)]))
		}
		duration := r.IntN(90_000)
		if r.IntN(15) == 0 {
			duration *= 8 // longer than leases and claims
		}
		body = fmt.Sprintf(`"type":"Simulated","params":{"job_duration":{"value":%d,"type":"LONG"},"outcome":{"value":[%s],"type":"STRING_ARRAY"},`+
			`"event":{"value":"%s","type":"STRING"}},`+
			`"retry_policy":{"error_retry_limit":%d,"platform_retry_limit":%d,"timeout_retry_limit":%d,"backoff":{"type":"FIXED_BACKOFF","error_retry_backoff_in_secs":%d,"platform_retry_backoff_in_secs":3,"timeout_retry_backoff_in_secs":%d}}`,
			duration, strings.Join(outcomes, ","), []string{"NORMAL", "NORMAL", "LOST", "EARLY", "DUPLICATE"}[r.IntN(5)],
			r.IntN(3), r.IntN(3), r.IntN(2), 1+r.IntN(40), 1+r.IntN(40))
		if r.IntN(5) == 0 {
			body += fmt.Sprintf(`,"timeout":"%d seconds"`, 1+r.IntN(60))
		}
	}
	if r.IntN(2) == 0 {
		tags := sharedTags[r.IntN(2):][:1]
		if r.IntN(4) == 0 {
			tags = sharedTags // of two heads, taken in one transaction
		}
		body += fmt.Sprintf(`,"tags":["%s"]`, strings.Join(tags, `","`))
	}
	if r.IntN(16) == 0 {
		body += `,"signal_dependencies":[{"name":"never"}]` // nobody announces it: only a bypass helps
	}
	return body + fmt.Sprintf(`,"failure_mode":%q`, []string{"FAIL_AFTER_RUNNING", "FAIL_AFTER_RUNNING", "FAIL_IMMEDIATELY", "IGNORE_FAILURE"}[r.IntN(4)])
}
