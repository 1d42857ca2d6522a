package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/sel"
	"github.com/downbeat/downbeat/core/signal"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/core/wire"
)

// Signals. An announcement commits the instance first and wakes afterwards; who waits writes its waiter item first and
// looks at the history afterwards: one of the two sees the other (P31). The head of a stream is due until triggers and
// waiters were told of every instance.

// indexedAtOnce is how many params of an instance fit into the transaction that stores it, beside head, instance and id.
const indexedAtOnce = 90

// signalDue is after what time a stream whose news nobody passes on is found by the sweep.
const signalDue = 15_000

// Announce stores an instance with the next number of its stream. duplicate tells that its id was announced before; the
// instance is then the stored one.
func (a *App) Announce(ctx context.Context, in signal.Instance) (stored *signal.Instance, duplicate bool, err error) {
	unlock := a.runs.lock("signal " + in.Name)
	defer unlock()
	var token table.Token
	for try := 0; try < maxTriesWaiting; try++ {
		if try > 0 {
			a.count(CountConflicts, 1)
			if err := a.backOff(ctx, try-1); err != nil {
				return nil, false, err
			}
		}
		items, err := a.batchGet(ctx, []table.Key{store.SignalIDKey(in.Name, in.ID), store.SignalKey(in.Name)})
		if err != nil {
			return nil, false, err
		}
		if items[0].Exists() {
			n, err := store.DecodeNumber(items[0].Data)
			if err != nil {
				return nil, false, a.park(items[0], err)
			}
			old, err := a.SignalInstance(ctx, in.Name, n.Instance)
			if err != nil {
				return nil, false, err
			}
			if old == nil {
				return nil, false, fmt.Errorf("signal %s has number %d and no such instance", in.Name, n.Instance)
			}
			ours := token != 0 && items[0].HasToken(token) // the answer to an earlier try was lost
			return old, !ours, nil
		}
		head := store.SignalHead{Name: in.Name}
		if items[1].Exists() {
			if head, err = store.DecodeSignalHead(items[1].Data); err != nil {
				return nil, false, a.park(items[1], err)
			}
		}
		head.Latest++
		in.Seq, in.CreateTime = head.Latest, a.now()
		id := a.next(table.Item{}, store.SignalIDKey(in.Name, in.ID), store.Number{Instance: in.Seq}.Encode(), 0)
		token = id.Item.Tokens[0]
		writes := []table.Write{
			a.next(items[1], store.SignalKey(in.Name), head.Encode(), moveDue(items[1].Due, a.now()+signalDue, a.now())),
			{Item: table.Item{Key: store.SignalInstanceKey(in.Name, in.Seq), Rev: 1, Data: in.Encode()}, Cond: table.Absent()},
			id,
		}
		var before []table.Item
		for i, p := range in.Params {
			item := table.Item{Key: store.SignalIndexKey(in.Name, p.Name, p.Value, in.Seq), Rev: 1, Data: []byte(in.ID)}
			if i < indexedAtOnce {
				writes = append(writes, table.Write{Item: item})
			} else {
				before = append(before, item) // counts only if the instance with this number has the id (P6)
			}
		}
		if len(before) > 0 {
			u, err := a.cfg.Table.BatchPut(ctx, before)
			a.spend(u)
			if err != nil {
				return nil, false, err
			}
		}
		u, err := a.cfg.Table.Transact(ctx, writes)
		a.spend(u)
		if err == nil {
			return &in, false, nil
		}
		if !lost(err) {
			return nil, false, err
		}
	}
	return nil, false, fault.New(fault.InternalError, "signal %s is announced by many at once, try again", in.Name)
}

// AnnounceSignal is the call of a user: a duplicate is refused, and what waits for the signal is told.
func (a *App) AnnounceSignal(ctx context.Context, in signal.Instance) (*signal.Instance, error) {
	stored, duplicate, err := a.Announce(ctx, in)
	if err != nil {
		return nil, err
	}
	if duplicate {
		return nil, fault.New(fault.Conflict, "signal [%s] with instance id [%s] was announced before", in.Name, in.ID)
	}
	if err := a.settleSoon(ctx, []task{{kind: taskSignal, workflow: in.Name}}); err != nil {
		a.log.WarnContext(ctx, "what follows from a signal is left to the sweep", "signal", in.Name, "error", err)
	}
	return stored, nil
}

