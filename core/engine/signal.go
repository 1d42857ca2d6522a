package engine

import (
	"context"
	"slices"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/timeline"
)

// SignalEnv is the ability of an Env to match and to announce signals. Both methods may return a *NeedError. Without it no
// dependency is ever matched, and a step with outputs stays FINISHING.
type SignalEnv interface {
	// MatchSignal finds an instance of the signal that satisfies all conditions; ok is false when there is none yet.
	MatchSignal(dep *SignalDependency) (id int64, ok bool, err error)
	// Announce announces output n of the attempt: id is -1 for what was announced before. done is false until it is known.
	Announce(a *Attempt, n int) (id, time int64, done bool, err error)
}

// signalScope is where names and params of signals are looked up; own is nil where the step's params are not there yet.
func (d *decider) signalScope(i int, a *Attempt, own Params) *param.Scope {
	scope := d.scope(i, a)
	scope.Functions, scope.Own = false, own
	return scope
}

// signalValue evaluates a param of a signal: a text or an integer, whatever type is declared.
func signalValue(scope *param.Scope, name string, def *param.Definition) (*Param, error) {
	p := &param.Param{Definition: *def}
	if err := needIn(scope.EvaluateUntyped(context.Background(), name, p)); err != nil {
		return nil, err
	}
	if t := p.Result.Type(); t != sel.TypeString && t != sel.TypeLong {
		return nil, fault.New(fault.BadRequest, "signal param [%s] must be a string or an integer", name)
	}
	return p, nil
}

// resolveSignals works out once what signals an attempt waits for; later attempts and runs keep them with their matches.
func (d *decider) resolveSignals(i int, a *Attempt) error {
	defs := d.plan.steps[i].def.SignalDependencies
	if len(defs) == 0 || a.SignalDependencies != nil {
		return nil
	}
	scope := d.signalScope(i, a, &param.Params{})
	deps := &SignalDependencies{}
	for _, def := range defs {
		dep := SignalDependency{Status: SignalPending}
		if def.Name != nil {
			name, err := scope.Interpolate(context.Background(), "signal", *def.Name)
			if err != nil {
				return needIn(err)
			}
			dep.Name = name
		}
		for _, m := range def.MatchParams {
			if m.Param == nil || m.Param.Value == nil && m.Param.Expression == nil {
				continue
			}
			p, err := signalValue(scope, m.Name, m.Param)
			if err != nil {
				return err
			}
			dep.MatchParams = append(dep.MatchParams, MatchParam{Name: m.Name, Value: p, Operator: string(m.Operator)})
		}
		deps.Dependencies = append(deps.Dependencies, dep)
	}
	a.SignalDependencies = deps
	return nil
}

// signalsReady matches what is pending and tells whether nothing is.
func (d *decider) signalsReady(i int, a *Attempt) (bool, error) {
	if a.SignalDependencies == nil {
		return true, nil
	}
	env, able := d.env.(SignalEnv)
	ready := true
	for k := range a.SignalDependencies.Dependencies {
		dep := &a.SignalDependencies.Dependencies[k]
		if dep.Status == SignalPending && able {
			id, ok, err := env.MatchSignal(dep)
			if err != nil {
				return false, err
			}
			if ok {
				dep.Status, dep.SignalID = SignalMatched, id
				d.touch(i, a)
			}
		}
		ready = ready && (dep.Status == SignalMatched || dep.Status == SignalSkipped)
	}
	return ready, nil
}

// resolveOutputs evaluates the signals that an attempt announces.
func (d *decider) resolveOutputs(i int, a *Attempt) error {
	outputs := &SignalOutputs{}
	if defs := d.plan.steps[i].def.SignalOutputs; len(defs) > 0 {
		scope := d.signalScope(i, a, a.Params)
		for _, def := range defs {
			var out SignalOutput
			if def.Name != nil {
				name, err := scope.Interpolate(context.Background(), "signal", *def.Name)
				if err != nil {
					return needIn(err)
				}
				out.Name = name
			}
			if def.Params != nil {
				out.Params = &param.Params{}
				for name, d := range def.Params.All() {
					p, err := signalValue(scope, name, d)
					if err != nil {
						return err
					}
					out.Params.Set(name, p)
				}
			}
			if def.Payload != nil {
				out.Payload = &param.Params{}
				for name, d := range def.Payload.All() {
					p := &param.Param{Definition: *d}
					if err := needIn(scope.Evaluate(context.Background(), name, p)); err != nil {
						return err
					}
					out.Payload.Set(name, p)
				}
			}
			outputs.Outputs = append(outputs.Outputs, out)
		}
	}
	a.SignalOutputs = outputs
	return nil
}

// announce announces the outputs of an attempt in order and tells whether all are.
func (d *decider) announce(i int, a *Attempt) (bool, error) {
	env, able := d.env.(SignalEnv)
	for n := range a.SignalOutputs.Outputs {
		if a.SignalOutputs.Outputs[n].SignalID != 0 {
			continue
		}
		if !able {
			return false, nil
		}
		id, at, done, err := env.Announce(a, n)
		if err != nil || !done {
			return false, err
		}
		// A copy: the record that was read keeps its own.
		outputs := *a.SignalOutputs
		outputs.Outputs = slices.Clone(outputs.Outputs)
		outputs.Outputs[n].SignalID, outputs.Outputs[n].AnnounceTime = id, at
		if n == len(outputs.Outputs)-1 {
			line := timeline.Line(d.now, "the signals of the step are announced")
			outputs.Info = &line
		}
		a.SignalOutputs = &outputs
		d.touch(i, a)
	}
	return true, nil
}
