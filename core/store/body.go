package store

import (
	"encoding/json"
	"fmt"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/timeline"
	"github.com/downbeat/downbeat/core/wire"
)

// bodyFormat is the newest stored format of a run's body.
const bodyFormat = 1

// storedBody is the JSON of a run's body. The definition is not in it: the version names it, and only what the start
// changed about it is kept. Numbers are not in it either: the lane gives them after the body is stored.
type storedBody struct {
	Format        int               `json:"format"`
	WorkflowID    string            `json:"workflow_id"`
	InternalID    int64             `json:"internal_id"`
	VersionID     int64             `json:"version_id"`
	UUID          string            `json:"uuid"`
	CorrelationID string            `json:"correlation_id,omitempty"`
	GroupInfo     int64             `json:"group_info"`
	Policy        engine.RunPolicy  `json:"policy"`
	RuntimeTags   json.RawMessage   `json:"runtime_tags,omitempty"`
	Restart       json.RawMessage   `json:"restart,omitempty"`
	Initiator     storedInitiator   `json:"initiator"`
	RequestTime   int64             `json:"request_time"`
	CreateTime    int64             `json:"create_time"`
	RunParams     json.RawMessage   `json:"run_params,omitempty"`
	StepRunParams []storedStepDefs  `json:"step_run_params,omitempty"`
	Artifacts     step.Artifacts    `json:"artifacts,omitempty"`
	Params        json.RawMessage   `json:"params,omitempty"`
	Properties    storedProperties  `json:"properties"`
	Tags          json.RawMessage   `json:"tags,omitempty"`     // of the runtime workflow, where they are not the definition's
	Workflow      json.RawMessage   `json:"workflow,omitempty"` // of a loop body, which no version names
	DAG           []storedNode      `json:"dag"`
	TimeoutMillis int64             `json:"timeout_millis,omitempty"`
	Concurrency   *int64            `json:"concurrency,omitempty"`
	Baseline      *engine.Baseline  `json:"baseline,omitempty"`
	StartFailure  *timeline.Event   `json:"start_failure,omitempty"`
	Matches       []storedMatchList `json:"matches,omitempty"`
}

type storedInitiator struct {
	Type        engine.InitiatorType `json:"type"`
	Depth       int64                `json:"depth,omitempty"`
	User        string               `json:"user,omitempty"`
	TriggerUUID string               `json:"trigger_uuid,omitempty"`
	TriggerTime int64                `json:"trigger_time,omitempty"`
	Timezone    *string              `json:"timezone,omitempty"`
	SignalIDs   []engine.SignalID    `json:"signal_ids,omitempty"`
	Params      json.RawMessage      `json:"params,omitempty"`
	Ancestors   []engine.Ancestor    `json:"ancestors,omitempty"`
}

type storedProperties struct {
	CreateTime      int64           `json:"create_time"`
	Owner           string          `json:"owner,omitempty"`
	Alerting        json.RawMessage `json:"alerting,omitempty"`
	StepConcurrency *int64          `json:"step_concurrency,omitempty"`
	Tags            json.RawMessage `json:"tags,omitempty"`
}

type storedStepDefs struct {
	StepID string          `json:"step_id"`
	Params json.RawMessage `json:"params,omitempty"`
}

type storedNode struct {
	ID           string       `json:"id"`
	Predecessors []string     `json:"pre,omitempty"`
	Successors   []storedEdge `json:"suc,omitempty"`
}

type storedEdge struct {
	To        string `json:"to"`
	Condition string `json:"if,omitempty"`
	Null      bool   `json:"null,omitempty"`
}

type storedMatchList struct {
	StepID       string          `json:"step_id"`
	Dependencies json.RawMessage `json:"dependencies"`
}

