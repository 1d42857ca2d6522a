package events

import (
	"encoding/json"
	"fmt"
)

// Types of published events, in Maestro's spelling.
const (
	TypeStepStatus     = "STEP_INSTANCE_STATUS_CHANGE_EVENT"
	TypeWorkflowStatus = "WORKFLOW_INSTANCE_STATUS_CHANGE_EVENT"
	TypeDefinition     = "WORKFLOW_DEFINITION_CHANGE_EVENT"
	TypeVersion        = "WORKFLOW_VERSION_CHANGE_EVENT"
	TypeProperties     = "WORKFLOW_PROPERTIES_CHANGE_EVENT"
	TypeActivation     = "WORKFLOW_ACTIVATION_CHANGE_EVENT"
	TypeDeactivation   = "WORKFLOW_DEACTIVATION_CHANGE_EVENT"
	TypeDeletion       = "WORKFLOW_DELETION_CHANGE_EVENT"
)

// PublishedTypes are all types of published events.
func PublishedTypes() []string {
	return []string{TypeStepStatus, TypeWorkflowStatus, TypeDefinition, TypeVersion, TypeProperties, TypeActivation, TypeDeactivation, TypeDeletion}
}

// Published is an event that subscribers are sent, in the format of Maestro's notifier. EventType is the value of its
// `type` member. Every event is sent at least once and in no order; of the times, last event_time <= sync_time <=
// send_time holds.
type Published interface {
	EventType() string
	stamp(cluster string, sent int64) Published
}

// Stored says where and when an event was stored and sent. ClusterName and SendTime are filled in by EncodePublished.
type Stored struct {
	ClusterName string `json:"cluster_name"`
	SyncTime    int64  `json:"sync_time"` // when the change was committed, epoch milliseconds
	SendTime    int64  `json:"send_time"` // when this attempt to publish was made; the only member that a repetition changes
}

// StepStatusChange tells what became of one attempt of a step since the last event about it. It follows every commit
// that holds a status change of the attempt.
type StepStatusChange struct {
	WorkflowID    string       `json:"workflow_id"`
	InstanceID    int64        `json:"workflow_instance_id"`
	RunID         int64        `json:"workflow_run_id"`
	StepID        string       `json:"step_id"`
	AttemptID     int64        `json:"step_attempt_id"`
	WorkflowUUID  string       `json:"workflow_uuid"`
	StepUUID      string       `json:"step_uuid"`
	CorrelationID string       `json:"correlation_id"`
	StepInstance  int64        `json:"step_instance_id"`
	Records       []StepRecord `json:"status_change_records"` // never empty, oldest first, each beginning where the one before ended
	Stored
}

// StepRecord is one change of status. The first record of an attempt begins at NOT_CREATED.
type StepRecord struct {
	OldStatus string `json:"old_status"`
	NewStatus string `json:"new_status"`
	EventTime int64  `json:"event_time"`
}

// WorkflowStatusChange tells one status change of a run. The creation of a queued run is none; the first is
// CREATED→IN_PROGRESS, or CREATED to a terminal status for a run that never ran. NewStatus is the aggregated status of
// the instance. A start stored as FAILED has FAILED on both sides, a quirk that consumers count on.
type WorkflowStatusChange struct {
	WorkflowID    string          `json:"workflow_id"`
	InstanceID    int64           `json:"workflow_instance_id"`
	RunID         int64           `json:"workflow_run_id"`
	WorkflowUUID  string          `json:"workflow_uuid"`
	CorrelationID string          `json:"correlation_id"`
	Depth         int64           `json:"depth"`
	WorkflowName  string          `json:"workflow_name"`  // declared name, or the id; for loop iterations the generated name
	Tags          json.RawMessage `json:"tags,omitempty"` // of the runtime workflow; absent when there are none
	OldStatus     string          `json:"old_status"`
	NewStatus     string          `json:"new_status"`
	EventTime     int64           `json:"event_time"`
	Stored
}

// DefinitionChange follows a push of a version together with properties.
type DefinitionChange struct {
	WorkflowID     string          `json:"workflow_id"`
	WorkflowName   string          `json:"workflow_name"`
	Author         json.RawMessage `json:"author,omitempty"` // a text, or an object with a name
	VersionID      int64           `json:"version_id"`
	ActiveVersion  int64           `json:"current_active_version_id"`  // 0: none
	PreviousActive int64           `json:"previous_active_version_id"` // 0: none; equal to ActiveVersion for an inactive push
	SnapshotID     int64           `json:"snapshot_id"`                // create time of the properties snapshot
	EventTime      int64           `json:"event_time"`
	Stored
}

// VersionChange follows a push of a version that left the properties as they were.
type VersionChange struct {
	WorkflowID     string          `json:"workflow_id"`
	WorkflowName   string          `json:"workflow_name"`
	Author         json.RawMessage `json:"author,omitempty"`
	VersionID      int64           `json:"version_id"`
	ActiveVersion  int64           `json:"current_active_version_id"`
	PreviousActive int64           `json:"previous_active_version_id"`
	EventTime      int64           `json:"event_time"`
	Stored
}

