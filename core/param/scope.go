package param

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/sel"
)

// NeedError says that an evaluation cannot go on before something was loaded (P1). It is the only error of an
// evaluation, besides those that wrap the error of its context, that says nothing about the parameters: load the keys
// and evaluate again with the same time and seed. It comes out of every function of this package unchanged; find it by
// errors.As.
type NeedError struct {
	Keys []any // what to load, in terms of whoever implements Outside
}

func (e *NeedError) Error() string {
	return fmt.Sprintf("%d things must be loaded before params can be evaluated", len(e.Keys))
}

// NeedsData marks the error for package sel.
func (e *NeedError) NeedsData() bool { return true }

// Outside is what the evaluation of a step reads beyond its own run's params. Any method may answer with a *NeedError.
// Other errors fail the evaluation.
type Outside interface {
	// Step is the latest record of a step of the run and its DAG level, nil when there is none: an unknown step, or one
	// that was not created yet. It is asked for the own step too, and for names that are no step.
	Step(id string) (*StepRecord, error)
	// Subworkflow is the latest attempt of a step of the child that a subworkflow step started, nil when there is none.
	Subworkflow(step, childStep string) (*StepRecord, error)
	// Foreach is the evaluated param of a step of a loop body, for every iteration in order, NULL where there is none.
	// No elements: the loop has no iterations, or no such step.
	Foreach(loop, bodyStep, param string) ([]sel.Value, error)
	// SignalParam is a param of the instance of a signal that started the run: a LONG or a STRING; false when the signal
	// or the param is not there.
	SignalParam(signal, param string) (sel.Value, bool, error)
	// DependencyParam is a param of the signal instance that matched a dependency of the step, by the dependency's
	// number from 0; false when there is no such dependency, match or param.
	DependencyParam(index int, param string) (sel.Value, bool, error)
}

// StepRecord is what the record of a step says about it.
type StepRecord struct {
	Status  string // in Maestro's spelling
	EndTime int64  // epoch milliseconds, 0 while it is not set
	Params  *Params
}

// Instance is the run of which params are evaluated, for `params.getFromInstance`.
type Instance struct {
	WorkflowID    string
	InstanceID    int64  // 0: not known yet, as while workflow params are evaluated
	RunID         int64  // 0: not known yet
	InitiatorType string // MANUAL …; VALIDATION in the dry run
	RunPolicy     string
	Timezone      string // of the time trigger that started the run; "" otherwise
	FirstTimezone string // of the workflow's first time trigger; "" if there is none
	RunnerName    *string
	Owner         string      // name of the owner in the run's properties
	RunOwner      *Definition // the run param `owner`, nil if none was given
	Child         bool        // started by a parent step
	// TriggerParams are the params of the SIGNAL initiator; nil for other initiators.
	TriggerParams *Params
	DryRun        *DryRun // nil unless this is the dry run
}

// DryRun are the names that the signal triggers of a workflow make known to its dry run.
type DryRun struct {
	Signals map[string]bool // in `definitions` of some trigger
	Params  map[string]bool // in `params` of some trigger
}

// Step is the attempt of which params are evaluated, for `params.getFromStep`.
type Step struct {
	ID           string
	InstanceID   int64
	UUID         string
	AttemptID    int64
	TypeInfo     string // the sub type, or else the type in upper case: NOOP
	ErrorRetries int64
}

// Env is what every evaluation is given.
type Env struct {
	Now    int64 // epoch milliseconds; the time of all results
	Limits sel.Limits
	// Random gives 64 random bits at a time; see sel.Env.
	Random func() uint64
	// UniqueID gives a positive number that was never given before, for `params.nextUniqueId`. nil: 63 bits of Random.
	UniqueID func() int64
	// Environment is the name that `params.getExecutionEnvironment` gives.
	Environment string
	Instance    Instance
}

