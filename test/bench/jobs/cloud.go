// Package jobs measures runs of external steps as they are on AWS: many instances of the application, each of which
// serves one invocation at a time and shares nothing with the others but the table and the queues; event source mappings
// that hand over batches; a table with DynamoDB's latencies; and a job service that tells of the end of its jobs by
// events. Time is virtual: reads take 3 ms, writes 3 to 9 ms, transactions 25 ms, a message 5 to 25 ms, and computing takes
// none. So the numbers depend on the seed and not on the machine.
package jobs

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/api"
	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
	"github.com/downbeat/downbeat/localstack/fileblob"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// What the event source mappings do, as the stack sets them up by default. A mapping begins with five batches at once
// and adds 300 a minute while messages wait ("Configuring scaling behavior for SQS event source mappings" in the AWS
// Lambda developer guide).
const (
	batchSize      = 10
	pollers        = 5
	pollersMore    = 5 // a second
	maxConcurrency = 50
	visibility     = 6 * time.Minute
)

// timer wakes a coroutine.
type timer struct {
	at   int64
	seq  int
	wake chan struct{}
}

type timers []timer

func (h timers) Len() int { return len(h) }
func (h timers) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h timers) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timers) Push(x any)   { *h = append(*h, x.(timer)) }
func (h *timers) Pop() any {
	old := *h
	t := old[len(old)-1]
	*h = old[:len(old)-1]
	return t
}

// message is one in a queue.
type message struct {
	body     []byte
	at       int64 // microseconds; not visible before
	receives int
}

// cloud is what the instances share. Coroutines run one at a time, in the order of the times to which they sleep.
type cloud struct {
	now    int64 // microseconds
	seq    int
	timers timers
	done   chan struct{}

	rng   *rand.Rand
	table *memtable.Table
	blobs *fileblob.Mem
	idle  []*instance

	queues map[queue.Name][]*message
	busy   map[queue.Name]int
	// crowded is since when all pollers that a mapping begins with are busy.
	crowded map[queue.Name]int64
	open    int // runs that are not terminal
	failed  error

	units       table.Units
	byKind      map[string]table.Units // by operation and kind of item
	byQueue     map[queue.Name]int     // messages
	lost        int                    // conditional writes that found another revision
	requests    int                    // of the queues: sends, receives that bring something, deletes
	invocations int                    // but for the calls of the API
	entries     int                    // of the event bus
	publish     bool
	dead        int
	ended       map[engine.InstanceStatus]int
	lastEnd     int64
}

// instance is an instance of the functions. Its ports are those of the cloud.
type instance struct {
	app     *app.App
	handler http.Handler
}

func newCloud(seed uint64) *cloud {
	return &cloud{
		rng: rand.New(rand.NewPCG(seed, 7)), table: memtable.New(), blobs: fileblob.Memory(), done: make(chan struct{}),
		queues: map[queue.Name][]*message{}, busy: map[queue.Name]int{}, crowded: map[queue.Name]int64{}, byKind: map[string]table.Units{}, byQueue: map[queue.Name]int{}, ended: map[engine.InstanceStatus]int{},
	}
}

func (c *cloud) push(d time.Duration) chan struct{} {
	c.seq++
	wake := make(chan struct{})
	heap.Push(&c.timers, timer{c.now + max(d.Microseconds(), 0), c.seq, wake})
	return wake
}

func (c *cloud) next() {
	if len(c.timers) == 0 {
		close(c.done)
		return
	}
	t := heap.Pop(&c.timers).(timer)
	c.now = max(c.now, t.at)
	close(t.wake)
}

func (c *cloud) sleep(d time.Duration) {
	wake := c.push(d)
	c.next()
	<-wake
}

// spawn has f done after d.
func (c *cloud) spawn(d time.Duration, f func()) {
	wake := c.push(d)
	go func() {
		<-wake
		f()
		c.next()
	}()
}

// run goes on until nobody sleeps any more.
func (c *cloud) run() {
	c.next()
	<-c.done
}

// parallel is app.Config.Parallel.
func (c *cloud) parallel(n int, do func(i int)) {
	done := make(chan struct{})
	left := n
	for i := range n {
		c.spawn(0, func() {
			do(i)
			if left--; left == 0 {
				c.seq++
				heap.Push(&c.timers, timer{c.now, c.seq, done})
			}
		})
	}
	c.next()
	<-done
}

// Now, Sleep, NewUUID, Token and Float are the ports to time and randomness.
func (c *cloud) Now() int64 { return 1_700_000_000_000 + c.now/1000 }

// Sleep implements clock.Clock.
func (c *cloud) Sleep(_ context.Context, d time.Duration) error { c.sleep(d); return nil }

// NewUUID implements clock.IDs.
func (c *cloud) NewUUID() string {
	a, b := c.rng.Uint64(), c.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff, uint16(b)&0xfff, b>>16)
}

// Token implements clock.IDs.
func (c *cloud) Token() uint64 { return c.rng.Uint64() | 1 }

