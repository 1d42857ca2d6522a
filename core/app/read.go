package app

import (
	"context"
	"errors"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// RunView is a run as a reader sees it: what its head names, and nothing else (P6).
type RunView struct {
	v *runView
	// fresh are the artifacts of live attempts of nested steps as their children are now, by step uuid: the stored ones
	// move only when a child ends.
	fresh map[string]step.Artifacts
}

// State is the run's state. The caller owns it, but for terminal attempts, which are shared.
func (r *RunView) State() *engine.State {
	st := r.v.state()
	for _, at := range engine.Nesting(st) {
		if a, ok := r.fresh[at.UUID]; ok {
			at.Artifacts = a // a copy of a live record, which belongs to this state
		}
	}
	return st
}

// Body is what the run was started with.
func (r *RunView) Body() *engine.Body { return r.v.body }

// ID names the run.
func (r *RunView) ID() store.RunID { return r.v.id }

// Attempts are all attempts of the run, by step and number.
func (r *RunView) Attempts() []*engine.Attempt {
	all := r.v.attempts()
	if len(r.fresh) == 0 {
		return all
	}
	all = append([]*engine.Attempt(nil), all...)
	for i, at := range all {
		if a, ok := r.fresh[at.UUID]; ok {
			c := *at
			c.Artifacts = a
			all[i] = &c
		}
	}
	return all
}

// noInstance is the answer to a read of what does not exist.
func noInstance(workflow string, instance int64) error {
	return fault.New(fault.NotFound, "workflow instance [%s][%d] is not found", workflow, instance)
}

func noRun(id store.RunID) error {
	return fault.New(fault.NotFound, "workflow instance run %s is not found", id)
}

// Run reads a run; run 0 is the newest of its instance. One that the lane has numbered and whose head does not exist yet
// is completed first: it was answered to its starter (P12).
func (a *App) Run(ctx context.Context, id store.RunID) (*RunView, error) {
	if id.Instance < 1 || id.Run < 0 {
		return nil, noRun(id)
	}
	v, err := a.readRun(ctx, id)
	if err == nil {
		err = a.refresh(ctx, v)
	}
	if !errors.Is(err, errNoRun) {
		return v, err
	}
	numbered, err := a.completeOrder(ctx, id)
	if err != nil {
		return nil, err
	}
	if numbered {
		if v, err = a.readRun(ctx, id); !errors.Is(err, errNoRun) {
			return v, err
		}
	}
	if id.Run == 0 {
		return nil, noInstance(id.Workflow, id.Instance)
	}
	return nil, noRun(id)
}

// StoredRun reads a run as it is stored. Unlike Run it writes nothing: neither is a run made that its lane has ordered,
// nor are children looked at, which may be in that state.
func (a *App) StoredRun(ctx context.Context, id store.RunID) (*RunView, error) {
	v, err := a.readRun(ctx, id)
	if errors.Is(err, errNoRun) {
		return nil, noRun(id)
	}
	return v, err
}

func (a *App) readRun(ctx context.Context, id store.RunID) (*RunView, error) {
	if id.Run == 0 {
		l, err := a.latestRun(ctx, id.Workflow, id.Instance)
		if err != nil {
			return nil, err
		}
		if l == nil {
			return nil, errNoRun
		}
		v, err := a.viewOf(ctx, l.ID, l.Item, "")
		if err != nil {
			return nil, err
		}
		return &RunView{v: v}, nil
	}
	v, err := a.loadRun(ctx, id, "")
	if err != nil {
		return nil, err
	}
	return &RunView{v: v}, nil
}

// completeOrder carries out the lane's order about a run, if there is one. It tells whether the instance has a number: its
// head may have been made, and the order dropped, since the caller missed it.
func (a *App) completeOrder(ctx context.Context, id store.RunID) (bool, error) {
	item, err := a.get(ctx, store.LaneKey(id.Workflow))
	if err != nil || !item.Exists() {
		return false, err
	}
	l, err := lane.Decode(item.Data)
	if err != nil {
		return false, a.park(item, err)
	}
	for _, o := range l.Orders {
		if o.Instance != id.Instance || id.Run != 0 && o.Run != id.Run || o.UUID == "" {
			continue
		}
		// Only the head is made here; the run begins with whoever carries the order out.
		if o.Target == lane.Begin {
			o.Target = lane.Queue
		}
		if _, err := a.carryOut(ctx, id.Workflow, o, false); err != nil {
			return false, err
		}
	}
	return id.Instance <= l.Latest, nil
}

// LatestInstance is the newest instance number of a workflow, 0 when it has none.
func (a *App) LatestInstance(ctx context.Context, workflow string) (int64, error) {
	if definition.IsInlineID(workflow) {
		item, err := a.get(ctx, store.InlineKey(workflow))
		if err != nil || !item.Exists() {
			return 0, err
		}
		n, err := store.DecodeNumber(item.Data)
		return n.Instance, err
	}
	item, err := a.get(ctx, store.LaneKey(workflow))
	if err != nil {
		return 0, err
	}
	l, err := lane.Decode(item.Data)
	if err != nil {
		return 0, a.park(item, err)
	}
	return l.Latest, nil
}

// FirstInstance is the oldest instance number that is not deleted.
func (a *App) FirstInstance(ctx context.Context, workflow string) (int64, error) {
	item, err := a.get(ctx, store.DeletedKey(workflow))
	if err != nil || !item.Exists() {
		return 1, err
	}
	n, err := store.DecodeNumber(item.Data)
	return n.Instance + 1, err
}

// Instances reads the newest runs of the instances from low to high, in that order; instances that do not exist are
// left out. It is one batch of a window of numbers, not a scan (P36).
func (a *App) Instances(ctx context.Context, workflow string, low, high int64) ([]*RunView, error) {
	var keys []table.Key
	for i := low; i <= high; i++ {
		keys = append(keys, store.RunKey(store.RunID{Workflow: workflow, Instance: i, Run: 1}), store.LatestKey(workflow, i))
	}
	items, err := a.batchGet(ctx, keys)
	if err != nil {
		return nil, err
	}
	var views []*RunView
	for i := low; i <= high; i++ {
		first, newest := items[2*(i-low)], items[2*(i-low)+1]
		id := store.RunID{Workflow: workflow, Instance: i, Run: 1}
		var v *runView
		switch {
		case newest.Exists():
			n, err := store.DecodeNumber(newest.Data)
			if err != nil {
				return nil, a.park(newest, err)
			}
			// The mark is written before the head of a restart: while that does not exist, the run before is the newest.
			for id.Run = n.Run; id.Run > 1; id.Run-- {
				if v, err = a.loadRun(ctx, id, ""); !errors.Is(err, errNoRun) {
					break
				}
			}
			if err != nil && !errors.Is(err, errNoRun) {
				return nil, err
			}
		case !first.Exists():
			r, err := a.Run(ctx, id)
			if fault.CodeOf(err) == fault.NotFound {
				continue
			}
			if err != nil {
				return nil, err
			}
			v = r.v
		}
		if v == nil {
			if v, err = a.viewOf(ctx, id, first, ""); err != nil {
				return nil, err
			}
		}
		views = append(views, &RunView{v: v})
	}
	return views, nil
}

// Runs reads the runs of an instance from low to high, in that order.
func (a *App) Runs(ctx context.Context, workflow string, instance, low, high int64) ([]*RunView, error) {
	var views []*RunView
	for r := low; r <= high; r++ {
		v, err := a.loadRun(ctx, store.RunID{Workflow: workflow, Instance: instance, Run: r}, "")
		if errors.Is(err, errNoRun) {
			continue
		}
		if err != nil {
			return nil, err
		}
		views = append(views, &RunView{v: v})
	}
	return views, nil
}

// LatestRunNumber is the newest run of an instance, 0 when there is none.
func (a *App) LatestRunNumber(ctx context.Context, workflow string, instance int64) (int64, error) {
	if instance < 1 {
		return 0, nil
	}
	l, err := a.latestRun(ctx, workflow, instance)
	if err != nil || l == nil {
		return 0, err
	}
	return l.ID.Run, nil
}

// NewestAttempts are, for every step that was ever created in an instance, the newest attempt over all of its runs, with
// the body of its run.
func (a *App) NewestAttempts(ctx context.Context, workflow string, instance int64) (map[string]*engine.Attempt, map[string]*engine.Body, error) {
	newest, bodies := map[string]*engine.Attempt{}, map[string]*engine.Body{}
	last, err := a.LatestRunNumber(ctx, workflow, instance)
	if err != nil {
		return nil, nil, err
	}
	runs, err := a.Runs(ctx, workflow, instance, 1, last)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range runs {
		seen := map[string]*engine.Attempt{}
		for _, at := range r.Attempts() {
			if have := seen[at.StepID]; have == nil || at.AttemptID > have.AttemptID {
				seen[at.StepID] = at
			}
		}
		for id, at := range seen {
			newest[id], bodies[id] = at, r.Body()
		}
	}
	return newest, bodies, nil
}

// Ping tells whether the table answers.
func (a *App) Ping(ctx context.Context) error {
	_, err := a.get(ctx, store.SequenceKey("ping"))
	return err
}
