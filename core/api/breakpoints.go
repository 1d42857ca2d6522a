package api

import (
	"encoding/json"
	"net/http"

	"github.com/downbeat/downbeat/core/breakpoint"
	"github.com/downbeat/downbeat/core/permit"
)

func (a *API) breakpointRoutes() []route {
	const path = base + "/workflows/steps/breakpoints"
	return []route{
		{method: http.MethodPost, path: path, content: jsonContent, needsUser: true, handle: (*call).setBreakpoint},
		{method: http.MethodDelete, path: path, handle: (*call).deleteBreakpoint},
		{method: http.MethodGet, path: path, handle: (*call).listBreakpoints},
		{method: http.MethodGet, path: path + "/paused-step-attempts", handle: (*call).listPaused},
		{
			method: http.MethodPut, content: jsonContent, handle: (*call).resumeAttempt,
			path: path + "/{workflowId}/instances/{workflowInstanceId}/runs/{workflowRun}/steps/{stepId}/attempts/{stepAttemptId}/actions/resume",
		},
		{method: http.MethodPost, path: base + "/tag-permits", content: jsonContent, needsUser: true, handle: (*call).setTagPermit},
		{method: http.MethodGet, path: base + "/tag-permits/{tag}", handle: (*call).readTagPermit},
		{method: http.MethodDelete, path: base + "/tag-permits/{tag}", handle: (*call).deleteTagPermit},
	}
}

// asJSON answers with a value of a small model.
func asJSON(v any) (answer, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return answer{}, err
	}
	return ok(body)
}

func (c *call) setBreakpoint() (answer, error) {
	req, err := breakpoint.ParseRequest(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.identify(); err != nil {
		return answer{}, err
	}
	b, err := c.api.app.SetBreakpoint(c.Context(), req.WorkflowID, req.StepID, c.user)
	if err != nil {
		return answer{}, err
	}
	return asJSON(b.Set())
}

// breakpointQuery reads the parameters that name a step's breakpoint.
func (c *call) breakpointQuery() (workflow, step string, err error) {
	if workflow, err = c.queryRequired("workflowId"); err != nil {
		return "", "", err
	}
	step, err = c.queryRequired("stepId")
	return workflow, step, err
}

// deleteBreakpoint looks for the caller only after the deletion, as Maestro does: without a name the breakpoint is
// gone although the answer is a 400.
func (c *call) deleteBreakpoint() (answer, error) {
	workflow, step, err := c.breakpointQuery()
	if err != nil {
		return answer{}, err
	}
	resume, err := c.queryBool("resume", true)
	if err != nil {
		return answer{}, err
	}
	missing := c.identify()
	n, err := c.api.app.DeleteBreakpoint(c.Context(), workflow, step, c.user, resume)
	if err != nil {
		return answer{}, err
	}
	if missing != nil {
		return answer{}, missing
	}
	return asJSON(breakpoint.Deleted(workflow, step, c.user, n, c.api.app.Now()))
}

func (c *call) listBreakpoints() (answer, error) {
	workflow, step, err := c.breakpointQuery()
	if err != nil {
		return answer{}, err
	}
	list, err := c.api.app.Breakpoints(c.Context(), workflow, step)
	if err != nil {
		return answer{}, err
	}
	out := []breakpoint.Answer{}
	for _, b := range list {
		out = append(out, b.Listed(workflow))
	}
	return asJSON(out)
}

func (c *call) listPaused() (answer, error) {
	workflow, step, err := c.breakpointQuery()
	if err != nil {
		return answer{}, err
	}
	list, err := c.api.app.PausedAttempts(c.Context(), workflow, step)
	if err != nil {
		return answer{}, err
	}
	out := []breakpoint.PausedAnswer{}
	for _, p := range list {
		out = append(out, p.Listed())
	}
	return asJSON(out)
}

func (c *call) resumeAttempt() (answer, error) {
	at := breakpoint.Attempt{WorkflowID: c.PathValue("workflowId"), StepID: c.PathValue("stepId")}
	var err error
	if at.InstanceID, err = c.pathLong("workflowInstanceId"); err != nil {
		return answer{}, err
	}
	if at.AttemptID, err = c.pathLong("stepAttemptId"); err != nil {
		return answer{}, err
	}
	if at.RunID, err = textLong("workflowRun", c.PathValue("workflowRun")); err != nil {
		return answer{}, err
	}
	missing := c.identify()
	if at, err = c.api.app.ResumeAttempt(c.Context(), at, c.user); err != nil {
		return answer{}, err
	}
	if missing != nil {
		return answer{}, missing
	}
	return asJSON(breakpoint.Resumed(at, c.user, c.api.app.Now()))
}

func (c *call) setTagPermit() (answer, error) {
	req, err := permit.ParseLimitRequest(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.identify(); err != nil {
		return answer{}, err
	}
	return answer{}, c.api.app.SetTagPermit(c.Context(), req, c.user)
}

func (c *call) readTagPermit() (answer, error) {
	limit, err := c.api.app.TagPermit(c.Context(), c.PathValue("tag"))
	if err != nil {
		return answer{}, err
	}
	return asJSON(limit)
}

func (c *call) deleteTagPermit() (answer, error) {
	return answer{}, c.api.app.DeleteTagPermit(c.Context(), c.PathValue("tag"))
}
