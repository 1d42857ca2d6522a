package view

import (
	"encoding/json"
	"fmt"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/wire"
)

// AppendRestartConfig appends what is restarted and how.
func AppendRestartConfig(b []byte, c *engine.RestartConfig) []byte {
	w := newWriter(b)
	w.restartConfigValue(c)
	return w.Bytes()
}

// ReadRestartConfig reads what AppendRestartConfig writes.
func ReadRestartConfig(data []byte) (*engine.RestartConfig, error) {
	var in struct {
		Path []struct {
			WorkflowID string  `json:"workflow_id"`
			InstanceID int64   `json:"instance_id"`
			StepID     *string `json:"step_id"`
		} `json:"restart_path"`
		Policy           engine.RunPolicy `json:"restart_policy"`
		DownstreamPolicy engine.RunPolicy `json:"downstream_policy"`
		Params           json.RawMessage  `json:"restart_params"`
		StepParams       json.RawMessage  `json:"step_restart_params"`
		StartSteps       []string         `json:"start_steps"`
		EndSteps         []string         `json:"end_steps"`
		SkipSteps        []string         `json:"skip_steps"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("restart_config: %w", err)
	}
	c := &engine.RestartConfig{
		Policy: in.Policy, DownstreamPolicy: in.DownstreamPolicy, StartSteps: in.StartSteps, EndSteps: in.EndSteps, SkipSteps: in.SkipSteps,
	}
	for _, n := range in.Path {
		node := engine.PathNode{WorkflowID: n.WorkflowID, InstanceID: n.InstanceID}
		if n.StepID != nil {
			node.StepID = *n.StepID
		}
		c.Path = append(c.Path, node)
	}
	if len(in.Params) > 0 {
		v, err := wire.Parse(in.Params)
		if err != nil {
			return nil, fmt.Errorf("restart_config: restart_params: %w", err)
		}
		n := wire.Root(v, "restart_params")
		c.Params, c.HasParams = param.ReadDefinitions(n, false), true
		if err := n.Err(); err != nil {
			return nil, fmt.Errorf("restart_config: %w", err)
		}
	}
	if len(in.StepParams) > 0 {
		v, err := wire.Parse(in.StepParams)
		if err != nil {
			return nil, fmt.Errorf("restart_config: step_restart_params: %w", err)
		}
		n := wire.Root(v, "step_restart_params")
		for _, m := range n.Members() {
			c.StepRestartParams = append(c.StepRestartParams, engine.StepParams{StepID: m.Name, Params: param.ReadDefinitions(m.Node, false)})
		}
		if err := n.Err(); err != nil {
			return nil, fmt.Errorf("restart_config: %w", err)
		}
	}
	return c, nil
}
