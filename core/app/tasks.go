package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// taskKind is what is to be done after a commit.
type taskKind uint8

const (
	taskOrder     taskKind = iota // carry out an order of a lane
	taskLane                      // look at a lane
	taskRun                       // look at a run
	taskEnded                     // tell the lane that a run has ended
	taskRelease                   // free permits of ended attempts
	taskPublish                   // publish a run's status events
	taskWork                      // have `execute` start, poll or stop an attempt
	taskPermit                    // look at a permit head
	taskDelete                    // go on deleting a workflow
	taskSupersede                 // note on a failed run that a later one exists
	taskStep                      // look at the children of an attempt
	taskSignal                    // pass the news of a stream on; workflow is the signal's name, or stream its key
	taskUnwait                    // take waiter items away
	taskTime                      // start what time triggers are due to start
	taskChange                    // do what follows from a change of a workflow's definition or properties
)

const (
	workStart = events.WorkStart
	workPoll  = events.WorkPoll
	workStop  = events.WorkStop
)

// task is something that follows from a commit. Every task can be derived again from the stored state, so losing one
// delays and never breaks (P7).
type task struct {
	kind     taskKind
	workflow string
	order    lane.Order
	own      bool // the order is about a start of this caller's
	run      store.RunID
	failed   bool
	uuids    []string
	heads    []string // permit heads of the released attempts
	work     events.Work
	permit   string
	stream   string // with taskSignal, where the name is not known
	step     string // of the attempt, with taskStep
	attempt  int64
	keys     []table.Key // with taskUnwait
	delay    int64       // milliseconds; not before
	timer    bool
	redo     bool // of taskPublish: whoever asks is not the one who committed the end
}

// mustFollow: no poke says what the task knows. Left undone, the end of a run or the permits of an attempt would be
// found by due times alone, and others wait for them. Each is one write, so the budget does not count them.
func (t task) mustFollow() bool { return t.kind == taskEnded || t.kind == taskRelease }

func workTask(id store.RunID, op string, at *engine.Attempt) task {
	return task{kind: taskWork, workflow: id.Workflow, run: id, work: events.Work{
		Op: op, Workflow: id.Workflow, Instance: id.Instance, Run: id.Run, Step: at.StepID, Attempt: at.AttemptID, UUID: at.UUID,
	}}
}

// settle does what follows from a commit: here while the budget lasts, else through Defer or as pokes. Work for
// `execute` always goes through its queue: that function has other permissions.
func (a *App) settle(ctx context.Context, tasks []task, budget time.Duration) error {
	var messages []outgoing
	untold := map[store.RunID]bool{}
	deadline := a.now() + budget.Milliseconds()
	for len(tasks) > 0 {
		t := tasks[0]
		tasks = tasks[1:]
		if t.kind == taskStep && anyStep(tasks, t) {
			continue // its children end one after the other: one look at all of them is enough
		}
		if t.kind == taskWork || t.delay > 0 || t.kind == taskPublish && untold[t.run] {
			messages = append(messages, a.message(t))
			continue
		}
		if a.now() >= deadline && !t.mustFollow() {
			messages = append(messages, a.message(t))
			continue
		}
		more, err := a.do(ctx, t)
		if err != nil {
			if t.kind == taskEnded || t.kind == taskRelease {
				untold[t.run] = true // the event about the end comes after them (P35)
			}
			messages = append(messages, a.leave(ctx, t, err)...)
			continue
		}
		tasks = append(tasks, more...)
	}
	return a.send(ctx, messages)
}

// leave gives the message by which somebody else does a task that could not be done here, if there is to be one. The
// state that the task follows from is committed: its due time brings it back, the poke only sooner.
func (a *App) leave(ctx context.Context, t task, err error) []outgoing {
	if unreadable(err) {
		// A poke would find the same, again and again. What cannot be read was reported and is parked; what is of a newer
		// version is still due, and the sweep brings it to a process that can read it.
		return nil
	}
	if leftToSweep(t) {
		a.log.WarnContext(ctx, "events are published later", "workflow", t.workflow, "run", t.run.String(), "error", err)
		return nil
	}
	a.log.DebugContext(ctx, "task is left to a poke", "task", t.kind, "workflow", t.workflow, "error", err)
	t.delay = max(t.delay, a.jitter())
	return []outgoing{a.message(t)}
}

// leftToSweep tells the tasks that publish. The bus may be away for long, and with everybody's events: the sweep tries
// again less and less often.
func leftToSweep(t task) bool { return t.kind == taskPublish || t.kind == taskChange }

// unreadable tells the errors of items that this process cannot read.
func unreadable(err error) bool {
	var corrupt *CorruptError
	return errors.As(err, &corrupt) || errors.Is(err, pack.ErrNewer)
}

// anyStep tells whether the attempt is to be looked at later on the list too.
func anyStep(tasks []task, t task) bool {
	for _, o := range tasks {
		if o.kind == taskStep && o.run == t.run && o.step == t.step && o.attempt == t.attempt {
			return true
		}
	}
	return false
}

