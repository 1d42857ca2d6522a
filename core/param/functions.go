package param

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/downbeat/downbeat/core/sel"
)

// functions are the methods of `params` (parameters.md 11).
type functions struct{ s *Scope }

// dryRunSignal is what signal params are in a dry run, whatever they will be.
const dryRunSignal = 20220101

// CallParams answers `params.method(args…)`.
func (f functions) CallParams(_ context.Context, method string, args []string) (sel.Value, error) {
	var v sel.Value
	var err error
	var shown string
	switch call := method + strconv.Itoa(len(args)); call {
	case "nextUniqueId0":
		v, err = sel.Long(f.s.Env.uniqueID()), nil
	case "getExecutionEnvironment0":
		v = sel.String(f.s.Env.Environment)
	case "getFromInstance1":
		shown = fmt.Sprintf(" fieldName=[%s]", args[0])
		v, err = f.instance(args[0])
	case "getFromStep1":
		shown = fmt.Sprintf(" fieldName=[%s]", args[0])
		v, err = f.ownStep(args[0])
	case "getFromStep2":
		shown = fmt.Sprintf(" for stepId=[%s], paramName=[%s]", args[0], args[1])
		v, err = f.otherStep(args[0], args[1])
	case "getFromSignal1":
		shown = fmt.Sprintf(" for paramName=[%s]", args[0])
		v, err = f.triggerParam(args[0])
	case "getFromSignal2":
		shown = fmt.Sprintf(" for signalName=[%s], paramName=[%s]", args[0], args[1])
		v, err = f.signalParam(args[0], args[1])
	case "getFromSignalOrDefault3":
		v, err = f.signalParam(args[0], args[1])
		var need *NeedError
		if err != nil && !errors.As(err, &need) {
			v, err = sel.String(args[2]), nil
		}
	case "getFromSignalDependency2":
		shown = fmt.Sprintf(" for signalDependencyIndex=[%s], paramName=[%s]", args[0], args[1])
		v, err = f.dependencyParam(args[0], args[1])
	case "getFromForeach3":
		shown = fmt.Sprintf(" for foreachStepId=[%s], stepId=[%s], paramName=[%s]", args[0], args[1], args[2])
		v, err = f.foreach(args[0], args[1], args[2])
	case "getFromSubworkflow3":
		shown = fmt.Sprintf(" for subworkflowStepId=[%s], stepId=[%s], paramName=[%s]", args[0], args[1], args[2])
		v, err = f.subworkflow(args[0], args[1], args[2])
	default:
		return sel.Value{}, sel.ErrNoSuchFunction
	}
	if err == nil {
		return v, nil
	}
	var need *NeedError
	if errors.As(err, &need) {
		return sel.Value{}, err
	}
	return sel.Value{}, fmt.Errorf("INTERNAL_ERROR - %s throws an exception%s: %w", method, shown, err)
}

func (e *Env) uniqueID() int64 {
	if e.UniqueID != nil {
		return e.UniqueID()
	}
	if e.Random == nil {
		return e.Now
	}
	for {
		if id := int64(e.Random() >> 1); id > 0 {
			return id
		}
	}
}

// known is a number that is "" while it is not known.
func known(n int64) sel.Value {
	if n == 0 {
		return sel.String("")
	}
	return sel.Long(n)
}

func (f functions) instance(field string) (sel.Value, error) {
	i := &f.s.Env.Instance
	switch field {
	case "workflow_id":
		return sel.String(i.WorkflowID), nil
	case "workflow_instance_id":
		return known(i.InstanceID), nil
	case "workflow_run_id":
		return known(i.RunID), nil
	case "INITIATOR_TYPE":
		return sel.String(i.InitiatorType), nil
	case "INITIATOR_TIMEZONE":
		return sel.String(i.Timezone), nil
	case "INITIATOR_RUNNER_NAME":
		if i.RunnerName == nil {
			return sel.Value{}, fmt.Errorf("initiator [%s] has no runner name", i.InitiatorType)
		}
		return sel.String(*i.RunnerName), nil
	case "RUN_POLICY":
		return sel.String(i.RunPolicy), nil
	}
	if f.s.Step == nil {
		switch field {
		case "owner":
			return i.owner()
		case "FIRST_TIME_TRIGGER_TIMEZONE":
			return sel.String(i.FirstTimezone), nil
		}
	}
	return sel.Value{}, fmt.Errorf("Invalid field name [%s] for getFromInstance call", field)
}

