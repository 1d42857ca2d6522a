package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// laneAsk is what one caller wants of a lane. Asks of one workflow that wait at the same moment are decided and
// committed together (P13).
type laneAsk struct {
	arrival *lane.Arrival
	// check tells that the start may have a number already: another may have stored or numbered it, or the outcome of
	// a commit of ours is unknown.
	check  bool
	ended  []lane.Entry
	cancel bool
	kill   bool
	user   string
	reason string
	delete int64 // the internal id of the workflow that is to be deleted, 0 for none
	revive bool
	// undelete revives a lane whose deletion has no item.
	undelete bool
	// look asks for every order that is not seen done, and to look again, since something may have become free.
	look bool
	done []lane.Order // orders seen carried out

	// left is the revision at which this ask left a pointer in the inbox last, 0 for none; foreign is its name when it
	// was read out of the inbox: its caller waits elsewhere.
	left    int64
	foreign string
	// tried tells that a commit may have served this ask, by this caller or by who took its pointer; before, that its start
	// had a number when nobody could have: another caller asked for it.
	tried, before bool

	// The answer, set before ready is closed.
	ready     chan struct{}
	answered  bool
	order     lane.Order // what is to be made of the arrival
	result    lane.Result
	cancelled int
	deleted   bool
	tasks     []task
	latest    int64 // the newest number that the lane has given
	err       error
}

// name is what the ask is called in the inbox; empty for one that cannot be left there.
func (k *laneAsk) name() string {
	switch {
	case k.foreign != "":
		return k.foreign
	case k.arrival != nil:
		return k.arrival.UUID
	case len(k.ended) == 1 && !k.look && !k.cancel && k.delete == 0 && !k.revive && !k.undelete:
		return fmt.Sprintf("end.%d.%d", k.ended[0].Instance, k.ended[0].Run)
	}
	return ""
}

// laneCombiner is the in-process half of group commit: callers of one workflow's lane queue here and one of them
// decides for all. Between processes the lane's revision decides, and the inbox.
type laneCombiner struct {
	mu    sync.Mutex
	lanes map[string]*laneGroup // guarded by mu
	// own are the revisions of this process's newest commits.
	own map[string]int64 // guarded by mu
	// crowd is when this process last saw a crowd at a lane.
	crowd map[string]int64 // guarded by mu
}

// maxOwn bounds for how many lanes the own commits are remembered.
const maxOwn = 10_000

func (c *laneCombiner) ownRev(workflow string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.own[workflow]
}

func (c *laneCombiner) committed(workflow string, rev int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own == nil || len(c.own) >= maxOwn {
		c.own = map[string]int64{}
	}
	c.own[workflow] = rev
}

func (c *laneCombiner) seeCrowd(workflow string, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crowd == nil || len(c.crowd) >= maxOwn {
		c.crowd = map[string]int64{}
	}
	c.crowd[workflow] = now
}

func (c *laneCombiner) crowdSeen(workflow string, now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.crowd[workflow]
	return ok && now < at+crowdMemory.Milliseconds()
}

type laneGroup struct {
	leading bool
	waiting []*laneAsk
	hints   laneHints
}

// laneHints are what this process has seen and the lane need not be told at once: orders carried out, runs that ended
// while nobody waited. They go with the next decision at no cost. Lost with the process, they are found by reading the
// runs' heads.
type laneHints struct {
	done  []lane.Order
	ended []lane.Entry
}

// maxHints bounds what is kept for a lane that nobody asks again.
const maxHints = 1000