// settleSoon has the tasks done outside the caller's request where that is possible.
func (a *App) settleSoon(ctx context.Context, tasks []task) error {
	if len(tasks) == 0 {
		return nil
	}
	if a.cfg.Defer == nil {
		return a.settle(ctx, tasks, 50*time.Millisecond)
	}
	a.cfg.Defer(func(ctx context.Context) {
		if err := a.settle(ctx, tasks, a.set.InlineBudget); err != nil {
			a.log.WarnContext(ctx, "follow-up is left to the sweep", "error", err)
		}
	})
	return nil
}

// do does one task and returns those that follow from it.
func (a *App) do(ctx context.Context, t task) ([]task, error) {
	switch t.kind {
	case taskOrder:
		return a.carryOut(ctx, t.workflow, t.order, t.own)
	case taskLane:
		return a.lookAtLane(ctx, t.workflow)
	case taskRun:
		m, err := a.moveRun(ctx, t.run, "", move{}, maxTries)
		if errors.Is(err, errNoRun) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return m.tasks, nil
	case taskEnded:
		return a.tellLane(ctx, t)
	case taskRelease:
		return a.releasePermits(ctx, t)
	case taskPublish:
		return a.publishRun(ctx, t.run, t.redo)
	case taskPermit:
		return a.lookAtPermit(ctx, t.permit)
	case taskDelete:
		return a.goOnDeleting(ctx, t.workflow)
	case taskSupersede:
		return a.supersede(ctx, t.run)
	case taskStep:
		return a.lookAtStep(ctx, t)
	case taskSignal:
		if t.stream != "" {
			name, err := a.signalOf(ctx, t.stream)
			if err != nil || name == "" {
				return nil, err
			}
			return a.lookAtSignal(ctx, name)
		}
		return a.lookAtSignal(ctx, t.workflow)
	case taskUnwait:
		return nil, a.stopWaiting(ctx, t)
	case taskTime:
		return a.lookAtTimes(ctx, t.workflow)
	case taskChange:
		return a.followChange(ctx, t.workflow)
	}
	return nil, fmt.Errorf("task %d is not one to be done here", t.kind)
}

// outgoing is a message with its queue.
type outgoing struct {
	queue queue.Name
	msg   queue.Message
}

// message is the poke that stands for a task. It names whom to look at; what to do follows from the state found there.
func (a *App) message(t task) outgoing {
	m := queue.Message{Group: t.workflow, Delay: time.Duration(t.delay) * time.Millisecond}
	if m.Delay > queue.MaxDelay {
		m.Delay = queue.MaxDelay
	}
	switch t.kind {
	case taskWork:
		m.Body = t.work.Encode()
		return outgoing{queue.Execute, m}
	case taskOrder, taskLane, taskEnded:
		// A lane that is looked at reads the heads of the runs that it lists, and finds their ends.
		m.Body = events.Poke{Kind: events.PokeLane, Workflow: t.workflow}.Encode()
	case taskPermit:
		m.Body = permitPoke(t.permit).Encode()
	case taskSignal:
		m.Body = events.Poke{Kind: events.PokeStream, Tag: t.stream}.Encode()
		if t.stream == "" {
			m.Body = events.Poke{Kind: events.PokeSignal, Tag: t.workflow}.Encode()
		}
	case taskStep:
		m.Body = events.Poke{Kind: events.PokeStep, Workflow: t.run.Workflow, Instance: t.run.Instance, Run: t.run.Run, Step: t.step, Attempt: t.attempt}.Encode()
	case taskTime:
		m.Body = events.Poke{Kind: events.PokeTime, Workflow: t.workflow}.Encode()
	case taskChange:
		m.Body = events.Poke{Kind: events.PokeChange, Workflow: t.workflow}.Encode()
	case taskDelete:
		m.Body = events.Poke{Kind: events.PokeDelete, Workflow: t.workflow}.Encode()
	default:
		m.Body = events.Poke{Kind: events.PokeRun, Workflow: t.run.Workflow, Instance: t.run.Instance, Run: t.run.Run}.Encode()
	}
	return outgoing{queue.Advance, m}
}

// send sends messages, grouped by queue, each distinct one once.
func (a *App) send(ctx context.Context, out []outgoing) error {
	for _, name := range queue.Names() {
		var msgs []queue.Message
		seen := map[string]bool{}
		for _, o := range out {
			id := o.msg.Delay.String() + string(o.msg.Body)
			if o.queue == name && !seen[id] {
				seen[id] = true
				msgs = append(msgs, o.msg)
			}
		}
		if len(msgs) == 0 {
			continue
		}
		a.count(CountSends, float64(len(msgs)))
		if err := a.cfg.Queue.Send(ctx, name, msgs); err != nil {
			return fmt.Errorf("send to %s: %w", name, err)
		}
	}
	return nil
}
