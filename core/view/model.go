package view

import (
	"encoding/json"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/step"
)

// What stands in a run or a step and is written by the packages of the definition and param models, which know their
// JSON. What is absent there is written as the empty object or list that readers see in its place.

func (w *writer) params(k string, p engine.Params) {
	if p == nil {
		p = &param.Params{}
	}
	w.Append(k, p)
}

func (w *writer) paramDefs(k string, p engine.ParamDefs) {
	if p == nil {
		p = &param.Definitions{}
	}
	w.Append(k, p)
}

func (w *writer) stepParams(k string, list []engine.StepParams) {
	w.Object(k)
	for _, s := range list {
		w.paramDefs(s.StepID, s.Params)
	}
	w.Close()
}

// tags writes an empty list for none.
func (w *writer) tags(k string, t engine.Tags) {
	if t == nil {
		t = engine.Tags{}
	}
	w.Append(k, t)
}

// results writes what params were evaluated to, by name; nothing when there is none.
func (w *writer) results(k string, p engine.Params) {
	if p == nil || p.Len() == 0 {
		return
	}
	w.Object(k)
	for name, v := range p.All() {
		w.result(name, v)
	}
	w.Close()
}

// result writes what a param was evaluated to, null when it was not.
func (w *writer) result(k string, p *engine.Param) {
	if p == nil || !p.Evaluated {
		w.Null(k)
		return
	}
	w.Key(k)
	w.RawItem(param.AppendValue(nil, p.Result))
}

// runProperties writes the properties of the workflow as they were at the start.
func (w *writer) runProperties(k string, p *engine.RunProperties) {
	w.Object(k)
	w.Long("create_time", p.CreateTime)
	w.StrIf("owner", p.Owner)
	if p.Alerting != nil {
		w.Append("alerting", p.Alerting)
	}
	w.LongOpt("step_concurrency", p.StepConcurrency)
	if len(p.Tags) > 0 {
		w.tags("tags", p.Tags)
	}
	w.Close()
}

// initiator writes who or what started a run.
func (w *writer) initiator(k string, i *engine.Initiator) {
	w.Object(k)
	if i.Type.Upstream() {
		w.ancestors("ancestors", i.Ancestors)
	}
	w.Long("depth", i.Depth)
	if i.Type == engine.Signalled {
		if i.Params != nil {
			w.params("params", i.Params)
		}
		if i.SignalIDs != nil {
			w.Object("signal_id_map")
			for _, s := range i.SignalIDs {
				w.Long(s.Name, s.ID)
			}
			w.Close()
		}
	}
	if i.Type == engine.TimeTriggered {
		w.StrOpt("timezone", i.Timezone)
		w.Long("trigger_time", i.TriggerTime)
	}
	if i.Type == engine.TimeTriggered || i.Type == engine.Signalled {
		w.Str("trigger_uuid", i.TriggerUUID)
	}
	w.Str("type", string(i.Type))
	if i.Type == engine.Manual {
		w.Str("user", i.User)
	}
	w.Close()
}

// AppendAncestors appends a list of steps of runs, from the root down.
func AppendAncestors(b []byte, list []engine.Ancestor) []byte {
	w := newWriter(b)
	w.OpenList()
	w.ancestorItems(list)
	return w.Bytes()
}

func (w *writer) ancestors(k string, list []engine.Ancestor) {
	w.List(k)
	w.ancestorItems(list)
}

// ancestorItems writes the elements of a list that is open, and closes it. The last node of a path names no step.
func (w *writer) ancestorItems(list []engine.Ancestor) {
	for i := range list {
		a := &list[i]
		w.Open()
		w.Str("workflow_id", a.WorkflowID)
		w.Long("instance_id", a.InstanceID)
		w.Long("run_id", a.RunID)
		w.StrIf("step_id", a.StepID)
		w.Long("step_attempt_id", a.AttemptID)
		w.BoolOpt("sync", a.Sync)
		w.Close()
	}
	w.CloseList()
}

func (w *writer) artifacts(a step.Artifacts) {
	w.Object("artifacts")
	for _, e := range a {
		w.raw(e.Key, e.JSON)
	}
	w.Close()
}

// stepDefinition writes the definition of a step as it counts in this run: with the default failure mode, with params
// if it be none, and with the run's predecessors in the place of the declared ones. The runtime workflow shows the same
// step as it was pushed.
func (w *writer) stepDefinition(k string, body *engine.Body, stepID string) {
	if body.Workflow == nil {
		return
	}
	def := body.Workflow.Step(stepID)
	if def == nil {
		return
	}
	filled := *def
	if filled.FailureMode == "" {
		filled.FailureMode = definition.FailAfterRunning
	}
	if filled.Params == nil {
		filled.Params = &param.Definitions{}
	}
	filled.Transition.Predecessors = nil
	if n := body.DAG.Node(stepID); n != nil {
		filled.Transition.Predecessors = n.Predecessors
	}
	w.Append(k, &filled)
}

// workflowTags are the tags of the runtime workflow as JSON; nil when there are none.
func workflowTags(body *engine.Body) json.RawMessage {
	if body.Workflow == nil || len(body.Workflow.Tags) == 0 {
		return nil
	}
	return body.Workflow.Tags.AppendJSON(nil)
}

// displayName is the workflow's declared name, or its id.
func displayName(body *engine.Body) string {
	if body.Workflow == nil {
		return body.WorkflowID
	}
	return body.Workflow.DisplayName()
}
