package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
)

// runView is a run as it was read: the head with its revision, and the immutable things that it names. It is shared by
// the decisions of one load; each takes a fresh State of it.
type runView struct {
	id   store.RunID
	item table.Item
	head *store.RunHead // nil while the head does not exist
	body *engine.Body
	// pages are the records by page, in the order of head.Pages, and those of head.Tail behind them, if there are any.
	pages [][]*engine.Attempt
}

// lastMoved is when the head was committed last; 0 while there is none.
func (v *runView) lastMoved() int64 {
	if v.head == nil {
		return 0
	}
	return v.head.Run.LastTime
}

// state is a fresh State of what was read. Terminal attempts are shared, since nothing changes them any more.
func (v *runView) state() *engine.State {
	st := engine.NewState(v.body)
	if v.head == nil {
		return st
	}
	st.Run = v.head.Run
	st.Run.Changes = nil
	st.Run.Timeline = slices.Clip(st.Run.Timeline)
	for _, page := range v.pages {
		for _, rec := range page {
			ordinal, ok := v.body.DAG.Ordinal(rec.StepID)
			if !ok {
				continue
			}
			if have := st.Steps[ordinal].Latest; have == nil || rec.AttemptID >= have.AttemptID {
				st.Steps[ordinal].Latest = rec
			}
		}
	}
	for i := range st.Steps {
		if rec := st.Steps[i].Latest; rec != nil && (!rec.Status.Terminal() || rec.RetryAt != 0 || rec.HoldsPermit || rec.Ending != nil) {
			c := *rec
			c.Changes = nil
			// What a decision appends to or writes into must not be shared with the record that was read.
			c.Timeline = slices.Clip(c.Timeline)
			c.Edges = slices.Clone(c.Edges)
			if c.SignalDependencies != nil {
				deps := *c.SignalDependencies
				deps.Dependencies = slices.Clone(deps.Dependencies)
				c.SignalDependencies = &deps
			}
			st.Steps[i].Latest = &c
		}
	}
	return st
}

// attempts are all records that count, by (step, attempt), each in its newest form.
func (v *runView) attempts() []*engine.Attempt {
	type key struct {
		step    string
		attempt int64
	}
	at := map[key]int{}
	var all []*engine.Attempt
	for _, page := range v.pages {
		for _, rec := range page {
			k := key{rec.StepID, rec.AttemptID}
			if i, ok := at[k]; ok {
				all[i] = rec
				continue
			}
			at[k] = len(all)
			all = append(all, rec)
		}
	}
	return all
}

// errPageGone tells that a page is missing that a head names: the run is being deleted.
var errPageGone = errors.New("the page is missing")

// errNoRun tells that neither a head nor, where a uuid was given, a start exists.
var errNoRun = errors.New("no such run")

// loadRun reads a run strongly. Without a head it is made of the start with the uuid, if one is given.
func (a *App) loadRun(ctx context.Context, id store.RunID, uuid string) (*runView, error) {
	item, err := a.get(ctx, store.RunKey(id))
	if err != nil {
		return nil, err
	}
	return a.viewOf(ctx, id, item, uuid)
}

