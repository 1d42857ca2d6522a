package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/loop"
	"github.com/downbeat/downbeat/core/signal"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// deletion is the item of a deletion in progress: its cursor, and what the event at its end says. While it exists the
// workflow id cannot be pushed. Every stage may be repeated; the head of a run goes after its records, the item last
// (P15).
type deletion struct {
	Format     int    `json:"format"`
	Workflow   string `json:"workflow"`
	InternalID int64  `json:"internal_id"`
	Author     string `json:"author"`
	Time       int64  `json:"time"`
	Stage      int    `json:"stage"`
	// Instance is the newest instance whose data are gone.
	Instance int64 `json:"instance"`
	Last     int64 `json:"last"`
}

const deletionFormat = 1

// The stages of a deletion, in order.
const (
	deleteAsked = iota // the lane must refuse starts, then the control item goes
	deleteTimeline
	deleteBreakpoints
	deleteInstances
	deleteVersions // after the runs: what lies below a run is found with its definition
	deleteRest
)

// deletionStep is how many items one commit of the cursor stands for.
const deletionStep = 200

// goneSeconds is how long what stands for a deleted run is kept: a day.
const goneSeconds = 24 * 3600

// deletionDue is after what time a deletion that nobody goes on with is found by the sweep.
const deletionDue = 60_000

func (a *App) loadDeletion(ctx context.Context, workflow string) (table.Item, *deletion, error) {
	item, err := a.get(ctx, store.DeletionKey(workflow))
	if err != nil || !item.Exists() {
		return item, nil, err
	}
	var d deletion
	if err := json.Unmarshal(item.Data, &d); err != nil {
		return item, nil, a.park(item, err)
	}
	return item, &d, nil
}

// Deleting tells whether a deletion of the workflow id has not finished.
func (a *App) Deleting(ctx context.Context, workflow string) (bool, error) {
	_, d, err := a.loadDeletion(ctx, workflow)
	return d != nil, err
}

// Delete begins the deletion of a workflow with all its data and returns what the answer says. The workflow is unknown
// from then on; the data go in bounded steps.
func (a *App) Delete(ctx context.Context, workflow string, caller definition.User) (string, error) {
	ctl, err := a.loadCtl(ctx, workflow)
	if err != nil {
		return "", err
	}
	counts, err := a.Counts(ctx, workflow)
	if err != nil {
		return "", err
	}
	message, err := definition.CheckDelete(ctl.Control, workflow, counts, caller)
	if err != nil {
		return "", err
	}
	d := deletion{Format: deletionFormat, Workflow: workflow, InternalID: ctl.Control.InternalID, Author: caller.Name, Time: a.now(), Last: counts.LatestInstance}
	data, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	// The item comes first: from here on the sweep ends what this call began.
	w := a.next(table.Item{}, store.DeletionKey(workflow), data, moveDue(0, a.now()+deletionDue, a.now()))
	err = a.write(ctx, w)
	if table.CodeOf(err) == table.CodeConflict {
		return "", definition.UnknownWorkflow(workflow)
	}
	if err != nil {
		return "", err
	}
	if err := a.beginDeletion(ctx, w.Item, &d); err != nil {
		return "", err
	}
	return message, a.settleSoon(ctx, []task{{kind: taskDelete, workflow: workflow}})
}

// errBusy tells that a run came between the check and the lane's word.
var errBusy = fault.New(fault.BadRequest, "Cannot delete the workflow because a run of it was started meanwhile. Please stop it and try again.")

// errDeletedBefore tells that the workflow was deleted by others, and pushed again, while this caller stood still.
var errDeletedBefore = fault.New(fault.NotFound, "The workflow was deleted by another call, and another one has its id now.")

