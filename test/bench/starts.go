package main

import (
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/fault"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/localstack/fileblob"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// The starts of one workflow id by many instances of the application, each of which serves one request at a time and
// shares nothing with the others but the table, as Lambda functions do. Time is virtual: reads take 3 ms and writes 3 to
// 9 ms, a message 5 to 25 ms, and computing takes none. So the table below depends on the seed and not on the machine.

const (
	startRate    = 1000 // starts a second
	startSeconds = 5
	readMillis   = 3
	writeMillis  = 3 // and up to writeSpread more
	writeSpread  = 6
)

// StartRow is the result of one run strategy.
type StartRow struct {
	Workload  string `json:"workload"`
	Starts    int    `json:"starts"`
	Numbered  int    `json:"numbered"`
	Refused   int    `json:"refused"`
	Failed    int    `json:"failed"`
	Instances int    `json:"instances"`
	// P50 and P99 are of the answer, in milliseconds.
	P50 float64 `json:"start_p50_ms"`
	P99 float64 `json:"start_p99_ms"`
	// WriteUnits and ReadUnits are those of start items, numbers, lane and inbox until the last start is answered.
	WriteUnits float64 `json:"write_units_per_start"`
	ReadUnits  float64 `json:"read_units_per_start"`
	// LostRaces are conditional writes of the lane that failed.
	LostRaces float64 `json:"lost_races_per_start"`
	// AllWriteUnits and AllReadUnits are of everything until all runs are terminal.
	AllWriteUnits float64 `json:"write_units_per_run"`
	AllReadUnits  float64 `json:"read_units_per_run"`
	Messages      float64 `json:"messages_per_run"`
	// Drained is how many seconds after the first start all runs were terminal.
	Drained float64 `json:"drained_seconds"`
	// HotWrites and HotReads are the most units that any partition took in one second; DynamoDB gives 1,000 and 3,000.
	HotWrites float64 `json:"hottest_partition_write_units"`
	HotReads  float64 `json:"hottest_partition_read_units"`
}

// kernel is virtual time: coroutines that sleep, one of which runs at a time, in the order of their times.
type kernel struct {
	now  int64 // microseconds
	seq  int
	heap sleepers
	done chan struct{}
}

type sleeper struct {
	at   int64
	seq  int
	wake chan struct{}
}

type sleepers []sleeper

func (h sleepers) Len() int { return len(h) }
func (h sleepers) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}
func (h sleepers) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *sleepers) Push(x any)   { *h = append(*h, x.(sleeper)) }
func (h *sleepers) Pop() any {
	old := *h
	s := old[len(old)-1]
	*h = old[:len(old)-1]
	return s
}

// next hands the processor to who sleeps shortest; without any, the world has ended.
func (k *kernel) next() {
	if len(k.heap) == 0 {
		close(k.done)
		return
	}
	s := heap.Pop(&k.heap).(sleeper)
	k.now = max(k.now, s.at)
	close(s.wake)
}

func (k *kernel) push(d time.Duration) chan struct{} {
	k.seq++
	wake := make(chan struct{})
	heap.Push(&k.heap, sleeper{k.now + max(d.Microseconds(), 0), k.seq, wake})
	return wake
}

func (k *kernel) sleep(d time.Duration) {
	wake := k.push(d)
	k.next()
	<-wake
}

// spawn starts f after d.
func (k *kernel) spawn(d time.Duration, f func()) {
	wake := k.push(d)
	go func() {
		<-wake
		f()
		k.next()
	}()
}

// run runs everything until nobody sleeps any more.
func (k *kernel) run() {
	k.done = make(chan struct{})
	k.next()
	<-k.done
}

// Now, Sleep, NewUUID, Token and Float are the ports to time and randomness.
func (c *cloud) Now() int64 { return 1_700_000_000_000 + c.k.now/1000 }

func (c *cloud) Sleep(_ context.Context, d time.Duration) error { c.k.sleep(d); return nil }

func (c *cloud) NewUUID() string {
	a, b := c.rng.Uint64(), c.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff, uint16(b)&0xfff, b>>16)
}

func (c *cloud) Token() uint64 { return c.rng.Uint64() | 1 }

