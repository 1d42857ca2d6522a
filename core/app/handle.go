package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sort"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// Fate is what becomes of a message.
type Fate uint8

// The fates. Nothing is ever dropped because it cannot be read: such a message goes back until the queue moves it to
// the dead-letter queue, where a person finds it, and from where a redrive is harmless.
const (
	Done    Fate = iota // handled, or nothing was left to do: acknowledged
	Retry               // comes again after the visibility time-out; after MaxReceives it is in the dead-letter queue
	Later               // of a newer version: comes again, when the deployment has gone on
	Dropped             // about something that no longer exists: acknowledged, counted
)

func (f Fate) String() string {
	return [...]string{"done", "retry", "later", "dropped"}[f]
}

// HandleBatch handles deliveries of a queue and returns the receipts of those that must come again. Completions are
// grouped by run and folded together (P18).
func (a *App) HandleBatch(ctx context.Context, name queue.Name, batch []queue.Delivery) (again []string) {
	if name == queue.Complete {
		return a.foldCompletions(ctx, batch)
	}
	for _, d := range batch {
		if fate := a.Handle(ctx, name, d); fate == Retry || fate == Later {
			again = append(again, d.Receipt)
		}
	}
	return again
}

// Handle handles one delivery.
func (a *App) Handle(ctx context.Context, name queue.Name, d queue.Delivery) (fate Fate) {
	defer func() {
		if p := recover(); p != nil {
			a.log.ErrorContext(ctx, "handler died", "queue", name, "receives", d.Receives, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			fate = Retry
			a.count(CountRetried, 1)
		}
	}()
	err := a.handle(withReceives(ctx, d.Receives), name, d)
	return a.fateOf(ctx, name, d, err)
}

func (a *App) fateOf(ctx context.Context, name queue.Name, d queue.Delivery, err error) Fate {
	var newer *events.NewerError
	var corrupt *CorruptError
	switch {
	case err == nil:
		a.count(CountDone, 1)
		return Done
	case errors.Is(err, errNoRun):
		a.log.InfoContext(ctx, "message about a run that does not exist", "queue", name, "body", string(d.Body))
		a.count(CountDropped, 1)
		return Dropped
	case errors.As(err, &newer), errors.Is(err, pack.ErrNewer):
		a.count(CountRetried, 1)
		return Later
	case errors.As(err, &corrupt):
		// The head was reported when it was parked. The message says nothing that is not in it.
		a.count(CountDropped, 1)
		return Dropped
	}
	a.count(CountRetried, 1)
	level := a.log.WarnContext
	if lost(err) || d.Receives > 1 {
		// A lost race is nothing to worry about, and what comes again for the third time says nothing new.
		level = a.log.DebugContext
	}
	level(ctx, "message comes again", "queue", name, "receives", d.Receives, "error", err)
	return Retry
}

func (a *App) handle(ctx context.Context, name queue.Name, d queue.Delivery) error {
	switch name {
	case queue.Advance:
		p, err := events.ParsePoke(d.Body)
		if err != nil {
			return err
		}
		return a.settle(ctx, []task{pokeTask(p)}, a.set.InlineBudget)
	case queue.Execute:
		w, err := events.ParseWork(d.Body)
		if err != nil {
			return err
		}
		return a.execute(ctx, w)
	case queue.Trigger:
		s, err := events.ParseStart(d.Body)
		if err != nil {
			return err
		}
		return a.StartFromEvent(ctx, s)
	}
	return fmt.Errorf("queue %s has no handler", name)
}

func pokeTask(p events.Poke) task {
	switch p.Kind {
	case events.PokeLane:
		return task{kind: taskLane, workflow: p.Workflow}
	case events.PokePermit:
		return task{kind: taskPermit, workflow: p.Workflow, permit: permitOfPoke(p)}
	case events.PokeSignal:
		return task{kind: taskSignal, workflow: p.Tag}
	case events.PokeStep:
		return stepTask(store.RunID{Workflow: p.Workflow, Instance: p.Instance, Run: p.Run}, p.Step, p.Attempt)
	case events.PokeChange:
		return task{kind: taskChange, workflow: p.Workflow}
	case events.PokeDelete:
		return task{kind: taskDelete, workflow: p.Workflow}
	}
	return task{kind: taskRun, workflow: p.Workflow, run: store.RunID{Workflow: p.Workflow, Instance: p.Instance, Run: p.Run}}
}

// foldCompletions groups completions by run, folds those of a run in one decision and acknowledges after the commit.
func (a *App) foldCompletions(ctx context.Context, batch []queue.Delivery) (again []string) {
	type group struct {
		id       store.RunID
		inputs   []engine.Input
		receipts []queue.Delivery
	}
	groups := map[store.RunID]*group{}
	for _, d := range batch {
		c, err := events.ParseCompletion(d.Body)
		var result step.Result
		if err == nil {
			err = json.Unmarshal(c.Result, &result)
		}
		if err != nil {
			if fate := a.fateOf(ctx, queue.Complete, d, err); fate == Retry || fate == Later {
				again = append(again, d.Receipt)
			}
			continue
		}
		id := store.RunID{Workflow: c.Workflow, Instance: c.Instance, Run: c.Run}
		g := groups[id]
		if g == nil {
			g = &group{id: id}
			groups[id] = g
		}
		g.inputs = append(g.inputs, engine.Result{StepUUID: c.UUID, Result: result})
		g.receipts = append(g.receipts, d)
	}
	order := make([]*group, 0, len(groups))
	for _, g := range groups {
		order = append(order, g)
	}
	sort.Slice(order, func(i, j int) bool { return order[i].id.String() < order[j].id.String() })
	for _, g := range order {
		err := func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("decision died: %v\n%s", p, debug.Stack())
				}
			}()
			receives := 0
			for _, d := range g.receipts {
				receives = max(receives, d.Receives)
			}
			ctx := withReceives(ctx, receives)
			m, err := a.moveRun(ctx, g.id, "", inputs(g.inputs...), maxTries)
			if err != nil {
				return err
			}
			return a.settle(ctx, m.tasks, a.set.InlineBudget)
		}()
		for _, d := range g.receipts {
			if fate := a.fateOf(ctx, queue.Complete, d, err); fate == Retry || fate == Later {
				again = append(again, d.Receipt)
			}
		}
	}
	return again
}

