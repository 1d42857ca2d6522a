package view

import (
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/timeline"
)

// InstanceActions are the actions that a user may take on a run in that status, in the order in which they are shown.
func InstanceActions(s engine.InstanceStatus) []engine.ActionKind {
	switch s {
	case engine.InstanceCreated, engine.InstanceInProgress, engine.InstancePaused:
		return []engine.ActionKind{engine.ActionStop, engine.ActionKill}
	case engine.InstanceFailed:
		return []engine.ActionKind{engine.ActionRestart, engine.ActionUnblock}
	case engine.InstanceTimedOut, engine.InstanceStopped, engine.InstanceSucceeded:
		return []engine.ActionKind{engine.ActionRestart}
	}
	return nil
}

// StepActions are the actions that a user may take on an attempt in that status, in the order in which they are shown.
// They are a help for user interfaces, but for SKIP, which is refused where it is not listed. PAUSE has no call of its
// own: that is what breakpoints are for.
func StepActions(s engine.StepStatus) []engine.ActionKind {
	switch s {
	case engine.StepNotCreated, engine.NumStepStatuses:
		return nil
	case engine.StepCreated:
		return []engine.ActionKind{engine.ActionPause, engine.ActionStop, engine.ActionKill}
	case engine.StepInitialized:
		return []engine.ActionKind{engine.ActionPause, engine.ActionStop, engine.ActionKill, engine.ActionSkip}
	case engine.StepPaused:
		return []engine.ActionKind{engine.ActionResume, engine.ActionStop, engine.ActionKill, engine.ActionSkip}
	case engine.StepWaitingForSignals:
		return []engine.ActionKind{engine.ActionStop, engine.ActionKill, engine.ActionSkip, engine.ActionBypass}
	case engine.StepDisabled, engine.StepUnsatisfied:
		return []engine.ActionKind{engine.ActionRestart}
	}
	if !s.Terminal() || s.Retryable() {
		return []engine.ActionKind{engine.ActionStop, engine.ActionKill, engine.ActionSkip}
	}
	return []engine.ActionKind{engine.ActionRestart, engine.ActionSkip}
}

// AppendInstanceActionMap appends the actions of every status of a run.
func AppendInstanceActionMap(b []byte) []byte {
	w := newWriter(b)
	w.Open()
	for s := engine.InstanceCreated; s <= engine.InstanceSucceeded; s++ {
		w.actions(s.String(), InstanceActions(s))
	}
	w.Close()
	return w.Bytes()
}

// AppendStepActionMap appends the actions of every status of an attempt but NOT_CREATED.
func AppendStepActionMap(b []byte) []byte {
	w := newWriter(b)
	w.Open()
	for s := engine.StepCreated; s < engine.NumStepStatuses; s++ {
		w.actions(s.String(), StepActions(s))
	}
	w.Close()
	return w.Bytes()
}

func (w *writer) actions(status string, list []engine.ActionKind) {
	w.List(status)
	for _, a := range list {
		w.StrItem(string(a))
	}
	w.CloseList()
}

// StartStatus is what became of a request for a run.
type StartStatus string

// The statuses. Duplicated answers carry the ids 0.
const (
	StartCreated    StartStatus = "CREATED"
	StartDuplicated StartStatus = "DUPLICATED"
	StartStopped    StartStatus = "STOPPED" // FIRST_ONLY, and another instance is not terminal
)

// StartResponse answers a start, and a restart of an instance.
type StartResponse struct {
	WorkflowID string
	VersionID  int64
	InstanceID int64
	RunID      int64
	UUID       string // of the run: the request id
	Status     StartStatus
	Event      timeline.Event
}

// AppendStartResponse appends the answer to a start.
func AppendStartResponse(b []byte, r *StartResponse) ([]byte, error) {
	w := newWriter(b)
	w.Open()
	w.Str("workflow_id", r.WorkflowID)
	w.Long("workflow_version_id", r.VersionID)
	w.Long("workflow_instance_id", r.InstanceID)
	w.Long("workflow_run_id", r.RunID)
	w.Str("workflow_uuid", r.UUID)
	w.Str("status", string(r.Status))
	w.event("timeline_event", r.Event)
	w.Close()
	return w.done("start response of workflow %s", r.WorkflowID)
}

