package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/loop"
	"github.com/downbeat/downbeat/core/param"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/timeline"
	"github.com/downbeat/downbeat/core/view"
)

// Nested steps (P24). Looking at an attempt is one pass: read the children that its artifact names, decide, fold the next
// artifact into the parent. A child is named by a committed artifact before it exists, so whoever finds a named child
// without a head launches it, and a stop that walks the named ones misses nobody. Children that end have their parent
// looked at; what is lost on the way is found by the parent's poll.

// lookAtStep takes one pass over an attempt of a nested step.
func (a *App) lookAtStep(ctx context.Context, t task) ([]task, error) {
	v, err := a.loadRun(ctx, t.run, "")
	if errors.Is(err, errNoRun) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	st := v.state()
	at := engine.LatestAttempt(st, t.step)
	if at == nil || at.AttemptID != t.attempt || at.Status != engine.StepRunning && at.Status != engine.StepStarting {
		return nil, nil
	}
	def := engine.NestedStep(v.body, t.step)
	if def == nil {
		return nil, nil
	}
	n := &nest{a: a, v: v, st: st, at: at, def: def}
	switch def.Type {
	case definition.Foreach:
		return n.foreach(ctx)
	case definition.While:
		return n.while(ctx)
	}
	return n.subworkflow(ctx)
}

// stepTask has an attempt of a nested step looked at.
func stepTask(id store.RunID, stepID string, attempt int64) task {
	return task{kind: taskStep, workflow: id.Workflow, run: id, step: stepID, attempt: attempt}
}

// parentTask has the parent of a run looked at; false for a run without one.
func parentTask(b *engine.Body) (task, bool) {
	list := b.Initiator.Ancestors
	if len(list) == 0 {
		return task{}, false
	}
	p := list[len(list)-1]
	return stepTask(store.RunID{Workflow: p.WorkflowID, Instance: p.InstanceID, Run: p.RunID}, p.StepID, p.AttemptID), true
}

// nest is one pass over one attempt.
type nest struct {
	a   *App
	v   *runView
	st  *engine.State
	at  *engine.Attempt
	def *engine.Step
	// reading is set when nothing is to be moved: children are shown as they are, to any depth.
	reading bool
}

// fold hands the outcome of a pass to the parent, unless it says nothing new.
func (n *nest) fold(ctx context.Context, key string, artifact []byte, p engine.Pass) ([]task, error) {
	p.StepUUID, p.Key = n.at.UUID, key
	p.Basis, _ = n.at.Artifacts.Get(key)
	if artifact != nil {
		if bytes.Equal(artifact, p.Basis) && p.State == step.Continue && !p.Kill {
			return nil, nil
		}
		p.Artifacts = step.Artifacts{{Key: key, JSON: artifact}}
	}
	p.Running = p.Basis != nil || artifact != nil
	m, err := n.a.moveRun(ctx, n.v.id, "", inputs(p), maxTriesWaiting)
	if err != nil {
		return nil, err
	}
	return m.tasks, nil
}

// refuse ends the attempt FATALLY_FAILED for a reason that its user can do something about.
func (n *nest) refuse(ctx context.Context, key string, artifact []byte, err error) ([]task, error) {
	lines := []string{err.Error()}
	var f *fault.Error
	if errors.As(err, &f) {
		lines = append(lines, f.Errors...)
	}
	var p engine.Pass
	p.State = step.FatalError
	p.Timeline = []timeline.Event{timeline.Failure(n.a.now(), "the step cannot go on", lines...)}
	return n.fold(ctx, key, artifact, p)
}

// userError tells whether an error is one that the user's definition or request caused.
func userError(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Code != fault.InternalError
}

// child is a run that a step has named.
type child struct {
	loop.Child
	view *runView // nil while it has no head
}

// shown is the child for its overview; nil while it has no head.
func (c *child) shown() *RunView {
	if c.view == nil {
		return nil
	}
	return &RunView{v: c.view}
}