// SignalInstance reads an instance by its number; nil when there is none.
func (a *App) SignalInstance(ctx context.Context, name string, seq int64) (*signal.Instance, error) {
	if seq < 1 {
		return nil, nil
	}
	item, err := a.get(ctx, store.SignalInstanceKey(name, seq))
	if err != nil || !item.Exists() {
		return nil, err
	}
	i, err := signal.Decode(item.Data)
	if err != nil {
		return nil, a.park(item, err)
	}
	return i, nil
}

// LatestSignal is the newest number of a stream, 0 when it has none.
func (a *App) LatestSignal(ctx context.Context, name string) (int64, error) {
	item, err := a.get(ctx, store.SignalKey(name))
	if err != nil || !item.Exists() {
		return 0, err
	}
	h, err := store.DecodeSignalHead(item.Data)
	if err != nil {
		return 0, a.park(item, err)
	}
	return h.Latest, nil
}

// findSignal is the smallest instance above a number that meets the conditions; nil when there is none.
func (a *App) findSignal(ctx context.Context, name string, above int64, conditions []signal.Condition) (*signal.Instance, error) {
	latest, err := a.LatestSignal(ctx, name)
	if err != nil || latest <= above {
		return nil, err
	}
	if key, ok := signal.KeyOf(conditions); ok {
		return a.findIndexed(ctx, name, key, above, latest, conditions)
	}
	for block := store.SignalBlock(above + 1); block <= store.SignalBlock(latest); block++ {
		q := table.Query{PK: store.SignalBlockPK(name, block), From: store.SignalSeqSK(above + 1), To: store.SignalSeqSK(latest)}
		for {
			page, err := a.query(ctx, q)
			if err != nil {
				return nil, err
			}
			for _, item := range page.Items {
				i, err := signal.Decode(item.Data)
				if err != nil {
					return nil, a.park(item, err)
				}
				if signal.Holds(conditions, i) {
					return i, nil
				}
				q.After = item.SK
			}
			if !page.More {
				break
			}
		}
	}
	return nil, nil
}

// findIndexed looks through the history of one param's value.
func (a *App) findIndexed(ctx context.Context, name string, key signal.Param, above, latest int64, conditions []signal.Condition) (*signal.Instance, error) {
	q := table.Query{
		PK: store.SignalIndexPK(name, key.Name, key.Value), From: store.SignalSeqSK(above + 1), To: store.SignalSeqSK(latest), Limit: 50,
	}
	for {
		page, err := a.query(ctx, q)
		if err != nil {
			return nil, err
		}
		var keys []table.Key
		for _, item := range page.Items {
			q.After = item.SK
			if seq, ok := store.ParseSeq(item.SK); ok {
				keys = append(keys, store.SignalInstanceKey(name, seq))
			}
		}
		items, err := a.batchGet(ctx, keys)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if !item.Exists() {
				continue
			}
			i, err := signal.Decode(item.Data)
			if err != nil {
				return nil, a.park(item, err)
			}
			if signal.Holds(conditions, i) {
				return i, nil
			}
		}
		if !page.More {
			return nil, nil
		}
	}
}

// signalOf is the name of the signal whose head has a key; "" when there is no such head.
func (a *App) signalOf(ctx context.Context, stream string) (string, error) {
	item, err := a.get(ctx, store.StreamKey(stream))
	if err != nil || !item.Exists() {
		return "", err
	}
	h, err := store.DecodeSignalHead(item.Data)
	if err != nil {
		return "", a.park(item, err)
	}
	return h.Name, nil
}

// tellsAtOnce is how many instances one look at a stream passes on.
const tellsAtOnce = 100