func (c *cloud) Float() float64 { return c.rng.Float64() }

// cloud is what the instances share: table, queues and time.
type cloud struct {
	k     *kernel
	rng   *rand.Rand
	t     *memtable.Table
	blobs blob.Store

	idle      []*app.App
	instances int
	waiting   []queue.Delivery
	busy      int
	messages  int
	open      int // runs that are not terminal
	ended     map[store.RunID]bool
	begun     map[store.RunID]bool

	byKind map[string]table.Units
	lost   float64
	hot    map[string]table.Units // by partition, in second
	second int64
	peak   table.Units
}

func (c *cloud) kind(pk string) string { kind, _, _ := strings.Cut(pk, "#"); return kind }

// spent books units. A partition key that begins with start or lane belongs to starting.
func (c *cloud) spent(pk string, u table.Units) {
	k := c.kind(pk)
	c.byKind[k] = c.byKind[k].Add(u)
	if s := c.k.now / 1_000_000; s != c.second {
		c.second, c.hot = s, map[string]table.Units{}
	}
	h := c.hot[pk].Add(u)
	c.hot[pk] = h
	c.peak.Read, c.peak.Write = max(c.peak.Read, h.Read), max(c.peak.Write, h.Write)
}

// slowTable is the table with DynamoDB's latencies. The effect of a write is halfway through its time.
type slowTable struct{ c *cloud }

func (t *slowTable) read() { t.c.k.sleep(readMillis * time.Millisecond) }

// write takes its time around the effect.
func (t *slowTable) write(do func()) {
	d := time.Duration((writeMillis + writeSpread*t.c.rng.Float64()) / 2 * float64(time.Millisecond))
	t.c.k.sleep(d)
	do()
	t.c.k.sleep(d)
}

func (t *slowTable) Get(ctx context.Context, key table.Key) (table.Item, table.Units, error) {
	t.read()
	it, u, err := t.c.t.Get(ctx, key)
	t.c.spent(key.PK, u)
	return it, u, err
}

func (t *slowTable) BatchGet(ctx context.Context, keys []table.Key) ([]table.Item, table.Units, error) {
	t.read()
	items, u, err := t.c.t.BatchGet(ctx, keys)
	for i := range items {
		t.c.spent(keys[i].PK, table.GetUnits(items[i]))
	}
	return items, u, err
}

func (t *slowTable) Query(ctx context.Context, q table.Query) (table.Page, table.Units, error) {
	t.read()
	p, u, err := t.c.t.Query(ctx, q)
	t.c.spent(q.PK, u)
	return p, u, err
}

// Queries are made at once: they take the time of one.
func (t *slowTable) Queries(ctx context.Context, qs []table.Query) ([]table.Page, table.Units, error) {
	t.read()
	var pages []table.Page
	var all table.Units
	for _, q := range qs {
		p, u, err := t.c.t.Query(ctx, q)
		if err != nil {
			return nil, all, err
		}
		t.c.spent(q.PK, u)
		pages, all = append(pages, p), all.Add(u)
	}
	return pages, all, nil
}

func (t *slowTable) Write(ctx context.Context, w table.Write) (u table.Units, err error) {
	t.write(func() { u, err = t.c.t.Write(ctx, w) })
	t.c.spent(w.Item.PK, u)
	if _, ok := store.ParseLaneKey(w.Item.Key); ok && err != nil {
		t.c.lost++
	}
	return u, err
}

func (t *slowTable) BatchPut(ctx context.Context, items []table.Item) (u table.Units, err error) {
	t.write(func() { u, err = t.c.t.BatchPut(ctx, items) })
	t.c.spent(items[0].PK, u)
	return u, err
}

func (t *slowTable) Transact(ctx context.Context, writes []table.Write) (u table.Units, err error) {
	t.write(func() { u, err = t.c.t.Transact(ctx, writes) })
	t.c.spent(writes[0].Item.PK, u)
	return u, err
}

func (t *slowTable) QueryDue(ctx context.Context, q table.DueQuery) ([]table.DueEntry, table.Units, error) {
	t.read()
	e, u, err := t.c.t.QueryDue(ctx, q)
	t.c.spent("due", u)
	return e, u, err
}