// viewOf completes a head that was read with what it names.
func (a *App) viewOf(ctx context.Context, id store.RunID, item table.Item, uuid string) (*runView, error) {
	v := &runView{id: id, item: item}
	if item.Exists() {
		head, err := store.DecodeRunHead(item.Data)
		if err != nil {
			return nil, a.park(item, err)
		}
		v.head, uuid = head, head.UUID
	}
	if uuid == "" {
		return nil, errNoRun
	}
	body, err := a.loadBody(ctx, id, uuid)
	if err != nil {
		return nil, err
	}
	v.body = body
	if v.head != nil {
		v.pages, err = a.loadPages(ctx, v)
		if errors.Is(err, errPageGone) {
			// The head goes last: while the workflow is deleted it names what is gone.
			deleting, err2 := a.Deleting(ctx, owner(body))
			if err2 != nil {
				return nil, err2
			}
			if deleting {
				return nil, errNoRun
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

// loadPages reads the pages that the head names, those not cached in one batch.
func (a *App) loadPages(ctx context.Context, v *runView) ([][]*engine.Attempt, error) {
	pages := make([][]*engine.Attempt, len(v.head.Pages))
	var keys []table.Key
	var missing []int
	for i, ref := range v.head.Pages {
		key := store.PageKey(v.id, ref)
		if p, ok := a.cache.get(key.String()); ok {
			pages[i] = p.([]*engine.Attempt)
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
			return nil, fmt.Errorf("page %s of run %s: %w", keys[j], v.id, errPageGone)
		}
		p, err := decoded(a, "page "+v.id.String(), items[j].Data, func() ([]*engine.Attempt, error) {
			data, err := a.bodies.Fetch(ctx, items[j].Data)
			if err != nil {
				return nil, err
			}
			p, err := store.DecodePage(data, v.body)
			if err != nil {
				return nil, a.park(v.item, err)
			}
			return p, nil
		})
		if err != nil {
			return nil, err
		}
		a.cache.put(keys[j].String(), p, 400*len(p)+2*len(items[j].Data))
		pages[i] = p
	}
	if len(v.head.Tail) > 0 {
		data, err := a.bodies.Fetch(ctx, v.head.Tail)
		if err != nil {
			return nil, err
		}
		p, err := store.DecodePage(data, v.body)
		if err != nil {
			return nil, a.park(v.item, err)
		}
		pages = append(pages, p)
	}
	return pages, nil
}

// Page sizes. A page that is not full is rewritten with the next records as long as it is small: many small pages
// would fill the head, and one more write unit is the price of up to a KiB.
const (
	pageRecords  = 300
	rewriteBytes = 900
	// maxPages is how many pages a head names before they are written anew as one: a page takes up to 15 bytes of the
	// head, which has a KiB in all (P16).
	maxPages = 24
	// headBytes is up to how many bytes a head with its tail is filled: with its key and tokens it takes one write unit.
	headBytes = 880
)

// moved is what came of moving a run.
type moved struct {
	view    *runView
	answers []engine.Answer
	ended   bool
	// others tells that only one step, or none, had its turn, and others may go on.
	others bool
	tasks  []task
	// wasTimer is the timer of the run that was read, to the millisecond; 0 for a new one.
	wasTimer int64
}

// move is what is asked of a run: inputs to fold in one decision, or a word of its lane. create only makes the head of
// a run that waits, supersede notes that a later run of the instance exists.
type move struct {
	inputs    []engine.Input
	away      *engine.Away
	create    bool
	supersede bool
	// poison are steps that decisions died at; only, if set, is the one step that goes on (P4).
	poison []engine.Poison
	only   *string
	// have is the run as whoever asks has just read it: the first try begins with it and saves a read. nil: it is read.
	have *runView
}

// byLane tells that the move is a word of the lane, which no step has a say in.
func (mv *move) byLane() bool { return mv.away != nil || mv.create || mv.supersede }

func inputs(in ...engine.Input) move { return move{inputs: in} }

// tryMove is moveRun without regard to who may have died of it.
func (a *App) tryMove(ctx context.Context, id store.RunID, uuid string, mv move, tries int) (*moved, error) {
	var err error
	var preload []engine.Key
	var env *runEnv
	for try, rounds := 0, 0; try < tries; try++ {
		if try > 0 {
			a.count(CountConflicts, 1)
			if err := a.backOff(ctx, try-1); err != nil {
				return nil, err
			}
		}
		v := mv.have
		if v == nil {
			v, err = a.loadRun(ctx, id, uuid)
		}
		mv.have = nil
		if err == nil {
			var m *moved
			env = a.bareEnv(v, env)
			if !mv.byLane() {
				err = env.loadControl(ctx)
			}
			if err == nil {
				err = env.load(ctx, preload)
			}
			if err == nil {
				m, err = a.decideRun(ctx, v, mv, env)
			}
			if err == nil {
				return m, nil
			}
		}
		var need *engine.NeedError
		if errors.As(err, &need) && rounds < maxRounds {
			// A later slice lacked something: the whole decision is taken again with it, which is no lost race.
			preload = append(preload, need.Keys...)
			try, rounds = try-1, rounds+1
			continue
		}
		if a.died(ctx, id, err, &mv) {
			try--
			continue
		}
		if !lost(err) {
			return nil, err
		}
	}
	return nil, err
}

// maxRounds bounds how often a decision may ask for more (P1).
const maxRounds = 64

// decideRun takes one decision over a loaded run and commits it.
func (a *App) decideRun(ctx context.Context, v *runView, mv move, env *runEnv) (*moved, error) {
	m := &moved{view: v}
	first := v.head == nil
	if mv.byLane() {
		st := v.state()
		if !first {
			m.wasTimer = engine.Timer(st)
		}
		changed := first
		if mv.supersede && engine.Supersede(st) {
			changed = true
		}
		if mv.away != nil {
			ended, action := engine.ApplyAway(st, *mv.away, env.Now())
			if action != nil {
				next := inputs(*action)
				next.poison, next.only = mv.poison, mv.only
				if err := env.loadControl(ctx); err != nil {
					return nil, err
				}
				return a.decideRun(ctx, v, next, env)
			}
			m.ended, changed = ended, changed || ended
		}
		return m, a.commitRun(ctx, v, st, env, m, nil, changed, nil, nil, false, 1)
	}
	if begins(mv) && (first || !v.head.Run.Executed) {
		orphan, err := a.orphaned(ctx, v.body)
		if err != nil {
			return nil, err
		}
		if orphan {
			mv = move{away: &engine.Away{Kind: engine.AwayCancelled, Reason: "the step that started it has ended"}}
			return a.decideRun(ctx, v, mv, env)
		}
	}
	started := a.now()
	var st *engine.State
	var d *engine.Decision
	var err error
	for round := 0; ; round++ {
		if round == maxRounds {
			return nil, fmt.Errorf("run %s: the decision still lacks data after %d rounds", v.id, maxRounds)
		}
		st = v.state()
		if !first {
			m.wasTimer = engine.Timer(st)
		}
		env.begin()
		d, err = a.cfg.Decide(st, mv.with(mv.inputs), env)
		var need *engine.NeedError
		if errors.As(err, &need) {
			if err := env.load(ctx, need.Keys); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", v.id, err)
		}
		keys := env.unsettled()
		if len(keys) == 0 {
			break
		}
		if err := env.load(ctx, keys); err != nil {
			return nil, err
		}
	}
	changed := newChanges(d.Changed)
	m.answers, m.ended = d.Answers, d.Ended
	released, polls := d.Released, d.Polls
	runChanged := d.RunChanged || first
	// Of the other steps the caller takes care, unless it dies.
	m.others = mv.only != nil && d.More
	d.More = d.More && !m.others
	for d.More && a.now()-started < a.set.CommitEvery.Milliseconds() {
		// The next slice goes on from the state in memory. What it lacks makes the whole decision be taken again.
		next, err := a.cfg.Decide(st, mv.with(nil), env)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", v.id, err)
		}
		if keys := env.unsettled(); len(keys) > 0 {
			if err := env.load(ctx, keys); err != nil {
				return nil, err
			}
			return nil, &engine.NeedError{}
		}
		d = next
		changed.add(d.Changed)
		m.ended = m.ended || d.Ended
		released = append(released, d.Released...)
		polls = append(polls, d.Polls...)
		runChanged = runChanged || d.RunChanged
	}
	err = a.commitRun(ctx, v, st, env, m, changed.list, runChanged, released, polls, d.More || m.others, len(mv.inputs))
	if err == nil && d.More {
		m.tasks = append(m.tasks, task{kind: taskRun, workflow: v.id.Workflow, run: v.id})
	}
	return m, err
}

// begins tells whether a move takes a run from its queue.
func begins(mv move) bool {
	for _, in := range mv.inputs {
		if _, ok := in.(engine.Begin); ok {
			return true
		}
	}
	return false
}

// tailOf gives the records as the tail of the head, nil when they do not fit or must be in a page: those that are to be
// published are, since the head's cursor counts pages.
func (a *App) tailOf(head *store.RunHead, records []*engine.Attempt, v *runView, steps bool) ([]byte, error) {
	if steps || len(records) > 16 {
		return nil, nil
	}
	bare, err := head.Encode()
	if err != nil {
		return nil, err
	}
	tail, err := store.EncodePage(records, v.body)
	if err != nil {
		return nil, err
	}
	if tail = a.bodies.Pack(tail); len(bare)+len(tail) > headBytes {
		return nil, nil
	}
	return tail, nil
}

// changes collects changed attempts over slices, each once, in the order of their first change.
type changes struct {
	list []*engine.Attempt
	seen map[*engine.Attempt]bool
}

func newChanges(list []*engine.Attempt) *changes {
	c := &changes{seen: make(map[*engine.Attempt]bool, len(list))}
	c.add(list)
	return c
}

func (c *changes) add(list []*engine.Attempt) {
	for _, at := range list {
		if !c.seen[at] {
			c.seen[at] = true
			c.list = append(c.list, at)
		}
	}
}

// commitRun writes the pages, then the head on the revision that was read. The order survives a crash at any line: a
// page that no head names does not count and is overwritten by nobody, since its key holds the token of this try (P6).
func (a *App) commitRun(ctx context.Context, v *runView, st *engine.State, env *runEnv, m *moved,
	changed []*engine.Attempt, runChanged bool, released []string, polls []*engine.Attempt, more bool, folded int) error {
	head := store.RunHead{UUID: v.body.UUID}
	prevDue := int64(0)
	if v.head != nil {
		head, prevDue = *v.head, v.item.Due
	}
	head.Run = st.Run
	head.Run.Changes = nil
	head.Live = liveCount(st)

	due := engine.Due(st)
	if more {
		due = env.Now()
	}
	// What nobody wants to know is never owed, also when somebody wants it later.
	if a.wants(events.TypeWorkflowStatus) {
		head.Changes = append(slices.Clip(head.Changes), st.Run.Changes...)
	} else {
		head.Changes = nil
	}
	steps := a.wants(events.TypeStepStatus)
	if owed := a.owes(&head) || steps && len(changed) > 0; owed && st.Run.Status.Terminal() {
		// The end is not told to the world yet (P35); permits and lane find theirs by their own due times.
		due = earlier(due, env.Now())
	} else if owed {
		due = earlier(due, env.Now()+publishDue)
	}
	headDue := moveDue(prevDue, due, env.Now())
	if st.Run.Status.Terminal() && len(changed) == 0 && !runChanged && prevDue != 0 {
		headDue = prevDue // nothing but a bus that is away keeps it due: the sweep asks the less often the older it gets (P23)
	}
	if len(changed) == 0 && !runChanged && headDue == prevDue && v.head != nil {
		a.follow(v, st, m, nil, released, polls, env)
		return nil
	}

	if err := a.recordPauses(ctx, v, changed, env.Now()); err != nil {
		return err
	}
	pages := v.pages
	if len(changed) > 0 {
		var writes []table.Write
		head.Pages = append([]store.PageRef(nil), head.Pages...)
		pages = append([][]*engine.Attempt(nil), pages...)
		records := changed
		if len(head.Tail) > 0 {
			records = mergeRecords(pages[len(head.Pages)], records)
			head.Tail, pages = nil, pages[:len(head.Pages)]
		}
		var err error
		if pages, writes, err = a.foldPages(ctx, v, &head, pages); err != nil {
			return err
		}
		tail, err := a.tailOf(&head, records, v, steps)
		if err != nil {
			return fmt.Errorf("run %s: %w", v.id, err)
		}
		if tail != nil {
			head.Tail, pages = tail, append(pages, freeze(records))
			records = nil
		}
		// A page that waits to be published stays as it is: its records say what changed in one commit.
		if n := len(head.Pages); n > 0 && len(records) > 0 && (!steps || head.Published == n) {
			if last := head.Pages[n-1]; last.Bytes < rewriteBytes && last.Records+len(records) <= pageRecords {
				records = mergeRecords(pages[n-1], records)
				head.Pages, pages = head.Pages[:n-1], pages[:n-1]
				head.Published = min(head.Published, n-1)
			}
		}
		refs, frozen, more, err := a.newPages(ctx, v, &head, records)
		if err != nil {
			return err
		}
		head.Pages, pages, writes = append(head.Pages, refs...), append(pages, frozen...), append(writes, more...)
		if len(writes) > 0 {
			if err := a.putPages(ctx, writes); err != nil {
				return err
			}
		}
	}
	if !steps {
		head.Published = len(head.Pages)
	}
	data, err := head.Encode()
	if err != nil {
		return fmt.Errorf("run %s: %w", v.id, err)
	}
	write := a.next(v.item, store.RunKey(v.id), data, headDue)
	if err := a.write(ctx, write); err != nil {
		return err
	}
	a.count(CountDecisions, 1)
	a.count(CountFolds, float64(folded))
	if a.cfg.OnRun != nil && (v.head == nil || v.head.Run.Status != head.Run.Status) {
		a.cfg.OnRun(newsOf(v.id, st))
	}
	m.view = &runView{id: v.id, item: write.Item, head: &head, body: v.body, pages: pages}
	a.follow(v, st, m, changed, released, polls, env)
	return nil
}

// newPages makes pages of records, in addition to those that the head names already.
func (a *App) newPages(ctx context.Context, v *runView, head *store.RunHead, records []*engine.Attempt) (refs []store.PageRef, pages [][]*engine.Attempt, writes []table.Write, err error) {
	first := nextPage(v.head, head.Pages)
	for len(records) > 0 {
		n := min(len(records), pageRecords)
		data, err := store.EncodePage(records[:n], v.body)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("run %s: %w", v.id, err)
		}
		ref := store.PageRef{N: first + len(refs), Token: uint32(a.cfg.IDs.Token()), Records: n, Bytes: len(data)}
		stored, err := a.bodies.Keep(ctx, store.RunBlobs(v.body.WorkflowID, v.body.InternalID, v.id.Instance), data)
		if err != nil {
			return nil, nil, nil, err
		}
		key := store.PageKey(v.id, ref)
		writes = append(writes, table.Write{Item: table.Item{Key: key, Rev: 1, Data: stored}})
		refs = append(refs, ref)
		frozen := freeze(records[:n])
		pages = append(pages, frozen)
		a.cache.put(key.String(), frozen, 400*n+len(data))
		records = records[n:]
	}
	return refs, pages, writes, nil
}

// foldPages writes the pages of a head that names many of them anew, without the records that later ones replace: a run
// whose steps end one by one adds a page every few commits. Pages that are not published yet keep their place.
func (a *App) foldPages(ctx context.Context, v *runView, head *store.RunHead, pages [][]*engine.Attempt) ([][]*engine.Attempt, []table.Write, error) {
	n := len(head.Pages)
	steps := a.wants(events.TypeStepStatus)
	if steps {
		n = min(n, head.Published)
	}
	records := 0
	for _, ref := range head.Pages[:n] {
		records += ref.Records
	}
	if len(head.Pages) < maxPages || n <= 2*(records/pageRecords+1) {
		return pages, nil, nil // few pages, or full ones
	}
	var merged []*engine.Attempt
	for _, p := range pages[:n] {
		merged = mergeRecords(merged, p)
	}
	refs, frozen, writes, err := a.newPages(ctx, v, head, merged)
	if err != nil {
		return nil, nil, err
	}
	head.Pages = append(refs, head.Pages[n:]...)
	if steps {
		head.Published += len(refs) - n
	}
	return append(frozen, pages[n:]...), writes, nil
}

// follow lists what the committed state asks for: launches, stops, polls, releases, the lane's news, a timer (P7).
func (a *App) follow(v *runView, st *engine.State, m *moved, changed []*engine.Attempt, released []string, polls []*engine.Attempt, env *runEnv) {
	isNew := make(map[*engine.Attempt]bool, len(changed))
	for _, at := range changed {
		isNew[at] = true
	}
	// The messages about an attempt that was last moved before the process began are lost with the queues.
	unsent := func(at *engine.Attempt) bool { return isNew[at] || at.Times.Modify < a.cfg.Since }
	if !st.Run.Status.Terminal() || m.ended {
		for _, at := range engine.Launches(st) {
			if unsent(at) {
				m.tasks = append(m.tasks, workTask(v.id, workStart, at))
			}
		}
		for _, at := range engine.Nesting(st) {
			if unsent(at) {
				m.tasks = append(m.tasks, stepTask(v.id, at.StepID, at.AttemptID))
			}
		}
		for _, at := range engine.Terminations(st) {
			if unsent(at) && engine.NestedStep(v.body, at.StepID) == nil {
				m.tasks = append(m.tasks, workTask(v.id, workStop, at))
			}
		}
		for _, at := range polls {
			op := workPoll
			switch {
			case engine.NestedStep(v.body, at.StepID) != nil:
				continue // looked at because it was changed
			case at.Ending != nil:
				op = workStop
			case at.Status == engine.StepStarting:
				// Nobody has reported of the launch: its message may be lost.
				op = workStart
			}
			m.tasks = append(m.tasks, workTask(v.id, op, at))
		}
	}
	if keys := doneWaiting(v, changed); len(keys) > 0 {
		m.tasks = append(m.tasks, task{kind: taskUnwait, workflow: v.id.Workflow, run: v.id, keys: keys})
	}
	if slices.ContainsFunc(changed, unannounced) {
		m.tasks = append(m.tasks, task{kind: taskRun, workflow: v.id.Workflow, run: v.id})
	}
	if len(released) > 0 {
		heads, freed := map[string]bool{}, make(map[string]bool, len(released))
		for _, uuid := range released {
			freed[uuid] = true
		}
		for _, at := range changed {
			// The heads are those of the attempt's own tags too: one left out keeps the permit until its lease is asked for.
			if !freed[at.Permit()] && !freed[at.UUID] {
				continue
			}
			for _, n := range permit.HeadsOf(engine.PermitTagsOf(v.body, at)) {
				heads[n] = true
			}
		}
		m.tasks = append(m.tasks, task{kind: taskRelease, workflow: v.id.Workflow, run: v.id, uuids: released, heads: sortedKeys(heads)})
	}
	if m.ended {
		if t, ok := parentTask(v.body); ok {
			m.tasks = append(m.tasks, t)
		}
	}
	if m.ended && !v.body.Initiator.Type.Inline() {
		m.tasks = append(m.tasks, task{kind: taskEnded, workflow: v.id.Workflow, run: v.id, failed: st.Run.Status == engine.InstanceFailed})
	}
	if h := m.view.head; h != nil && a.owes(h) {
		// Asked of the cursor and not of this decision: who committed the change may have died before it published, and
		// a look at a run that has ended changes nothing any more.
		m.tasks = append(m.tasks, task{kind: taskPublish, workflow: v.id.Workflow, run: v.id, redo: !m.ended})
	}
	// A timer that the next sweep would come too late for is sent with a delay by whoever set it (P23), and by nobody
	// else: were it sent by all who look, each timer would make the next, and their number would only grow.
	if timer := engine.Timer(st); timer > 0 && !st.Run.Status.Terminal() && timer < env.Now()+sweepHorizon && (timer != m.wasTimer || v.lastMoved() < a.cfg.Since) {
		m.tasks = append(m.tasks, task{kind: taskRun, workflow: v.id.Workflow, run: v.id, delay: max(0, timer-env.Now()), timer: true})
	}
}

// sweepHorizon is how far the sweep may look ahead before a timer set now is surely in its reach.
const sweepHorizon = 120_000

func earlier(a, b int64) int64 {
	if a == 0 || b < a {
		return b
	}
	return a
}

// moveDue is the due time of the head's index entry: rounded up to 15 s, moved only earlier or, once passed, to the
// next, cleared when nothing is due (P8).
func moveDue(prev, want, now int64) int64 {
	if want == 0 {
		return 0
	}
	rounded := (max(want, now) + 14_999) / 15_000 * 15_000
	if prev > now && prev <= rounded {
		return prev
	}
	return rounded
}

func liveCount(st *engine.State) int {
	n := 0
	for i := range st.Steps {
		if at := st.Steps[i].Latest; at != nil && (!at.Status.Terminal() || at.RetryAt != 0) {
			n++
		}
	}
	return n
}

// nextPage is the smallest number above those of the pages that the head that was read, or the new one, names.
func nextPage(read *store.RunHead, now []store.PageRef) int {
	n := 0
	if read != nil {
		for _, p := range read.Pages {
			n = max(n, p.N+1)
		}
	}
	for _, p := range now {
		n = max(n, p.N+1)
	}
	return n
}

// mergeRecords appends newer records to older ones, dropping those that they replace. What the older ones have changed is
// published and is not told again.
func mergeRecords(older, newer []*engine.Attempt) []*engine.Attempt {
	replaced := map[[2]any]bool{}
	for _, at := range newer {
		replaced[[2]any{at.StepID, at.AttemptID}] = true
	}
	out := make([]*engine.Attempt, 0, len(older)+len(newer))
	for _, at := range older {
		if !replaced[[2]any{at.StepID, at.AttemptID}] {
			told := *at
			told.Changes = nil
			out = append(out, &told)
		}
	}
	return append(out, newer...)
}

// freeze copies records, so that the cached page does not change with the state that they came from.
func freeze(records []*engine.Attempt) []*engine.Attempt {
	copies := make([]engine.Attempt, len(records))
	out := make([]*engine.Attempt, len(records))
	for i, at := range records {
		copies[i] = *at
		out[i] = &copies[i]
	}
	return out
}

func (a *App) putPages(ctx context.Context, writes []table.Write) error {
	if len(writes) == 1 {
		return a.write(ctx, writes[0])
	}
	items := make([]table.Item, len(writes))
	for i, w := range writes {
		items[i] = w.Item
	}
	u, err := a.cfg.Table.BatchPut(ctx, items)
	a.spend(u)
	return err
}

// keyedLocks serialises the work of this process on one head: between processes the revision decides, inside one it
// would only cost conflicts.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]*keyedLock // guarded by mu
}

type keyedLock struct {
	sync.Mutex
	users int
}

func (k *keyedLocks) lock(key string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*keyedLock{}
	}
	l := k.locks[key]
	if l == nil {
		l = &keyedLock{}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		k.mu.Lock()
		if l.users--; l.users == 0 {
			delete(k.locks, key)
		}
		k.mu.Unlock()
	}
}
