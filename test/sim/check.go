package sim

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// The invariants that are checked with each write, as it happens.

// noQueue takes the messages of who only reads.
type noQueue struct{}

func (noQueue) Send(context.Context, queue.Name, []queue.Message) error { return nil }

// plainTable is the table for who only reads: a check that changed the world would heal what it is to find.
type plainTable struct {
	*memtable.Table
	s *system
}

func (t *plainTable) refuse(op string, key table.Key) (table.Units, error) {
	err := fmt.Errorf("a check makes a %s of %s", op, key)
	t.s.w.fail("%v", err)
	return table.Units{}, err
}

func (t *plainTable) Write(_ context.Context, w table.Write) (table.Units, error) {
	return t.refuse("write", w.Item.Key)
}

func (t *plainTable) BatchPut(_ context.Context, items []table.Item) (table.Units, error) {
	return t.refuse("batch put", items[0].Key)
}

func (t *plainTable) Transact(_ context.Context, writes []table.Write) (table.Units, error) {
	return t.refuse("transaction", writes[0].Item.Key)
}

func (t *plainTable) BatchGet(ctx context.Context, keys []table.Key) ([]table.Item, table.Units, error) {
	return t.Table.BatchGet(ctx, t.s.renamedAll(keys))
}

// newReader makes an instance whose ports take no time and never fail, for the invariants.
func (s *system) newReader() *app.App {
	in := &ports{s: s, p: &proc{w: s.w}}
	a, err := app.New(app.Config{Table: &plainTable{s.table, s}, Queue: noQueue{}, Blob: s.blobs, Clock: in, IDs: in, Decoded: s.decoded, Codec: s.codec})
	if err != nil {
		s.w.fail("app: %v", err)
	}
	return a
}

// reported takes an error of the application's log. None of the faults makes an invocation die of itself, or an item
// unreadable.
func (s *system) reported(p *proc, r slog.Record) {
	switch {
	case strings.Contains(r.Message, "a process died at a step"):
		// Invocations crashed again and again where this step was decided: the step pays for it (P4).
		s.w.counts[outcomePoisoned]++
	case strings.Contains(r.Message, "died"), strings.Contains(r.Message, "cannot be read"), strings.Contains(r.Message, "unknown kind"):
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		s.w.fail("%s reports: %s", p.name, text)
	case strings.Contains(r.Message, "does not start a run"):
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "request_id" {
				s.refused[a.Value.String()], s.changed = true, true
			}
			return true
		})
	}
}

// wrote checks writes that took effect together. olds are the items before.
func (s *system) wrote(p *proc, olds []table.Item, writes []table.Write) {
	s.changed = true
	for i, wr := range writes {
		if wr.Op == table.OpPut {
			// A repeated write that finds its own token, under the writes of others by now, has succeeded and changes nothing.
			if now, _, err := s.table.Get(background, wr.Item.Key); err != nil || now.Rev != wr.Item.Rev || !bytes.Equal(now.Data, wr.Item.Data) {
				continue
			}
		}
		s.w.logf("%s writes %s rev %d", p.name, wr.Item.Key, wr.Item.Rev)
		s.wroteItem(p, olds[i], wr)
	}
}

