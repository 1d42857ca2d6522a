package definition

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/wire"
	"github.com/downbeat/downbeat/events"
)

// Control is what is kept of a workflow id beside its versions. It is a value: the Apply functions
// return a new one.
type Control struct {
	WorkflowID    string
	InternalID    int64 // of this life of the id; a deleted id that is pushed again gets a new one
	ActiveVersion int64 // 0: none
	LatestVersion int64
	ActivateTime  int64 // of the active version, epoch milliseconds
	ActivatedBy   User
	Properties    Snapshot // the current one
	ModifyTime    int64
}

// DefaultVersion is the active version, or the latest when none is active.
func (c *Control) DefaultVersion() int64 {
	if c.ActiveVersion != 0 {
		return c.ActiveVersion
	}
	return c.LatestVersion
}

// ResolveVersion turns `active`, `latest`, `default` (any letter case) or a number into the number of a
// version. ctl is nil for an unknown workflow, which is not found whatever the text is.
func ResolveVersion(ctl *Control, workflowID, version string) (int64, error) {
	if ctl == nil {
		return 0, UnknownWorkflow(workflowID)
	}
	switch strings.ToLower(version) {
	case "active":
		if ctl.ActiveVersion == 0 {
			return 0, fault.New(fault.NotFound, "Cannot find an active version for workflow [%s]", workflowID)
		}
		return ctl.ActiveVersion, nil
	case "latest":
		return ctl.LatestVersion, nil
	case "default":
		return ctl.DefaultVersion(), nil
	}
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.New(fault.BadRequest, "Invalid workflow version [%s] for workflow [%s]", version, workflowID).
			With("Invalid version: [" + version + "]")
	}
	if n > ctl.LatestVersion {
		return 0, MissingVersion(workflowID, n)
	}
	return n, nil
}

// UnknownWorkflow is the not-found error of reads of an unknown or deleted workflow.
func UnknownWorkflow(workflowID string) *fault.Error {
	return fault.New(fault.NotFound, "Workflow [%s] has not been created yet or has been deleted.", workflowID)
}

// MissingVersion is the not-found error of a version number that does not exist.
func MissingVersion(workflowID string, version int64) *fault.Error {
	return fault.New(fault.NotFound, "Cannot find workflow [%s] with version [%d]", workflowID, version)
}

// Counts are the instances of a workflow that guard a change of the run strategy, and that overviews
// show.
type Counts struct {
	Created, InProgress, Paused int64
	Failed                      int64 // raw status FAILED: blocking STRICT_SEQUENTIAL, not unblocked
	LatestInstance              int64 // 0: none yet
}

// TimelineLine is an entry of the timeline of a workflow.
type TimelineLine struct {
	Author    User
	Log       string
	Timestamp int64
}

// TriggerChange tells that the subscriptions of a workflow have to be made anew: by the active version,
// or what is disabled, being other than before. It is set also when neither changed but Maestro would
// look, after a push or properties update.
type TriggerChange struct {
	PreviousVersion, ActiveVersion       int64 // 0: none
	SignalDisabledBefore, SignalDisabled bool
	TimeDisabledBefore, TimeDisabled     bool
}

// Change is the outcome of an accepted call: everything to store in one transaction, and to publish.
type Change struct {
	Control  Control
	Version  *Version  // of a push: the new version
	Snapshot *Snapshot // the new properties, nil when they stay
	Timeline TimelineLine
	Event    events.Published // nil when there is none
	Triggers *TriggerChange   // nil when subscriptions stay as they are
}

func (c *Control) triggers(before *Control) *TriggerChange {
	t := &TriggerChange{ActiveVersion: c.ActiveVersion, SignalDisabled: c.Properties.signalDisabled(), TimeDisabled: c.Properties.timeDisabled()}
	if before != nil {
		t.PreviousVersion = before.ActiveVersion
		t.SignalDisabledBefore, t.TimeDisabledBefore = before.Properties.signalDisabled(), before.Properties.timeDisabled()
	}
	return t
}

// Version is one version of a definition: immutable, as stored. Its properties, and whether it is
// active, belong to Control.
type Version struct {
	Metadata Metadata
	Workflow *Workflow
}

// Metadata says who pushed a version, when, and what came along with it.
type Metadata struct {
	WorkflowID    string
	VersionID     int64
	CreateTime    int64
	VersionAuthor User
	GitInfo       *GitInfo
	Extras        []wire.Field
}

// PushInput is what a push needs beside the state of the workflow id and the request.
type PushInput struct {
	Caller User
	Now    int64 // epoch milliseconds
	// InternalID is taken for a workflow id that does not exist yet.
	InternalID int64
	// Deleting is set while a deletion of the same id has not finished.
	Deleting bool
	// Counts guard a change of the run strategy; they are looked at only when NeedsCounts says so.
	Counts Counts
}

