package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/downbeat/downbeat/core/breakpoint"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// Ctl is what every decision about a workflow reads in one strong get.
type Ctl struct {
	item  table.Item
	token table.Token // of the write that was tried last
	// Control is nil while the workflow does not exist.
	Control *definition.Control
	// Breakpoints name the steps that have one, with their scopes, sorted.
	Breakpoints []string
	// Lines is how many lines the change timeline has.
	Lines int64
	// Unsent are the events of changes that have not been published, as EncodePublished gives them. The item is due while
	// there are any, or while the lane has not been told of a change.
	Unsent [][]byte
}

// ctlFormat is the newest stored format. Format 1 has no Unsent.
const ctlFormat = 2

func (c *Ctl) encode() []byte {
	var w pack.Writer
	w.Format(ctlFormat)
	control := []byte{}
	if c.Control != nil {
		control = c.Control.AppendJSON(nil)
	}
	w.Bytes(control)
	w.Uint(uint64(len(c.Breakpoints)))
	for _, b := range c.Breakpoints {
		w.Str(b)
	}
	w.Int(c.Lines)
	w.Uint(uint64(len(c.Unsent)))
	for _, e := range c.Unsent {
		w.Bytes(e)
	}
	return w.Buf
}

func (a *App) decodeCtl(item table.Item) (*Ctl, error) {
	c := &Ctl{item: item}
	if !item.Exists() {
		return c, nil
	}
	r, format, err := pack.NewReader(item.Data, ctlFormat)
	if err != nil {
		return nil, err
	}
	if data := r.Bytes(); len(data) > 0 {
		if c.Control, err = a.readControl(data); err != nil {
			return nil, err
		}
	}
	for n := r.Count(); n > 0; n-- {
		c.Breakpoints = append(c.Breakpoints, r.Str())
	}
	c.Lines = r.Int()
	if format > 1 {
		for n := r.Count(); n > 0; n-- {
			c.Unsent = append(c.Unsent, r.Bytes())
		}
	}
	return c, r.Err()
}

// readControl reads the control of a workflow, which every decision about it needs and which rarely changes: what was
// read of the same bytes is kept.
func (a *App) readControl(data []byte) (*definition.Control, error) {
	key := "control " + string(data)
	if c, ok := a.cache.get(key); ok {
		return c.(*definition.Control), nil
	}
	c, err := decoded(a, "control", data, func() (*definition.Control, error) { return definition.ReadControl(data) })
	if err == nil {
		a.cache.put(key, c, 5*len(data)+500)
	}
	return c, err
}

// loadCtl reads the control item; of an unknown workflow it has no Control.
func (a *App) loadCtl(ctx context.Context, workflow string) (*Ctl, error) {
	item, err := a.get(ctx, store.CtlKey(workflow))
	if err != nil {
		return nil, err
	}
	c, err := a.decodeCtl(item)
	if err != nil {
		return nil, a.park(item, err)
	}
	return c, nil
}

// HasBreakpoint tells whether attempts of a step of the workflow pause; workflow may be that of a loop body.
func (c *Ctl) HasBreakpoint(workflow, stepID string) bool {
	if len(c.Breakpoints) == 0 {
		return false
	}
	_, ok := slices.BinarySearch(c.Breakpoints, breakpointName(breakpoint.Scope(workflow), stepID))
	return ok
}

// Strategy is the run strategy in force; it is never snapshotted with a run.
func (c *Ctl) Strategy() lane.Strategy {
	s := definition.DefaultRunStrategy()
	if c.Control != nil && c.Control.Properties.RunStrategy != nil {
		s = *c.Control.Properties.RunStrategy
	}
	rule, ok := lane.ParseRule(string(s.Rule))
	if !ok {
		rule = lane.Sequential
	}
	return lane.Strategy{Rule: rule, Concurrency: int(s.WorkflowConcurrency)}
}

// Control is the state of a workflow id, nil when it does not exist.
func (a *App) Control(ctx context.Context, workflow string) (*definition.Control, error) {
	c, err := a.loadCtl(ctx, workflow)
	if err != nil {
		return nil, err
	}
	return c.Control, nil
}

// Version reads a version of a workflow's definition; nil when there is none with that number.
func (a *App) Version(ctx context.Context, ctl *definition.Control, version int64) (*definition.Version, error) {
	vs, err := a.Versions(ctx, ctl, []int64{version})
	if err != nil {
		return nil, err
	}
	return vs[0], nil
}

// Versions reads several versions, in the order of numbers; nil for one that does not exist.
func (a *App) Versions(ctx context.Context, ctl *definition.Control, numbers []int64) ([]*definition.Version, error) {
	return a.versions(ctx, ctl.WorkflowID, ctl.InternalID, numbers)
}