// beginDeletion has the lane refuse starts and takes the control item away. item is that of the deletion.
func (a *App) beginDeletion(ctx context.Context, item table.Item, d *deletion) error {
	if err := a.finishOrders(ctx, d.Workflow); err != nil {
		return err
	}
	for {
		// It is read before the lane is asked: whoever takes back that the lane refuses starts moves it first.
		ctl, err := a.loadCtl(ctx, d.Workflow)
		if err != nil {
			return err
		}
		ask := &laneAsk{delete: d.InternalID}
		tasks, err := a.askLane(ctx, d.Workflow, ask)
		if err != nil {
			return err
		}
		if ctl.Control == nil {
			// Between the first word about the deletion and the lane's, runs may have come and ended. No number is given from
			// here on.
			d.Last = ask.latest
			return nil
		}
		if !ask.deleted || ctl.Control.InternalID != d.InternalID {
			refused := errBusy
			if ctl.Control.InternalID != d.InternalID {
				refused = errDeletedBefore
			}
			err := a.deleteRead(ctx, item)
			if table.CodeOf(err) == table.CodeConflict {
				// To another the lane said yes, who goes on; or it is gone.
				deleting, err := a.Deleting(ctx, d.Workflow)
				if deleting || err != nil {
					return err
				}
				return refused
			}
			if err == nil {
				err = a.settleSoon(ctx, tasks)
			}
			return errors.Join(refused, err)
		}
		d.Last = ask.latest
		if err := a.keepDeletion(ctx, d); err != nil {
			return err
		}
		if err := a.publishUnsent(ctx, ctl); err != nil {
			return err
		}
		err = a.deleteRead(ctx, ctl.item)
		if table.CodeOf(err) != table.CodeConflict {
			return err
		}
	}
}

// keepDeletion stores the item of a deletion again, should it be gone: to another the lane said no before, who took the
// deletion for given up.
func (a *App) keepDeletion(ctx context.Context, d *deletion) error {
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	err = a.put(ctx, table.Item{}, store.DeletionKey(d.Workflow), data, moveDue(0, a.now()+deletionDue, a.now()))
	if table.CodeOf(err) == table.CodeConflict {
		return nil
	}
	return err
}

// takeStarts lets a lane take starts again that was told of a deletion by somebody who died of it: the deletion has no item.
// The control item is moved before, for one who only stands still, and goes on as if nothing had happened.
func (a *App) takeStarts(ctx context.Context, workflow string) error {
	ctl, err := a.loadCtl(ctx, workflow)
	if err != nil {
		return err
	}
	deleting, err := a.Deleting(ctx, workflow)
	if err != nil || deleting {
		return err
	}
	if ctl.Control != nil {
		if moved, err := a.fence(ctx, ctl.item); err != nil || !moved {
			return err // if somebody else has moved it, the next look finds what came of that
		}
	}
	_, err = a.askLane(ctx, workflow, &laneAsk{undelete: true})
	return err
}

// finishOrders carries out what the lane has ordered and nobody has reported done: orders of runs that have ended keep
// a lane from being deleted.
func (a *App) finishOrders(ctx context.Context, workflow string) error {
	item, err := a.get(ctx, store.LaneKey(workflow))
	if err != nil || !item.Exists() {
		return err
	}
	l, err := lane.Decode(item.Data)
	if err != nil {
		return a.park(item, err)
	}
	for _, o := range l.Orders {
		if _, err := a.carryOut(ctx, workflow, o, false); err != nil {
			return err
		}
	}
	_, err = a.lookAtLane(ctx, workflow)
	return err
}

// goOnDeleting does some of the work of a deletion and, if it is not done, asks to be called again.
func (a *App) goOnDeleting(ctx context.Context, workflow string) ([]task, error) {
	item, d, err := a.loadDeletion(ctx, workflow)
	if err != nil || d == nil {
		return nil, err
	}
	stage, instance := d.Stage, d.Instance
	more := false
	switch d.Stage {
	case deleteAsked:
		if err := a.beginDeletion(ctx, item, d); err != nil {
			if errors.Is(err, errBusy) || errors.Is(err, errDeletedBefore) {
				return nil, nil
			}
			return nil, err
		}
	case deleteVersions:
		if more, err = a.deletePartition(ctx, store.VersionPK(workflow, d.InternalID)); err != nil {
			return nil, err
		}
		if !more {
			if more, err = a.cfg.Blob.DeletePrefix(ctx, fmt.Sprintf("%s/%d/", workflow, d.InternalID), deletionStep); err != nil {
				return nil, err
			}
		}
	case deleteTimeline:
		more, err = a.deleteSome(ctx, table.Query{PK: store.TimelinePK(workflow), Prefix: store.TimelinePrefix(d.InternalID)})
	case deleteBreakpoints:
		if more, err = a.deleteOlder(ctx, table.Query{PK: store.BreakpointPK(workflow)}, table.OrderBelow(d.InternalID+1)); err == nil && !more {
			if more, err = a.deleteSubscriptions(ctx, d); err == nil && !more {
				err = a.deleteTimes(ctx, d)
			}
		}
	case deleteInstances:
		for n := 0; n < 10 && instance < d.Last; n++ {
			if err := a.deleteInstance(ctx, workflow, instance+1); err != nil {
				return nil, err
			}
			instance++
		}
		more = instance < d.Last
	case deleteRest:
		if more, err = a.deleteSome(ctx, table.Query{PK: store.FailedPK(workflow), To: store.FailedKey(workflow, d.Last).SK}); err == nil && !more {
			return nil, a.endDeletion(ctx, item, d)
		}
	}
	if err != nil {
		return nil, err
	}
	if !more {
		stage++
	}
	next := *d
	next.Stage, next.Instance = stage, instance
	data, err := json.Marshal(next)
	if err != nil {
		return nil, err
	}
	due := moveDue(item.Due, a.now()+deletionDue, a.now())
	if err := a.put(ctx, item, store.DeletionKey(workflow), data, due); err != nil && table.CodeOf(err) != table.CodeConflict {
		return nil, err
	}
	return []task{{kind: taskDelete, workflow: workflow}}, nil
}

