package app_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/step"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/localstack/fileblob"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// system is an application over ports in memory, with a clock of its own and nothing that runs beside the test: a
// process after the other works on one table and one set of queues. A process can be made to die at any of its port
// calls.
type system struct {
	t     *testing.T
	table *memtable.Table
	blobs *fileblob.Mem
	now   int64
	ids   uint64
	// messages are in the queues, in the order in which they were sent.
	messages []message
	dead     []message
	keys     map[table.Key]bool // that exist
	counts   map[string]float64
	head     int // bytes of the largest head of a run so far
	runtimes step.Registry
	settings app.Settings
	// slow is how many milliseconds every call of the table takes.
	slow int64
	// down is the error of every call of the table; nil where it works.
	down error
	// deadly is a partition at whose items whoever reads them panics.
	deadly string
	// sole: processes know that they are alone (app.Config.Since).
	sole bool
	proc *process
}

type message struct {
	queue    queue.Name
	body     []byte
	at       int64
	receives int
}

const epoch = 1_735_689_600_000

func newSystem(t *testing.T) *system {
	s := &system{
		t: t, table: memtable.New(), blobs: fileblob.Memory(), now: epoch, keys: map[table.Key]bool{}, counts: map[string]float64{},
		runtimes: step.Registry{},
	}
	s.restart()
	return s
}

// process is the one that lives. Its ports fail from the call on at which it dies.
type process struct {
	*app.App
	s     *system
	mu    sync.Mutex // one call of a port at a time: some are made at once
	calls int
	// dieAt is the number of the call, from 1, at which it dies; 0: at none. after: the call takes effect first.
	dieAt int
	after bool
	gone  bool
	// stopAt is the number of the call before which it stands still, while meanwhile happens; 0: it never does.
	stopAt    int
	meanwhile func()
}

var errGone = errors.New("the process is gone")

// restart begins a new process, with nothing in memory.
func (s *system) restart() *process {
	p := &process{s: s}
	cfg := app.Config{
		Table: &ports{p}, Queue: p, Blob: &blobs{p}, Clock: p, IDs: p, Runtimes: s.runtimes, Metrics: s, Settings: s.settings,
	}
	if s.settings.Publish {
		cfg.Bus = &published{}
	}
	if s.sole {
		cfg.Since = s.now
	}
	a, err := app.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	p.App, s.proc = a, p
	return p
}

// published drops status events.
type published struct{}

func (published) Publish(context.Context, [][]byte) error { return nil }

// Count implements app.Metrics.
func (s *system) Count(name string, n float64) { s.counts[name] += n }

// port is one call of a port.
func (p *process) port(do func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return errGone
	}
	p.calls++
	if p.calls == p.stopAt {
		p.meanwhile()
	}
	if p.calls == p.dieAt {
		p.gone = true
		if p.after {
			if err := do(); err != nil {
				return err
			}
		}
		return errGone
	}
	return do()
}

func (p *process) Now() int64 { return p.s.now }

func (p *process) Sleep(_ context.Context, d time.Duration) error {
	if p.gone {
		return errGone
	}
	p.s.now += d.Milliseconds()
	return nil
}

func (p *process) NewUUID() string {
	p.s.ids++
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", p.s.ids)
}

func (p *process) Token() uint64 {
	p.s.ids++
	return p.s.ids * 0x9e3779b97f4a7c15 // all its bits differ from one to the next, as those of random ones do
}

func (p *process) Float() float64 { return 0.5 }

func (p *process) Send(_ context.Context, name queue.Name, msgs []queue.Message) error {
	return p.port(func() error {
		for _, m := range msgs {
			if err := m.Check(); err != nil {
				return err
			}
			p.s.messages = append(p.s.messages, message{queue: name, body: slices.Clone(m.Body), at: p.s.now + m.Delay.Milliseconds()})
		}
		return nil
	})
}

// ports are the table as a process sees it.
type ports struct{ p *process }

func tableCall[T any](q *ports, do func() (T, table.Units, error)) (v T, u table.Units, err error) {
	err = q.p.port(func() error {
		q.p.s.now += q.p.s.slow
		if q.p.s.down != nil {
			return q.p.s.down
		}
		var err error
		v, u, err = do()
		return err
	})
	return v, u, err
}

func (q *ports) Get(ctx context.Context, key table.Key) (table.Item, table.Units, error) {
	if key.PK == q.p.s.deadly {
		panic("no such luck")
	}
	return tableCall(q, func() (table.Item, table.Units, error) { return q.p.s.table.Get(ctx, key) })
}

