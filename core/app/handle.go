package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sort"
	"time"

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
// grouped by run and folded together (P18), and so is what comes of starting, polling and stopping attempts of one run.
func (a *App) HandleBatch(ctx context.Context, name queue.Name, batch []queue.Delivery) (again []string) {
	switch {
	case name == queue.Complete:
		return a.foldCompletions(ctx, batch)
	case name == queue.Execute && len(batch) > 1:
		return a.executeBatch(ctx, batch)
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
		return a.handlePoke(ctx, pokeTask(p))
	case queue.Execute:
		w, err := events.ParseWork(d.Body)
		if err != nil {
			return err
		}
		return a.execute(ctx, store.RunID{Workflow: w.Workflow, Instance: w.Instance, Run: w.Run}, []events.Work{w})[0]
	case queue.Trigger:
		s, err := events.ParseStart(d.Body)
		if err != nil {
			return err
		}
		return a.StartFromEvent(ctx, s)
	}
	return fmt.Errorf("queue %s has no handler", name)
}

// handlePoke does what a poke asks for. A race that is lost, as hot heads lose many, is run again soon, by another poke.
// Other errors are the message's: the queue counts how often it is received, where pokes that are sent in each other's
// place would go round for ever.
func (a *App) handlePoke(ctx context.Context, t task) error {
	more, err := a.do(ctx, t)
	switch {
	case err == nil:
		return a.settle(ctx, more, a.set.InlineBudget)
	case lost(err), unreadable(err), leftToSweep(t):
		return a.send(ctx, a.leave(ctx, t, err))
	}
	return err
}

func pokeTask(p events.Poke) task {
	switch p.Kind {
	case events.PokeLane:
		return task{kind: taskLane, workflow: p.Workflow}
	case events.PokePermit:
		return task{kind: taskPermit, workflow: p.Workflow, permit: permitOfPoke(p)}
	case events.PokeStream:
		return task{kind: taskSignal, stream: p.Tag}
	case events.PokeSignal:
		return task{kind: taskSignal, workflow: p.Tag}
	case events.PokeStep:
		return stepTask(store.RunID{Workflow: p.Workflow, Instance: p.Instance, Run: p.Run}, p.Step, p.Attempt)
	case events.PokeChange:
		return task{kind: taskChange, workflow: p.Workflow}
	case events.PokeTime:
		return task{kind: taskTime, workflow: p.Workflow}
	case events.PokeDelete:
		return task{kind: taskDelete, workflow: p.Workflow}
	}
	return task{kind: taskRun, workflow: p.Workflow, run: store.RunID{Workflow: p.Workflow, Instance: p.Instance, Run: p.Run}}
}

