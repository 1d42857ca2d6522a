package engine

import (
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/timeline"
)

// Actions are decided on the head, in the order in which they are folded (P22); the preconditions and codes are those of
// engine-runs-and-actions.md 3 and 4.
//
// PAUSE and RESUME of a run, which Maestro declares but never built, mean here: while a run is PAUSED no step is created,
// no failed one is tried again, and no attempt goes on that has not come to STARTING. What has started goes on to its
// end, and so do clocks: the timeouts of the run and of running steps. Stop and kill work as ever. RESUME makes the run
// IN_PROGRESS; retries whose time has come meanwhile are made at once.

// act decides an action. An error is a *NeedError or a defect; a refusal is in the answer.
func (d *decider) act(in Action) (Answer, error) {
	if in.StepID == "" {
		return d.actOnRun(in)
	}
	switch in.Kind {
	case ActionStop, ActionKill:
		return d.endStep(in)
	case ActionSkip:
		return d.skipStep(in)
	case ActionRestart:
		return d.restartStep(in, false)
	case ActionBypass:
		return d.bypass(in)
	}
	return refuse(fault.BadRequest, "action [%s] is not possible for a step", in.Kind), nil
}

func refuse(code fault.Code, format string, args ...any) Answer {
	return Answer{Err: fault.New(code, format, args...)}
}

// Texts of Answer.Info for actions on a run.
const (
	infoCompleted = "completed"
	infoAccepted  = "accepted, still running: check again"
	infoNothing   = "nothing was to be done"
	infoUnblocked = "the instance no longer blocks the workflow"
)

func (d *decider) actOnRun(in Action) (Answer, error) {
	run := &d.st.Run
	answer := Answer{Status: run.Status, Event: timeline.Line(d.now, "%s", endingText(Ending{Action: in.Kind, User: in.User, Reason: in.Reason}))}
	switch in.Kind {
	case ActionStop, ActionKill:
		target := InstanceStopped
		if in.Kind == ActionKill && !in.Upstream {
			target = InstanceFailed
		}
		switch {
		case run.Status == target:
			answer.Completed, answer.Info = true, infoCompleted
		case run.Status.Terminal():
			return refuse(fault.BadRequest, "the run is %s and cannot be made %s", run.Status, target), nil
		case !run.Executed:
			run.Timeline = timeline.Append(run.Timeline, timeline.LineAt(d.now, timeline.Warn, "%s while the run was queued", answer.Event.Message))
			d.endQueued(target)
			answer.Status, answer.Completed, answer.Info = target, true, infoCompleted
		default:
			answer.Info = infoAccepted
			// A run that was only just dequeued was never seen IN_PROGRESS by its own steps; it still ends by them.
			if err := d.endAll(Ending{Action: in.Kind, User: in.User, Reason: in.Reason, Workflow: true, Upstream: in.Upstream, Time: d.now}); err != nil {
				return Answer{}, err
			}
		}
		return answer, nil
	case ActionPause:
		if !run.Executed || run.Status.Terminal() || run.Ending != nil {
			return refuse(fault.BadRequest, "a run that is %s cannot be paused", run.Status), nil
		}
		if run.Status != InstancePaused {
			d.setRun(InstancePaused)
			run.Timeline = timeline.Append(run.Timeline, answer.Event)
		}
		answer.Status, answer.Completed, answer.Info = run.Status, true, infoCompleted
		return answer, nil
	case ActionResume:
		if run.Status != InstancePaused {
			return refuse(fault.BadRequest, "a run that is %s cannot be resumed", run.Status), nil
		}
		d.setRun(InstanceInProgress)
		run.Timeline = timeline.Append(run.Timeline, answer.Event)
		answer.Status, answer.Completed, answer.Info = run.Status, true, infoCompleted
		return answer, nil
	case ActionUnblock:
		if run.Status != InstanceFailed {
			return refuse(fault.BadRequest, "a run that is %s blocks nothing", run.Status), nil
		}
		answer.Completed, answer.Info = true, infoNothing
		answer.Event = timeline.Event{
			Timestamp: d.now, Type: timeline.Action, Action: string(ActionUnblock), Author: in.User,
			Message: infoNothing, Reason: in.Reason,
		}
		if run.Failed == FailedBlocking {
			answer.Info, answer.Event.Message = infoUnblocked, infoUnblocked
			run.Failed = FailedUnblocked
			run.Timeline = timeline.Append(run.Timeline, answer.Event)
			d.touchRun()
		}
		return answer, nil
	}
	return refuse(fault.BadRequest, "action [%s] is not possible for a run", in.Kind), nil
}

// endQueued ends a run that never executed: it gets an end time only.
func (d *decider) endQueued(to InstanceStatus) {
	run := &d.st.Run
	run.EndTime = d.now
	if to == InstanceFailed {
		run.Failed = FailedBlocking
	}
	d.setRun(to)
	d.out.Ended = true
}