func (h *laneHints) add(o laneHints) {
	h.done = append(h.done, o.done[:min(len(o.done), maxHints-min(len(h.done), maxHints))]...)
	h.ended = append(h.ended, o.ended[:min(len(o.ended), maxHints-min(len(h.ended), maxHints))]...)
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

// note keeps hints for the next decision about a lane.
func (a *App) note(workflow string, h laneHints) {
	if len(h.done)+len(h.ended) == 0 {
		return
	}
	a.lanes.mu.Lock()
	defer a.lanes.mu.Unlock()
	a.lanes.group(workflow).hints.add(h)
}

// maxFold is how many asks one decision takes in at most (P13).
const maxFold = 50

// askLane has the lane of a workflow decide about the ask, together with the asks of others, and returns the tasks
// that follow from the commit. The answer is in ask.
func (a *App) askLane(ctx context.Context, workflow string, ask *laneAsk) ([]task, error) {
	ask.ready = make(chan struct{})
	c := &a.lanes
	c.mu.Lock()
	g := c.group(workflow)
	g.waiting = append(g.waiting, ask)
	if g.leading {
		c.mu.Unlock()
		select {
		case <-ask.ready:
			return ask.tasks, ask.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	g.leading = true
	c.mu.Unlock()

	// Also a panic must not leave the lane of this process led by nobody.
	leading := true
	defer func() {
		if leading {
			a.stopLeading(workflow, g)
		}
	}()
	var tasks []task
	var r reign
	for {
		c.mu.Lock()
		n := min(len(g.waiting), maxFold)
		if n == 0 && !r.on() {
			g.leading, leading = false, false
			if len(g.hints.done)+len(g.hints.ended) == 0 {
				delete(c.lanes, workflow)
			}
			c.mu.Unlock()
			return append(tasks, ask.tasks...), ask.err
		}
		batch := append([]*laneAsk(nil), g.waiting[:n]...)
		g.waiting = append([]*laneAsk(nil), g.waiting[n:]...)
		hints := g.hints
		g.hints = laneHints{}
		c.mu.Unlock()

		// The leader's own deadline must not fail the others' asks: they are decided without its cancellation.
		more, err := a.leadLane(context.WithoutCancel(ctx), workflow, batch, hints, &r)
		tasks = append(tasks, more...)
		for _, b := range batch {
			if err != nil && !b.answered {
				b.err = err
			}
			close(b.ready)
		}
	}
}

// leadLane is moveLane with the callers told, whatever happens.
func (a *App) leadLane(ctx context.Context, workflow string, batch []*laneAsk, hints laneHints, r *reign) (tasks []task, err error) {
	died := true
	defer func() {
		if died {
			for _, b := range batch {
				if !b.answered {
					b.err = fault.New(fault.InternalError, "the decision about the lane of workflow %s died", workflow)
				}
				close(b.ready)
			}
		}
	}()
	tasks, err = a.moveLane(ctx, workflow, batch, hints, r)
	died = false
	return tasks, err
}

// stopLeading ends the lead of a caller that died and fails those who wait for it.
func (a *App) stopLeading(workflow string, g *laneGroup) {
	a.lanes.mu.Lock()
	defer a.lanes.mu.Unlock()
	g.leading = false
	for _, b := range g.waiting {
		b.err = fault.New(fault.InternalError, "the decision about the lane of workflow %s died", workflow)
		close(b.ready)
	}
	g.waiting = nil
}

// moveLane decides a batch of asks in one commit, or in the commit of another who took them out of the inbox.
func (a *App) moveLane(ctx context.Context, workflow string, batch []*laneAsk, hints laneHints, r *reign) ([]task, error) {
	met, forced := false, false
	for try := 0; try < maxTriesWaiting; try++ {
		turn := laneTurn{workflow: workflow, batch: unanswered(batch), hints: hints}
		if r.on() {
			// The lane is as the last commit of this reign left it, or the commit fails.
			if err := r.pause(ctx, a); err != nil {
				return nil, err
			}
			turn.item, turn.lane, turn.ctl = r.item, r.lane, r.ctl
			met = true
		} else {
			if len(batch) == 0 {
				a.note(workflow, hints)
				return nil, nil
			}
			if err := turn.read(ctx, a); err != nil {
				if !lost(err) {
					return nil, err
				}
				if err := a.backOff(ctx, try); err != nil {
					return nil, err
				}
				continue
			}
			met = met || turn.met(a)
		}
		pointable := turn.pointable()
		if pointable && !forced && !r.on() && turn.waits(a) {
			answered, err := a.queueUp(ctx, workflow, turn.item.Rev, turn.batch)
			if err != nil || answered {
				a.note(workflow, hints)
				return nil, err
			}
			forced, try = true, try-1
			continue
		}
		tasks, err := a.decideLane(ctx, &turn, met, r)
		if err == nil {
			return tasks, nil
		}
		r.end()
		if !lost(err) {
			return nil, err
		}
		a.count(CountConflicts, 1)
		met, forced = true, false
		switch {
		case len(batch) == 0:
			continue
		case table.CodeOf(err) == table.CodeConflict && pointable:
			// The race is lost. Who won, or wins next, takes the pointers.
			rev := turn.item.Rev
			var e *table.Error
			if errors.As(err, &e) {
				rev = max(rev, e.Old.Rev)
			}
			answered, err := a.queueUp(ctx, workflow, rev, turn.batch)
			if err != nil || answered {
				a.note(workflow, hints)
				return nil, err
			}
			forced = true
		default:
			for _, b := range batch {
				b.check = true
			}
			forced = true
			if err := a.backOff(ctx, try); err != nil {
				return nil, err
			}
		}
	}
	return nil, fault.New(fault.InternalError, "the lane of workflow %s is contended, try again", workflow)
}

func unanswered(batch []*laneAsk) []*laneAsk {
	var left []*laneAsk
	for _, b := range batch {
		if !b.answered {
			left = append(left, b)
		}
	}
	return left
}

// laneTurn is one try to move a lane.
type laneTurn struct {
	workflow string
	item     table.Item
	lane     *lane.Lane
	ctl      *Ctl
	batch    []*laneAsk
	hints    laneHints

	// What the decision takes from outside the batch.
	foreign  []*laneAsk
	pointers []lane.Pointer // taken, or belonging to the batch
	left     int64          // the oldest revision of pointers that are not taken, 0 for none
	asked    []*laneAsk     // whose arrivals are decided, in the order of the input
}

// read reads the lane, and in the same call the control item, which is left for later where a crowd was seen: most
// callers then leave a pointer and do not need it.
func (t *laneTurn) read(ctx context.Context, a *App) error {
	keys := []table.Key{store.LaneKey(t.workflow), store.CtlKey(t.workflow)}
	if a.lanes.crowdSeen(t.workflow, a.now()) {
		keys = keys[:1]
	}
	items, err := a.batchGet(ctx, keys)
	if err != nil {
		return err
	}
	t.item = items[0]
	if t.lane, err = lane.Decode(t.item.Data); err != nil {
		return a.park(t.item, err)
	}
	if t.lane.Crowd > 0 {
		a.lanes.seeCrowd(t.workflow, a.now())
	}
	if len(items) == 2 {
		if t.ctl, err = a.decodeCtl(items[1]); err != nil {
			return a.park(items[1], err)
		}
	}
	return nil
}

func (t *laneTurn) pointable() bool {
	for _, b := range t.batch {
		if b.name() == "" {
			return false
		}
	}
	return len(t.batch) > 0
}

// decideLane takes one decision about a lane that was read, with the pointers in its inbox if callers were seen to
// meet, and commits it. Lane and control item were read before anything else: a commit on the lane's revision then
// proves that nobody has numbered one of these starts in between, and that no restart of these instances came first.
func (a *App) decideLane(ctx context.Context, t *laneTurn, met bool, r *reign) ([]task, error) {
	l := t.lane
	if met {
		if err := a.readInbox(ctx, t); err != nil {
			return nil, err
		}
		if len(t.batch) == 0 && len(t.foreign) == 0 {
			// Nobody is left: the reign is over.
			r.end()
			a.note(t.workflow, t.hints)
			return nil, nil
		}
	}
	asks := append(append([]*laneAsk(nil), t.foreign...), t.batch...)
	in := lane.Input{Now: max(a.now(), l.Since)}
	in.Done = append(in.Done, t.hints.done...)
	in.Ended = append(in.Ended, t.hints.ended...)
	for _, k := range asks {
		in.Done = append(in.Done, k.done...)
		in.Ended = append(in.Ended, k.ended...)
		if k.cancel {
			in.CancelAll, in.Kill, in.User, in.Reason = true, k.kill, k.user, k.reason
		}
	}
	if err := a.arrivals(ctx, t, asks, r, &in); err != nil {
		return nil, err
	}
	for _, k := range asks {
		// Who asks may have stood still while others ended the deletion, and the workflow was pushed again. Its lane would
		// refuse starts for ever, or take them while it is deleted.
		life := int64(0)
		if t.ctl.Control != nil {
			life = t.ctl.Control.InternalID
		}
		in.Delete = in.Delete || k.delete != 0 && k.delete == life
		in.Revive = in.Revive || k.revive && life == 0
		if k.undelete {
			// The lane was read before: should it be told of a deletion again, this commit fails.
			deleting, err := a.Deleting(ctx, t.workflow)
			if err != nil {
				return nil, err
			}
			in.Revive = in.Revive || !deleting
		}
	}
	if in.Strategy.Rule == lane.StrictSequential {
		var err error
		if in.Blocked, err = a.laneBlocked(ctx, t.workflow, l, in); err != nil {
			return nil, err
		}
	}
	before := make(map[lane.Entry]lane.Target, len(l.Orders))
	for _, o := range l.Orders {
		before[o.Entry] = o.Target
	}
	waited, held, crowd := l.Queued.Len(), l.Hold, t.crowded(a.now())
	out := lane.Decide(l, in)
	t.answer(l, out)

	// Orders of this decision whose caller is not here and does not wait elsewhere are for this caller to carry out.
	owner := map[string]*laneAsk{}
	var canceller *laneAsk
	look := false
	for _, k := range asks {
		if k.arrival != nil {
			owner[k.arrival.UUID] = k
		}
		if k.cancel {
			canceller = k
		}
		look = look || k.look
	}
	var tasks []task
	urgent := out.More
	for _, o := range l.Orders {
		isNew := before[o.Entry] != o.Target
		k := owner[o.UUID]
		switch {
		case k != nil && k.foreign == "":
			k.tasks = []task{{kind: taskOrder, workflow: t.workflow, order: o, own: true}}
		case k == nil && isNew && o.Target == lane.Cancel && canceller != nil:
			canceller.tasks = append(canceller.tasks, task{kind: taskOrder, workflow: t.workflow, order: o})
		case k == nil && !isNew && crowd && o.UUID != "" && !o.Changed:
			// Its caller is among the crowd and about to carry it out. If not, the next look finds it.
		case k == nil && (isNew || look):
			tasks = append(tasks, task{kind: taskOrder, workflow: t.workflow, order: o})
			urgent = urgent || o.Target == lane.Begin || o.Target == lane.Halt
		}
	}
	if out.More {
		tasks = append(tasks, task{kind: taskLane, workflow: t.workflow})
	}
	if l.Hold != held && l.Hold > in.Now {
		tasks = append(tasks, task{kind: taskLane, workflow: t.workflow, delay: l.Hold - in.Now})
	}

	r.plan(a, l, met, t, urgent)
	if out.Changed || len(t.pointers) > 0 {
		w := a.next(t.item, store.LaneKey(t.workflow), l.Encode(), l.Due)
		for _, k := range t.batch {
			k.tried = true
		}
		if err := a.write(ctx, w); err != nil {
			for _, k := range asks {
				k.tasks, k.result, k.order, k.err = nil, lane.Result{}, lane.Order{}, nil
			}
			return nil, fmt.Errorf("lane of %s: %w", t.workflow, err)
		}
		t.item = w.Item
		a.lanes.committed(t.workflow, w.Item.Rev)
	}
	r.item, r.lane, r.ctl = t.item, l, t.ctl
	a.count(CountFolds, float64(len(in.Arrivals)+len(in.Ended)))
	for _, k := range t.batch {
		k.answered, k.cancelled, k.deleted, k.latest = true, out.Cancelled, l.Deleting, l.Latest
	}
	a.answerPointers(ctx, t)
	if waited == 0 && l.Queued.Len() > 0 {
		// Who ended a run while nobody waited did not tell the lane. Now somebody waits: either that caller sees it, or
		// its run is seen to have ended here.
		seen, err := a.readHeads(ctx, t.workflow, l, inTheWay(l))
		if err != nil {
			a.log.WarnContext(ctx, "runs that may have ended are left to the sweep", "workflow", t.workflow, "error", err)
		}
		for _, e := range seen.ended {
			tasks = append(tasks, task{
				kind: taskEnded, workflow: t.workflow, run: store.RunID{Workflow: t.workflow, Instance: e.Instance, Run: e.Run}, failed: slices.Contains(seen.failed, e),
			})
		}
	}
	return tasks, nil
}

// inTheWay lists the runs that hold a slot and may have ended without the lane being told (see tellLane).
func inTheWay(l *lane.Lane) []lane.Entry {
	list := l.Running.Head(verifyLimit)
	for _, o := range l.Orders {
		if len(list) < 3*verifyLimit && l.Running.Has(o.Entry) && !slices.Contains(list, o.Entry) {
			list = append(list, o.Entry)
		}
	}
	return list
}

// answer puts the decision's results into the asks.
func (t *laneTurn) answer(l *lane.Lane, out lane.Outcome) {
	for i, k := range t.asked {
		k.result = out.Results[i]
		k.err = k.result.Err
		if k.err == nil {
			k.order, _ = l.OrderOf(k.result.Entry)
		}
	}
}

// laneBlocked tells whether a failed instance blocks the queue of STRICT_SEQUENTIAL. A restart takes the place of its
// instance's failed run, which therefore does not block it, until it has ended itself.
func (a *App) laneBlocked(ctx context.Context, workflow string, l *lane.Lane, in lane.Input) (bool, error) {
	restarted := map[int64]bool{}
	for _, arrival := range in.Arrivals {
		restarted[arrival.Instance] = true
	}
	for _, e := range append(l.Queued.Restarts(), l.Running.Restarts()...) {
		restarted[e.Instance] = restarted[e.Instance] || !slices.Contains(in.Ended, e)
	}
	blocking, err := a.blockedInstances(ctx, workflow, 1+len(restarted))
	if err != nil {
		return false, err
	}
	for _, i := range blocking {
		if !restarted[i] {
			return true, nil
		}
	}
	return false, nil
}

// verifyOrders is how many orders that nobody has reported done are compared with the heads of their runs in one
// decision: of a reign always, else from how many on.
const (
	verifyOrders     = 30
	verifyOrdersFrom = 64
)

// arrivals turns asks into arrivals, but for those whose start has a number already: they are answered with it. In the
// same call it reads the heads of runs that may have ended, or have been made what was ordered, without the lane
// knowing.
func (a *App) arrivals(ctx context.Context, t *laneTurn, asks []*laneAsk, r *reign, in *lane.Input) error {
	l := t.lane
	var keys []table.Key
	var checked []*laneAsk
	fresh := 0
	for _, k := range asks {
		if k.arrival == nil {
			continue
		}
		fresh++
		if k.check {
			checked = append(checked, k)
			keys = append(keys, store.NumberKey(t.workflow, k.arrival.UUID))
		}
	}
	if t.ctl != nil {
		in.Strategy = t.ctl.Strategy()
	}
	// A reign goes on from its own commit, but not past a change of the strategy.
	again := t.ctl == nil || r.on()
	entries := a.doubtful(t, r.on(), fresh, in)
	keys = append(keys, headKeys(t.workflow, entries)...)
	if again {
		keys = append(keys, store.CtlKey(t.workflow))
	}
	items, err := a.batchGet(ctx, keys)
	if err != nil {
		return err
	}
	if n := len(items) - 1; again {
		if t.ctl, err = a.decodeCtl(items[n]); err != nil {
			return a.park(items[n], err)
		}
		in.Strategy, items = t.ctl.Strategy(), items[:n]
	}
	numbered := map[*laneAsk]bool{}
	for i, k := range checked {
		if !items[i].Exists() {
			continue
		}
		n, err := store.DecodeNumber(items[i].Data)
		if err != nil {
			return a.park(items[i], err)
		}
		k.answerNumber(n)
		k.before = !k.tried
		numbered[k] = true
	}
	seen, err := a.seeHeads(l, entries, items[len(checked):])
	if err != nil {
		return err
	}
	in.Ended, in.Done = append(in.Ended, seen.ended...), append(in.Done, seen.done...)
	for _, e := range seen.failed {
		if err := a.markFailed(ctx, t.workflow, e); err != nil {
			return err
		}
	}
	orders := make(map[string]lane.Order, len(l.Orders))
	for _, o := range l.Orders {
		if o.UUID != "" {
			orders[o.UUID] = o
		}
	}
	twice := map[string]bool{}
	for _, k := range asks {
		if k.arrival == nil || numbered[k] {
			continue
		}
		if o, ok := orders[k.arrival.UUID]; ok {
			k.answerOrder(o)
			k.before = !k.tried
			continue
		}
		if life := k.arrival.Life; (t.ctl.Control == nil || t.ctl.Control.InternalID != life) && !definition.IsInlineID(t.workflow) {
			// The workflow was deleted since the start was planned, and perhaps pushed again: the version that the start
			// names is gone. The lane was read before, and deleting and reviving move it: this is true at the commit too.
			k.err = definition.UnknownWorkflow(t.workflow)
			continue
		}
		if twice[k.arrival.UUID] {
			// Twice in one batch: the second is answered when the start is read again.
			k.err = errAskAgain
			continue
		}
		twice[k.arrival.UUID] = true
		arrival := *k.arrival
		if arrival.Instance != 0 {
			if k.err, err = a.restartOf(ctx, t.workflow, &arrival, in); err != nil {
				return err
			}
			if k.err != nil {
				continue
			}
		}
		in.Arrivals = append(in.Arrivals, arrival)
		t.asked = append(t.asked, k)
	}
	return nil
}

// restartOf completes the arrival of a restart, or tells why it is refused.
func (a *App) restartOf(ctx context.Context, workflow string, arrival *lane.Arrival, in *lane.Input) (refused, err error) {
	latest, err := a.latestRun(ctx, workflow, arrival.Instance)
	if err != nil {
		return nil, err
	}
	if latest == nil {
		return fault.New(fault.NotFound, "workflow %s has no instance %d", workflow, arrival.Instance), nil
	}
	if !latest.Status.Terminal() {
		return fault.New(fault.BadRequest, "workflow instance %d is not terminal: its run %d is %s", arrival.Instance, latest.ID.Run, latest.Status), nil
	}
	arrival.LatestRun = latest.ID.Run
	// The lane may not have been told of the end that was just read.
	in.Ended = append(in.Ended, lane.Entry{Instance: latest.ID.Instance, Run: latest.ID.Run})
	return nil, nil
}

func (k *laneAsk) answerNumber(n store.Number) {
	target := lane.Queue
	if n.Rejected {
		target = lane.Reject
	}
	k.answerOrder(lane.Order{Entry: lane.Entry{Instance: n.Instance, Run: n.Run}, Target: target})
}

func (k *laneAsk) answerOrder(o lane.Order) {
	k.order = o
	k.order.UUID, k.order.Given = k.arrival.UUID, k.arrival.Given
	k.result = lane.Result{Entry: o.Entry, Rejected: o.Target == lane.Reject, By: o.By}
	k.err = nil
}

// doubtful lists the runs whose heads are to be read: those of orders that nobody reported done, and those that are
// said to run and stand in the way of arrivals while nobody waits (see endQuietly).
func (a *App) doubtful(t *laneTurn, reigns bool, arrivals int, in *lane.Input) []lane.Entry {
	l := t.lane
	known := make(map[lane.Entry]bool, len(in.Done)+len(in.Ended))
	for _, o := range in.Done {
		known[o.Entry] = true
	}
	for _, e := range in.Ended {
		known[e] = true
	}
	var list []lane.Entry
	if reigns || len(l.Orders) > verifyOrdersFrom {
		for i := 0; i < len(l.Orders) && len(list) < verifyOrders; i++ {
			if e := l.Orders[i].Entry; !known[e] {
				known[e] = true
				list = append(list, e)
			}
		}
	}
	limit := 1
	if in.Strategy.Rule == lane.Parallel {
		limit = in.Strategy.Concurrency
	}
	if arrivals > 0 && l.Queued.Len() == 0 && l.Running.Len()+arrivals > limit {
		for _, e := range l.Running.Head(verifyLimit) {
			if !known[e] {
				known[e] = true
				list = append(list, e)
			}
		}
	}
	return list
}

// errAskAgain tells a caller that its start is being numbered by another: read it again.
var errAskAgain = errors.New("the start is being numbered")