// endDeletion lets the id be used again. The counter of instances stays with the lane; readers learn where the living
// ones begin.
func (a *App) endDeletion(ctx context.Context, item table.Item, d *deletion) error {
	for {
		it, err := a.get(ctx, store.DeletedKey(d.Workflow))
		if err != nil {
			return err
		}
		if it.Exists() {
			known, err := store.DecodeNumber(it.Data)
			if err != nil {
				return a.park(it, err)
			}
			if known.Instance >= d.Last {
				break
			}
		}
		err = a.put(ctx, it, store.DeletedKey(d.Workflow), store.Number{Instance: d.Last}.Encode(), 0)
		if err == nil {
			break
		}
		if table.CodeOf(err) != table.CodeConflict {
			return err
		}
	}
	if err := a.publish(ctx, events.DeletionChange{WorkflowID: d.Workflow, InternalID: d.InternalID, Author: definition.NamedUser(d.Author).AppendJSON(nil),
		EventTime: d.Time, Stored: events.Stored{SyncTime: d.Time}}, max(a.now(), d.Time)); err != nil {
		return err
	}
	if _, err := a.askLane(ctx, d.Workflow, &laneAsk{revive: true}); err != nil {
		return err
	}
	err := a.deleteRead(ctx, item)
	if table.CodeOf(err) == table.CodeConflict {
		return nil // somebody else has ended it
	}
	return err
}

// deleteRead deletes an item as it was read.
func (a *App) deleteRead(ctx context.Context, it table.Item) error {
	return a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: it.Key}, Cond: table.RevIs(it.Rev)})
}

// deletePartition deletes up to deletionStep items of a partition and tells whether more are left.
func (a *App) deletePartition(ctx context.Context, pk string) (bool, error) {
	return a.deleteSome(ctx, table.Query{PK: pk})
}

// deleteSome deletes up to deletionStep items of those that a query finds and tells whether more are left. Where a
// workflow that is pushed again has items in the same partition, the query leaves them out: a deletion that stood still
// may go on after its end.
func (a *App) deleteSome(ctx context.Context, q table.Query) (bool, error) {
	return a.deleteOlder(ctx, q, table.None())
}

// deleteOlder is deleteSome for items of which those stay that break the condition: they belong to a later life of the
// workflow, and have keys that are used again.
func (a *App) deleteOlder(ctx context.Context, q table.Query, cond table.Cond) (bool, error) {
	q.Limit, q.KeysOnly = deletionStep, true
	page, err := a.query(ctx, q)
	if err != nil {
		return false, err
	}
	deleted := 0
	for _, it := range page.Items {
		err := a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: it.Key}, Cond: cond})
		switch {
		case err == nil:
			deleted++
		case table.CodeOf(err) != table.CodeConflict:
			return false, err
		}
	}
	return page.More && deleted > 0, nil
}