func (s *system) wroteItem(p *proc, old table.Item, wr table.Write) {
	key := wr.Item.Key
	put := wr.Op == table.OpPut
	switch kind, _, _ := strings.Cut(key.PK, "#"); kind {
	case "run":
		if id, ok := store.ParseRunKey(key); ok {
			if put && !store.IsGone(wr.Item) {
				s.checkHead(id, wr.Item)
			} else {
				s.checkHeadGone(id, old)
			}
		}
	case "p":
		if !put {
			delete(s.pages, key)
			return
		}
		// P6: nobody overwrites the page of another; only the same try may store its own again.
		if old.Exists() && !bytes.Equal(old.Data, wr.Item.Data) {
			s.w.fail("page %s was stored and is another now", key)
		}
		s.pages[key] = true
	case "start":
		if put && old.Exists() && !bytes.Equal(old.Data, wr.Item.Data) {
			s.w.fail("start %s was stored and is another now", key)
		}
	case "lane":
		if workflow, ok := store.ParseLaneKey(key); ok && put {
			s.checkLane(workflow, wr.Item)
		}
	case "permit":
		if _, ok := store.ParsePermitKey(key); ok && put {
			s.checkPermits(key, old, wr.Item)
		} else if put {
			s.w.counts[outcomeAsked]++
		}
	case "ver":
		if put && old.Exists() && !bytes.Equal(old.Data, wr.Item.Data) {
			s.w.fail("version %s was stored and is another now", key)
		}
	case "a":
		uuid := strings.TrimPrefix(key.PK, "a#")
		if put {
			s.claims[uuid] = claim{p, wr.Item.Order}
		} else {
			// Given back: the call of the outside is known to have failed.
			delete(s.claims, uuid)
			delete(s.jobs, uuid)
		}
	case "ctl":
		s.checkControl(strings.TrimPrefix(key.PK, "ctl#"))
		s.checkScheduled(strings.TrimPrefix(key.PK, "ctl#"))
	case "time":
		s.checkTimes(old, wr.Item)
	}
}

// legalRun tells whether a run may go from one status to another.
func legalRun(from, to engine.InstanceStatus) bool {
	switch {
	case from == to:
		return true
	case from.Terminal(), to == engine.InstanceCreated:
		return false
	case to == engine.InstancePaused:
		return from == engine.InstanceInProgress
	}
	return true
}

// legalStep tells whether an attempt may go from one status to another: only forward, and RUNNING by STARTING alone.
func legalStep(from, to engine.StepStatus) bool {
	switch {
	case to == engine.StepCompletedWithError:
		return from >= engine.StepUserFailed || !from.Terminal() && from > engine.StepCreated // a failure that is ignored
	case from.Terminal() || to <= from:
		return false
	case from == engine.StepNotCreated:
		return to == engine.StepCreated
	case to == engine.StepRunning:
		return from == engine.StepStarting
	case to == engine.StepFinishing:
		return from == engine.StepRunning
	}
	return true
}

// checkHead: a run moves only along legal transitions, its terminal states are final, its time does not run backwards,
// it belongs to one start, and one that was deleted does not come back.
func (s *system) checkHead(id store.RunID, now table.Item) {
	h, err := store.DecodeRunHead(now.Data)
	if err != nil {
		s.w.fail("head of %s: %v", id, err)
		return
	}
	if s.deleted[id] {
		s.w.fail("run %s was deleted and is written again", id)
		return
	}
	before := s.heads[id]
	s.heads[id], s.due[id] = h, now.Due
	if before == nil {
		s.runs++
		instance := store.RunID{Workflow: id.Workflow, Instance: id.Instance}
		if n := s.newest[instance]; n >= id.Run {
			s.w.fail("run %s is made after run %d of the same instance", id, n)
		}
		s.newest[instance] = id.Run
		if prev := s.heads[store.RunID{Workflow: id.Workflow, Instance: id.Instance, Run: id.Run - 1}]; prev != nil && !prev.Run.Status.Terminal() {
			s.w.fail("run %s is made while the run before it is %s", id, prev.Run.Status)
		}
		s.checkFired(id)
		if !definition.IsInlineID(id.Workflow) && s.lanes[id.Workflow].last.Latest < id.Instance {
			s.w.fail("run %s is made, the newest number of its lane is %d", id, s.lanes[id.Workflow].last.Latest)
		}
	}
	n := &h.Run
	if s.publish {
		s.note(id, n)
	}
	if n.Status.Terminal() && h.Live > 0 {
		s.w.fail("run %s is %s with %d live attempts", id, n.Status, h.Live)
	}
	if !n.Status.Terminal() && now.Due == 0 && n.Executed && n.Status != engine.InstancePaused && s.opts.Break == "" {
		s.checkNoDue(id, h)
	}
	var over bool
	if before != nil {
		b := &before.Run
		over = b.Status.Terminal()
		if !legalRun(b.Status, n.Status) || over && n.EndTime != b.EndTime {
			s.w.fail("run %s was %s and became %s", id, b.Status, n.Status)
		}
		if b.Executed && !n.Executed {
			s.w.fail("run %s had begun and is queued again", id)
		}
		if n.LastTime < b.LastTime {
			s.w.fail("time of run %s runs backwards: %d after %d", id, n.LastTime, b.LastTime)
		}
		if h.UUID != before.UUID {
			s.w.fail("run %s belonged to start %s and belongs to %s", id, before.UUID, h.UUID)
		}
		if samePages(before.Pages, h.Pages) && bytes.Equal(before.Tail, h.Tail) {
			return
		}
	}
	s.checkAttempts(id, over)
}