// lookAtSignal passes the news of a stream on to triggers and to those who wait, in the order of the stream. All of it
// may be repeated.
func (a *App) lookAtSignal(ctx context.Context, name string) ([]task, error) {
	var tasks []task
	for {
		item, err := a.get(ctx, store.SignalKey(name))
		if err != nil || !item.Exists() {
			return tasks, err
		}
		head, err := store.DecodeSignalHead(item.Data)
		if err != nil {
			return nil, a.park(item, err)
		}
		if head.Told >= head.Latest && item.Due == 0 {
			return tasks, nil
		}
		for n := 0; head.Told < head.Latest && n < tellsAtOnce; n++ {
			i, err := a.SignalInstance(ctx, name, head.Told+1)
			if err != nil {
				return nil, err
			}
			if i == nil {
				return nil, fmt.Errorf("signal %s has no instance %d", name, head.Told+1)
			}
			if tasks, err = a.wake(ctx, i, tasks); err != nil {
				return nil, err
			}
			if tasks, err = a.fire(ctx, i, tasks); err != nil {
				return nil, err
			}
			head.Told++
		}
		due := int64(0)
		if head.Told < head.Latest {
			due = moveDue(item.Due, a.now()+signalDue, a.now())
			tasks = append(tasks, task{kind: taskSignal, workflow: name})
		}
		err = a.put(ctx, item, store.SignalKey(name), head.Encode(), due)
		if err == nil || !lost(err) {
			return tasks, err
		}
		a.count(CountConflicts, 1)
	}
}

// wake has the runs looked at that wait for an instance. Their waiter items go: whose look fails to come is found by its
// own check, and finds the instance in the history.
func (a *App) wake(ctx context.Context, i *signal.Instance, tasks []task) ([]task, error) {
	pks := []string{store.WaiterPK(i.Name, "", nil)}
	for _, p := range i.Params {
		pks = append(pks, store.WaiterPK(i.Name, p.Name, &p.Value))
	}
	for _, pk := range pks {
		after := ""
		for {
			page, err := a.query(ctx, table.Query{PK: pk, After: after, Limit: 100})
			if err != nil {
				return nil, err
			}
			for _, item := range page.Items {
				after = item.SK
				w, err := decodeWaiter(item.Data)
				if err != nil {
					return nil, a.park(item, err)
				}
				if !signal.Holds(w.conditions, i) {
					continue
				}
				tasks = append(tasks, task{kind: taskRun, workflow: w.run.Workflow, run: w.run})
				if err := a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: item.Key}}); err != nil {
					return nil, err
				}
			}
			if !page.More {
				break
			}
		}
	}
	return tasks, nil
}

// fire lets the triggers look at an instance that list its signal.
func (a *App) fire(ctx context.Context, i *signal.Instance, tasks []task) ([]task, error) {
	after := ""
	for {
		page, err := a.query(ctx, table.Query{PK: store.SubscriberPK(i.Name), After: after, Limit: 100})
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			after = item.SK
			s, err := store.DecodeSubscriber(item.Data)
			if err != nil {
				return nil, a.park(item, err)
			}
			if err := a.fireTrigger(ctx, s, item, i); err != nil {
				return nil, err
			}
		}
		if !page.More {
			return tasks, nil
		}
	}
}

// fireTrigger starts what a trigger starts on an instance: the run first, under an id that the signals determine, the
// checkpoint after it (P32). A crash in between repeats the start, which is a duplicate. listed is the item of sub.
func (a *App) fireTrigger(ctx context.Context, sub store.Subscriber, listed table.Item, i *signal.Instance) error {
	for try := 0; ; try++ {
		item, err := a.get(ctx, store.SubscriptionKey(sub.Workflow, sub.Trigger))
		if err != nil {
			return err
		}
		if !item.Exists() {
			return nil
		}
		s, err := signal.DecodeSubscription(item.Data)
		if err != nil {
			return a.park(item, err)
		}
		trigger, err := a.activeTrigger(ctx, sub)
		if err != nil {
			return err
		}
		if trigger == nil {
			if a.now() < s.Made+subscriptionYoung {
				return nil // the change that brings the trigger may not be committed yet
			}
			return a.unsubscribe(ctx, []table.Item{item, listed})
		}
		chosen, err := signal.Match(s, trigger, i, func(name string, above int64, conditions []signal.Condition) (*signal.Instance, error) {
			return a.findSignal(ctx, name, above, conditions)
		})
		if err != nil || chosen == nil {
			return err
		}
		if err := a.startFromSignals(ctx, s, trigger, chosen); err != nil {
			return err
		}
		s.Consume(chosen)
		err = a.put(ctx, item, item.Key, s.Encode(), 0)
		if err == nil || !lost(err) || try >= maxTriesWaiting {
			return err
		}
	}
}