type storedRestart struct {
	Path             []engine.PathNode `json:"path"`
	Policy           engine.RunPolicy  `json:"policy"`
	DownstreamPolicy engine.RunPolicy  `json:"downstream_policy,omitempty"`
	Params           json.RawMessage   `json:"params,omitempty"`
	HasParams        bool              `json:"has_params,omitempty"`
	StepParams       []storedStepDefs  `json:"step_params,omitempty"`
	SkipSteps        []string          `json:"skip_steps,omitempty"`
	StartSteps       []string          `json:"start_steps,omitempty"`
	EndSteps         []string          `json:"end_steps,omitempty"`
}

func encodeStepDefs(list []engine.StepParams) []storedStepDefs {
	var out []storedStepDefs
	for _, s := range list {
		e := storedStepDefs{StepID: s.StepID}
		if s.Params != nil {
			e.Params = s.Params.AppendJSON(nil)
		}
		out = append(out, e)
	}
	return out
}

func decodeStepDefs(list []storedStepDefs) ([]engine.StepParams, error) {
	var out []engine.StepParams
	for _, s := range list {
		defs, err := rawDefs(s.Params)
		if err != nil {
			return nil, fmt.Errorf("params of step %s: %w", s.StepID, err)
		}
		out = append(out, engine.StepParams{StepID: s.StepID, Params: defs})
	}
	return out, nil
}

func rawDefs(data json.RawMessage) (engine.ParamDefs, error) {
	if len(data) == 0 {
		return nil, nil
	}
	v, err := wire.Parse(data)
	if err != nil {
		return nil, err
	}
	n := wire.Root(v, "")
	d := decodeDefs(n)
	return d, n.Err()
}

func rawTags(data json.RawMessage) (engine.Tags, error) {
	if len(data) == 0 {
		return nil, nil
	}
	v, err := wire.Parse(data)
	if err != nil {
		return nil, err
	}
	n := wire.Root(v, "")
	t := param.ReadTags(n)
	return t, n.Err()
}

// EncodeRestartConfig gives the stored form.
func EncodeRestartConfig(c *engine.RestartConfig) []byte {
	s := storedRestart{
		Path: c.Path, Policy: c.Policy, DownstreamPolicy: c.DownstreamPolicy, HasParams: c.HasParams, StepParams: encodeStepDefs(c.StepRestartParams),
		SkipSteps: c.SkipSteps, StartSteps: c.StartSteps, EndSteps: c.EndSteps,
	}
	if c.Params != nil {
		s.Params = c.Params.AppendJSON(nil)
	}
	data, err := json.Marshal(s)
	if err != nil {
		// Every member is text, number, list or JSON of our own making.
		panic(err)
	}
	return data
}

// DecodeRestartConfig reads the stored form.
func DecodeRestartConfig(data []byte) (*engine.RestartConfig, error) {
	var s storedRestart
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	c := &engine.RestartConfig{Path: s.Path, Policy: s.Policy, DownstreamPolicy: s.DownstreamPolicy, HasParams: s.HasParams, SkipSteps: s.SkipSteps, StartSteps: s.StartSteps, EndSteps: s.EndSteps}
	var err error
	if c.Params, err = rawDefs(s.Params); err != nil {
		return nil, err
	}
	c.StepRestartParams, err = decodeStepDefs(s.StepParams)
	return c, err
}

