package jobs

import "testing"

// Every workload ends, without a dead letter and within the budget of its steps.
func TestWithinBudgets(t *testing.T) {
	for _, w := range Workloads() {
		if w.WriteUnits == 0 && testing.Short() {
			continue // what has no budget is for those who compare
		}
		t.Run(w.Name, func(t *testing.T) {
			r, err := Measure(w, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range r.Lines() {
				t.Log(line)
			}
			if r.Dead > 0 {
				t.Errorf("%d messages reached a dead-letter queue", r.Dead)
			}
			for _, over := range r.Over {
				t.Error(over)
			}
		})
	}
}
