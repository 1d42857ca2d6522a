package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/template"
)

// PlanEnv is what the shell hands into PlanStart and PlanRestart; its abilities are those of Env.
type PlanEnv interface {
	Now() int64
}

// Abilities that an Env or a PlanEnv may have besides; each method may return a *NeedError.
type (
	// TemplateEnv knows job templates; nil is none of that type and version. Without it steps take nothing over.
	TemplateEnv interface {
		Template(jobType, version string) (*template.Template, error)
	}
	// NamedEnv has the name that expressions get from getExecutionEnvironment. Without it the name is "test", Maestro's
	// default.
	NamedEnv interface {
		Environment() string
	}
	// OutsideEnv reads loops, children and signals for expressions. Without it they are not there.
	OutsideEnv interface {
		Subworkflow(a *Attempt, childStep string) (*param.StepRecord, error)
		Foreach(a *Attempt, bodyStep, name string) ([]sel.Value, error)
		SignalInstanceParam(signal string, id int64, name string) (sel.Value, bool, error)
	}
)

// standardDefaults are the built-in params, made once: an immutable value.
var standardDefaults = sync.OnceValues(param.StandardDefaults)

// stepSatisfied is the param that tells whether a predecessor chose the step.
const stepSatisfied = "maestro_step_satisfied"

// choice is the first param of an attempt: whether a predecessor chose it.
func choice(chosen bool, now int64) Params {
	p := &param.Params{}
	p.Set(stepSatisfied, &param.Param{Definition: *param.Bool(chosen), Evaluated: true, Result: sel.Bool(chosen), Time: now})
	return p
}

// True tells whether the edge was evaluated and chose its successor.
func (e *Edge) True() bool { return e.Param != nil && e.Param.Evaluated && e.Param.Result.AsBool() }

// present is a map that is there.
func present(p Params) Params {
	if p == nil {
		return &param.Params{}
	}
	return p
}

// paramEnv is what all evaluations for a run are given. seed makes its random numbers: the name of what is evaluated.
func paramEnv(b *Body, now int64, env any, seed string) *param.Env {
	e := &param.Env{Now: now, Environment: "test", Random: randomFrom(seed), Instance: param.Instance{
		WorkflowID: b.WorkflowID, InstanceID: b.InstanceID, RunID: b.RunID,
		InitiatorType: string(b.Initiator.Type), RunPolicy: string(b.Policy),
		Owner: b.Properties.Owner, RunOwner: b.RunParams.Get("owner"), Child: b.Initiator.Type.Upstream(),
	}}
	if n, ok := env.(NamedEnv); ok {
		e.Environment = n.Environment()
	}
	i := &e.Instance
	switch b.Initiator.Type {
	case Manual:
		i.RunnerName = &b.Initiator.User
	case TimeTriggered:
		if b.Initiator.Timezone != nil {
			i.Timezone = *b.Initiator.Timezone
		}
	case Signalled:
		i.TriggerParams = present(b.Initiator.Params)
	}
	if t := b.Workflow.TimeTriggers; len(t) > 0 && t[0].Timezone != nil {
		i.FirstTimezone = *t[0].Timezone
	}
	return e
}

// randomFrom gives numbers that only the seed determines (P2). Most evaluations ask for none.
func randomFrom(seed string) func() uint64 {
	var source *rand.PCG
	return func() uint64 {
		if source == nil {
			sum := sha256.Sum256([]byte(seed))
			source = rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16]))
		}
		return source.Uint64()
	}
}

// launchLayer is the layer of params that a run was started with, on the workflow and on its steps.
func launchLayer(b *Body) param.Layer {
	if b.Policy.Fresh() {
		return param.InitiatorLayer(string(b.Initiator.Type))
	}
	return param.RestartLayer(string(b.Initiator.Type))
}

// freshParams gives a fresh run its workflow params (parameters.md 6.1) and what follows from them.
func freshParams(b *Body, env PlanEnv) error {
	defaults, err := standardDefaults()
	if err != nil {
		return err
	}
	params, err := param.MergeStart(defaults, b.Workflow.Params, b.RunParams, string(b.Initiator.Type))
	if err != nil {
		return err
	}
	return workflowParams(b, params, env)
}

