package app

import (
	"context"
	"errors"
	"sort"
	"time"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// The inbox of a lane (P13). A caller tries the lane itself. If it loses the race, it leaves a pointer in the inbox and
// waits for an answer. Who has waited for two ticks tries again, and takes up to maxFold pointers of others in the same
// write; it goes on doing so for a while: it reigns, and says so on the lane, so that who comes meanwhile leaves a pointer
// at once and does not lose a race first. A lane that stands still for two ticks is reigned by nobody.
//
// A pointer is taken once. The lane remembers those taken of its newest revisions, and takes none that is older: pointers
// need not be deleted, they expire. A pointer that is lost, or comes late, costs its caller another try.

const (
	// tick is about how long callers who wait sleep before they look for their answer.
	tick = 25 * time.Millisecond
	// gather is how long who reigns lets pointers gather, from one decision to the next.
	gather = 15 * time.Millisecond
	// meeting is how shortly after a commit of another process the next one looks whether somebody has lost to it.
	meeting = 20 * time.Millisecond
	// reignTime is how long a caller folds for others before it goes on with its own work. It adds to this caller's
	// answer.
	reignTime = 250 * time.Millisecond
	// crowdMemory is how long after the end of a reign the next caller still looks into the inbox.
	crowdMemory = time.Second
	// maxWait is how long a caller waits for its turn at most.
	maxWait = 10 * time.Second
	// pointerAge is after how long the caller who left a pointer has surely given up.
	pointerAge = time.Minute
	// pointerKept is how long pointers and answers lie in the table, in seconds.
	pointerKept = 24 * 3600
	// maxLots bounds by how many of a crowd one tries at the end of a reign.
	maxLots = 8
)

// reign is a caller's time of folding for others. The zero value is none.
type reign struct {
	until, next int64 // epoch milliseconds
	item        table.Item
	lane        *lane.Lane
	ctl         *Ctl
}

func (r *reign) on() bool { return r.until != 0 }

func (r *reign) end() { *r = reign{} }

// pause lets pointers gather before the next fold.
func (r *reign) pause(ctx context.Context, a *App) error {
	if wait := r.next - a.now(); wait > 0 {
		return a.cfg.Clock.Sleep(ctx, time.Duration(wait)*time.Millisecond)
	}
	return ctx.Err()
}

// plan notes on the lane what its decision took out of the inbox, and whether this caller will look there again: not when
// the decision gave it something urgent to do.
func (r *reign) plan(a *App, l *lane.Lane, met bool, t *laneTurn, urgent bool) {
	now := a.now()
	if !met {
		l.Crowd, l.FoldAt = 0, now
		return
	}
	l.Take(t.item.Rev, t.pointers, t.left)
	l.Crowd = len(t.foreign)
	if r.until == 0 {
		r.until = now + reignTime.Milliseconds()
	}
	r.next = now + gather.Milliseconds()
	if len(t.foreign) == 0 || urgent || r.next >= r.until {
		r.until = 0
		l.FoldAt = now
		return
	}
	l.FoldAt = now + 2*tick.Milliseconds()
}

// crowded tells whether callers met here a moment ago.
func (t *laneTurn) crowded(now int64) bool {
	return t.lane.Crowd > 0 && now < t.lane.FoldAt+crowdMemory.Milliseconds()
}

// met tells whether others may be at the lane: callers met here, or another process has just moved it. A lone caller
// recognises its own commits.
func (t *laneTurn) met(a *App) bool {
	now := a.now()
	return t.crowded(now) || t.item.Exists() && now < t.lane.FoldAt+meeting.Milliseconds() && t.item.Rev != a.lanes.ownRev(t.workflow)
}

// waits tells whether the caller leaves a pointer without trying: somebody has promised to look, or, where nobody has
// and a crowd is there, one in several tries.
func (t *laneTurn) waits(a *App) bool {
	now := a.now()
	if !t.crowded(now) {
		return false
	}
	return now < t.lane.FoldAt || a.cfg.IDs.Float()*float64(min(t.lane.Crowd, maxLots)) >= 1
}

// readInbox reads the pointers that may be taken, oldest first, up to maxFold with the batch.
func (a *App) readInbox(ctx context.Context, t *laneTurn) error {
	qs := make([]table.Query, store.InboxShards)
	for i := range qs {
		qs[i] = table.Query{PK: store.InboxPK(t.workflow, i), From: store.InboxFrom(t.lane.Taken + 1)}
	}
	pages, units, err := table.Queries(ctx, a.cfg.Table, qs)
	a.spend(units)
	if err != nil {
		return err
	}
	mine := map[string]bool{}
	for _, b := range t.batch {
		if name := b.name(); name != "" {
			mine[name] = true
			if b.left != 0 {
				t.pointers = append(t.pointers, lane.Pointer{Rev: b.left, Hash: store.AskHash(name)})
			}
		}
	}
	var items []table.Item
	more := int64(0)
	for _, p := range pages {
		items = append(items, p.Items...)
		if p.More {
			// What follows on the next page is younger than what is on this one.
			if at, _, ok := store.ParseInboxKey(p.Items[len(p.Items)-1].Key); ok && (more == 0 || at.Rev < more) {
				more = at.Rev
			}
		}
	}
	sort.Slice(items, func(i, j int) bool { return items[i].SK < items[j].SK })
	t.left = more
	now := a.now()
	for _, it := range items {
		p, name, ok := store.ParseInboxKey(it.Key)
		if !ok || mine[name] || t.lane.HasTaken(p) {
			continue
		}
		if len(t.batch)+len(t.foreign) >= maxFold && len(t.foreign) > 0 {
			if t.left == 0 || p.Rev < t.left {
				t.left = p.Rev
			}
			break
		}
		pointer, err := store.DecodePointer(it.Data)
		if err != nil {
			// A pointer is a hint. Its caller asks again, by itself in the end.
			a.log.ErrorContext(ctx, "pointer in an inbox cannot be read", "key", it.Key.String(), "error", err)
			continue
		}
		if now-pointer.At > pointerAge.Milliseconds() || pointer.Start != nil && pointer.Start.Life == 0 && !definition.IsInlineID(t.workflow) {
			continue
		}
		mine[name] = true
		ask := &laneAsk{foreign: name, arrival: pointer.Start, check: pointer.Check}
		if pointer.Start == nil {
			ask.ended = []lane.Entry{pointer.Ended}
		}
		t.foreign = append(t.foreign, ask)
		t.pointers = append(t.pointers, p)
	}
	return nil
}

// answerPointers writes the answers to pointers where their callers look. It is not needed: they find the same on the
// lane, later.
func (a *App) answerPointers(ctx context.Context, t *laneTurn) {
	if len(t.foreign) == 0 {
		return
	}
	var f store.Fold
	for _, k := range t.foreign {
		f.Answers = append(f.Answers, store.Answer{Ask: k.foreign, Err: k.err, Order: k.order})
	}
	item := table.Item{Key: store.FoldKey(t.workflow, t.item.Rev), Rev: 1, Data: f.Encode(), Expires: a.now()/1000 + pointerKept}
	if err := a.write(ctx, table.Write{Item: item}); err != nil {
		a.log.DebugContext(ctx, "answers to pointers are left to be found on the lane", "workflow", t.workflow, "error", err)
	}
}

// queueUp leaves a pointer for each ask, which lost to revision rev of the lane, and waits for the answers. It returns
// false when two ticks have passed and nobody is seen to take pointers: those without an answer must try themselves.
func (a *App) queueUp(ctx context.Context, workflow string, rev int64, batch []*laneAsk) (bool, error) {
	giveUp := a.now() + maxWait.Milliseconds()
	stood := rev
	if err := a.leavePointers(ctx, workflow, rev, batch); err != nil {
		return false, err
	}
	for look := 1; ; look++ {
		if err := a.cfg.Clock.Sleep(ctx, time.Duration((0.8+0.4*a.cfg.IDs.Float())*float64(tick))); err != nil {
			return false, err
		}
		if err := a.readAnswers(ctx, workflow, batch); err != nil && !lost(err) {
			return false, err
		}
		waiting := unanswered(batch)
		if len(waiting) == 0 {
			return true, nil
		}
		if look%2 == 1 {
			continue
		}
		item, err := a.get(ctx, store.LaneKey(workflow))
		if err != nil {
			if lost(err) {
				continue
			}
			return false, err
		}
		l, err := lane.Decode(item.Data)
		if err != nil {
			return false, a.park(item, err)
		}
		if waiting = findOnLane(workflow, l, waiting); len(waiting) == 0 {
			return true, nil
		}
		if item.Rev == stood || l.Crowd == 0 {
			// Nobody moves the lane, or only such who know of no crowd.
			return false, nil
		}
		stood = item.Rev
		if a.now() > giveUp {
			return false, fault.New(fault.InternalError, "the lane of workflow %s is crowded, try again", workflow)
		}
		var late []*laneAsk
		for _, k := range waiting {
			if k.left <= l.Taken {
				late = append(late, k)
			}
		}
		if len(late) == 0 {
			continue
		}
		if late, err = a.numbered(ctx, workflow, late); err != nil {
			if lost(err) {
				continue
			}
			return false, err
		}
		if err := a.leavePointers(ctx, workflow, item.Rev, late); err != nil {
			return false, err
		}
	}
}

// leavePointers puts pointers into the inbox. One that may not have arrived is as good as late.
func (a *App) leavePointers(ctx context.Context, workflow string, rev int64, asks []*laneAsk) error {
	if len(asks) == 0 {
		return nil
	}
	now := a.now()
	items := make([]table.Item, len(asks))
	for i, k := range asks {
		k.left, k.tried = rev, true
		p := store.Pointer{At: now, Start: k.arrival, Check: k.check}
		if k.arrival == nil {
			p.Ended = k.ended[0]
		}
		items[i] = table.Item{Key: store.InboxKey(workflow, rev, k.name()), Rev: 1, Data: p.Encode(), Expires: now/1000 + pointerKept}
	}
	u, err := a.cfg.Table.BatchPut(ctx, items)
	a.spend(u)
	if err != nil && !lost(err) {
		return err
	}
	return nil
}

// readAnswers looks for answers given since the asks left their pointers.
func (a *App) readAnswers(ctx context.Context, workflow string, batch []*laneAsk) error {
	waiting := map[string]*laneAsk{}
	since := int64(0)
	for _, k := range unanswered(batch) {
		waiting[k.name()] = k
		if since == 0 || k.left < since {
			since = k.left
		}
	}
	page, err := a.query(ctx, table.Query{PK: store.FoldsPK(workflow), From: store.InboxFrom(since + 1)})
	if err != nil {
		return err
	}
	for _, it := range page.Items {
		f, err := store.DecodeFold(it.Data)
		if err != nil {
			return a.park(it, err)
		}
		for _, answer := range f.Answers {
			k := waiting[answer.Ask]
			if k == nil || k.answered {
				continue
			}
			if k.err = answer.Err; k.err == nil && k.arrival != nil {
				k.answerOrder(answer.Order)
				k.tasks = []task{{kind: taskOrder, workflow: workflow, order: k.order, own: true}}
			}
			if errors.Is(k.err, errAskAgain) {
				continue
			}
			k.answered = true
		}
	}
	return nil
}

// findOnLane answers asks from the lane itself and returns the others.
func findOnLane(workflow string, l *lane.Lane, asks []*laneAsk) (left []*laneAsk) {
	orders := map[string]lane.Order{}
	for _, o := range l.Orders {
		if o.UUID != "" {
			orders[o.UUID] = o
		}
	}
	for _, k := range asks {
		if k.arrival == nil {
			if e := k.ended[0]; !l.Queued.Has(e) && !l.Running.Has(e) {
				k.answered = true
				continue
			}
		} else if o, ok := orders[k.arrival.UUID]; ok {
			k.answerOrder(o)
			k.answered = true
			k.tasks = []task{{kind: taskOrder, workflow: workflow, order: k.order, own: true}}
			continue
		}
		left = append(left, k)
	}
	return left
}

// numbered answers asks whose start item has a number and returns the others.
func (a *App) numbered(ctx context.Context, workflow string, asks []*laneAsk) (left []*laneAsk, err error) {
	var keys []table.Key
	var starts []*laneAsk
	for _, k := range asks {
		if k.arrival == nil {
			left = append(left, k)
			continue
		}
		starts = append(starts, k)
		keys = append(keys, store.NumberKey(workflow, k.arrival.UUID))
	}
	items, err := a.batchGet(ctx, keys)
	if err != nil {
		return asks, err
	}
	for i, k := range starts {
		if !items[i].Exists() {
			left = append(left, k)
			continue
		}
		n, err := store.DecodeNumber(items[i].Data)
		if err != nil {
			return nil, a.park(items[i], err)
		}
		k.answerNumber(n)
		k.answered = true
	}
	return left, nil
}