// checkNoDue: a run that executes and has no due time must wait for something that only a user ends.
func (s *system) checkNoDue(id store.RunID, h *store.RunHead) {
	v, err := s.reader.StoredRun(background, id)
	if err != nil {
		return // checkAttempts tells
	}
	for _, at := range v.Attempts() {
		if !at.Status.Terminal() && at.Status != engine.StepPaused || at.RetryAt != 0 {
			s.w.fail("run %s has no due time while attempt %d of step %s is %s", id, at.AttemptID, at.StepID, at.Status)
			return
		}
	}
}

func samePages(a, b []store.PageRef) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// note remembers what status events must tell of a run.
func (s *system) note(id store.RunID, n *engine.RunRecord) {
	if s.runSeen[id] == nil {
		s.runSeen[id] = map[engine.InstanceStatus]bool{}
	}
	s.runSeen[id][n.Status] = true
	if n.Executed {
		s.runSeen[id][engine.InstanceInProgress] = true
	}
}

// checkHeadGone: only the deletion of its workflow deletes the head of a run, which must have ended.
func (s *system) checkHeadGone(id store.RunID, old table.Item) {
	if !old.Exists() || store.IsGone(old) {
		return
	}
	if h := s.heads[id]; h != nil {
		s.gone[h.UUID] = true
		if !h.Run.Status.Terminal() {
			s.w.fail("run %s is deleted while it is %s", id, h.Run.Status)
		}
	}
	if inline := definition.IsInlineID(id.Workflow); inline && !slices.ContainsFunc(s.ids, s.beingDeleted) || !inline && !s.beingDeleted(id.Workflow) {
		s.w.fail("run %s is deleted and its workflow is not being deleted", id)
	}
	delete(s.heads, id)
	s.deleted[id] = true
}

// checkAttempts reads the run as it was just written, the way a reader does, but without taking time: a step has one
// live attempt, attempts move only along legal transitions and stay as they ended, none is made by a run that is over,
// and who holds a permit was granted one. The heads of permits say what they granted; only the runs know who goes by it.
func (s *system) checkAttempts(id store.RunID, over bool) {
	v, err := s.reader.StoredRun(background, id)
	if err != nil {
		s.w.fail("run %s cannot be read after a write: %v", id, err)
		return
	}
	live := map[string]int64{}
	for _, at := range v.Attempts() {
		was, known := s.attempts[at.UUID]
		if !at.Status.Terminal() {
			if other, two := live[at.StepID]; two {
				s.w.fail("run %s has two live attempts of step %s, %d and %d", id, at.StepID, other, at.AttemptID)
			}
			live[at.StepID] = at.AttemptID
		}
		if known && was.status == at.Status && was.holds == at.HoldsPermit {
			continue
		}
		if known && was.run != id {
			s.w.fail("step uuid %s is used by run %s and by run %s", at.UUID, was.run, id)
		}
		if over {
			s.w.fail("run %s is over and attempt %d of step %s becomes %s", id, at.AttemptID, at.StepID, at.Status)
		}
		s.checkChanges(id, at, was.status)
		now := attempt{run: id, step: at.StepID, number: at.AttemptID, status: at.Status, holds: at.HoldsPermit, permit: at.Permit(), tags: was.tags}
		if !known {
			now.tags = engine.PermitTagsOf(v.Body(), at)
			if at.AttemptID > 1 {
				s.w.counts[outcomeRetry]++
			}
		}
		s.attempts[at.UUID] = now
		if at.Status.Terminal() && at.Status != was.status {
			s.w.counts["step: "+at.Status.String()]++
		}
		if at.HoldsPermit {
			s.holding[at.Permit()] = at.UUID
		}
		if at.HoldsPermit && !was.holds {
			if was.status == engine.StepWaitingForPermits && at.PermitUUID != "" {
				s.w.counts[outcomePassed]++
			}
			s.checkGranted(id, at, now.tags)
		}
	}
}