func (q *ports) BatchGet(ctx context.Context, keys []table.Key) ([]table.Item, table.Units, error) {
	return tableCall(q, func() ([]table.Item, table.Units, error) { return q.p.s.table.BatchGet(ctx, keys) })
}

func (q *ports) Query(ctx context.Context, query table.Query) (table.Page, table.Units, error) {
	return tableCall(q, func() (table.Page, table.Units, error) { return q.p.s.table.Query(ctx, query) })
}

func (q *ports) QueryDue(ctx context.Context, query table.DueQuery) ([]table.DueEntry, table.Units, error) {
	return tableCall(q, func() ([]table.DueEntry, table.Units, error) { return q.p.s.table.QueryDue(ctx, query) })
}

func (q *ports) Write(ctx context.Context, w table.Write) (table.Units, error) {
	u, _, err := tableCall(q, func() (table.Units, table.Units, error) {
		u, err := q.p.s.table.Write(ctx, w)
		if err == nil {
			q.p.s.note(w)
		}
		return u, u, err
	})
	return u, err
}

func (q *ports) BatchPut(ctx context.Context, items []table.Item) (table.Units, error) {
	u, _, err := tableCall(q, func() (table.Units, table.Units, error) {
		u, err := q.p.s.table.BatchPut(ctx, items)
		for _, it := range items {
			q.p.s.keys[it.Key] = true
		}
		return u, u, err
	})
	return u, err
}

func (q *ports) Transact(ctx context.Context, writes []table.Write) (table.Units, error) {
	u, _, err := tableCall(q, func() (table.Units, table.Units, error) {
		u, err := q.p.s.table.Transact(ctx, writes)
		if err == nil {
			for _, w := range writes {
				q.p.s.note(w)
			}
		}
		return u, u, err
	})
	return u, err
}

func (s *system) note(w table.Write) {
	if _, ok := store.ParseRunKey(w.Item.Key); ok {
		s.head = max(s.head, len(w.Item.Data))
	}
	if w.Op == table.OpDelete {
		delete(s.keys, w.Item.Key)
	} else {
		s.keys[w.Item.Key] = true
	}
}

// blobs are the Blob store as a process sees it.
type blobs struct{ p *process }

func (b *blobs) Put(ctx context.Context, key string, data []byte) error {
	return b.p.port(func() error { return b.p.s.blobs.Put(ctx, key, data) })
}

func (b *blobs) Get(ctx context.Context, key string) (data []byte, err error) {
	err = b.p.port(func() error {
		var err error
		data, err = b.p.s.blobs.Get(ctx, key)
		return err
	})
	return data, err
}

func (b *blobs) DeletePrefix(ctx context.Context, prefix string, limit int) (more bool, err error) {
	err = b.p.port(func() error {
		var err error
		more, err = b.p.s.blobs.DeletePrefix(ctx, prefix, limit)
		return err
	})
	return more, err
}

// handle has the process handle what is in the queues and visible, until nothing is.
func (s *system) handle() {
	for !s.proc.gone {
		i := slices.IndexFunc(s.messages, func(m message) bool { return m.at <= s.now })
		if i < 0 {
			return
		}
		m := s.messages[i]
		s.messages = slices.Delete(s.messages, i, i+1)
		m.receives++
		if again := s.proc.HandleBatch(s.t.Context(), m.queue, []queue.Delivery{{Receipt: "r", Body: m.body, Receives: m.receives}}); len(again) > 0 {
			if m.receives == queue.MaxReceives {
				s.dead = append(s.dead, m)
				continue
			}
			m.at = s.now + 60_000
			s.messages = append(s.messages, m)
		}
	}
}

// pass lets time pass: messages are handled at their time, and the sweep runs every minute.
func (s *system) pass(d time.Duration) {
	s.t.Helper()
	end := s.now + d.Milliseconds()
	for s.handle(); s.now < end && !s.proc.gone; s.handle() {
		next := min(end, s.now/60_000*60_000+60_000)
		for _, m := range s.messages {
			next = min(next, max(m.at, s.now))
		}
		s.now = max(next, s.now)
		if s.now%60_000 == 0 {
			if err := s.proc.Sweep(s.t.Context(), s.now); err != nil && !s.proc.gone {
				s.t.Fatal(err)
			}
		}
	}
}

// lose empties the queues, as the end of a process does on one machine.
func (s *system) lose() { s.messages = nil }

func (s *system) push(id, properties, steps string) {
	s.t.Helper()
	if err := s.tryPush(id, properties, steps); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) tryPush(id, properties, steps string) error {
	s.t.Helper()
	req, err := definition.ReadCreate(fmt.Appendf(nil, `{"properties": %s, "workflow": {"id": %q, "steps": [%s]}}`, properties, id, steps))
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.proc.Push(s.t.Context(), req, definition.NamedUser("ann"))
	return err
}

