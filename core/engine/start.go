package engine

import (
	"strconv"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/timeline"
)

// Version is what a start runs: a version of a definition, with the properties of its workflow at this time.
type Version struct {
	InternalID int64
	VersionID  int64
	Workflow   *Workflow
	Properties RunProperties
}

// StartRequest is a request for a fresh run (engine-runs-and-actions.md 1.1).
type StartRequest struct {
	Initiator        Initiator
	RequestID        string // becomes the run's UUID
	RequestTime      int64
	RunParams        ParamDefs
	RuntimeTags      Tags
	Artifacts        step.Artifacts
	PersistFailedRun bool
	GroupInfo        int64 // of roots: the configured number; of children: the parent's

	// Policy is START_FRESH_NEW_RUN when "". START_CUSTOMIZED_RUN runs what Selection chooses.
	Policy    RunPolicy
	Selection Selection

	// For runs that a parent step starts:
	CorrelationID string
	Concurrency   *int64 // instance_step_concurrency
	StepRunParams []StepParams
	Config        *RestartConfig // of a new iteration in a restart
}

// PlanStart makes the body of a fresh run. It has no numbers yet (Body.Number). Whether the trigger of an initiator may
// start the version is checked before (engine.md 2).
//
// When the params cannot be evaluated, and the request wants such a run to be kept, the body comes without params and
// with StartFailure. All other failures are errors: *fault.Error, or a *NeedError.
func PlanStart(v Version, r StartRequest, env PlanEnv) (*Body, error) {
	if r.Initiator.Depth >= DepthLimit && r.Initiator.Type.Upstream() {
		return nil, fault.New(fault.BadRequest, "Workflow initiator [%s] is not less than the depth limit: %d", r.Initiator.Type, DepthLimit)
	}
	workflow, err := withTags(v.Workflow, r.RuntimeTags)
	if err != nil {
		return nil, err
	}
	b := &Body{
		WorkflowID: workflow.ID, InternalID: v.InternalID, VersionID: v.VersionID,
		UUID: r.RequestID, CorrelationID: r.CorrelationID, GroupInfo: r.GroupInfo,
		Policy: r.Policy, RuntimeTags: r.RuntimeTags, Initiator: r.Initiator,
		RequestTime: r.RequestTime, CreateTime: env.Now(),
		RunParams: r.RunParams, StepRunParams: r.StepRunParams, Artifacts: r.Artifacts,
		Properties: v.Properties, Workflow: workflow, Concurrency: workflow.InstanceStepConcurrency,
	}
	if b.Policy == "" {
		b.Policy = StartFreshNewRun
	}
	b.RestartConfig = r.Config
	if r.Initiator.Type.Upstream() || r.Concurrency != nil {
		b.Concurrency = r.Concurrency
	}
	if b.Policy == StartCustomizedRun {
		b.RestartConfig = &RestartConfig{
			Path:   []PathNode{{WorkflowID: b.WorkflowID}},
			Policy: b.Policy, DownstreamPolicy: StartFreshNewRun,
		}
		b.DAG, err = selected(b, r.Selection)
	} else {
		var g *dag.Graph
		if g, err = dag.Fresh(b.WorkflowID, workflow.Nodes()); err == nil {
			b.DAG = ordered(g, true)
		} else {
			err = fault.New(fault.BadRequest, "%s", err.Error())
		}
	}
	if err != nil {
		return nil, err
	}
	for _, s := range r.StepRunParams {
		if _, ok := b.DAG.Ordinal(s.StepID); !ok {
			return nil, fault.New(fault.BadRequest, "step_run_params: step [%s] is not part of the run", s.StepID)
		}
	}
	if err := freshParams(b, env); err != nil {
		if !r.PersistFailedRun || needs(err) {
			return nil, err
		}
		b.Params, b.TimeoutMillis, b.Properties = nil, 0, v.Properties
		failure := timeline.Failure(env.Now(), "the run could not be started", details(err)...)
		b.StartFailure = &failure
	}
	return b, nil
}

// Number gives a planned run its numbers, once, before anything is decided about it. The correlation id of a root names
// its first run.
func (b *Body) Number(instance, run int64) {
	b.InstanceID, b.RunID = instance, run
	if b.CorrelationID == "" {
		b.CorrelationID = b.WorkflowID + ":" + strconv.FormatInt(instance, 10) + ":" + strconv.FormatInt(run, 10)
	}
	if b.RestartConfig != nil {
		if p := b.RestartConfig.Path; len(p) == 1 && p[0].InstanceID == 0 {
			p[0].InstanceID = instance
		}
	}
	b.plan.Store(nil)
}

// withTags is the workflow with the tags of a start merged into its own; a name may not occur twice.
func withTags(w *Workflow, tags Tags) (*Workflow, error) {
	if len(tags) == 0 {
		return w, nil
	}
	merged := *w
	merged.Tags = append(append(make(Tags, 0, len(w.Tags)+len(tags)), w.Tags...), tags...)
	if name := merged.Tags.DuplicateName(); name != "" {
		return nil, fault.New(fault.BadRequest, "runtime_tags: tag [%s] is there already", name)
	}
	return &merged, nil
}
