package app

import (
	"context"
	"errors"
	"time"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/store"
)

// Acted is the answer to an action with the run as the decision left it.
type Acted struct {
	engine.Answer
	Run *RunView
}

// Act folds an action into a run and returns the decider's answer: actions are decided on the head, inline (P22). Run 0
// is the newest of the instance; with another number than the newest the call is refused.
func (a *App) Act(ctx context.Context, id store.RunID, input engine.Input) (*Acted, error) {
	view, err := a.Run(ctx, store.RunID{Workflow: id.Workflow, Instance: id.Instance})
	if err != nil {
		return nil, err
	}
	if id.Run != 0 && id.Run != view.ID().Run {
		return nil, fault.New(fault.BadRequest, "workflow instance run %s is not the latest run %d of its instance", id, view.ID().Run)
	}
	m, err := a.tellRun(ctx, view.ID(), input)
	if err != nil {
		return nil, err
	}
	if err := a.settleSoon(ctx, m.tasks); err != nil {
		a.log.WarnContext(ctx, "what follows from an action is left to the sweep", "run", id.String(), "error", err)
	}
	if len(m.answers) == 0 {
		return nil, errors.New("the decider gave no answer to an action")
	}
	answer := m.answers[0]
	if answer.Err != nil {
		return nil, answer.Err
	}
	return &Acted{Answer: answer, Run: &RunView{v: m.view}}, nil
}

// tellRun folds a user's word into a run. One that may let steps go on is committed before any of them does: should a step
// kill whoever decides about it, it does so for good here, where no message comes again that tells of it. The word must
// stand then, so that messages about the run find the step (P4).
func (a *App) tellRun(ctx context.Context, id store.RunID, input engine.Input) (*moved, error) {
	if act, ok := input.(engine.Action); ok && (act.Kind == engine.ActionStop || act.Kind == engine.ActionKill) {
		return a.moveRun(ctx, id, "", inputs(input), maxTriesWaiting)
	}
	nothing := ""
	word := inputs(input)
	word.only = &nothing
	m, err := a.moveRun(ctx, id, "", word, maxTriesWaiting)
	if err != nil || !m.others || len(m.answers) > 0 && m.answers[0].Err != nil {
		return m, err
	}
	goOn, err := a.moveRun(ctx, id, "", move{have: m.view}, maxTries)
	if err != nil {
		a.log.WarnContext(ctx, "a run goes on with its next message", "run", id.String(), "error", err)
		m.tasks = append(m.tasks, task{kind: taskRun, workflow: id.Workflow, run: id})
		return m, nil
	}
	goOn.tasks, goOn.answers, goOn.ended = append(m.tasks, goOn.tasks...), m.answers, m.ended || goOn.ended
	return goOn, nil
}

// settleCheck is how often a blocking action looks whether its effect is there.
const settleCheck = 50 * time.Millisecond

// AwaitSettled waits until an attempt that an action went to is terminal, for at most the action time-out, and returns
// it as it is then; REQUEST_TIMEOUT when the time passes. The action itself stays accepted.
func (a *App) AwaitSettled(ctx context.Context, id store.RunID, stepID string, attempt int64) (*engine.Attempt, error) {
	deadline := a.now() + a.set.ActionTimeout.Milliseconds()
	for {
		v, err := a.loadRun(ctx, id, "")
		if err != nil {
			return nil, err
		}
		for _, at := range v.attempts() {
			if at.StepID == stepID && at.AttemptID == attempt && at.Status.Terminal() {
				return at, nil
			}
		}
		if a.now() >= deadline {
			return nil, fault.New(fault.RequestTimeout, "the action on step [%s] did not take effect within %d ms", stepID, a.set.ActionTimeout.Milliseconds())
		}
		if err := a.cfg.Clock.Sleep(ctx, settleCheck); err != nil {
			return nil, err
		}
	}
}

// EndAll stops or kills every run of a workflow: queued ones end before the answer, running ones take the action and go
// on ending. It returns how many of each there were.
func (a *App) EndAll(ctx context.Context, workflow, user, reason string, kill bool) (queued, running int, err error) {
	ask := &laneAsk{cancel: true, kill: kill, user: user, reason: reason}
	tasks, err := a.askLane(ctx, workflow, ask)
	if err != nil {
		return 0, 0, err
	}
	var later []task
	for _, t := range tasks {
		if t.kind == taskOrder && t.order.Target == lane.Cancel {
			more, err := a.do(ctx, t)
			if err != nil {
				return 0, 0, err
			}
			later = append(later, more...)
			continue
		}
		later = append(later, t)
	}
	item, err := a.get(ctx, store.LaneKey(workflow))
	if err != nil {
		return 0, 0, err
	}
	l, err := lane.Decode(item.Data)
	if err != nil {
		return 0, 0, a.park(item, err)
	}
	kind := engine.ActionStop
	if kill {
		kind = engine.ActionKill
	}
	for _, e := range l.Running.All() {
		m, err := a.moveRun(ctx, store.RunID{Workflow: workflow, Instance: e.Instance, Run: e.Run}, "",
			inputs(engine.Action{Kind: kind, User: user, Reason: reason}), maxTriesWaiting)
		if errors.Is(err, errNoRun) {
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		if answer := m.answers[0]; answer.Err != nil || answer.Completed && !m.ended {
			continue // it had ended, and the lane had not been told (see tellLane)
		}
		running++
		later = append(later, m.tasks...)
	}
	return ask.cancelled, running, a.settleSoon(ctx, later)
}

// Unblock ends that failed instances block the queue of STRICT_SEQUENTIAL: of one instance, or, with instance 0, of all.
// It returns how many were blocking.
func (a *App) Unblock(ctx context.Context, workflow string, instance int64, user string) (int, error) {
	instances := []int64{instance}
	if instance == 0 {
		var err error
		if instances, err = a.blockedInstances(ctx, workflow, 1<<20); err != nil {
			return 0, err
		}
	}
	n := 0
	for _, i := range instances {
		l, err := a.latestRun(ctx, workflow, i)
		if err != nil {
			return n, err
		}
		if l == nil || l.Head.Run.Failed != engine.FailedBlocking {
			continue
		}
		m, err := a.moveRun(ctx, l.ID, "", inputs(engine.Action{Kind: engine.ActionUnblock, User: user}), maxTriesWaiting)
		if err != nil {
			return n, err
		}
		if len(m.answers) == 1 && m.answers[0].Err == nil {
			n++
		}
		// A later run may have failed since: its mark stays.
		if err := a.unmarkFailed(ctx, l.ID); err != nil {
			return n, err
		}
	}
	if n == 0 {
		return 0, nil
	}
	return n, a.settleSoon(ctx, []task{{kind: taskLane, workflow: workflow}})
}

// Unblocked does what follows from the unblocking of a run: the mark goes and the queue is looked at.
func (a *App) Unblocked(ctx context.Context, id store.RunID) error {
	if err := a.unmarkFailed(ctx, id); err != nil {
		return err
	}
	return a.settleSoon(ctx, []task{{kind: taskLane, workflow: id.Workflow}})
}

// Now is the time of the App's clock, epoch milliseconds.
func (a *App) Now() int64 { return a.now() }