func (a *App) versions(ctx context.Context, workflow string, internalID int64, numbers []int64) ([]*definition.Version, error) {
	out := make([]*definition.Version, len(numbers))
	var keys []table.Key
	var missing []int
	for i, n := range numbers {
		key := store.VersionKey(workflow, internalID, n)
		if v, ok := a.cache.get(key.String()); ok {
			out[i] = v.(*definition.Version)
			continue
		}
		keys = append(keys, key)
		missing = append(missing, i)
	}
	items, err := a.batchGet(ctx, keys)
	if err != nil {
		return nil, err
	}
	for j, i := range missing {
		if !items[j].Exists() {
			continue
		}
		v, err := decoded(a, "version", items[j].Data, func() (*definition.Version, error) {
			data, err := a.bodies.Fetch(ctx, items[j].Data)
			if err != nil {
				return nil, err
			}
			v, err := definition.ReadVersion(data)
			if err != nil {
				return nil, a.park(items[j], err)
			}
			return v, nil
		})
		if err != nil {
			return nil, err
		}
		a.cache.put(keys[j].String(), v, 10*len(items[j].Data)+1000)
		out[i] = v
	}
	return out, nil
}

// errLostRace tells that another change of the same workflow came first: decide again from the new state.
var errLostRace = errors.New("another change came first")

// ChangeWorkflow has decide make a change of a workflow from its state and commits it: the control item, the new
// version and the timeline's line in one transaction, so that a push leaves either nothing or a complete version. A
// lost race is decided again.
func (a *App) ChangeWorkflow(ctx context.Context, workflow string, decide func(c *Ctl) (*definition.Change, error)) (*definition.Change, error) {
	for try := 0; try < maxTriesWaiting; try++ {
		if try > 0 {
			a.count(CountConflicts, 1)
			if err := a.backOff(ctx, try-1); err != nil {
				return nil, err
			}
		}
		c, err := a.loadCtl(ctx, workflow)
		if err != nil {
			return nil, err
		}
		change, err := decide(c)
		if errors.Is(err, errLostRace) {
			continue
		}
		if err != nil {
			return nil, err
		}
		gone, err := a.subscribe(ctx, workflow, c, change)
		var times timesChange
		if err == nil {
			times, err = a.changeTimes(ctx, workflow, c, change)
		}
		if err == nil {
			err = a.commitChange(ctx, workflow, c, change, times.writes)
		}
		if err == nil {
			return change, a.afterChange(ctx, workflow, gone, times.tasks)
		}
		if !lost(err) {
			return nil, err
		}
		if committed, err := a.committed(ctx, workflow, c); err != nil {
			return nil, err
		} else if committed {
			return change, a.afterChange(ctx, workflow, gone, times.tasks)
		}
	}
	return nil, fault.New(fault.InternalError, "workflow %s is being changed by others, try again", workflow)
}

// ChangeTime is the time of a change that is decided from c. It grows with every change, also within one millisecond and
// with clocks that differ (P2): the time of a snapshot of properties is its id, and consumers order events by their time.
func (a *App) ChangeTime(c *Ctl) int64 {
	if c.Control == nil {
		return a.now()
	}
	return max(a.now(), c.Control.Properties.CreateTime+1, c.Control.ModifyTime+1)
}

// commitChange commits a change, and what must move with it.
func (a *App) commitChange(ctx context.Context, workflow string, c *Ctl, change *definition.Change, with []table.Write) error {
	next := *c
	control := change.Control
	next.Control = &control
	next.Lines++
	if change.Event != nil && a.wants(change.Event.EventType()) {
		event, err := events.EncodePublished(change.Event, a.set.Cluster, 0)
		if err != nil {
			return err
		}
		next.Unsent = append(slices.Clip(next.Unsent), event)
	}
	// What follows from the change is found by the sweep, should nobody do it.
	w := a.next(c.item, store.CtlKey(workflow), next.encode(), moveDue(c.item.Due, a.now()+publishDue, a.now()))
	c.token = w.Item.Tokens[0]
	writes := []table.Write{w, {Item: table.Item{Key: store.TimelineKey(workflow, control.InternalID, next.Lines), Rev: 1, Data: change.Timeline.AppendJSON(nil)}}}
	if change.Version != nil {
		kept, err := a.bodies.Keep(ctx, fmt.Sprintf("%s/%d", workflow, control.InternalID), change.Version.AppendJSON(nil))
		if err != nil {
			return err
		}
		key := store.VersionKey(workflow, control.InternalID, change.Version.Metadata.VersionID)
		writes = append(writes, table.Write{Item: table.Item{Key: key, Rev: 1, Data: kept}, Cond: table.Absent()})
	}
	u, err := a.cfg.Table.Transact(ctx, append(writes, with...))
	a.spend(u)
	return err
}

// committed tells whether a transaction that was reported as failed has happened: its token is on the control item.
func (a *App) committed(ctx context.Context, workflow string, c *Ctl) (bool, error) {
	item, err := a.get(ctx, store.CtlKey(workflow))
	return item.HasToken(c.token), err
}

// afterChange ends the subscriptions that a change has left behind and has the rest done that follows from it.
func (a *App) afterChange(ctx context.Context, workflow string, gone []table.Item, tasks []task) error {
	if err := a.unsubscribe(ctx, gone); err != nil {
		// Their next instance finds that the active version does not have them.
		a.log.WarnContext(ctx, "subscriptions are left to their next signal", "workflow", workflow, "error", err)
	}
	return a.settleSoon(ctx, append(tasks, task{kind: taskChange, workflow: workflow}))
}

