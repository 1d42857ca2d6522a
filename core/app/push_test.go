package app_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/downbeat/downbeat/core/app"
	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/definition"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/localstack/fileblob"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// errCrash is what a crashed process gets from every port.
var errCrash = &table.Error{Code: table.CodeUnknown, Op: "crash", Cause: errors.New("the process is gone")}

// crashing is a table whose user dies at the call number at: before its effect, or after it.
type crashing struct {
	table.Table
	at    int
	after bool
	calls int
}

func (c *crashing) Write(ctx context.Context, w table.Write) (u table.Units, err error) {
	c.each(func() { u, err = c.Table.Write(ctx, w) }, &err)
	return u, err
}

func (c *crashing) Transact(ctx context.Context, w []table.Write) (u table.Units, err error) {
	c.each(func() { u, err = c.Table.Transact(ctx, w) }, &err)
	return u, err
}

func (c *crashing) Get(ctx context.Context, k table.Key) (it table.Item, u table.Units, err error) {
	c.each(func() { it, u, err = c.Table.Get(ctx, k) }, &err)
	return it, u, err
}

func (c *crashing) BatchGet(ctx context.Context, k []table.Key) (it []table.Item, u table.Units, err error) {
	c.each(func() { it, u, err = c.Table.BatchGet(ctx, k) }, &err)
	return it, u, err
}

func (c *crashing) Query(ctx context.Context, q table.Query) (p table.Page, u table.Units, err error) {
	c.each(func() { p, u, err = c.Table.Query(ctx, q) }, &err)
	return p, u, err
}

// each does a call, unless the process is gone, and then tells that it is.
func (c *crashing) each(do func(), err *error) {
	c.calls++
	if c.calls < c.at || c.calls == c.at && c.after {
		do()
	}
	if c.calls >= c.at {
		*err = errCrash
	}
}

type nobody struct{}

func (nobody) Send(context.Context, queue.Name, []queue.Message) error { return nil }

// still is a clock that stands and ids that count.
type still struct {
	mu sync.Mutex
	n  uint64 // guarded by mu
}

func (*still) Now() int64                                       { return 1735689600000 }
func (*still) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }
func (s *still) Token() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return s.n
}
func (s *still) NewUUID() string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", s.Token()) }
func (*still) Float() float64    { return 0.5 }

func newApp(t *testing.T, tbl table.Table, blobs blob.Store, s *still) *app.App {
	t.Helper()
	a, err := app.New(app.Config{Table: tbl, Queue: nobody{}, Blob: blobs, Clock: s, IDs: s})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func push(a *app.App, name string, noise int) (*definition.Change, error) {
	req, err := definition.ReadCreate([]byte(`{"properties":{"owner":"ana","description":"` + name + `"},"workflow":{"id":"w","name":"` + name + `","description":"` +
		strings.Repeat("xyz", noise) + `","steps":[{"step":{"id":"a","type":"NoOp"}}]}}`))
	if err != nil {
		return nil, err
	}
	return a.Push(context.Background(), req, definition.NamedUser("ana"))
}

// A push that crashes, at whatever call and on whichever side of its effect, leaves either nothing or a complete version,
// and the next one gets the next number.
func TestPushCrashes(t *testing.T) {
	for _, before := range []int{0, 1} { // versions that are there
		for _, after := range []bool{false, true} {
			crashes := 0
			for at := 1; at < 100; at++ {
				name := fmt.Sprintf("%d versions, call %d, after %v", before, at, after)
				tbl, ids, blobs := memtable.New(), &still{}, fileblob.Memory()
				a := newApp(t, tbl, blobs, ids)
				for range before {
					if _, err := push(a, "old", 10); err != nil {
						t.Fatal(err)
					}
				}
				faulty := &crashing{Table: tbl, at: at, after: after}
				_, err := push(newApp(t, faulty, blobs, ids), "new", 10)
				if faulty.calls < at {
					if err != nil {
						t.Errorf("%s: no crash, %v", name, err)
					}
					break
				}
				crashes++
				latest := complete(t, name, newApp(t, tbl, blobs, ids), before)
				if err == nil && latest != before+1 {
					t.Errorf("%s: the push was answered and is lost", name)
				}
				c, err := push(a, "next", 10)
				if err != nil || c.Version.Metadata.VersionID != int64(latest+1) {
					t.Errorf("%s: the next push: %+v, %v", name, c, err)
				}
			}
			if crashes < 3 { // reading, committing, looking at the lane
				t.Errorf("only %d crashes", crashes)
			}
		}
	}
}

// complete checks that a workflow has what belongs to its versions, of which there are before or one more.
func complete(t *testing.T, name string, a *app.App, before int) (latest int) {
	t.Helper()
	ctx := context.Background()
	ctl, err := a.Control(ctx, "w")
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if ctl != nil {
		latest = int(ctl.LatestVersion)
	}
	if latest < before || latest > before+1 {
		t.Fatalf("%s: %d versions", name, latest)
	}
	lines, err := a.Timeline(ctx, "w", 10)
	if err != nil || len(lines) != latest {
		t.Errorf("%s: %d versions, timeline %v, %v", name, latest, lines, err)
	}
	if ctl == nil {
		return 0
	}
	v, err := a.Version(ctx, ctl, ctl.LatestVersion)
	if err != nil || v == nil {
		t.Fatalf("%s: version %d: %v", name, latest, err)
	}
	if *v.Workflow.Name != *ctl.Properties.Description || ctl.ActiveVersion != ctl.LatestVersion {
		t.Errorf("%s: version %q with properties %q, active %d", name, *v.Workflow.Name, *ctl.Properties.Description, ctl.ActiveVersion)
	}
	return latest
}

// Pushes at the same moment get consecutive versions.
func TestPushesMeet(t *testing.T) {
	ids, blobs := &still{}, fileblob.Memory()
	tbl := memtable.New()
	const n = 8
	numbers := make([]int64, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		a := newApp(t, tbl, blobs, ids) // a function each
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := push(a, fmt.Sprintf("v%d", i), 1000)
			if errs[i] = err; err == nil {
				numbers[i] = c.Version.Metadata.VersionID
			}
		}()
	}
	wg.Wait()
	seen := map[int64]bool{}
	for i, v := range numbers {
		if errs[i] != nil || v < 1 || v > n || seen[v] {
			t.Errorf("versions %v, %v", numbers, errs[i])
		}
		seen[v] = true
	}
}
