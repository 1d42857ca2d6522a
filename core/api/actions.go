package api

import (
	"fmt"
	"net/http"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/timeline"
	"github.com/downbeat/downbeat/core/view"
)

func (a *API) actionRoutes() []route {
	put := func(path string, h func(*call) (answer, error)) route {
		return route{method: http.MethodPut, path: path, needsUser: true, handle: h}
	}
	var routes []route
	for _, kind := range []engine.ActionKind{engine.ActionStop, engine.ActionKill} {
		name := actionPath(kind)
		act := func(c *call) (answer, error) { return c.actOnRun(kind) }
		routes = append(routes,
			put(instance+"/actions/"+name, act),
			put(run+"/actions/"+name, act),
			put(base+"/workflows/{workflowId}/actions/"+name, func(c *call) (answer, error) { return c.endAll(kind) }),
			put(instance+"/steps/{stepId}/actions/"+name, func(c *call) (answer, error) { return c.actOnStep(kind) }),
		)
	}
	for _, kind := range []engine.ActionKind{engine.ActionPause, engine.ActionResume} {
		act := func(c *call) (answer, error) { return c.actOnRun(kind) }
		routes = append(routes, put(instance+"/actions/"+actionPath(kind), act), put(run+"/actions/"+actionPath(kind), act))
	}
	return append(routes,
		put(instance+"/actions/unblock", (*call).unblockRun),
		put(run+"/actions/unblock", (*call).unblockRun),
		put(base+"/workflows/{workflowId}/actions/unblock", (*call).unblockAll),
		put(instance+"/steps/{stepId}/actions/skip", func(c *call) (answer, error) { return c.actOnStep(engine.ActionSkip) }),
		put(instance+"/steps/{stepId}/actions/bypass", func(c *call) (answer, error) { return c.actOnStep(engine.ActionBypass) }),
	)
}

func actionPath(kind engine.ActionKind) string {
	switch kind {
	case engine.ActionStop:
		return "stop"
	case engine.ActionKill:
		return "kill"
	case engine.ActionPause:
		return "pause"
	}
	return "resume"
}

// addressedRun is the run that an action names: of an instance alone, or with run 0, the newest.
func (c *call) addressedRun() (store.RunID, error) {
	id := store.RunID{Workflow: c.PathValue("workflowId")}
	var err error
	if id.Instance, err = c.pathLong("workflowInstanceId"); err != nil {
		return id, err
	}
	if c.PathValue("workflowRunId") != "" {
		id.Run, err = c.pathLong("workflowRunId")
	}
	return id, err
}

func (c *call) actOnRun(kind engine.ActionKind) (answer, error) {
	id, err := c.addressedRun()
	if err != nil {
		return answer{}, err
	}
	acted, err := c.api.app.Act(c.Context(), id, engine.Action{Kind: kind, User: c.user})
	if err != nil {
		return answer{}, err
	}
	body, err := view.AppendInstanceActionResponse(nil, &view.InstanceActionResponse{
		WorkflowID: id.Workflow, InstanceID: id.Instance, RunID: acted.Run.ID().Run, Status: acted.Status, Completed: acted.Completed, Event: acted.Event,
	})
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

func (c *call) unblockRun() (answer, error) {
	id, err := c.addressedRun()
	if err != nil {
		return answer{}, err
	}
	acted, err := c.api.app.Act(c.Context(), id, engine.Action{Kind: engine.ActionUnblock, User: c.user})
	if err != nil {
		return answer{}, err
	}
	if err := c.api.app.Unblocked(c.Context(), acted.Run.ID()); err != nil {
		return answer{}, err
	}
	body, err := view.AppendInstanceActionResponse(nil, &view.InstanceActionResponse{
		WorkflowID: id.Workflow, InstanceID: id.Instance, RunID: acted.Run.ID().Run, Status: acted.Status, Completed: true, Info: acted.Info, Event: acted.Event,
	})
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

func (c *call) endAll(kind engine.ActionKind) (answer, error) {
	queued, running, err := c.api.app.EndAll(c.Context(), c.PathValue("workflowId"), c.user, "", kind == engine.ActionKill)
	if err != nil {
		return answer{}, err
	}
	body, err := view.AppendEvent(nil, timeline.Event{
		Timestamp: c.api.app.Now(), Type: timeline.Action, Action: string(kind), Author: c.user,
		Message: fmt.Sprintf("%d queued instances were ended, %d running instances are being ended", queued, running),
	})
	return answer{status: http.StatusAccepted, body: body}, err
}

func (c *call) unblockAll() (answer, error) {
	wf := c.PathValue("workflowId")
	message := "instances of inline workflows block nothing"
	if !definition.IsInlineID(wf) {
		n, err := c.api.app.Unblock(c.Context(), wf, 0, c.user)
		if err != nil {
			return answer{}, err
		}
		message = fmt.Sprintf("%d failed instances no longer block the workflow", n)
	}
	body, err := view.AppendEvent(nil, timeline.Event{
		Timestamp: c.api.app.Now(), Type: timeline.Action, Action: string(engine.ActionUnblock), Author: c.user, Message: message,
	})
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

// actOnStep stops, kills, skips or bypasses a step of the newest run. A skip of a step that has ended is a restart.
func (c *call) actOnStep(kind engine.ActionKind) (answer, error) {
	id, err := c.addressedRun()
	if err != nil {
		return answer{}, err
	}
	blocking, err := c.queryBool("blocking", true)
	if err != nil {
		return answer{}, err
	}
	step := c.PathValue("stepId")
	acted, err := c.api.app.Act(c.Context(), id, engine.Action{Kind: kind, StepID: step, User: c.user})
	if err != nil {
		return answer{}, err
	}
	runID := acted.Run.ID()
	if acted.NewRun != nil {
		started, err := c.api.app.Restart(c.Context(), acted.Run, *acted.NewRun)
		if err != nil {
			return answer{}, err
		}
		body, err := view.AppendStepActionResponse(nil, &view.StepActionResponse{
			WorkflowID: started.WorkflowID, InstanceID: started.Instance, RunID: started.Run, StepID: started.Step, AttemptID: started.Attempt, Event: acted.Event,
		})
		if err != nil {
			return answer{}, err
		}
		return ok(body)
	}
	resp := &view.StepActionResponse{
		WorkflowID: id.Workflow, InstanceID: runID.Instance, RunID: runID.Run, StepID: step, AttemptID: acted.AttemptID, Event: acted.Event,
	}
	if blocking {
		resp.Attempt = acted.Attempt
		if acted.Pending {
			if resp.Attempt, err = c.api.app.AwaitSettled(c.Context(), runID, step, acted.AttemptID); err != nil {
				return answer{}, err
			}
		}
	}
	body, err := view.AppendStepActionResponse(nil, resp)
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}