// checkChanges: the status changes that a record adds lead from the status before to its own, each along a legal
// transition.
func (s *system) checkChanges(id store.RunID, at *engine.Attempt, from engine.StepStatus) {
	if at.Status == from {
		return
	}
	for _, c := range at.Changes {
		if c.From != from || !legalStep(c.From, c.To) {
			s.w.fail("attempt %d of step %s of run %s was %s and goes from %s to %s", at.AttemptID, at.StepID, id, from, c.From, c.To)
			return
		}
		from = c.To
		if s.publish && (c.To == at.Status || !c.To.Terminal()) { // an ignored failure is nobody's business
			if s.seen[at.UUID] == nil {
				s.seen[at.UUID] = map[engine.StepStatus]bool{}
			}
			s.seen[at.UUID][c.To] = true
		}
	}
	if from != at.Status {
		s.w.fail("attempt %d of step %s of run %s is %s, its changes lead to %s", at.AttemptID, at.StepID, id, at.Status, from)
	}
}

// checkGranted: who says that it holds a permit is a holder at each head that limits one of its tags, unless the limit
// came later than the attempt, or than the grant of all that had a limit then.
func (s *system) checkGranted(id store.RunID, at *engine.Attempt, tags []engine.PermitTag) {
	for _, t := range tags {
		limited := int64(0)
		if since, ok := s.limitedSince[t.Name]; ok {
			limited = since
		} else if t.Limit < 0 {
			continue
		}
		if granted, ok := s.grantedAt[at.Permit()]; limited+permitGrace > at.Times.Create || ok && limited >= granted {
			continue
		}
		h, ok := s.permitHead(store.PermitKey(permit.HeadOf(t.Name)))
		if ok && !holds(h, at.Permit()) {
			s.w.fail("attempt %d of step %s of run %s goes on with a permit for tag %s that it was not granted", at.AttemptID, at.StepID, id, t.Name)
		}
	}
}

// permitGrace is how much younger than a limit an attempt must be to be bound by it, whatever their clocks say.
const permitGrace = 5_000

func (s *system) permitHead(key table.Key) (*permit.Head, bool) {
	it, _, err := s.table.Get(background, key)
	if err != nil {
		s.w.fail("permits %s: %v", key, err)
		return nil, false
	}
	h, err := permit.Decode(it.Data)
	if err != nil {
		s.w.fail("permits %s: %v", key, err)
		return nil, false
	}
	return h, true
}

func holds(h *permit.Head, uuid string) bool {
	for _, e := range h.Holders {
		if e.UUID == uuid {
			return true
		}
	}
	return false
}