// endStep stops or kills one step (engine-runs-and-actions.md 4.3).
func (d *decider) endStep(in Action) (Answer, error) {
	if d.st.Run.Status.Terminal() {
		return refuse(fault.BadRequest, "the run is %s: its steps cannot be ended", d.st.Run.Status), nil
	}
	i, ok := d.st.Body.DAG.Ordinal(in.StepID)
	if !ok {
		return refuse(fault.BadRequest, "step [%s] is not part of the run", in.StepID), nil
	}
	a := d.st.Steps[i].Latest
	if a == nil {
		return refuse(fault.NotFound, "step [%s] has no attempt in the run", in.StepID), nil
	}
	if a.Status.Terminal() && !a.Status.Retryable() {
		return refuse(fault.BadRequest, "step [%s] is %s and cannot be ended", in.StepID, a.Status), nil
	}
	return d.endOne(i, a, in)
}

// endOne applies a user's ending to one live or waiting attempt.
func (d *decider) endOne(i int, a *Attempt, in Action) (Answer, error) {
	if a.Ending != nil || d.st.Run.Ending != nil {
		return refuse(fault.Conflict, "another action is pending for step [%s]", in.StepID), nil
	}
	e := Ending{Action: in.Kind, User: in.User, Reason: in.Reason, Upstream: in.Upstream, Time: d.now}
	number := a.AttemptID // the response names the attempt that the caller saw
	if a.Status.Retryable() {
		// A wait for a retry ends with one more attempt, which takes the action (engine.md 8.5).
		var err error
		if a, err = d.retry(i); err != nil {
			return Answer{}, err
		}
		if in.Kind == ActionSkip {
			// CREATED has no skip: the attempt passes it first.
			a.Params = choice(true, d.now)
			if err := d.initialize(i, a); err != nil {
				if err = d.fail(i, a, "the step could not be initialized", err); err != nil {
					return Answer{}, err
				}
				return d.stepAnswer(a, number, in), nil
			}
			d.setStatus(i, a, StepInitialized, d.now)
		}
	}
	d.log(a, "%s", endingText(e))
	if err := d.terminate(i, a, e); err != nil {
		return Answer{}, err
	}
	return d.stepAnswer(a, number, in), nil
}

func (d *decider) stepAnswer(a *Attempt, number int64, in Action) Answer {
	return Answer{
		Status: d.st.Run.Status, AttemptID: number, Attempt: a, Pending: a.Ending != nil, Completed: a.Ending == nil,
		Event: timeline.Line(d.now, "%s", endingText(Ending{Action: in.Kind, User: in.User, Reason: in.Reason})),
	}
}

// skipStep skips a live step at once, and one that has ended by a restart (engine-runs-and-actions.md 3.7).
func (d *decider) skipStep(in Action) (Answer, error) {
	view, ok := viewOf(d.st, in.StepID)
	if !ok {
		return refuse(fault.BadRequest, "step [%s] does not exist", in.StepID), nil
	}
	switch view.Status {
	case StepNotCreated, StepCreated, StepDisabled, StepUnsatisfied:
		return refuse(fault.BadRequest, "step [%s] is %s and cannot be skipped", in.StepID, view.Status), nil
	}
	i, inside := d.st.Body.DAG.Ordinal(in.StepID)
	if inside && !d.st.Run.Status.Terminal() {
		if a := d.st.Steps[i].Latest; a != nil && (!a.Status.Terminal() || a.Status.Retryable()) {
			return d.endOne(i, a, in)
		}
	}
	return d.restartStep(in, true)
}

