package engine

import (
	"encoding/json"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
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
	params := a.Params.Clone()
	for _, out := range a.Output.Params {
		old := params.Get(out.Key)
		if old == nil {
			return fault.New(fault.BadRequest, "Invalid output parameter [%s], not defined in params", out.Key)
		}
		v, err := wire.Parse(out.JSON)
		if err != nil {
			return err
		}
		node := wire.Root(v, out.Key)
		given := param.ReadParam(node, out.Key, true)
		if err := node.Err(); err != nil {
			return err
		}
		merged, err := mergeOutputParam(out.Key, old, given)
		if err != nil {
			return err
		}
		params.Set(out.Key, merged)
	}
	if err := params.CheckSize(); err != nil {
		return err
	}
	a.Params = params
	return nil
}

func mergeOutputParam(name string, old, given *param.Param) (*param.Param, error) {
	base, over := &param.Definitions{}, &param.Definitions{}
	for _, x := range []struct {
		into *param.Definitions
		p    *param.Param
	}{{base, old}, {over, given}} {
		d, err := x.p.AsDefinition(name)
		if err != nil {
			return nil, err
		}
		x.into.Set(name, d)
	}
	defs, err := param.Merge(base, over, param.Layer{Source: param.SourceOutputParameter})
	if err != nil {
		return nil, err
	}
	merged := &param.Param{Definition: *defs.Get(name), Evaluated: true, Result: given.Result, Time: given.Time}
	switch {
	case merged.Type == sel.ParamMap || merged.Type == sel.ParamStringMap:
		merged.Result = united(old.Result, given.Result)
	case merged.Type == given.Type && given.Value != nil:
		// The literal is shown as it was given, a placeholder for a long text too.
		merged.Value = given.Value
	default:
		result, _, err := sel.Convert(name, merged.Type, given.Result)
		if err != nil {
			return nil, err
		}
		merged.Result = result
	}
	return merged, nil
}

// united is a MAP with the entries of newer put over those of older, deep where both are MAPs.
func united(older, newer sel.Value) sel.Value {
	entries := append(make([]sel.Entry, 0, older.Len()+newer.Len()), older.Entries()...)
next:
	for _, e := range newer.Entries() {
		for k := range entries {
			if entries[k].Key != e.Key {
				continue
			}
			if entries[k].Value.Type() == sel.TypeMap && e.Value.Type() == sel.TypeMap {
				e.Value = united(entries[k].Value, e.Value)
			}
			entries[k] = e
			continue next
		}
		entries = append(entries, e)
	}
	return sel.Map(entries)
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