// Float implements clock.IDs.
func (c *cloud) Float() float64 { return c.rng.Float64() }

// newInstance makes an instance, which keeps its caches from one invocation to the next.
func (c *cloud) newInstance() (*instance, error) {
	a, err := app.New(app.Config{
		Table: slowTable{c}, Queue: sender{c}, Blob: c.blobs, Bus: eventBus{c}, Settings: app.Settings{Publish: c.publish}, Parallel: c.parallel, Clock: c, IDs: c, Metrics: app.NoMetrics{}, Log: slog.New(slog.DiscardHandler),
		Runtimes: step.Registry{step.SimulatedType: service{&step.Simulated{}, c}},
		OnRun: func(n app.RunNews) {
			if n.Status.Terminal() {
				c.open--
				c.ended[n.Status]++
				c.lastEnd = c.now
			}
		},
	})
	if err != nil {
		return nil, err
	}
	handler, err := api.New(api.Config{App: a})
	return &instance{a, handler}, err
}

// invoke is one invocation.
func (c *cloud) invoke(f func(in *instance)) {
	c.invocations++
	var in *instance
	if n := len(c.idle); n > 0 {
		in, c.idle = c.idle[n-1], c.idle[:n-1]
	} else {
		var err error
		if in, err = c.newInstance(); err != nil {
			c.failed = err
			return
		}
	}
	f(in)
	c.idle = append(c.idle, in)
}

// post makes a call of the API.
func (c *cloud) post(path, body string) {
	defer func() { c.invocations-- }() // the caller's own
	c.invoke(func(in *instance) {
		r := httptest.NewRequest(http.MethodPost, "/api/v3/"+path, strings.NewReader(body))
		r.Header.Set("user", "bench")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		in.handler.ServeHTTP(w, r)
		if w.Code/100 != 2 {
			c.failed = fmt.Errorf("POST %s: %d %s", path, w.Code, w.Body)
		}
	})
}

// sender is the queues' Send.
type sender struct{ c *cloud }

func (s sender) Send(_ context.Context, name queue.Name, msgs []queue.Message) error {
	c := s.c
	for _, m := range msgs {
		if err := m.Check(); err != nil {
			return err
		}
	}
	c.byQueue[name] += len(msgs)
	for len(msgs) > 0 {
		n := min(len(msgs), queue.MaxBatch)
		c.requests++
		for _, m := range msgs[:n] {
			c.enqueue(name, m.Body, m.Delay)
		}
		msgs = msgs[n:]
		c.sleep(5 * time.Millisecond)
	}
	return nil
}

func (c *cloud) enqueue(name queue.Name, body []byte, delay time.Duration) {
	if delay > 0 {
		delay = (delay + time.Second - 1).Truncate(time.Second) // SQS counts seconds
	}
	d := delay + time.Duration(5+20*c.rng.Float64())*time.Millisecond
	c.queues[name] = append(c.queues[name], &message{body: body, at: c.now + d.Microseconds()})
	c.spawn(d, func() { c.poll(name) })
}

// poll is what an event source mapping does when there is a message.
func (c *cloud) poll(name queue.Name) {
	for {
		if n := c.busy[name]; n < pollers {
			c.crowded[name] = c.now
		} else if n >= min(maxConcurrency, pollers+pollersMore*int((c.now-c.crowded[name])/1_000_000)) {
			return
		}
		var batch []*message
		for _, m := range c.queues[name] {
			if m.at <= c.now && len(batch) < batchSize {
				batch = append(batch, m)
			}
		}
		if len(batch) == 0 {
			return
		}
		c.requests++
		for _, m := range batch {
			m.receives++
			m.at = c.now + visibility.Microseconds()
			c.spawn(visibility, func() { c.poll(name) })
		}
		c.busy[name]++
		c.spawn(0, func() {
			c.handle(name, batch)
			c.busy[name]--
			c.poll(name)
		})
	}
}

func (c *cloud) handle(name queue.Name, batch []*message) {
	c.invoke(func(in *instance) {
		deliveries := make([]queue.Delivery, len(batch))
		for i, m := range batch {
			deliveries[i] = queue.Delivery{Receipt: fmt.Sprint(i), Body: m.body, Receives: m.receives}
		}
		again := map[string]bool{}
		for _, r := range in.app.HandleBatch(context.Background(), name, deliveries) {
			again[r] = true
		}
		gone := map[*message]bool{}
		for i, m := range batch {
			if !again[deliveries[i].Receipt] {
				gone[m] = true
			} else if m.receives >= queue.MaxReceives {
				c.dead++
				gone[m] = true
			}
		}
		if len(gone) > 0 {
			c.requests++
		}
		var left []*message
		for _, m := range c.queues[name] {
			if !gone[m] {
				left = append(left, m)
			}
		}
		c.queues[name] = left
	})
}

