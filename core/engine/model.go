package engine

import (
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/param"
)

// The models of packages definition and param under the names that State uses.
type (
	// Params are evaluated params by name, in order; nil is absent.
	Params = *param.Params
	// ParamDefs are param definitions by name, in order; nil is absent.
	ParamDefs = *param.Definitions
	// Param is one evaluated param.
	Param = param.Param
	// Tags are tags in order, unique by name.
	Tags = param.Tags
	// Workflow is a definition.
	Workflow = definition.Workflow
	// Step is the definition of a step.
	Step = definition.Step
)

// RunProperties are the properties of a workflow as they were at the start of a run.
type RunProperties struct {
	CreateTime      int64                // of the snapshot, which is its id
	Owner           string               // the name only
	Alerting        *definition.Alerting // with the params of the run in place
	StepConcurrency *int64
	Tags            Tags
}

// PropertiesOf takes from a snapshot what a run keeps of it.
func PropertiesOf(s *definition.Snapshot) RunProperties {
	p := RunProperties{CreateTime: s.CreateTime, Alerting: s.Alerting, StepConcurrency: s.StepConcurrency, Tags: s.Tags}
	if s.Owner != nil {
		p.Owner = s.Owner.Name
	}
	return p
}