// NeedsCounts tells whether a change of properties asks for the counts of instances: a run strategy is
// given that differs from the current one and that the instances may refuse.
func NeedsCounts(ctl *Control, p *Properties) bool {
	if ctl == nil || p == nil || p.RunStrategy == nil || *p.RunStrategy == ctl.Properties.runStrategy() {
		return false
	}
	switch p.RunStrategy.Rule {
	case FirstOnly, LastOnly, StrictSequential:
		return true
	}
	return false
}

func guardStrategy(ctl *Control, next Properties, counts Counts, workflowID string) error {
	old := ctl.Properties.runStrategy()
	if next.RunStrategy == nil || *next.RunStrategy == old {
		return nil
	}
	switch next.RunStrategy.Rule {
	case FirstOnly, LastOnly:
		if n := counts.Created + counts.InProgress; n >= 2 {
			return fault.New(fault.PreconditionFailed, "Cannot update run strategy from [%s] to [%s] because there are %d nonterminal workflow instances. "+
				"As at most ONE nonterminal workflow instance is allowed by [%s], please review them and either manually stop them "+
				"or wait for them to complete and then update the run strategy.", old, next.RunStrategy, n, next.RunStrategy)
		}
	case StrictSequential:
		if counts.Failed >= 1 {
			return fault.New(fault.PreconditionFailed, "Cannot update run strategy from [%s] to [%s] because there are %d FAILED workflow instances. "+
				"%s will be blocked if there is any failure in the history due to [%s]. Please review them and either manually UNBLOCK "+
				"or RESTART those failed instances and then update the run strategy.", old, next.RunStrategy, counts.Failed, workflowID, next.RunStrategy)
		}
	}
	return nil
}

// ApplyPush makes a version of a validated request (Validate, DryRun). ctl is nil for the first version.
func ApplyPush(ctl *Control, req *CreateRequest, in PushInput) (*Change, error) {
	w := req.Workflow
	if err := req.checkExtras(); err != nil {
		return nil, err
	}
	if req.Properties != nil && len(req.Properties.Tags) > 0 {
		return nil, fault.New(fault.BadRequest, "Cannot set workflow property tags (also known as dynamic tags) for workflow [%s]. "+
			"Please use addWorkflowTag endpoint for that.", w.ID)
	}
	if in.Deleting {
		return nil, fault.New(fault.Conflict, "Cannot push a version for workflow [%s] while the system is still deleting the old data for this workflow id. "+
			"Please retry later after the deletion completes.", w.ID)
	}
	if ctl == nil && (req.Properties == nil || req.Properties.Owner == nil) {
		return nil, fault.New(fault.BadRequest, "workflow properties and also owner must be set when creating the first version of a workflow [%s]", w.ID)
	}
	next := Control{WorkflowID: w.ID, InternalID: in.InternalID}
	if ctl != nil {
		next = *ctl
	}
	next.LatestVersion++
	next.ModifyTime = in.Now
	out := &Change{Timeline: TimelineLine{Author: in.Caller, Timestamp: in.Now,
		Log: fmt.Sprintf("Created a new workflow version [%d] for workflow id [%s]", next.LatestVersion, w.ID)}}

	if req.Properties != nil {
		props := pushed(next.Properties.Properties, req.Properties)
		if ctl != nil && req.Properties.RunStrategy != nil {
			if err := guardStrategy(ctl, props, in.Counts, w.ID); err != nil {
				return nil, err
			}
		}
		next.Properties = Snapshot{WorkflowID: w.ID, CreateTime: in.Now, Author: in.Caller, Properties: props}
		out.Snapshot = &next.Properties
	}
	if req.IsActive {
		next.ActiveVersion, next.ActivateTime, next.ActivatedBy = next.LatestVersion, in.Now, in.Caller
		if err := checkSubscribable(w, next.Properties.Properties); err != nil {
			return nil, err
		}
	}
	out.Version = &Version{Workflow: w, Metadata: Metadata{WorkflowID: w.ID, VersionID: next.LatestVersion, CreateTime: in.Now,
		VersionAuthor: in.Caller, GitInfo: req.GitInfo, Extras: req.Extras}}
	out.Control = next
	if req.IsActive || req.Properties != nil {
		out.Triggers = next.triggers(ctl)
	}
	var previous int64
	if ctl != nil {
		previous = ctl.ActiveVersion
	}
	version := events.VersionChange{WorkflowID: w.ID, WorkflowName: w.DisplayName(), Author: in.Caller.json(), VersionID: next.LatestVersion,
		ActiveVersion: next.ActiveVersion, PreviousActive: previous, EventTime: in.Now, Stored: events.Stored{SyncTime: in.Now}}
	out.Event = version
	if out.Snapshot != nil {
		out.Event = events.DefinitionChange{WorkflowID: version.WorkflowID, WorkflowName: version.WorkflowName, Author: version.Author,
			VersionID: version.VersionID, ActiveVersion: version.ActiveVersion, PreviousActive: version.PreviousActive,
			SnapshotID: in.Now, EventTime: in.Now, Stored: version.Stored}
	}
	return out, nil
}

