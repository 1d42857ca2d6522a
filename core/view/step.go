package view

import (
	"sort"

	"github.com/downbeat/downbeat/core/engine"
)

// AppendStep appends one attempt of a step of the run with that body.
func AppendStep(b []byte, body *engine.Body, a *engine.Attempt, enriched bool) ([]byte, error) {
	w := newWriter(b)
	w.step(body, a, enriched)
	return w.done("attempt [%s][%d][%d][%s][%d]", body.WorkflowID, body.InstanceID, body.RunID, a.StepID, a.AttemptID)
}

// RunAttempt is an attempt with the body of its run.
type RunAttempt struct {
	Body    *engine.Body
	Attempt *engine.Attempt
}

// AppendSteps appends a list of attempts, ordered by the number of the step in its run. It is never enriched.
func AppendSteps(b []byte, list []RunAttempt) ([]byte, error) {
	list = append([]RunAttempt(nil), list...)
	sort.SliceStable(list, func(i, j int) bool { return list[i].Attempt.StepInstanceID < list[j].Attempt.StepInstanceID })
	w := newWriter(b)
	w.OpenList()
	for _, s := range list {
		w.step(s.Body, s.Attempt, false)
	}
	w.CloseList()
	return w.done("list of %d steps", len(list))
}

// Created are the latest attempts of the created steps of a run.
func Created(st *engine.State) []RunAttempt {
	var out []RunAttempt
	for i := range st.Steps {
		if a := st.Steps[i].Latest; a != nil {
			out = append(out, RunAttempt{st.Body, a})
		}
	}
	return out
}

func (w *writer) step(body *engine.Body, a *engine.Attempt, enriched bool) {
	w.Open()
	w.Str("workflow_id", body.WorkflowID)
	w.Long("workflow_instance_id", body.InstanceID)
	w.Long("workflow_run_id", body.RunID)
	w.Str("step_id", a.StepID)
	w.Long("step_attempt_id", a.AttemptID)
	w.Str("workflow_uuid", body.UUID)
	w.Str("step_uuid", a.UUID)
	w.Str("correlation_id", body.CorrelationID)
	w.Long("step_instance_id", a.StepInstanceID)
	w.Long("workflow_version_id", body.VersionID)
	w.Long("group_info", body.GroupInfo)
	w.StrIf("owner", body.Properties.Owner)
	w.stepDefinition("definition", body, a.StepID)
	w.tags("tags", a.Tags)
	if a.RestartConfig != nil {
		// The overrides stand in the restart config; this member is there, and empty, for every such attempt.
		w.Object("step_run_params")
		w.Close()
		w.restartConfig("restart_config", a.RestartConfig)
	}
	w.params("params", a.Params)
	w.transition(body, a)
	w.stepRetry(&a.Retry)
	w.LongIf("timeout_in_millis", a.TimeoutMillis)
	w.runtimeState("runtime_state", a)
	if a.SignalDependencies != nil {
		w.signalDependencies(a.SignalDependencies)
	}
	if a.SignalOutputs != nil {
		w.signalOutputs(a.SignalOutputs)
	}
	w.stepArtifacts(a)
	w.stepTimeline(a, enriched)
	w.Close()
}

// transition writes what comes before the step in this run, and the edges behind it: conditions with their results once
// the step is complete.
func (w *writer) transition(body *engine.Body, a *engine.Attempt) {
	w.Object("transition")
	if n := body.DAG.Node(a.StepID); n != nil {
		w.StrsIf("predecessors", n.Predecessors)
	}
	if len(a.Edges) > 0 {
		w.Object("successors")
		for i := range a.Edges {
			e := &a.Edges[i]
			if e.Param != nil {
				w.Append(e.To, e.Param)
				continue
			}
			w.Object(e.To)
			if !e.Null {
				w.Str("expression", e.Condition)
			}
			w.Str("type", "BOOLEAN")
			w.Close()
		}
		w.Close()
	}
	w.Close()
}

func (w *writer) stepRetry(r *engine.StepRetry) {
	kinds := [...]struct {
		name string
		*engine.Retries
	}{{"error", &r.Error}, {"platform", &r.Platform}, {"timeout", &r.Timeout}}
	w.Object("step_retry")
	for _, k := range kinds {
		w.Long(k.name+"_retries", k.Made)
		w.Long(k.name+"_retry_limit", k.Limit)
	}
	w.Long("manual_retries", r.ManualRetries)
	w.Bool("retryable", r.Retryable)
	if r.Backoff != "" {
		w.Object("backoff")
		w.Str("type", string(r.Backoff))
		for _, k := range kinds {
			w.Long(k.name+"_retry_backoff_in_secs", k.BackoffSecs)
			if r.Backoff == engine.Exponential {
				w.Long(k.name+"_retry_exponent", k.Exponent)
				w.Long(k.name+"_retry_limit_in_secs", k.CapSecs)
			}
		}
		w.Close()
	}
	w.Close()
}

func (w *writer) signalDependencies(d *engine.SignalDependencies) {
	w.Object("signal_dependencies")
	if len(d.Dependencies) > 0 {
		w.List("dependencies")
		for i := range d.Dependencies {
			one := &d.Dependencies[i]
			w.Open()
			w.Str("name", one.Name)
			w.Str("status", string(one.Status))
			if len(one.MatchParams) > 0 {
				w.Object("match_params")
				for _, m := range one.MatchParams {
					w.Object(m.Name)
					w.result("value", m.Value)
					w.Str("operator", m.Operator)
					w.Close()
				}
				w.Close()
			}
			w.LongIf("signal_id", one.SignalID)
			if one.Details != nil {
				w.event("details", *one.Details)
			}
			w.Close()
		}
		w.CloseList()
	}
	if d.Info != nil {
		w.event("info", *d.Info)
	}
	w.Close()
}

func (w *writer) signalOutputs(o *engine.SignalOutputs) {
	w.Object("signal_outputs")
	if len(o.Outputs) > 0 {
		w.List("outputs")
		for i := range o.Outputs {
			one := &o.Outputs[i]
			w.Open()
			w.Str("name", one.Name)
			w.results("params", one.Params)
			w.results("payload", one.Payload)
			w.LongIf("signal_id", one.SignalID)
			w.LongIf("announce_time", one.AnnounceTime)
			w.Close()
		}
		w.CloseList()
	}
	if o.Info != nil {
		w.event("info", *o.Info)
	}
	w.Close()
}

// stepArtifacts writes the artifacts of an attempt. As in Maestro there always is a tracing context; its content is
// free, so it is made of what identifies the attempt anyway.
func (w *writer) stepArtifacts(a *engine.Attempt) {
	w.Object("artifacts")
	for _, e := range a.Artifacts {
		w.raw(e.Key, e.JSON)
	}
	if _, ok := a.Artifacts.Get("tracing_context"); !ok {
		w.Object("tracing_context")
		w.Str("tracing_id", a.UUID)
		w.Close()
	}
	w.Close()
}
