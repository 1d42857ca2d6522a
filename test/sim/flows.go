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
		steps = append(steps, fmt.Sprintf(`{"step":{"id":"%s",%s,"transition":{"successors":{%s}}}}`, stepName(i), s.stepOf(), strings.Join(next, ",")))
	}
	timeout := ""
	if r.IntN(8) == 0 {
		timeout = fmt.Sprintf(`"timeout":"%d seconds",`, 5+r.IntN(200))
	}
	return fmt.Sprintf(`{"properties":{"owner":"sim","run_strategy":%s},"is_active":true,"workflow":{"id":%q,%s"steps":[%s]}}`,
		strategy, workflow, timeout, strings.Join(steps, ","))
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
