package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/timeline"
)

// The life of an attempt (engine.md 4, 6).

// setStatus changes the status of an attempt and stamps the time.
func (d *decider) setStatus(i int, a *Attempt, to StepStatus, at int64) {
	a.Changes = append(a.Changes, StatusChange{From: a.Status, To: to, Time: at})
	a.Status = to
	t := &a.Times
	t.Modify = d.now
	switch to {
	case StepCreated:
		t.Create = at
	case StepInitialized:
		t.Initialize = at
	case StepPaused:
		t.Pause = at
	case StepWaitingForSignals:
		t.WaitSignal = at
	case StepEvaluatingParams:
		t.EvaluateParam = at
	case StepWaitingForPermits:
		t.WaitPermit = at
	case StepStarting:
		t.Start = at
	case StepRunning:
		t.Execute = at
	case StepFinishing:
		t.Finish = at
	default:
		t.End = at
	}
	d.touch(i, a)
}

func (d *decider) log(a *Attempt, format string, args ...any) {
	a.Timeline = timeline.Append(a.Timeline, timeline.Line(d.now, format, args...))
}

// placeholder tells whether a step without an attempt waits for a user's restart: the other roots of a run that
// restarts one step.
func (d *decider) placeholder(i int) bool {
	return d.st.Steps[i].Latest == nil && d.plan.steps[i].placeholder
}

// create makes the first attempt of a step in this run, when all before it is complete.
func (d *decider) create(i int) error {
	run := &d.st.Run
	if run.Status == InstancePaused && run.Ending == nil || d.placeholder(i) {
		return nil
	}
	_, err := d.createFirst(i, nil)
	return err
}

func (d *decider) createFirst(i int, config *RestartConfig) (*Attempt, error) {
	run, p := &d.st.Run, &d.plan.steps[i]
	a := d.newAttempt(i, 1, run.NextStepInstanceID)
	run.NextStepInstanceID++
	d.touchRun()
	a.Retry = p.retry
	a.RestartConfig = config
	if config != nil {
		a.Retry.Retryable = false
	}
	for _, m := range d.st.Body.SignalMatches {
		if m.StepID == a.StepID {
			a.SignalDependencies = m.Dependencies.clone()
		}
	}
	return a, d.enter(i, a)
}

// retry makes the next attempt of a step after an end that is followed by another one.
func (d *decider) retry(i int) (*Attempt, error) {
	return d.createNext(i, nil)
}

func (d *decider) createNext(i int, config *RestartConfig) (*Attempt, error) {
	last := d.st.Steps[i].Latest
	a := d.newAttempt(i, last.AttemptID+1, last.StepInstanceID)
	a.Retry = last.Retry
	switch {
	case last.Status.Retryable():
		a.Retry.after(last.Status).Made++
	case last.Status.Restartable():
		a.Retry.ManualRetries++
	}
	a.RestartConfig = config
	a.SignalDependencies = last.SignalDependencies.clone()
	return a, d.enter(i, a)
}

// newAttempt makes an attempt that is not created yet.
func (d *decider) newAttempt(i int, attempt, stepInstance int64) *Attempt {
	p := &d.plan.steps[i]
	a := &Attempt{
		StepID: p.id, AttemptID: attempt, StepInstanceID: stepInstance,
		UUID:    StepUUID(d.st.Body, p.id, attempt),
		Changes: make([]StatusChange, 0, 9),
		Params:  &param.Params{},
		Tags:    p.tags,
	}
	if len(p.edges) > 0 {
		a.Edges = append(make([]Edge, 0, len(p.edges)), p.edges...)
	}
	return a
}

// enter makes an attempt the latest one of its step. In a run that ends it ends at once.
func (d *decider) enter(i int, a *Attempt) error {
	d.st.Steps[i].Latest = a
	d.setStatus(i, a, StepCreated, d.now)
	if e := d.st.Run.Ending; e != nil {
		return d.endBy(i, a, *e)
	}
	d.queue.push(i)
	return nil
}

