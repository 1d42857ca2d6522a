package loop

import (
	"encoding/json"
	"fmt"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/wire"
)

// SubworkflowKey is the name of the artifact of subworkflow steps.
const SubworkflowKey = "maestro_subworkflow"

// Subworkflow is the artifact of a subworkflow step: the run that it has started.
type Subworkflow struct {
	WorkflowID string
	VersionID  int64
	InstanceID int64
	RunID      int64
	UUID       string
	Overview   json.RawMessage // runtime_overview of the child; nil while it has none
}

// Result is what the status of a child makes of the step that waits for it.
func Result(child engine.InstanceStatus) step.State {
	switch child {
	case engine.InstanceSucceeded:
		return step.Done
	case engine.InstanceFailed:
		return step.FatalError
	case engine.InstanceStopped:
		return step.Stopped
	case engine.InstanceTimedOut:
		return step.TimedOut
	}
	return step.Continue
}

// AppendJSON writes the artifact.
func (s *Subworkflow) AppendJSON(b []byte) []byte {
	w := wire.NewWriter(b)
	w.Open()
	w.Str("subworkflow_id", s.WorkflowID)
	w.Long("subworkflow_version_id", s.VersionID)
	w.Long("subworkflow_instance_id", s.InstanceID)
	w.Long("subworkflow_run_id", s.RunID)
	w.Str("subworkflow_uuid", s.UUID)
	w.RawIf("subworkflow_overview", s.Overview)
	w.Str("type", "SUBWORKFLOW")
	w.Close()
	return w.Bytes()
}

// ReadSubworkflow reads the artifact of a subworkflow step.
func ReadSubworkflow(data []byte) (*Subworkflow, error) {
	var in struct {
		WorkflowID string          `json:"subworkflow_id"`
		VersionID  int64           `json:"subworkflow_version_id"`
		InstanceID int64           `json:"subworkflow_instance_id"`
		RunID      int64           `json:"subworkflow_run_id"`
		UUID       string          `json:"subworkflow_uuid"`
		Overview   json.RawMessage `json:"subworkflow_overview"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("artifact %s: %w", SubworkflowKey, err)
	}
	return &Subworkflow{in.WorkflowID, in.VersionID, in.InstanceID, in.RunID, in.UUID, in.Overview}, nil
}