// checkSubscribable refuses what cannot be subscribed: a signal trigger without signals, and two equal
// ones. Maestro stores such a definition as long as it is inactive or its signal triggers are disabled.
func checkSubscribable(w *Workflow, p Properties) error {
	if w == nil || p.signalDisabled() {
		return nil
	}
	seen := map[string]bool{}
	for i := range w.SignalTriggers {
		t := &w.SignalTriggers[i]
		if len(t.Definitions) == 0 {
			return fault.New(fault.BadRequest, "signal trigger [%d] of workflow [%s] has no signal definitions", i, w.ID)
		}
		text := string(t.AppendJSON(nil))
		if seen[text] {
			return fault.New(fault.BadRequest, "signal trigger [%d] of workflow [%s] is equal to another one", i, w.ID)
		}
		seen[text] = true
	}
	return nil
}

// ApplyProperties makes a new snapshot of the changed properties. ctl is nil for an unknown workflow,
// which is a bad request. active is the active version's definition, nil when there is none: enabling
// its signal triggers may fail.
func ApplyProperties(ctl *Control, workflowID string, update *PropertiesUpdate, active *Workflow, caller User, now int64, counts Counts) (*Change, error) {
	if ctl == nil {
		return nil, noProperties(workflowID)
	}
	props := update.apply(ctl.Properties.Properties)
	if update.Properties.RunStrategy != nil {
		if err := guardStrategy(ctl, props, counts, workflowID); err != nil {
			return nil, err
		}
	}
	if ctl.Properties.signalDisabled() && !props.signalDisabled() {
		if err := checkSubscribable(active, props); err != nil {
			return nil, err
		}
	}
	return changeProperties(ctl, props, caller, now), nil
}

func noProperties(workflowID string) error {
	return fault.New(fault.BadRequest, "Cannot update workflow properties while the workflow [%s] does not exist", workflowID)
}

func changeProperties(ctl *Control, props Properties, caller User, now int64) *Change {
	next := *ctl
	next.ModifyTime = now
	next.Properties = Snapshot{WorkflowID: ctl.WorkflowID, CreateTime: now, Author: caller, Properties: props}
	return &Change{
		Control:  next,
		Snapshot: &next.Properties,
		Timeline: TimelineLine{Author: caller, Timestamp: now, Log: "Update the properties for workflow: " + ctl.WorkflowID},
		Event: events.PropertiesChange{WorkflowID: ctl.WorkflowID, Author: caller.json(), SnapshotID: now, EventTime: now,
			Stored: events.Stored{SyncTime: now}},
		Triggers: next.triggers(ctl),
	}
}

// ApplyAddTag sets a property tag, replacing one of the same name in place. The server owns its
// namespace, creator and time.
func ApplyAddTag(ctl *Control, workflowID string, tag param.Tag, caller User, now int64) (*Change, error) {
	if ctl == nil {
		return nil, noProperties(workflowID)
	}
	props := ctl.Properties.Properties
	props.Tags = withTag(props.Tags, platformTag(tag, caller, now))
	return changeProperties(ctl, props, caller, now), nil
}

// ApplyDeleteTag removes a property tag by its exact name; a missing one is not found.
func ApplyDeleteTag(ctl *Control, workflowID, name string, caller User, now int64) (*Change, error) {
	if ctl == nil {
		return nil, noProperties(workflowID)
	}
	tags, found := withoutTag(ctl.Properties.Tags, name)
	if !found {
		return nil, fault.New(fault.NotFound, "Cannot delete the tag [%s] of workflow [%s] as it is not found", name, workflowID)
	}
	props := ctl.Properties.Properties
	props.Tags = tags
	return changeProperties(ctl, props, caller, now), nil
}

// Activation is the answer to activate and deactivate.
type Activation struct {
	WorkflowID string
	VersionID  int64 // 0 for deactivations, and when nothing changed
	Timestamp  int64
	Action     string // ACTIVATE or DEACTIVATE
	Author     User
	Message    string
}

