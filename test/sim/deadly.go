package sim

import (
	"errors"

	"github.com/downbeat/downbeat/core/engine"
)

// deadlyEnv is the environment of a decision about a run one step of which kills whoever decides about it, always: by its
// memory, say. Unlike the other faults this one does not stop; the step has to be failed for it (P4).
type deadlyEnv struct {
	engine.Env
	p *proc
}

var errDead = errors.New("the process is dead")

// deadlyStep is the step, if the workflow has so many.
var deadlyStep = stepName(1)

func (e deadlyEnv) Breakpoint(step string) (bool, error) {
	if step != deadlyStep {
		return e.Env.Breakpoint(step)
	}
	w := e.p.w
	w.counts[faultDeadly]++
	w.logf("%s dies at step %s", e.p.name, step)
	// The next call of a port ends the coroutine: nothing that it still does has an effect.
	e.p.crashed = true
	return false, errDead
}

// decide is engine.Decide, deadly or not.
func (q *ports) decide(st *engine.State, in []engine.Input, env engine.Env) (*engine.Decision, error) {
	if q.s.deadly && st.Body.WorkflowID == q.s.ids[0] {
		env = deadlyEnv{env, q.p}
	}
	return engine.Decide(st, in, env)
}