// Scope is where names are looked up (parameters.md 7 and 12). The fields decide what can be seen:
//
//	workflow params              Own: the params themselves
//	workflow texts, time limits  Workflow
//	signal dependencies          Workflow, Step, Outside
//	step params                  Workflow, Step, Own, Outside, Functions
//	while condition              Workflow, Step, Own, Values
//	signal outputs               Workflow, Step, Own, Outside
//	successor conditions         Workflow, Step, Own, Outside, Functions, NoSignals
//	signal triggers              nothing
//
// A Scope is for one goroutine.
type Scope struct {
	Env *Env
	// Workflow are the evaluated params of the run.
	Workflow *Params
	// Step is the attempt; nil: the scope is a workflow's.
	Step *Step
	// Own are the params of Step, or, without Step, of the workflow. They may be unevaluated: whoever is referred to is
	// evaluated then, in place.
	Own *Params
	// Values hide all else: the current values of a while loop.
	Values []Member
	// Outside is nil where other steps, loops, children and signals cannot be seen.
	Outside Outside
	// Functions allows `params.getFrom…`; workflow params have them without it.
	Functions bool
	// NoSignals takes the params of signal instances away.
	NoSignals bool

	busy   []string             // names that are being evaluated
	inputs map[string]sel.Value // of one expression; kept to be used again
}

// EvaluateAll evaluates the own params in order, those that are evaluated already excepted, and checks their size. On
// an error some of them are evaluated; after a *NeedError the same call goes on. Errors are *NeedError, wrap ctx.Err(),
// or are *fault.Error.
func (s *Scope) EvaluateAll(ctx context.Context) error {
	for i := range s.Own.Len() {
		if err := s.own(ctx, s.Own.list[i].Name, s.Own.list[i].Value); err != nil {
			return err
		}
	}
	return s.Own.CheckSize()
}

// own evaluates a param of Own unless it is evaluated.
func (s *Scope) own(ctx context.Context, name string, p *Param) error {
	if p.Evaluated {
		return nil
	}
	for _, b := range s.busy {
		if b == name {
			return fault.New(fault.BadRequest, "In %s, param [%s] definition contains a cyclic reference chain", s.name(), name)
		}
	}
	s.busy = append(s.busy, name)
	err := s.Evaluate(ctx, name, p)
	s.busy = s.busy[:len(s.busy)-1]
	return err
}

// name names the scope in messages.
func (s *Scope) name() string {
	if s.Step != nil {
		return "step [" + s.Step.ID + "]"
	}
	return "workflow [" + s.Env.Instance.WorkflowID + "]"
}

// Evaluate evaluates one param, which need not be one of the own ones: its literal or expression, the conversion to its
// type, the time. name is for messages. On an error the param is not evaluated, but may have a Warn.
func (s *Scope) Evaluate(ctx context.Context, name string, p *Param) error {
	v, done, err := s.builtin(p)
	if !done && err == nil {
		v, err = s.raw(ctx, name, &p.Definition)
	}
	if err != nil {
		return err
	}
	if p.Expression != nil && p.Value == nil {
		text := v.Type() == sel.TypeString && p.Type == sel.ParamBoolean
		var note sel.Note
		if v, note, err = convert(name, p.Type, v); err != nil {
			if text {
				p.Warn = "Implicitly converted the evaluated result to a boolean for type String"
			}
			return err
		}
		p.Info, p.Warn = note.Info, note.Warn
	}
	p.Result, p.Time, p.Evaluated = v, s.Env.Now, true
	return nil
}

// EvaluateUntyped evaluates one param like Evaluate, but leaves its result as it comes: params of signals keep the type
// that their expression has, whatever they declare.
func (s *Scope) EvaluateUntyped(ctx context.Context, name string, p *Param) error {
	v, err := s.raw(ctx, name, &p.Definition)
	if err != nil {
		return err
	}
	p.Result, p.Time, p.Evaluated = v, s.Env.Now, true
	return nil
}