// EncodeBody gives the stored form of a run's body.
func EncodeBody(b *engine.Body) ([]byte, error) {
	s := storedBody{
		Format: bodyFormat, WorkflowID: b.WorkflowID, InternalID: b.InternalID, VersionID: b.VersionID, UUID: b.UUID, CorrelationID: b.CorrelationID,
		GroupInfo: b.GroupInfo, Policy: b.Policy, RequestTime: b.RequestTime, CreateTime: b.CreateTime, StepRunParams: encodeStepDefs(b.StepRunParams),
		Artifacts: b.Artifacts, TimeoutMillis: b.TimeoutMillis, Concurrency: b.Concurrency, Baseline: b.Baseline, StartFailure: b.StartFailure,
		Initiator: storedInitiator{
			Type: b.Initiator.Type, Depth: b.Initiator.Depth, User: b.Initiator.User, TriggerUUID: b.Initiator.TriggerUUID, TriggerTime: b.Initiator.TriggerTime,
			Timezone: b.Initiator.Timezone, SignalIDs: b.Initiator.SignalIDs, Ancestors: b.Initiator.Ancestors,
		},
		Properties: storedProperties{CreateTime: b.Properties.CreateTime, Owner: b.Properties.Owner, StepConcurrency: b.Properties.StepConcurrency},
	}
	if b.Initiator.Params != nil {
		s.Initiator.Params = b.Initiator.Params.AppendJSON(nil)
	}
	if b.Properties.Alerting != nil {
		s.Properties.Alerting = b.Properties.Alerting.AppendJSON(nil)
	}
	if b.Properties.Tags != nil {
		s.Properties.Tags = b.Properties.Tags.AppendJSON(nil)
	}
	if b.RuntimeTags != nil {
		s.RuntimeTags = b.RuntimeTags.AppendJSON(nil)
	}
	// A restart has no runtime tags of its own and keeps those that the runs before it were given.
	if (b.RuntimeTags != nil || b.Baseline != nil) && len(b.Workflow.Tags) > 0 {
		s.Tags = b.Workflow.Tags.AppendJSON(nil)
	}
	if b.RestartConfig != nil {
		s.Restart = EncodeRestartConfig(b.RestartConfig)
	}
	if b.RunParams != nil {
		s.RunParams = b.RunParams.AppendJSON(nil)
	}
	if b.Params != nil {
		s.Params = b.Params.AppendJSON(nil)
	}
	if b.Initiator.Type.Inline() {
		s.Workflow = b.Workflow.AppendJSON(nil)
	}
	for i := range b.DAG.Nodes {
		n := &b.DAG.Nodes[i]
		sn := storedNode{ID: n.ID, Predecessors: n.Predecessors}
		for _, e := range n.Successors {
			sn.Successors = append(sn.Successors, storedEdge{e.To, e.Condition, e.Null})
		}
		s.DAG = append(s.DAG, sn)
	}
	for _, m := range b.SignalMatches {
		data, err := encodeDependencies(m.Dependencies)
		if err != nil {
			return nil, err
		}
		s.Matches = append(s.Matches, storedMatchList{m.StepID, data})
	}
	return json.Marshal(s)
}

