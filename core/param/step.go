package param

// Assembly is what the params of an attempt are made of (parameters.md 6.3).
type Assembly struct {
	Defaults *Defaults
	StepType string // in upper case: NOOP, HTTP …
	// Template are the params of the job template, with workflow params over them (MergeTemplate); nil for none.
	Template *Definitions
	Defined  *Definitions // those of the step's definition
	// Run are the step's run params, Restart its restart params; nil for none.
	Run, Restart *Definitions
	// Layer is that of Run: InitiatorLayer of a fresh run, RestartLayer otherwise.
	Layer Layer
	// RestartLayer is that of Restart. An in-run restart of a fresh run has the layer of the run.
	RestartLayer Layer
}

// AssembleStep is the params of an attempt, unevaluated. Errors are *fault.Error, BAD_REQUEST.
func AssembleStep(a Assembly) (*Params, error) {
	d := a.Defaults.forStep(a.StepType).Clone()
	if err := d.merge(a.Template, Layer{Source: SourceTemplateSchema}); err != nil {
		return nil, err
	}
	// What the definition does not know comes before it, so that the definition merges with it.
	runNew, runKnown := split(a.Run, a.Defined)
	restartNew, restartKnown := split(a.Restart, a.Defined)
	for _, l := range [...]struct {
		defs  *Definitions
		layer Layer
	}{
		{runNew, a.Layer}, {restartNew, a.RestartLayer},
		{a.Defined, Layer{Source: SourceDefinition}},
		{runKnown, a.Layer}, {restartKnown, a.RestartLayer},
	} {
		if err := d.merge(l.defs, l.layer); err != nil {
			return nil, err
		}
	}
	if err := d.Cleanup(); err != nil {
		return nil, err
	}
	return NewParams(d), nil
}

// split separates the names that defined does not have from those that it has.
func split(d, defined *Definitions) (fresh, known *Definitions) {
	if d.Len() == 0 {
		return nil, nil
	}
	fresh, known = &Definitions{}, &Definitions{}
	for name, def := range d.All() {
		if defined.Has(name) {
			known.Set(name, def)
		} else {
			fresh.Set(name, def)
		}
	}
	return fresh, known
}

// MergeTemplate puts the workflow's params over the params of a job template that have the same names (parameters.md
// 6.3, layer 3).
func MergeTemplate(template *Definitions, workflow *Params) (*Definitions, error) {
	over := &Definitions{}
	for name := range template.All() {
		p := workflow.Get(name)
		if p == nil {
			continue
		}
		d, err := p.AsDefinition(name)
		if err != nil {
			return nil, err
		}
		over.Set(name, d)
	}
	if over.Len() == 0 {
		return template, nil
	}
	return Merge(template, over, Layer{Source: SourceWorkflowParameter, Upstream: true})
}