// Condition evaluates the condition of an edge: a BOOLEAN param named after the successor (workflow-definition.md 7.3).
// The param is there on an error too, unevaluated.
func (s *Scope) Condition(ctx context.Context, successor, expr string) (*Param, error) {
	p := &Param{Definition: Definition{Type: sel.ParamBoolean, Expression: &expr}}
	return p, s.Evaluate(ctx, successor, p)
}

// Interpolate replaces the references in a text (parameters.md 8). what names the text in messages.
func (s *Scope) Interpolate(ctx context.Context, what, text string) (string, error) {
	if strings.IndexByte(text, '$') < 0 {
		return text, nil
	}
	// All references must resolve, even those that an even number of dollars keeps from being replaced.
	refs := sel.References(text)
	values := make([]sel.Value, len(refs))
	for i, name := range refs {
		v, err := s.lookup(ctx, what, name)
		if err != nil {
			return "", err
		}
		values[i] = v
	}
	out, err := sel.Interpolate(text, func(name string) (sel.Value, error) {
		for i, r := range refs {
			if r == name {
				return values[i], nil
			}
		}
		return sel.Value{}, fault.New(fault.InternalError, "Cannot interpolate [%s] as param [%s] is not found", text, name)
	})
	if err != nil {
		return "", fault.Of(err)
	}
	return out, nil
}

// raw is the value of a literal or an expression, not converted.
func (s *Scope) raw(ctx context.Context, name string, d *Definition) (sel.Value, error) {
	if d.Value == nil {
		if d.Expression == nil {
			return sel.Value{}, fault.New(fault.BadRequest, "Param [%s] must be defined with either a literal value or an expression for parameter", name)
		}
		return s.expression(ctx, name, *d.Expression)
	}
	switch d.Type {
	case sel.ParamString:
		if strings.IndexByte(d.Value.V.AsString(), '$') < 0 {
			return d.Value.V, nil
		}
		out, err := s.Interpolate(ctx, name, d.Value.V.AsString())
		return sel.String(out), err
	case sel.ParamStringArray:
		return s.array(ctx, name, d.Value.V)
	case sel.ParamStringMap:
		return s.stringMap(ctx, name, d.Value.V)
	case sel.ParamDouble:
		return sel.Double(float(d.Value.Decimals[0])), nil
	case sel.ParamDoubleArray:
		if d.Value.NullDecimals != nil {
			return sel.Value{}, fault.New(fault.BadRequest, "Param [%s] has a null element", name)
		}
		doubles := make([]float64, len(d.Value.Decimals))
		for i, x := range d.Value.Decimals {
			doubles[i] = float(x)
		}
		return sel.Doubles(doubles), nil
	case sel.ParamMap:
		entries := make([]sel.Entry, 0, d.Value.Members.Len())
		for member, def := range d.Value.Members.All() {
			v, err := s.raw(ctx, name, def)
			if err != nil {
				return sel.Value{}, err
			}
			if key, ok := nullMember(v); ok && def.Value == nil {
				return sel.Value{}, fault.New(fault.BadRequest, "Param [%s] has a null member [%s] in the result of [%s]", name, key, member)
			}
			entries = append(entries, sel.Entry{Key: member, Value: v})
		}
		return sel.Map(entries), nil
	}
	return d.Value.V, nil
}

func (s *Scope) array(ctx context.Context, name string, v sel.Value) (sel.Value, error) {
	texts, null := v.AsStrings()
	for _, n := range null {
		if n {
			return sel.Value{}, fault.New(fault.BadRequest, "Param [%s] has a null element", name)
		}
	}
	var out []string
	for i, t := range texts {
		if strings.IndexByte(t, '$') < 0 {
			continue
		}
		r, err := s.Interpolate(ctx, name, t)
		if err != nil {
			return sel.Value{}, err
		}
		if out == nil {
			out = append(make([]string, 0, len(texts)), texts...)
		}
		out[i] = r
	}
	if out == nil {
		return v, nil
	}
	return sel.Strings(out), nil
}