// activeTrigger is a trigger as the active version has it; nil when it has none with that id, or may not fire.
func (a *App) activeTrigger(ctx context.Context, sub store.Subscriber) (*definition.SignalTrigger, error) {
	ctl, err := a.loadCtl(ctx, sub.Workflow)
	if err != nil || ctl.Control == nil || ctl.Control.ActiveVersion == 0 || ctl.Control.Properties.SignalTriggersDisabled() {
		return nil, err
	}
	v, err := a.Version(ctx, ctl.Control, ctl.Control.ActiveVersion)
	if err != nil || v == nil {
		return nil, err
	}
	return triggerOf(v.Workflow, sub.Trigger), nil
}

func triggerOf(w *definition.Workflow, uuid string) *definition.SignalTrigger {
	for k, id := range definition.TriggerUUIDs(w, false) {
		if id == uuid {
			return &w.SignalTriggers[k]
		}
	}
	return nil
}

// startFromSignals starts the active version. What can never succeed consumes its signals.
func (a *App) startFromSignals(ctx context.Context, s *signal.Subscription, t *definition.SignalTrigger, chosen []int64) error {
	firing, err := signal.Fire(s, t, chosen, a.now(), a.set.Environment)
	if err != nil {
		a.log.InfoContext(ctx, "trigger does not start its workflow", "workflow", s.WorkflowID, "trigger", s.TriggerUUID, "error", err)
		return nil
	}
	initiator := engine.Initiator{Type: engine.Signalled, TriggerUUID: s.TriggerUUID, Params: firing.Params, SignalIDs: []engine.SignalID{}}
	for i, n := range s.Names {
		initiator.SignalIDs = append(initiator.SignalIDs, engine.SignalID{Name: n, ID: chosen[i]})
	}
	_, err = a.Start(ctx, s.WorkflowID, "active", "", engine.StartRequest{
		Initiator: initiator, RequestID: firing.RequestID, RequestTime: a.now(), PersistFailedRun: true,
	})
	if err == nil || !userError(err) {
		return err
	}
	a.count(CountRefused, 1)
	a.log.ErrorContext(ctx, "trigger does not start its workflow", "workflow", s.WorkflowID, "trigger", s.TriggerUUID, "error", err)
	return nil
}

// Subscriptions.
//
// A subscription is made before its trigger is active, and goes after that, so that no signal is missed. Whoever makes or
// takes away one may stand still meanwhile, while another change does the opposite. So what is taken away is what was read
// before it was known to be of no use, and what is made anew has a revision of its own. One that is left over does nothing.

// subscriptionYoung is for how long a subscription is kept though its trigger is not active: longer than anybody may stand
// still between making it and committing the change. In milliseconds.
const subscriptionYoung = 24 * 3600_000

// subscribe makes the subscriptions that a change of a workflow brings, before it is committed. It returns the items of
// those that the change takes away.
func (a *App) subscribe(ctx context.Context, workflow string, c *Ctl, change *definition.Change) (gone []table.Item, err error) {
	t := change.Triggers
	if t == nil {
		return nil, nil
	}
	next, err := a.triggersOf(ctx, &change.Control, t.ActiveVersion, t.SignalDisabled, change.Version)
	if err != nil {
		return nil, err
	}
	var before map[string]*definition.SignalTrigger
	if c.Control != nil {
		if before, err = a.triggersOf(ctx, c.Control, t.PreviousVersion, t.SignalDisabledBefore, nil); err != nil {
			return nil, err
		}
	}
	for _, uuid := range sortedKeys(next) {
		if before[uuid] == nil {
			if err := a.subscribeTrigger(ctx, workflow, c, change.Control.InternalID, uuid, next[uuid]); err != nil {
				return nil, err
			}
		}
	}
	for _, uuid := range sortedKeys(before) {
		if next[uuid] == nil {
			items, err := a.subscriptionItems(ctx, workflow, uuid, signal.NamesOf(before[uuid]))
			if err != nil {
				return nil, err
			}
			gone = append(gone, items...)
		}
	}
	return gone, nil
}

