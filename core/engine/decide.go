package engine

import (
	"errors"

	"github.com/downbeat/downbeat/core/timeline"
)

// defaultMaxSteps is the budget of a decision: attempts that become terminal.
const defaultMaxSteps = 200

// checkMillis is when attempts that wait for permits, or have signals to announce, ask again, should nothing wake them
// before. signalCheckMillis is the same for attempts that wait for signals, which may take days: a stream stays due until
// it has told those who wait (P31).
const (
	checkMillis       = 15_000
	signalCheckMillis = 15 * 60_000
)

// Decide folds the inputs into the run, in their order, and lets it go on as far as it can without the outside. It
// changes st, which belongs to the decision: after an error st is garbage and must be loaded again.
//
// It is deterministic: the same state, inputs and environment give the same changes. All times that it sets are one
// now. It returns a *NeedError for what must be loaded first (P1); every other error is a defect or a corrupt state, a
// *DeathError one that names the step.
func Decide(st *State, in []Input, env Env) (out *Decision, err error) {
	d := newDecider(st, env)
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, d.died(p)
		}
	}()
	for _, input := range in {
		if err := d.fold(input); err != nil {
			return nil, err
		}
	}
	d.at = -1
	if err := d.advance(); err != nil {
		return nil, err
	}
	if len(d.needs) > 0 {
		return nil, &NeedError{Keys: d.needs}
	}
	d.finish()
	if len(d.out.Changed) > 0 || d.out.RunChanged {
		d.out.RunChanged = true
		st.Run.Seq++
		st.Run.LastTime = d.now
	}
	return &d.out, nil
}

// decider is one call of Decide.
type decider struct {
	st     *State
	env    Env
	plan   *plan
	now    int64
	out    Decision
	budget int
	needs  []Key

	// By ordinal: how many predecessors are not complete, whether one of them chose the step, and the attempt that is
	// in out.Changed already.
	missing   []int32
	satisfied []bool
	touched   []*Attempt

	// freed are the permits of attempts that have ended in this decision and that nobody has inherited.
	freed []freedPermit

	queue  workQueue
	byUUID map[string]int // live attempts outside

	at     int               // the step that the decision is at, -1 for none
	poison map[string]string // steps that it must not touch, with the reason
	only   *string           // the one step that goes on; nil: all
}

func newDecider(st *State, env Env) *decider {
	n := len(st.Steps)
	d := &decider{
		st: st, env: env, plan: st.Body.compiled(), now: max(env.Now(), st.Run.LastTime), budget: env.MaxSteps(),
		missing: make([]int32, n), satisfied: make([]bool, n), touched: make([]*Attempt, n),
		at: -1,
	}
	if d.budget <= 0 {
		d.budget = defaultMaxSteps
	}
	d.queue.state = st
	for i := range st.Steps {
		d.missing[i] = int32(d.plan.steps[i].incoming)
	}
	for i := range st.Steps {
		if a := st.Steps[i].Latest; a != nil && a.Status.Complete() {
			d.noteComplete(i, a)
		}
	}
	return d
}

// noteComplete counts a complete step at its successors.
func (d *decider) noteComplete(i int, a *Attempt) {
	for k, s := range d.plan.steps[i].successors {
		if s < 0 {
			continue
		}
		d.missing[s]--
		if k < len(a.Edges) && a.Edges[k].True() {
			d.satisfied[s] = true
		}
	}
}

// touch notes that an attempt is changed.
func (d *decider) touch(i int, a *Attempt) {
	if d.touched[i] == a {
		return
	}
	d.touched[i] = a
	d.out.Changed = append(d.out.Changed, a)
}

// touchRun notes that the run record is changed.
func (d *decider) touchRun() {
	d.out.RunChanged = true
	d.st.Run.ModifyTime = d.now
}

// need collects what a *NeedError asks for, so that one round asks for everything that can be known to be needed.
// Other errors come back.
func (d *decider) need(err error) error {
	var n *NeedError
	if !errors.As(err, &n) {
		return err
	}
next:
	for _, k := range n.Keys {
		for _, have := range d.needs {
			if have == k {
				continue next
			}
		}
		d.needs = append(d.needs, k)
	}
	return nil
}

// fold takes one input.
func (d *decider) fold(input Input) error {
	switch in := input.(type) {
	case Begin:
		d.begin()
	case Tick:
	case Poison:
		if d.poison == nil {
			d.poison = map[string]string{}
		}
		d.poison[in.StepID] = in.Reason
	case Only:
		d.only = &in.StepID
	case Result:
		return d.foldResult(in)
	case *Result:
		return d.foldResult(*in)
	case Pass:
		return d.foldPass(in)
	case Action:
		answer, err := d.act(in)
		if err != nil {
			return d.need(err)
		}
		d.out.Answers = append(d.out.Answers, answer)
	case Resume:
		d.out.Answers = append(d.out.Answers, d.resume(in))
	default:
		return errors.New("engine: unknown input")
	}
	return nil
}

// begin makes a queued run an executing one.
func (d *decider) begin() {
	run := &d.st.Run
	if run.Executed || run.Status.Terminal() {
		return
	}
	run.Executed = true
	run.StartTime = d.now
	run.Timeline = timeline.Append(run.Timeline, timeline.Line(d.now, "the run was taken from the queue"))
	d.touchRun()
}