// foldAlone is up to how many attempts of a run may be outside at once for `execute` to fold its result itself. With
// more, results go through the completion queue, where they meet and share commits (P18).
const foldAlone = 4

// maxCompletion is up to how many bytes a result fits into a message of the completion queue.
const maxCompletion = queue.MaxBody - 4096

// execute deals with the outside part of an attempt: it claims, calls the runtime and hands the result to the run.
func (a *App) execute(ctx context.Context, w events.Work) error {
	id := store.RunID{Workflow: w.Workflow, Instance: w.Instance, Run: w.Run}
	v, err := a.loadRun(ctx, id, "")
	if err != nil {
		return err
	}
	st := v.state()
	ordinal, ok := v.body.DAG.Ordinal(w.Step)
	if !ok {
		return nil
	}
	at := st.Steps[ordinal].Latest
	if at == nil || at.UUID != w.UUID || at.Status.Terminal() || !at.Outside {
		// The head decides (P22): the attempt has ended, or was never launched.
		return nil
	}
	runtime, ok := a.cfg.Runtimes[engine.StepType(v.body, w.Step)]
	if !ok {
		return fmt.Errorf("step %s of run %s: no runtime for its type", w.Step, id)
	}
	call := engine.CallOf(v.body, at, a.now())
	var result step.Result
	if w.Op == events.WorkStart && at.Ending != nil {
		// The action was first (P22): this message carries the stop out, should the stop's own have met the claim of a
		// start that failed since.
		w.Op = events.WorkStop
	}
	switch w.Op {
	case events.WorkStart:
		if at.Status != engine.StepStarting {
			return nil
		}
		claimed, err := a.claim(ctx, w.UUID)
		if err != nil || !claimed {
			return err
		}
		result, err = step.Launch(ctx, runtime, call)
		if err != nil {
			return a.unclaim(ctx, w.UUID, err)
		}
	case events.WorkPoll:
		if at.Ending != nil {
			return nil
		}
		if result, err = step.Check(ctx, runtime, call); err != nil {
			return err
		}
	case events.WorkStop:
		if at.Ending == nil {
			return nil
		}
		if at.Status == engine.StepStarting {
			// A start that is under way cannot be called back, and what it starts must not be left behind: the attempt
			// ends when that call has ended and its result is folded. Who has the claim here keeps every later start out;
			// the claim of a call that died gets old, and a later look at the attempt takes it over (P20, P21).
			claimed, err := a.claim(ctx, w.UUID)
			if err != nil || !claimed {
				return err
			}
		}
		if result, err = step.Terminate(ctx, runtime, call); err != nil {
			if at.Status == engine.StepStarting {
				return a.unclaim(ctx, w.UUID, err)
			}
			return err
		}
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return err
	}
	if liveOutside(st) > foldAlone && len(raw) < maxCompletion {
		return a.complete(ctx, w, raw)
	}
	m, err := a.moveRun(ctx, id, "", inputs(engine.Result{StepUUID: w.UUID, Result: result}), maxTries)
	if err != nil {
		if lost(err) && len(raw) < maxCompletion {
			// The result is a fact that only this invocation knows: it must not wait for the next poll.
			return a.complete(ctx, w, raw)
		}
		return err
	}
	return a.settle(ctx, m.tasks, a.set.InlineBudget)
}

