package param

// ReservedNames are those that run params may not have (parameters.md 6.7), in the order in which they are looked for.
func ReservedNames() []string {
	return []string{
		"maestro", "Maestro", "MAESTRO", "scheduler", "Scheduler", "SCHEDULER", "util", "Util", "UTIL", "params", "Params", "PARAMS",
		"AUTH_BLOB", "AUTH_DATA", "AUTH_ACTING_ON_BEHALF_OF_BLOB", "AUTH_TRIGGERING_ON_BEHALF_OF_BLOB", "AUTHORIZED_MANAGERS",
	}
}

// InitiatorLayer is the layer of the run params of a fresh run, by the type of its initiator in upper case.
func InitiatorLayer(initiatorType string) Layer {
	switch initiatorType {
	case "SUBWORKFLOW":
		return Layer{Source: SourceSubworkflow, Upstream: true}
	case "FOREACH":
		return Layer{Source: SourceForeach, Upstream: true}
	case "WHILE":
		return Layer{Source: SourceWhile, Upstream: true}
	case "TEMPLATE":
		return Layer{Source: SourceTemplate, Upstream: true}
	}
	return Layer{Source: SourceLaunch}
}

// RestartLayer is the layer of the run params and restart params of a restarted run, by the type of its initiator.
func RestartLayer(initiatorType string) Layer {
	l := InitiatorLayer(initiatorType)
	l.Restart = true
	if !l.Upstream {
		l.Source = SourceRestart
	}
	return l
}

// MergeStart is the params of a fresh run, unevaluated (parameters.md 6.1): the defaults, the workflow's definition, the
// run params. Errors are *fault.Error, BAD_REQUEST.
func MergeStart(defaults *Defaults, definition, run *Definitions, initiatorType string) (*Params, error) {
	d := defaults.Workflow.Clone()
	if err := d.merge(definition, Layer{Source: SourceDefinition}); err != nil {
		return nil, err
	}
	if err := d.merge(run, InitiatorLayer(initiatorType)); err != nil {
		return nil, err
	}
	if err := d.Cleanup(); err != nil {
		return nil, err
	}
	return NewParams(d), nil
}

// MergeRestart is the params of a restarted run, unevaluated (parameters.md 6.2): those of the previous run, frozen, but
// for IMMUTABLE ones; the run params, for children what the parent hands down; and the user's restart params, which are
// nil unless the restart path ends here. The defaults and the definition play no part. A run without params, one that
// was stored although its params failed, has nothing to give.
func MergeRestart(previous *Params, run, restart *Definitions, initiatorType string) (*Params, error) {
	frozen, err := previous.AsDefinitions()
	if err != nil {
		return nil, err
	}
	for _, name := range ReservedNames() {
		frozen.Delete(name)
	}
	d := &Definitions{}
	if err := d.merge(frozen, Layer{Source: SourceSystem, Restart: true}); err != nil {
		return nil, err
	}
	l := RestartLayer(initiatorType)
	if err := d.merge(run, l); err != nil {
		return nil, err
	}
	if err := d.merge(restart, l); err != nil {
		return nil, err
	}
	if err := d.Cleanup(); err != nil {
		return nil, err
	}
	return NewParams(d), nil
}

// NewParams are unevaluated params of those definitions, which must be merged and cleaned up.
func NewParams(defs *Definitions) *Params {
	p := &Params{}
	all := make([]Param, defs.Len())
	p.list = make([]named[*Param], defs.Len())
	for i := range all {
		all[i].Definition = *defs.list[i].Value
		p.list[i] = named[*Param]{defs.list[i].Name, &all[i]}
	}
	if defs != nil && defs.index != nil {
		p.index = make(map[string]int, len(defs.index))
		for name, i := range defs.index {
			p.index[name] = i
		}
	}
	return p
}

// AsDefinitions are all of the params as definitions (Param.AsDefinition). An empty map for nil.
func (p *Params) AsDefinitions() (*Definitions, error) {
	d := &Definitions{}
	if p.Len() == 0 {
		return d, nil
	}
	d.list = make([]named[*Definition], 0, p.Len()+4)
	for name, q := range p.All() {
		def, err := q.AsDefinition(name)
		if err != nil {
			return nil, err
		}
		d.Set(name, def)
	}
	return d, nil
}

// Evaluated are the params that are evaluated, in order.
func (p *Params) Evaluated() *Params {
	out := &Params{}
	for name, q := range p.All() {
		if q.Evaluated {
			out.Set(name, q)
		}
	}
	return out
}

// CheckRunParams applies to one map of a request's run params or restart params what parameters.md 17 says beyond names
// and tags (package definition: CheckParams): number, reserved names, sources. The results are texts of violations.
func CheckRunParams(d *Definitions) []string {
	var found []string
	if n := d.Len(); n > MaxRunParams {
		found = append(found, tooMany(n))
	}
	for _, name := range ReservedNames() {
		if d.Has(name) {
			found = append(found, "[param definition] cannot use any of reserved param names - rejected value is ["+name+"]")
			break
		}
	}
	for name, def := range d.All() {
		if def.NamesSource() {
			found = append(found, "[param definition] users cannot set param source for a param: "+name)
			break
		}
	}
	return found
}
