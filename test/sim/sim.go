package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/permit"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/localstack/fileblob"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// Options are what a simulation runs with.
type Options struct {
	Seed    uint64
	Faults  Faults
	Verbose bool
	// Requests is how many requests clients make. Default 12 to 40, drawn.
	Requests int
	// Publish turns status events on. Drawn when nil.
	Publish *bool
	// Break injects a deliberate defect by name, to show that it is found (see Defects).
	Break string
}

// Report is what a simulation came to.
type Report struct {
	Seed     uint64
	Hash     uint64 // of the log: equal seeds, equal hashes
	Steps    int
	Runs     int
	Violated error // the first invariant that did not hold
}

// message is one in a queue.
type message struct {
	body     []byte
	at       int64
	receives int
}

// system is the application in its world.
type system struct {
	w      *world
	opts   Options
	table  *memtable.Table
	blobs  blob.Store
	queues map[queue.Name][]*message
	dead   map[queue.Name]int
	// idle are the instances of the application that wait for an invocation: each keeps its caches from one to the next.
	idle      []*instance
	instances int
	published [][]byte
	publish   bool
	// busy counts invocations that run, by queue.
	busy map[queue.Name]int
	// answered are the starts that a client was told of.
	answered map[string]store.RunID
	// lastHead is each run's head as last written.
	lastHead map[string]*store.RunHead
	open     int // clients that are not done
	// changed tells that something was written since rest was found out.
	changed, rest bool

	// What the invariants remember: a reader of their own, ended attempts by uuid, live holders of the shared tag by run.
	reader      *app.App
	ended       map[string]engine.StepStatus
	sharing     map[string]int
	shared      int
	sharedLimit int
}

// instance is a Lambda instance: one App, whose ports are bound to the coroutine of the invocation it serves.
type instance struct {
	ports *ports
	app   *app.App
}

func (s *system) newInstance() *instance {
	in := &instance{ports: &ports{s: s}}
	s.instances++
	cfg := app.Config{
		Table: &simTable{in.ports, s.table}, Queue: &simQueue{in.ports}, Blob: &simBlob{in.ports, s.blobs}, Bus: &simBus{in.ports},
		Clock: in.ports, IDs: in.ports, Runtimes: step.Registry{"Simulated": &step.Simulated{Hint: true}},
		Log: slog.New(slog.DiscardHandler), Settings: app.Settings{Publish: s.publish, InlineBudget: 2 * time.Second},
	}
	a, err := app.New(cfg)
	if err != nil {
		s.w.fail("app: %v", err)
	}
	in.app = a
	return in
}

// invoke runs f as an invocation on an instance. A crash loses the instance.
func (s *system) invoke(name string, f func(ctx context.Context, a *app.App), after func(crashed bool)) {
	var in *instance
	if n := len(s.idle); n > 0 {
		i := s.w.rng.IntN(n)
		in = s.idle[i]
		s.idle[i] = s.idle[n-1]
		s.idle = s.idle[:n-1]
	} else {
		in = s.newInstance()
	}
	p := s.w.spawn(name, func(ctx context.Context, q *proc) {
		in.ports.p = q
		f(ctx, in.app)
	}, func(crashed bool) {
		if !crashed {
			s.idle = append(s.idle, in)
		}
		if after != nil {
			after(crashed)
		}
	})
	in.ports.p = p
}

// enqueue puts a message into a queue, with what may happen to it on the way.
func (s *system) enqueue(name queue.Name, m queue.Message) {
	w := s.w
	if w.chance(w.faults.Drop) {
		w.logf("message to %s is lost", name)
		return
	}
	copies := 1
	if w.chance(w.faults.Duplicate) {
		copies = 2
	}
	for range copies {
		at := w.now + m.Delay.Milliseconds() + w.rng.Int64N(20)
		if w.chance(w.faults.Delay) {
			at += w.rng.Int64N(10 * 60_000)
		}
		msg := &message{body: m.Body, at: at}
		s.queues[name] = append(s.queues[name], msg)
		w.after(at-w.now, func() { s.pump(name) })
	}
}

// limits of what runs at once, by queue.
const maxBusy = 3

// visibility of a message that was received, in milliseconds.
const visibility = 6 * 60_000