// subscribeTrigger makes the subscription of a trigger that is not active as long as the control item is as it was read.
func (a *App) subscribeTrigger(ctx context.Context, workflow string, c *Ctl, internalID int64, uuid string, trigger *definition.SignalTrigger) error {
	latest := map[string]int64{}
	for _, n := range signal.NamesOf(trigger) {
		var err error
		if latest[n], err = a.LatestSignal(ctx, n); err != nil {
			return err
		}
	}
	s := signal.Subscribe(workflow, uuid, trigger, func(n string) int64 { return latest[n] })
	s.InternalID, s.Made = internalID, a.now()
	key := store.SubscriptionKey(workflow, uuid)
	old, err := a.get(ctx, key)
	if err != nil {
		return err
	}
	if old.Exists() {
		// It may be that of a trigger which another change has made active meanwhile: its checkpoints must stay.
		now, err := a.get(ctx, store.CtlKey(workflow))
		if err != nil {
			return err
		}
		if now.Rev != c.item.Rev {
			return &table.Error{Code: table.CodeConflict, Op: "subscribe", Key: now.Key, Old: now}
		}
	}
	if err := a.put(ctx, old, key, s.Encode(), 0); err != nil {
		return err
	}
	items := make([]table.Item, len(s.Names))
	for i, n := range s.Names {
		listed := a.next(table.Item{}, store.SubscriberKey(n, workflow, uuid), store.Subscriber{Workflow: workflow, Trigger: uuid, InternalID: internalID}.Encode(), 0)
		items[i] = listed.Item
	}
	u, err := a.cfg.Table.BatchPut(ctx, items)
	a.spend(u)
	return err
}

// subscriptionItems reads a subscription with its places in the lists of its signals.
func (a *App) subscriptionItems(ctx context.Context, workflow, uuid string, names []string) ([]table.Item, error) {
	keys := []table.Key{store.SubscriptionKey(workflow, uuid)}
	for _, n := range names {
		keys = append(keys, store.SubscriberKey(n, workflow, uuid))
	}
	return a.batchGet(ctx, keys)
}

// unsubscribe deletes items of subscriptions as they were read. One that is another by now stays.
func (a *App) unsubscribe(ctx context.Context, items []table.Item) error {
	for _, it := range items {
		if !it.Exists() {
			continue
		}
		if err := a.deleteRead(ctx, it); err != nil && table.CodeOf(err) != table.CodeConflict {
			return err
		}
	}
	return nil
}

// triggersOf are the signal triggers of a version by their ids; none when there is no version, or they are disabled.
// pushed is the version that a change brings, which is not stored yet.
func (a *App) triggersOf(ctx context.Context, ctl *definition.Control, version int64, disabled bool, pushed *definition.Version) (map[string]*definition.SignalTrigger, error) {
	triggers := map[string]*definition.SignalTrigger{}
	if version == 0 || disabled {
		return triggers, nil
	}
	v := pushed
	if v == nil || v.Metadata.VersionID != version {
		var err error
		if v, err = a.Version(ctx, ctl, version); err != nil || v == nil {
			return triggers, err
		}
	}
	for k, uuid := range definition.TriggerUUIDs(v.Workflow, false) {
		triggers[uuid] = &v.Workflow.SignalTriggers[k]
	}
	return triggers, nil
}

// Waiting steps.

// waiter is a run that waits for a signal.
type waiter struct {
	run        store.RunID
	conditions []signal.Condition
}

func (w *waiter) encode() []byte {
	o := wire.NewWriter(nil)
	o.Open()
	o.Str("wf", w.run.Workflow)
	o.Long("i", w.run.Instance)
	o.Long("r", w.run.Run)
	o.List("when")
	for _, c := range w.conditions {
		o.Open()
		o.Str("name", c.Name)
		o.Str("op", string(c.Operator))
		switch {
		case c.Value == nil:
		case c.Value.IsText:
			o.Str("s", c.Value.Text)
		default:
			o.Long("n", c.Value.Long)
		}
		o.Close()
	}
	o.CloseList()
	o.Close()
	return o.Bytes()
}

