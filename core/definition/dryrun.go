package definition

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/downbeat/downbeat/core/dag"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
)

// TemplateParams gives the parameters that a step takes over from the job template of a version, "" for
// none asked for by a workflow param. Empty or nil means nothing. Errors that are no *fault.Error are failures of the
// lookup and come out as they are.
type TemplateParams func(step *Step, workflowVersion string) (*param.Definitions, error)

// DryRunInput is what a dry run needs beside the definition.
type DryRunInput struct {
	Caller      User
	Defaults    *param.Defaults
	Templates   TemplateParams // nil: there are none
	Now         int64          // epoch milliseconds
	Random      func() uint64  // see param.Env
	Limits      sel.Limits
	Environment string // the name that expressions see
}

// DryRun looks for definitions that could never start (workflow-definition.md 10.4): a cycle on the top
// level, workflow params that cannot be merged or evaluated, a timeout that is none after interpolation,
// a top-level step without a runtime or whose params do not merge with its defaults and template. Bodies
// of loops are not looked at, nor are the expressions of steps.
//
// The error is a *fault.Error with code BAD_REQUEST and the root cause as its message; or it wraps that
// of the context, or is one of the lookup of templates.
func DryRun(ctx context.Context, w *Workflow, in DryRunInput) error {
	if _, err := dag.Fresh(w.ID, w.Nodes()); err != nil {
		return fault.New(fault.BadRequest, "%s", err)
	}
	params, err := dryRunParams(ctx, w, in)
	if err != nil {
		return dryRunError(ctx, err)
	}
	if err := dryRunTimeout(ctx, w, in, params); err != nil {
		return dryRunError(ctx, err)
	}
	for _, s := range w.Steps {
		if !s.Type.HasRuntime() {
			return fault.New(fault.BadRequest, "step [%s] has type [%s], for which there is no runtime", s.ID, s.Type)
		}
		if err := dryRunStep(s, in, params); err != nil {
			return dryRunError(ctx, err)
		}
	}
	return nil
}

// dryRunError keeps errors that are not about the definition apart.
func dryRunError(ctx context.Context, err error) error {
	var f *fault.Error
	if ctx.Err() != nil || !errors.As(err, &f) {
		return err
	}
	return &fault.Error{Code: fault.BadRequest, Message: f.Message, Errors: f.Errors}
}

func dryRunParams(ctx context.Context, w *Workflow, in DryRunInput) (*param.Params, error) {
	defs, err := param.Merge(in.Defaults.Workflow, present(w.Params), param.Layer{Source: param.SourceDefinition})
	if err != nil {
		return nil, err
	}
	if defs, err = param.Merge(defs, in.Defaults.DryRunParams(present(w.Params)), param.Layer{Source: param.SourceLaunch}); err != nil {
		return nil, err
	}
	if err := defs.Cleanup(); err != nil {
		return nil, err
	}
	params := &param.Params{}
	for name, d := range defs.All() {
		params.Set(name, &param.Param{Definition: *d})
	}
	scope := param.Scope{Env: in.env(w), Own: params, Workflow: &param.Params{}}
	return params, scope.EvaluateAll(ctx)
}

// env is the special initiator of a dry run.
func (in *DryRunInput) env(w *Workflow) *param.Env {
	known := &param.DryRun{Signals: map[string]bool{}, Params: map[string]bool{}}
	for i := range w.SignalTriggers {
		for _, d := range w.SignalTriggers[i].Definitions {
			known.Signals[d.Name] = true
		}
		for _, name := range present(w.SignalTriggers[i].Params).Names() {
			known.Params[name] = true
		}
	}
	zone := ""
	if len(w.TimeTriggers) > 0 && w.TimeTriggers[0].Timezone != nil {
		zone = *w.TimeTriggers[0].Timezone
	}
	return &param.Env{Now: in.Now, Limits: in.Limits, Random: in.Random, Environment: in.Environment, Instance: param.Instance{
		WorkflowID: w.ID, InitiatorType: "VALIDATION", RunPolicy: "START_FRESH_NEW_RUN", FirstTimezone: zone,
		RunnerName: &in.Caller.Name, Owner: in.Caller.Name, DryRun: known}}
}

