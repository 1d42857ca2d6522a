package api

import (
	"fmt"
	"net/http"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/request"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/timeline"
	"github.com/downbeat/downbeat/core/view"
)

func (a *API) startRoutes() []route {
	return []route{
		{method: http.MethodPost, path: base + "/workflows/{workflowId}/versions/{version}/actions/start", content: jsonContent, needsUser: true, handle: (*call).start},
		{method: http.MethodPost, path: base + "/workflows/{workflowId}/versions/{version}/actions/start-customized", content: jsonContent, needsUser: true, handle: (*call).startCustomized},
		{method: http.MethodPost, path: instance + "/actions/restart", content: jsonContent, needsUser: true, handle: (*call).restart},
		{method: http.MethodPost, path: instance + "/actions/restart-customized", content: jsonContent, needsUser: true, handle: (*call).restartCustomized},
		{method: http.MethodPost, path: instance + "/steps/{stepId}/actions/restart", content: jsonContent, needsUser: true, handle: (*call).restartStep},
	}
}

func (c *call) start() (answer, error) { return c.startBy(request.Start) }

// startCustomized runs some steps of a version: a call of its own, since Maestro's start knows no such fields.
func (c *call) startCustomized() (answer, error) { return c.startBy(request.CustomizedStart) }

func (c *call) startBy(read func(body []byte, now int64) (*engine.StartRequest, error)) (answer, error) {
	req, err := read(c.body, c.api.app.Now())
	if err != nil {
		return answer{}, err
	}
	if err := c.identify(); err != nil {
		return answer{}, err
	}
	started, err := c.api.app.Start(c.Context(), c.PathValue("workflowId"), c.PathValue("version"), c.user, *req)
	if err != nil {
		return answer{}, err
	}
	return c.startAnswer(started, startedBy(&req.Initiator, c.user))
}

// startedBy says in words who or what started a run.
func startedBy(in *engine.Initiator, user string) string {
	switch in.Type {
	case engine.TimeTriggered:
		return fmt.Sprintf("the workflow was started by time trigger [%s]", in.TriggerUUID)
	case engine.Signalled:
		return fmt.Sprintf("the workflow was started by signal trigger [%s]", in.TriggerUUID)
	case engine.Manual:
		return fmt.Sprintf("the workflow was started by user [%s]", user)
	}
	p := in.Ancestors[len(in.Ancestors)-1]
	return fmt.Sprintf("the workflow was started by a %s step [%s][%d][%d][%s]", in.Type, p.WorkflowID, p.InstanceID, p.RunID, p.StepID)
}