func decodeWaiter(data []byte) (*waiter, error) {
	v, err := wire.Parse(data)
	if err != nil {
		return nil, err
	}
	o, err := wire.Open(v, "")
	if err != nil {
		return nil, err
	}
	w := &waiter{run: store.RunID{Workflow: o.Str("wf"), Instance: o.Long("i"), Run: o.Long("r")}}
	for _, n := range o.List("when") {
		c := n.Object()
		cond := signal.Condition{Name: c.Str("name"), Operator: definition.Operator(c.Str("op"))}
		switch {
		case c.Has("s"):
			cond.Value = &definition.SignalValue{IsText: true, Text: c.Str("s")}
		case c.Has("n"):
			cond.Value = &definition.SignalValue{Long: c.Long("n")}
		}
		w.conditions = append(w.conditions, cond)
	}
	return w, o.Close()
}

// conditionsOf are the conditions of a dependency. A param called name has no effect: the name of the signal stands in its
// place.
func conditionsOf(dep *engine.SignalDependency) []signal.Condition {
	var list []signal.Condition
	for _, m := range dep.MatchParams {
		if m.Name == "name" {
			continue
		}
		c := signal.Condition{Name: m.Name, Operator: definition.Operator(m.Operator)}
		if m.Value != nil && m.Value.Evaluated {
			v := signalValue(m.Value.Result)
			c.Value = &v
		}
		list = append(list, c)
	}
	return list
}

// signalValue is an evaluated value as signals carry it.
func signalValue(v sel.Value) definition.SignalValue {
	if v.Type() == sel.TypeLong {
		return definition.SignalValue{Long: v.AsLong()}
	}
	return definition.SignalValue{IsText: true, Text: v.AsString()}
}

// waiterKey is where a run waits for a dependency.
func waiterKey(id store.RunID, name string, conditions []signal.Condition) table.Key {
	pk := store.WaiterPK(name, "", nil)
	if k, ok := signal.KeyOf(conditions); ok {
		pk = store.WaiterPK(name, k.Name, &k.Value)
	}
	return store.WaiterKey(pk, id, string((&waiter{conditions: conditions}).encode()))
}

// awaitSignal finds the instance that a dependency of a run is met by, 0 for none yet: then the run waits. waits tells
// that it is known to wait already.
func (a *App) awaitSignal(ctx context.Context, id store.RunID, dep *engine.SignalDependency, waits bool) (int64, error) {
	conditions := conditionsOf(dep)
	i, err := a.findSignal(ctx, dep.Name, 0, conditions)
	if err != nil || i == nil && waits {
		return 0, err
	}
	if i == nil {
		w := waiter{run: id, conditions: conditions}
		u, err := a.cfg.Table.BatchPut(ctx, []table.Item{{Key: waiterKey(id, dep.Name, conditions), Rev: 1, Data: w.encode()}})
		a.spend(u)
		if err != nil {
			return 0, err
		}
		if i, err = a.findSignal(ctx, dep.Name, 0, conditions); err != nil || i == nil {
			return 0, err
		}
	}
	return i.Seq, nil
}

// stopWaiting takes the waiter items of a run away that it no longer needs.
func (a *App) stopWaiting(ctx context.Context, t task) error {
	for _, k := range t.keys {
		if err := a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: k}}); err != nil {
			return err
		}
	}
	return nil
}

// Signals of steps.

// outputInstance is what a step announces: of the output the name and the params, and who announces it.
func outputInstance(b *engine.Body, at *engine.Attempt, n int, now int64) signal.Instance {
	out := &at.SignalOutputs.Outputs[n]
	in := signal.Instance{Name: out.Name, RequestTime: now}
	if out.Params != nil {
		for name, p := range out.Params.All() {
			in.Params = append(in.Params, signal.Param{Name: name, Value: signalValue(p.Result)})
		}
	}
	in.ID = signal.DerivedID(in.Name, in.Params)
	in.Payload = []wire.Field{{Name: "signal_source", Value: source(b, at)}}
	return in
}

