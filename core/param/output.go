package param

import (
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/sel"
)

// MergeOutputs merges the params that a step put out into its params (parameters.md 14): each must be one of them, and
// only MUTABLE ones may change. Both maps must be evaluated and stay as they are. Errors are *fault.Error, BAD_REQUEST.
func MergeOutputs(step, outputs *Params) (*Params, error) {
	if outputs.Len() == 0 {
		return step, nil
	}
	out := step.Clone()
	for name, given := range outputs.All() {
		old := step.Get(name)
		if old == nil {
			return nil, fault.New(fault.BadRequest, "Invalid output parameter [%s], not defined in params", name)
		}
		p, err := mergeOutput(name, old, given)
		if err != nil {
			return nil, err
		}
		out.Set(name, p)
	}
	return out, out.CheckSize()
}

func mergeOutput(name string, old, given *Param) (*Param, error) {
	b, err := old.AsDefinition(name)
	if err != nil {
		return nil, err
	}
	g, err := given.AsDefinition(name)
	if err != nil {
		return nil, err
	}
	if given.Value != nil && given.Type != sel.ParamMap {
		// A value that was stored as a mark, because it equals the result, is merged and shown as that mark.
		c := *g
		c.Value = given.Value
		g = &c
	}
	g.Source = 0 // who put it out does not matter
	m, err := Layer{Source: SourceOutputParameter}.one(name, g, b, 0)
	if err != nil {
		return nil, err
	}
	p := &Param{Definition: *m, Evaluated: true, Time: given.Time}
	v, _, err := convert(name, given.Type, given.Result)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Type == sel.ParamMap:
		if v, err = memberResults(v, m); err != nil {
			return nil, err
		}
		p.Result = overlay(old.Result, v)
	case m.Type == sel.ParamStringMap:
		p.Result = uniteEntries(old.Result, v)
	default:
		if p.Result, _, err = convert(name, m.Type, v); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// memberResults converts the members of a result to the types that the merged definition declares.
func memberResults(v sel.Value, d *Definition) (sel.Value, error) {
	entries := make([]sel.Entry, 0, v.Len())
	for _, e := range v.Entries() {
		if d.Value != nil {
			if m := d.Value.Members.Get(e.Key); m != nil {
				r, _, err := convert(e.Key, m.Type, e.Value)
				if err == nil && m.Type == sel.ParamMap {
					r, err = memberResults(r, m)
				}
				if err != nil {
					return sel.Value{}, err
				}
				e.Value = r
			}
		}
		entries = append(entries, e)
	}
	return sel.Map(entries), nil
}

// overlay puts the members of over into a MAP, recursively.
func overlay(under, over sel.Value) sel.Value {
	if under.Type() != sel.TypeMap || over.Type() != sel.TypeMap {
		return over
	}
	entries := append(make([]sel.Entry, 0, under.Len()+over.Len()), under.Entries()...)
next:
	for _, e := range over.Entries() {
		for i := range entries {
			if entries[i].Key == e.Key {
				entries[i].Value = overlay(entries[i].Value, e.Value)
				continue next
			}
		}
		entries = append(entries, e)
	}
	return sel.Map(entries)
}