// deleteSubscriptions deletes some of the subscriptions of a workflow and tells whether more may be left. Those of the next
// life of its id stay.
func (a *App) deleteSubscriptions(ctx context.Context, d *deletion) (bool, error) {
	page, err := a.query(ctx, table.Query{PK: store.SubscriptionPK(d.Workflow), Limit: deletionStep})
	if err != nil {
		return false, err
	}
	for _, it := range page.Items {
		s, err := signal.DecodeSubscription(it.Data)
		if err != nil {
			return false, a.park(it, err)
		}
		if s.InternalID != d.InternalID {
			continue
		}
		items, err := a.subscriptionItems(ctx, d.Workflow, s.TriggerUUID, s.Names)
		if err != nil {
			return false, err
		}
		gone := []table.Item{it}
		for _, listed := range items[1:] {
			if !listed.Exists() {
				continue
			}
			sub, err := store.DecodeSubscriber(listed.Data)
			if err != nil {
				return false, a.park(listed, err)
			}
			if sub.InternalID == d.InternalID {
				gone = append(gone, listed)
			}
		}
		if err := a.unsubscribe(ctx, gone); err != nil {
			return false, err
		}
	}
	return page.More, nil
}

// deleteLoops deletes the iterations of the loops of a run, which are found through its attempts.
func (a *App) deleteLoops(ctx context.Context, id store.RunID, item table.Item) error {
	v, err := a.viewOf(ctx, id, item, "")
	if errors.Is(err, errNoRun) || errors.Is(err, errPageGone) {
		return nil // some of its records are gone: what lay below it went before them
	}
	if err != nil {
		return err
	}
	gone := map[string]bool{}
	for _, at := range v.attempts() {
		def := engine.NestedStep(v.body, at.StepID)
		if def == nil || def.Type == definition.Subworkflow {
			continue
		}
		inline := loop.InlineID(v.body, at.StepID, def.Type == definition.While)
		if gone[inline] {
			continue
		}
		gone[inline] = true
		if err := a.deleteIterations(ctx, inline, v.body.InternalID); err != nil {
			return err
		}
	}
	return nil
}

// deleteIterations deletes the iterations of a body from the last one down. The item that tells how many there are is the
// cursor: a deletion that is cut off goes on where it was.
func (a *App) deleteIterations(ctx context.Context, inline string, internalID int64) error {
	key := store.InlineKey(inline)
	item, err := a.get(ctx, key)
	if err != nil || !item.Exists() {
		return err
	}
	n, err := store.DecodeNumber(item.Data)
	if err != nil {
		return a.park(item, err)
	}
	for done := 1; n.Instance > 0; done++ {
		if err := a.deleteInstance(ctx, inline, n.Instance); err != nil {
			return err
		}
		n.Instance--
		if done%deletionStep == 0 {
			if err := a.put(ctx, item, key, n.Encode(), 0); err != nil {
				return err
			}
			if item, err = a.get(ctx, key); err != nil {
				return err
			}
		}
	}
	for {
		more, err := a.cfg.Blob.DeletePrefix(ctx, fmt.Sprintf("%s/%d/", inline, internalID), deletionStep)
		if err != nil {
			return err
		}
		if !more {
			return a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: key}})
		}
	}
}

// deleteInstance deletes an instance with all its runs: records first, heads last, so that what is left after a crash
// is still found through the heads. A head is replaced by what stands for a run that is gone (store.GoneRun).
func (a *App) deleteInstance(ctx context.Context, workflow string, instance int64) error {
	page, err := a.query(ctx, table.Query{PK: store.InstancePK(workflow, instance)})
	if err != nil {
		return err
	}
	var last []table.Write
	expires := a.now()/1000 + goneSeconds
	for _, it := range page.Items {
		id, ok := store.ParseRunKey(it.Key)
		if !ok {
			last = append(last, table.Write{Op: table.OpDelete, Item: table.Item{Key: it.Key}})
			continue
		}
		last = append(last, table.Write{Item: store.GoneRun(it, expires)})
		h, err := store.DecodeRunHead(it.Data)
		if err != nil {
			return a.park(it, err)
		}
		if a.owes(h) {
			if _, err := a.publishRun(ctx, id, true); err != nil {
				return err
			}
		}
		if err := a.deleteLoops(ctx, id, it); err != nil {
			return err
		}
		for i := range 8 {
			for {
				more, err := a.deletePartition(ctx, store.PagePK(id, i))
				if err != nil {
					return err
				}
				if !more {
					break
				}
			}
		}
		if _, err := a.deletePartition(ctx, store.StartPK(workflow, h.UUID)); err != nil {
			return err
		}
	}
	for _, w := range last {
		if err := a.write(ctx, w); err != nil {
			return err
		}
	}
	return nil
}
