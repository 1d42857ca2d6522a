package app

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// laneAsk is what one caller wants of a lane. Asks of one workflow that wait at the same moment are decided and
// committed together (P13).
type laneAsk struct {
	arrival   *lane.Arrival
	ended     []lane.Entry
	failed    []lane.Entry // of ended: the runs that end FAILED, which block STRICT_SEQUENTIAL
	cancel    bool
	kill      bool
	user      string
	reason    string
	delete    bool
	revive    bool
	unblocked bool // look again, something may have become free

	done chan struct{}
	// The answer, set before done is closed.
	result    lane.Result
	cancelled int
	deleted   bool
	err       error
}

// laneCombiner is the in-process half of group commit: callers of one workflow's lane queue here and one of them
// decides for all. Between processes the lane's revision decides, and the inbox.
type laneCombiner struct {
	mu    sync.Mutex
	lanes map[string]*laneGroup // guarded by mu
}

type laneGroup struct {
	leading bool
	waiting []*laneAsk
	// done are orders that this process has seen carried out, passed to the next decision so that dropping them costs
	// no write of its own. A hint: lost with the process.
	done []lane.Order
}

func (c *laneCombiner) group(workflow string) *laneGroup {
	if c.lanes == nil {
		c.lanes = map[string]*laneGroup{}
	}
	g := c.lanes[workflow]
	if g == nil {
		g = &laneGroup{}
		c.lanes[workflow] = g
	}
	return g
}

// maxFold is how many asks one decision takes in at most (P13).
const maxFold = 50