// restartParams gives a restart its workflow params (parameters.md 6.2): those of the run before, frozen, and the
// request's over them. Of a run that was stored as FAILED for its params nothing is there.
func restartParams(b, old *Body, env PlanEnv) error {
	var own ParamDefs
	if b.RestartConfig.Own() {
		own = b.RestartConfig.Params
	}
	params, err := param.MergeRestart(old.Params, b.RunParams, own, string(b.Initiator.Type))
	if err != nil {
		return err
	}
	return workflowParams(b, params, env)
}

// workflowParams evaluates merged workflow params into the body, and what the run has from them: timeout and alerting.
func workflowParams(b *Body, params Params, env PlanEnv) error {
	scopeEnv := paramEnv(b, env.Now(), env, b.UUID)
	scopeEnv.Instance.InstanceID, scopeEnv.Instance.RunID = 0, 0 // not known yet
	scope := param.Scope{Env: scopeEnv, Own: params, Workflow: &param.Params{}}
	ctx := context.Background()
	if err := needIn(scope.EvaluateAll(ctx)); err != nil {
		return err
	}
	texts := param.Scope{Env: scopeEnv, Own: params, Workflow: params}
	if t := b.Workflow.Timeout; t != nil {
		v, err := t.TimeoutMillis()
		if t.HasParams() {
			var text string
			if text, err = texts.Interpolate(ctx, "timeout", t.Text); err == nil {
				v, err = definition.LongText(text).TimeoutMillis()
			}
		}
		if err != nil {
			if needs(err) {
				return needIn(err)
			}
			return fault.New(fault.UnprocessableEntity, "Failed to parse attribute [timeout] for workflow [%s] due to %s", b.WorkflowID, err)
		}
		b.TimeoutMillis = v
	}
	b.Properties.Alerting = b.Properties.Alerting.ForRun(
		func(text string) (string, error) { return texts.Interpolate(ctx, "alerting", text) }, params.Result)
	b.Params = params
	return nil
}

// joined is the choice of an attempt followed by copies of unevaluated params.
func joined(choice, assembled Params) Params {
	out := choice.Clone()
	all := make([]param.Param, assembled.Len())
	for i := range all {
		name, p := assembled.At(i)
		all[i] = *p
		out.Set(name, &all[i])
	}
	return out
}

// textOf interpolates a text of a step with workflow params: its timeout or a value of its retry policy.
func textOf(b *Body, v definition.ParsableLong) (definition.ParsableLong, error) {
	if !v.HasParams() {
		return v, nil
	}
	params := present(b.Params)
	scope := param.Scope{Env: paramEnv(b, b.CreateTime, nil, b.UUID), Own: params, Workflow: params}
	text, err := scope.Interpolate(context.Background(), "text", v.Text)
	return *definition.LongText(text), err
}

// assemble merges the params of a step, unevaluated (parameters.md 6.3). The result is shared.
func (d *decider) assemble(i int, a *Attempt) (Params, error) {
	p, b := &d.plan.steps[i], d.st.Body
	if a.RestartConfig == nil {
		if params := p.assembled.Load(); params != nil {
			return params, nil
		}
	}
	defaults, err := standardDefaults()
	if err != nil {
		return nil, err
	}
	in := param.Assembly{
		Defaults: defaults, StepType: strings.ToUpper(p.typeName), Defined: p.def.Params,
		Run: paramsFor(b.StepRunParams, p.id), Layer: launchLayer(b), RestartLayer: launchLayer(b),
	}
	config := a.RestartConfig
	if config == nil {
		config = b.RestartConfig
	}
	if config.Own() {
		in.Restart = paramsFor(config.StepRestartParams, p.id)
	}
	taken, err := d.templateOf(i)
	if err != nil {
		return nil, err
	}
	if taken != nil {
		if in.Template, err = param.MergeTemplate(taken.Params, present(b.Params)); err != nil {
			return nil, err
		}
	}
	params, err := param.AssembleStep(in)
	if err != nil {
		return nil, err
	}
	if a.RestartConfig == nil && taken == nil {
		p.assembled.Store(params)
	}
	return params, nil
}

