package engine

import (
	"fmt"

	"github.com/downbeat/downbeat/core/sel"
)

// INTERIM until package param is there.

const stepSatisfied = "maestro_step_satisfied"

func satisfiedParams(now int64) Params {
	return Params{{stepSatisfied, &Param{Literal: true, Result: true, Time: now}}}
}

func unsatisfiedParams(now int64) Params {
	return Params{{stepSatisfied, &Param{Literal: false, Result: false, Time: now}}}
}

func workflowLookup(b *Body) func(string) (sel.Value, error) {
	return func(name string) (sel.Value, error) { return sel.Value{}, fmt.Errorf("no param %s", name) }
}

func (d *decider) mergeTags(i int, a *Attempt) error { return nil }

func (d *decider) resolveSignals(i int, a *Attempt) error { return nil }

func (d *decider) signalsReady(i int, a *Attempt) (bool, error) {
	if a.SignalDependencies == nil {
		return true, nil
	}
	for k := range a.SignalDependencies.Dependencies {
		if s := a.SignalDependencies.Dependencies[k].Status; s != SignalMatched && s != SignalSkipped {
			return false, nil
		}
	}
	return true, nil
}

func (d *decider) evaluateParams(i int, a *Attempt) error {
	for _, p := range d.plan.steps[i].def.Params {
		q := *p.Param
		q.Result, q.Time = q.Literal, d.now
		if q.Expression != "" {
			return fmt.Errorf("param %s", p.Name)
		}
		a.Params = append(a.Params, NamedParam{p.Name, &q})
	}
	return nil
}

func (d *decider) evaluateEdges(i int, a *Attempt) error {
	for k := range a.Edges {
		e := &a.Edges[k]
		switch {
		case a.Status == StepUnsatisfied:
			e.Param = &Param{Expression: e.Condition, Result: false, Time: d.now}
		case e.Condition == "true", e.Condition == "false":
			e.Param = &Param{Expression: e.Condition, Result: e.Condition == "true", Time: d.now}
		default:
			return fmt.Errorf("condition %s", e.Condition)
		}
	}
	return nil
}

// True tells whether the edge was evaluated and chose its successor.
func (e *Edge) True() bool { return e.Param != nil && e.Param.Result == true }

func (d *decider) finishStep(i int, a *Attempt) error {
	a.SignalOutputs = &SignalOutputs{}
	return nil
}

func sleepSeconds(a *Attempt) (int64, error) {
	for _, p := range a.Params {
		if p.Name == "sleep_seconds" {
			if n, ok := p.Result.(int64); ok {
				return n, nil
			}
			return 0, fmt.Errorf("sleep_seconds must be a LONG")
		}
	}
	return 3, nil
}

func retryHint(a *Attempt) bool { return true }
