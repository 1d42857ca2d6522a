package engine

import (
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/step"
)

// StepType is the text of the type of a step of the run, such as "Http"; "" when there is no such step.
func StepType(b *Body, stepID string) string {
	if i, ok := b.DAG.Ordinal(stepID); ok {
		return b.compiled().steps[i].typeName
	}
	return ""
}

// CallOf is what the runtime of an attempt outside is told.
func CallOf(b *Body, a *Attempt, now int64) step.Call {
	return step.Call{
		WorkflowID: b.WorkflowID, InstanceID: b.InstanceID, RunID: b.RunID,
		StepID: a.StepID, StepInstanceID: a.StepInstanceID, AttemptID: a.AttemptID, StepUUID: a.UUID,
		StepParams: callParams(a.Params), WorkflowParams: callParams(b.Params),
		Artifacts: append(step.Artifacts(nil), a.Artifacts...), StartTime: a.Times.Start, Now: now,
	}
}

func callParams(p Params) step.Params {
	params := step.Params{}
	if p == nil {
		return params
	}
	for name, q := range p.All() {
		if q.Evaluated {
			params[name] = step.Param{Text: literalText(q), Result: q.Result}
		}
	}
	return params
}

// literalText is the declared literal of a STRING param.
func literalText(p *param.Param) string {
	if p.Type != sel.ParamString || p.Value == nil {
		return ""
	}
	return p.Value.V.AsString()
}