// paramsFor finds what is given for one step; nil for nothing.
func paramsFor(list []StepParams, stepID string) ParamDefs {
	for _, s := range list {
		if s.StepID == stepID {
			return s.Params
		}
	}
	return nil
}

// templateOf is what a step takes over from the job template of its sub type; nil for steps that take none.
func (d *decider) templateOf(i int) (*template.Resolved, error) {
	def := d.plan.steps[i].def
	env, ok := d.env.(TemplateEnv)
	if !ok || def.SubType == nil || *def.SubType == "" || !def.Type.TakesJobTemplates() {
		return nil, nil
	}
	version := ""
	if v, ok := present(d.st.Body.Params).Result("job_template_version"); ok {
		version = v.Text()
	}
	return template.Resolve(def, template.VersionFor(def.SubTypeVersion, version), env.Template)
}

// mergeTags gives an attempt its tags: its own and those of its template.
func (d *decider) mergeTags(i int, a *Attempt) error {
	taken, err := d.templateOf(i)
	if err != nil || taken == nil || len(taken.Tags) == 0 {
		return err
	}
	own := d.plan.steps[i].tags
	tags := append(append(make(Tags, 0, len(own)+len(taken.Tags)), own...), taken.Tags...)
	if name := tags.DuplicateName(); name != "" {
		return fault.New(fault.BadRequest, "step [%s] has tag [%s] already, which its job template brings", a.StepID, name)
	}
	a.Tags = tags
	return nil
}

// scope is where the params of an attempt look names up.
func (d *decider) scope(i int, a *Attempt) *param.Scope {
	p := &d.plan.steps[i]
	return &param.Scope{
		// Every status in which an attempt evaluates something has random numbers of its own.
		Env:      paramEnv(d.st.Body, d.now, d.env, a.UUID+a.Status.String()),
		Workflow: present(d.st.Body.Params),
		Step: &param.Step{
			ID: a.StepID, InstanceID: a.StepInstanceID, UUID: a.UUID, AttemptID: a.AttemptID,
			TypeInfo: p.typeInfo, ErrorRetries: a.Retry.Error.Made,
		},
		Outside: &outside{d: d, a: a}, Functions: true,
	}
}

// evaluateParams evaluates the params of an attempt; on an error it keeps none but the choice.
func (d *decider) evaluateParams(i int, a *Attempt) error {
	assembled, err := d.assemble(i, a)
	if err != nil {
		return err
	}
	scope := d.scope(i, a)
	scope.Own = joined(a.Params, assembled)
	if err := needIn(scope.EvaluateAll(context.Background())); err != nil {
		return err
	}
	a.Params = scope.Own
	return nil
}

// evaluateEdges evaluates the conditions of an attempt that is complete (engine.md 5.3). Those of an UNSATISFIED one are
// false without evaluation.
func (d *decider) evaluateEdges(i int, a *Attempt) error {
	var scope *param.Scope
	early := false // the attempt is over before its params were evaluated
	for k := range a.Edges {
		e := &a.Edges[k]
		constant := !e.Null && (e.Condition == "true" || e.Condition == "false")
		if a.Status == StepUnsatisfied || constant {
			chosen := a.Status != StepUnsatisfied && e.Condition == "true"
			e.Param = &param.Param{
				Definition: param.Definition{Type: sel.ParamBoolean, Expression: &e.Condition},
				Evaluated:  true, Result: sel.Bool(chosen), Time: d.now,
			}
			continue
		}
		if e.Null {
			return fault.New(fault.BadRequest, "the condition of successor [%s] is null", e.To)
		}
		if scope == nil {
			scope = d.scope(i, a)
			scope.NoSignals = true
			scope.Own = a.Params
			if early = a.Times.WaitPermit == 0; early {
				assembled, err := d.assemble(i, a)
				if err != nil {
					return err
				}
				scope.Own = joined(a.Params, assembled)
			}
		}
		p, err := scope.Condition(context.Background(), e.To, e.Condition)
		e.Param = p
		if err != nil {
			return needIn(err)
		}
	}
	if early {
		a.Params = scope.Own.Evaluated()
	}
	return nil
}