// PropertiesChange follows every update of properties or tags, also one that changed nothing.
type PropertiesChange struct {
	WorkflowID string          `json:"workflow_id"`
	Author     json.RawMessage `json:"author,omitempty"`
	SnapshotID int64           `json:"snapshot_id"`
	EventTime  int64           `json:"event_time"`
	Stored
}

// ActivationChange follows an activate action that made another version the active one.
type ActivationChange struct {
	WorkflowID     string          `json:"workflow_id"`
	Author         json.RawMessage `json:"author,omitempty"`
	ActiveVersion  int64           `json:"current_active_version_id"`
	PreviousActive int64           `json:"previous_active_version_id"` // 0: none was active
	EventTime      int64           `json:"event_time"`
	Stored
}

// DeactivationChange follows a deactivate action on a workflow that had an active version.
type DeactivationChange struct {
	WorkflowID     string          `json:"workflow_id"`
	Author         json.RawMessage `json:"author,omitempty"`
	PreviousActive int64           `json:"previous_active_version_id"`
	EventTime      int64           `json:"event_time"`
	Stored
}

// DeletionChange follows the end of a deletion; EventTime is the time of the call that asked for it.
type DeletionChange struct {
	WorkflowID string          `json:"workflow_id"`
	InternalID int64           `json:"internal_id"`
	Author     json.RawMessage `json:"author,omitempty"`
	EventTime  int64           `json:"event_time"`
	Stored
}

// EventType is TypeStepStatus.
func (StepStatusChange) EventType() string { return TypeStepStatus }

// EventType is TypeWorkflowStatus.
func (WorkflowStatusChange) EventType() string { return TypeWorkflowStatus }

// EventType is TypeDefinition.
func (DefinitionChange) EventType() string { return TypeDefinition }

// EventType is TypeVersion.
func (VersionChange) EventType() string { return TypeVersion }

// EventType is TypeProperties.
func (PropertiesChange) EventType() string { return TypeProperties }

// EventType is TypeActivation.
func (ActivationChange) EventType() string { return TypeActivation }

// EventType is TypeDeactivation.
func (DeactivationChange) EventType() string { return TypeDeactivation }

// EventType is TypeDeletion.
func (DeletionChange) EventType() string { return TypeDeletion }

func (s *Stored) set(cluster string, sent int64) {
	s.ClusterName = cluster
	s.SendTime = max(sent, s.SyncTime) // the sender's clock may be behind that of whoever committed
}

func (e StepStatusChange) stamp(c string, t int64) Published     { e.set(c, t); return e }
func (e WorkflowStatusChange) stamp(c string, t int64) Published { e.set(c, t); return e }
func (e DefinitionChange) stamp(c string, t int64) Published     { e.set(c, t); return e }
func (e VersionChange) stamp(c string, t int64) Published        { e.set(c, t); return e }
func (e PropertiesChange) stamp(c string, t int64) Published     { e.set(c, t); return e }
func (e ActivationChange) stamp(c string, t int64) Published     { e.set(c, t); return e }
func (e DeactivationChange) stamp(c string, t int64) Published   { e.set(c, t); return e }
func (e DeletionChange) stamp(c string, t int64) Published       { e.set(c, t); return e }

// EncodePublished writes an event as subscribers get it: with the name of the cluster, the time of this attempt to
// publish (epoch milliseconds; never before the event's SyncTime), and its type. It fails when a raw member (author,
// tags) is not JSON.
func EncodePublished(e Published, cluster string, sent int64) ([]byte, error) {
	data, err := json.Marshal(e.stamp(cluster, sent))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.EventType(), err)
	}
	data = append(data[:len(data)-1], `,"type":"`...)
	data = append(data, e.EventType()...)
	return append(data, `"}`...), nil
}

// ParsePublished reads an event; members that are not known here are ignored. It gives the event by value, e.g. a
// StepStatusChange. Errors: *UnknownError for another type, *UnreadableError.
func ParsePublished(data []byte) (Published, error) {
	const name = "published"
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, &UnreadableError{name, err.Error()}
	}
	switch head.Type {
	case TypeStepStatus:
		return read[StepStatusChange](name, data)
	case TypeWorkflowStatus:
		return read[WorkflowStatusChange](name, data)
	case TypeDefinition:
		return read[DefinitionChange](name, data)
	case TypeVersion:
		return read[VersionChange](name, data)
	case TypeProperties:
		return read[PropertiesChange](name, data)
	case TypeActivation:
		return read[ActivationChange](name, data)
	case TypeDeactivation:
		return read[DeactivationChange](name, data)
	case TypeDeletion:
		return read[DeletionChange](name, data)
	}
	return nil, &UnknownError{name, head.Type}
}

func read[T Published](name string, data []byte) (Published, error) {
	var e T
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, &UnreadableError{name, err.Error()}
	}
	return e, nil
}
