package app

import (
	"context"
	"slices"

	"github.com/downbeat/downbeat/core/breakpoint"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// Breakpoints are kept twice: as items that lists show, and as names on the control item, which every decision reads
// anyway. The control item is what counts.

func breakpointName(scope, step string) string { return scope + "/" + step }

// breakpointScope finds where a step of the default version lies, inside which kind of loop.
func breakpointScope(c *Ctl, w *definition.Workflow, step string) (string, bool) {
	var find func(steps []*definition.Step, outermost breakpoint.Loop) (breakpoint.Loop, bool)
	find = func(steps []*definition.Step, outermost breakpoint.Loop) (breakpoint.Loop, bool) {
		for _, s := range steps {
			if s.ID == step {
				return outermost, true
			}
			inner := outermost
			if inner == breakpoint.NoLoop {
				switch s.Form {
				case definition.ForeachForm:
					inner = breakpoint.Foreach
				case definition.WhileForm:
					inner = breakpoint.While
				}
			}
			if l, ok := find(s.Steps, inner); ok {
				return l, true
			}
		}
		return "", false
	}
	loop, ok := find(w.Steps, breakpoint.NoLoop)
	if !ok {
		return "", false
	}
	return breakpoint.PlacedScope(c.Control.WorkflowID, c.Control.InternalID, loop), true
}

// scopes are the scopes under which breakpoints of a workflow may be kept.
func scopes(c *definition.Control) []string {
	return []string{
		breakpoint.PlacedScope(c.WorkflowID, c.InternalID, breakpoint.NoLoop),
		breakpoint.PlacedScope(c.WorkflowID, c.InternalID, breakpoint.Foreach),
		breakpoint.PlacedScope(c.WorkflowID, c.InternalID, breakpoint.While),
	}
}

// SetBreakpoint sets a breakpoint on a step of the default version; one that exists is overwritten.
func (a *App) SetBreakpoint(ctx context.Context, workflow, step, user string) (breakpoint.Breakpoint, error) {
	var b breakpoint.Breakpoint
	var life int64
	err := a.changeCtl(ctx, workflow, func(c *Ctl) error {
		if c.Control == nil {
			return definition.UnknownWorkflow(workflow)
		}
		v, err := a.Version(ctx, c.Control, c.Control.DefaultVersion())
		if err != nil {
			return err
		}
		if v == nil {
			return definition.MissingVersion(workflow, c.Control.DefaultVersion())
		}
		scope, ok := breakpointScope(c, v.Workflow, step)
		if !ok {
			return breakpoint.NoStep(workflow, step)
		}
		b = breakpoint.Breakpoint{Scope: scope, StepID: step, CreateTime: a.now(), CreatedBy: user}
		life = c.Control.InternalID
		name := breakpointName(scope, step)
		if i, ok := slices.BinarySearch(c.Breakpoints, name); !ok {
			c.Breakpoints = slices.Insert(slices.Clone(c.Breakpoints), i, name)
		}
		return nil
	})
	if err != nil {
		return b, err
	}
	// The order tells a deletion of the workflow whether the item belongs to the life that it deletes.
	item := table.Item{Key: store.BreakpointKey(workflow, b.Scope, step), Rev: 1, Order: life, Data: b.Encode()}
	return b, a.write(ctx, table.Write{Item: item, Cond: table.OrderBelow(life + 1)})
}

// changeCtl changes the control item beside a workflow's definition.
func (a *App) changeCtl(ctx context.Context, workflow string, change func(c *Ctl) error) error {
	for try := 0; ; try++ {
		c, err := a.loadCtl(ctx, workflow)
		if err != nil {
			return err
		}
		if err := change(c); err != nil {
			return err
		}
		err = a.put(ctx, c.item, store.CtlKey(workflow), c.encode(), c.item.Due)
		if err == nil || !lost(err) || try >= maxTriesWaiting {
			return err
		}
		if err := a.backOff(ctx, try); err != nil {
			return err
		}
	}
}

// Breakpoints lists the breakpoints of a step, at most one; NOT_FOUND for an unknown workflow.
func (a *App) Breakpoints(ctx context.Context, workflow, step string) ([]breakpoint.Breakpoint, error) {
	c, err := a.loadCtl(ctx, workflow)
	if err != nil {
		return nil, err
	}
	if c.Control == nil {
		return nil, definition.UnknownWorkflow(workflow)
	}
	var list []breakpoint.Breakpoint
	for _, scope := range scopes(c.Control) {
		if _, ok := slices.BinarySearch(c.Breakpoints, breakpointName(scope, step)); !ok {
			continue
		}
		it, err := a.get(ctx, store.BreakpointKey(workflow, scope, step))
		if err != nil {
			return nil, err
		}
		if !it.Exists() {
			continue
		}
		b, err := breakpoint.Decode(it.Data)
		if err != nil {
			return nil, a.park(it, err)
		}
		list = append(list, b)
	}
	return list, nil
}

// DeleteBreakpoint removes the breakpoint of a step. With resume, the attempts that paused at it go on; it returns how
// many.
func (a *App) DeleteBreakpoint(ctx context.Context, workflow, step, user string, resume bool) (int, error) {
	list, err := a.Breakpoints(ctx, workflow, step)
	if err != nil {
		return 0, err
	}
	if len(list) == 0 {
		return 0, breakpoint.NotFound(workflow, step)
	}
	resumed := 0
	for _, b := range list {
		err := a.changeCtl(ctx, workflow, func(c *Ctl) error {
			if i, ok := slices.BinarySearch(c.Breakpoints, breakpointName(b.Scope, step)); ok {
				c.Breakpoints = slices.Delete(slices.Clone(c.Breakpoints), i, i+1)
			}
			return nil
		})
		if err != nil {
			return resumed, err
		}
		if err := a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: store.BreakpointKey(workflow, b.Scope, step)}}); err != nil {
			return resumed, err
		}
		if !resume {
			continue
		}
		paused, err := a.pausedIn(ctx, b.Scope, step)
		if err != nil {
			return resumed, err
		}
		for _, p := range paused {
			_, err := a.ResumeAttempt(ctx, p.Attempt, user)
			if err != nil && fault.CodeOf(err) != fault.NotFound {
				return resumed, err
			}
			resumed++
		}
	}
	return resumed, nil
}

