package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// carryOut makes of a run what a lane ordered. Everything in here may be repeated, by anybody, at any time: the number
// is written where there is none, the head is created where it is absent, and a head that has gone further stays.
//
// own tells that the caller is the one who asked for the start and has its answer. The number of a start whose id that
// caller has made up is then written nowhere else than in the head: nobody can ask for it.
func (a *App) carryOut(ctx context.Context, workflow string, o lane.Order, own bool) ([]task, error) {
	id := store.RunID{Workflow: workflow, Instance: o.Instance, Run: o.Run}
	if o.UUID != "" {
		if o.Given || !own {
			// The number is written before the head: whoever finds the head finds the start numbered.
			n := store.Number{Instance: o.Instance, Run: o.Run, Rejected: o.Target == lane.Reject}
			err := a.put(ctx, table.Item{}, store.NumberKey(workflow, o.UUID), n.Encode(), 0)
			if err != nil && table.CodeOf(err) != table.CodeConflict {
				return nil, err
			}
		}
		if o.Run > 1 {
			if err := a.setLatest(ctx, id); err != nil {
				return nil, err
			}
		}
	}
	m, err := a.moveRun(ctx, id, o.UUID, orderMove(o), maxTries)
	if errors.Is(err, errNoRun) {
		return nil, fmt.Errorf("run %s was ordered and has neither head nor start: %w", id, err)
	}
	if err != nil {
		return nil, err
	}
	if h := m.view.head; h != nil && h.Run.Failed == engine.FailedBlocking {
		// The mark is set before the order is done with, whoever ended the run: the answer of that commit may have been
		// lost, and the lane, which lists the run no longer, would never ask.
		if err := a.markFailed(ctx, workflow, o.Entry); err != nil {
			return nil, err
		}
	}
	a.note(workflow, laneHints{done: []lane.Order{o}})
	if o.Target.Away() {
		// The lane that ordered it does not list the run any more: its end is no news there.
		m.tasks = slices.DeleteFunc(m.tasks, func(t task) bool { return t.kind == taskEnded && t.run == id })
	}
	return m.tasks, nil
}

// orderMove says what an order means to a run.
func orderMove(o lane.Order) move {
	switch o.Target {
	case lane.Begin:
		return move{inputs: []engine.Input{engine.Begin{}}}
	case lane.Reject:
		return move{away: &engine.Away{Kind: engine.AwayRejected, By: o.By}}
	case lane.Drop:
		return move{away: &engine.Away{Kind: engine.AwayReplaced, By: o.By}}
	case lane.Supersede:
		return move{away: &engine.Away{Kind: engine.AwaySuperseded, By: o.By}}
	case lane.Halt:
		return move{away: &engine.Away{Kind: engine.AwayHalted, By: o.By}}
	case lane.Cancel:
		return move{away: &engine.Away{Kind: engine.AwayCancelled, Kill: o.Kill, User: o.User, Reason: o.Reason}}
	case lane.Fail:
		return move{away: &engine.Away{Kind: engine.AwayFailed}}
	}
	// Queue: the head is created as it is.
	return move{create: true}
}

// lookAtLane carries out what a lane has ordered, after seeing which orders and runs are done already, and lets it
// begin what may. It is what a poke and the sweep ask for (P14).
func (a *App) lookAtLane(ctx context.Context, workflow string) ([]task, error) {
	item, err := a.get(ctx, store.LaneKey(workflow))
	if err != nil || !item.Exists() {
		return nil, err
	}
	l, err := lane.Decode(item.Data)
	if err != nil {
		return nil, a.park(item, err)
	}
	if l.Deleting {
		if err := a.takeStarts(ctx, workflow); err != nil {
			return nil, err
		}
	}
	ask := &laneAsk{look: true}
	listed := append(l.Running.Head(verifyLimit), l.Queued.Head(verifyLimit)...)
	known := make(map[lane.Entry]bool, len(listed))
	for _, e := range listed {
		known[e] = true
	}
	for _, o := range l.Orders[:min(len(l.Orders), verifyAllOrders)] {
		if !known[o.Entry] {
			listed = append(listed, o.Entry)
		}
	}
	seen, err := a.readHeads(ctx, workflow, l, listed)
	if err != nil {
		return nil, err
	}
	ask.ended, ask.done = seen.ended, seen.done
	for _, e := range seen.failed {
		if err := a.markFailed(ctx, workflow, e); err != nil {
			return nil, err
		}
	}
	tasks, err := a.askLane(ctx, workflow, ask)
	if err != nil {
		return nil, err
	}
	for _, e := range ask.ended {
		tasks = append(tasks, task{kind: taskRun, workflow: workflow, run: store.RunID{Workflow: workflow, Instance: e.Instance, Run: e.Run}})
	}
	return tasks, nil
}

