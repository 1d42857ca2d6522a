package view

import (
	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/engine"
)

// Aggregation says which `aggregated_info` a run is shown with.
type Aggregation uint8

// The kinds.
const (
	AggregateNone Aggregation = iota // none
	// AggregateStored is what earlier runs made of the steps, absent for the first run: the list of runs shows rows as
	// they are stored, a quirk.
	AggregateStored
	AggregateComputed // earlier runs with this one laid over them
)

// InstanceOptions say how a run is shown.
type InstanceOptions struct {
	Enriched  bool // statuses are put into the timeline
	Aggregate Aggregation
	// Expanded gives the roll-up of a loop or subworkflow step whose result stands from an earlier run; see Base. nil: the
	// definition has no such steps.
	Expanded func(v engine.StepView) *Rollup
}

// AppendInstance appends a run of an instance: what it was started with and where it is.
func AppendInstance(b []byte, st *engine.State, o InstanceOptions) ([]byte, error) {
	body, run := st.Body, &st.Run
	w := writer{b: b}
	w.open()
	w.text("workflow_id", body.WorkflowID)
	w.num("workflow_instance_id", body.InstanceID)
	w.num("workflow_run_id", body.RunID)
	w.text("workflow_uuid", body.UUID)
	w.text("correlation_id", body.CorrelationID)
	w.num("workflow_version_id", body.VersionID)
	w.num("group_info", body.GroupInfo)
	w.numIf("internal_id", body.InternalID)
	if run.Executed {
		w.text("execution_id", body.UUID)
	}
	w.runConfig(body)
	w.paramDefs("run_params", body.RunParams)
	if body.StepRunParams != nil {
		w.stepParams("step_run_params", body.StepRunParams)
	}
	w.runProperties("run_properties", &body.Properties)
	w.workflow("runtime_workflow", body.Workflow)
	w.runtimeDAG(body.DAG)
	w.numIf("timeout_in_millis", body.TimeoutMillis)
	if body.Params != nil || body.StartFailure == nil { // a start that failed before its params were there has none
		w.params("params", body.Params)
	}
	w.initiator("initiator", &body.Initiator)
	w.text("status", run.Status.String())
	w.num("request_time", body.RequestTime)
	w.numIf("create_time", body.CreateTime)
	w.numIf("start_time", run.StartTime)
	w.numIf("end_time", run.EndTime)
	w.numIf("modify_time", modifyTime(st))
	overview, err := OverviewOf(st, Base(body, o.Expanded))
	if err != nil {
		w.fail(err)
	}
	if overview != nil {
		w.value("runtime_overview", overview)
	}
	if len(body.Artifacts) > 0 {
		w.artifacts(body.Artifacts)
	}
	if o.Enriched {
		w.timeline(run.Timeline, runStatuses(st))
	} else {
		w.timeline(run.Timeline, nil)
	}
	switch {
	case o.Aggregate == AggregateComputed:
		w.aggregated(run.Status, engine.Views(st))
	case o.Aggregate == AggregateStored && body.Baseline != nil:
		w.aggregated(body.Baseline.Status, body.Baseline.Views)
	}
	w.close()
	return w.done("run [%s][%d][%d]", body.WorkflowID, body.InstanceID, body.RunID)
}

// modifyTime is that of the last write; a run that was never decided was last written when it was created.
func modifyTime(st *engine.State) int64 { return max(st.Run.ModifyTime, st.Body.CreateTime) }

func (w *writer) runConfig(body *engine.Body) {
	w.object("run_config")
	if len(body.RuntimeTags) > 0 {
		w.tags("runtime_tags", body.RuntimeTags)
	}
	if body.Initiator.Type.Upstream() {
		w.text("correlation_id", body.CorrelationID)
	}
	w.text("policy", string(body.Policy))
	if body.RestartConfig != nil {
		w.restartConfig("restart_config", body.RestartConfig)
	}
	w.close()
}

func (w *writer) restartConfig(k string, c *engine.RestartConfig) {
	w.object(k)
	w.list("restart_path")
	for _, n := range c.Path {
		w.open()
		w.text("workflow_id", n.WorkflowID)
		w.num("instance_id", n.InstanceID)
		if n.StepID == "" {
			w.null("step_id")
		} else {
			w.text("step_id", n.StepID)
		}
		w.close()
	}
	w.closeList()
	w.textIf("restart_policy", string(c.Policy))
	w.textIf("downstream_policy", string(c.DownstreamPolicy))
	if c.HasParams {
		w.paramDefs("restart_params", c.Params)
	}
	if len(c.StepRestartParams) > 0 {
		w.stepParams("step_restart_params", c.StepRestartParams)
	}
	w.strings("start_steps", c.StartSteps)
	w.strings("end_steps", c.EndSteps)
	w.strings("skip_steps", c.SkipSteps)
	w.close()
}

// strings leaves an empty list out.
func (w *writer) strings(k string, list []string) {
	if len(list) == 0 {
		return
	}
	w.list(k)
	for _, s := range list {
		w.entry(s)
	}
	w.closeList()
}

// runtimeDAG writes the graph in its own order, which is that of the ordinals in the overview.
func (w *writer) runtimeDAG(g *dag.Graph) {
	w.object("runtime_dag")
	for i := range g.Nodes {
		n := &g.Nodes[i]
		w.object(n.ID)
		w.strings("predecessors", n.Predecessors)
		if len(n.Successors) > 0 {
			w.object("successors")
			for _, e := range n.Successors {
				if e.Null {
					w.null(e.To)
				} else {
					w.text(e.To, e.Condition)
				}
			}
			w.close()
		}
		w.close()
	}
	w.close()
}

// aggregated writes the latest result of every step over the runs of an instance.
func (w *writer) aggregated(status engine.InstanceStatus, views []engine.StepView) {
	w.object("aggregated_info")
	w.text("workflow_instance_status", status.String())
	if len(views) > 0 {
		w.object("step_aggregated_views")
		for _, v := range views {
			w.object(v.StepID)
			w.numIf("workflow_run_id", v.RunID)
			w.text("status", v.Status.String())
			w.numIf("start_time", v.StartTime)
			w.numIf("end_time", v.EndTime)
			w.close()
		}
		w.close()
	}
	w.close()
}