// id is the key of a child of a loop.
func childID(workflow string, c loop.Child) store.RunID {
	return store.RunID{Workflow: workflow, Instance: c.ID, Run: c.Run}
}

// readChildren reads the heads of children in one batch, and of those that have one what their overview is made of.
func (n *nest) readChildren(ctx context.Context, workflow string, wanted []loop.Child) ([]child, error) {
	list := make([]child, len(wanted))
	keys := make([]table.Key, 0, len(wanted))
	for i, c := range wanted {
		if c.Run == 0 {
			l, err := n.a.latestRun(ctx, workflow, c.ID)
			if err != nil {
				return nil, err
			}
			if l != nil {
				c.Run = l.ID.Run
			}
		}
		list[i].Child = c
		keys = append(keys, store.RunKey(childID(workflow, c)))
	}
	items, err := n.a.batchGet(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, item := range items {
		if !item.Exists() {
			continue
		}
		c := &list[i]
		if c.view, err = n.a.viewOf(ctx, childID(workflow, c.Child), item, ""); err != nil {
			return nil, err
		}
		c.Status = c.view.head.Run.Status
		r := &RunView{v: c.view}
		if n.reading && !c.Status.Terminal() {
			if err := n.a.refresh(ctx, r); err != nil {
				return nil, err
			}
		}
		o, err := n.a.overview(ctx, r)
		if err != nil {
			return nil, err
		}
		if o != nil {
			c.Leaves = &o.Rollup
		}
	}
	return list, nil
}

func plain(children []child) []loop.Child {
	list := make([]loop.Child, len(children))
	for i := range children {
		list[i] = children[i].Child
	}
	return list
}

// overview is the runtime overview of a run, nil while it has none.
func (a *App) overview(ctx context.Context, r *RunView) (*view.Overview, error) {
	expanded, err := a.expanded(ctx, r.v)
	if err != nil {
		return nil, err
	}
	return view.OverviewOf(r.State(), view.Base(r.v.body, expanded))
}

// expanded gives the roll-ups of the nested steps whose results stand from earlier runs of the instance.
func (a *App) expanded(ctx context.Context, v *runView) (func(engine.StepView) *view.Rollup, error) {
	rollups := map[string]*view.Rollup{}
	if v.body.Baseline != nil {
		for _, s := range v.body.Baseline.Views {
			def := v.body.Workflow.Step(s.StepID)
			if _, inside := v.body.DAG.Ordinal(s.StepID); inside || s.RunID == 0 || def == nil || def.Type.Leaf() {
				continue
			}
			earlier, err := a.loadRun(ctx, store.RunID{Workflow: v.id.Workflow, Instance: v.id.Instance, Run: s.RunID}, "")
			if errors.Is(err, errNoRun) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if at := engine.LatestAttempt(earlier.state(), s.StepID); at != nil {
				if rollups[s.StepID], err = view.Children(at); err != nil {
					return nil, err
				}
			}
		}
	}
	return func(s engine.StepView) *view.Rollup { return rollups[s.StepID] }, nil
}

// Expanded gives the roll-ups of the nested steps of a run whose results stand from earlier runs (view.InstanceOptions).
func (a *App) Expanded(ctx context.Context, r *RunView) (func(engine.StepView) *view.Rollup, error) {
	return a.expanded(ctx, r.v)
}

// refresh looks at the children of live attempts for a reader.
func (a *App) refresh(ctx context.Context, r *RunView) error {
	st := r.v.state()
	for _, at := range engine.Nesting(st) {
		n := &nest{a: a, v: r.v, st: st, at: at, def: engine.NestedStep(r.v.body, at.StepID), reading: true}
		artifact, key, err := n.look(ctx)
		if err != nil {
			return err
		}
		if artifact != nil {
			if r.fresh == nil {
				r.fresh = map[string]step.Artifacts{}
			}
			r.fresh[at.UUID] = at.Artifacts.Merged(step.Artifacts{{Key: key, JSON: artifact}})
		}
	}
	return nil
}

// look gives the artifact as the children are now; nil while the attempt has none.
func (n *nest) look(ctx context.Context) (artifact []byte, key string, err error) {
	if raw, ok := n.at.Artifacts.Get(loop.ForeachKey); ok {
		f, err := loop.ReadForeach(raw)
		if err != nil {
			return nil, "", err
		}
		children, err := n.readChildren(ctx, f.WorkflowID, f.Wanted())
		if err != nil {
			return nil, "", err
		}
		f.Look(plain(children))
		return f.AppendJSON(nil), loop.ForeachKey, nil
	}
	if raw, ok := n.at.Artifacts.Get(loop.WhileKey); ok {
		w, err := loop.ReadWhile(raw)
		if err != nil || w.Last < w.First {
			return nil, "", err
		}
		children, err := n.readChildren(ctx, w.WorkflowID, []loop.Child{{ID: w.Last, Run: w.Run}})
		if err != nil {
			return nil, "", err
		}
		w.Look(children[0].Child, n.overviewJSON(ctx, children[0].shown()))
		return w.AppendJSON(nil), loop.WhileKey, nil
	}
	if raw, ok := n.at.Artifacts.Get(loop.SubworkflowKey); ok && n.def.IsSync() {
		s, err := loop.ReadSubworkflow(raw)
		if err != nil {
			return nil, "", err
		}
		r, err := n.a.Run(ctx, store.RunID{Workflow: s.WorkflowID, Instance: s.InstanceID, Run: s.RunID})
		if fault.CodeOf(err) == fault.NotFound {
			return nil, "", nil
		}
		if err != nil {
			return nil, "", err
		}
		s.Overview = n.overviewJSON(ctx, r)
		return s.AppendJSON(nil), loop.SubworkflowKey, nil
	}
	return nil, "", nil
}

// Foreach.

func (n *nest) foreach(ctx context.Context) ([]task, error) {
	raw, named := n.at.Artifacts.Get(loop.ForeachKey)
	space, err := engine.SpaceOf(n.at)
	if err != nil {
		return n.refuse(ctx, loop.ForeachKey, nil, err)
	}
	var f *loop.Foreach
	if named {
		f, err = loop.ReadForeach(raw)
	} else {
		if n.at.Ending != nil {
			return n.stopped(ctx, loop.ForeachKey, nil)
		}
		f, err = n.newForeach(ctx, space.Total)
	}
	if err != nil {
		return nil, err
	}
	children, err := n.readChildren(ctx, f.WorkflowID, f.Wanted())
	if err != nil {
		return nil, err
	}
	if n.at.Ending != nil {
		return n.stopForeach(ctx, f, space, children)
	}
	if f.Pending != nil && named {
		return n.takePending(ctx, f, space)
	}
	// Those named before are launched first: the next names come from a pass that sees them.
	var tasks []task
	launched := false
	for i := range children {
		c := &children[i]
		if c.view != nil || c.Known {
			continue
		}
		if !launched {
			if err := n.a.noteInline(ctx, f.WorkflowID, f.Next, f.Run); err != nil {
				return nil, err
			}
		}
		more, err := n.launchIteration(ctx, f, space, c.ID, nil)
		if userError(err) {
			more, err = n.refuse(ctx, loop.ForeachKey, f.AppendJSON(nil), err)
			return append(tasks, more...), err
		}
		if err != nil {
			return nil, err
		}
		tasks, launched = append(tasks, more...), true
	}
	if launched {
		return append(tasks, n.again()), nil
	}
	if f.Next < f.Total {
		if err := engine.CheckBody(n.v.body, n.at.StepID, f.WorkflowID); err != nil {
			return n.refuse(ctx, loop.ForeachKey, f.AppendJSON(nil), err)
		}
	}
	pass := f.Pass(plain(children), loop.ForeachStep{
		Limit: engine.IterationLimit(n.v.body, n.def), Strict: n.def.IsStrictOrdering(), FailImmediately: engine.FailsAtOnce(n.v.body, n.at.StepID),
	})
	var p engine.Pass
	p.State, p.Kill = pass.State, pass.Kill
	return n.fold(ctx, loop.ForeachKey, f.AppendJSON(nil), p)
}

// again has this attempt looked at once more, after what was started for it.
func (n *nest) again() task { return stepTask(n.v.id, n.at.StepID, n.at.AttemptID) }

// launchIteration starts an iteration that is named, or makes it STOPPED at once.
func (n *nest) launchIteration(ctx context.Context, f *loop.Foreach, space engine.Space, id int64, away *engine.Away) ([]task, error) {
	it, err := f.Iteration(space, id, f.Run)
	if err != nil {
		return nil, err
	}
	if f.Ancestors != nil && id <= *f.Ancestors {
		return n.relaunch(ctx, it, engine.ConfigOf(n.v.body, n.at), f.Run, away)
	}
	if err := n.fromBeginning(&it); err != nil {
		return nil, err
	}
	return n.launch(ctx, it, f.Run, away)
}

// fromBeginning says how an iteration that never ran is launched in a restart.
func (n *nest) fromBeginning(it *engine.Iteration) error {
	if !n.restarts() {
		return nil
	}
	it.Policy = engine.RestartFromBeginning
	config := engine.ConfigOf(n.v.body, n.at)
	if config == nil || len(config.Path) != 1 {
		return nil
	}
	_, below, err := engine.Below(config, n.at.StepID, it.WorkflowID, it.ID, n.def.Steps)
	it.Config = below
	return err
}

// launch plans the run of an iteration, stores its start, and begins it. All of it may be repeated by anybody: the start
// is written where there is none, the head is created where it is absent.
func (n *nest) launch(ctx context.Context, it engine.Iteration, run int64, away *engine.Away) ([]task, error) {
	a := n.a
	env := a.newPlanEnv(ctx, n.v.body.WorkflowID)
	var body *engine.Body
	for round := 0; ; round++ {
		var err error
		body, err = engine.PlanIteration(n.v.body, n.at, it, env)
		if again, err2 := env.again(ctx, err, round); err2 != nil {
			return nil, err2
		} else if !again {
			break
		}
	}
	return a.begin(ctx, body, store.RunID{Workflow: it.WorkflowID, Instance: it.ID, Run: run}, away)
}

// begin stores the start of an iteration and begins its run, which no lane numbers.
func (a *App) begin(ctx context.Context, body *engine.Body, id store.RunID, away *engine.Away) ([]task, error) {
	data, err := store.EncodeBody(body)
	if err != nil {
		return nil, err
	}
	kept, err := a.bodies.Keep(ctx, store.RunBlobs(body.WorkflowID, body.InternalID, id.Instance), data)
	if err != nil {
		return nil, err
	}
	if err := a.put(ctx, table.Item{}, store.StartKey(id.Workflow, body.UUID), kept, 0); err != nil && table.CodeOf(err) != table.CodeConflict {
		return nil, err
	}
	if id.Run > 1 {
		if err := a.setLatest(ctx, id); err != nil {
			return nil, err
		}
	}
	mv := inputs(engine.Begin{})
	switch {
	case away != nil:
		mv = move{away: away}
	case body.StartFailure != nil:
		mv = move{away: &engine.Away{Kind: engine.AwayFailed}}
	}
	m, err := a.moveRun(ctx, id, body.UUID, mv, maxTriesWaiting)
	if err != nil {
		return nil, err
	}
	return m.tasks, nil
}

// stopForeach ends every named iteration, and the attempt when all have ended.
func (n *nest) stopForeach(ctx context.Context, f *loop.Foreach, space engine.Space, children []child) ([]task, error) {
	tasks, live, err := n.endChildren(ctx, f.WorkflowID, children, func(id int64, away *engine.Away) ([]task, error) {
		return n.launchIteration(ctx, f, space, id, away)
	})
	if err != nil {
		return nil, err
	}
	if live {
		// Those that ended at once are seen by the pass that follows, the others have it made when they end.
		return append(tasks, n.lookAfterStop(children, tasks)...), nil
	}
	if p := f.Pending; p != nil {
		// Its run may have been made, by a pass that died before it named it.
		run := max(f.Run, p.Run) + 1
		made, err := n.a.get(ctx, store.RunKey(store.RunID{Workflow: f.WorkflowID, Instance: p.ID, Run: run}))
		if err != nil {
			return nil, err
		}
		if made.Exists() {
			return n.takePending(ctx, f, space)
		}
		f.Pending = nil
	}
	f.Stopping(plain(children))
	more, err := n.stopped(ctx, loop.ForeachKey, f.AppendJSON(nil))
	return append(tasks, more...), err
}

// lookAfterStop asks for one more pass when an end has been caused.
func (n *nest) lookAfterStop(children []child, tasks []task) []task {
	for i := range children {
		if children[i].view == nil {
			return []task{n.again()}
		}
	}
	return nil
}

// endChildren passes the ending of the attempt on to the children that have not ended. live tells whether there are any.
func (n *nest) endChildren(ctx context.Context, workflow string, children []child, unborn func(id int64, away *engine.Away) ([]task, error)) (tasks []task, live bool, err error) {
	e := n.at.Ending
	for i := range children {
		c := &children[i]
		if c.Status.Terminal() || c.Known {
			continue
		}
		live = true
		var more []task
		if c.view == nil {
			more, err = unborn(c.ID, &engine.Away{Kind: engine.AwayCancelled, User: e.User, Reason: e.Reason})
		} else {
			more, err = n.endRun(ctx, childID(workflow, c.Child))
		}
		if err != nil {
			return nil, false, err
		}
		tasks = append(tasks, more...)
	}
	return tasks, live, nil
}

// endRun passes the ending of the attempt on to a run. Whatever it is, the run ends STOPPED.
func (n *nest) endRun(ctx context.Context, id store.RunID) ([]task, error) {
	e := n.at.Ending
	m, err := n.a.moveRun(ctx, id, "", inputs(engine.Action{Kind: engine.ActionStop, User: e.User, Reason: e.Reason, Upstream: true}), maxTriesWaiting)
	if errors.Is(err, errNoRun) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m.tasks, nil
}

// stopped tells the parent that nothing below the attempt is left.
func (n *nest) stopped(ctx context.Context, key string, artifact []byte) ([]task, error) {
	var p engine.Pass
	p.State = step.Stopped
	return n.fold(ctx, key, artifact, p)
}

// While.

func (n *nest) while(ctx context.Context) ([]task, error) {
	raw, named := n.at.Artifacts.Get(loop.WhileKey)
	start, err := loop.StartOf(n.at)
	if userError(err) {
		return n.refuse(ctx, loop.WhileKey, nil, err)
	}
	if err != nil {
		return nil, err
	}
	var w *loop.While
	if named {
		w, err = loop.ReadWhile(raw)
	} else {
		if n.at.Ending != nil {
			return n.stopped(ctx, loop.WhileKey, nil)
		}
		w, err = n.newWhile(ctx, start)
	}
	if userError(err) {
		return n.refuse(ctx, loop.WhileKey, nil, err)
	}
	if err != nil {
		return nil, err
	}
	var p engine.Pass
	p.State = step.Continue
	if w.Last >= w.First {
		children, err := n.readChildren(ctx, w.WorkflowID, []loop.Child{{ID: w.Last, Run: w.Run}})
		if err != nil {
			return nil, err
		}
		c := &children[0]
		if n.at.Ending != nil {
			return n.stopWhile(ctx, w, start, c)
		}
		if c.view == nil {
			tasks, err := n.launchRound(ctx, w, start, nil)
			if userError(err) {
				return n.refuse(ctx, loop.WhileKey, w.AppendJSON(nil), err)
			}
			if err != nil {
				return nil, err
			}
			return append(tasks, n.again()), nil
		}
		p.State = w.Look(c.Child, n.overviewJSON(ctx, c.shown()))
		if p.State != step.Continue || c.Status != engine.InstanceSucceeded {
			return n.fold(ctx, loop.WhileKey, w.AppendJSON(nil), p)
		}
		if !w.Known(w.Last + 1) {
			w.Assign(c.view.attempts())
		}
	} else if n.at.Ending != nil {
		return n.stopped(ctx, loop.WhileKey, w.AppendJSON(nil))
	}
	values, err := w.ValuesOf(w.Last+1, start)
	if err != nil {
		return n.refuse(ctx, loop.WhileKey, w.AppendJSON(nil), err)
	}
	holds, err := n.condition(ctx, values)
	if err != nil {
		if lost(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		return n.refuse(ctx, loop.WhileKey, w.AppendJSON(nil), err)
	}
	if !holds {
		p.State = step.Done
		return n.fold(ctx, loop.WhileKey, w.AppendJSON(nil), p)
	}
	before := w.AppendJSON(nil)
	err = loop.CheckScalars(n.at.StepID, values)
	if err == nil {
		err = engine.CheckBody(n.v.body, n.at.StepID, w.WorkflowID)
	}
	if err == nil {
		err = n.checkRound(ctx, w)
	}
	if err == nil {
		err = w.Name(n.at.StepID)
	}
	if userError(err) {
		return n.refuse(ctx, loop.WhileKey, before, err)
	}
	if err != nil {
		return nil, err
	}
	return n.fold(ctx, loop.WhileKey, w.AppendJSON(nil), p)
}

func (n *nest) launchRound(ctx context.Context, w *loop.While, types []param.Member, away *engine.Away) ([]task, error) {
	values, err := w.ValuesOf(w.Last, types)
	if err != nil {
		return nil, err
	}
	if err := n.a.noteInline(ctx, w.WorkflowID, w.Last, w.Run); err != nil {
		return nil, err
	}
	it := engine.Iteration{
		WorkflowID: w.WorkflowID, Identity: w.Identity, ID: w.Last, Values: values, UUID: loop.IterationUUID(w.WorkflowID, w.Run, w.Last, true),
	}
	if err := n.fromBeginning(&it); err != nil {
		return nil, err
	}
	if n.restarts() {
		if w.Last == w.First && w.Run > 1 {
			return n.relaunchRound(ctx, w, it, away)
		}
	}
	return n.launch(ctx, it, w.Run, away)
}

// checkRound tells whether the next iteration can be launched: the first one of a restarted loop needs the run that it is
// restarted from.
func (n *nest) checkRound(ctx context.Context, w *loop.While) error {
	if !n.restarts() || w.Last+1 != w.First || w.Run == 1 || w.Policy == engine.RestartFromBeginning {
		return nil
	}
	item, err := n.a.get(ctx, store.RunKey(store.RunID{Workflow: w.WorkflowID, Instance: w.First, Run: w.Run - 1}))
	if err == nil && !item.Exists() {
		err = fault.New(fault.BadRequest, "iteration %d of step [%s] has no run %d to be restarted from", w.First, n.at.StepID, w.Run-1)
	}
	return err
}

// relaunchRound restarts the iteration that a restarted loop goes on with, from the run before under exactly its number
// (a quirk of Maestro's: an iteration that was last run under an older one cannot be restarted).
func (n *nest) relaunchRound(ctx context.Context, w *loop.While, it engine.Iteration, away *engine.Away) ([]task, error) {
	prev, err := n.a.loadRun(ctx, store.RunID{Workflow: w.WorkflowID, Instance: it.ID, Run: w.Run - 1}, "")
	if errors.Is(err, errNoRun) {
		if w.Policy == engine.RestartFromBeginning {
			return n.launch(ctx, it, w.Run, away)
		}
		return nil, fault.New(fault.BadRequest, "iteration %d of step [%s] has no run %d to be restarted from", it.ID, n.at.StepID, w.Run-1)
	}
	if err != nil {
		return nil, err
	}
	policy, below, err := engine.Below(engine.ConfigOf(n.v.body, n.at), n.at.StepID, it.WorkflowID, it.ID, n.def.Steps)
	if err != nil {
		return nil, err
	}
	return n.restartRound(ctx, prev, it, policy, below, w.Run, away)
}

func (n *nest) stopWhile(ctx context.Context, w *loop.While, types []param.Member, c *child) ([]task, error) {
	tasks, live, err := n.endChildren(ctx, w.WorkflowID, []child{*c}, func(_ int64, away *engine.Away) ([]task, error) {
		return n.launchRound(ctx, w, types, away)
	})
	if err != nil {
		return nil, err
	}
	if live {
		return append(tasks, n.lookAfterStop([]child{*c}, tasks)...), nil
	}
	w.Look(c.Child, n.overviewJSON(ctx, c.shown()))
	return n.stopped(ctx, loop.WhileKey, w.AppendJSON(nil))
}

// overviewJSON is the runtime overview of a child as its parent keeps it.
func (n *nest) overviewJSON(ctx context.Context, r *RunView) []byte {
	if r == nil {
		return nil
	}
	o, err := n.a.overview(ctx, r)
	if err != nil {
		n.a.log.WarnContext(ctx, "the overview of a child is left out", "run", r.ID().String(), "error", err)
		return nil
	}
	if o == nil {
		return nil
	}
	return o.AppendJSON(nil)
}

// condition evaluates the condition of a while step, with what it reads of other runs.
func (n *nest) condition(ctx context.Context, values []param.Member) (bool, error) {
	env, err := n.a.newEnv(ctx, n.v, nil)
	if err != nil {
		return false, err
	}
	for round := 0; ; round++ {
		holds, err := engine.LoopCondition(n.v.state(), n.at.StepID, values, env)
		var need *engine.NeedError
		if !errors.As(err, &need) {
			return holds, err
		}
		if round == maxRounds {
			return false, fmt.Errorf("the condition of step %s still lacks data after %d rounds", n.at.StepID, maxRounds)
		}
		if err := env.load(ctx, need.Keys); err != nil {
			return false, err
		}
	}
}

// Subworkflow.

func (n *nest) subworkflow(ctx context.Context) ([]task, error) {
	raw, named := n.at.Artifacts.Get(loop.SubworkflowKey)
	if !named {
		return n.startChild(ctx)
	}
	s, err := loop.ReadSubworkflow(raw)
	if err != nil {
		return nil, err
	}
	var p engine.Pass
	p.State = step.Done
	if !n.def.IsSync() && n.at.Ending == nil {
		return n.fold(ctx, loop.SubworkflowKey, nil, p)
	}
	id := store.RunID{Workflow: s.WorkflowID, Instance: s.InstanceID, Run: s.RunID}
	r, err := n.a.Run(ctx, id)
	if fault.CodeOf(err) == fault.NotFound {
		p.State = step.FatalError
		if n.at.Ending != nil {
			p.State = step.Stopped
		}
		p.Timeline = []timeline.Event{timeline.LineAt(n.a.now(), timeline.Warn, "run %s of the child does not exist", id)}
		return n.fold(ctx, loop.SubworkflowKey, nil, p)
	}
	if err != nil {
		return nil, err
	}
	s.Overview = n.overviewJSON(ctx, r)
	status := r.State().Run.Status
	if n.at.Ending == nil {
		p.State = loop.Result(status)
		return n.fold(ctx, loop.SubworkflowKey, s.AppendJSON(nil), p)
	}
	if !status.Terminal() {
		if !n.def.IsSync() {
			return nil, nil // the child is independent: it is waited for, not stopped
		}
		return n.endRun(ctx, id)
	}
	p.State = step.Stopped
	return n.fold(ctx, loop.SubworkflowKey, s.AppendJSON(nil), p)
}

// startChild starts the child of a subworkflow step, once per attempt, and names it in the artifact.
func (n *nest) startChild(ctx context.Context) ([]task, error) {
	uuid := loop.SubworkflowUUID(n.v.body, n.at)
	c, err := engine.SubworkflowOf(n.v.body, n.at, uuid, nil, n.a.now())
	if err != nil {
		return n.refuse(ctx, loop.SubworkflowKey, nil, err)
	}
	if n.at.Ending != nil {
		numbered, err := n.a.get(ctx, store.NumberKey(c.WorkflowID, uuid))
		if err != nil {
			return nil, err
		}
		if !numbered.Exists() {
			// Should a start be under way, its run finds that the step has ended, and does not begin.
			return n.stopped(ctx, loop.SubworkflowKey, nil)
		}
	}
	started, err := n.restartChild(ctx, c)
	if started == nil && err == nil {
		started, err = n.a.Start(ctx, c.WorkflowID, c.Version, "", c.Request)
	}
	if err != nil {
		if userError(err) {
			return n.refuse(ctx, loop.SubworkflowKey, nil, err)
		}
		return nil, err
	}
	if started.Duplicated {
		if err := n.a.adopt(ctx, started); err != nil {
			return nil, err
		}
	}
	s := loop.Subworkflow{
		WorkflowID: c.WorkflowID, VersionID: started.Version, InstanceID: started.Instance, RunID: started.Run, UUID: uuid,
	}
	var p engine.Pass
	p.State = step.Continue
	p.Timeline = []timeline.Event{timeline.Line(n.a.now(), "the step started run %s", loop.RunIdentity(s.WorkflowID, s.InstanceID, s.RunID))}
	return n.fold(ctx, loop.SubworkflowKey, s.AppendJSON(nil), p)
}

// adopt completes the answer to a start that was made before.
func (a *App) adopt(ctx context.Context, s *Started) error {
	item, err := a.get(ctx, store.NumberKey(s.WorkflowID, s.UUID))
	if err != nil {
		return err
	}
	if !item.Exists() {
		return fault.New(fault.InternalError, "start %s of workflow %s is being numbered", s.UUID, s.WorkflowID)
	}
	number, err := store.DecodeNumber(item.Data)
	if err != nil {
		return a.park(item, err)
	}
	s.Instance, s.Run, s.Rejected = number.Instance, number.Run, number.Rejected
	r, err := a.Run(ctx, store.RunID{Workflow: s.WorkflowID, Instance: s.Instance, Run: s.Run})
	if err != nil {
		return err
	}
	s.Version = r.Body().VersionID
	return nil
}

// orphaned tells whether a run that is about to begin was started by a step that does not want it any more (P24).
func (a *App) orphaned(ctx context.Context, b *engine.Body) (bool, error) {
	list := b.Initiator.Ancestors
	if b.Initiator.Type != engine.BySubworkflow || len(list) == 0 || list[len(list)-1].Sync != nil && !*list[len(list)-1].Sync {
		return false, nil
	}
	p := list[len(list)-1]
	v, err := a.loadRun(ctx, store.RunID{Workflow: p.WorkflowID, Instance: p.InstanceID, Run: p.RunID}, "")
	if errors.Is(err, errNoRun) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	at := engine.LatestAttempt(v.state(), p.StepID)
	return at == nil || at.AttemptID != p.AttemptID || at.Ending != nil || at.Status.Terminal(), nil
}

// goesOn is the outcome of a pass that ends nothing.
func goesOn() engine.Pass {
	var p engine.Pass
	p.State = step.Continue
	return p
}

// say keeps an artifact with a line about what did not work.
func (n *nest) say(ctx context.Context, f *loop.Foreach, what string, err error) ([]task, error) {
	p := goesOn()
	p.Timeline = []timeline.Event{timeline.Failure(n.a.now(), what, err.Error())}
	return n.fold(ctx, loop.ForeachKey, f.AppendJSON(nil), p)
}

// loopMember is a loop param with its value.
type loopMember = param.Member

// Owner is the workflow whose definition a run executes: of an iteration the one that holds the loop.
func Owner(r *RunView) string { return owner(r.v.body) }
