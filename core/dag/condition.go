package dag

import "github.com/downbeat/downbeat/core/sel"

// ConditionError is a condition that cannot be compiled. A push accepts it, as Maestro does; the step
// fails when it completes (workflow-definition.md 14), so a caller may only warn.
type ConditionError struct {
	StepID    string
	Successor string
	Err       error
}

func (e *ConditionError) Error() string {
	return "condition from step [" + e.StepID + "] to [" + e.Successor + "]: " + e.Err.Error()
}

func (e *ConditionError) Unwrap() error { return e.Err }

// CompileConditions compiles all conditions, which also puts them into the cache of programs, and
// returns those that do not compile, in order. The condition "true" and null ones are skipped.
func CompileConditions(nodes []Node) []*ConditionError {
	var bad []*ConditionError
	for i := range nodes {
		for _, e := range nodes[i].Successors {
			if e.Null || e.Condition == "true" {
				continue
			}
			if _, err := sel.Compile(sel.Complete(e.Condition)); err != nil {
				bad = append(bad, &ConditionError{StepID: nodes[i].ID, Successor: e.To, Err: err})
			}
		}
	}
	return bad
}
