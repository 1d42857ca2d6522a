package breakpoint

import "github.com/downbeat/downbeat/core/timeline"

// Answer is a breakpoint as the API shows it.
type Answer struct {
	WorkflowID string `json:"workflow_id"`
	StepID     string `json:"step_id"`
	CreateTime int64  `json:"create_time"`
	CreatedBy  string `json:"created_by"`
}

// Set is the answer to setting the breakpoint: it shows the scope as workflow id.
func (b Breakpoint) Set() Answer { return b.Listed(b.Scope) }

// Listed is the breakpoint in a list, with the workflow id that was asked for.
func (b Breakpoint) Listed(workflowID string) Answer {
	return Answer{WorkflowID: workflowID, StepID: b.StepID, CreateTime: b.CreateTime, CreatedBy: b.CreatedBy}
}

// PausedAnswer is a paused attempt as the API shows it. In a loop its workflow id is that of the iteration: the id with
// which the attempt is resumed.
type PausedAnswer struct {
	WorkflowID string `json:"workflow_id"`
	VersionID  int64  `json:"workflow_version_id"`
	InstanceID int64  `json:"workflow_instance_id"`
	RunID      int64  `json:"workflow_run_id"`
	StepID     string `json:"step_id"`
	AttemptID  int64  `json:"step_attempt_id"`
	CreateTime int64  `json:"create_time"`
}

// Listed is the paused attempt in a list.
func (p Paused) Listed() PausedAnswer {
	return PausedAnswer{WorkflowID: p.WorkflowID, VersionID: p.VersionID, InstanceID: p.InstanceID, RunID: p.RunID, StepID: p.StepID,
		AttemptID: p.AttemptID, CreateTime: p.CreateTime}
}

// DeletedAnswer is the answer to deleting a breakpoint.
type DeletedAnswer struct {
	WorkflowID    string         `json:"workflow_id"`
	StepID        string         `json:"step_id"`
	TimelineEvent timeline.Event `json:"timeline_event"`
}

// Deleted is the answer to deleting a breakpoint, asked for with this workflow id, and resuming so many attempts.
func Deleted(workflowID, stepID, user string, resumed int, now int64) DeletedAnswer {
	return DeletedAnswer{WorkflowID: workflowID, StepID: stepID,
		TimelineEvent: timeline.Line(now, "breakpoint was removed by user [%s]; steps resumed: %d", user, resumed)}
}

// ResumedAnswer is the answer to resuming one attempt: that of a step action, without the runtime state.
type ResumedAnswer struct {
	WorkflowID    string         `json:"workflow_id"`
	InstanceID    int64          `json:"workflow_instance_id"`
	RunID         int64          `json:"workflow_run_id"`
	StepID        string         `json:"step_id"`
	AttemptID     int64          `json:"step_attempt_id"`
	TimelineEvent timeline.Event `json:"timeline_event"`
}

// Resumed is the answer to resuming an attempt.
func Resumed(a Attempt, user string, now int64) ResumedAnswer {
	return ResumedAnswer{WorkflowID: a.WorkflowID, InstanceID: a.InstanceID, RunID: a.RunID, StepID: a.StepID, AttemptID: a.AttemptID,
		TimelineEvent: timeline.Line(now, "step attempt was resumed by user [%s]", user)}
}