// pump starts an invocation for messages that are visible.
func (s *system) pump(name queue.Name) {
	w := s.w
	if s.busy[name] >= maxBusy {
		return
	}
	var ready []*message
	for _, m := range s.queues[name] {
		if m.at <= w.now {
			ready = append(ready, m)
		}
	}
	if len(ready) == 0 {
		return
	}
	w.rng.Shuffle(len(ready), func(i, j int) { ready[i], ready[j] = ready[j], ready[i] })
	ready = ready[:min(len(ready), 1+w.rng.IntN(10))]
	var batch []queue.Delivery
	for i, m := range ready {
		m.receives++
		m.at = w.now + visibility
		batch = append(batch, queue.Delivery{Receipt: fmt.Sprint(i), Body: m.body, Receives: m.receives})
		w.after(visibility, func() { s.pump(name) })
	}
	s.busy[name]++
	s.invoke("fn-"+string(name), func(ctx context.Context, a *app.App) {
		again := map[string]bool{}
		for _, r := range a.HandleBatch(ctx, name, batch) {
			again[r] = true
		}
		for i, m := range ready {
			if again[batch[i].Receipt] {
				if m.receives >= queue.MaxReceives && w.faults == (Faults{}) {
					w.fail("a message reached the dead-letter queue of %s after the faults had stopped: %s", name, m.body)
				}
				if m.receives >= queue.MaxReceives {
					s.dead[name]++
					s.remove(name, m)
				}
				continue
			}
			s.remove(name, m)
		}
	}, func(bool) {
		s.busy[name]--
		w.after(0, func() { s.pump(name) })
	})
}

func (s *system) remove(name queue.Name, m *message) {
	q := s.queues[name]
	for i := range q {
		if q[i] == m {
			s.queues[name] = append(q[:i:i], q[i+1:]...)
			return
		}
	}
}

// sweeper runs the sweep once a minute, as the schedule does.
func (s *system) sweeper() {
	w := s.w
	next := (w.now/60_000 + 1) * 60_000
	w.after(next-w.now, func() {
		if !w.chance(w.faults.Drop) {
			s.invoke("fn-sweep", func(ctx context.Context, a *app.App) {
				if err := a.Sweep(ctx, next); err != nil {
					w.logf("sweep: %v", err)
				}
			}, nil)
		}
		s.sweeper()
	})
}

// wrote checks each write as it happens.
func (s *system) wrote(p *proc, old table.Item, wr table.Write) {
	key := wr.Item.Key
	s.changed = true
	if id, ok := store.ParseRunKey(key); ok && wr.Op == table.OpPut {
		s.checkHead(id, old, wr.Item)
		s.checkAttempts(id)
	}
	if strings.HasPrefix(key.PK, "start#") && old.Exists() && !bytes.Equal(old.Data, wr.Item.Data) {
		s.w.fail("start %s was stored and is another now", key)
	}
	if workflow, ok := store.ParseLaneKey(key); ok && wr.Op == table.OpPut {
		s.checkLane(workflow, wr.Item)
	}
	if _, ok := store.ParsePermitKey(key); ok && wr.Op == table.OpPut {
		s.checkPermits(key, wr.Item)
	}
	s.w.logf("%s writes %s rev %d", p.name, key, wr.Item.Rev)
}