// followChange does what follows from changes of a workflow: their events are published, and its lane may begin runs that
// the new strategy allows. The mark goes last, on the revision that was read: a crash before repeats all of it.
func (a *App) followChange(ctx context.Context, workflow string) ([]task, error) {
	c, err := a.loadCtl(ctx, workflow)
	if err != nil || c.item.Due == 0 {
		return nil, err
	}
	if err := a.publishUnsent(ctx, c); err != nil {
		return nil, fmt.Errorf("events of workflow %s: %w", workflow, err)
	}
	tasks, err := a.lookAtLane(ctx, workflow)
	if err != nil {
		return nil, err
	}
	c.Unsent = nil
	err = a.put(ctx, c.item, store.CtlKey(workflow), c.encode(), 0)
	if table.CodeOf(err) == table.CodeConflict {
		// Another change, which has the mark too: whoever made it does this.
		return tasks, nil
	}
	return tasks, err
}

// NextInternalID takes a number for a workflow id that is created. Numbers of creations that fail are left out.
func (a *App) NextInternalID(ctx context.Context) (int64, error) {
	key := store.SequenceKey("internal_id")
	for try := 0; ; try++ {
		item, err := a.get(ctx, key)
		if err != nil {
			return 0, err
		}
		n := store.Number{Instance: 9999}
		if item.Exists() {
			if n, err = store.DecodeNumber(item.Data); err != nil {
				return 0, a.park(item, err)
			}
		}
		n.Instance++
		err = a.put(ctx, item, key, n.Encode(), 0)
		if err == nil {
			return n.Instance, nil
		}
		if !lost(err) || try >= maxTriesWaiting {
			return 0, err
		}
		if err := a.backOff(ctx, try); err != nil {
			return 0, err
		}
	}
}

// Timeline reads up to limit lines of the change timeline, newest first.
func (a *App) Timeline(ctx context.Context, workflow string, limit int) ([]definition.TimelineLine, error) {
	page, err := a.query(ctx, table.Query{PK: store.TimelinePK(workflow), Reverse: true, Limit: limit})
	if err != nil {
		return nil, err
	}
	lines := make([]definition.TimelineLine, 0, len(page.Items))
	for _, it := range page.Items {
		l, err := definition.ReadTimelineLine(it.Data)
		if err != nil {
			return nil, a.park(it, err)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// Counts are the instances of a workflow as its lane knows them.
func (a *App) Counts(ctx context.Context, workflow string) (definition.Counts, error) {
	item, err := a.get(ctx, store.LaneKey(workflow))
	if err != nil {
		return definition.Counts{}, err
	}
	l, err := lane.Decode(item.Data)
	if err != nil {
		return definition.Counts{}, a.park(item, err)
	}
	listed := append(l.Running.Head(verifyLimit), l.Queued.Head(verifyLimit)...)
	heads, err := a.readHeads(ctx, workflow, l, listed)
	if err != nil {
		return definition.Counts{}, err
	}
	if len(heads.ended) > 0 {
		lane.Decide(l, lane.Input{Now: a.now(), Ended: heads.ended, Strategy: lane.Strategy{Rule: lane.StrictSequential, Concurrency: 1}, Blocked: true})
	}
	failed, err := a.blockedInstances(ctx, workflow, 1<<20)
	// Those that have failed and whose end the lane has not folded yet have no mark.
	for _, e := range heads.failed {
		if !slices.Contains(failed, e.Instance) {
			failed = append(failed, e.Instance)
		}
	}
	return definition.Counts{
		Created: int64(l.Queued.Len()), InProgress: int64(l.Running.Len()), Failed: int64(len(failed)), LatestInstance: l.Latest,
	}, err
}

// Push stores a validated request as a new version.
func (a *App) Push(ctx context.Context, req *definition.CreateRequest, caller definition.User) (*definition.Change, error) {
	workflow := req.Workflow.ID
	var internalID int64
	return a.ChangeWorkflow(ctx, workflow, func(c *Ctl) (*definition.Change, error) {
		in := definition.PushInput{Caller: caller, Now: a.ChangeTime(c)}
		var err error
		if c.Control == nil {
			// An id that is being deleted has no control item: only then is the deletion looked for.
			if in.Deleting, err = a.Deleting(ctx, workflow); err != nil {
				return nil, err
			}
			if internalID == 0 && !in.Deleting && req.Properties != nil && req.Properties.Owner != nil {
				if internalID, err = a.NextInternalID(ctx); err != nil {
					return nil, err
				}
			}
			in.InternalID = internalID
		}
		if definition.NeedsCounts(c.Control, req.Properties) {
			if in.Counts, err = a.Counts(ctx, workflow); err != nil {
				return nil, err
			}
		}
		return definition.ApplyPush(c.Control, req, in)
	})
}
