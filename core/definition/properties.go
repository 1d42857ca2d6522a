package definition

import (
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/wire"
)

// Properties belong to a workflow id, not to a version. nil members are unset.
type Properties struct {
	Owner                 *User
	RunStrategy           *RunStrategy // nil: DefaultRunStrategy
	StepConcurrency       *int64       // 1 to 1000; nil: the engine's 20
	Alerting              *Alerting
	AlertingDisabled      *bool
	SignalTriggerDisabled *bool
	TimeTriggerDisabled   *bool
	Description           *string
	Tags                  param.Tags
}

func isTrue(b *bool) bool { return b != nil && *b }

func (p *Properties) signalDisabled() bool { return isTrue(p.SignalTriggerDisabled) }
func (p *Properties) timeDisabled() bool   { return isTrue(p.TimeTriggerDisabled) }

// runStrategy is the strategy in force.
func (p *Properties) runStrategy() RunStrategy {
	if p.RunStrategy == nil {
		return DefaultRunStrategy()
	}
	return *p.RunStrategy
}

// Strategy is the run strategy in force: the one set, or the default.
func (p *Properties) Strategy() RunStrategy { return p.runStrategy() }

// Snapshot is the full state of the properties at a time, never a delta.
type Snapshot struct {
	WorkflowID string
	CreateTime int64 // epoch milliseconds; also the snapshot's id
	Author     User
	Properties
}

// pushed combines the current properties with those of a push: run strategy, step concurrency and
// alerting are as pushed, absent meaning unset; the others keep their value when absent
// (workflow-definition.md 4.7).
func pushed(cur Properties, p *Properties) Properties {
	out := cur
	out.RunStrategy, out.StepConcurrency, out.Alerting = p.RunStrategy, p.StepConcurrency, p.Alerting
	overlay(&out, p)
	return out
}

// overlay replaces the members that a push and an update treat alike.
func overlay(out, p *Properties) {
	if p.Owner != nil {
		out.Owner = p.Owner
	}
	if p.AlertingDisabled != nil {
		out.AlertingDisabled = p.AlertingDisabled
	}
	if p.SignalTriggerDisabled != nil {
		out.SignalTriggerDisabled = p.SignalTriggerDisabled
	}
	if p.TimeTriggerDisabled != nil {
		out.TimeTriggerDisabled = p.TimeTriggerDisabled
	}
	if p.Description != nil {
		out.Description = p.Description
	}
	if p.Tags != nil {
		out.Tags = p.Tags
	}
}

// PropertiesUpdate is the body of an update of properties: what to set, and what to reset.
type PropertiesUpdate struct {
	Properties               Properties
	ResetRunStrategyRule     bool // run strategy becomes unset
	ResetWorkflowConcurrency bool // of PARALLEL becomes 20
	ResetStepConcurrency     bool // becomes unset
}

// check refuses to set and reset the same property.
func (u *PropertiesUpdate) check() error {
	if u.ResetStepConcurrency && u.Properties.StepConcurrency != nil ||
		(u.ResetRunStrategyRule || u.ResetWorkflowConcurrency) && u.Properties.RunStrategy != nil {
		return fault.New(fault.BadRequest, "Setting and resetting the same workflow property in one request is not allowed")
	}
	return nil
}

func (u *PropertiesUpdate) apply(cur Properties) Properties {
	out, p := cur, &u.Properties
	if p.RunStrategy != nil {
		out.RunStrategy = p.RunStrategy
	}
	if p.StepConcurrency != nil {
		out.StepConcurrency = p.StepConcurrency
	}
	if p.Alerting != nil {
		out.Alerting = p.Alerting
	}
	overlay(&out, p)
	switch {
	case u.ResetRunStrategyRule:
		out.RunStrategy = nil
	case u.ResetWorkflowConcurrency && cur.runStrategy().Rule == Parallel:
		out.RunStrategy = &RunStrategy{Parallel, DefaultParallelConcurrency}
	}
	if u.ResetStepConcurrency {
		out.StepConcurrency = nil
	}
	return out
}

// ReadPropertiesUpdate reads the body of an update. With a nested `properties` the flat members are
// ignored. Errors are *fault.Error.
func ReadPropertiesUpdate(body []byte) (*PropertiesUpdate, error) {
	v, err := parseBody(body)
	if err != nil {
		return nil, err
	}
	var u PropertiesUpdate
	var nested *Properties
	each(v, func(name string, m wire.Node) bool {
		switch name {
		case "properties":
			if nested = readProperties(m); m.IsNull() {
				m.Fail("properties cannot be null")
			}
		case "reset_run_strategy_rule":
			u.ResetRunStrategyRule = m.Bool()
		case "reset_workflow_concurrency":
			u.ResetWorkflowConcurrency = m.Bool()
		case "reset_step_concurrency":
			u.ResetStepConcurrency = m.Bool()
		default:
			return readProperty(&u.Properties, name, m)
		}
		return true
	})
	if err := v.Err(); err != nil {
		return nil, faultOf(err)
	}
	if nested != nil {
		u = PropertiesUpdate{Properties: *nested}
	}
	if err := u.check(); err != nil {
		return nil, err
	}
	return &u, nil
}
