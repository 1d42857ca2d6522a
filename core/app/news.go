package app

import (
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/timeline"
)

// RunNews tells of a run whose status has changed, for people who watch.
type RunNews struct {
	ID     store.RunID
	Status engine.InstanceStatus
	// Start and End, epoch milliseconds, are 0 while they are not.
	Start, End int64
	// Steps is how many steps of the run have ended, Total how many it has.
	Steps, Total int
	// Failed are the steps that have failed, in the order of the definition. Only an ended run has any.
	Failed []FailedStep
}

// FailedStep is a step that ended badly.
type FailedStep struct {
	ID     string
	Status engine.StepStatus
	// Reason is what its timeline tells of the failure; empty when it tells nothing.
	Reason string
}

func newsOf(id store.RunID, st *engine.State) RunNews {
	n := RunNews{ID: id, Status: st.Run.Status, Start: st.Run.StartTime, End: st.Run.EndTime, Total: len(st.Steps)}
	for i := range st.Steps {
		at := st.Steps[i].Latest
		if at == nil || !at.Status.Terminal() {
			continue
		}
		n.Steps++
		if st.Run.Status.Terminal() && !at.Status.Complete() {
			n.Failed = append(n.Failed, FailedStep{ID: at.StepID, Status: at.Status, Reason: reasonOf(at.Timeline)})
		}
	}
	return n
}

// reasonOf is the newest failure in a timeline, its most particular sentence.
func reasonOf(events []timeline.Event) string {
	for i := len(events) - 1; i >= 0; i-- {
		if e := events[i]; e.Type == timeline.Details {
			if len(e.Errors) > 0 {
				return e.Errors[0]
			}
			return e.Message
		}
	}
	return ""
}
