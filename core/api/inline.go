package api

import (
	"net/http"
	"slices"

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
	path := append(v.Body().Initiator.Inline(), engine.Ancestor{WorkflowID: v.ID().Workflow, InstanceID: n})
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
	way := loop.Way(v.Body().Workflow.Steps, target)
	inForeach := !slices.ContainsFunc(way, func(s *definition.Step) bool { return s.Type != definition.Foreach })
	if len(way) == 0 || !inForeach || len(way)+1 != len(path) {
		return answer{}, fault.New(fault.BadRequest, "step [%s] does not lie below %d foreach steps of workflow [%s]", target, len(path)-1, root.WorkflowID)
	}
	parent := v.Body()
	id := ""
	for i, s := range way {
		parent = loop.Inside(parent, s, path[i+1].InstanceID)
		id = parent.WorkflowID
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
