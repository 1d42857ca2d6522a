package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/loop"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// Restarts through nested steps (engine-runs-and-actions.md 3.3 to 3.6, step-types.md 5 to 7).

// delegate gives a restart to a step of a run that goes on: to a running foreach step for one of its iterations, else as
// the restart of the step itself.
func (a *App) delegate(ctx context.Context, v *RunView, stepID string, r engine.RestartRequest) (*Started, error) {
	started := &Started{
		WorkflowID: v.ID().Workflow, Version: v.Body().VersionID, Instance: v.ID().Instance, Run: v.ID().Run, UUID: v.Body().UUID, Step: stepID,
	}
	if at := engine.LatestAttempt(v.State(), stepID); at != nil && at.Status == engine.StepRunning {
		if raw, ok := at.Artifacts.Get(loop.ForeachKey); ok {
			started.Attempt = at.AttemptID
			return started, a.restartIteration(ctx, v, at, raw, r)
		}
	}
	acted, err := a.Act(ctx, v.ID(), engine.Action{Kind: engine.ActionRestart, StepID: stepID, User: r.User, Config: r.Config})
	if err != nil {
		return nil, err
	}
	started.Attempt = acted.AttemptID
	return started, nil
}

// restartIteration has a running foreach step restart one of its iterations (step-types.md 6.8).
func (a *App) restartIteration(ctx context.Context, v *RunView, at *engine.Attempt, raw []byte, r engine.RestartRequest) error {
	f, err := loop.ReadForeach(raw)
	if err != nil {
		return err
	}
	path := r.Config.Path
	if len(path) < 2 || path[len(path)-2].WorkflowID != f.WorkflowID {
		return fault.New(fault.BadRequest, "step [%s] is RUNNING and cannot be restarted", at.StepID)
	}
	id := path[len(path)-2].InstanceID
	if engine.FailsAtOnce(v.Body(), at.StepID) || f.Next < id {
		return fault.New(fault.BadRequest, "step [%s] cannot restart iteration %d", at.StepID, id)
	}
	latest, err := a.latestRun(ctx, f.WorkflowID, id)
	if err != nil {
		return err
	}
	if at.Ending != nil || f.Pending != nil || f.Overview.Restarted.Has(id) || latest == nil || !latest.Status.Terminal() {
		return fault.New(fault.Conflict, "another action is pending for iteration %d of step [%s]", id, at.StepID)
	}
	f.Pending = &loop.PendingRestart{ID: id, Run: latest.ID.Run, Config: r.Config, User: r.User, Time: a.now()}
	n := &nest{a: a, v: v.v, st: v.State(), at: at, def: engine.NestedStep(v.Body(), at.StepID)}
	tasks, err := n.keep(ctx, f)
	if err != nil {
		return err
	}
	return a.settleSoon(ctx, tasks)
}

// keep folds an artifact whose loop goes on.
func (n *nest) keep(ctx context.Context, f *loop.Foreach) ([]task, error) {
	return n.fold(ctx, loop.ForeachKey, f.AppendJSON(nil), goesOn())
}