// askLane has the lane of a workflow decide about the ask, together with the asks of others, and returns the tasks
// that follow from the commit. The answer is in ask.
func (a *App) askLane(ctx context.Context, workflow string, ask *laneAsk) ([]task, error) {
	ask.done = make(chan struct{})
	c := &a.lanes
	c.mu.Lock()
	g := c.group(workflow)
	g.waiting = append(g.waiting, ask)
	if g.leading {
		c.mu.Unlock()
		select {
		case <-ask.done:
			return nil, ask.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	g.leading = true
	c.mu.Unlock()

	var tasks []task
	for {
		c.mu.Lock()
		n := min(len(g.waiting), maxFold)
		if n == 0 {
			g.leading = false
			if len(g.done) == 0 {
				delete(c.lanes, workflow)
			}
			c.mu.Unlock()
			return tasks, ask.err
		}
		batch := append([]*laneAsk(nil), g.waiting[:n]...)
		g.waiting = append([]*laneAsk(nil), g.waiting[n:]...)
		done := g.done
		g.done = nil
		c.mu.Unlock()

		// The leader's own deadline must not fail the others' asks: they are decided without its cancellation.
		more, err := a.moveLane(context.WithoutCancel(ctx), workflow, batch, done)
		tasks = append(tasks, more...)
		for _, b := range batch {
			if err != nil {
				b.err = err
			}
			close(b.done)
		}
	}
}

// noteDone remembers orders that were carried out.
func (a *App) noteDone(workflow string, o lane.Order) {
	c := &a.lanes
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.group(workflow); len(g.done) < 1000 {
		g.done = append(g.done, o)
	}
}

// moveLane decides a batch of asks in one commit.
func (a *App) moveLane(ctx context.Context, workflow string, batch []*laneAsk, done []lane.Order) ([]task, error) {
	key := store.LaneKey(workflow)
	for try := 0; try < maxTriesWaiting; try++ {
		if try > 0 {
			a.count(CountConflicts, 1)
			if err := a.backOff(ctx, try-1); err != nil {
				return nil, err
			}
		}
		item, err := a.get(ctx, key)
		if err != nil {
			if lost(err) {
				continue
			}
			return nil, err
		}
		l, err := lane.Decode(item.Data)
		if err != nil {
			return nil, a.park(item, err)
		}
		tasks, err := a.decideLane(ctx, workflow, item, l, batch, done)
		if err == nil {
			return tasks, nil
		}
		if !lost(err) {
			return nil, err
		}
	}
	return nil, fault.New(fault.InternalError, "the lane of workflow %s is contended, try again", workflow)
}

func (a *App) decideLane(ctx context.Context, workflow string, item table.Item, l *lane.Lane, batch []*laneAsk, done []lane.Order) ([]task, error) {
	ctl, err := a.loadCtl(ctx, workflow)
	if err != nil {
		return nil, err
	}
	in := lane.Input{Now: max(a.now(), l.Since), Strategy: ctl.Strategy(), Done: done}
	// Numbers given already are looked up after the lane was read: a commit on this revision then proves that nobody
	// has numbered one of these starts in between, and that no restart of these instances came first.
	var asks []*laneAsk
	if err := a.arrivals(ctx, workflow, l, batch, &asks, &in); err != nil {
		return nil, err
	}
	for _, b := range batch {
		in.Ended = append(in.Ended, b.ended...)
		if b.cancel {
			in.CancelAll, in.Kill, in.User, in.Reason = true, b.kill, b.user, b.reason
		}
		in.Delete = in.Delete || b.delete
		in.Revive = in.Revive || b.revive
		// The blocking failure is stored before the lane frees the slot: the next dispatch sees it. A crash in
		// between leaves a mark that the next look at the run's head confirms or removes.
		// A queued run that was killed is marked too, although the lane lists it no longer.
		for _, e := range b.failed {
			if err := a.markFailed(ctx, workflow, e); err != nil {
				return nil, err
			}
		}
	}
	if in.Strategy.Rule == lane.StrictSequential {
		// A restart takes the place of its instance's failed run, which therefore does not block it.
		restarted := map[int64]bool{}
		for _, arrival := range in.Arrivals {
			restarted[arrival.Instance] = true
		}
		for _, e := range append(append([]lane.Entry(nil), l.Queued...), l.Running...) {
			restarted[e.Instance] = restarted[e.Instance] || e.Run > 1
		}
		blocking, err := a.blockedInstances(ctx, workflow, 1+len(restarted))
		if err != nil {
			return nil, err
		}
		for _, i := range blocking {
			in.Blocked = in.Blocked || !restarted[i]
		}
	}
	held := l.Hold
	out := lane.Decide(l, in)
	if out.Changed {
		if err := a.put(ctx, item, store.LaneKey(workflow), l.Encode(), l.Due); err != nil {
			return nil, fmt.Errorf("lane of %s: %w", workflow, err)
		}
	}
	a.count(CountFolds, float64(len(in.Arrivals)+len(in.Ended)))
	for i, ask := range asks {
		ask.result = out.Results[i]
		if ask.result.Err != nil {
			ask.err = ask.result.Err
		}
	}
	for _, b := range batch {
		b.cancelled = out.Cancelled
		b.deleted = l.Deleting
	}
	var tasks []task
	for _, o := range l.Orders {
		tasks = append(tasks, task{kind: taskOrder, workflow: workflow, order: o})
	}
	if out.More {
		tasks = append(tasks, task{kind: taskLane, workflow: workflow})
	}
	if l.Hold != held && l.Hold > in.Now {
		tasks = append(tasks, task{kind: taskLane, workflow: workflow, delay: l.Hold - in.Now})
	}
	return tasks, nil
}

// arrivals turns asks into arrivals, but for those whose start has a number already: they are answered with it.
func (a *App) arrivals(ctx context.Context, workflow string, l *lane.Lane, batch []*laneAsk, asks *[]*laneAsk, in *lane.Input) error {
	var keys []table.Key
	var with []*laneAsk
	for _, b := range batch {
		if b.arrival != nil {
			with = append(with, b)
			keys = append(keys, store.NumberKey(workflow, b.arrival.UUID))
		}
	}
	items, err := a.batchGet(ctx, keys)
	if err != nil {
		return err
	}
	seen := map[string]*laneAsk{}
	for i, b := range with {
		if items[i].Exists() {
			n, err := store.DecodeNumber(items[i].Data)
			if err != nil {
				return err
			}
			b.result = lane.Result{Entry: lane.Entry{Instance: n.Instance, Run: n.Run}, Rejected: n.Rejected}
			continue
		}
		if o, ok := orderOfStart(l, b.arrival.UUID); ok {
			b.result = lane.Result{Entry: o.Entry, Rejected: o.Target == lane.Reject, By: o.By}
			continue
		}
		if seen[b.arrival.UUID] != nil {
			// Twice in one batch: the second is answered when the start is read again.
			b.err = errAskAgain
			continue
		}
		seen[b.arrival.UUID] = b
		if b.arrival.Instance != 0 {
			latest, err := a.latestRun(ctx, workflow, b.arrival.Instance)
			if err != nil {
				return err
			}
			if latest == nil {
				b.err = fault.New(fault.NotFound, "workflow %s has no instance %d", workflow, b.arrival.Instance)
				continue
			}
			if !latest.Status.Terminal() {
				b.err = fault.New(fault.BadRequest, "workflow instance %d is not terminal: its run %d is %s", b.arrival.Instance, latest.ID.Run, latest.Status)
				continue
			}
			b.arrival.LatestRun = latest.ID.Run
			// The lane may not have been told of the end that was just read.
			in.Ended = append(in.Ended, lane.Entry{Instance: latest.ID.Instance, Run: latest.ID.Run})
		}
		in.Arrivals = append(in.Arrivals, *b.arrival)
		*asks = append(*asks, b)
	}
	return nil
}

// errAskAgain tells a caller that its start is being numbered by another: read it again.
var errAskAgain = errors.New("the start is being numbered")

func orderOfStart(l *lane.Lane, uuid string) (lane.Order, bool) {
	for _, o := range l.Orders {
		if o.UUID == uuid {
			return o, true
		}
	}
	return lane.Order{}, false
}
