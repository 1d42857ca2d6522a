package view

import (
	"sort"

	"github.com/downbeat/downbeat/core/engine"
)

// AppendStep appends one attempt of a step of the run with that body.
func AppendStep(b []byte, body *engine.Body, a *engine.Attempt, enriched bool) ([]byte, error) {
	w := writer{b: b}
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
	w := writer{b: b}
	w.openList()
	for _, s := range list {
		w.step(s.Body, s.Attempt, false)
	}
	w.closeList()
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
	w.open()
	w.text("workflow_id", body.WorkflowID)
	w.num("workflow_instance_id", body.InstanceID)
	w.num("workflow_run_id", body.RunID)
	w.text("step_id", a.StepID)
	w.num("step_attempt_id", a.AttemptID)
	w.text("workflow_uuid", body.UUID)
	w.text("step_uuid", a.UUID)
	w.text("correlation_id", body.CorrelationID)
	w.num("step_instance_id", a.StepInstanceID)
	w.num("workflow_version_id", body.VersionID)
	w.num("group_info", body.GroupInfo)
	w.textIf("owner", body.Properties.Owner)
	w.definition("definition", body, a.StepID)
	w.tags("tags", a.Tags)
	if a.RestartConfig != nil {
		// The overrides stand in the restart config; this member is there, and empty, for every such attempt.
		w.object("step_run_params")
		w.close()
		w.restartConfig("restart_config", a.RestartConfig)
	}
	w.params("params", a.Params)
	w.transition(body, a)
	w.stepRetry(&a.Retry)
	w.numIf("timeout_in_millis", a.TimeoutMillis)
	w.runtimeState("runtime_state", a)
	if a.SignalDependencies != nil {
		w.signalDependencies(a.SignalDependencies)
	}
	if a.SignalOutputs != nil {
		w.signalOutputs(a.SignalOutputs)
	}
	w.stepArtifacts(a)
	if enriched {
		w.timeline(a.Timeline, stepStatuses(a))
	} else {
		w.timeline(a.Timeline, nil)
	}
	w.close()
}

// transition writes what comes before the step in this run, and the edges behind it: conditions with their results once
// the step is complete.
func (w *writer) transition(body *engine.Body, a *engine.Attempt) {
	w.object("transition")
	if n := body.DAG.Node(a.StepID); n != nil {
		w.strings("predecessors", n.Predecessors)
	}
	if len(a.Edges) > 0 {
		w.object("successors")
		for i := range a.Edges {
			e := &a.Edges[i]
			if e.Param != nil {
				w.param(e.To, e.Param)
				continue
			}
			w.object(e.To)
			if !e.Null {
				w.text("expression", e.Condition)
			}
			w.text("type", "BOOLEAN")
			w.close()
		}
		w.close()
	}
	w.close()
}

func (w *writer) stepRetry(r *engine.StepRetry) {
	kinds := [...]struct {
		name string
		*engine.Retries
	}{{"error", &r.Error}, {"platform", &r.Platform}, {"timeout", &r.Timeout}}
	w.object("step_retry")
	for _, k := range kinds {
		w.num(k.name+"_retries", k.Made)
		w.num(k.name+"_retry_limit", k.Limit)
	}
	w.num("manual_retries", r.ManualRetries)
	w.bool("retryable", r.Retryable)
	if r.Backoff != "" {
		w.object("backoff")
		w.text("type", string(r.Backoff))
		for _, k := range kinds {
			w.num(k.name+"_retry_backoff_in_secs", k.BackoffSecs)
			if r.Backoff == engine.Exponential {
				w.num(k.name+"_retry_exponent", k.Exponent)
				w.num(k.name+"_retry_limit_in_secs", k.CapSecs)
			}
		}
		w.close()
	}
	w.close()
}

func (w *writer) signalDependencies(d *engine.SignalDependencies) {
	w.object("signal_dependencies")
	if len(d.Dependencies) > 0 {
		w.list("dependencies")
		for i := range d.Dependencies {
			one := &d.Dependencies[i]
			w.open()
			w.text("name", one.Name)
			w.text("status", string(one.Status))
			if len(one.MatchParams) > 0 {
				w.object("match_params")
				for _, m := range one.MatchParams {
					w.object(m.Name)
					w.result("value", m.Value)
					w.text("operator", m.Operator)
					w.close()
				}
				w.close()
			}
			w.numIf("signal_id", one.SignalID)
			if one.Details != nil {
				w.member("details", *one.Details)
			}
			w.close()
		}
		w.closeList()
	}
	if d.Info != nil {
		w.member("info", *d.Info)
	}
	w.close()
}

func (w *writer) signalOutputs(o *engine.SignalOutputs) {
	w.object("signal_outputs")
	if len(o.Outputs) > 0 {
		w.list("outputs")
		for i := range o.Outputs {
			one := &o.Outputs[i]
			w.open()
			w.text("name", one.Name)
			w.results("params", one.Params)
			w.results("payload", one.Payload)
			w.numIf("signal_id", one.SignalID)
			w.numIf("announce_time", one.AnnounceTime)
			w.close()
		}
		w.closeList()
	}
	if o.Info != nil {
		w.member("info", *o.Info)
	}
	w.close()
}

// stepArtifacts writes the artifacts of an attempt. As in Maestro there always is a tracing context; its content is
// free, so it is made of what identifies the attempt anyway.
func (w *writer) stepArtifacts(a *engine.Attempt) {
	w.object("artifacts")
	for _, e := range a.Artifacts {
		w.raw(e.Key, e.JSON)
	}
	if _, ok := a.Artifacts.Get("tracing_context"); !ok {
		w.object("tracing_context")
		w.text("tracing_id", a.UUID)
		w.close()
	}
	w.close()
}