// checkLane: no more runs begin than the strategy allows, none is listed twice or above the newest number, numbers only
// grow, a queue that a failed instance blocks stands still, and a busy lane is due.
func (s *system) checkLane(workflow string, it table.Item) {
	l, err := lane.Decode(it.Data)
	if err != nil {
		s.w.fail("lane of %s: %v", workflow, err)
		return
	}
	m := s.lanes[workflow]
	before := m.last
	listed := map[lane.Entry]bool{}
	queued, running := queuedOf(l), runningOf(l)
	for _, e := range append(append([]lane.Entry(nil), queued...), running...) {
		if listed[e] {
			s.w.fail("lane of %s lists %v twice", workflow, e)
		}
		listed[e] = true
		if e.Instance > l.Latest {
			s.w.fail("lane of %s lists instance %d above its latest %d", workflow, e.Instance, l.Latest)
		}
	}
	if l.Latest < before.Latest {
		s.w.fail("newest number of the lane of %s was %d and is %d", workflow, before.Latest, l.Latest)
	}
	var begun []lane.Entry
	ran := map[lane.Entry]bool{}
	for _, e := range runningOf(before) {
		ran[e] = true
	}
	for _, e := range running {
		if !ran[e] {
			begun = append(begun, e)
		}
	}
	limit, strict, newest := 0, true, true
	for _, st := range m.strategies {
		n := 1
		if st.Rule == lane.Parallel {
			n = max(st.Concurrency, 1)
		}
		limit = max(limit, n)
		strict = strict && st.Rule == lane.StrictSequential
		newest = newest && (st.Rule == lane.LastOnly || st.Rule == lane.SerialLatestOnly)
	}
	if len(begun) > 0 && len(running) > limit {
		s.w.fail("%d runs of %s execute, %d are allowed", len(running), workflow, limit)
	}
	if newest && l.Latest > before.Latest && len(queued) > 1 {
		s.w.fail("%d runs of %s wait, its strategy lets only the newest wait", len(queued), workflow)
	}
	if strict && len(begun) > 0 {
		s.checkBlocked(workflow, l, listed, begun[0])
	}
	if l.Busy() && it.Due == 0 {
		s.w.fail("busy lane of %s has no due time", workflow)
	}
	m.last = l
	m.strategies = m.strategies[len(m.strategies)-1:]
	m.blocking = s.blockingInstances(workflow)
}

// blockingInstances are those whose newest run blocks a STRICT_SEQUENTIAL queue.
func (s *system) blockingInstances(workflow string) map[int64]bool {
	out := map[int64]bool{}
	for instance, run := range s.newest {
		if instance.Workflow != workflow {
			continue
		}
		if h := s.heads[store.RunID{Workflow: workflow, Instance: instance.Instance, Run: run}]; h != nil && h.Run.Failed == engine.FailedBlocking {
			out[instance.Instance] = true
		}
	}
	return out
}

// checkBlocked: no run begins past an instance that failed before the lane was last written, still blocks, and is not
// about to be run again.
func (s *system) checkBlocked(workflow string, l *lane.Lane, listed map[lane.Entry]bool, begun lane.Entry) {
	again := map[int64]bool{}
	for e := range listed {
		again[e.Instance] = true
	}
	for _, o := range l.Orders {
		again[o.Instance] = true
	}
	now := s.blockingInstances(workflow)
	for i := range s.lanes[workflow].blocking {
		if now[i] && !again[i] {
			s.w.fail("instance %d of %s begins past the failed instance %d, which blocks it", begun.Instance, workflow, i)
			return
		}
	}
}

