package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// maxSteps is how many steps a definition may have (workflow-definition.md 5 of Maestro's contract).
const maxSteps = 300

// TestLargest runs definitions of as many steps as there may be, wide, long and without any edge, and compares what is
// read of the run with its graph.
func TestLargest(t *testing.T) {
	shapes := map[string]func(i int) []int{ // the successors of step i, from 1
		"long": func(i int) []int {
			if i == maxSteps {
				return nil
			}
			return []int{i + 1}
		},
		"wide": func(i int) []int {
			switch i {
			case 1:
				var all []int
				for k := 2; k < maxSteps; k++ {
					all = append(all, k)
				}
				return all
			case maxSteps:
				return nil
			}
			return []int{maxSteps}
		},
		"apart": func(int) []int { return nil },
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	base := startLocal(ctx, t) + "/api/v3/workflows"
	for name, successors := range shapes {
		t.Run(name, func(t *testing.T) {
			p := &play{t: t, ctx: ctx, base: base, id: "largest." + name}
			predecessors := map[string][]string{}
			var steps []string
			for i := 1; i <= maxSteps; i++ {
				var next []string
				for _, k := range successors(i) {
					next = append(next, fmt.Sprintf(`"job.%d": "true"`, k))
					predecessors[job(k)] = append(predecessors[job(k)], job(i))
				}
				steps = append(steps, fmt.Sprintf(`{"step": {"id": "job.%d", "type": "NoOp", "transition": {"successors": {%s}}}}`, i, strings.Join(next, ", ")))
			}
			p.do(http.MethodPost, "", fmt.Sprintf(`{"properties": {"owner": "ann"}, "workflow": {"id": %q, "steps": [%s]}}`, p.id, strings.Join(steps, ",")), nil)
			p.start()
			p.await(1, "SUCCEEDED")

			run := p.instance(1)
			done := run.Overview.Steps["SUCCEEDED"]
			if run.Overview.Total != maxSteps || len(run.Overview.Steps) != 1 || done.Count != maxSteps || len(done.Steps) != maxSteps {
				t.Errorf("overview of %d steps: %d statuses, %d succeeded, %d listed", run.Overview.Total, len(run.Overview.Steps), done.Count, len(done.Steps))
			}
			for i, triple := range done.Steps {
				if len(triple) != 3 || triple[0] != int64(i+1) || triple[1] == 0 || triple[2] < triple[1] {
					t.Fatalf("overview entry %d is %v", i+1, triple)
				}
			}
			if run.Overview.Rollup.Leaves != maxSteps || run.Overview.Rollup.Overview["SUCCEEDED"].Count != maxSteps {
				t.Errorf("rollup: %+v", run.Overview.Rollup)
			}
			if len(run.DAG) != maxSteps || len(run.Aggregated.Steps) != maxSteps {
				t.Fatalf("%d steps in the graph, %d in the view", len(run.DAG), len(run.Aggregated.Steps))
			}
			for i := 1; i <= maxSteps; i++ {
				node, view := run.DAG[job(i)], run.Aggregated.Steps[job(i)]
				if len(node.Successors) != len(successors(i)) || len(node.Predecessors) != len(predecessors[job(i)]) {
					t.Errorf("%s has %d successors and %d predecessors in the run", job(i), len(node.Successors), len(node.Predecessors))
				}
				if view.Status != "SUCCEEDED" || view.Run != 1 {
					t.Errorf("%s: %+v", job(i), view)
				}
				for _, before := range predecessors[job(i)] {
					if b := run.Aggregated.Steps[before]; b.End > view.Start {
						t.Errorf("%s began at %d, before %s ended at %d", job(i), view.Start, before, b.End)
					}
				}
			}

			var attempts []attempt
			p.do(http.MethodGet, "/"+p.id+"/instances/1/runs/1/steps", "", &attempts)
			seen := map[string]bool{}
			for i, at := range attempts {
				if seen[at.Step] || at.Attempt != 1 || at.State.Status != "SUCCEEDED" || i > 0 && at.Ordinal <= attempts[i-1].Ordinal {
					t.Errorf("attempt %d of %s, step instance %d, is %s", at.Attempt, at.Step, at.Ordinal, at.State.Status)
				}
				seen[at.Step] = true
			}
			if len(seen) != maxSteps {
				t.Errorf("%d steps are listed", len(seen))
			}
		})
	}
}

func job(i int) string { return fmt.Sprintf("job.%d", i) }

// TestTooManySteps: one step more is refused.
func TestTooManySteps(t *testing.T) {
	base := startLocal(t.Context(), t) + "/api/v3/workflows"
	var steps []string
	for i := 0; i <= maxSteps; i++ {
		steps = append(steps, fmt.Sprintf(`{"step": {"id": "job.%d", "type": "NoOp"}}`, i))
	}
	a, err := call(t.Context(), http.MethodPost, base, "application/json", fmt.Sprintf(`{"properties": {"owner": "ann"}, "workflow": {"id": "w", "steps": [%s]}}`, strings.Join(steps, ",")))
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "workflow.steps") || !strings.Contains(string(a.body), "300") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