func source(b *engine.Body, at *engine.Attempt) wire.Value {
	return wire.ObjectOf([]wire.Field{
		{Name: "workflow_id", Value: wire.Text(b.WorkflowID)}, {Name: "workflow_instance_id", Value: wire.Integer(b.InstanceID)},
		{Name: "workflow_run_id", Value: wire.Integer(b.RunID)}, {Name: "step_id", Value: wire.Text(at.StepID)},
		{Name: "step_attempt_id", Value: wire.Integer(at.AttemptID)}, {Name: "step_instance_id", Value: wire.Integer(at.StepInstanceID)},
	})
}

// announceOutput announces an output of an attempt. Announced before by this very attempt, whose commit was lost, it is
// not a duplicate.
func (a *App) announceOutput(ctx context.Context, b *engine.Body, at *engine.Attempt, n int) (announced, error) {
	in := outputInstance(b, at, n, a.now())
	stored, duplicate, err := a.Announce(ctx, in)
	if err != nil {
		return announced{}, err
	}
	for k := range at.SignalOutputs.Outputs[:n] {
		// The same again within the step is a duplicate, though its record names this attempt.
		if o := outputInstance(b, at, k, 0); o.Name == in.Name && o.ID == in.ID {
			return announced{id: -1}, nil
		}
	}
	if duplicate && !slices.ContainsFunc(stored.Payload, func(f wire.Field) bool { return f.Name == "signal_source" && f.Value.Equal(in.Payload[0].Value) }) {
		return announced{id: -1}, nil
	}
	return announced{id: stored.Seq, time: stored.CreateTime, name: in.Name}, nil
}

// announced is what became of an output.
type announced struct {
	id, time int64
	name     string
}

// Keys of what decisions ask about signals.
const (
	keySignalMatch engine.KeyKind = "signal-match" // Name: encoded dependency
	keyAnnounce    engine.KeyKind = "announce"     // Name: step uuid and number
	keySignalParam engine.KeyKind = "signal-param" // Name: signal, InstanceID: number, StepID: param
)

// signalEnv is what a decision is told about signals.
type signalEnv struct {
	deps      map[engine.Key]*engine.SignalDependency
	outputs   map[engine.Key]outputOf
	matches   map[engine.Key]int64
	announced map[engine.Key]announced
	params    map[engine.Key]*definition.SignalValue
}

type outputOf struct {
	at *engine.Attempt
	n  int
}

func newSignalEnv() *signalEnv {
	return &signalEnv{
		map[engine.Key]*engine.SignalDependency{}, map[engine.Key]outputOf{}, map[engine.Key]int64{}, map[engine.Key]announced{},
		map[engine.Key]*definition.SignalValue{},
	}
}

// MatchSignal finds an instance for a dependency.
func (e *runEnv) MatchSignal(dep *engine.SignalDependency) (int64, bool, error) {
	k := engine.Key{Kind: keySignalMatch, Name: dep.Name, StepID: waiterKey(e.v.id, dep.Name, conditionsOf(dep)).String()}
	if id, ok := e.signals.matches[k]; ok {
		return id, id != 0, nil
	}
	c := *dep
	e.signals.deps[k] = &c
	return 0, false, &engine.NeedError{Keys: []engine.Key{k}}
}

// Announce announces an output of an attempt that was committed as FINISHING: what is not committed may still be decided
// otherwise.
func (e *runEnv) Announce(at *engine.Attempt, n int) (id, time int64, done bool, err error) {
	if !e.finishing(at.UUID) {
		return 0, 0, false, nil
	}
	k := engine.Key{Kind: keyAnnounce, Name: at.UUID + "#" + strconv.Itoa(n)}
	if r, ok := e.signals.announced[k]; ok {
		return r.id, r.time, true, nil
	}
	e.signals.outputs[k] = outputOf{at, n}
	return 0, 0, false, &engine.NeedError{Keys: []engine.Key{k}}
}

// finishing tells whether an attempt is stored as FINISHING.
func (e *runEnv) finishing(uuid string) bool {
	at := e.stored(uuid)
	return at != nil && at.Status == engine.StepFinishing
}

// stored is an attempt as it was read.
func (e *runEnv) stored(uuid string) *engine.Attempt {
	for i := len(e.v.pages) - 1; i >= 0; i-- {
		for k := len(e.v.pages[i]) - 1; k >= 0; k-- {
			if at := e.v.pages[i][k]; at.UUID == uuid {
				return at
			}
		}
	}
	return nil
}