// ApplyActivate makes a version the active one. version is nil when it, or its workflow, does not exist
// and requested says which was asked for; ctl is nil for an unknown workflow. Activating the active
// version changes nothing but the timeline.
func ApplyActivate(ctl *Control, workflowID string, requested int64, version *Version, caller User, now int64) (*Change, Activation, error) {
	if ctl == nil {
		return nil, Activation{}, fault.New(fault.NotFound, "Cannot find workflow [%s]", workflowID)
	}
	if version == nil {
		return nil, Activation{}, MissingVersion(workflowID, requested)
	}
	id := version.Metadata.VersionID
	answer := Activation{WorkflowID: workflowID, Timestamp: now, Action: "ACTIVATE", Author: caller}
	next := *ctl
	out := &Change{Control: next}
	if ctl.ActiveVersion == id {
		answer.Message = fmt.Sprintf("Caller [%s] do nothing as workflow version [%s][%d] is already active", caller.Name, workflowID, id)
	} else {
		if err := checkSubscribable(version.Workflow, ctl.Properties.Properties); err != nil {
			return nil, Activation{}, err
		}
		answer.VersionID = id
		answer.Message = fmt.Sprintf("Caller [%s] activates workflow version [%s][%d], previous active version is [%d]", caller.Name, workflowID, id, ctl.ActiveVersion)
		next.ActiveVersion, next.ActivateTime, next.ActivatedBy, next.ModifyTime = id, now, caller, now
		out.Control = next
		out.Event = events.ActivationChange{WorkflowID: workflowID, Author: caller.json(), ActiveVersion: id, PreviousActive: ctl.ActiveVersion,
			EventTime: now, Stored: events.Stored{SyncTime: now}}
		out.Triggers = next.triggers(ctl)
	}
	out.Timeline = TimelineLine{Author: caller, Timestamp: now, Log: answer.Message}
	return out, answer, nil
}

// ApplyDeactivate leaves no version active. ctl is nil for an unknown workflow, which is not found.
func ApplyDeactivate(ctl *Control, workflowID string, caller User, now int64) (*Change, Activation, error) {
	if ctl == nil {
		return nil, Activation{}, fault.New(fault.NotFound, "Cannot deactivate workflow [%s] as it is not found", workflowID)
	}
	answer := Activation{WorkflowID: workflowID, Timestamp: now, Action: "DEACTIVATE", Author: caller}
	next := *ctl
	out := &Change{}
	if ctl.ActiveVersion == 0 {
		answer.Message = fmt.Sprintf("Caller [%s] do nothing as there is no active workflow version for [%s]", caller.Name, workflowID)
	} else {
		answer.Message = fmt.Sprintf("Caller [%s] deactivated workflow [%s], whose last active version is [%d]", caller.Name, workflowID, ctl.ActiveVersion)
		next.ActiveVersion, next.ActivateTime, next.ActivatedBy, next.ModifyTime = 0, 0, User{}, now
		out.Event = events.DeactivationChange{WorkflowID: workflowID, Author: caller.json(), PreviousActive: ctl.ActiveVersion,
			EventTime: now, Stored: events.Stored{SyncTime: now}}
		out.Triggers = next.triggers(ctl)
	}
	out.Control = next
	out.Timeline = TimelineLine{Author: caller, Timestamp: now, Log: answer.Message}
	return out, answer, nil
}

// CheckDelete decides a deletion: inline ids cannot be deleted, unknown ones are not found, and one with
// queued or running instances is a bad request. The message is that of the log event of the answer.
func CheckDelete(ctl *Control, workflowID string, counts Counts, caller User) (message string, err error) {
	if IsInlineID(workflowID) {
		return "", fault.New(fault.UnprocessableEntity, "Cannot delete an inline foreach workflow [%s], please delete its parent concrete workflow instead.", workflowID)
	}
	if ctl == nil {
		return "", fault.New(fault.NotFound, "No workflow is deleted because workflow [%s] is non-existing or has queued or running instances.", workflowID)
	}
	if n := counts.Created + counts.InProgress + counts.Paused; n > 0 {
		return "", fault.New(fault.BadRequest, "Cannot delete the workflow [%s] because there are still [%d] number of queued or running workflow instances."+
			"Please delete it after taking care of them, e.g. stopping all of them.", workflowID, n)
	}
	return "The workflow is deleted by [" + caller.Name + "]. All associated workflow data (e.g. versions and instances) will be deleted shortly.", nil
}

// DeletionEvent is published at the end of a deletion.
func DeletionEvent(ctl *Control, caller User, now int64) events.Published {
	return events.DeletionChange{WorkflowID: ctl.WorkflowID, InternalID: ctl.InternalID, Author: caller.json(), EventTime: now,
		Stored: events.Stored{SyncTime: now}}
}

// IsInlineID tells whether an id is that of the workflow of a loop body.
func IsInlineID(id string) bool {
	return strings.HasPrefix(id, "maestro_foreach") || strings.HasPrefix(id, "maestro_while")
}

func (u User) json() json.RawMessage { return u.AppendJSON(nil) }