// sleepSeconds is how long a Sleep lasts: the LONG sleep_seconds, 3 when there is none.
func sleepSeconds(a *Attempt) (int64, error) {
	p := a.Params.Get("sleep_seconds")
	if p == nil {
		return 3, nil
	}
	if p.Type != sel.ParamLong {
		return 0, fault.New(fault.BadRequest, "Param [sleep_seconds] must be a LONG but is a %s", p.Type)
	}
	return p.Result.AsLong(), nil
}

// needs tells whether an error asks for data.
func needs(err error) bool {
	var n *NeedError
	var p *param.NeedError
	return errors.As(err, &n) || errors.As(err, &p)
}

// needIn turns a need of package param into one of this package; other errors stay.
func needIn(err error) error {
	var p *param.NeedError
	if err == nil || !errors.As(err, &p) {
		return err
	}
	n := &NeedError{}
	for _, k := range p.Keys {
		if key, ok := k.(Key); ok {
			n.Keys = append(n.Keys, key)
		}
	}
	return n
}

// needOut is the way back, for what expressions ask through package param.
func needOut(err error) error {
	var n *NeedError
	if err == nil || !errors.As(err, &n) {
		return err
	}
	p := &param.NeedError{}
	for _, k := range n.Keys {
		p.Keys = append(p.Keys, k)
	}
	return p
}

// details are the lines that a DETAILS entry shows of an error.
func details(err error) []string {
	list := []string{err.Error()}
	var f *fault.Error
	if errors.As(err, &f) {
		list = append(list, f.Errors...)
	}
	return list
}

// outside answers what expressions of an attempt read beyond its own and the workflow's params.
type outside struct {
	d *decider
	a *Attempt
}

// attempt is the latest attempt of a step: of this run, or of an earlier one when this run does not execute the step.
func (o *outside) attempt(id string) (*Attempt, error) {
	if i, ok := o.d.st.Body.DAG.Ordinal(id); ok {
		return o.d.st.Steps[i].Latest, nil
	}
	if o.d.st.Body.Workflow.Step(id) == nil {
		return nil, nil
	}
	a, err := o.d.env.EarlierAttempt(id)
	return a, needOut(err)
}

func (o *outside) Step(id string) (*param.StepRecord, error) {
	a, err := o.attempt(id)
	if a == nil || err != nil {
		return nil, err
	}
	return &param.StepRecord{Status: a.Status.String(), EndTime: a.Times.End, Params: a.Params}, nil
}

func (o *outside) Subworkflow(id, childStep string) (*param.StepRecord, error) {
	env, ok := o.d.env.(OutsideEnv)
	a, err := o.attempt(id)
	if !ok || a == nil || err != nil {
		return nil, err
	}
	r, err := env.Subworkflow(a, childStep)
	return r, needOut(err)
}

func (o *outside) Foreach(loop, bodyStep, name string) ([]sel.Value, error) {
	env, ok := o.d.env.(OutsideEnv)
	a, err := o.attempt(loop)
	if !ok || a == nil || err != nil {
		return nil, err
	}
	v, err := env.Foreach(a, bodyStep, name)
	return v, needOut(err)
}

func (o *outside) SignalParam(signal, name string) (sel.Value, bool, error) {
	for _, s := range o.d.st.Body.Initiator.SignalIDs {
		if s.Name == signal {
			return o.signal(signal, s.ID, name)
		}
	}
	return sel.Value{}, false, nil
}

func (o *outside) DependencyParam(index int, name string) (sel.Value, bool, error) {
	deps := o.a.SignalDependencies
	if deps == nil || index < 0 || index >= len(deps.Dependencies) || deps.Dependencies[index].SignalID == 0 {
		return sel.Value{}, false, nil
	}
	dep := &deps.Dependencies[index]
	return o.signal(dep.Name, dep.SignalID, name)
}

func (o *outside) signal(signal string, id int64, name string) (sel.Value, bool, error) {
	env, ok := o.d.env.(OutsideEnv)
	if !ok {
		return sel.Value{}, false, nil
	}
	v, found, err := env.SignalInstanceParam(signal, id, name)
	return v, found, needOut(err)
}