func (s *Scope) stringMap(ctx context.Context, name string, v sel.Value) (sel.Value, error) {
	var out []sel.Entry
	for i, e := range v.Entries() {
		if e.Value.IsNull() {
			return sel.Value{}, fault.New(fault.BadRequest, "Param [%s] has a null value under key [%s]", name, e.Key)
		}
		if strings.IndexByte(e.Key, '$') < 0 && strings.IndexByte(e.Value.AsString(), '$') < 0 {
			continue
		}
		key, err := s.Interpolate(ctx, name, e.Key)
		if err != nil {
			return sel.Value{}, err
		}
		value, err := s.Interpolate(ctx, name, e.Value.AsString())
		if err != nil {
			return sel.Value{}, err
		}
		if out == nil {
			out = append(make([]sel.Entry, 0, v.Len()), v.Entries()...)
		}
		out[i] = sel.Entry{Key: key, Value: sel.String(value)}
	}
	if out == nil {
		return v, nil
	}
	seen := make(map[string]bool, len(out))
	for _, e := range out {
		if seen[e.Key] {
			return sel.Value{}, fault.New(fault.BadRequest, "Param [%s] has a duplicate key [%s] after its keys were interpolated", name, e.Key)
		}
		seen[e.Key] = true
	}
	return sel.Map(out), nil
}

func (s *Scope) expression(ctx context.Context, name, code string) (sel.Value, error) {
	names, err := sel.ParameterNames(code, s.Env.Limits)
	if err != nil {
		return sel.Value{}, failure(ctx, err)
	}
	values := make([]sel.Value, len(names))
	all := false // of the workflow's params
	for i, n := range names {
		if n == "params" {
			all = s.Step != nil
			continue
		}
		if values[i], err = s.lookup(ctx, name, n); err != nil {
			return sel.Value{}, err
		}
	}
	if s.inputs == nil {
		s.inputs = make(map[string]sel.Value, 8)
	}
	clear(s.inputs)
	for i, n := range names {
		if n != "params" {
			s.inputs[n] = values[i]
		}
	}
	env := sel.Env{Inputs: s.inputs, Limits: s.Env.Limits, NowMillis: s.Env.Now, Random: s.Env.Random}
	if all {
		env.Lookup = func(name string) (sel.Value, bool, error) {
			v, ok := s.Workflow.Result(name)
			return v, ok, nil
		}
	}
	if s.Functions || s.Step == nil && s.Own != nil {
		env.Extension = functions{s}
	}
	v, err := sel.EvalParameter(ctx, code, env)
	if err != nil {
		return sel.Value{}, failure(ctx, err)
	}
	if v.IsNull() {
		return sel.Value{}, fault.New(fault.BadRequest, "Invalid return type [NULL] for expr=[%s]", code)
	}
	return v, nil
}

// failure turns an error of package sel into what is said about a param.
func failure(ctx context.Context, err error) error {
	var need *NeedError
	if errors.As(err, &need) || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	var p *sel.ParamError
	if !errors.As(err, &p) {
		return fault.Of(err)
	}
	f := fault.New(fault.BadRequest, "%s", p.Message)
	if p.Cause != nil {
		f = f.With(p.Cause.Error())
	}
	return f
}

