package breakpoint

import (
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/wire"
)

// Request is the body of POST /workflows/steps/breakpoints.
type Request struct {
	WorkflowID string
	StepID     string
}

// finer are the members that would make a breakpoint hold for less than all attempts of a step, which no version of
// Maestro can do.
var finer = [...]string{"workflow_version", "workflow_instance_id", "workflow_run", "step_attempt_id"}

// ParseRequest reads the body of a request: both ids are needed, members for a finer breakpoint must be absent or null,
// and any other member is refused. Every error holds a *fault.Error with BAD_REQUEST.
func ParseRequest(body []byte) (Request, error) {
	doc, err := wire.Parse(body)
	if err != nil {
		return Request{}, err
	}
	o, err := wire.Open(doc, "")
	if err != nil {
		return Request{}, err
	}
	workflow, step := o.StrOpt("workflow_id"), o.StrOpt("step_id")
	var wrong []string
	for _, name := range finer {
		if !o.Get(name).IsNull() {
			wrong = append(wrong, name+" must be null: breakpoints of this kind are not supported")
		}
	}
	if err := o.Close(); err != nil {
		return Request{}, err
	}
	if workflow == nil {
		wrong = append(wrong, "workflowId must not be null")
	}
	if step == nil {
		wrong = append(wrong, "stepId must not be null")
	}
	if len(wrong) > 0 {
		return Request{}, fault.New(fault.BadRequest, `400 BAD_REQUEST "Validation failure"`).With(wrong...)
	}
	return Request{WorkflowID: *workflow, StepID: *step}, nil
}
