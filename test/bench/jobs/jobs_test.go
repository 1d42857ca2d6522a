package jobs

import (
	"maps"
	"slices"
	"testing"
)

// Every workload ends, without a dead letter and within the budget of its steps.
func TestWithinBudgets(t *testing.T) {
	for _, w := range Workloads() {
		t.Run(w.Name, func(t *testing.T) {
			r, err := Measure(w, 1)
			if err != nil {
				t.Fatal(err)
			}
			spent := r.Spent
			r.Spent = nil
			t.Logf("%+v", r)
			for _, kind := range slices.Sorted(maps.Keys(spent)) {
				t.Logf("%8.2f %s", spent[kind], kind)
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
