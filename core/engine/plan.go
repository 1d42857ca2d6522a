package engine

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/permit"
)

// plan is what decisions over a run use of its body, worked out once. It is derived from the body alone.
type plan struct {
	steps      []stepPlan // by ordinal
	definition []string   // ids of all steps of the definition, in its order
}

// stepPlan is one step of the run.
type stepPlan struct {
	id       string
	typeName string
	typeInfo string // what getFromStep calls the type
	kind     stepKind
	leaf     bool
	mode     failureMode
	def      *Step

	incoming   int      // predecessors inside the DAG
	edges      []Edge   // not evaluated
	successors []int32  // ordinals, as edges; -1: outside the DAG
	outside    []string // declared predecessors outside the DAG

	// placeholder marks a root that this run does not execute by itself (RESTART_FROM_SPECIFIC).
	placeholder bool

	timeoutMillis int64
	timeoutErr    error
	retry         StepRetry
	tags          Tags
	permitTags    []PermitTag

	assembled atomic.Pointer[param.Params] // unevaluated, of attempts without a restart config and a template
}

// stepKind is how the engine deals with a step.
type stepKind uint8

const (
	kindOutside stepKind = iota // by execute
	kindNoOp
	kindSleep
	kindNested // loops and subworkflows
	kindNone   // types that nothing can run
)

// failureMode is what a FATALLY_FAILED step does to its run.
type failureMode uint8

const (
	failAfterRunning failureMode = iota
	failImmediately
	ignoreFailure
)

// compiled gives the body's plan; concurrent first calls work it out twice.
func (b *Body) compiled() *plan {
	if p := b.plan.Load(); p != nil {
		return p
	}
	p := compile(b)
	b.plan.Store(p)
	return p
}

func compile(b *Body) *plan {
	defs := b.Workflow.Steps
	p := &plan{steps: make([]stepPlan, b.DAG.Len()), definition: make([]string, len(defs))}
	byID := make(map[string]*Step, len(defs))
	for k := range defs {
		p.definition[k] = defs[k].ID
		byID[defs[k].ID] = defs[k]
	}
	restarted := ""
	if b.Policy == RestartFromSpecific && b.RestartConfig != nil && len(b.RestartConfig.Path) > 0 {
		restarted = b.RestartConfig.Path[len(b.RestartConfig.Path)-1].StepID
	}
	for i := range b.DAG.Nodes {
		node, s := &b.DAG.Nodes[i], &p.steps[i]
		s.id, s.def = node.ID, byID[node.ID]
		for _, e := range node.Successors {
			ordinal := int32(-1)
			if k, ok := b.DAG.Ordinal(e.To); ok {
				ordinal = int32(k)
				p.steps[k].incoming++
			}
			s.edges = append(s.edges, Edge{To: e.To, Condition: e.Condition, Null: e.Null})
			s.successors = append(s.successors, ordinal)
		}
		for _, id := range node.Predecessors {
			if _, ok := b.DAG.Ordinal(id); !ok {
				s.outside = append(s.outside, id)
			}
		}
		if s.def == nil {
			s.timeoutErr = fmt.Errorf("step [%s] is not in the definition", node.ID)
			s.retry = retryOf(definition.DefaultRetries())
			continue
		}
		s.describe(b)
	}
	if restarted != "" {
		for i := range p.steps {
			s := &p.steps[i]
			s.placeholder = s.incoming == 0 && s.id != restarted
		}
	}
	return p
}

// describe works out what follows from the definition of the step and the params of the run.
func (s *stepPlan) describe(b *Body) {
	def := s.def
	s.typeName, s.leaf, s.tags = string(def.Type), true, def.Tags
	switch def.Type {
	case definition.NoOp:
		s.kind = kindNoOp
	case definition.Sleep:
		s.kind = kindSleep
	case definition.Foreach, definition.While, definition.Subworkflow:
		s.kind, s.leaf = kindNested, false
	case definition.Template, definition.Join:
		s.kind, s.leaf = kindNone, false
	}
	switch def.FailureMode {
	case definition.FailImmediately:
		s.mode = failImmediately
	case definition.IgnoreFailure:
		s.mode = ignoreFailure
	}
	s.typeInfo = strings.ToUpper(s.typeName)
	if def.SubType != nil && *def.SubType != "" {
		s.typeInfo = *def.SubType
	}
	replace := func(v definition.ParsableLong) (definition.ParsableLong, error) { return textOf(b, v) }
	if def.Timeout != nil {
		v, err := replace(*def.Timeout)
		if err == nil {
			s.timeoutMillis, err = v.TimeoutMillis()
		}
		s.timeoutErr = err
	}
	s.retry = retryOf(def.RetryPolicy.Resolve(replace))
	s.permitTags = permit.Derived(permit.Step{
		WorkflowID: b.WorkflowID, StepID: s.id, CorrelationID: b.CorrelationID, Leaf: s.leaf,
		InstanceStepConcurrency: b.Concurrency, StepConcurrency: b.Properties.StepConcurrency,
	})
}

// permitTags are the tags that the attempt must hold: the derived ones and its own.
func (d *decider) permitTags(i int, a *Attempt) []PermitTag { return d.plan.permitTags(i, a) }

func (p *plan) permitTags(i int, a *Attempt) []PermitTag {
	derived := p.steps[i].permitTags
	if len(a.Tags) == 0 {
		return derived
	}
	tags := append(make([]PermitTag, 0, len(derived)+len(a.Tags)), derived...)
	for _, t := range a.Tags {
		tags = append(tags, PermitTag{Name: t.Name, Limit: permit.NoLimit})
	}
	return tags
}
