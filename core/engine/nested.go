package engine

import (
	"bytes"
	"context"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/step"
)

// Nested steps run other workflows: the body of a loop, iteration by iteration, or a child. Their attempts are RUNNING
// from the decision that starts them; what they know of their children stands in an artifact, which passes move on
// (package loop). A pass reads other runs, so it is taken outside of the decision, and folded into it like a result.

// Pass is the outcome of looking at the children of an attempt.
type Pass struct {
	StepUUID string
	// Key and Basis are the artifact that the pass was decided on, nil while there was none. A pass over another one has
	// lost a race and is dropped: of two that name iterations only one can be right.
	Key   string
	Basis []byte
	step.Result
	// Kill has the attempt killed as by a user: a loop that fails at once ends its other iterations so.
	Kill bool
}

func (Pass) input() {}

// foldPass takes the outcome of a look at children.
func (d *decider) foldPass(p Pass) error {
	i, a := d.find(p.StepUUID)
	if a == nil || a.Status != StepRunning && a.Status != StepStarting {
		return nil
	}
	if have, _ := a.Artifacts.Get(p.Key); !bytes.Equal(have, p.Basis) {
		return nil
	}
	if err := d.foldResult(Result{StepUUID: p.StepUUID, Result: p.Result}); err != nil {
		return err
	}
	if p.Kill && a.Ending == nil && !a.Status.Terminal() {
		_, err := d.endOne(i, a, Action{Kind: ActionKill, StepID: a.StepID, User: loopAuthor, Reason: "an iteration failed"})
		return err
	}
	return nil
}

// loopAuthor is the author of what a loop does to itself.
const loopAuthor = "maestro"

// NestedStep is the definition of a step that runs other workflows; nil when the run has no such step.
func NestedStep(b *Body, stepID string) *Step {
	i, ok := b.DAG.Ordinal(stepID)
	if !ok || b.compiled().steps[i].kind != kindNested {
		return nil
	}
	return b.compiled().steps[i].def
}

// Nesting are the live attempts of nested steps.
func Nesting(st *State) []*Attempt {
	var list []*Attempt
	for i := range st.Steps {
		if a := st.Steps[i].Latest; a != nil && a.Outside && !a.Status.Terminal() && st.Body.compiled().steps[i].kind == kindNested {
			list = append(list, a)
		}
	}
	return list
}

// LatestAttempt is the newest attempt of a step in its run; nil when there is none.
func LatestAttempt(st *State, stepID string) *Attempt {
	if i, ok := st.Body.DAG.Ordinal(stepID); ok {
		return st.Steps[i].Latest
	}
	return nil
}

// FailsAtOnce tells whether the failure of a step ends its run.
func FailsAtOnce(b *Body, stepID string) bool {
	i, ok := b.DAG.Ordinal(stepID)
	return ok && b.compiled().steps[i].mode == failImmediately
}

// IterationLimit is how many iterations of a foreach step may run at a time (engine.md 11.3).
func IterationLimit(b *Body, def *Step) int64 {
	limit := int64(20)
	switch own, all := b.Concurrency, b.Properties.StepConcurrency; {
	case own != nil && all != nil:
		limit = min(*own, *all)
	case own != nil:
		limit = *own
	case all != nil:
		limit = *all
	}
	if def.Concurrency != nil {
		limit = min(limit, *def.Concurrency)
	}
	return max(0, limit)
}

// childInitiator is the initiator of what an attempt starts.
func childInitiator(parent *Body, a *Attempt, kind InitiatorType, sync *bool) Initiator {
	list := append(append(make([]Ancestor, 0, len(parent.Initiator.Ancestors)+1), parent.Initiator.Ancestors...), Ancestor{
		WorkflowID: parent.WorkflowID, InstanceID: parent.InstanceID, RunID: parent.RunID,
		StepID: a.StepID, AttemptID: a.AttemptID, Sync: sync,
	})
	return Initiator{Type: kind, Depth: int64(len(list)), Ancestors: list}
}

// childRequest is what every start by a parent has of it.
func childRequest(parent *Body, a *Attempt, kind InitiatorType, sync *bool, uuid string, now int64) StartRequest {
	return StartRequest{
		Initiator: childInitiator(parent, a, kind, sync), RequestID: uuid, RequestTime: now, GroupInfo: parent.GroupInfo,
		CorrelationID: parent.CorrelationID, Concurrency: parent.Concurrency,
		RuntimeTags: Tags{{Name: runtimeTags[kind]}},
	}
}

var runtimeTags = map[InitiatorType]string{BySubworkflow: "maestro_subworkflow", ByForeach: "maestro_foreach", ByWhile: "maestro_while"}

// Iteration is one iteration of a loop.
type Iteration struct {
	WorkflowID string // of the body
	Identity   string // of the loop
	UUID       string
	ID         int64 // from 1
	Values     []param.Member
	// Policy and Config are those of a new iteration in a restart; "" is a fresh run.
	Policy RunPolicy
	Config *RestartConfig
}