// Send puts messages into the queue of `advance`: NoOp steps need no other.
func (c *cloud) Send(_ context.Context, name queue.Name, msgs []queue.Message) error {
	if name != queue.Advance {
		return fmt.Errorf("message to queue %s, which nobody serves here", name)
	}
	c.k.sleep(5 * time.Millisecond)
	for _, m := range msgs {
		c.messages++
		c.k.spawn(m.Delay+time.Duration(c.rng.IntN(20))*time.Millisecond, func() {
			c.waiting = append(c.waiting, queue.Delivery{Body: m.Body, Receives: 1})
			c.pump()
		})
	}
	return nil
}

// maxAdvance is how many instances of `advance` run at once, as the stack sets it.
const maxAdvance = 50

func (c *cloud) pump() {
	if c.busy >= maxAdvance || len(c.waiting) == 0 {
		return
	}
	n := min(len(c.waiting), queue.MaxBatch)
	batch := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	for i := range batch {
		batch[i].Receipt = fmt.Sprint(i)
	}
	c.busy++
	c.k.spawn(0, func() {
		a, free := c.instance()
		again := map[string]bool{}
		for _, r := range a.HandleBatch(context.Background(), queue.Advance, batch) {
			again[r] = true
		}
		free()
		c.busy--
		for _, d := range batch {
			if again[d.Receipt] {
				d.Receives++
				c.k.spawn(time.Minute, func() { c.waiting = append(c.waiting, d); c.pump() })
			}
		}
		c.pump()
	})
}

// instance takes an instance that is free, or makes one, as Lambda does.
func (c *cloud) instance() (*app.App, func()) {
	var a *app.App
	if n := len(c.idle); n > 0 {
		a = c.idle[n-1]
		c.idle = c.idle[:n-1]
	} else {
		var err error
		a, err = app.New(app.Config{
			Table: &slowTable{c}, Queue: c, Blob: c.blobs, Clock: c, IDs: c,
			OnRun: func(n app.RunNews) {
				id, s := n.ID, n.Status
				if !c.begun[id] {
					c.begun[id] = true
					c.open++
				}
				if s.Terminal() && !c.ended[id] {
					c.ended[id] = true
					c.open--
				}
			},
		})
		if err != nil {
			panic(err) // a mistake in this file: the config is constant
		}
		c.instances++
	}
	return a, func() { c.idle = append(c.idle, a) }
}