// checkHead: a run moves only along legal transitions, its terminal states are final, its time does not run backwards,
// and an attempt that has ended stays as it is.
func (s *system) checkHead(id store.RunID, old, now table.Item) {
	h, err := store.DecodeRunHead(now.Data)
	if err != nil {
		s.w.fail("head of %s: %v", id, err)
		return
	}
	before := s.lastHead[id.String()]
	s.lastHead[id.String()] = h
	if before == nil {
		return
	}
	b, n := &before.Run, &h.Run
	if b.Status.Terminal() && (n.Status != b.Status || n.EndTime != b.EndTime) {
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
	if n.Status.Terminal() && h.Live > 0 {
		s.w.fail("run %s is %s with %d live attempts", id, n.Status, h.Live)
	}
}

// checkAttempts reads the run as it was just written, the way a reader does, but without taking time: a step has one
// live attempt, an attempt that has ended stays as it is, and no tag has more live holders over all runs than its limit.
// The heads of permits say what they granted; only the runs know who goes by it.
func (s *system) checkAttempts(id store.RunID) {
	v, err := s.reader.Run(background, id)
	if err != nil {
		s.w.fail("run %s cannot be read after a write: %v", id, err)
		return
	}
	name := id.String()
	shared := 0
	live := map[string]int64{}
	for _, at := range v.Attempts() {
		if was, ended := s.ended[at.UUID]; ended {
			if was != at.Status {
				s.w.fail("attempt %d of step %s of run %s was %s and became %s", at.AttemptID, at.StepID, id, was, at.Status)
			}
			continue
		}
		if at.Status.Terminal() {
			s.ended[at.UUID] = at.Status
			continue
		}
		if other, two := live[at.StepID]; two {
			s.w.fail("run %s has two live attempts of step %s, %d and %d", id, at.StepID, other, at.AttemptID)
		}
		live[at.StepID] = at.AttemptID
		if at.HoldsPermit {
			for _, t := range engine.PermitTagsOf(v.Body(), at) {
				if t.Name == sharedTag {
					shared++
				}
			}
		}
	}
	if was := s.sharing[name]; was != shared {
		s.sharing[name] = shared
		s.shared += shared - was
		if s.sharedLimit > 0 && s.shared > s.sharedLimit {
			s.w.fail("%d live attempts hold tag %s, its limit is %d", s.shared, sharedTag, s.sharedLimit)
		}
	}
}

// sharedTag is a tag that steps of all workflows may have.
const sharedTag = "shared"

// noQueue takes the messages of who only reads.
type noQueue struct{}

func (noQueue) Send(context.Context, queue.Name, []queue.Message) error { return nil }

// newReader makes an instance whose ports take no time and never fail, for the invariants.
func (s *system) newReader() *app.App {
	in := &ports{s: s, p: &proc{w: s.w}}
	a, err := app.New(app.Config{Table: s.table, Queue: noQueue{}, Blob: s.blobs, Clock: in, IDs: in})
	if err != nil {
		s.w.fail("app: %v", err)
	}
	return a
}

// checkLane: no more runs execute than the strategy allows, and nothing is listed twice.
func (s *system) checkLane(workflow string, it table.Item) {
	l, err := lane.Decode(it.Data)
	if err != nil {
		s.w.fail("lane of %s: %v", workflow, err)
		return
	}
	if limit := concurrency(workflow); l.Running.Len() > limit {
		s.w.fail("%d runs of %s execute, %d are allowed", l.Running.Len(), workflow, limit)
	}
	seen := map[lane.Entry]bool{}
	for _, e := range append(l.Queued.All(), l.Running.All()...) {
		if seen[e] {
			s.w.fail("lane of %s lists %v twice", workflow, e)
		}
		seen[e] = true
		if e.Instance > l.Latest {
			s.w.fail("lane of %s lists instance %d above its latest %d", workflow, e.Instance, l.Latest)
		}
	}
	if l.Busy() && it.Due == 0 {
		s.w.fail("busy lane of %s has no due time", workflow)
	}
}

// checkPermits: no tag has more holders than its limit.
func (s *system) checkPermits(key table.Key, it table.Item) {
	h, err := permit.Decode(it.Data)
	if err != nil {
		s.w.fail("permits %s: %v", key, err)
		return
	}
	used := map[string]int64{}
	for _, holder := range h.Holders {
		for _, t := range holder.Tags {
			used[t]++
		}
	}
	for _, l := range h.Limits {
		if used[l.Tag] > l.Max && l.Max >= permitFloor {
			s.w.fail("%d attempts hold tag %s, its limit is %d", used[l.Tag], l.Tag, l.Max)
		}
	}
	for tag, n := range used {
		if strings.HasPrefix(tag, "maestro_") && n > permit.DefaultLimit {
			s.w.fail("%d attempts hold tag %s, its limit is %d", n, tag, permit.DefaultLimit)
		}
	}
}

// permitFloor: limits set by clients here only ever rise, so holders never exceed one that was lowered.
const permitFloor = 1

// maxSteps is some fifty times what a seed takes on average. A system that needs more works without getting anywhere.
const maxSteps = 400_000

// run lets the world go until nothing is left, or until it lasts absurdly long.
func (s *system) run(until func() bool, limit int64) bool {
	w := s.w
	for w.failure == nil {
		if until != nil && until() {
			return true
		}
		if w.now > limit {
			return false
		}
		if w.steps > maxSteps {
			w.fail("no end after %d steps: the system is busy with itself", w.steps)
			return false
		}
		if !w.step() {
			return until == nil
		}
	}
	return false
}

// Run simulates one seed.
func Run(opts Options) (rep Report) {
	w := newWorld(opts.Seed, opts.Faults)
	w.verbose = opts.Verbose
	lag := memtable.Config{Now: func() int64 { return w.now }, Lag: func(table.Key) int64 {
		if w.faults.IndexLag == 0 {
			return 0
		}
		return w.rng.Int64N(w.faults.IndexLag)
	}}
	s := &system{
		w: w, opts: opts, table: memtable.NewWith(lag), blobs: fileblob.Memory(), queues: map[queue.Name][]*message{}, dead: map[queue.Name]int{},
		busy: map[queue.Name]int{}, answered: map[string]store.RunID{}, lastHead: map[string]*store.RunHead{},
		ended: map[string]engine.StepStatus{}, sharing: map[string]int{},
	}
	s.reader = s.newReader()
	s.publish = w.rng.IntN(3) == 0
	if opts.Publish != nil {
		s.publish = *opts.Publish
	}
	defer func() {
		w.stop()
		rep.Seed, rep.Hash, rep.Steps, rep.Runs, rep.Violated = opts.Seed, w.hash, w.steps, len(s.lastHead), w.failure
	}()
	s.sweeper()
	flows := s.pushAll()
	if w.failure != nil {
		return rep
	}
	s.clients(flows)
	begin := w.now
	s.run(func() bool { return s.open == 0 }, begin+6*3600_000)
	if w.failure != nil {
		return rep
	}
	if s.open > 0 {
		w.fail("%d requests of clients were never answered", s.open)
		return rep
	}
	// Faults stop. Whatever was answered must come to its end, by the sweep if by nothing else.
	w.logf("faults stop")
	w.faults = Faults{}
	s.settleAll()
	return rep
}

// settleAll runs on without faults until everything is at rest, and checks what must be true then.
func (s *system) settleAll() {
	w := s.w
	deadline := w.now + 8*3600_000
	s.changed = true
	s.unblockStrict()
	if !s.run(s.atRest, deadline) && w.failure == nil {
		w.fail("not at rest %d minutes after the faults stopped: %s", 8*60, s.unrest())
		return
	}
	s.checkEnd()
}

// unblockStrict lets the queue of STRICT_SEQUENTIAL go on past failed instances, as its owner would.
func (s *system) unblockStrict() {
	s.w.after(10*60_000, func() {
		s.invoke("client-unblock", func(ctx context.Context, a *app.App) {
			if _, err := a.Unblock(ctx, "strict", 0, "sim"); err != nil {
				s.w.logf("unblock: %v", err)
			}
		}, nil)
		s.unblockStrict()
	})
}

// atRest: every head that exists is terminal, every answered start has one, no lane is busy, nobody works.
func (s *system) atRest() bool {
	for _, b := range s.busy {
		if b > 0 {
			return false
		}
	}
	// Whether the heads are at rest changes with a write alone.
	if s.changed {
		s.changed, s.rest = false, s.unrest() == ""
	}
	return s.rest
}

func (s *system) unrest() string {
	for _, uuid := range sortedKeys(s.answered) {
		id := s.answered[uuid]
		h := s.lastHead[id.String()]
		if h == nil {
			return fmt.Sprintf("start %s was answered with %s, which does not exist", uuid, id)
		}
	}
	for _, name := range sortedKeys(s.lastHead) {
		if h := s.lastHead[name]; !h.Run.Status.Terminal() {
			return fmt.Sprintf("run %s is %s", name, h.Run.Status)
		}
		if s.publish && s.lastHead[name].PublishedStatus != s.lastHead[name].Run.Status {
			return fmt.Sprintf("the end of run %s is not published", name)
		}
	}
	for _, wf := range workflowIDs {
		it, _, _ := s.table.Get(background, store.LaneKey(wf))
		l, err := lane.Decode(it.Data)
		if err != nil {
			return err.Error()
		}
		for _, o := range l.Orders {
			// A start that was refused is in no list: its order alone tells that its run is still to be made.
			id := store.RunID{Workflow: wf, Instance: o.Instance, Run: o.Run}
			if s.lastHead[id.String()] == nil {
				return fmt.Sprintf("run %s was ordered and does not exist", id)
			}
		}
		if l.NonTerminal() > 0 {
			return fmt.Sprintf("lane of %s still lists %v %v", wf, l.Queued.All(), l.Running.All())
		}
	}
	return ""
}

// checkEnd: numbers are dense and unique, no permit is held, every status chain is whole, no completion is lost.
func (s *system) checkEnd() {
	w := s.w
	byStart := map[string]string{}
	for _, name := range sortedKeys(s.lastHead) {
		h := s.lastHead[name]
		if other, dup := byStart[h.UUID]; dup {
			w.fail("start %s became two runs, %s and %s", h.UUID, other, name)
		}
		byStart[h.UUID] = name
	}
	for _, wf := range workflowIDs {
		it, _, _ := s.table.Get(background, store.LaneKey(wf))
		l, _ := lane.Decode(it.Data)
		for i := int64(1); i <= l.Latest; i++ {
			id := store.RunID{Workflow: wf, Instance: i, Run: 1}
			if s.lastHead[id.String()] == nil {
				w.fail("number %d of %s was given and no run has it", i, wf)
			}
		}
	}
	in := s.newInstance()
	for _, name := range sortedKeys(s.lastHead) {
		s.checkRun(in, name)
	}
	if s.publish {
		s.checkPublished()
	}
}

// checkRun reads a finished run as a reader does and checks its attempts.
func (s *system) checkRun(in *instance, name string) {
	w := s.w
	if w.failure != nil {
		return
	}
	var id store.RunID
	parts := strings.Split(strings.Trim(name, "[]"), "][")
	id.Workflow = parts[0]
	fmt.Sscan(parts[1], &id.Instance)
	fmt.Sscan(parts[2], &id.Run)
	done := false
	p := w.spawn("check", func(ctx context.Context, q *proc) {
		in.ports.p = q
		defer func() { done = true }()
		v, err := in.app.Run(ctx, id)
		if err != nil {
			w.fail("finished run %s cannot be read: %v", id, err)
			return
		}
		uuids := map[string]bool{}
		last := map[string]int64{}
		for _, at := range v.Attempts() {
			if uuids[at.UUID] {
				w.fail("step uuid %s is used twice in run %s", at.UUID, id)
			}
			uuids[at.UUID] = true
			if at.AttemptID != last[at.StepID]+1 {
				w.fail("run %s: attempt %d of step %s follows attempt %d", id, at.AttemptID, at.StepID, last[at.StepID])
			}
			last[at.StepID] = at.AttemptID
			if !at.Status.Terminal() {
				w.fail("run %s is over and attempt %d of step %s is %s", id, at.AttemptID, at.StepID, at.Status)
			}
			if at.HoldsPermit {
				w.fail("run %s is over and attempt %d of step %s holds a permit", id, at.AttemptID, at.StepID)
			}
		}
	}, nil)
	_ = p
	for !done && w.failure == nil && w.step() {
	}
}

// checkPublished: the records of each attempt form one chain from NOT_CREATED, each run's events lead from CREATED to
// its end.
func (s *system) checkPublished() {
	type change struct {
		Old  string `json:"old_status"`
		New  string `json:"new_status"`
		Time int64  `json:"event_time"`
	}
	chains := map[string]map[string]change{}
	for _, raw := range s.published {
		var e struct {
			Type     string   `json:"type"`
			UUID     string   `json:"workflow_uuid"`
			StepUUID string   `json:"step_uuid"`
			Records  []change `json:"status_change_records"`
			change
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			s.w.fail("published event is not JSON: %v", err)
			return
		}
		name, list := e.UUID, []change{e.change}
		switch e.Type {
		case "STEP_INSTANCE_STATUS_CHANGE_EVENT":
			name, list = e.UUID+"/"+e.StepUUID, e.Records
		case "WORKFLOW_INSTANCE_STATUS_CHANGE_EVENT":
		default:
			continue
		}
		if chains[name] == nil {
			chains[name] = map[string]change{}
		}
		for _, c := range list {
			chains[name][c.Old] = c
		}
	}
	steps := 0
	for _, name := range sortedKeys(chains) {
		_, uuid, isStep := strings.Cut(name, "/")
		if !isStep {
			continue
		}
		steps++
		at := "NOT_CREATED"
		for range 20 {
			c, ok := chains[name][at]
			if !ok {
				break
			}
			at = c.New
		}
		if at != s.ended[uuid].String() {
			s.w.fail("events of attempt %s lead to %s, it is %s", name, at, s.ended[uuid])
		}
	}
	if steps != len(s.ended) {
		s.w.fail("events tell of %d attempts, there are %d", steps, len(s.ended))
	}
	for _, name := range sortedKeys(s.lastHead) {
		h := s.lastHead[name]
		at := "CREATED"
		for range 4 {
			c, ok := chains[h.UUID][at]
			if !ok {
				break
			}
			at = c.New
		}
		if at != h.Run.Status.String() {
			s.w.fail("events of run %s lead to %s, it is %s", name, at, h.Run.Status)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
