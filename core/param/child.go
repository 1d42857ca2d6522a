package param

import (
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/wire"
)

// ChildParams are the run params that a step hands to the run that it starts (parameters.md 6.4 to 6.6): all evaluated
// params of the workflow, nil to hand over none, and over them those params of the step that its definition names; but
// not the dropped ones. The error is a BAD_REQUEST: a result that no literal can hold.
func ChildParams(workflow, step *Params, defined *Definitions, drop ...string) (*Definitions, error) {
	d, err := workflow.AsDefinitions()
	if err != nil {
		return nil, err
	}
	for name := range defined.All() {
		p := step.Get(name)
		if p == nil {
			continue // an OPTIONAL one that was dropped
		}
		def, err := p.AsDefinition(name)
		if err != nil {
			return nil, err
		}
		d.Set(name, def)
	}
	for _, name := range drop {
		d.Delete(name)
	}
	return d, nil
}

// SubworkflowParams are the run params of a child. Unless explicit, all of the workflow's params are among them, else
// only those in always.
func SubworkflowParams(workflow, step *Params, defined *Definitions, explicit bool, always []string) (*Definitions, error) {
	if explicit {
		some := &Params{}
		for _, name := range always {
			if p := workflow.Get(name); p != nil {
				some.Set(name, p)
			}
		}
		workflow = some
	}
	return ChildParams(workflow, step, defined, "subworkflow_id", "subworkflow_version")
}

// LoopBase is what the run params of all iterations of a loop step have in common.
func LoopBase(workflow, step *Params, defined *Definitions) (*Definitions, error) {
	return ChildParams(workflow, step, defined, "loop_params")
}

// IterationParams are the run params of one iteration: base, the index from 0 and the loop values; while adds the
// condition, which is true. base stays as it is. The error is a BAD_REQUEST: a value that no literal can hold.
func IterationParams(base *Definitions, index int64, values []Member, while bool) (*Definitions, error) {
	d := base.Clone()
	d.Set("loop_index", Long(index))
	for _, m := range values {
		l, err := frozen(m.Name, m.Value, &Definition{Type: m.Type})
		if err != nil {
			return nil, err
		}
		d.Set(m.Name, &Definition{Type: m.Type, Value: l})
	}
	if while {
		d.Set("condition", Bool(true))
	}
	return d, nil
}

// Element is the scalar at index i of an array, with its type; false when m is no array or i is outside of it. A null
// element is a null STRING.
func (m Member) Element(i int) (Member, bool) {
	if i < 0 || i >= m.Value.Len() {
		return Member{}, false
	}
	e := Member{Name: m.Name}
	switch m.Type {
	case sel.ParamStringArray:
		texts, null := m.Value.AsStrings()
		e.Type, e.Value = sel.ParamString, sel.String(texts[i])
		if null != nil && null[i] {
			e.Value = sel.NullOf(sel.TypeString)
		}
	case sel.ParamLongArray:
		e.Type, e.Value = sel.ParamLong, sel.Long(m.Value.AsLongs()[i])
	case sel.ParamDoubleArray:
		e.Type, e.Value = sel.ParamDouble, sel.Double(m.Value.AsDoubles()[i])
	case sel.ParamBooleanArray:
		e.Type, e.Value = sel.ParamBoolean, sel.Bool(m.Value.AsBools()[i])
	default:
		return Member{}, false
	}
	return e, true
}

// IsArray reports the four array types.
func (m Member) IsArray() bool {
	switch m.Type {
	case sel.ParamStringArray, sel.ParamLongArray, sel.ParamDoubleArray, sel.ParamBooleanArray:
		return true
	}
	return false
}

// IsScalar reports the four scalar types.
func (m Member) IsScalar() bool {
	switch m.Type {
	case sel.ParamString, sel.ParamLong, sel.ParamDouble, sel.ParamBoolean:
		return true
	}
	return false
}

// JSON is the value as a tree.
func (m Member) JSON() wire.Value {
	v, _ := wire.Parse(AppendValue(nil, m.Value)) // AppendValue writes JSON
	return v
}

// ReadMember is the way back from Member.JSON, for a member of a known type.
func ReadMember(name string, t Type, data []byte) (Member, error) {
	w := wire.NewWriter(nil)
	w.Open()
	w.Str("type", string(t))
	w.Raw("value", data)
	w.Close()
	v, err := wire.Parse(w.Bytes())
	if err != nil {
		return Member{}, err
	}
	n := wire.Root(v, "")
	d := ReadDefinition(n, name, false)
	if err := n.Err(); err != nil {
		return Member{}, err
	}
	m := Member{Name: name, Type: t}
	if f := v.Get("value"); t == sel.ParamDouble && f.Kind() == wire.KindNumber {
		// A literal keeps the decimal as it is written; a member is evaluated.
		m.Value = sel.Double(*wire.Root(f, "").DoubleOpt())
		return m, nil
	}
	if d != nil && d.Value != nil {
		m.Value = d.Value.V
	}
	return m, nil
}
