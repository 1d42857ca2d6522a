package view

import (
	"encoding/json"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/events"
)

// Changes are the events of one commit of a run: those of its steps in the order in which they were touched, and
// between them those of the run, its beginning first and its end last. They are made of what the commit added to the
// records (Attempt.Changes, RunRecord.Changes), so every change stands in the events of exactly one commit; an attempt
// that did not change its status gives none. The sync_time of an event is that of its last change, the time of the
// decision that was committed: events that are made again, by whoever does not know that they were sent, are the same.
//
// End says whether the run's terminal event is wanted: it is held back until permits, lane and parent have been told
// (P35), and is then made by the same call with Steps false.
type Changes struct {
	Steps bool // events of the attempts
	Begin bool // CREATED→IN_PROGRESS
	End   bool // the terminal event
}

// AllChanges is every event of a commit.
func AllChanges() Changes { return Changes{Steps: true, Begin: true, End: true} }

// Events makes the events. changed are the attempts of the commit.
func (c Changes) Events(body *engine.Body, run *engine.RunRecord, changed []*engine.Attempt) []events.Published {
	var out []events.Published
	var ends []events.Published
	for _, ch := range run.Changes {
		if ch.To.Terminal() && !c.End || !ch.To.Terminal() && !c.Begin {
			continue
		}
		e := workflowEvent(body, ch)
		if ch.To.Terminal() {
			ends = append(ends, e)
		} else {
			out = append(out, e)
		}
	}
	if c.Steps {
		for _, a := range changed {
			if len(a.Changes) > 0 {
				out = append(out, stepEvent(body, a))
			}
		}
	}
	return append(out, ends...)
}

func stepEvent(body *engine.Body, a *engine.Attempt) events.Published {
	e := events.StepStatusChange{
		WorkflowID:    body.WorkflowID,
		InstanceID:    body.InstanceID,
		RunID:         body.RunID,
		StepID:        a.StepID,
		AttemptID:     a.AttemptID,
		WorkflowUUID:  body.UUID,
		StepUUID:      a.UUID,
		CorrelationID: body.CorrelationID,
		StepInstance:  a.StepInstanceID,
		Records:       make([]events.StepRecord, len(a.Changes)),
	}
	for i, ch := range a.Changes {
		e.Records[i] = events.StepRecord{OldStatus: ch.From.String(), NewStatus: ch.To.String(), EventTime: ch.Time}
		e.SyncTime = max(e.SyncTime, ch.Time)
	}
	return e
}

func workflowEvent(body *engine.Body, ch engine.InstanceChange) events.Published {
	e := events.WorkflowStatusChange{
		WorkflowID:    body.WorkflowID,
		InstanceID:    body.InstanceID,
		RunID:         body.RunID,
		WorkflowUUID:  body.UUID,
		CorrelationID: body.CorrelationID,
		Depth:         body.Initiator.Depth,
		WorkflowName:  displayName(body),
		OldStatus:     ch.From.String(),
		NewStatus:     ch.To.String(),
		EventTime:     ch.Time,
	}
	e.SyncTime = ch.Time
	e.Tags = workflowTags(body)
	return e
}

// DefinitionUpdate is a committed change of a workflow's definition, properties or active version. Which members are
// set tells what happened.
type DefinitionUpdate struct {
	WorkflowID   string
	WorkflowName string          // declared name, or the id
	Author       json.RawMessage // a text, or an object with a name
	VersionID    int64           // the pushed version; 0: no push
	SnapshotID   int64           // the new properties snapshot; 0: the properties are as they were
	Active       int64           // active version afterwards; 0: none
	Previous     int64           // active version before; 0: none
	EventTime    int64           // of the change
	Committed    int64
}

// Event is the one event of an update: a push with or without properties, a change of properties, an activation, a
// deactivation (engine-json-and-events.md 9). Calls that changed nothing, but for updates of properties, have none and
// must not be asked for.
func (u DefinitionUpdate) Event() events.Published {
	stored := events.Stored{SyncTime: max(u.Committed, u.EventTime)}
	switch {
	case u.VersionID != 0 && u.SnapshotID != 0:
		return events.DefinitionChange{WorkflowID: u.WorkflowID, WorkflowName: u.WorkflowName, Author: u.Author, VersionID: u.VersionID,
			ActiveVersion: u.Active, PreviousActive: u.Previous, SnapshotID: u.SnapshotID, EventTime: u.EventTime, Stored: stored}
	case u.VersionID != 0:
		return events.VersionChange{WorkflowID: u.WorkflowID, WorkflowName: u.WorkflowName, Author: u.Author, VersionID: u.VersionID,
			ActiveVersion: u.Active, PreviousActive: u.Previous, EventTime: u.EventTime, Stored: stored}
	case u.SnapshotID != 0:
		return events.PropertiesChange{WorkflowID: u.WorkflowID, Author: u.Author, SnapshotID: u.SnapshotID, EventTime: u.EventTime, Stored: stored}
	case u.Active != 0:
		return events.ActivationChange{WorkflowID: u.WorkflowID, Author: u.Author, ActiveVersion: u.Active, PreviousActive: u.Previous,
			EventTime: u.EventTime, Stored: stored}
	}
	return events.DeactivationChange{WorkflowID: u.WorkflowID, Author: u.Author, PreviousActive: u.Previous, EventTime: u.EventTime, Stored: stored}
}