// PausedAttempts lists the attempts of a step that paused and were not resumed.
func (a *App) PausedAttempts(ctx context.Context, workflow, step string) ([]breakpoint.Paused, error) {
	ctl, err := a.Control(ctx, workflow)
	if err != nil {
		return nil, err
	}
	if ctl == nil {
		return nil, definition.UnknownWorkflow(workflow)
	}
	var list []breakpoint.Paused
	for _, scope := range scopes(ctl) {
		in, err := a.pausedIn(ctx, scope, step)
		if err != nil {
			return nil, err
		}
		list = append(list, in...)
	}
	breakpoint.Sort(list)
	return list, nil
}

func (a *App) pausedIn(ctx context.Context, scope, step string) ([]breakpoint.Paused, error) {
	var list []breakpoint.Paused
	after := ""
	for {
		page, err := a.query(ctx, table.Query{PK: store.PausedPK(scope, step), After: after})
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			after = it.SK
			p, err := breakpoint.DecodePaused(it.Data)
			if err != nil {
				return nil, a.park(it, err)
			}
			list = append(list, p)
		}
		if !page.More {
			return list, nil
		}
	}
}

// ResumeAttempt ends the pause of one attempt. RunID 0 is the newest run; it returns the attempt with the number of its
// run.
func (a *App) ResumeAttempt(ctx context.Context, at breakpoint.Attempt, user string) (breakpoint.Attempt, error) {
	id := store.RunID{Workflow: at.WorkflowID, Instance: at.InstanceID, Run: at.RunID}
	if id.Run == 0 {
		v, err := a.Run(ctx, id)
		if err != nil {
			return at, err
		}
		id = v.ID()
		at.RunID = id.Run
	}
	key := store.PausedKey(breakpoint.Scope(at.WorkflowID), at.StepID, id, at.AttemptID)
	it, err := a.get(ctx, key)
	if err != nil {
		return at, err
	}
	if !it.Exists() {
		return at, breakpoint.NotPaused(at)
	}
	m, err := a.tellRun(ctx, id, engine.Resume{StepID: at.StepID, AttemptID: at.AttemptID, User: user})
	if err != nil {
		return at, err
	}
	// An attempt that was ended while it paused has left its record (a quirk of Maestro's): resuming it only takes the
	// record away, so the decider's refusal is not the caller's business.
	// The record goes after the run was told: a crash in between leaves a record to be resumed again, which does nothing.
	if err := a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: key}}); err != nil {
		return at, err
	}
	return at, a.settleSoon(ctx, m.tasks)
}

// recordPauses stores the records of attempts that pause, before the commit that pauses them: a list never lacks one.
func (a *App) recordPauses(ctx context.Context, v *runView, changed []*engine.Attempt, now int64) error {
	for _, at := range changed {
		if at.Status != engine.StepPaused || at.Times.Pause == 0 {
			continue
		}
		p := breakpoint.Paused{Attempt: breakpoint.Attempt{WorkflowID: v.id.Workflow, InstanceID: v.id.Instance, RunID: v.id.Run, StepID: at.StepID,
			AttemptID: at.AttemptID}, VersionID: v.body.VersionID, CreateTime: now}
		key := store.PausedKey(breakpoint.Scope(v.id.Workflow), at.StepID, v.id, at.AttemptID)
		if err := a.write(ctx, table.Write{Item: table.Item{Key: key, Rev: 1, Data: p.Encode()}}); err != nil {
			return err
		}
	}
	return nil
}