// runParams are the params that an iteration is handed.
func (it *Iteration) runParams(parent *Body, a *Attempt) (ParamDefs, InitiatorType, error) {
	def := NestedStep(parent, a.StepID)
	kind := ByForeach
	if def.Type == definition.While {
		kind = ByWhile
	}
	base, err := param.LoopBase(parent.Params, a.Params, def.Params)
	if err != nil {
		return nil, kind, err
	}
	defs, err := param.IterationParams(base, it.ID-1, it.Values, kind == ByWhile)
	return defs, kind, err
}

// IterationRestart is the request for a new run of an iteration.
func IterationRestart(parent *Body, a *Attempt, it Iteration, policy RunPolicy, config *RestartConfig, now int64) (RestartRequest, error) {
	params, kind, err := it.runParams(parent, a)
	initiator := childInitiator(parent, a, kind, nil)
	r := RestartRequest{Policy: policy, Config: config, Initiator: &initiator, RunParams: params, RequestID: it.UUID, RequestTime: now}
	if config != nil && policy == RestartFromSpecific {
		r.StepID = config.Path[len(config.Path)-1].StepID
	}
	return r, err
}

// ChildRestart is the request for a new run of the child of a subworkflow step.
func (c *ChildOf) ChildRestart(policy RunPolicy, config *RestartConfig) RestartRequest {
	r := RestartRequest{
		Policy: policy, Config: config, Initiator: &c.Request.Initiator, RunParams: c.Request.RunParams, RequestID: c.Request.RequestID, RequestTime: c.Request.RequestTime,
	}
	if config != nil && policy == RestartFromSpecific {
		r.StepID = config.Path[len(config.Path)-1].StepID
	}
	return r
}

// PlanIteration makes the body of the first run of an iteration. When its params cannot be evaluated the body comes with
// StartFailure.
func PlanIteration(parent *Body, a *Attempt, it Iteration, env PlanEnv) (*Body, error) {
	def := NestedStep(parent, a.StepID)
	params, kind, err := it.runParams(parent, a)
	if err != nil {
		return nil, err
	}
	r := childRequest(parent, a, kind, nil, it.UUID, env.Now())
	r.RunParams, r.PersistFailedRun, r.Policy, r.Config = params, true, it.Policy, it.Config
	about := "the body of step [" + a.StepID + "]"
	return PlanStart(Version{
		InternalID: parent.InternalID, VersionID: parent.VersionID, Properties: parent.Properties,
		Workflow: &Workflow{ID: it.WorkflowID, Name: &it.Identity, Description: &about, Tags: def.Tags, Params: &param.Definitions{}, Steps: def.Steps},
	}, r, env)
}

// CheckBody tells what is wrong with the graph of a loop's body; nil for nothing.
func CheckBody(parent *Body, stepID, inline string) error {
	if len(parent.Initiator.Ancestors)+1 >= DepthLimit {
		return fault.New(fault.BadRequest, "step [%s] lies too deep: the depth of its iterations is not less than the limit %d", stepID, DepthLimit)
	}
	_, err := dag.Fresh(inline, definition.Nodes(NestedStep(parent, stepID).Steps))
	if err != nil {
		return fault.New(fault.BadRequest, "%s", err.Error())
	}
	return nil
}

// ChildOf is which workflow a subworkflow step starts, and how.
type ChildOf struct {
	WorkflowID, Version string
	Request             StartRequest
}

// SubworkflowOf is the request of an attempt for its child. always are the params that are handed down even by a step
// with explicit_params. The error is for the user.
func SubworkflowOf(parent *Body, a *Attempt, uuid string, always []string, now int64) (*ChildOf, error) {
	def := NestedStep(parent, a.StepID)
	c := &ChildOf{Version: "active", Request: childRequest(parent, a, BySubworkflow, def.Sync, uuid, now)}
	if v, ok := present(a.Params).Result("subworkflow_id"); ok {
		c.WorkflowID = v.Text()
	}
	if v, ok := present(a.Params).Result("subworkflow_version"); ok {
		c.Version = v.Text()
	}
	if c.WorkflowID == "" {
		return nil, fault.New(fault.BadRequest, "step [%s] has no subworkflow_id", a.StepID)
	}
	var err error
	c.Request.RunParams, err = param.SubworkflowParams(parent.Params, a.Params, def.Params, def.HasExplicitParams(), always)
	return c, err
}

// LoopCondition evaluates the condition of a while step over the values that the next iteration would begin with. The
// error is a *NeedError, or one for the user.
func LoopCondition(st *State, stepID string, values []param.Member, env Env) (bool, error) {
	i, ok := st.Body.DAG.Ordinal(stepID)
	if !ok || st.Steps[i].Latest == nil {
		return false, fault.New(fault.BadRequest, "step [%s] has no attempt", stepID)
	}
	a := st.Steps[i].Latest
	def := st.Body.compiled().steps[i].def
	d := newDecider(st, env)
	scope := d.scope(i, a)
	scope.Own = a.Params.Clone()
	for _, m := range values {
		scope.Own.Set(m.Name, &param.Param{Definition: param.Definition{Type: m.Type}, Evaluated: true, Result: m.Value, Time: d.now})
	}
	code := "false"
	if def.Condition != nil {
		code = *def.Condition
	}
	p := &param.Param{Definition: param.Definition{Type: sel.ParamBoolean, Expression: &code}}
	if err := needIn(scope.Evaluate(context.Background(), "condition", p)); err != nil {
		return false, err
	}
	return p.Result.AsBool(), nil
}
