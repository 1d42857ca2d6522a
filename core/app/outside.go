package app

import (
	"context"
	"fmt"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/template"
)

// outsideData is what expressions read of other workflows, instances and steps, as far as it is loaded.
type outsideData struct {
	values map[engine.Key]any
}

func newOutside() *outsideData { return &outsideData{values: map[engine.Key]any{}} }

// load reads one key.
func (o *outsideData) load(ctx context.Context, a *App, k engine.Key) error {
	switch k.Kind {
	case engine.KeyTemplate:
		t, err := a.Template(ctx, k.Name, k.Version)
		if err != nil {
			return err
		}
		o.values[k] = t
		return nil
	}
	return fmt.Errorf("a decision asks for the unknown key %s", k.Kind)
}

// template is a job template, nil when there is none; a *NeedError while it is not loaded.
func (o *outsideData) template(jobType, version string) (*template.Template, error) {
	k := engine.Key{Kind: engine.KeyTemplate, Name: jobType, Version: version}
	t, ok := o.values[k]
	if !ok {
		return nil, &engine.NeedError{Keys: []engine.Key{k}}
	}
	return t.(*template.Template), nil
}
