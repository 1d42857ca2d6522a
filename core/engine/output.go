package engine

import (
	"encoding/json"

	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/wire"
)

// finishStep does the work of FINISHING: output data is merged, then the signals of the step are announced. ready is
// false while a signal is not announced yet.
func (d *decider) finishStep(i int, a *Attempt) (ready bool, err error) {
	if a.SignalOutputs == nil {
		if err := d.mergeOutput(i, a); err != nil {
			return false, err
		}
		if err := d.resolveOutputs(i, a); err != nil {
			return false, err
		}
		d.touch(i, a)
	}
	return d.announce(i, a)
}

// mergeOutput merges the output data of the attempt's work into its params and artifacts (parameters.md 14).
func (d *decider) mergeOutput(i int, a *Attempt) error {
	if a.Output == nil {
		return nil
	}
	a.Artifacts = a.Artifacts.Merged(a.Output.Artifacts)
	if len(a.Output.Params) == 0 {
		return nil
	}
	outputs := &param.Params{}
	for _, out := range a.Output.Params {
		v, err := wire.Parse(out.JSON)
		if err != nil {
			return err
		}
		node := wire.Root(v, out.Key)
		p := param.ReadParam(node, out.Key, true)
		if err := node.Err(); err != nil {
			return err
		}
		outputs.Set(out.Key, p)
	}
	params, err := param.MergeOutputs(a.Params, outputs)
	if err != nil {
		return err
	}
	a.Params = params
	return nil
}

// retryHint tells whether the output data lets a failure be retried: artifact maestro_retry may forbid it.
func retryHint(a *Attempt) bool {
	lists := a.Artifacts
	if a.Output != nil {
		lists = lists.Merged(a.Output.Artifacts)
	}
	raw, ok := lists.Get("maestro_retry")
	if !ok {
		return true
	}
	var hint struct {
		Retryable *bool `json:"retryable"`
	}
	return json.Unmarshal(raw, &hint) != nil || hint.Retryable == nil || *hint.Retryable
}