// verifyLimit is how many of the oldest runs are compared with their heads at once, verifyAllOrders how many orders.
const (
	verifyLimit     = 50
	verifyAllOrders = 200
)

// seen is what the heads of listed runs tell and the lane may not know.
type seen struct {
	ended  []lane.Entry
	failed []lane.Entry // of ended: those that block STRICT_SEQUENTIAL
	done   []lane.Order
}

// readHeads reads the heads of runs that a lane lists or has ordered something about.
func (a *App) readHeads(ctx context.Context, workflow string, l *lane.Lane, listed []lane.Entry) (seen, error) {
	items, err := a.batchGet(ctx, headKeys(workflow, listed))
	if err != nil {
		return seen{}, err
	}
	return a.seeHeads(l, listed, items)
}

func headKeys(workflow string, entries []lane.Entry) []table.Key {
	keys := make([]table.Key, len(entries))
	for i, e := range entries {
		keys[i] = store.RunKey(store.RunID{Workflow: workflow, Instance: e.Instance, Run: e.Run})
	}
	return keys
}

// seeHeads tells from heads that were read which runs have ended and which orders are done.
func (a *App) seeHeads(l *lane.Lane, entries []lane.Entry, items []table.Item) (seen, error) {
	var out seen
	for i, it := range items {
		if !it.Exists() {
			continue
		}
		h, err := store.DecodeRunHead(it.Data)
		if err != nil {
			return seen{}, a.park(it, err)
		}
		e := entries[i]
		if h.Run.Status.Terminal() {
			out.ended = append(out.ended, e)
			if blocks(h) {
				out.failed = append(out.failed, e)
			}
			continue
		}
		if o, ok := l.OrderOf(e); ok && (o.Target == lane.Queue || o.Target == lane.Begin && h.Run.Executed) {
			out.done = append(out.done, o)
		}
	}
	return out, nil
}

// blocks tells whether a run blocks STRICT_SEQUENTIAL.
func blocks(h *store.RunHead) bool { return h.Run.Failed == engine.FailedBlocking }

// tellLane folds the end of a run into its lane.
func (a *App) tellLane(ctx context.Context, t task) ([]task, error) {
	e := lane.Entry{Instance: t.run.Instance, Run: t.run.Run}
	if t.failed {
		// The blocking failure is stored before the lane frees the slot: the next dispatch sees it. A crash in between
		// leaves a mark that the next look at the run's head confirms or removes. A queued run that was killed is marked
		// too, although the lane lists it no longer.
		if err := a.markFailed(ctx, t.workflow, e); err != nil {
			return nil, err
		}
	}
	item, err := a.get(ctx, store.LaneKey(t.workflow))
	if err != nil {
		return nil, err
	}
	l, err := lane.Decode(item.Data)
	if err != nil {
		return nil, a.park(item, err)
	}
	if !l.Queued.Has(e) && !l.Running.Has(e) {
		// It holds nothing: its lane decided it away, or knows of its end.
		a.note(t.workflow, laneHints{ended: []lane.Entry{e}})
		return nil, nil
	}
	if _, ordered := l.OrderOf(e); l.Queued.Len() == 0 && !t.failed && (ordered || l.Running.Len() <= verifyLimit) {
		// Nobody waits for the slot: the end goes with the next decision and costs no write of its own. Who comes to
		// wait later looks at the heads of those that are said to run, after the lane lists it (P31); who reigns and the
		// sweep look too.
		a.note(t.workflow, laneHints{ended: []lane.Entry{e}})
		return nil, nil
	}
	return a.askLane(ctx, t.workflow, &laneAsk{ended: []lane.Entry{e}})
}