// StepUUID is the name of an attempt for ever: a hash in the form of a random UUID, so that a decision that is taken
// twice names the same attempts (P2).
func StepUUID(b *Body, stepID string, attempt int64) string {
	var buf [256]byte
	in := binary.AppendVarint(buf[:0], b.InternalID)
	in = append(append(in, b.WorkflowID...), 0)
	in = append(append(in, b.UUID...), 0)
	in = binary.AppendVarint(in, b.InstanceID)
	in = binary.AppendVarint(in, b.RunID)
	in = binary.AppendVarint(append(append(in, stepID...), 0), attempt)
	sum := sha256.Sum256(in)
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[0:8], sum[0:4])
	hex.Encode(out[9:13], sum[4:6])
	hex.Encode(out[14:18], sum[6:8])
	hex.Encode(out[19:23], sum[8:10])
	hex.Encode(out[24:36], sum[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// step lets an attempt go on until it waits or ends. An error is a *NeedError or a defect.
func (d *decider) step(i int) error {
	a, p := d.st.Steps[i].Latest, &d.plan.steps[i]
	held := d.st.Run.Status == InstancePaused // by a user: nothing new begins, what runs goes on
	if died, err := d.poisoned(i, a); died {
		return err
	}
	for {
		switch a.Status {
		case StepCreated:
			if held {
				return nil
			}
			chosen, err := d.chosen(i)
			if err != nil {
				return err
			}
			if !chosen {
				a.Params = choice(false, d.now)
				d.log(a, "no condition of a predecessor chose the step")
				d.setStatus(i, a, StepUnsatisfied, d.now)
				return d.complete(i, a)
			}
			a.Params = choice(true, d.now)
			if d.skips(a) {
				d.log(a, "the step is skipped as the restart asked")
				d.setStatus(i, a, StepSkipped, d.now)
				return d.complete(i, a)
			}
			if err := d.initialize(i, a); err != nil {
				return d.fail(i, a, "the step could not be initialized", err)
			}
			d.setStatus(i, a, StepInitialized, d.now)
		case StepInitialized:
			if held {
				return nil
			}
			pause, err := d.env.Breakpoint(a.StepID)
			if err != nil {
				return err
			}
			if pause {
				d.log(a, "the step pauses at a breakpoint")
				d.setStatus(i, a, StepPaused, d.now)
				return nil
			}
			d.setStatus(i, a, StepWaitingForSignals, d.now)
		case StepPaused:
			return nil
		case StepWaitingForSignals:
			if held {
				return nil
			}
			ready, err := d.signalsReady(i, a)
			if err != nil {
				return d.fail(i, a, "the signals of the step could not be matched", err)
			}
			if !ready {
				return nil
			}
			d.setStatus(i, a, StepEvaluatingParams, d.now)
		case StepEvaluatingParams:
			if held {
				return nil
			}
			if err := d.evaluateParams(i, a); err != nil {
				return d.fail(i, a, "the params of the step could not be evaluated", err)
			}
			d.setStatus(i, a, StepWaitingForPermits, d.now)
		case StepWaitingForPermits:
			if held {
				return nil
			}
			granted, err := d.permits(i, a)
			if err != nil {
				return err
			}
			if !granted {
				return nil
			}
			d.setStatus(i, a, StepStarting, d.now)
		case StepStarting:
			switch p.kind {
			case kindNoOp, kindSleep:
				d.setStatus(i, a, StepRunning, d.now)
			case kindOutside:
				if !a.Outside {
					if !d.env.HasRuntime(p.typeName) {
						d.log(a, "no runtime is installed for steps of type %s", p.typeName)
						return d.failed(i, a, StepFatallyFailed, false)
					}
					a.Outside = true
					a.PollAt = d.now + pollDelay(0)
					d.touch(i, a)
				}
				return d.watch(i, a)
			case kindNested:
				if !a.Outside {
					a.Outside = true
					a.PollAt = d.now + pollDelay(0)
					d.byUUID = nil
					d.touch(i, a)
				}
				if p.def.Type != definition.Subworkflow {
					return d.watch(i, a) // the first look at the loop lets it run, or says why it cannot
				}
				d.setStatus(i, a, StepRunning, d.now)
			default:
				d.log(a, "steps of type %s cannot run here", p.typeName)
				return d.failed(i, a, StepFatallyFailed, false)
			}
		case StepRunning:
			switch p.kind {
			case kindNoOp:
				d.setStatus(i, a, StepFinishing, d.now)
			case kindSleep:
				done, err := d.sleep(i, a)
				if err != nil {
					return d.fail(i, a, "the step could not sleep", err)
				}
				if !done {
					return nil
				}
			default:
				return d.watch(i, a)
			}
		case StepFinishing:
			ready, err := d.finishStep(i, a)
			if err != nil {
				return d.fail(i, a, "the outputs of the step could not be merged", err)
			}
			if !ready {
				return nil
			}
			d.setStatus(i, a, StepSucceeded, d.now)
			return d.complete(i, a)
		default:
			return nil
		}
	}
}

// chosen tells whether at least one predecessor chose the step, or it has none (OR join). Of declared predecessors that
// this run does not execute the earlier result counts.
func (d *decider) chosen(i int) (bool, error) {
	p := &d.plan.steps[i]
	if d.satisfied[i] || p.incoming == 0 {
		return true, nil
	}
	for _, id := range p.outside {
		earlier, err := d.env.EarlierAttempt(id)
		if err != nil {
			return false, err
		}
		if earlier == nil || !earlier.Status.Complete() {
			continue
		}
		for k := range earlier.Edges {
			if e := &earlier.Edges[k]; e.To == p.id && e.True() {
				return true, nil
			}
		}
	}
	return false, nil
}

// skips tells whether a restart asked for the step to be skipped.
func (d *decider) skips(a *Attempt) bool {
	config := a.RestartConfig
	if config == nil {
		config = d.st.Body.RestartConfig
	}
	return config.Own() && slices.Contains(config.SkipSteps, a.StepID)
}

// initialize does the work between CREATED and INITIALIZED: the timeout, the tags and the signals to wait for.
func (d *decider) initialize(i int, a *Attempt) error {
	p := &d.plan.steps[i]
	if p.timeoutErr != nil {
		return p.timeoutErr
	}
	a.TimeoutMillis = p.timeoutMillis
	if err := d.mergeTags(i, a); err != nil {
		return err
	}
	return d.resolveSignals(i, a)
}

// permits asks for the permits of an attempt.
func (d *decider) permits(i int, a *Attempt) (bool, error) {
	p := &d.plan.steps[i]
	if a.HoldsPermit {
		return true, nil
	}
	tags := d.permitTags(i, a)
	n := len(a.Timeline)
	queues := n > 0 && a.Timeline[n-1].Message == permitsWaited
	// A step that is over in this very decision needs no permit, only to be let past. Once it queues it must take its turn.
	if p.kind == kindNoOp && !queues {
		blocked, err := d.env.Blocked(a.StepID, tags)
		if err != nil {
			return false, err
		}
		if !blocked {
			d.log(a, permitsWaited)
			d.log(a, permitsAcquired)
			return true, nil
		}
	}
	inherited, err := d.inherit(a, tags, queues)
	if err != nil {
		return false, err
	}
	if inherited {
		if !queues {
			d.log(a, permitsWaited)
		}
		d.log(a, permitsAcquired)
		return true, nil
	}
	grant, err := d.env.Acquire(a.UUID, tags)
	if err != nil {
		return false, err
	}
	if !queues {
		d.log(a, permitsWaited)
	}
	if grant != Granted {
		return false, nil
	}
	d.log(a, permitsAcquired)
	a.HoldsPermit = true
	return true, nil
}

// inherit gives an attempt the permit of one that has ended in this decision, where nobody notices: the steps of a chain
// then hold one permit after the other, which is taken and given back once. One that queues gets it when it is its turn:
// it need not be woken to find that it was granted what this very run gave back.
func (d *decider) inherit(a *Attempt, tags []PermitTag, queues bool) (bool, error) {
	env, able := d.env.(InheritEnv)
	if !able {
		return false, nil
	}
	for k, f := range d.freed {
		var ok bool
		var err error
		if queues {
			ok, err = env.Pass(f.uuid, f.tags, a.UUID, tags)
		} else {
			ok, err = env.Inherit(f.uuid, f.tags, tags)
		}
		if err != nil {
			return false, err
		}
		if ok {
			d.freed = slices.Delete(d.freed, k, k+1)
			d.out.Released = slices.DeleteFunc(d.out.Released, func(uuid string) bool { return uuid == f.uuid })
			if queues {
				d.out.Released = append(d.out.Released, a.UUID) // its place in the queue
			}
			a.HoldsPermit, a.PermitUUID = true, f.uuid
			return true, nil
		}
	}
	return false, nil
}

// freedPermit is what an attempt held that has ended.
type freedPermit struct {
	uuid string
	tags []PermitTag
}

const (
	permitsWaited   = "the step queues for the permits of its tags"
	permitsAcquired = "the step has the permits of its tags"
)

// sleep tells whether a Sleep is over, and moves it on if so. The step's timeout is looked at only now, as Maestro
// does: a Sleep that is longer than its timeout ends late, but TIMED_OUT.
func (d *decider) sleep(i int, a *Attempt) (bool, error) {
	if a.PollAt == 0 {
		seconds, err := sleepSeconds(a)
		if err != nil {
			return false, err
		}
		if seconds > 0 {
			// Over when more than the time has passed, hence one more millisecond.
			a.PollAt = a.Times.Start + min(seconds, maxSleepSeconds)*1000 + 1
			d.touch(i, a)
		}
	}
	if d.now < a.PollAt {
		return false, nil
	}
	a.PollAt = 0
	if d.now >= stepDeadline(a) {
		return false, d.timeOut(i, a)
	}
	d.setStatus(i, a, StepFinishing, d.now)
	return true, nil
}

// maxSleepSeconds keeps times within 64 bits: 10,000 years.
const maxSleepSeconds = 315_576_000_000

// pollDelay is how long an attempt outside is left alone after n polls without news: 1, 2, 5, 10, then every 15 minutes
// (P21).
func pollDelay(n int64) int64 {
	minutes := [...]int64{1, 2, 5, 10}
	if n < int64(len(minutes)) {
		return minutes[n] * 60_000
	}
	return 15 * 60_000
}

// watch looks at the clocks of an attempt outside.
func (d *decider) watch(i int, a *Attempt) error {
	if a.Ending != nil {
		d.poll(i, a)
		return nil
	}
	if d.now >= attemptDeadline(a) {
		return d.timeOut(i, a)
	}
	d.poll(i, a)
	return nil
}

// poll has the outside asked when it is time.
func (d *decider) poll(i int, a *Attempt) {
	if a.PollAt == 0 || d.now < a.PollAt {
		return
	}
	a.Polls++
	a.PollAt = d.now + pollDelay(a.Polls)
	d.touch(i, a)
	d.out.Polls = append(d.out.Polls, a)
}

// timeOut ends an attempt whose time is up (engine.md 7).
func (d *decider) timeOut(i int, a *Attempt) error {
	if a.Retry.left(StepTimeoutFailed) {
		// The job outside keeps running while the next attempt starts, as in Maestro.
		return d.failed(i, a, StepTimeoutFailed, false)
	}
	d.log(a, "the step took longer than its timeout and ends")
	d.touch(i, a)
	return d.terminate(i, a, Ending{Action: ActionTimeOut, Time: d.now})
}

// foldResult takes news of an attempt outside.
func (d *decider) foldResult(r Result) error {
	i, a := d.find(r.StepUUID)
	if a == nil || !a.Outside || a.Status != StepStarting && a.Status != StepRunning {
		return nil // ended, unknown, of an earlier attempt, or late: P19, P22
	}
	if d.st.Run.Status.Terminal() {
		return nil
	}
	d.at = i
	if _, died := d.poison[a.StepID]; died {
		return nil // the attempt ends when its turn comes
	}
	d.touch(i, a)
	a.Times.Modify = d.now
	a.Artifacts = a.Artifacts.Merged(r.Artifacts)
	a.Timeline = timeline.Append(a.Timeline, r.Timeline...)
	if r.Output != nil {
		a.Output = r.Output
	}
	if a.Status == StepStarting && (r.Running || r.State == step.Continue || r.State == step.Done) {
		at := r.RunningSince
		if at <= 0 {
			at = d.now
		}
		d.setStatus(i, a, StepRunning, min(max(at, a.Times.Start), d.now))
	}
	if a.Ending != nil {
		if r.State.Ended() {
			return d.terminated(i, a) // the action came first (P22)
		}
		return nil
	}
	switch r.State {
	case step.Continue:
		a.Polls = 0
		a.PollAt = d.now + pollDelay(0)
		if r.NextPollMillis > 0 {
			a.PollAt = d.now + r.NextPollMillis
		}
		return nil
	case step.Done:
		a.PollAt = 0
		d.setStatus(i, a, StepFinishing, d.now)
		if d.now >= stepDeadline(a) && (len(r.Artifacts) > 0 || len(r.Timeline) > 0) {
			// Maestro saves what the work brought, and looks at the timeout before it goes on.
			return d.timeOut(i, a)
		}
		d.queue.push(i)
		return nil
	}
	a.PollAt = 0
	switch r.State {
	case step.UserError:
		return d.failed(i, a, StepUserFailed, false)
	case step.PlatformError:
		return d.failed(i, a, StepPlatformFailed, false)
	case step.FatalError:
		return d.failed(i, a, StepFatallyFailed, false)
	case step.Stopped:
		return d.failed(i, a, StepStopped, false)
	case step.TimedOut:
		return d.failed(i, a, StepTimedOut, false)
	}
	return fmt.Errorf("engine: result of %s has no state", a.UUID)
}

// find gives the latest attempt with that uuid.
func (d *decider) find(uuid string) (int, *Attempt) {
	if d.byUUID == nil {
		d.byUUID = make(map[string]int, len(d.st.Steps))
		for i := range d.st.Steps {
			if a := d.st.Steps[i].Latest; a != nil && a.Outside && !a.Status.Terminal() {
				d.byUUID[a.UUID] = i
			}
		}
	}
	i, ok := d.byUUID[uuid]
	if !ok {
		return 0, nil
	}
	if a := d.st.Steps[i].Latest; a.UUID == uuid {
		return i, a
	}
	return 0, nil
}

// fail ends an attempt INTERNALLY_FAILED because the engine could not do its part; a *NeedError is handed back. Neither
// retries nor failure mode apply.
func (d *decider) fail(i int, a *Attempt, what string, err error) error {
	if needs(err) {
		return needIn(err)
	}
	a.Timeline = timeline.Append(a.Timeline, timeline.Failure(d.now, "INTERNALLY_FAILED: "+what, details(err)...))
	return d.failed(i, a, StepInternallyFailed, false)
}

// failed ends an attempt that did not complete. For USER_FAILED and PLATFORM_FAILED the limits decide whether another
// attempt follows. suppress: the failure mode does not count.
func (d *decider) failed(i int, a *Attempt, status StepStatus, suppress bool) error {
	if status == StepUserFailed || status == StepPlatformFailed {
		switch {
		case !a.Retry.left(status):
			status = StepFatallyFailed
		case !retryHint(a):
			d.setStatus(i, a, status, d.now) // the hint is looked at only now, and readers of events see both
			d.log(a, "the output data says that the failure is not to be retried")
			status = StepFatallyFailed
		}
	}
	if status.Restartable() {
		a.Retry.Retryable = false
	}
	d.setStatus(i, a, status, d.now)
	d.release(i, a)
	if status.Retryable() {
		delay := a.Retry.after(status).delay(a.Retry.Backoff)
		a.RetryAt = d.now + delay*1000
		d.log(a, "the step is tried again in %s", timeline.Delay(delay))
		d.budget--
		return nil
	}
	if status == StepFatallyFailed && !suppress {
		switch d.plan.steps[i].mode {
		case ignoreFailure:
			d.log(a, "the failure is ignored: COMPLETED_WITH_ERROR")
			d.setStatus(i, a, StepCompletedWithError, d.now)
			return d.complete(i, a)
		case failImmediately:
			d.budget--
			return d.endAll(Ending{Action: ActionStop, User: "MAESTRO_TASK", Reason: "step " + a.StepID + " failed", Workflow: true, Time: d.now})
		}
	}
	d.budget--
	return nil
}

// release gives the permit of an ended attempt back.
func (d *decider) release(i int, a *Attempt) {
	if a.HoldsPermit || a.Times.WaitPermit != 0 && a.Times.Start == 0 {
		// In the second case it waited in the queue of permits, which it must leave.
		if a.HoldsPermit {
			d.freed = append(d.freed, freedPermit{a.Permit(), d.permitTags(i, a)})
		}
		a.HoldsPermit = false
		if n := len(d.out.Released); n == 0 || d.out.Released[n-1] != a.Permit() {
			d.out.Released = append(d.out.Released, a.Permit())
		}
	}
	a.PollAt = 0
	a.Ending = nil
}

// complete evaluates the edges of an attempt that reached a complete status and creates what may follow.
func (d *decider) complete(i int, a *Attempt) error {
	d.release(i, a)
	if err := d.evaluateEdges(i, a); err != nil {
		return d.fail(i, a, "the conditions of the step's transitions could not be evaluated", err)
	}
	d.budget--
	d.noteComplete(i, a)
	for _, s := range d.plan.steps[i].successors {
		if s >= 0 && d.missing[s] == 0 && d.st.Steps[s].Latest == nil {
			if err := d.create(int(s)); err != nil {
				return err
			}
		}
	}
	return nil
}

// terminate applies an ending to a live attempt: at once, or by a mark when the outside must be stopped first.
func (d *decider) terminate(i int, a *Attempt, e Ending) error {
	a.Ending = &e
	d.touch(i, a)
	if a.Outside && (a.Status == StepStarting || a.Status == StepRunning) {
		a.Times.Modify = d.now
		a.Polls, a.PollAt = 0, d.now+pollDelay(0)
		return nil
	}
	return d.terminated(i, a)
}

// terminated ends an attempt as its mark says.
func (d *decider) terminated(i int, a *Attempt) error {
	e := *a.Ending
	a.Ending = nil
	a.PollAt = 0
	switch {
	case e.Upstream || e.Action == ActionStop:
		return d.failed(i, a, StepStopped, false)
	case e.Action == ActionTimeOut:
		return d.failed(i, a, StepTimedOut, false)
	case e.Action == ActionKill:
		return d.failed(i, a, StepFatallyFailed, e.Workflow)
	case e.Action == ActionSkip:
		d.setStatus(i, a, StepSkipped, d.now)
		return d.complete(i, a)
	}
	return fmt.Errorf("engine: %s ends no attempt", e.Action)
}

// endBy applies a run's ending to one of its attempts, with the line about it.
func (d *decider) endBy(i int, a *Attempt, e Ending) error {
	if e.Action != ActionTimeOut {
		d.log(a, "%s", endingText(e))
	}
	return d.terminate(i, a, e)
}

func endingText(e Ending) string {
	who := e.User
	if who == "" {
		who = "the engine"
	}
	text := who + " asked for " + string(e.Action)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// endAll ends every attempt of the run, and those that wait for their retry by one more attempt (engine.md 8.5).
func (d *decider) endAll(e Ending) error {
	d.st.Run.Ending = &e
	d.touchRun()
	for i := range d.st.Steps {
		a := d.st.Steps[i].Latest
		switch {
		case a == nil:
			// Only a pause keeps a step that may begin from being created. The run would never end without it.
			if d.missing[i] == 0 {
				if err := d.create(i); err != nil {
					return err
				}
			}
		case !a.Status.Terminal():
			if err := d.endBy(i, a, e); err != nil {
				return err
			}
		case a.Status.Retryable():
			if _, err := d.retry(i); err != nil {
				return err
			}
		}
	}
	return nil
}
