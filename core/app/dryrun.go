package app

import (
	"context"
	"math"
	"sync"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/template"
)

// builtins are the built-in params, made once: an immutable value.
var builtins = sync.OnceValues(param.StandardDefaults)

func (a *App) dryRunInput(ctx context.Context, caller string) (definition.DryRunInput, error) {
	defaults, err := builtins()
	return definition.DryRunInput{
		Caller: definition.NamedUser(caller), Defaults: defaults, Now: a.now(), Environment: a.set.Environment,
		Random: func() uint64 { return uint64(a.cfg.IDs.Float() * math.MaxInt64) },
		Templates: template.Params(func(jobType, version string) (*template.Template, error) {
			return a.Template(ctx, jobType, version)
		}),
	}, err
}

// DryRun looks whether a definition could ever start.
func (a *App) DryRun(ctx context.Context, req *definition.CreateRequest, caller string) error {
	in, err := a.dryRunInput(ctx, caller)
	if err != nil {
		return err
	}
	return definition.DryRun(ctx, req.Workflow, in)
}

// Enrich computes what an enriched reading of a version shows besides.
func (a *App) Enrich(ctx context.Context, v *definition.Version) (*definition.EnrichedExtras, error) {
	in, err := a.dryRunInput(ctx, "")
	if err != nil {
		return nil, err
	}
	return definition.Enrich(v.Workflow, in)
}