// earlierAttempt is the newest attempt of the step before this one, over all runs of the instance; nil when there is
// none.
func (n *nest) earlierAttempt(ctx context.Context) (*engine.Attempt, error) {
	id := n.v.id
	for ; id.Run >= 1; id.Run-- {
		v := n.v
		if id.Run != n.v.id.Run {
			var err error
			if v, err = n.a.loadRun(ctx, id, ""); errors.Is(err, errNoRun) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		var newest *engine.Attempt
		for _, at := range v.attempts() {
			if at.StepID == n.at.StepID && at.UUID != n.at.UUID && len(at.Artifacts) > 0 && (newest == nil || at.AttemptID >= newest.AttemptID) {
				newest = at
			}
		}
		if newest != nil {
			return newest, nil
		}
	}
	return nil, nil
}

// restarts tells whether the attempt goes on from what earlier ones have left.
func (n *nest) restarts() bool { return !n.v.body.Policy.Fresh() || n.at.RestartConfig != nil }

// policy is the policy that the loop is restarted with.
func (n *nest) policy() engine.RunPolicy {
	if c := n.at.RestartConfig; c != nil {
		return c.Policy
	}
	return n.v.body.Policy
}

// largestRun is the largest run id that the body of a loop ever had.
func (n *nest) largestRun(ctx context.Context, inline string) (int64, error) {
	item, err := n.a.get(ctx, store.InlineKey(inline))
	if err != nil || !item.Exists() {
		return 0, err
	}
	known, err := store.DecodeNumber(item.Data)
	if err != nil {
		return 0, n.a.park(item, err)
	}
	return known.Run, nil
}

// noteInline keeps the largest numbers of iterations and runs of a body, before a run with them exists.
func (a *App) noteInline(ctx context.Context, inline string, instance, run int64) error {
	key := store.InlineKey(inline)
	for try := 0; ; try++ {
		item, err := a.get(ctx, key)
		if err != nil {
			return err
		}
		var known store.Number
		if item.Exists() {
			if known, err = store.DecodeNumber(item.Data); err != nil {
				return a.park(item, err)
			}
		}
		if known.Instance >= instance && known.Run >= run {
			return nil
		}
		next := store.Number{Instance: max(known.Instance, instance), Run: max(known.Run, run)}
		err = a.put(ctx, item, key, next.Encode(), 0)
		if err == nil || !lost(err) || try >= maxTriesWaiting {
			return err
		}
	}
}

// newForeach is the artifact that a foreach attempt begins with.
func (n *nest) newForeach(ctx context.Context, total int64) (*loop.Foreach, error) {
	if !n.restarts() {
		return loop.NewForeach(n.v.body, n.at, total, 0), nil
	}
	largest, err := n.largestRun(ctx, loop.InlineID(n.v.body, n.at.StepID, false))
	if err != nil {
		return nil, err
	}
	f := loop.NewForeach(n.v.body, n.at, total, largest)
	f.Policy = n.policy()
	if f.Policy != engine.RestartFromIncomplete && f.Policy != engine.RestartFromSpecific {
		return f, nil
	}
	earlier, err := n.earlierAttempt(ctx)
	if err != nil || earlier == nil {
		return f, err
	}
	raw, ok := earlier.Artifacts.Get(loop.ForeachKey)
	if !ok {
		return f, nil
	}
	old, err := loop.ReadForeach(raw)
	if err != nil {
		return nil, err
	}
	config := engine.ConfigOf(n.v.body, n.at)
	target := int64(0)
	if config != nil {
		if k := len(config.Path); k > 1 && config.Path[k-1].StepID == n.at.StepID && config.Path[k-2].WorkflowID == f.WorkflowID {
			target = config.Path[k-2].InstanceID
		}
	}
	again := f.GoOn(old, target)
	leaves, err := n.readChildren(ctx, f.WorkflowID, again)
	if err != nil {
		return nil, err
	}
	for i := range leaves {
		f.Overview.Forget(leaves[i].Leaves)
	}
	if target != 0 {
		f.Pending = &loop.PendingRestart{ID: target, Config: config, User: n.v.body.Initiator.User, Time: n.a.now()}
	}
	return f, nil
}

// relaunch starts an iteration that an earlier run of the step had: its newest run is restarted.
func (n *nest) relaunch(ctx context.Context, it engine.Iteration, config *engine.RestartConfig, run int64, away *engine.Away) ([]task, error) {
	prev, err := n.runBefore(ctx, it.WorkflowID, it.ID, run)
	if err != nil {
		return nil, err
	}
	if prev == nil {
		it.Policy = engine.RestartFromBeginning
		return n.launch(ctx, it, run, away)
	}
	policy, below, err := engine.Below(config, n.at.StepID, it.WorkflowID, it.ID, n.def.Steps)
	if err != nil {
		return nil, err
	}
	return n.restartRound(ctx, prev, it, policy, below, run, away)
}

// restartRound restarts a run of an iteration as run.
func (n *nest) restartRound(ctx context.Context, prev *runView, it engine.Iteration, policy engine.RunPolicy, below *engine.RestartConfig, run int64, away *engine.Away) ([]task, error) {
	r, err := engine.IterationRestart(n.v.body, n.at, it, policy, below, n.a.now())
	if err != nil {
		return nil, err
	}
	body, err := n.a.planRestart(ctx, &RunView{v: prev}, r)
	if err != nil {
		return nil, err
	}
	return n.a.begin(ctx, body, store.RunID{Workflow: it.WorkflowID, Instance: it.ID, Run: run}, away)
}

// runBefore is the newest run of an instance below a number; nil when there is none.
func (n *nest) runBefore(ctx context.Context, workflow string, instance, run int64) (*runView, error) {
	page, err := n.a.query(ctx, table.Query{
		PK: store.InstancePK(workflow, instance), Prefix: "h", To: store.RunKey(store.RunID{Workflow: workflow, Instance: instance, Run: run - 1}).SK,
		Reverse: true, Limit: 1,
	})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	id, ok := store.ParseRunKey(page.Items[0].Key)
	if !ok {
		return nil, fmt.Errorf("key %s is not that of a run", page.Items[0].Key)
	}
	return n.a.viewOf(ctx, id, page.Items[0], "")
}

// restartChild restarts the child that an earlier attempt of a subworkflow step has started; nil when there is none, or the
// run is a fresh one: then a child is started.
func (n *nest) restartChild(ctx context.Context, c *engine.ChildOf) (*Started, error) {
	if !n.restarts() {
		return nil, nil
	}
	earlier, err := n.earlierAttempt(ctx)
	if err != nil || earlier == nil {
		return nil, err
	}
	raw, ok := earlier.Artifacts.Get(loop.SubworkflowKey)
	if !ok {
		return nil, nil
	}
	s, err := loop.ReadSubworkflow(raw)
	if err != nil {
		return nil, err
	}
	prev, err := n.a.Run(ctx, store.RunID{Workflow: s.WorkflowID, Instance: s.InstanceID})
	if err != nil {
		return nil, err
	}
	if prev.Body().UUID == c.Request.RequestID {
		// The restart was made, by a pass that died before it named it.
		return &Started{WorkflowID: s.WorkflowID, Version: prev.Body().VersionID, Instance: s.InstanceID, Run: prev.ID().Run, UUID: prev.Body().UUID}, nil
	}
	policy, below, err := engine.Below(engine.ConfigOf(n.v.body, n.at), n.at.StepID, s.WorkflowID, s.InstanceID, nil)
	if err != nil {
		return nil, err
	}
	return n.a.Restart(ctx, prev, c.ChildRestart(policy, below))
}

// takePending restarts the iteration that somebody asked for. The run is made first, under a number and an id that
// everybody computes alike, and named after: a crash in between finds it there.
func (n *nest) takePending(ctx context.Context, f *loop.Foreach, space engine.Space) ([]task, error) {
	p := f.Pending
	run := max(f.Run, p.Run) + 1
	prev, err := n.runBefore(ctx, f.WorkflowID, p.ID, run)
	if err != nil {
		return nil, err
	}
	f.Pending = nil
	if prev == nil || !prev.head.Run.Status.Terminal() {
		return n.keep(ctx, f) // out of date
	}
	old, err := n.a.overview(ctx, &RunView{v: prev})
	if err != nil {
		return nil, err
	}
	if err := n.a.noteInline(ctx, f.WorkflowID, f.Next, run); err != nil {
		return nil, err
	}
	it, err := f.Iteration(space, p.ID, run)
	if err != nil {
		return nil, err
	}
	policy, below, err := engine.Below(p.Config, n.at.StepID, f.WorkflowID, p.ID, n.def.Steps)
	var tasks []task
	if err == nil {
		tasks, err = n.restartRound(ctx, prev, it, policy, below, run, nil)
	}
	if err != nil {
		if !userError(err) {
			return nil, err
		}
		more, err2 := n.say(ctx, f, fmt.Sprintf("iteration %d is not restarted", p.ID), err)
		return more, err2
	}
	f.Overview.Take(p.ID, loop.LeavesOf(old))
	more, err := n.keep(ctx, f)
	return append(more, tasks...), err
}

// newWhile is the artifact that a while attempt begins with.
func (n *nest) newWhile(ctx context.Context, start []loopMember) (*loop.While, error) {
	w := loop.NewWhile(n.v.body, n.at, start, 0)
	if !n.restarts() {
		return w, nil
	}
	w.Policy = n.policy()
	earlier, err := n.earlierAttempt(ctx)
	if err != nil || earlier == nil {
		return w, err
	}
	raw, ok := earlier.Artifacts.Get(loop.WhileKey)
	if !ok {
		return w, nil
	}
	old, err := loop.ReadWhile(raw)
	if err != nil {
		return nil, err
	}
	w.Run = old.Run + 1
	from := int64(0)
	config := engine.ConfigOf(n.v.body, n.at)
	switch w.Policy {
	case engine.RestartFromIncomplete:
		from = old.Last
	case engine.RestartFromSpecific:
		if config != nil {
			if k := len(config.Path); k > 1 && config.Path[k-1].StepID == n.at.StepID && config.Path[k-2].WorkflowID == w.WorkflowID {
				from = config.Path[k-2].InstanceID
			}
		}
	}
	if from > old.Last {
		return nil, fault.New(fault.BadRequest, "iteration %d of step [%s] was never run: the last is %d", from, n.at.StepID, old.Last)
	}
	if from <= 0 {
		return w, nil
	}
	w.GoOn(old, from)
	for id := int64(1); id < from; id++ {
		r, err := n.a.Run(ctx, store.RunID{Workflow: w.WorkflowID, Instance: id})
		if fault.CodeOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		o, err := n.a.overview(ctx, r)
		if err != nil {
			return nil, err
		}
		w.Earlier.Add(loop.LeavesOf(o))
	}
	return w, nil
}

// InlineRoot is the newest run of the nearest workflow above an iteration that is no loop's body.
func (a *App) InlineRoot(ctx context.Context, v *RunView) (*RunView, error) {
	list := v.Body().Initiator.Ancestors
	for i := len(list) - 1; i >= 0; i-- {
		if !definition.IsInlineID(list[i].WorkflowID) {
			return a.Run(ctx, store.RunID{Workflow: list[i].WorkflowID, Instance: list[i].InstanceID})
		}
	}
	return v, nil
}