// lookup is the value of a name to which the param `of` refers (parameters.md 7.2, 7.3).
func (s *Scope) lookup(ctx context.Context, of, name string) (sel.Value, error) {
	for i := range s.Values {
		if s.Values[i].Name == name {
			return s.Values[i].Value, nil
		}
	}
	if strings.Contains(name, "__") && !(s.Step == nil && s.Own.Has(name)) {
		return s.reference(ctx, of, name)
	}
	p := s.Own.Get(name)
	if s.Step != nil && p != nil && !p.Evaluated && s.Workflow.Has(name) {
		p = nil // a workflow param hides a param of the step that is not evaluated yet
	}
	if p != nil {
		if err := s.own(ctx, name, p); err != nil {
			return sel.Value{}, err
		}
		return p.Result, nil
	}
	if p = s.Workflow.Get(name); p != nil {
		if !p.Evaluated {
			return sel.Value{}, fault.New(fault.InternalError, "Cannot interpolate [%s] as param [%s] is not evaluated yet", of, name)
		}
		return p.Result, nil
	}
	if s.Step == nil {
		return sel.Value{}, fault.New(fault.BadRequest, "Param [%s] referenced a non-existing param [%s] in %s", of, name, s.name())
	}
	return sel.Value{}, fault.New(fault.InternalError, "Cannot find the referenced param [%s] in step [%s] or upstream steps or the workflow", name, s.Step.ID)
}

const (
	separator   = "__"
	underscores = "___"
)

// reference is the value of `step__param` or `signal__param` (parameters.md 7.4).
func (s *Scope) reference(ctx context.Context, of, ref string) (sel.Value, error) {
	cut := strings.Index(ref, separator)
	id, name := ref[:cut], ref[cut+len(separator):]
	if s.Step == nil {
		return s.signalReference(ref, id, name)
	}
	if strings.HasPrefix(ref[cut:], underscores) {
		longer := ref[:cut+1]
		short, err := s.isStep(id)
		if err != nil {
			return sel.Value{}, err
		}
		long, err := s.isStep(longer)
		if err != nil {
			return sel.Value{}, err
		}
		switch {
		case short && long:
			return sel.Value{}, fault.New(fault.BadRequest, "reference [%s] cannot be parsed due to ambiguity (both step ids [%s] and [%s] exist in the workflow", ref, id, longer)
		case !short && !long:
			return sel.Value{}, fault.New(fault.BadRequest, "reference [%s] cannot be parsed as cannot find either step id [%s] or [%s] in the workflow", ref, id, longer)
		case long:
			id, name = longer, ref[cut+1+len(separator):]
		}
	}
	if id == s.Step.ID {
		p := s.Own.Get(name)
		if p == nil {
			return sel.Value{}, fault.New(fault.BadRequest, "Param [%s] referenced a non-existing param [%s] in step [%s]", of, ref, id)
		}
		if err := s.own(ctx, name, p); err != nil {
			return sel.Value{}, err
		}
		return p.Result, nil
	}
	record, err := s.record(id)
	if err != nil {
		return sel.Value{}, err
	}
	if record == nil {
		return s.signalReference(ref, id, name)
	}
	p := record.Params.Get(name)
	switch {
	case p == nil:
		return sel.Value{}, fault.New(fault.InternalError, "Cannot find the referenced param name [%s] in step [%s]", name, id)
	case !p.Evaluated:
		return sel.Value{}, fault.New(fault.InternalError, "Referenced param [%s] in step [%s] is not evaluated yet. Note that a step can only reference its upstream step's param.", name, id)
	}
	return p.Result, nil
}

func (s *Scope) record(id string) (*StepRecord, error) {
	if s.Outside == nil {
		return nil, nil
	}
	return s.Outside.Step(id)
}

func (s *Scope) isStep(id string) (bool, error) {
	if id == s.Step.ID {
		return true, nil
	}
	r, err := s.record(id)
	return r != nil, err
}

func (s *Scope) signalReference(ref, signal, name string) (sel.Value, error) {
	v, err := functions{s}.signalParam(signal, name)
	var need *NeedError
	if err != nil && !errors.As(err, &need) {
		return sel.Value{}, fault.New(fault.BadRequest,
			"Failed to evaluate the param with a definition: [%s]. Please check if there is a typo in the expression.", ref).With(err.Error())
	}
	return v, err
}
