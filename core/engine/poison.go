package engine

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// DeathError is the end of a decision that died. The state that it was given is garbage.
type DeathError struct {
	// StepID is the step that it was at; empty when it was at none.
	StepID string
	Cause  string
	Stack  []byte
}

func (e *DeathError) Error() string {
	if e.StepID == "" {
		return "the decision died: " + e.Cause
	}
	return fmt.Sprintf("the decision died at step %s: %s", e.StepID, e.Cause)
}

// Poison says that decisions die at a step: its attempt ends INTERNALLY_FAILED with the reason, in place of whatever
// it would do (P4). It must be among the inputs of every call as long as the attempt is not terminal.
type Poison struct{ StepID, Reason string }

// Only lets one step go on and no other, whose turn it may be; with no step, nothing goes on after the inputs. Who finds
// out at which step a decision dies takes one step at a time (P4).
type Only struct{ StepID string }

func (Poison) input() {}
func (Only) input()   {}

// Turns lists the steps that a decision would go on with, or look at, in an order that is the same each time.
func Turns(st *State, env Env) []string {
	d := newDecider(st, env)
	var list []string
	for i := range st.Steps {
		a := st.Steps[i].Latest
		if a == nil && d.missing[i] == 0 && !d.placeholder(i) || a != nil && (!a.Status.Terminal() || a.Status.Retryable()) {
			list = append(list, d.plan.steps[i].id)
		}
	}
	return list
}

// died turns a panic of the decision into an error that names the step.
func (d *decider) died(p any) error {
	e := &DeathError{Cause: fmt.Sprint(p), Stack: debug.Stack()}
	if d.at >= 0 {
		e.StepID = d.plan.steps[d.at].id
	}
	return e
}

// poisoned ends the attempt of a step that decisions die at.
func (d *decider) poisoned(i int, a *Attempt) (bool, error) {
	reason, ok := d.poison[d.plan.steps[i].id]
	if !ok || a.Status.Terminal() {
		return false, nil
	}
	return true, d.fail(i, a, "a decision about the step died", errors.New(reason))
}

// skipped tells whether it is another step's turn.
func (d *decider) skipped(i int) bool {
	if d.only == nil || d.plan.steps[i].id == *d.only {
		return false
	}
	d.out.More = true
	return true
}