func manual(request string) engine.StartRequest {
	return engine.StartRequest{Initiator: engine.Initiator{Type: engine.Manual}, RequestID: request}
}

func (s *system) start(workflow, request string) (*app.Started, error) {
	return s.proc.Start(s.t.Context(), workflow, "latest", "ann", manual(request))
}

func (s *system) mustStart(workflow, request string) *app.Started {
	s.t.Helper()
	st, err := s.start(workflow, request)
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

func (s *system) run(workflow string, instance int64) *app.RunView {
	s.t.Helper()
	v, err := s.proc.Run(s.t.Context(), store.RunID{Workflow: workflow, Instance: instance})
	if err != nil {
		s.t.Fatalf("instance %d of %s: %v", instance, workflow, err)
	}
	return v
}

// statuses are those of the newest runs of all instances, in their order.
func (s *system) statuses(workflow string) string {
	s.t.Helper()
	latest, err := s.proc.LatestInstance(s.t.Context(), workflow)
	if err != nil {
		s.t.Fatal(err)
	}
	first, err := s.proc.FirstInstance(s.t.Context(), workflow)
	if err != nil {
		s.t.Fatal(err)
	}
	var list []string
	for i := first; i <= latest; i++ {
		list = append(list, s.run(workflow, i).State().Run.Status.String())
	}
	return strings.Join(list, " ")
}

// items are the keys that exist below partitions with one of the beginnings.
func (s *system) items(beginnings ...string) []string {
	var list []string
	for k := range maps.Keys(s.keys) {
		for _, b := range beginnings {
			if it, _, err := s.table.Get(context.Background(), k); strings.HasPrefix(k.PK, b) && (err != nil || !store.IsGone(it)) {
				list = append(list, k.PK+" "+k.SK)
			}
		}
	}
	slices.Sort(list)
	return list
}

const (
	sequential = `{"owner": "ann"}`
	strict     = `{"owner": "ann", "run_strategy": {"rule": "STRICT_SEQUENTIAL"}}`
	parallel   = `{"owner": "ann", "run_strategy": {"rule": "PARALLEL", "workflow_concurrency": 20}}`
	chain      = `{"step": {"id": "job.1", "type": "NoOp", "transition": {"successors": {"job.2": "true"}}}}, {"step": {"id": "job.2", "type": "NoOp"}}`
	job        = `{"step": {"id": "job.1", "type": "Simulated", "params": {"job_duration": {"type": "LONG", "value": 5000}}}}`
	failing    = `{"step": {"id": "job.1", "type": "Simulated", "params": {"outcome": {"type": "STRING", "value": "FATAL_ERROR"}}}}`

	request1 = "11111111-1111-4111-8111-111111111111"
	request2 = "22222222-2222-4222-8222-222222222222"
	request3 = "33333333-3333-4333-8333-333333333333"
)

// everyDeath plays a story for a process that dies at its first port call, its second, and so on, before and after the
// call took effect, until the process lives to the end of what it was to do. story gets a system, lets the process do
// its part after arm, and judges.
func everyDeath(t *testing.T, story func(s *system, arm func())) {
	t.Helper()
	stride := 1
	if testing.Short() {
		stride = 9 // under the race detector each death takes long, and what is looked for shows at any
	}
	for _, after := range []bool{false, true} {
		for n := 1; ; n += stride {
			died := false
			t.Run(fmt.Sprintf("call %d, after %v", n, after), func(t *testing.T) {
				s := newSystem(t)
				var p *process
				story(s, func() {
					p = s.restart()
					p.dieAt, p.after = n, after
				})
				died = p.gone
			})
			if !died {
				break
			}
			if n > 500 {
				t.Fatal("the story does not come to its end")
			}
		}
	}
}

// everyMoment plays a story for a process that stands still before its first port call, its second, and so on, while
// another process does something. story gets a system, lets the process do its part after arm, and judges.
func everyMoment(t *testing.T, meanwhile func(s *system), story func(s *system, arm func())) {
	t.Helper()
	for n := 1; ; n++ {
		stopped := false
		t.Run(fmt.Sprintf("before call %d", n), func(t *testing.T) {
			s := newSystem(t)
			story(s, func() {
				p := s.restart()
				p.stopAt, p.meanwhile = n, func() {
					stopped = true
					s.restart()
					meanwhile(s)
					s.proc = p
				}
			})
		})
		if !stopped {
			break
		}
		if n > 500 {
			t.Fatal("the story does not come to its end")
		}
	}
}
