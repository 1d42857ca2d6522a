package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/engine"
	"github.com/downbeat/downbeat/core/lane"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/events"
	"github.com/downbeat/downbeat/localstack/fileblob"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// site is what several instances of the application share in a test: the table, and a queue that keeps what is sent.
type site struct {
	t     *testing.T
	table table.Table
	blobs interface {
		Put(context.Context, string, []byte) error
		Get(context.Context, string) ([]byte, error)
		DeletePrefix(context.Context, string, int) (bool, error)
	}
	decide Decider
	ahead  int64 // milliseconds by which the clock is ahead of the system's

	mu   sync.Mutex
	rng  *rand.Rand      // guarded by mu
	sent []queue.Message // guarded by mu
}

func newSite(t *testing.T) *site {
	return &site{t: t, table: memtable.New(), blobs: fileblob.Memory(), rng: rand.New(rand.NewPCG(1, 2))}
}

func (s *site) Now() int64 { return time.Now().UnixMilli() + s.ahead }

func (s *site) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *site) NewUUID() string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(s.Token()), s.Token()>>16)
}

func (s *site) Token() uint64 { s.mu.Lock(); defer s.mu.Unlock(); return s.rng.Uint64() | 1 }

func (s *site) Float() float64 { s.mu.Lock(); defer s.mu.Unlock(); return s.rng.Float64() }

func (s *site) Send(_ context.Context, _ queue.Name, msgs []queue.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, msgs...)
	return nil
}

// instance makes an instance of the application with caches of its own.
func (s *site) instance() *App {
	a, err := New(Config{Table: s.table, Queue: s, Blob: s.blobs, Clock: s, IDs: s, Log: slog.New(slog.DiscardHandler), Decide: s.decide})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *site) push(strategy string, steps ...string) {
	var list []string
	for i, id := range steps {
		next := ""
		if i+1 < len(steps) {
			next = fmt.Sprintf(`"%s":"true"`, steps[i+1])
		}
		list = append(list, fmt.Sprintf(`{"step":{"id":%q,"type":"NoOp","transition":{"successors":{%s}}}}`, id, next))
	}
	req, err := definition.ReadCreate([]byte(fmt.Sprintf(`{"properties":{"owner":"o","run_strategy":%s},"workflow":{"id":"w","steps":[%s]}}`, strategy, strings.Join(list, ","))))
	if err == nil {
		err = req.Validate(s.Now())
	}
	if err == nil {
		_, err = s.instance().Push(context.Background(), req, definition.NamedUser("o"))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) start(a *App, id string) (*Started, error) {
	return a.Start(context.Background(), "w", "active", "o", engine.StartRequest{Initiator: engine.Initiator{Type: engine.Manual}, RequestID: id, RequestTime: a.Now()})
}

// slow is a table whose calls take time, so that callers meet.
type slow struct {
	table.Table
	s *site
}

func (t *slow) wait(d time.Duration) {
	time.Sleep(d + time.Duration(t.s.Float()*float64(3*time.Millisecond)))
}

func (t *slow) Get(ctx context.Context, k table.Key) (table.Item, table.Units, error) {
	t.wait(3 * time.Millisecond)
	return t.Table.Get(ctx, k)
}

func (t *slow) BatchGet(ctx context.Context, k []table.Key) ([]table.Item, table.Units, error) {
	t.wait(3 * time.Millisecond)
	return t.Table.BatchGet(ctx, k)
}

func (t *slow) Query(ctx context.Context, q table.Query) (table.Page, table.Units, error) {
	t.wait(3 * time.Millisecond)
	return t.Table.Query(ctx, q)
}

func (t *slow) Write(ctx context.Context, w table.Write) (table.Units, error) {
	t.wait(3 * time.Millisecond)
	return t.Table.Write(ctx, w)
}

func (t *slow) BatchPut(ctx context.Context, items []table.Item) (table.Units, error) {
	t.wait(3 * time.Millisecond)
	return t.Table.BatchPut(ctx, items)
}

// TestStartsMeet has many instances start one workflow at once, twice under each id: each start gets one number, the
// numbers are dense, and a caller who is told DUPLICATED is not told a number.
func TestStartsMeet(t *testing.T) {
	for _, strategy := range []string{`{"rule":"PARALLEL","workflow_concurrency":1000}`, `"SEQUENTIAL"`, `"FIRST_ONLY"`, `"SERIAL_LATEST_ONLY"`} {
		t.Run(strategy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.push(strategy, "only")
				s.table = &slow{s.table, s}
				const n = 60
				var wg sync.WaitGroup
				numbers := make([]int64, n)
				for i := range n {
					wg.Add(1)
					go func() {
						defer wg.Done()
						time.Sleep(time.Duration(i) * time.Millisecond)
						id := ""
						if i%3 == 0 {
							id = fmt.Sprintf("%08x-1111-4000-8000-000000000000", i/6)
						}
						got, err := s.start(s.instance(), id)
						if err != nil {
							t.Errorf("start %d: %v", i, err)
							return
						}
						numbers[i] = got.Instance
					}()
				}
				wg.Wait()
				byNumber := map[int64]int{}
				for i, k := range numbers {
					if k == 0 {
						continue
					}
					if other, ok := byNumber[k]; ok && !(i%3 == 0 && other%3 == 0 && i/6 == other/6) {
						t.Errorf("starts %d and %d have the number %d", other, i, k)
					}
					byNumber[k] = i
				}
				// Two in three have ids of their own; of the others two share one.
				if want := n*2/3 + n/6; len(byNumber) != want {
					t.Errorf("%d numbers were given, want %d", len(byNumber), want)
				}
				for k := range int64(len(byNumber)) {
					if _, ok := byNumber[k+1]; !ok {
						t.Errorf("number %d was given to nobody", k+1)
					}
				}
				it, _, err := s.table.Get(context.Background(), store.LaneKey("w"))
				if err != nil {
					t.Fatal(err)
				}
				l, err := lane.Decode(it.Data)
				if err != nil || l.Latest != int64(len(byNumber)) {
					t.Errorf("the lane has given %d numbers, %v; callers know of %d", l.Latest, err, len(byNumber))
				}
				if it.Rev >= n {
					t.Errorf("the lane has moved %d times for %d starts: none was folded with others", it.Rev, n)
				}
			})
		})
	}
}