// foldCompletions groups completions by run, folds those of a run in one decision and acknowledges after the commit.
func (a *App) foldCompletions(ctx context.Context, batch []queue.Delivery) (again []string) {
	type group struct {
		id       store.RunID
		outcomes []events.Outcome
		inputs   []engine.Input
		receipts []queue.Delivery
	}
	groups := map[store.RunID]*group{}
	for _, d := range batch {
		c, err := events.ParseCompletion(d.Body)
		var in []engine.Input
		var outcomes []events.Outcome
		if err == nil {
			outcomes = c.Outcomes()
			in, err = resultInputs(outcomes)
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
		g.inputs = append(g.inputs, in...)
		g.outcomes = append(g.outcomes, outcomes...)
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
			v, err := a.loadRun(ctx, g.id, "")
			if err != nil {
				return err
			}
			mv := inputs(g.inputs...)
			mv.have = v
			tries, outside := triesTogether, liveOutside(v.state())
			if outside <= foldAlone {
				tries = maxTries // few can be in the way
			}
			m, err := a.moveRun(ctx, g.id, "", mv, tries)
			if lost(err) {
				// Others fold into the same run. What they have and what lies here is decided the sooner the fewer decide it:
				// it goes back in one message, and is received together with the others'. The more of them there may be, the
				// longer the time over which they come back.
				spread := a.cfg.IDs.Float() * float64(outside) * foldMillis
				return a.complete(ctx, g.id, g.outcomes, a.jitter()+int64(spread))
			}
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

// triesTogether is how often completions of a run with many attempts outside are tried to be folded before they go back
// to meet others. Every try that loses costs its page and its head.
const triesTogether = 1

// foldMillis is about how long a fold keeps others from theirs: from the read of the head to its write, or half of it.
const foldMillis = 10

func resultInputs(outcomes []events.Outcome) ([]engine.Input, error) {
	in := make([]engine.Input, len(outcomes))
	for i, o := range outcomes {
		var result step.Result
		if err := json.Unmarshal(o.Result, &result); err != nil {
			return nil, err
		}
		in[i] = engine.Result{StepUUID: o.UUID, Result: result}
	}
	return in, nil
}

// foldAlone is up to how many attempts of a run may be outside at once for `execute` to fold its results itself. With
// more, results go through the completion queue, where they meet and share commits (P18).
const foldAlone = 4

// maxCompletion is up to how many bytes results fit into a message of the completion queue.
const maxCompletion = queue.MaxBody - 4096

// executeBatch does the work of a batch, that for one run with one look at the run and one fold of the results.
func (a *App) executeBatch(ctx context.Context, batch []queue.Delivery) (again []string) {
	type group struct {
		id    store.RunID
		works []events.Work
		from  []queue.Delivery
	}
	var groups []*group
	byRun := map[store.RunID]*group{}
	keep := func(d queue.Delivery, err error) {
		if fate := a.fateOf(ctx, queue.Execute, d, err); fate == Retry || fate == Later {
			again = append(again, d.Receipt)
		}
	}
	for _, d := range batch {
		w, err := events.ParseWork(d.Body)
		if err != nil {
			keep(d, err)
			continue
		}
		id := store.RunID{Workflow: w.Workflow, Instance: w.Instance, Run: w.Run}
		g := byRun[id]
		if g == nil {
			g = &group{id: id}
			byRun[id] = g
			groups = append(groups, g)
		}
		g.works, g.from = append(g.works, w), append(g.from, d)
	}
	errs := make([][]error, len(groups))
	a.parallel(len(groups), func(i int) {
		g := groups[i]
		receives := 0
		for _, d := range g.from {
			receives = max(receives, d.Receives)
		}
		defer func() {
			if p := recover(); p != nil { // the work for other runs is none the worse for it
				a.log.ErrorContext(ctx, "handler died", "queue", queue.Execute, "run", g.id.String(), "receives", receives, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				errs[i] = slices.Repeat([]error{fmt.Errorf("handler died: %v", p)}, len(g.works))
			}
		}()
		errs[i] = a.execute(withReceives(ctx, receives), g.id, g.works)
	})
	for i, g := range groups {
		for k, d := range g.from {
			keep(d, errs[i][k])
		}
	}
	return again
}

// parallel does n things, at once where the process has somebody to do so.
func (a *App) parallel(n int, do func(i int)) {
	if a.cfg.Parallel == nil || n == 1 {
		for i := range n {
			do(i)
		}
		return
	}
	a.cfg.Parallel(n, do)
}

// execute deals with the outside part of attempts of one run: it claims, calls the runtimes and hands the results to the
// run. It returns what became of each work.
func (a *App) execute(ctx context.Context, id store.RunID, works []events.Work) []error {
	errs := make([]error, len(works))
	all := func(err error) []error {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	v, err := a.loadRun(ctx, id, "")
	if err != nil {
		return all(err)
	}
	st := v.state()
	together := liveOutside(st) > foldAlone
	outcomes := make([]*events.Outcome, len(works))
	a.parallel(len(works), func(i int) {
		defer func() {
			if p := recover(); p != nil {
				errs[i] = fmt.Errorf("runtime of step %s died: %v\n%s", works[i].Step, p, debug.Stack())
			}
		}()
		var lasts bool
		outcomes[i], lasts, errs[i] = a.outside(ctx, v, st, works[i])
		if lasts && len(works) > 1 && outcomes[i] != nil {
			// Its call may have taken long, and others' may take longer: it waits for none.
			errs[i] = a.foldOutcomes(ctx, v, []events.Outcome{*outcomes[i]}, together)
			outcomes[i] = nil
		}
	})
	var list []events.Outcome
	for _, o := range outcomes {
		if o != nil {
			list = append(list, *o)
		}
	}
	if len(list) > 0 {
		err := a.foldOutcomes(ctx, v, list, together)
		for i, o := range outcomes {
			if o != nil {
				errs[i] = err
			}
		}
	}
	return errs
}

// foldOutcomes hands results to their run: at once, or, together, through the queue where they meet others.
func (a *App) foldOutcomes(ctx context.Context, v *runView, list []events.Outcome, together bool) error {
	size := 0
	for _, o := range list {
		size = max(size, len(o.Result))
	}
	fits := size < maxCompletion
	if together && fits {
		return a.complete(ctx, v.id, list, 0)
	}
	in, err := resultInputs(list)
	if err != nil {
		return err
	}
	mv := inputs(in...)
	mv.have = v
	m, err := a.moveRun(ctx, v.id, "", mv, maxTries)
	if err != nil {
		if lost(err) && fits {
			// The result is a fact that only this invocation knows: it must not wait for the next poll.
			return a.complete(ctx, v.id, list, a.jitter())
		}
		return err
	}
	return a.settle(ctx, m.tasks, a.set.InlineBudget)
}

// outside makes the call of one work. There is no outcome when nothing is to be done. lasts tells that such calls take
// as long as the work itself.
func (a *App) outside(ctx context.Context, v *runView, st *engine.State, w events.Work) (o *events.Outcome, lasts bool, err error) {
	ordinal, ok := v.body.DAG.Ordinal(w.Step)
	if !ok {
		return nil, false, nil
	}
	at := st.Steps[ordinal].Latest
	if at == nil || at.UUID != w.UUID || at.Status.Terminal() || !at.Outside {
		// The head decides (P22): the attempt has ended, or was never launched.
		return nil, false, nil
	}
	runtime, ok := a.cfg.Runtimes[engine.StepType(v.body, w.Step)]
	if !ok {
		return nil, false, fmt.Errorf("step %s of run %s: no runtime for its type", w.Step, v.id)
	}
	lasting, ok := runtime.(step.Lasting)
	lasts = ok && lasting.Lasts()
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
			return nil, lasts, nil
		}
		claimed, err := a.claim(ctx, w.UUID)
		if err != nil || !claimed {
			return nil, lasts, err
		}
		result, err = step.Launch(ctx, runtime, call)
		if err != nil {
			return nil, lasts, a.unclaim(ctx, w.UUID, err)
		}
	case events.WorkPoll:
		if at.Ending != nil {
			return nil, lasts, nil
		}
		if result, err = step.Check(ctx, runtime, call); err != nil {
			return nil, lasts, err
		}
	case events.WorkStop:
		if at.Ending == nil {
			return nil, lasts, nil
		}
		if at.Status == engine.StepStarting {
			// A start that is under way cannot be called back, and what it starts must not be left behind: the attempt
			// ends when that call has ended and its result is folded. Who has the claim here keeps every later start out;
			// the claim of a call that died gets old, and a later look at the attempt takes it over (P20, P21).
			claimed, err := a.claim(ctx, w.UUID)
			if err != nil || !claimed {
				return nil, lasts, err
			}
		}
		if result, err = step.Terminate(ctx, runtime, call); err != nil {
			if at.Status == engine.StepStarting {
				return nil, lasts, a.unclaim(ctx, w.UUID, err)
			}
			return nil, lasts, err
		}
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return nil, lasts, err
	}
	return &events.Outcome{UUID: w.UUID, Step: w.Step, Attempt: w.Attempt, Result: raw}, lasts, nil
}

// complete sends results to the completion queue, after delay milliseconds.
func (a *App) complete(ctx context.Context, id store.RunID, list []events.Outcome, delay int64) error {
	bodies, err := events.Completions(id.Workflow, id.Instance, id.Run, list, maxCompletion)
	if err != nil {
		return err
	}
	out := make([]outgoing, len(bodies))
	for i, body := range bodies {
		out[i] = outgoing{queue.Complete, queue.Message{Body: body, Group: id.Workflow, Delay: time.Duration(delay) * time.Millisecond}}
	}
	return a.send(ctx, out)
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
	if stood := a.now() - now; err == nil && stood > a.set.ClaimTimeout.Milliseconds()/4 {
		// An invocation that stood still before its write has claimed in the past: to others the claim looks old, and one of
		// them may call the outside at this moment.
		return false, fmt.Errorf("the claim of attempt %s took %d ms", uuid, stood)
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