// restartStep makes a new attempt of a step inside the run (engine-runs-and-actions.md 3.6). Of a terminal run it tells
// which new run is to be made.
func (d *decider) restartStep(in Action, skip bool) (Answer, error) {
	st := d.st
	down := in.DownstreamPolicy
	if down == "" {
		down = RestartFromIncomplete
	}
	event := timeline.Line(d.now, "%s", endingText(Ending{Action: in.Kind, User: in.User, Reason: in.Reason}))
	if st.Run.Status.Terminal() {
		view, ok := viewOf(st, in.StepID)
		if !ok || view.Status == StepNotCreated {
			return refuse(fault.BadRequest, "step [%s] was not created in any run", in.StepID), nil
		}
		return Answer{Status: st.Run.Status, Event: event, NewRun: &RestartRequest{
			Policy: RestartFromSpecific, StepID: in.StepID, DownstreamPolicy: down, StepParams: in.StepRunParams, Skip: skip, User: in.User,
		}}, nil
	}
	i, ok := st.Body.DAG.Ordinal(in.StepID)
	if !ok {
		return refuse(fault.BadRequest, "step [%s] is not part of the run", in.StepID), nil
	}
	view, _ := viewOf(st, in.StepID)
	a := st.Steps[i].Latest
	earlier := a
	if a == nil {
		if view.RunID == 0 {
			return refuse(fault.BadRequest, "step [%s] was not created in any run", in.StepID), nil
		}
		var err error
		if earlier, err = d.env.EarlierAttempt(in.StepID); err != nil {
			return Answer{}, err
		}
		if earlier == nil {
			return refuse(fault.BadRequest, "step [%s] was not created in any run", in.StepID), nil
		}
	}
	if !earlier.Status.Terminal() || earlier.Status.Complete() {
		return refuse(fault.BadRequest, "step [%s] is %s and cannot be restarted", in.StepID, earlier.Status), nil
	}
	if a != nil {
		if a.Status.Retryable() || a.Retry.Retryable {
			return refuse(fault.BadRequest, "step [%s] is still retried by the system", in.StepID), nil
		}
		if d.plan.steps[i].mode != failAfterRunning {
			return refuse(fault.BadRequest, "step [%s] can be restarted only with failure mode FAIL_AFTER_RUNNING while its run goes on", in.StepID), nil
		}
	}
	if st.Run.Ending != nil {
		return refuse(fault.Conflict, "another action is pending for step [%s]", in.StepID), nil
	}
	if !st.Run.Executed || a == nil && !d.placeholder(i) {
		// Nothing takes the action up: the step is created when what is before it is done.
		return refuse(fault.RequestTimeout, "step [%s] waits for its predecessors and cannot be restarted", in.StepID), nil
	}
	config := &RestartConfig{
		Path:              []PathNode{{WorkflowID: st.Body.WorkflowID, InstanceID: st.Body.InstanceID, StepID: in.StepID}},
		Policy:            RestartFromSpecific,
		DownstreamPolicy:  down,
		StepRestartParams: []StepParams{{StepID: in.StepID, Params: in.StepRunParams}},
	}
	if skip {
		config.SkipSteps = []string{in.StepID}
	}
	if in.Config != nil {
		config = in.Config
	}
	var next *Attempt
	var err error
	if a == nil {
		next, err = d.createFirst(i, config)
	} else {
		next, err = d.createNext(i, config)
	}
	if err != nil {
		return Answer{}, err
	}
	d.log(next, "%s", event.Message)
	// The number is that of the attempt before plus one, also when that was in an earlier run (a quirk of Maestro's).
	return Answer{Status: st.Run.Status, AttemptID: earlier.AttemptID + 1, Event: event, Completed: true}, nil
}

// bypass lets a step go on without its signals (engine-runs-and-actions.md 4.4).
func (d *decider) bypass(in Action) (Answer, error) {
	if d.st.Run.Status.Terminal() {
		return refuse(fault.BadRequest, "the run is %s: its steps wait for nothing", d.st.Run.Status), nil
	}
	i, ok := d.st.Body.DAG.Ordinal(in.StepID)
	if !ok {
		return refuse(fault.BadRequest, "step [%s] is not part of the run", in.StepID), nil
	}
	a := d.st.Steps[i].Latest
	if a == nil {
		return refuse(fault.NotFound, "step [%s] has no attempt in the run", in.StepID), nil
	}
	if a.Status != StepWaitingForSignals || a.SignalDependencies == nil {
		// While its run is paused a step stands there without waiting for any.
		return refuse(fault.BadRequest, "step [%s] is %s and waits for no signal", in.StepID, a.Status), nil
	}
	if a.Ending != nil || d.st.Run.Ending != nil {
		return refuse(fault.Conflict, "another action is pending for step [%s]", in.StepID), nil
	}
	event := timeline.Line(d.now, "%s", endingText(Ending{Action: in.Kind, User: in.User, Reason: in.Reason}))
	deps := a.SignalDependencies
	for k := range deps.Dependencies {
		if deps.Dependencies[k].Status == SignalPending {
			deps.Dependencies[k].Status = SignalSkipped
		}
	}
	deps.Info = &event
	a.Times.Modify = d.now
	d.touch(i, a)
	return Answer{Status: d.st.Run.Status, AttemptID: a.AttemptID, Attempt: a, Completed: true, Event: event}, nil
}

// resume ends the pause of an attempt at a breakpoint.
func (d *decider) resume(in Resume) Answer {
	i, ok := d.st.Body.DAG.Ordinal(in.StepID)
	if !ok {
		return refuse(fault.NotFound, "step [%s] is not part of the run", in.StepID)
	}
	a := d.st.Steps[i].Latest
	if a == nil || a.AttemptID != in.AttemptID || a.Status != StepPaused {
		return refuse(fault.NotFound, "attempt %d of step [%s] is not paused", in.AttemptID, in.StepID)
	}
	d.setStatus(i, a, StepWaitingForSignals, d.now)
	return Answer{
		Status: d.st.Run.Status, AttemptID: a.AttemptID, Completed: true,
		Event: timeline.Line(d.now, "%s resumed attempt %d of step [%s]", in.User, in.AttemptID, in.StepID),
	}
}
