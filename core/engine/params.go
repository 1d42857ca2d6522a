package engine

import (
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
)

// stepSatisfied is the param that tells whether a predecessor chose the step.
const stepSatisfied = "maestro_step_satisfied"

// choice is the first param of an attempt: whether a predecessor chose it.
func choice(chosen bool, now int64) Params {
	p := &param.Params{}
	p.Set(stepSatisfied, &param.Param{Definition: *param.Bool(chosen), Evaluated: true, Result: sel.Bool(chosen), Time: now})
	return p
}

// True tells whether the edge was evaluated and chose its successor.
func (e *Edge) True() bool {
	return e.Param != nil && e.Param.Evaluated && e.Param.Result.AsBool()
}

// INTERIM from here on until package param evaluates.

type PlanEnv interface{ Now() int64 }

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
	a.Params = a.Params.Clone()
	if d.plan.steps[i].def.Params == nil {
		return nil
	}
	for name, def := range d.plan.steps[i].def.Params.All() {
		if def.Value == nil {
			return fmt.Errorf("param %s", name)
		}
		a.Params.Set(name, &param.Param{Definition: *def, Evaluated: true, Result: def.Value.V, Time: d.now})
	}
	return nil
}

func (d *decider) evaluateEdges(i int, a *Attempt) error {
	for k := range a.Edges {
		e := &a.Edges[k]
		p := &param.Param{Definition: *param.Expression(sel.ParamBoolean, e.Condition), Evaluated: true, Time: d.now}
		switch {
		case a.Status == StepUnsatisfied:
			p.Result = sel.Bool(false)
		case e.Condition == "true", e.Condition == "false":
			p.Result = sel.Bool(e.Condition == "true")
		default:
			return fmt.Errorf("condition %s", e.Condition)
		}
		e.Param = p
	}
	return nil
}

func (d *decider) finishStep(i int, a *Attempt) error {
	a.SignalOutputs = &SignalOutputs{}
	return nil
}

func sleepSeconds(a *Attempt) (int64, error) {
	p := a.Params.Get("sleep_seconds")
	if p == nil {
		return 3, nil
	}
	if p.Type != sel.ParamLong {
		return 0, fmt.Errorf("sleep_seconds must be a LONG, not a %s", p.Type)
	}
	return p.Result.AsLong(), nil
}

func restartParams(b, old *Body, request RestartRequest, env PlanEnv) error {
	b.Params = old.Params
	b.TimeoutMillis = old.TimeoutMillis
	return nil
}

func retryHint(a *Attempt) bool { return true }

func freshParams(b *Body, v Version, env PlanEnv) error { return nil }

func needs(err error) bool {
	var n *NeedError
	return errors.As(err, &n)
}

func details(err error) []string {
	list := []string{err.Error()}
	var f *fault.Error
	if errors.As(err, &f) {
		list = append(list, f.Errors...)
	}
	return list
}