// measureStarts starts one workflow id at startRate. With ids the callers choose the request ids.
func measureStarts(name, strategy string, ids bool, seed uint64) (StartRow, error) {
	c := &cloud{
		k: &kernel{}, rng: rand.New(rand.NewPCG(seed, 1)), t: memtable.New(), blobs: fileblob.Memory(), byKind: map[string]table.Units{},
		hot: map[string]table.Units{}, ended: map[store.RunID]bool{}, begun: map[store.RunID]bool{},
	}
	ctx := context.Background()
	var failure error
	row := StartRow{Workload: name}
	var took []float64
	numbers := map[int64]bool{}
	const n = startRate * startSeconds
	c.k.spawn(0, func() {
		a, free := c.instance()
		req, err := definition.ReadCreate([]byte(fmt.Sprintf(`{"properties":{"owner":"bench","run_strategy":%s},"workflow":{"id":"w","steps":[%s]}}`, strategy, step("only", ""))))
		if err == nil {
			err = req.Validate(c.Now())
		}
		if err == nil {
			_, err = a.Push(ctx, req, definition.NamedUser("bench"))
		}
		free()
		if err != nil {
			failure = err
			return
		}
		c.byKind, c.lost, c.messages = map[string]table.Units{}, 0, 0
		began := c.k.now
		for i := range n {
			c.k.spawn(time.Duration(i)*time.Second/startRate, func() {
				a, free := c.instance()
				defer free()
				id := ""
				if ids {
					id = c.NewUUID()
				}
				at := c.k.now
				s, err := a.Start(ctx, "w", "active", "bench", engine.StartRequest{Initiator: engine.Initiator{Type: engine.Manual}, RequestID: id, RequestTime: c.Now()})
				took = append(took, float64(c.k.now-at)/1000)
				if len(took) == n {
					starting := c.byKind["start"].Add(c.byKind["lane"])
					row.WriteUnits, row.ReadUnits, row.LostRaces = starting.Write/n, starting.Read/n, c.lost/n
				}
				var f *fault.Error
				switch {
				case err == nil && numbers[s.Instance]:
					failure = fmt.Errorf("number %d was given twice", s.Instance)
				case err == nil:
					numbers[s.Instance] = true
				case errors.As(err, &f) && f.Code == fault.BadRequest:
					row.Refused++
				default:
					row.Failed++
				}
			})
		}
		// The sweep runs once a minute until everything is terminal.
		var sweep func()
		sweep = func() {
			a, free := c.instance()
			if err := a.Sweep(ctx, app.MinuteOf(time.UnixMilli(c.Now()))); err != nil {
				failure = err
			}
			free()
			if row.Drained = float64(c.k.now-began) / 1e6; (c.open > 0 || len(took) < n || len(c.begun) < len(numbers)) && row.Drained < 3600 {
				c.k.spawn(time.Minute, sweep)
			}
		}
		c.k.spawn(time.Minute, sweep)
	})
	c.k.run()
	if failure != nil {
		return row, failure
	}
	if c.open > 0 || len(c.begun) < len(numbers) {
		return row, fmt.Errorf("%d of %d runs are not terminal after an hour", len(numbers)-len(c.ended), len(numbers))
	}
	slices.Sort(took)
	row.Starts, row.Numbered, row.Instances, row.P50, row.P99 = n, len(numbers), c.instances, took[n/2], took[n*99/100]
	var all table.Units
	for _, u := range c.byKind {
		all = all.Add(u)
	}
	row.AllWriteUnits, row.AllReadUnits, row.Messages = all.Write/n, all.Read/n, float64(c.messages)/n
	row.HotWrites, row.HotReads = c.peak.Write, c.peak.Read
	return row, nil
}

// starts prints the table of starts under each strategy, and writes its rows as JSON lines.
func starts(out io.Writer) error {
	fmt.Printf("\n%d starts/s of one workflow id for %d s, virtual time, reads %d ms, writes %d to %d ms\n", startRate, startSeconds, readMillis, writeMillis, writeMillis+writeSpread)
	fmt.Printf("%-32s %8s %8s %7s %9s %9s %9s %9s %10s %8s %8s %8s %9s %9s\n", "strategy", "numbered", "refused", "failed", "start p50", "start p99", "WU/start", "RU/start",
		"lost races", "WU/run", "RU/run", "msg/run", "hot WU/s", "hot RU/s")
	for _, w := range []struct {
		name, strategy string
		ids            bool
	}{
		{"PARALLEL 1000", `{"rule":"PARALLEL","workflow_concurrency":1000}`, false},
		{"PARALLEL 1000, request ids given", `{"rule":"PARALLEL","workflow_concurrency":1000}`, true},
		{"SEQUENTIAL", `"SEQUENTIAL"`, false},
		{"STRICT_SEQUENTIAL", `"STRICT_SEQUENTIAL"`, false},
		{"FIRST_ONLY", `"FIRST_ONLY"`, false},
		{"LAST_ONLY", `"LAST_ONLY"`, false},
		{"SERIAL_LATEST_ONLY", `"SERIAL_LATEST_ONLY"`, false},
	} {
		row, err := measureStarts(w.name, w.strategy, w.ids, 1)
		if err != nil {
			return fmt.Errorf("starts under %s: %w", w.name, err)
		}
		fmt.Printf("%-32s %8d %8d %7d %6.0f ms %6.0f ms %9.2f %9.2f %10.3f %8.2f %8.2f %8.3f %9.0f %9.0f\n", row.Workload, row.Numbered, row.Refused, row.Failed, row.P50, row.P99,
			row.WriteUnits, row.ReadUnits, row.LostRaces, row.AllWriteUnits, row.AllReadUnits, row.Messages, row.HotWrites, row.HotReads)
		if err := json.NewEncoder(out).Encode(row); err != nil {
			return err
		}
	}
	return nil
}
