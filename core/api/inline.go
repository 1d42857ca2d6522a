package api

import (
	"net/http"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/loop"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/view"
	"github.com/downbeat/downbeat/core/wire"
)

// Calls about the generated ids of loop bodies, which Maestro does not document.
func (a *API) inlineRoutes() []route {
	return []route{
		{method: http.MethodGet, path: base + "/workflows/instances/inline-workflow-id", content: jsonContent, handle: (*call).inlineWorkflowID},
		{method: http.MethodGet, path: instance + "/inline-path", handle: (*call).inlinePath},
	}
}

// inlinePath gives the way from the nearest workflow that is no loop's body down to an iteration.
func (c *call) inlinePath() (answer, error) {
	n, err := c.pathLong("workflowInstanceId")
	if err != nil {
		return answer{}, err
	}
	v, err := c.api.app.Run(c.Context(), store.RunID{Workflow: c.PathValue("workflowId"), Instance: n})
	if err != nil {
		return answer{}, err
	}
	if t := v.Body().Initiator.Type; t != engine.ByForeach {
		return answer{}, fault.New(fault.BadRequest, "instance %s was started by %s and is no iteration of a foreach step", v.ID(), t)
	}
	list := v.Body().Initiator.Ancestors
	from := len(list) - 1
	for from > 0 && definition.IsInlineID(list[from].WorkflowID) {
		from--
	}
	path := append(append([]engine.Ancestor(nil), list[from:]...), engine.Ancestor{WorkflowID: v.ID().Workflow, InstanceID: n})
	return ok(view.AppendAncestors(nil, path))
}

// inlineWorkflowID gives the id of the body that holds a step, by the iterations on the way to it.
func (c *call) inlineWorkflowID() (answer, error) {
	path, err := readInlinePath(c.body)
	if err != nil {
		return answer{}, err
	}
	root := path[0]
	v, err := c.api.app.Run(c.Context(), store.RunID{Workflow: root.WorkflowID, Instance: root.InstanceID})
	if err != nil {
		return answer{}, err
	}
	target := path[len(path)-1].StepID
	way := foreachWay(v.Body().Workflow.Steps, target)
	if len(way) == 0 || len(way)+1 != len(path) {
		return answer{}, fault.New(fault.BadRequest, "step [%s] does not lie below %d foreach steps of workflow [%s]", target, len(path)-1, root.WorkflowID)
	}
	parent := v.Body()
	id := ""
	for i, stepID := range way {
		id = loop.InlineID(parent, stepID, false)
		below := &engine.Body{WorkflowID: id, InternalID: parent.InternalID, InstanceID: path[i+1].InstanceID}
		below.Initiator.Ancestors = append(append([]engine.Ancestor(nil), parent.Initiator.Ancestors...),
			engine.Ancestor{WorkflowID: parent.WorkflowID, InstanceID: parent.InstanceID, StepID: stepID})
		parent = below
	}
	return ok([]byte(id))
}

// readInlinePath reads a list of places: of the root's the workflow and the instance count, of the others the instance,
// of the last the step.
func readInlinePath(body []byte) ([]engine.Ancestor, error) {
	v, err := wire.Parse(body)
	if err != nil {
		return nil, err
	}
	n := wire.Root(v, "")
	var path []engine.Ancestor
	for _, item := range n.List() {
		o := item.Object()
		path = append(path, engine.Ancestor{WorkflowID: o.Str("workflow_id"), InstanceID: o.Long("instance_id"), StepID: o.Str("step_id")})
	}
	if err := n.Err(); err != nil {
		return nil, err
	}
	if len(path) == 0 {
		return nil, fault.New(fault.BadRequest, "the path to a step must have a root and the step")
	}
	return path, nil
}

// foreachWay are the foreach steps around a step, from the outermost; nil when it lies in none, or in a while step.
func foreachWay(steps []*definition.Step, target string) []string {
	for _, s := range steps {
		if s.Type != definition.Foreach {
			continue
		}
		for _, b := range s.Steps {
			if b.ID == target {
				return []string{s.ID}
			}
		}
		if below := foreachWay(s.Steps, target); below != nil {
			return append([]string{s.ID}, below...)
		}
	}
	return nil
}