// owner is the run param of a child, else the owner of the workflow.
func (i *Instance) owner() (sel.Value, error) {
	if i.RunOwner == nil {
		return sel.String(i.Owner), nil
	}
	if !i.Child {
		return sel.Value{}, errors.New("param [owner] is not allowed in the run params of a run that no parent step started")
	}
	if i.RunOwner.Value == nil || i.RunOwner.Type != sel.ParamString {
		return sel.Value{}, errors.New("run param [owner] must be a literal of type STRING")
	}
	return i.RunOwner.Value.V, nil
}

func (f functions) ownStep(field string) (sel.Value, error) {
	s := f.s.Step
	if s == nil {
		return sel.Value{}, fmt.Errorf("fromStep [%s] is only available in step execution context", field)
	}
	switch field {
	case "step_id":
		return sel.String(s.ID), nil
	case "step_instance_id":
		return sel.Long(s.InstanceID), nil
	case "step_instance_uuid":
		return sel.String(s.UUID), nil
	case "step_attempt_id":
		return sel.Long(s.AttemptID), nil
	case "step_type_info":
		return sel.String(s.TypeInfo), nil
	case "MAESTRO_STEP_ERROR_RETRIES":
		return sel.Long(s.ErrorRetries), nil
	}
	return sel.Value{}, fmt.Errorf("Invalid field name [%s] for getFromStep call", field)
}

func (f functions) otherStep(id, name string) (sel.Value, error) {
	s := f.s
	if s.Step == nil {
		return sel.Value{}, fmt.Errorf("fromStep [%s] is only available in step execution context", id)
	}
	if id == s.Step.ID {
		return sel.Value{}, fmt.Errorf("step [%s] cannot read its own param [%s] by getFromStep", id, name)
	}
	record, err := s.record(id)
	if err != nil {
		return sel.Value{}, err
	}
	if record == nil {
		return sel.Value{}, fmt.Errorf("Cannot find the referenced step id [%s] in the current workflow", id)
	}
	switch name {
	case "MAESTRO_STEP_STATUS":
		return sel.String(record.Status), nil
	case "MAESTRO_STEP_END_TIME":
		if record.EndTime == 0 {
			return sel.Value{}, fmt.Errorf("ERROR: step [%s]'s [MAESTRO_STEP_END_TIME] is not set yet.", id)
		}
		return sel.Long(record.EndTime), nil
	}
	return recordParam(record, name, "step ["+id+"]")
}

func recordParam(record *StepRecord, name, of string) (sel.Value, error) {
	p := record.Params.Get(name)
	if p == nil {
		return sel.Value{}, fmt.Errorf("Cannot find the param name: [%s] of %s", name, of)
	}
	if !p.Evaluated {
		return sel.Value{}, fmt.Errorf("param [%s] of %s is not evaluated yet", name, of)
	}
	return p.Result, nil
}

func (f functions) triggerParam(name string) (sel.Value, error) {
	i := &f.s.Env.Instance
	if i.DryRun != nil {
		if !i.DryRun.Params[name] {
			return sel.Value{}, fmt.Errorf("Signal param name [%s] does not exist in the signal trigger definition for workflow [%s]", name, i.WorkflowID)
		}
		return sel.Long(dryRunSignal), nil
	}
	if i.TriggerParams == nil {
		return sel.Value{}, fmt.Errorf("Initiator [%s] is not a signal trigger and cannot get a param [%s] from it", i.InitiatorType, name)
	}
	v, ok := i.TriggerParams.Result(name)
	if !ok {
		return sel.Value{}, fmt.Errorf("Cannot find param [%s] from the signal initiator", name)
	}
	return v, nil
}