// sweep runs once a minute while a run is open.
func (c *cloud) sweep() {
	const minute = 60_000
	wait := minute - c.Now()%minute
	c.spawn(time.Duration(wait)*time.Millisecond, func() {
		if c.open == 0 {
			return
		}
		at := c.Now()
		c.invoke(func(in *instance) {
			if err := in.app.Sweep(context.Background(), at); err != nil {
				c.failed = err
			}
		})
		c.sweep()
	})
}

// eventBus counts what would be billed.
type eventBus struct{ c *cloud }

func (b eventBus) Publish(_ context.Context, list [][]byte) error {
	b.c.entries += len(events.Bundles(list, 64<<10))
	b.c.sleep(10 * time.Millisecond)
	return nil
}

// service is the simulated job service, which tells of the end of a job by an event.
type service struct {
	*step.Simulated
	c *cloud
}

// Start begins a job and has its events sent.
func (s service) Start(ctx context.Context, call step.Call) (step.Result, error) {
	s.c.sleep(20 * time.Millisecond)
	r, err := s.Simulated.Start(ctx, call)
	for _, e := range s.Events(call) {
		result, merr := json.Marshal(e.Result)
		if merr != nil {
			return r, merr
		}
		body, merr := events.Completion{UUID: call.StepUUID, Workflow: call.WorkflowID, Instance: call.InstanceID, Run: call.RunID,
			Step: call.StepID, Attempt: call.AttemptID, Result: result}.Encode()
		if merr != nil {
			return r, merr
		}
		s.c.spawn(time.Duration(e.At-s.c.Now())*time.Millisecond, func() {
			s.c.requests++
			s.c.byQueue["jobs"]++
			s.c.enqueue(queue.Complete, body, 0)
		})
	}
	return r, err
}

// slowTable is the table with DynamoDB's latencies. The effect of a write is halfway through its time.
type slowTable struct{ c *cloud }

func (c *cloud) spend(op, pk string, u table.Units) {
	c.units = c.units.Add(u)
	kind, _, _ := strings.Cut(pk, "#")
	c.byKind[op+" "+kind] = c.byKind[op+" "+kind].Add(u)
}

func (t slowTable) read(op, pk string, u table.Units) {
	t.c.spend(op, pk, u)
	t.c.sleep(3 * time.Millisecond)
}

func (t slowTable) write(op, pk string, d time.Duration, do func() (table.Units, error)) (table.Units, error) {
	t.c.sleep(d / 2)
	u, err := do()
	if table.CodeOf(err) == table.CodeConflict {
		t.c.lost++
		op = "lost " + op
	}
	t.c.spend(op, pk, u)
	t.c.sleep(d / 2)
	return u, err
}

func (t slowTable) writeTime() time.Duration {
	return time.Duration((3 + 6*t.c.rng.Float64()) * float64(time.Millisecond))
}

func (t slowTable) Get(ctx context.Context, key table.Key) (table.Item, table.Units, error) {
	it, u, err := t.c.table.Get(ctx, key)
	t.read("get", key.PK, u)
	return it, u, err
}

func (t slowTable) BatchGet(ctx context.Context, keys []table.Key) ([]table.Item, table.Units, error) {
	its, u, err := t.c.table.BatchGet(ctx, keys)
	t.read("batch", keys[0].PK, u)
	return its, u, err
}

func (t slowTable) Query(ctx context.Context, q table.Query) (table.Page, table.Units, error) {
	p, u, err := t.c.table.Query(ctx, q)
	t.read("query", q.PK, u)
	return p, u, err
}

// Queries implements table.ManyQuerier: the queries are made at once, and take as long as one. The scheduler lets one
// invocation go on at a time, which goroutines of an invocation's own would get around.
func (t slowTable) Queries(ctx context.Context, qs []table.Query) ([]table.Page, table.Units, error) {
	pages := make([]table.Page, len(qs))
	var all table.Units
	for i, q := range qs {
		p, u, err := t.c.table.Query(ctx, q)
		all = all.Add(u)
		if err != nil {
			return nil, all, err
		}
		pages[i] = p
	}
	if len(qs) > 0 {
		t.read("query", qs[0].PK, all)
	}
	return pages, all, nil
}

func (t slowTable) QueryDue(ctx context.Context, q table.DueQuery) ([]table.DueEntry, table.Units, error) {
	e, u, err := t.c.table.QueryDue(ctx, q)
	t.read("query", "due", u)
	return e, u, err
}

func (t slowTable) Write(ctx context.Context, w table.Write) (table.Units, error) {
	return t.write("put", w.Item.Key.PK, t.writeTime(), func() (table.Units, error) { return t.c.table.Write(ctx, w) })
}

func (t slowTable) BatchPut(ctx context.Context, items []table.Item) (table.Units, error) {
	return t.write("put", items[0].Key.PK, t.writeTime(), func() (table.Units, error) { return t.c.table.BatchPut(ctx, items) })
}

func (t slowTable) Transact(ctx context.Context, w []table.Write) (table.Units, error) {
	return t.write("transact", w[0].Item.Key.PK, 25*time.Millisecond, func() (table.Units, error) { return t.c.table.Transact(ctx, w) })
}
