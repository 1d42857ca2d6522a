package view

import (
	"github.com/downbeat/downbeat/core/definition"
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
	w := newWriter(b)
	w.Open()
	w.Str("workflow_id", body.WorkflowID)
	w.Long("workflow_instance_id", body.InstanceID)
	w.Long("workflow_run_id", body.RunID)
	w.Str("workflow_uuid", body.UUID)
	w.Str("correlation_id", body.CorrelationID)
	w.Long("workflow_version_id", body.VersionID)
	w.Long("group_info", body.GroupInfo)
	w.LongIf("internal_id", body.InternalID)
	if run.Executed {
		w.Str("execution_id", body.UUID)
	}
	w.runConfig(body)
	w.paramDefs("run_params", body.RunParams)
	if body.StepRunParams != nil {
		w.stepParams("step_run_params", body.StepRunParams)
	}
	w.runProperties("run_properties", &body.Properties)
	if body.Workflow != nil {
		w.Append("runtime_workflow", body.Workflow)
	}
	w.Key("runtime_dag")
	w.RawItem(definition.AppendRuntimeDAG(nil, body.DAG))
	w.LongIf("timeout_in_millis", body.TimeoutMillis)
	if body.Params != nil || body.StartFailure == nil { // a start that failed before its params were there has none
		w.params("params", body.Params)
	}
	w.initiator("initiator", &body.Initiator)
	w.Str("status", run.Status.String())
	w.Long("request_time", body.RequestTime)
	w.LongIf("create_time", body.CreateTime)
	w.LongIf("start_time", run.StartTime)
	w.LongIf("end_time", run.EndTime)
	w.LongIf("modify_time", modifyTime(st))
	overview, err := OverviewOf(st, Base(body, o.Expanded))
	if err != nil {
		w.fail(err)
	}
	if overview != nil {
		w.Append("runtime_overview", overview)
	}
	if len(body.Artifacts) > 0 {
		w.artifacts(body.Artifacts)
	}
	w.runTimeline(st, o.Enriched)
	switch {
	case o.Aggregate == AggregateComputed:
		w.aggregated(run.Status, engine.Views(st))
	case o.Aggregate == AggregateStored && body.Baseline != nil:
		w.aggregated(body.Baseline.Status, body.Baseline.Views)
	}
	w.Close()
	return w.done("run [%s][%d][%d]", body.WorkflowID, body.InstanceID, body.RunID)
}

// modifyTime is that of the last write; a run that was never decided was last written when it was created.
func modifyTime(st *engine.State) int64 { return max(st.Run.ModifyTime, st.Body.CreateTime) }

func (w *writer) runConfig(body *engine.Body) {
	w.Object("run_config")
	if len(body.RuntimeTags) > 0 {
		w.tags("runtime_tags", body.RuntimeTags)
	}
	if body.Initiator.Type.Upstream() {
		w.Str("correlation_id", body.CorrelationID)
	}
	w.Str("policy", string(body.Policy))
	if body.RestartConfig != nil {
		w.restartConfig("restart_config", body.RestartConfig)
	}
	w.Close()
}

func (w *writer) restartConfig(k string, c *engine.RestartConfig) {
	w.Key(k)
	w.restartConfigValue(c)
}

func (w *writer) restartConfigValue(c *engine.RestartConfig) {
	w.Open()
	w.List("restart_path")
	for _, n := range c.Path {
		w.Open()
		w.Str("workflow_id", n.WorkflowID)
		w.Long("instance_id", n.InstanceID)
		if n.StepID == "" {
			w.Null("step_id")
		} else {
			w.Str("step_id", n.StepID)
		}
		w.Close()
	}
	w.CloseList()
	w.StrIf("restart_policy", string(c.Policy))
	w.StrIf("downstream_policy", string(c.DownstreamPolicy))
	if c.HasParams {
		w.paramDefs("restart_params", c.Params)
	}
	if len(c.StepRestartParams) > 0 {
		w.stepParams("step_restart_params", c.StepRestartParams)
	}
	w.StrsIf("start_steps", c.StartSteps)
	w.StrsIf("end_steps", c.EndSteps)
	w.StrsIf("skip_steps", c.SkipSteps)
	w.Close()
}

// aggregated writes the latest result of every step over the runs of an instance.
func (w *writer) aggregated(status engine.InstanceStatus, views []engine.StepView) {
	w.Object("aggregated_info")
	w.Str("workflow_instance_status", status.String())
	if len(views) > 0 {
		w.Object("step_aggregated_views")
		for _, v := range views {
			w.Object(v.StepID)
			w.LongIf("workflow_run_id", v.RunID)
			w.Str("status", v.Status.String())
			w.LongIf("start_time", v.StartTime)
			w.LongIf("end_time", v.EndTime)
			w.Close()
		}
		w.Close()
	}
	w.Close()
}
