package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// ports are what one coroutine sees of the world: every call hands control to the scheduler first, and again before its
// answer comes back.
type ports struct {
	p *proc
	s *system
}

var (
	errThrottled = errors.New("throttled by the simulation")
	errLost      = errors.New("answer lost by the simulation")
)

// Now is the world's time as this machine's clock has it.
func (q *ports) Now() int64 { return q.p.w.now + q.p.skew }

// Sleep lets virtual time pass.
func (q *ports) Sleep(_ context.Context, d time.Duration) error {
	if q.p.crashed {
		q.p.crash()
	}
	q.p.sleep(d.Milliseconds())
	return nil
}

// NewUUID makes a UUID from the world's randomness.
func (q *ports) NewUUID() string {
	a, b := q.p.w.rng.Uint64(), q.p.w.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff, uint16(b)&0x3fff|0x8000, b>>16)
}

// Token makes a write token.
func (q *ports) Token() uint64 { return q.p.w.rng.Uint64() | 1 }

// Float makes a number in [0, 1).
func (q *ports) Float() float64 { return q.p.w.rng.Float64() }

// call is one table call with its faults: it may fail before it took effect, or after.
func call[T any](q *ports, op string, key table.Key, write bool, do func() (T, table.Units, error)) (T, table.Units, error) {
	w := q.p.w
	q.p.point()
	var zero T
	if w.chance(w.faults.FailBefore) {
		return zero, table.Units{}, &table.Error{Code: table.CodeThrottled, Op: op, Key: key, Cause: errThrottled}
	}
	v, u, err := do()
	if err == nil && write && w.chance(w.faults.FailAfter) {
		w.logf("%s loses the answer to %s %s", q.p.name, op, key)
		return zero, u, &table.Error{Code: table.CodeUnknown, Op: op, Key: key, Cause: errLost}
	}
	// The answer takes its time: others act between the effect and what the caller makes of it.
	q.p.point()
	return v, u, err
}

// simTable is the table as one coroutine sees it.
type simTable struct {
	*ports
	t *memtable.Table
}

var background = context.Background()

func (t *simTable) Get(_ context.Context, key table.Key) (table.Item, table.Units, error) {
	return call(t.ports, "get", key, false, func() (table.Item, table.Units, error) { return t.t.Get(background, key) })
}

func (t *simTable) BatchGet(_ context.Context, keys []table.Key) ([]table.Item, table.Units, error) {
	var first table.Key
	if len(keys) > 0 {
		first = keys[0]
	}
	return call(t.ports, "batch get", first, false, func() ([]table.Item, table.Units, error) { return t.t.BatchGet(background, keys) })
}

func (t *simTable) Query(_ context.Context, q table.Query) (table.Page, table.Units, error) {
	return call(t.ports, "query", table.Key{PK: q.PK}, false, func() (table.Page, table.Units, error) { return t.t.Query(background, q) })
}

// Queries are one call: what they see may not differ in time here, which they do not promise either.
func (t *simTable) Queries(_ context.Context, qs []table.Query) ([]table.Page, table.Units, error) {
	return call(t.ports, "queries", table.Key{PK: qs[0].PK}, false, func() ([]table.Page, table.Units, error) { return table.Queries(background, t.t, qs) })
}

func (t *simTable) Write(_ context.Context, w table.Write) (table.Units, error) {
	_, u, err := call(t.ports, "write", w.Item.Key, true, func() (struct{}, table.Units, error) {
		w := t.s.broken(w)
		if t.s.dropCommit(w) {
			return struct{}{}, table.Units{}, nil
		}
		old, _, _ := t.t.Get(background, w.Item.Key)
		u, err := t.t.Write(background, w)
		if err == nil {
			t.s.wrote(t.p, old, w)
		}
		return struct{}{}, u, err
	})
	return u, err
}

func (t *simTable) BatchPut(_ context.Context, items []table.Item) (table.Units, error) {
	_, u, err := call(t.ports, "batch put", items[0].Key, true, func() (struct{}, table.Units, error) {
		u, err := t.t.BatchPut(background, items)
		return struct{}{}, u, err
	})
	return u, err
}

func (t *simTable) Transact(_ context.Context, writes []table.Write) (table.Units, error) {
	w := t.p.w
	if w.chance(w.faults.Contend) {
		t.p.point()
		return table.Units{}, &table.Error{Code: table.CodeContended, Op: "transact", Key: writes[0].Item.Key, Cause: errThrottled}
	}
	_, u, err := call(t.ports, "transact", writes[0].Item.Key, true, func() (struct{}, table.Units, error) {
		writes := slices.Clone(writes)
		for i := range writes {
			writes[i] = t.s.broken(writes[i])
		}
		olds := make([]table.Item, len(writes))
		for i, x := range writes {
			olds[i], _, _ = t.t.Get(background, x.Item.Key)
		}
		u, err := t.t.Transact(background, writes)
		if err == nil {
			for i, x := range writes {
				t.s.wrote(t.p, olds[i], x)
			}
		}
		return struct{}{}, u, err
	})
	return u, err
}

func (t *simTable) QueryDue(_ context.Context, q table.DueQuery) ([]table.DueEntry, table.Units, error) {
	return call(t.ports, "query due", table.Key{PK: "due" + strconv.Itoa(q.Partition)}, false, func() ([]table.DueEntry, table.Units, error) { return t.t.QueryDue(background, q) })
}

// simBlob is the Blob store as one coroutine sees it.
type simBlob struct {
	*ports
	b blob.Store
}

func (b *simBlob) Put(ctx context.Context, key string, data []byte) error {
	b.p.point()
	return b.b.Put(background, key, data)
}

func (b *simBlob) Get(ctx context.Context, key string) ([]byte, error) {
	b.p.point()
	return b.b.Get(background, key)
}

func (b *simBlob) DeletePrefix(ctx context.Context, prefix string, limit int) (bool, error) {
	b.p.point()
	return b.b.DeletePrefix(background, prefix, limit)
}

// simQueue sends into the world's queues, where messages are dropped, doubled and late.
type simQueue struct{ *ports }

func (q *simQueue) Send(_ context.Context, name queue.Name, msgs []queue.Message) error {
	w := q.p.w
	q.p.point()
	if w.chance(w.faults.FailBefore) {
		return errThrottled
	}
	for _, m := range msgs {
		q.s.enqueue(name, m)
	}
	q.p.point()
	if w.chance(w.faults.FailAfter) {
		return errLost
	}
	return nil
}

// simBus keeps what is published.
type simBus struct{ *ports }

func (b *simBus) Publish(_ context.Context, events [][]byte) error {
	w := b.p.w
	b.p.point()
	if w.chance(w.faults.FailBefore) {
		return errThrottled
	}
	b.s.published = append(b.s.published, events...)
	b.p.point()
	if w.chance(w.faults.FailAfter) {
		return errLost
	}
	return nil
}