// The marks of instances whose failure blocks STRICT_SEQUENTIAL. They are an index over the heads: a mark counts only
// while the head of the instance's newest run says the same.

func (a *App) markFailed(ctx context.Context, workflow string, e lane.Entry) error {
	key := store.FailedKey(workflow, e.Instance)
	var prev table.Item
	for {
		err := a.put(ctx, prev, key, store.Number{Instance: e.Instance, Run: e.Run}.Encode(), 0)
		if table.CodeOf(err) != table.CodeConflict {
			return err
		}
		if prev, err = a.get(ctx, key); err != nil {
			return err
		}
		if prev.Exists() {
			// The mark of an earlier run becomes this one's: who takes that away must leave this.
			if n, err := store.DecodeNumber(prev.Data); err != nil || n.Run >= e.Run {
				return err
			}
		}
	}
}

// unmarkFailed takes away the mark that a run, or an earlier one of its instance, has set; that of a later one stays.
func (a *App) unmarkFailed(ctx context.Context, id store.RunID) error {
	it, err := a.get(ctx, store.FailedKey(id.Workflow, id.Instance))
	if err != nil || !it.Exists() {
		return err
	}
	if n, err := store.DecodeNumber(it.Data); err != nil || n.Run > id.Run {
		return err
	}
	err = a.deleteRead(ctx, it)
	if table.CodeOf(err) == table.CodeConflict {
		return nil
	}
	return err
}

// blockedInstances lists up to limit instances that block the queue. Marks that are no longer true are removed.
func (a *App) blockedInstances(ctx context.Context, workflow string, limit int) ([]int64, error) {
	var found []int64
	after := ""
	for {
		page, err := a.query(ctx, table.Query{PK: store.FailedPK(workflow), Limit: max(limit-len(found), 1), After: after})
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			after = it.SK
			instance, ok := store.ParseFailedKey(it.Key)
			if !ok {
				continue
			}
			latest, err := a.latestRun(ctx, workflow, instance)
			if err != nil {
				return nil, err
			}
			if latest != nil && latest.Head.Run.Failed == engine.FailedBlocking {
				found = append(found, instance)
				continue
			}
			if err := a.deleteRead(ctx, it); err != nil && table.CodeOf(err) != table.CodeConflict {
				return nil, err
			}
		}
		if !page.More || len(found) >= limit {
			return found, nil
		}
	}
}

// latest is the newest run of an instance with its head.
type latest struct {
	ID     store.RunID
	Item   table.Item
	Head   *store.RunHead
	Status engine.InstanceStatus
}

// latestRun finds the newest run of an instance, nil when there is none.
func (a *App) latestRun(ctx context.Context, workflow string, instance int64) (*latest, error) {
	page, err := a.query(ctx, table.Query{PK: store.InstancePK(workflow, instance), Prefix: "h", Reverse: true, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	it := page.Items[0]
	id, ok := store.ParseRunKey(it.Key)
	if !ok {
		return nil, fmt.Errorf("key %s is not that of a run", it.Key)
	}
	h, err := store.DecodeRunHead(it.Data)
	if err != nil {
		return nil, a.park(it, err)
	}
	return &latest{ID: id, Item: it, Head: h, Status: h.Run.Status}, nil
}

// setLatest notes the newest run of an instance, for lists that read a window of instances in one batch. It is written
// before the run's head exists: readers fall back to run 1 upwards when the head it names is missing.
func (a *App) setLatest(ctx context.Context, id store.RunID) error {
	key := store.LatestKey(id.Workflow, id.Instance)
	for {
		it, err := a.get(ctx, key)
		if err != nil {
			return err
		}
		if it.Exists() {
			n, err := store.DecodeNumber(it.Data)
			if err != nil {
				return a.park(it, err)
			}
			if n.Run >= id.Run {
				return nil
			}
		}
		err = a.put(ctx, it, key, store.Number{Instance: id.Instance, Run: id.Run}.Encode(), 0)
		if table.CodeOf(err) != table.CodeConflict {
			return err
		}
	}
}
