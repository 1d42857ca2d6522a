package engine

import (
	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/definition"
)

// The models of packages definition and param under the names that State uses. They stand here until those packages
// are in place and then become aliases of theirs.

type (
	// Params are evaluated params by name, in order.
	Params = []NamedParam
	// ParamDefs are param definitions by name, in order.
	ParamDefs = []NamedParam
	// Tags are tags in order, unique by name.
	Tags = []Tag
)

// NamedParam is a param under its name.
type NamedParam struct {
	Name string
	*Param
}

// Param is one param.
type Param struct {
	Expression string
	Literal    any
	Result     any
	Time       int64
}

// Tag is a name with attributes.
type Tag struct{ Name string }

// Workflow is a definition.
type Workflow struct {
	ID    string
	Steps []Step
}

// Step is the definition of a step.
type Step struct {
	ID          string
	Type        definition.StepType
	FailureMode string
	Timeout     *definition.ParsableLong
	RetryPolicy *definition.RetryPolicy
	Tags        Tags
	Params      ParamDefs
	Transition  dag.Transition
}

// RunProperties are the properties of a workflow as they were at the start.
type RunProperties struct {
	CreateTime      int64
	Owner           string
	StepConcurrency *int64
	Tags            Tags
}

// PlanEnv is what planning a run needs.
type PlanEnv interface {
	Now() int64
}

// Nodes are the steps as a graph.
func (w *Workflow) Nodes() []dag.Node {
	nodes := make([]dag.Node, len(w.Steps))
	for i := range w.Steps {
		nodes[i] = dag.Node{ID: w.Steps[i].ID, Transition: w.Steps[i].Transition}
	}
	return nodes
}

func restartParams(b, old *Body, request RestartRequest, env PlanEnv) error {
	b.Params = old.Params
	b.TimeoutMillis = old.TimeoutMillis
	return nil
}
