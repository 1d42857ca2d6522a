package view

import (
	"reflect"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/step"
)

// The values of the definition and param models, which write their own JSON. What is missing is written as the empty
// object or list that readers see in its place.

func (w *writer) params(k string, p any)    { w.valueOr(k, p, "{}") }
func (w *writer) paramDefs(k string, p any) { w.valueOr(k, p, "{}") }
func (w *writer) tags(k string, t any)      { w.valueOr(k, t, "[]") }
func (w *writer) workflow(k string, v any)  { w.valueOr(k, v, "{}") }

// valueOr writes a value, or a text in place of one that is nil or has no elements.
func (w *writer) valueOr(k string, v any, empty string) {
	if v := reflect.ValueOf(v); !v.IsValid() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 || v.Kind() == reflect.Pointer && v.IsNil() {
		w.raw(k, []byte(empty))
		return
	}
	w.value(k, v)
}

func (w *writer) stepParams(k string, list []engine.StepParams) {
	w.object(k)
	for _, s := range list {
		w.paramDefs(s.StepID, s.Params)
	}
	w.close()
}

func (w *writer) param(k string, p *engine.Param) { w.value(k, p) }

// result writes what a param was evaluated to.
func (w *writer) result(k string, p *engine.Param) {
	if p == nil {
		w.null(k)
		return
	}
	w.value(k, p.Result)
}

// results writes what params were evaluated to, by name; nothing when there is none.
func (w *writer) results(k string, list engine.Params) {
	if len(list) == 0 {
		return
	}
	w.object(k)
	for _, p := range list {
		w.result(p.Name, p.Param)
	}
	w.close()
}

// runProperties writes the properties of the workflow as they were at the start.
func (w *writer) runProperties(k string, p *engine.RunProperties) {
	w.object(k)
	w.num("create_time", p.CreateTime)
	w.textIf("owner", p.Owner)
	if p.StepConcurrency != nil {
		w.num("step_concurrency", *p.StepConcurrency)
	}
	if len(p.Tags) > 0 {
		w.tags("tags", p.Tags)
	}
	w.close()
}

// initiator writes who or what started a run.
func (w *writer) initiator(k string, i *engine.Initiator) {
	w.object(k)
	if i.Type.Upstream() {
		w.ancestors("ancestors", i.Ancestors)
	}
	w.num("depth", i.Depth)
	if i.Type == engine.Signalled {
		if i.Params != nil {
			w.params("params", i.Params)
		}
		if i.SignalIDs != nil {
			w.object("signal_id_map")
			for _, s := range i.SignalIDs {
				w.num(s.Name, s.ID)
			}
			w.close()
		}
	}
	if i.Type == engine.TimeTriggered {
		if i.Timezone != nil {
			w.text("timezone", *i.Timezone)
		}
		w.num("trigger_time", i.TriggerTime)
	}
	if i.Type == engine.TimeTriggered || i.Type == engine.Signalled {
		w.text("trigger_uuid", i.TriggerUUID)
	}
	w.text("type", string(i.Type))
	if i.Type == engine.Manual {
		w.text("user", i.User)
	}
	w.close()
}

func (w *writer) ancestors(k string, list []engine.Ancestor) {
	w.list(k)
	for i := range list {
		a := &list[i]
		w.open()
		w.text("workflow_id", a.WorkflowID)
		w.num("instance_id", a.InstanceID)
		w.num("run_id", a.RunID)
		w.text("step_id", a.StepID)
		w.num("step_attempt_id", a.AttemptID)
		if a.Sync != nil {
			w.bool("sync", *a.Sync)
		}
		w.close()
	}
	w.closeList()
}

func (w *writer) artifacts(a step.Artifacts) {
	w.object("artifacts")
	for _, e := range a {
		w.raw(e.Key, e.JSON)
	}
	w.close()
}

// definition writes the definition of a step as it counts in this run: with the default failure mode and the run's
// predecessors.
func (w *writer) definition(k string, body *engine.Body, stepID string) {
	if body.Workflow == nil {
		return
	}
	for i := range body.Workflow.Steps {
		if body.Workflow.Steps[i].ID == stepID {
			w.value(k, &body.Workflow.Steps[i])
			return
		}
	}
}

// displayName is the workflow's declared name, or its id.
func displayName(body *engine.Body) string {
	if n, ok := any(body.Workflow).(interface{ DisplayName() string }); ok && body.Workflow != nil {
		return n.DisplayName()
	}
	return body.WorkflowID
}

// workflowTags are the tags of the runtime workflow as JSON; nil when there are none.
func workflowTags(body *engine.Body) ([]byte, error) { return nil, nil }