func (f functions) signalParam(signal, name string) (sel.Value, error) {
	i := &f.s.Env.Instance
	if i.DryRun != nil {
		if !i.DryRun.Signals[signal] {
			return sel.Value{}, fmt.Errorf("Signal name [%s] does not exist in the signal trigger definition for workflow [%s]", signal, i.WorkflowID)
		}
		return sel.Long(dryRunSignal), nil
	}
	if f.s.Outside == nil || f.s.NoSignals {
		return sel.Value{}, fmt.Errorf("params of signal [%s] are not available here", signal)
	}
	if i.TriggerParams == nil {
		return sel.Value{}, fmt.Errorf("Initiator [%s] is not a signal trigger and cannot get a param [%s] from it", i.InitiatorType, name)
	}
	v, ok, err := f.s.Outside.SignalParam(signal, name)
	if err == nil && !ok {
		err = fmt.Errorf("Cannot find param [%s] for signal [%s] in the initiator", name, signal)
	}
	return v, err
}

func (f functions) dependencyParam(index, name string) (sel.Value, error) {
	if f.s.Outside == nil || f.s.NoSignals || f.s.Step == nil {
		return sel.Value{}, errors.New("signal dependencies are not available here")
	}
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 {
		return sel.Value{}, fmt.Errorf("signal dependency index [%s] must be a number from 0", index)
	}
	v, ok, err := f.s.Outside.DependencyParam(n, name)
	if err == nil && !ok {
		err = fmt.Errorf("Cannot find param [%s] for signal dependency index [%d]", name, n)
	}
	return v, err
}

func (f functions) subworkflow(step, child, name string) (sel.Value, error) {
	if f.s.Outside == nil {
		return sel.Value{}, errors.New("steps of a subworkflow are not available here")
	}
	record, err := f.s.Outside.Subworkflow(step, child)
	if err != nil {
		return sel.Value{}, err
	}
	if record == nil {
		return sel.Value{}, fmt.Errorf("Cannot find step [%s] of the subworkflow of step [%s]", child, step)
	}
	return recordParam(record, name, "step ["+child+"]")
}

// foreach makes one array of the values of all iterations: of the type of the first one that is there.
func (f functions) foreach(loop, step, name string) (sel.Value, error) {
	if f.s.Outside == nil {
		return sel.Value{}, errors.New("iterations of a loop are not available here")
	}
	values, err := f.s.Outside.Foreach(loop, step, name)
	if err != nil {
		return sel.Value{}, err
	}
	kind := sel.TypeNull
	for _, v := range values {
		if !v.IsNull() {
			kind = v.Type()
			break
		}
	}
	switch kind {
	case sel.TypeNull:
		return sel.Value{}, fmt.Errorf("no iteration of step [%s] has a param [%s] of step [%s]", loop, name, step)
	case sel.TypeString:
		texts, null := make([]string, len(values)), make([]bool, len(values))
		for i, v := range values {
			texts[i], null[i] = v.AsString(), v.Type() != kind || v.IsNull()
		}
		return sel.StringsWithNulls(texts, null), nil
	case sel.TypeLong:
		longs := make([]int64, len(values))
		for i, v := range values {
			longs[i] = v.AsLong()
		}
		return sel.Longs(longs), nil
	case sel.TypeDouble:
		doubles := make([]float64, len(values))
		for i, v := range values {
			doubles[i] = v.AsDouble()
		}
		return sel.Doubles(doubles), nil
	case sel.TypeBoolean:
		bools := make([]bool, len(values))
		for i, v := range values {
			bools[i] = v.AsBool()
		}
		return sel.Bools(bools), nil
	}
	return sel.Value{}, fmt.Errorf("param [%s] of step [%s] is a %s: only STRING, LONG, DOUBLE and BOOLEAN can be collected", name, step, kind)
}

// builtin is the result of a default that needs no expression; false for all other params.
func (s *Scope) builtin(p *Param) (sel.Value, bool, error) {
	if p.builtin == 0 || p.Value != nil {
		return sel.Value{}, false, nil
	}
	f := functions{s}
	var v sel.Value
	var err error
	switch p.builtin {
	case builtinInstanceID:
		v, err = f.instance("workflow_instance_id")
	case builtinStepUUID:
		v, err = f.ownStep("step_instance_uuid")
	case builtinAttemptID:
		v, err = f.ownStep("step_attempt_id")
	case builtinStepID:
		v, err = f.ownStep("step_id")
	case builtinOwner:
		v, err = f.instance("owner")
	case builtinWorkflowID:
		v, err = f.instance("workflow_id")
	case builtinNow:
		v = sel.Long(s.Env.Now)
	}
	if err != nil {
		// The expression says the same in the words of an expression.
		return sel.Value{}, false, nil
	}
	return v, true, nil
}