// BodyVersion tells which version of which definition a stored body runs; 0 when it carries its own.
func BodyVersion(data []byte) (internalID, version int64, err error) {
	var s struct {
		Format     int             `json:"format"`
		InternalID int64           `json:"internal_id"`
		VersionID  int64           `json:"version_id"`
		Workflow   json.RawMessage `json:"workflow"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return 0, 0, fmt.Errorf("body of a run: %w", err)
	}
	if len(s.Workflow) > 0 {
		return s.InternalID, 0, nil
	}
	return s.InternalID, s.VersionID, nil
}

// DecodeBody reads a stored body; workflow is the definition that BodyVersion names, nil when it carries its own. The
// numbers are those of the run that it became.
func DecodeBody(data []byte, workflow *definition.Workflow, id RunID) (*engine.Body, error) {
	var s storedBody
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("body of a run: %w", err)
	}
	if s.Format > bodyFormat {
		return nil, pack.Newer("body of a run", s.Format, bodyFormat)
	}
	b := &engine.Body{
		WorkflowID: s.WorkflowID, InternalID: s.InternalID, VersionID: s.VersionID, UUID: s.UUID, CorrelationID: s.CorrelationID, GroupInfo: s.GroupInfo,
		Policy: s.Policy, RequestTime: s.RequestTime, CreateTime: s.CreateTime, Artifacts: s.Artifacts, TimeoutMillis: s.TimeoutMillis,
		Concurrency: s.Concurrency, Baseline: s.Baseline, StartFailure: s.StartFailure,
		Initiator: engine.Initiator{
			Type: s.Initiator.Type, Depth: s.Initiator.Depth, User: s.Initiator.User, TriggerUUID: s.Initiator.TriggerUUID, TriggerTime: s.Initiator.TriggerTime,
			Timezone: s.Initiator.Timezone, SignalIDs: s.Initiator.SignalIDs, Ancestors: s.Initiator.Ancestors,
		},
		Properties: engine.RunProperties{CreateTime: s.Properties.CreateTime, Owner: s.Properties.Owner, StepConcurrency: s.Properties.StepConcurrency},
	}
	if workflow == nil {
		w, err := definition.ReadWorkflow(s.Workflow)
		if err != nil {
			return nil, fmt.Errorf("workflow of run %s: %w", id, err)
		}
		workflow = w
	}
	var err error
	if b.RuntimeTags, err = rawTags(s.RuntimeTags); err != nil {
		return nil, fmt.Errorf("tags of run %s: %w", id, err)
	}
	b.Workflow = workflow
	if len(s.Tags) > 0 {
		merged := *workflow
		if merged.Tags, err = rawTags(s.Tags); err != nil {
			return nil, fmt.Errorf("tags of run %s: %w", id, err)
		}
		b.Workflow = &merged
	}
	if len(s.Restart) > 0 {
		if b.RestartConfig, err = DecodeRestartConfig(s.Restart); err != nil {
			return nil, fmt.Errorf("restart config of run %s: %w", id, err)
		}
	}
	if b.RunParams, err = rawDefs(s.RunParams); err != nil {
		return nil, fmt.Errorf("run params of run %s: %w", id, err)
	}
	if b.StepRunParams, err = decodeStepDefs(s.StepRunParams); err != nil {
		return nil, fmt.Errorf("run %s: %w", id, err)
	}
	if len(s.Params) > 0 {
		if b.Params, err = decodeParams(s.Params); err != nil {
			return nil, fmt.Errorf("params of run %s: %w", id, err)
		}
	}
	if len(s.Initiator.Params) > 0 {
		if b.Initiator.Params, err = decodeParams(s.Initiator.Params); err != nil {
			return nil, fmt.Errorf("initiator of run %s: %w", id, err)
		}
	}
	if len(s.Properties.Alerting) > 0 {
		if b.Properties.Alerting, err = definition.ReadAlerting(s.Properties.Alerting); err != nil {
			return nil, fmt.Errorf("alerting of run %s: %w", id, err)
		}
	}
	if b.Properties.Tags, err = rawTags(s.Properties.Tags); err != nil {
		return nil, fmt.Errorf("tags of run %s: %w", id, err)
	}
	nodes := make([]dag.Node, len(s.DAG))
	for i, n := range s.DAG {
		nodes[i] = dag.Node{ID: n.ID, Transition: dag.Transition{Predecessors: n.Predecessors}}
		for _, e := range n.Successors {
			nodes[i].Successors = append(nodes[i].Successors, dag.Edge{To: e.To, Condition: e.Condition, Null: e.Null})
		}
	}
	b.DAG = dag.Of(nodes)
	for _, m := range s.Matches {
		d, err := decodeDependencies(m.Dependencies)
		if err != nil {
			return nil, fmt.Errorf("signals of run %s: %w", id, err)
		}
		b.SignalMatches = append(b.SignalMatches, engine.SignalMatch{StepID: m.StepID, Dependencies: d})
	}
	b.Number(id.Instance, id.Run)
	return b, nil
}

// BodyOfStart tells of a stored body whether its start is kept as FAILED, and which instance it restarts, 0 for none.
func BodyOfStart(data []byte) (failed bool, instance int64, err error) {
	var s struct {
		Policy       engine.RunPolicy `json:"policy"`
		Restart      *storedRestart   `json:"restart"`
		StartFailure *timeline.Event  `json:"start_failure"`
		WorkflowID   string           `json:"workflow_id"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return false, 0, fmt.Errorf("body of a run: %w", err)
	}
	if !s.Policy.Fresh() && s.Restart != nil && len(s.Restart.Path) > 0 {
		// The last node of the path is that of the run itself.
		instance = s.Restart.Path[len(s.Restart.Path)-1].InstanceID
	}
	return s.StartFailure != nil, instance, nil
}
