package sim

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sort"
	"time"

	"github.com/downbeat/downbeat/core/api"
	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
	"github.com/downbeat/downbeat/localstack/fileblob"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// Options are what a simulation runs with.
type Options struct {
	Seed    uint64
	Faults  Faults
	Verbose bool
	// Requests is how many requests clients make. Default 4 to 11, drawn.
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
	Counts   map[string]int // of requests, faults and what came of them, by kind
	Violated error          // the first invariant that did not hold
}

// message is one in a queue.
type message struct {
	body     []byte
	seq      int
	at       int64
	receives int
	poison   bool // nobody can read it
	taken    bool
}

// system is the application in its world.
type system struct {
	w      *world
	opts   Options
	table  *memtable.Table
	blobs  blob.Store
	queues map[queue.Name][]*message
	sent   int
	// idle are the instances of the application that wait for an invocation, those of REST calls apart: each keeps its
	// caches from one to the next.
	idle      [2][]*instance
	published [][]byte
	publish   bool
	nesting   bool // definitions have loops and subworkflows
	deadly    bool // decisions about the first workflow die at its second step
	hint      bool // the outside service says when a job will have ended
	// busy counts invocations that run, by queue.
	busy map[queue.Name]int
	open int // clients that are not done
	// making is the kind of request that a client makes or goes on with just now.
	making string
	// announced are the jobs of the outside service whose events are on their way.
	announced map[string]bool
	memo      map[content]any
	codec     *store.Codec
	model
}

// instance is a Lambda instance: one App behind its REST calls, whose ports are bound to the coroutine of the invocation
// that it serves.
type instance struct {
	ports *ports
	app   *app.App
	rest  http.Handler
}

func (s *system) newInstance() *instance {
	in := &instance{ports: &ports{s: s}}
	cfg := app.Config{
		Table: &simTable{in.ports, s.table}, Queue: &simQueue{in.ports}, Blob: &simBlob{in.ports, s.blobs}, Bus: &simBus{in.ports},
		Clock: in.ports, IDs: in.ports, Runtimes: step.Registry{step.SimulatedType: &outside{in.ports, step.Simulated{Hint: s.hint}}},
		Log: slog.New(simLog{in.ports}), Decoded: s.decoded, Codec: s.codec, Settings: app.Settings{Publish: s.publish, InlineBudget: 2 * time.Second},
		Decide: in.ports.decide,
	}
	a, err := app.New(cfg)
	if err != nil {
		s.w.fail("app: %v", err)
	}
	in.app = a
	return in
}

// decoded keeps what was made of the same bytes by any instance of this world: decoding is what invocations spend most of
// their time on, and a function of the bytes. What was read is still read by every instance.
func (s *system) decoded(kind string, data []byte, decode func() (any, error)) (any, error) {
	if v, ok := s.memo[content{kind, string(data)}]; ok {
		return v, nil
	}
	v, err := decode()
	if err == nil {
		s.memo[content{kind, string(data)}] = v
	}
	return v, err
}

// content is what something was made of.
type content struct{ kind, data string }

// clientName is the name of invocations that serve REST calls.
const clientName = "client"

// invoke runs f as an invocation on an instance. A crash loses the instance.
func (s *system) invoke(name string, f func(ctx context.Context, in *instance, p *proc), after func(crashed bool)) {
	var in *instance
	pool := &s.idle[0]
	if name == clientName {
		pool = &s.idle[1]
	}
	if n := len(*pool); n > 0 {
		i := s.w.rng.IntN(n)
		in = (*pool)[i]
		(*pool)[i] = (*pool)[n-1]
		*pool = (*pool)[:n-1]
	} else {
		in = s.newInstance()
	}
	p := s.w.spawn(name, func(p *proc) {
		in.ports.p = p
		f(background, in, p)
		p.alive()
	}, func(crashed bool) {
		if !crashed {
			*pool = append(*pool, in)
		}
		if after != nil {
			after(crashed)
		}
	})
	in.ports.p = p
}

// rest is the handler of REST calls of an instance, made when it is first called.
func (s *system) restOf(in *instance) http.Handler {
	if in.rest == nil {
		h, err := api.New(api.Config{App: in.app, Log: slog.New(simLog{in.ports})})
		if err != nil {
			s.w.fail("api: %v", err)
		}
		in.rest = h
	}
	return in.rest
}

// enqueue puts a message into a queue, with what may happen to it on the way. It tells whether it arrived.
func (s *system) enqueue(name queue.Name, m queue.Message) bool {
	w := s.w
	if w.hit(faultDrop, w.faults.Drop) {
		w.logf("message to %s is lost", name)
		return false
	}
	copies := 1
	if w.hit(faultDuplicate, w.faults.Duplicate) {
		copies = 2
	}
	for range copies {
		at := w.now + m.Delay.Milliseconds() + w.rng.Int64N(20)
		if w.hit(faultDelay, w.faults.Delay) {
			at += w.rng.Int64N(10 * 60_000)
		}
		s.place(name, &message{body: m.Body, at: at})
	}
	return true
}

