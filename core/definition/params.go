package definition

import (
	"fmt"

	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
)

// LoopParamsName is the param of foreach and while steps that holds their loop params.
const LoopParamsName = "loop_params"

// present is p, or an empty map for an absent one.
func present(p *param.Definitions) *param.Definitions {
	if p == nil {
		return &param.Definitions{}
	}
	return p
}

// LoopParams are the loop params of a foreach or while step; nil when the step has none as a literal MAP.
func (s *Step) LoopParams() *param.Definitions {
	d := present(s.Params).Get(LoopParamsName)
	if d == nil || d.Type != sel.ParamMap || d.Value == nil {
		return nil
	}
	return d.Value.Members
}

// params writes a map of definitions unless it is nil.
func (w writer) params(name string, p *param.Definitions) {
	if p != nil {
		w.Append(name, p)
	}
}

// someParams writes a map of definitions unless it is empty.
func (w writer) someParams(name string, p *param.Definitions) {
	if present(p).Len() > 0 {
		w.Append(name, p)
	}
}

func (w writer) tags(name string, tags param.Tags) {
	if tags != nil {
		w.Append(name, tags)
	}
}

// params applies the rules for names and tags of parameters, members of a MAP included.
func (v *violations) params(path string, p *param.Definitions) {
	for name, d := range present(p).All() {
		at := fmt.Sprintf("%s[%s]", path, name)
		v.add(at+".name", CheckReference(name))
		v.tags(at+".tags", d.Tags)
		if d.Type == sel.ParamMap && d.Value != nil {
			v.params(at+".value", d.Value.Members)
		}
	}
}

// CheckParams lists what is wrong with the names and tags of parameters, each as `<path> <text>`.
func CheckParams(path string, p *param.Definitions) []string {
	var v violations
	v.params(path, p)
	return v.list
}
