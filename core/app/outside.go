package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/loop"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/template"
)

// outsideData is what expressions read of other workflows, instances and steps, as far as it is loaded.
type outsideData struct {
	values map[engine.Key]any
}

func newOutside() *outsideData { return &outsideData{values: map[engine.Key]any{}} }

// load reads one key.
func (o *outsideData) load(ctx context.Context, a *App, k engine.Key) error {
	switch k.Kind {
	case engine.KeyTemplate:
		t, err := a.Template(ctx, k.Name, k.Version)
		if err != nil {
			return err
		}
		o.values[k] = t
		return nil
	case engine.KeyChildStep:
		at, err := a.newestOf(ctx, k.WorkflowID, k.InstanceID, k.StepID)
		o.values[k] = at
		return err
	case engine.KeyLoopParam:
		values, err := a.loopParam(ctx, k.WorkflowID, k.InstanceID, k.StepID, k.Name)
		o.values[k] = values
		return err
	}
	return fmt.Errorf("a decision asks for the unknown key %s", k.Kind)
}

// template is a job template, nil when there is none; a *NeedError while it is not loaded.
func (o *outsideData) template(jobType, version string) (*template.Template, error) {
	k := engine.Key{Kind: engine.KeyTemplate, Name: jobType, Version: version}
	t, ok := o.values[k]
	if !ok {
		return nil, &engine.NeedError{Keys: []engine.Key{k}}
	}
	return t.(*template.Template), nil
}

// Subworkflow is the newest attempt of a step of the child that an attempt has started, nil when there is none.
func (o *outsideData) subworkflow(a *engine.Attempt, childStep string) (*param.StepRecord, error) {
	raw, ok := a.Artifacts.Get(loop.SubworkflowKey)
	if !ok {
		return nil, nil
	}
	s, err := loop.ReadSubworkflow(raw)
	if err != nil {
		return nil, err
	}
	k := engine.Key{Kind: engine.KeyChildStep, WorkflowID: s.WorkflowID, InstanceID: s.InstanceID, StepID: childStep}
	v, ok := o.values[k]
	if !ok {
		return nil, &engine.NeedError{Keys: []engine.Key{k}}
	}
	at := v.(*engine.Attempt)
	if at == nil {
		return nil, nil
	}
	return &param.StepRecord{Status: at.Status.String(), EndTime: at.Times.End, Params: at.Params}, nil
}

// foreach is a param of a step of the body of a loop, for every iteration.
func (o *outsideData) foreach(a *engine.Attempt, bodyStep, name string) ([]sel.Value, error) {
	raw, ok := a.Artifacts.Get(loop.ForeachKey)
	if !ok {
		return nil, nil
	}
	f, err := loop.ReadForeach(raw)
	if err != nil || f.Total == 0 {
		return nil, err
	}
	k := engine.Key{Kind: engine.KeyLoopParam, WorkflowID: f.WorkflowID, InstanceID: f.Total, StepID: bodyStep, Name: name}
	v, ok := o.values[k]
	if !ok {
		return nil, &engine.NeedError{Keys: []engine.Key{k}}
	}
	return v.([]sel.Value), nil
}

// newestOf is the newest attempt of a step over the runs of an instance; nil when there is none.
func (a *App) newestOf(ctx context.Context, workflow string, instance int64, stepID string) (*engine.Attempt, error) {
	l, err := a.latestRun(ctx, workflow, instance)
	if err != nil || l == nil {
		return nil, err
	}
	for id := l.ID; id.Run >= 1; id.Run-- {
		v, err := a.loadRun(ctx, id, "")
		if errors.Is(err, errNoRun) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var newest *engine.Attempt
		for _, at := range v.attempts() {
			if at.StepID == stepID && (newest == nil || at.AttemptID >= newest.AttemptID) {
				newest = at
			}
		}
		if newest != nil {
			return newest, nil
		}
	}
	return nil, nil
}

// loopParam reads a param of a step of the body over all iterations, in their order; NULL where there is none.
func (a *App) loopParam(ctx context.Context, inline string, total int64, stepID, name string) ([]sel.Value, error) {
	values := make([]sel.Value, total)
	found := false
	for i := range values {
		values[i] = sel.Null()
		at, err := a.newestOf(ctx, inline, int64(i)+1, stepID)
		if err != nil {
			return nil, err
		}
		if at == nil {
			continue
		}
		if p := at.Params.Get(name); p != nil && p.Evaluated {
			values[i], found = p.Result, true
		}
	}
	if !found {
		return nil, nil
	}
	return values, nil
}