// checkPermits: no tag is granted above its limit, which may have been lowered below its holders, and none is taken from
// an attempt that goes by it.
func (s *system) checkPermits(key table.Key, old, now table.Item) {
	h, err := permit.Decode(now.Data)
	if err != nil {
		s.w.fail("permits %s: %v", key, err)
		return
	}
	before, err := permit.Decode(old.Data)
	if err != nil {
		s.w.fail("permits %s: %v", key, err)
		return
	}
	if h.Crowd > 0 {
		s.w.counts[outcomeServed]++
	}
	used, had := usedOf(h), usedOf(before)
	limits := map[string]int64{}
	for _, l := range h.Limits {
		limits[l.Tag] = l.Max
		if _, ok := s.limitedSince[l.Tag]; !ok {
			s.limitedSince[l.Tag] = s.w.now
		}
	}
	for _, l := range before.Limits {
		if _, ok := limits[l.Tag]; !ok {
			delete(s.limitedSince, l.Tag)
		}
	}
	for tag, n := range used {
		limit, ok := limits[tag]
		if !ok && strings.HasPrefix(tag, "maestro_") {
			limit, ok = permit.DefaultLimit, true
		}
		if ok && n > limit && n > had[tag] {
			s.w.fail("%d attempts hold tag %s, its limit is %d", n, tag, limit)
		}
	}
	for _, e := range h.Holders {
		if _, ok := s.grantedAt[e.UUID]; !ok {
			s.grantedAt[e.UUID] = s.w.now
		}
	}
	for _, e := range before.Holders {
		if !holds(h, e.UUID) {
			delete(s.grantedAt, e.UUID)
		}
		if at, known := s.attempts[s.holding[e.UUID]]; known && at.permit == e.UUID && at.holds && !at.status.Terminal() && !holds(h, e.UUID) {
			s.w.fail("the permit of attempt %d of step %s of run %s is taken from it while it goes on", at.number, at.step, at.run)
		}
	}
}

func usedOf(h *permit.Head) map[string]int64 {
	used := map[string]int64{}
	for _, holder := range h.Holders {
		for _, t := range holder.Tags {
			used[t]++
		}
	}
	return used
}

// checkControl: versions are consecutive, and the newest of them is complete. The strategy is noted.
func (s *system) checkControl(workflow string) {
	ctl, err := s.reader.Control(background, workflow)
	if err != nil {
		s.w.fail("control of %s: %v", workflow, err)
		return
	}
	f := s.flows[workflow]
	m := s.lanes[workflow]
	if ctl == nil {
		*f = flowModel{}
		m.strategies = append(m.strategies, lane.Strategy{Rule: lane.Sequential, Concurrency: 1})
		return
	}
	if f.internalID == 0 {
		f.internalID = ctl.InternalID
	}
	if f.internalID != ctl.InternalID {
		s.w.fail("workflow %s had internal id %d and has %d", workflow, f.internalID, ctl.InternalID)
	}
	if n := ctl.LatestVersion - f.latest; n < 0 || n > 1 {
		s.w.fail("newest version of %s was %d and is %d", workflow, f.latest, ctl.LatestVersion)
	}
	if ctl.ActiveVersion > ctl.LatestVersion {
		s.w.fail("version %d of %s is active, the newest is %d", ctl.ActiveVersion, workflow, ctl.LatestVersion)
	}
	if f.latest != ctl.LatestVersion {
		f.latest = ctl.LatestVersion
		if v, err := s.reader.Version(background, ctl, f.latest); err != nil || v == nil {
			s.w.fail("version %d of %s was given and cannot be read: %v", f.latest, workflow, err)
		}
	}
	st := ctl.Properties.Strategy()
	rule, _ := lane.ParseRule(string(st.Rule))
	m.strategies = append(m.strategies, lane.Strategy{Rule: rule, Concurrency: int(st.WorkflowConcurrency)})
}

func queuedOf(l *lane.Lane) []lane.Entry  { return l.Queued.All() }
func runningOf(l *lane.Lane) []lane.Entry { return l.Running.All() }

// checkJob: a job is started by who holds the claim of its attempt, and again only when the claim before is too old for
// whoever made it to be alive (P20). An invocation that stood still with its claim starts it late; that is allowed.
func (s *system) checkJob(p *proc, uuid string) {
	mine := s.claims[uuid]
	if mine.by != p {
		return
	}
	before, again := s.jobs[uuid]
	if again && mine.at-before.at < claimMillis-2*AllFaults().Skew {
		s.w.fail("job of attempt %s is started again under a claim that is %d ms younger than that of the first start", uuid, mine.at-before.at)
	}
	s.jobs[uuid] = mine
}

// claimMillis is how long a claim holds: the default of app.Settings.
const claimMillis = 6 * 60_000