func (s *system) place(name queue.Name, m *message) {
	s.sent++
	m.seq = s.sent
	s.queues[name] = append(s.queues[name], m)
	s.w.after(m.at-s.w.now, func() { s.pump(name) })
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
	for _, m := range append([]*message(nil), s.queues[name]...) {
		switch {
		case m.at > w.now:
		case m.receives >= queue.MaxReceives:
			s.bury(name, m) // whoever received it last died of it, or with it
		default:
			ready = append(ready, m)
		}
	}
	if len(ready) == 0 {
		return
	}
	w.rng.Shuffle(len(ready), func(i, j int) { ready[i], ready[j] = ready[j], ready[i] })
	left := ready
	ready = ready[:min(len(ready), 1+w.rng.IntN(10))]
	s.countOvertaken(ready, left[len(ready):])
	var batch []queue.Delivery
	for i, m := range ready {
		m.receives++
		m.at = w.now + visibility
		batch = append(batch, queue.Delivery{Receipt: fmt.Sprint(i), Body: m.body, Receives: m.receives})
		w.after(visibility, func() { s.pump(name) })
	}
	if s.ackedFirst(name) {
		for _, m := range ready {
			if !m.poison {
				s.remove(name, m)
			}
		}
	}
	s.busy[name]++
	s.invoke("fn-"+string(name), func(ctx context.Context, in *instance, p *proc) {
		again := map[string]bool{}
		for _, r := range in.app.HandleBatch(ctx, name, batch) {
			again[r] = true
		}
		p.alive()
		for i, m := range ready {
			if !again[batch[i].Receipt] || s.handledAnyway(m) {
				if m.poison {
					w.fail("a message to %s that nobody can read was taken for handled: %s", name, m.body)
				}
				s.remove(name, m)
			} else if m.receives >= queue.MaxReceives {
				if !m.poison && w.faults == (Faults{}) {
					w.fail("a message reached the dead-letter queue of %s after the faults had stopped: %s", name, m.body)
				}
				s.bury(name, m)
			}
		}
	}, func(bool) {
		s.busy[name]--
		w.after(0, func() { s.pump(name) })
	})
}

// countOvertaken counts the messages that are taken before one that was sent earlier and could be taken too.
func (s *system) countOvertaken(taken, left []*message) {
	for i, m := range taken {
		for _, other := range append(left, taken[i+1:]...) {
			if other.seq < m.seq {
				s.w.counts[faultReorder]++
				return
			}
		}
	}
}

// bury moves a message to the dead-letter queue.
func (s *system) bury(name queue.Name, m *message) {
	if m.poison && !m.taken {
		m.taken = true
		s.poison--
		s.changed = true
	}
	if m, err := events.ParseStart(m.body); err == nil && name == queue.Trigger {
		s.inDoubt[m.RequestID], s.changed = true, true
	}
	s.w.counts[outcomeDead]++
	s.remove(name, m)
}

func (s *system) remove(name queue.Name, m *message) {
	q := s.queues[name]
	for i := range q {
		if q[i] == m {
			s.queues[name] = append(q[:i:i], q[i+1:]...)
			s.changed = s.changed || name == queue.Trigger
			return
		}
	}
}

// sweeper runs the sweep once a minute, as the schedule does.
func (s *system) sweeper() {
	w := s.w
	next := (w.now/60_000 + 1) * 60_000
	w.after(next-w.now, func() {
		if !w.hit(faultNoSweep, w.faults.NoSweep) {
			s.invoke("fn-sweep", func(ctx context.Context, in *instance, p *proc) {
				if err := in.app.Sweep(ctx, next); err != nil {
					w.logf("sweep: %v", err)
				}
			}, nil)
		}
		s.sweeper()
	})
}

// maxWork is some hundred times what a seed takes on average. A system that needs more works without getting anywhere.
const maxWork = 400_000

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
		if w.steps > maxWork {
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
	w.vary()
	faults := w.faults
	lag := memtable.Config{Now: func() int64 { return w.now }, Lag: func(table.Key) int64 {
		if w.faults.IndexLag == 0 {
			return 0
		}
		w.counts[faultLag]++
		return w.rng.Int64N(w.faults.IndexLag)
	}}
	s := &system{
		w: w, opts: opts, table: memtable.NewWith(lag), blobs: fileblob.Memory(), queues: map[queue.Name][]*message{},
		busy: map[queue.Name]int{}, announced: map[string]bool{}, memo: map[content]any{},
	}
	var err error
	if s.codec, err = store.NewCodec(); err != nil {
		w.fail("codec: %v", err)
	}
	s.model = newModel()
	s.reader = s.newReader()
	s.publish = w.rng.IntN(3) == 0
	s.hint = w.rng.IntN(4) == 0
	// Not drawn, so that the other seeds stay what they were.
	s.nesting, s.deadly = opts.Seed%4 == 1, opts.Seed%16 == 2
	if opts.Seed%4 == 3 {
		s.times = newTimesModel()
	}
	if opts.Publish != nil {
		s.publish = *opts.Publish
	}
	defer func() {
		w.stop()
		rep.Seed, rep.Hash, rep.Steps, rep.Runs, rep.Counts, rep.Violated = opts.Seed, w.hash, w.steps, s.runs, w.counts, w.failure
	}()
	s.sweeper()
	w.faults = Faults{Skew: faults.Skew}
	s.setUp()
	w.faults = faults
	if w.failure != nil {
		return rep
	}
	s.clients()
	begin := w.now
	s.letTimesPass()
	s.run(func() bool { return s.open == 0 }, begin+12*3600_000)
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
	s.comeToRest()
	return rep
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