// TestLoneStart counts what a start costs that meets nobody: it leaves no pointer and looks into no inbox.
func TestLoneStart(t *testing.T) {
	s := newSite(t)
	s.push(`"SEQUENTIAL"`, "only")
	a := s.instance()
	for i := range 3 {
		counted := &counting{Table: s.table}
		a.cfg.Table = counted
		if _, err := s.start(a, ""); err != nil {
			t.Fatal(err)
		}
		for _, k := range counted.keys {
			if strings.Contains(k.PK, "#inbox#") || strings.Contains(k.PK, "#folds") {
				t.Errorf("start %d touches %s", i, k)
			}
		}
		if counted.writes > 4 {
			t.Errorf("start %d took %d writes, want those of start, lane, page and head", i, counted.writes)
		}
	}
}

// TestEndsThatNobodyWaitsFor: the end of a run is not written to its lane while nobody waits. Another process that asks
// takes it for ended all the same.
func TestEndsThatNobodyWaitsFor(t *testing.T) {
	for name, ask := range map[string]func(s *site, a *App) error{
		"a stop of everything finds nothing to stop": func(s *site, a *App) error {
			queued, running, err := a.EndAll(context.Background(), "w", "o", "", false)
			if queued+running != 0 {
				s.t.Errorf("%d queued and %d running runs were stopped, want none", queued, running)
			}
			return err
		},
		"a start under FIRST_ONLY is not refused": func(s *site, a *App) error {
			got, err := s.start(a, "")
			if err == nil && got.Rejected {
				s.t.Error("the start was refused though nothing runs")
			}
			return err
		},
		"counts are those of the heads": func(s *site, a *App) error {
			n, err := a.Counts(context.Background(), "w")
			if n.Created+n.InProgress != 0 || n.LatestInstance != 1 {
				s.t.Errorf("counts are %+v, want nothing that is not terminal", n)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.push(`"FIRST_ONLY"`, "only")
			if _, err := s.start(s.instance(), ""); err != nil {
				t.Fatal(err)
			}
			it, _, err := s.table.Get(context.Background(), store.LaneKey("w"))
			if err != nil || it.Rev != 1 {
				t.Fatalf("the lane has moved %d times, %v; want once, for the start", it.Rev, err)
			}
			if err := ask(s, s.instance()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// counting notes the keys that are read and written.
type counting struct {
	table.Table
	keys   []table.Key
	writes int
}

func (c *counting) Query(ctx context.Context, q table.Query) (table.Page, table.Units, error) {
	c.keys = append(c.keys, table.Key{PK: q.PK})
	return c.Table.Query(ctx, q)
}

func (c *counting) Write(ctx context.Context, w table.Write) (table.Units, error) {
	c.keys, c.writes = append(c.keys, w.Item.Key), c.writes+1
	return c.Table.Write(ctx, w)
}

// deadly is an environment in which the decision about a step dies.
type deadly struct {
	engine.Env
	step string
	die  func()
}

func (d deadly) Breakpoint(step string) (bool, error) {
	if step == d.step {
		d.die()
	}
	return d.Env.Breakpoint(step)
}

func dieAt(step string, die func()) Decider {
	return func(st *engine.State, in []engine.Input, env engine.Env) (*engine.Decision, error) {
		return engine.Decide(st, in, deadly{env, step, die})
	}
}

func (s *site) checkDied(instance int64) {
	s.t.Helper()
	v, err := s.instance().Run(context.Background(), store.RunID{Workflow: "w", Instance: instance, Run: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	var got []string
	for _, at := range v.Attempts() {
		got = append(got, at.StepID+" "+at.Status.String())
	}
	if want := []string{"a SUCCEEDED", "b INTERNALLY_FAILED"}; !slices.Equal(got, want) || v.State().Run.Status != engine.InstanceFailed {
		s.t.Errorf("run is %s with %v; want FAILED with %v", v.State().Run.Status, got, want)
	}
}

// TestDecisionPanics: a step at which the decision panics is failed, at once, and the process goes on.
func TestDecisionPanics(t *testing.T) {
	s := newSite(t)
	s.push(`"SEQUENTIAL"`, "a", "b", "c")
	s.decide = dieAt("b", func() { panic("no such luck") })
	for range 2 {
		got, err := s.start(s.instance(), "")
		if err != nil {
			t.Fatal(err)
		}
		s.checkDied(got.Instance)
	}
}

// TestDecisionKills: a step at which the process dies, as of memory, is found by repeated deliveries and failed before a
// message would go to the dead-letter queue. First the lane's poke dies of the run that it lets begin; once that has
// begun, the run's own, which the sweep sends.
func TestDecisionKills(t *testing.T) {
	s := newSite(t)
	s.push(`"SEQUENTIAL"`, "a", "b", "c")
	s.decide = dieAt("b", runtime.Goexit)
	// survives tells whether f returned: a process that died does not.
	survives := func(f func()) bool {
		done := make(chan bool)
		go func() {
			alive := false
			defer func() { done <- alive }()
			f()
			alive = true
		}()
		return <-done
	}
	if survives(func() { _, _ = s.start(s.instance(), "") }) {
		t.Fatal("the decision did not kill its process")
	}
	deaths := 0
	for _, poke := range []events.Poke{{Kind: events.PokeLane, Workflow: "w"}, {Kind: events.PokeRun, Workflow: "w", Instance: 1, Run: 1}} {
		alive, receives := false, 0
		for !alive && receives < queue.MaxReceives {
			receives++
			s.ahead += 7 * time.Minute.Milliseconds() // whoever had the message cannot live any more
			d := queue.Delivery{Body: poke.Encode(), Receives: receives}
			alive = survives(func() {
				if fate := s.instance().Handle(context.Background(), queue.Advance, d); fate != Done {
					t.Errorf("delivery %d: %s", receives, fate)
				}
			})
			if !alive {
				deaths++
			}
		}
		if !alive {
			t.Fatalf("every one of %d deliveries of a poke of the %s died", receives, poke.Kind)
		}
	}
	if deaths < safeFrom+fatalDeaths {
		t.Errorf("%d deliveries died: the test does not test what it should", deaths)
	}
	s.checkDied(1)
	it, _, err := s.table.Get(context.Background(), store.SuspectKey(store.RunID{Workflow: "w", Instance: 1, Run: 1}))
	if err != nil || it.Exists() {
		t.Errorf("the run is still suspected: %v, %v", it, err)
	}
}

// TestInnocentSteps: a step is not failed for what is not its fault: one death at it, as of a process that is killed. What
// somebody has named who may still live is left alone.
func TestInnocentSteps(t *testing.T) {
	ctx := context.Background()
	id := store.RunID{Workflow: "w", Instance: 1, Run: 1}
	for name, c := range map[string]struct {
		suspect store.Suspect
		ago     time.Duration
		failed  bool
	}{
		"one death":              {store.Suspect{Tries: 3, Step: "b"}, 7 * time.Minute, false},
		"a death at another":     {store.Suspect{Tries: 3, Step: "b", Victim: "a", Deaths: 1}, 7 * time.Minute, false},
		"two deaths in a row":    {store.Suspect{Tries: 3, Step: "b", Victim: "b", Deaths: 1}, 7 * time.Minute, true},
		"two deaths, none since": {store.Suspect{Tries: 3, Victim: "b", Deaths: 2}, 7 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.push(`"SEQUENTIAL"`, "a", "b", "c")
			s.decide = dieAt("b", runtime.Goexit)
			gone := make(chan bool)
			go func() {
				defer close(gone)
				_, _ = s.start(s.instance(), "")
			}()
			<-gone
			s.decide = nil
			c.suspect.Named = s.Now() - c.ago.Milliseconds()
			if _, err := s.table.Write(ctx, table.Write{Item: table.Item{Key: store.SuspectKey(id), Rev: 1, Data: c.suspect.Encode()}}); err != nil {
				t.Fatal(err)
			}
			a := s.instance()
			for _, poke := range []events.Poke{{Kind: events.PokeLane, Workflow: "w"}, {Kind: events.PokeRun, Workflow: "w", Instance: 1, Run: 1}} {
				if fate := a.Handle(ctx, queue.Advance, queue.Delivery{Body: poke.Encode(), Receives: 2}); fate != Done {
					t.Fatalf("%s: %s", poke.Kind, fate)
				}
			}
			v, err := a.Run(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.State().Run.Status; (got == engine.InstanceFailed) != c.failed || !got.Terminal() {
				t.Errorf("the run is %s", got)
			}
		})
	}
}

// TestNamesGrowOld: while a step has a name that is young, nobody else decides about the run, nor names the step anew.
func TestNamesGrowOld(t *testing.T) {
	ctx := context.Background()
	s := newSite(t)
	s.push(`"SEQUENTIAL"`, "a", "b", "c")
	s.decide = dieAt("b", runtime.Goexit)
	gone := make(chan bool)
	go func() {
		defer close(gone)
		_, _ = s.start(s.instance(), "")
	}()
	<-gone
	s.decide = nil
	a := s.instance()
	if fate := a.Handle(ctx, queue.Advance, queue.Delivery{Body: events.Poke{Kind: events.PokeLane, Workflow: "w"}.Encode(), Receives: 1}); fate != Done {
		t.Fatalf("the lane: %s", fate)
	}
	key := store.SuspectKey(store.RunID{Workflow: "w", Instance: 1, Run: 1})
	named := store.Suspect{Tries: 3, Step: "b", Named: s.Now(), Victim: "b", Deaths: 1}
	if _, err := s.table.Write(ctx, table.Write{Item: table.Item{Key: key, Rev: 1, Data: named.Encode()}}); err != nil {
		t.Fatal(err)
	}
	poke := queue.Delivery{Body: events.Poke{Kind: events.PokeRun, Workflow: "w", Instance: 1, Run: 1}.Encode(), Receives: 2}
	for range 3 {
		s.ahead += time.Minute.Milliseconds() / 2
		if fate := a.Handle(ctx, queue.Advance, poke); fate != Retry {
			t.Errorf("while the name is young: %s", fate)
		}
	}
	if it, _, err := s.table.Get(ctx, key); err != nil || it.Rev != 1 {
		t.Errorf("the name was written anew: %v, %v", it, err)
	}
	s.ahead += 7 * time.Minute.Milliseconds()
	if fate := a.Handle(ctx, queue.Advance, poke); fate != Done {
		t.Errorf("when it is old: %s", fate)
	}
}

// paused is an environment with a breakpoint at a step.
type paused struct {
	engine.Env
	step string
}

func (p paused) Breakpoint(step string) (bool, error) { return step == p.step, nil }

// TestErrorsAreNoDeaths: who gives up a step in safe mode takes its name back.
func TestErrorsAreNoDeaths(t *testing.T) {
	s, ctx := newSite(t), context.Background()
	s.push(`"SEQUENTIAL"`, "a", "b", "c")
	s.decide = func(st *engine.State, in []engine.Input, env engine.Env) (*engine.Decision, error) {
		if slices.Contains(in, engine.Input(engine.Only{StepID: "b"})) {
			return nil, errors.New("no time left")
		}
		return engine.Decide(st, in, paused{env, "b"})
	}
	if _, err := s.start(s.instance(), ""); err != nil {
		t.Fatal(err)
	}
	key := store.SuspectKey(store.RunID{Workflow: "w", Instance: 1, Run: 1})
	if _, err := s.table.Write(ctx, table.Write{Item: table.Item{Key: key, Rev: 1, Data: store.Suspect{Tries: safeFrom}.Encode()}}); err != nil {
		t.Fatal(err)
	}
	poke := events.Poke{Kind: events.PokeRun, Workflow: "w", Instance: 1, Run: 1}
	if fate := s.instance().Handle(ctx, queue.Advance, queue.Delivery{Body: poke.Encode(), Receives: 2}); fate != Retry {
		t.Errorf("the poke is %s, want %s", fate, Retry)
	}
	it, _, err := s.table.Get(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := store.DecodeSuspect(it.Data); err != nil || got.Tries != safeFrom+1 || got.Step != "" || got.Named == 0 {
		t.Errorf("suspected: %+v, %v", got, err)
	}
}

// TestParked: a head that cannot be decoded leaves the due index for the list, its message is acknowledged, and once put
// back it is looked at again.
func TestParked(t *testing.T) {
	s := newSite(t)
	s.push(`"SEQUENTIAL"`, "a")
	a, ctx := s.instance(), context.Background()
	id := store.RunID{Workflow: "w", Instance: 7, Run: 1}
	key := store.RunKey(id)
	due := a.now() + 20_000
	if _, err := s.table.Write(ctx, table.Write{Item: table.Item{Key: key, Rev: 3, Due: due, Data: []byte{1, 0xff}}}); err != nil {
		t.Fatal(err)
	}
	poke := queue.Delivery{Body: events.Poke{Kind: events.PokeRun, Workflow: "w", Instance: 7, Run: 1}.Encode(), Receives: 1}
	for range 2 {
		if _, err := a.moveRun(ctx, id, "", move{}, 1); err == nil {
			t.Fatal("a corrupt head was moved")
		}
		a.Handle(ctx, queue.Advance, poke)
	}
	list, err := a.Parked(ctx, table.Key{}, 10)
	if err != nil || len(list) != 1 || list[0].Key != key || list[0].Reason == "" {
		t.Fatalf("parked: %+v, %v", list, err)
	}
	inIndex := func() int {
		entries, _, err := s.table.QueryDue(ctx, table.DueQuery{Partition: table.DuePartition(key.PK), To: 1 << 60})
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if n := inIndex(); n != 0 {
		t.Errorf("%d heads are due, want none", n)
	}
	if found, err := a.Unpark(ctx, key); !found || err != nil {
		t.Fatalf("unpark: %v, %v", found, err)
	}
	if list, err := a.Parked(ctx, table.Key{}, 10); err != nil || len(list) != 0 {
		t.Errorf("parked after release: %+v, %v", list, err)
	}
	if n := inIndex(); n != 1 {
		t.Errorf("%d heads are due after release, want 1", n)
	}
	if found, err := a.Unpark(ctx, key); found || err != nil {
		t.Errorf("unpark again: %v, %v", found, err)
	}
}