// complete sends a result to the completion queue.
func (a *App) complete(ctx context.Context, w events.Work, raw []byte) error {
	c := events.Completion{UUID: w.UUID, Workflow: w.Workflow, Instance: w.Instance, Run: w.Run, Step: w.Step, Attempt: w.Attempt, Result: raw}
	body, err := c.Encode()
	if err != nil {
		return err
	}
	return a.send(ctx, []outgoing{{queue.Complete, queue.Message{Body: body, Group: w.Workflow}}})
}

func liveOutside(st *engine.State) int {
	n := 0
	for i := range st.Steps {
		if at := st.Steps[i].Latest; at != nil && at.Outside && !at.Status.Terminal() {
			n++
		}
	}
	return n
}

// claim takes the attempt's claim: absent, or older than any invocation can live, or of a process that is gone. Who
// holds it calls the outside (P20).
func (a *App) claim(ctx context.Context, uuid string) (bool, error) {
	key := store.ClaimKey(uuid)
	now := a.now()
	// A claim outlives the attempt and names no workflow: it expires on its own, long after every message about it.
	expires := now/1000 + 30*24*3600
	mine := table.Write{Item: table.Item{Key: key, Rev: 1, Order: now, Expires: expires, Tokens: []table.Token{table.Token(a.cfg.IDs.Token())}},
		Cond: table.OrderBelow(max(now-a.set.ClaimTimeout.Milliseconds(), a.cfg.Since))}
	err := a.write(ctx, mine)
	if table.CodeOf(err) == table.CodeConflict {
		return false, nil
	}
	return err == nil, err
}

// unclaim gives a claim back after a call that is known to have done nothing, so that the message that comes again need
// not wait for the claim to age.
func (a *App) unclaim(ctx context.Context, uuid string, cause error) error {
	err := a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: store.ClaimKey(uuid)}, Cond: table.None()})
	if err != nil {
		return errors.Join(cause, err)
	}
	return cause
}