func (c *call) startAnswer(s *app.Started, message string) (answer, error) {
	body, err := view.AppendStartResponse(nil, &view.StartResponse{
		WorkflowID: s.WorkflowID, VersionID: s.Version, InstanceID: s.Instance, RunID: s.Run, UUID: s.UUID, Status: startStatus(s),
		Event: timeline.Line(c.api.app.Now(), "%s", message),
	})
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

func startStatus(s *app.Started) view.StartStatus {
	switch {
	case s.Duplicated:
		return view.StartDuplicated
	case s.Rejected:
		return view.StartStopped
	}
	return view.StartCreated
}

func (c *call) restart() (answer, error) {
	return c.restartBy(func(body []byte, now int64) (*engine.RestartRequest, error) {
		req, _, err := request.Restart(body, false, now)
		return req, err
	})
}

// restartCustomized makes a run of some steps of an instance: a call of its own, since Maestro's restart refuses the
// policy RESTART_CUSTOMIZED_RUN.
func (c *call) restartCustomized() (answer, error) { return c.restartBy(request.CustomizedRestart) }

func (c *call) restartBy(read func(body []byte, now int64) (*engine.RestartRequest, error)) (answer, error) {
	n, err := c.pathLong("workflowInstanceId")
	if err != nil {
		return answer{}, err
	}
	req, err := read(c.body, c.api.app.Now())
	if err != nil {
		return answer{}, err
	}
	if err := c.identify(); err != nil {
		return answer{}, err
	}
	req.User = c.user
	v, err := c.api.app.Run(c.Context(), store.RunID{Workflow: c.PathValue("workflowId"), Instance: n})
	if err != nil {
		return answer{}, err
	}
	started, err := c.api.app.Restart(c.Context(), v, *req)
	if err != nil {
		return answer{}, err
	}
	return c.startAnswer(started, fmt.Sprintf("the workflow was restarted by user [%s]", c.user))
}

func (c *call) restartStep() (answer, error) {
	id, err := c.addressedRun()
	if err != nil {
		return answer{}, err
	}
	blocking, err := c.queryBool("blocking", true)
	if err != nil {
		return answer{}, err
	}
	req, upstream, err := request.Restart(c.body, true, c.api.app.Now())
	if err != nil {
		return answer{}, err
	}
	if err := c.identify(); err != nil {
		return answer{}, err
	}
	step := c.PathValue("stepId")
	if upstream == "RESTART_FROM_INLINE_ROOT" {
		return c.restartInlineRoot(id, step, req)
	}
	acted, err := c.api.app.Act(c.Context(), id, engine.Action{
		Kind: engine.ActionRestart, StepID: step, User: c.user, DownstreamPolicy: req.DownstreamPolicy, StepRunParams: req.StepParams,
	})
	if err != nil {
		return answer{}, err
	}
	_ = blocking // a restart inside a run has taken effect when the head is committed
	resp := &view.StepRestartResponse{WorkflowID: id.Workflow, InstanceID: id.Instance, Status: view.StartCreated, Event: acted.Event, VersionID: acted.Run.Body().VersionID}
	if acted.NewRun == nil {
		resp.RunID, resp.StepID, resp.AttemptID = acted.Run.ID().Run, step, acted.AttemptID
	} else {
		next := *acted.NewRun
		next.RequestID, next.RequestTime, next.User = req.RequestID, req.RequestTime, c.user
		started, err := c.api.app.Restart(c.Context(), acted.Run, next)
		if err != nil {
			return answer{}, err
		}
		resp.WorkflowID, resp.InstanceID, resp.VersionID = started.WorkflowID, started.Instance, started.Version
		resp.RunID, resp.Status = started.Run, startStatus(started)
		resp.StepID, resp.AttemptID = started.Step, started.Attempt
	}
	body, err := view.AppendStepRestartResponse(nil, resp)
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

// restartInlineRoot restarts the whole workflow with params for one of its steps.
func (c *call) restartInlineRoot(id store.RunID, step string, req *engine.RestartRequest) (answer, error) {
	v, err := c.api.app.Run(c.Context(), id)
	if err != nil {
		return answer{}, err
	}
	st := v.State()
	if !st.Run.Status.Terminal() {
		return answer{}, fault.New(fault.BadRequest, "run %s is %s: RESTART_FROM_INLINE_ROOT needs a terminal run", v.ID(), st.Run.Status)
	}
	if !engine.ViewOf(st, step).Status.Terminal() {
		return answer{}, fault.New(fault.BadRequest, "step [%s] of instance %s is not terminal: RESTART_FROM_INLINE_ROOT needs a terminal step", step, v.ID())
	}
	if v.Body().Initiator.Type == engine.ByForeach {
		// The workflow that holds the loop is restarted, with the params for whatever iteration has the step.
		if v, err = c.api.app.InlineRoot(c.Context(), v); err != nil {
			return answer{}, err
		}
	}
	started, err := c.api.app.Restart(c.Context(), v, engine.RestartRequest{
		Policy: req.DownstreamPolicy, RequestID: req.RequestID, RequestTime: req.RequestTime, User: c.user,
		Overrides: []engine.StepParams{{StepID: step, Params: req.StepParams}},
	})
	if err != nil {
		return answer{}, err
	}
	body, err := view.AppendStepRestartResponse(nil, &view.StepRestartResponse{
		WorkflowID: started.WorkflowID, VersionID: started.Version, InstanceID: started.Instance, RunID: started.Run, Status: startStatus(started),
		Event: timeline.Line(c.api.app.Now(), "the workflow was restarted by user [%s]", c.user),
	})
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}