// StepRestartResponse answers a restart of a step. StepID and AttemptID are set when a new attempt is made inside a run
// that goes on, not when the restart made a new run.
type StepRestartResponse struct {
	WorkflowID string
	VersionID  int64
	InstanceID int64
	RunID      int64
	StepID     string
	AttemptID  int64
	Status     StartStatus
	Event      timeline.Event
}

// AppendStepRestartResponse appends the answer to a restart of a step. Default values are left out.
func AppendStepRestartResponse(b []byte, r *StepRestartResponse) ([]byte, error) {
	w := newWriter(b)
	w.Open()
	w.StrIf("workflow_id", r.WorkflowID)
	w.LongIf("workflow_version_id", r.VersionID)
	w.LongIf("workflow_instance_id", r.InstanceID)
	w.LongIf("workflow_run_id", r.RunID)
	w.StrIf("step_id", r.StepID)
	w.LongIf("step_attempt_id", r.AttemptID)
	w.StrIf("status", string(r.Status))
	w.eventIf("timeline_event", r.Event)
	w.Close()
	return w.done("restart response of step %s", r.StepID)
}

// StepActionResponse answers a stop, kill, skip, bypass or resume of a step. Attempt is the attempt that the action went
// to, as it is now, for its runtime state; nil when the caller did not wait, and for a resume. A skip that made a new run
// has neither StepID nor AttemptID.
type StepActionResponse struct {
	WorkflowID string
	InstanceID int64
	RunID      int64
	StepID     string
	AttemptID  int64
	Attempt    *engine.Attempt
	Event      timeline.Event
}

// AppendStepActionResponse appends the answer to an action on a step. Default values are left out.
func AppendStepActionResponse(b []byte, r *StepActionResponse) ([]byte, error) {
	w := newWriter(b)
	w.Open()
	w.StrIf("workflow_id", r.WorkflowID)
	w.LongIf("workflow_instance_id", r.InstanceID)
	w.LongIf("workflow_run_id", r.RunID)
	w.StrIf("step_id", r.StepID)
	w.LongIf("step_attempt_id", r.AttemptID)
	if r.Attempt != nil {
		w.runtimeState("step_runtime_state", r.Attempt)
	}
	w.eventIf("timeline_event", r.Event)
	w.Close()
	return w.done("action response of step %s", r.StepID)
}

// What `info` of an instance action says. Clients compare the text.
const (
	InfoCompleted = "The action is completed."
	InfoAccepted  = "The action is accepted and is still running. Please check it again."
)

// InstanceActionResponse answers a stop, kill or unblock of a run.
type InstanceActionResponse struct {
	WorkflowID string
	InstanceID int64
	RunID      int64
	Status     engine.InstanceStatus
	Completed  bool
	Info       string // "" is InfoCompleted or InfoAccepted, as Completed says
	Event      timeline.Event
}

// AppendInstanceActionResponse appends the answer to an action on a run.
func AppendInstanceActionResponse(b []byte, r *InstanceActionResponse) ([]byte, error) {
	w := newWriter(b)
	w.Open()
	w.Str("workflow_id", r.WorkflowID)
	w.Long("workflow_instance_id", r.InstanceID)
	w.Long("workflow_run_id", r.RunID)
	w.Str("workflow_instance_status", r.Status.String())
	w.Bool("completed", r.Completed)
	switch {
	case r.Info != "":
		w.Str("info", r.Info)
	case r.Completed:
		w.Str("info", InfoCompleted)
	default:
		w.Str("info", InfoAccepted)
	}
	w.eventIf("timeline_event", r.Event)
	w.Close()
	return w.done("action response of run [%s][%d][%d]", r.WorkflowID, r.InstanceID, r.RunID)
}

// AppendEvent appends one timeline entry, which is the whole answer of some calls.
func AppendEvent(b []byte, e timeline.Event) ([]byte, error) {
	w := newWriter(b)
	w.eventItem(e)
	return w.done("timeline event")
}