// advance lets everything go on that can.
func (d *decider) advance() error {
	run := &d.st.Run
	if !run.Executed || run.Status.Terminal() {
		return nil
	}
	if run.Status == InstanceCreated {
		d.setRun(InstanceInProgress)
	}
	if run.Ending == nil && d.now >= runDeadline(d.st) {
		if err := d.endAll(Ending{Action: ActionTimeOut, Workflow: true, Time: d.now}); err != nil {
			return err
		}
	}
	d.queue.items = d.queue.items[:0]
	for i := range d.st.Steps {
		a := d.st.Steps[i].Latest
		switch {
		case a == nil:
			if d.missing[i] == 0 && !d.skipped(i) {
				d.at = i
				if err := d.create(i); err != nil {
					return err
				}
			}
		case !a.Status.Terminal():
			if !d.skipped(i) {
				d.queue.push(i)
			}
		case a.Status.Retryable() && !d.skipped(i) && d.now >= a.RetryAt && run.Status != InstancePaused:
			d.at = i
			if _, err := d.retry(i); err != nil {
				return err
			}
		}
	}
	for len(d.queue.items) > 0 {
		d.at = d.queue.pop()
		if d.skipped(d.at) {
			continue
		}
		if err := d.step(d.at); err != nil {
			if err = d.need(err); err != nil {
				return err
			}
			continue
		}
		if d.budget <= 0 && len(d.queue.items) > 0 {
			d.out.More = true
			break
		}
	}
	d.at = -1
	if !d.out.More {
		d.setCheck()
	}
	return nil
}

// setCheck sets the time at which attempts that wait for permits or signals ask again.
func (d *decider) setCheck() {
	run := &d.st.Run
	wait := int64(0)
	for i := range d.st.Steps {
		if a := d.st.Steps[i].Latest; a != nil {
			switch {
			case a.Status == StepWaitingForSignals && wait == 0:
				wait = signalCheckMillis
			case a.Status == StepWaitingForPermits, a.Status == StepFinishing:
				wait = checkMillis
			}
		}
	}
	switch {
	case wait == 0 && run.CheckAt != 0:
		run.CheckAt = 0
	case wait != 0 && (run.CheckAt <= d.now || run.CheckAt > d.now+wait):
		run.CheckAt = d.now + wait
	default:
		return
	}
	d.out.RunChanged = true
}

// setRun changes the status of the run.
func (d *decider) setRun(to InstanceStatus) {
	run := &d.st.Run
	run.Changes = append(run.Changes, InstanceChange{From: run.Status, To: to, Time: d.now})
	run.Status = to
	d.touchRun()
}

// finish ends the run when nothing of it can go on (engine.md 5.4).
func (d *decider) finish() {
	run := &d.st.Run
	if !run.Executed || run.Status.Terminal() || d.out.More {
		return
	}
	var created, failed, timedOut, stopped bool
	for i := range d.st.Steps {
		a := d.st.Steps[i].Latest
		if a == nil {
			if d.missing[i] == 0 && !d.placeholder(i) {
				return
			}
			continue
		}
		created = true
		switch s := a.Status; {
		case !s.Terminal(), s.Retryable():
			return
		case s == StepFatallyFailed, s == StepInternallyFailed:
			failed = true
		case s == StepTimedOut:
			timedOut = true
		case s == StepStopped:
			stopped = true
		}
	}
	result := InstanceSucceeded
	switch {
	case failed, !created:
		result = InstanceFailed
	case timedOut:
		result = InstanceTimedOut
	case stopped:
		result = InstanceStopped
	}
	d.endRun(result)
}

// endRun makes the run terminal with its own result.
func (d *decider) endRun(result InstanceStatus) {
	run := &d.st.Run
	status := result
	if result == InstanceSucceeded && !d.st.Body.Policy.Fresh() {
		status = aggregateStatus(d.st)
		if status != result {
			run.RunStatus = result
		}
	}
	if status == InstanceFailed {
		run.Failed = FailedBlocking
	}
	run.EndTime = d.now
	run.Ending = nil
	run.CheckAt = 0
	d.setRun(status)
	d.out.Ended = true
}

// workQueue are ordinals of steps to go on with, a heap by step instance id: a rule that needs nothing but the state, so
// that slices decide as one go does.
type workQueue struct {
	state *State
	items []int32
}

func (q *workQueue) before(i, j int) bool {
	return q.state.Steps[q.items[i]].Latest.StepInstanceID < q.state.Steps[q.items[j]].Latest.StepInstanceID
}

func (q *workQueue) push(step int) {
	q.items = append(q.items, int32(step))
	for i := len(q.items) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.before(i, up) {
			return
		}
		q.items[i], q.items[up] = q.items[up], q.items[i]
		i = up
	}
}

func (q *workQueue) pop() int {
	top := q.items[0]
	n := len(q.items) - 1
	q.items[0] = q.items[n]
	q.items = q.items[:n]
	for i := 0; ; {
		least := i
		for _, c := range [...]int{2*i + 1, 2*i + 2} {
			if c < n && q.before(c, least) {
				least = c
			}
		}
		if least == i {
			return int(top)
		}
		q.items[i], q.items[least] = q.items[least], q.items[i]
		i = least
	}
}