// waits tells whether the run is stored as one that waits for the dependency, and so has a waiter item.
func (e *runEnv) waits(dep *engine.SignalDependency) bool {
	want := waiterKey(e.v.id, dep.Name, conditionsOf(dep))
	newest := map[string]*engine.Attempt{}
	for _, page := range e.v.pages {
		for _, at := range page {
			newest[at.UUID] = at
		}
	}
	for _, at := range newest {
		if at.Status != engine.StepWaitingForSignals || at.SignalDependencies == nil {
			continue
		}
		for i := range at.SignalDependencies.Dependencies {
			d := &at.SignalDependencies.Dependencies[i]
			if d.Name == dep.Name && d.Status == engine.SignalPending && waiterKey(e.v.id, d.Name, conditionsOf(d)) == want {
				return true
			}
		}
	}
	return false
}

// SignalInstanceParam is a param of a signal instance; false when it is not there.
func (e *runEnv) SignalInstanceParam(name string, id int64, param string) (sel.Value, bool, error) {
	k := engine.Key{Kind: keySignalParam, Name: name, InstanceID: id, StepID: param}
	v, ok := e.signals.params[k]
	if !ok {
		return sel.Value{}, false, &engine.NeedError{Keys: []engine.Key{k}}
	}
	if v == nil {
		return sel.Value{}, false, nil
	}
	if v.IsText {
		return sel.String(v.Text), true, nil
	}
	return sel.Long(v.Long), true, nil
}

// loadSignals reads, or does, what a decision asks about signals; false for keys of another kind.
func (e *runEnv) loadSignals(ctx context.Context, k engine.Key) (bool, error) {
	switch k.Kind {
	case keySignalMatch:
		dep := e.signals.deps[k]
		if dep == nil {
			return true, errors.New("a dependency is asked for that no decision named")
		}
		id, err := e.a.awaitSignal(ctx, e.v.id, dep, e.waits(dep))
		e.signals.matches[k] = id
		return true, err
	case keyAnnounce:
		out, ok := e.signals.outputs[k]
		if !ok {
			return true, errors.New("an output is to be announced that no decision named")
		}
		r, err := e.a.announceOutput(ctx, e.v.body, out.at, out.n)
		if err != nil {
			return true, err
		}
		e.signals.announced[k] = r
		if r.name != "" {
			return true, e.a.send(ctx, []outgoing{e.a.message(task{kind: taskSignal, workflow: r.name})})
		}
		return true, nil
	case keySignalParam:
		i, err := e.a.SignalInstance(ctx, k.Name, k.InstanceID)
		if err != nil {
			return true, err
		}
		e.signals.params[k] = nil
		if i != nil {
			if v, ok := i.Param(k.StepID); ok {
				e.signals.params[k] = &v
			}
		}
		return true, nil
	}
	return false, nil
}

// doneWaiting are the waiter items of attempts that were stored as waiting and wait no longer.
func doneWaiting(v *runView, changed []*engine.Attempt) []table.Key {
	var keys []table.Key
	for _, at := range changed {
		if at.SignalDependencies == nil || at.Status == engine.StepWaitingForSignals || at.Times.WaitSignal == 0 {
			continue
		}
		if !slices.ContainsFunc(at.Changes, func(c engine.StatusChange) bool { return c.From == engine.StepWaitingForSignals }) ||
			slices.ContainsFunc(at.Changes, func(c engine.StatusChange) bool { return c.To == engine.StepWaitingForSignals }) {
			continue
		}
		for i := range at.SignalDependencies.Dependencies {
			d := &at.SignalDependencies.Dependencies[i]
			keys = append(keys, waiterKey(v.id, d.Name, conditionsOf(d)))
		}
	}
	return keys
}

// unannounced tells whether an attempt that is committed as FINISHING has outputs to announce.
func unannounced(at *engine.Attempt) bool {
	return at.Status == engine.StepFinishing && at.SignalOutputs != nil &&
		slices.ContainsFunc(at.SignalOutputs.Outputs, func(o engine.SignalOutput) bool { return o.SignalID == 0 })
}