func dryRunTimeout(ctx context.Context, w *Workflow, in DryRunInput, params *param.Params) error {
	if w.Timeout == nil {
		return nil
	}
	t := *w.Timeout
	if t.HasParams() {
		scope := param.Scope{Env: in.env(w), Workflow: params, Own: params}
		text, err := scope.Interpolate(ctx, "timeout", t.Text)
		if err != nil {
			return err
		}
		t.Text = text
	}
	if _, err := t.TimeoutMillis(); err != nil {
		return fault.New(fault.BadRequest, "%s", err)
	}
	return nil
}

func dryRunStep(s *Step, in DryRunInput, params *param.Params) error {
	version := ""
	if v, ok := params.Result("job_template_version"); ok {
		version = v.Text()
	}
	template, err := in.template(s, version)
	if err != nil {
		return err
	}
	if template, err = param.MergeTemplate(template, params); err != nil {
		return err
	}
	_, err = param.AssembleStep(param.Assembly{Defaults: in.Defaults, StepType: strings.ToUpper(string(s.Type)), Template: template, Defined: s.Params})
	return err
}

func (in *DryRunInput) template(s *Step, version string) (*param.Definitions, error) {
	if in.Templates == nil {
		return &param.Definitions{}, nil
	}
	defs, err := in.Templates(s, version)
	return present(defs), err
}

type layer struct {
	defs   *param.Definitions
	source param.Source
}

func mergeLayers(base *param.Definitions, layers ...layer) (*param.Definitions, error) {
	defs := base
	for _, l := range layers {
		var err error
		if defs, err = param.Merge(defs, present(l.defs), param.Layer{Source: l.source}); err != nil {
			return nil, err
		}
	}
	return defs, nil
}

// Enrich computes the extras of a version (api.md 7.6): the params of the workflow and of its top-level
// steps, merged and not evaluated, and the next fire times. Different from runs, the defaults of a step
// type go over the params of its template, and workflow params are not looked at. in.Now is the time that
// the next fire times follow; of the rest Defaults and Templates count.
func Enrich(w *Workflow, in DryRunInput) (*EnrichedExtras, error) {
	workflow, err := param.Merge(in.Defaults.Workflow, present(w.Params), param.Layer{Source: param.SourceDefinition})
	if err != nil {
		return nil, err
	}
	e := &EnrichedExtras{WorkflowParams: workflow, StepParams: make([]NamedParams, 0, len(w.Steps))}
	for _, s := range w.Steps {
		template, err := in.template(s, "")
		if err != nil {
			return nil, err
		}
		defs, err := mergeLayers(in.Defaults.Step,
			layer{template, param.SourceTemplateSchema},
			layer{in.Defaults.ByType[strings.ToUpper(string(s.Type))], param.SourceSystemDefault},
			layer{s.Params, param.SourceDefinition})
		if err != nil {
			return nil, err
		}
		e.StepParams = append(e.StepParams, NamedParams{StepID: s.ID, Params: defs})
	}
	if w.TimeTriggers != nil {
		e.NextTimes = w.NextTimes(in.Now)
	}
	return e, nil
}

// PushFailure is the answer to a push whose dry run failed.
func PushFailure(workflowID string, err error) error {
	f := fault.Of(err)
	if f.Code != fault.BadRequest {
		return err
	}
	return fault.New(fault.BadRequest, "BAD_REQUEST - Exception during dry run validation for workflow %s Error=[%s]", workflowID, f.Message).
		With(fmt.Sprintf("DryRunError: %s", f.Message)).With(f.Errors...)
}

// ValidationFailure is the answer to a validation whose dry run failed: a fixed message and one entry, the root cause.
func ValidationFailure(err error) error {
	f := fault.Of(err)
	if f.Code != fault.BadRequest {
		return err
	}
	cause := f.Message
	if n := len(f.Errors); n > 0 {
		cause = f.Errors[n-1]
	}
	return fault.New(fault.BadRequest, "Invalid workflow create request").With(cause)
}
