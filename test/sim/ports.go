package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/downbeat/downbeat/core/blob"
	"github.com/downbeat/downbeat/core/queue"
	"github.com/downbeat/downbeat/core/table"
	"github.com/downbeat/downbeat/localstack/memtable"
)

// ports are what one coroutine sees of the world: every call hands control to the scheduler first, and, where it writes,
// again before its answer comes back.
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
	q.p.alive()
	q.p.sleep(d.Milliseconds())
	return nil
}

// NewUUID makes a UUID from the world's randomness.
func (q *ports) NewUUID() string { return q.p.w.newUUID() }

func (w *world) newUUID() string {
	a, b := w.rng.Uint64(), w.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff, uint16(b)&0x3fff|0x8000, b>>16)
}

// Token makes a write token.
func (q *ports) Token() uint64 { return q.p.w.rng.Uint64() | 1 }

// Float makes a number in [0, 1).
func (q *ports) Float() float64 { return q.p.w.rng.Float64() }

// call is one table call with its faults: it may fail before it took effect, or after.
//
// Others act before its effect, and, where it writes, between the effect and what the caller makes of the answer. After a
// read there is nothing of its own to be seen: until the next call of a port the caller only computes.
func call[T any](q *ports, op string, key table.Key, write bool, do func() (T, table.Units, error)) (T, table.Units, error) {
	w := q.p.w
	q.p.point()
	var zero T
	if w.hit(faultThrottle, w.faults.FailBefore) {
		return zero, table.Units{}, &table.Error{Code: table.CodeThrottled, Op: op, Key: key, Cause: errThrottled}
	}
	v, u, err := do()
	if !write {
		return v, u, err
	}
	if err == nil && w.hit(faultLost, w.faults.FailAfter) {
		w.logf("%s loses the answer to %s %s", q.p.name, op, key)
		return zero, u, &table.Error{Code: table.CodeUnknown, Op: op, Key: key, Cause: errLost}
	}
	if err == nil && w.hit(faultRepeat, w.faults.Repeat) {
		// The client library repeats a request whose answer was lost, and tells nobody (P5).
		w.logf("%s repeats %s %s", q.p.name, op, key)
		q.p.point()
		v, u, err = do()
	}
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
	key = t.s.renamed(key)
	return call(t.ports, "get", key, false, func() (table.Item, table.Units, error) { return t.t.Get(background, key) })
}

func (t *simTable) BatchGet(_ context.Context, keys []table.Key) ([]table.Item, table.Units, error) {
	var first table.Key
	if len(keys) > 0 {
		first = keys[0]
	}
	keys = t.s.renamedAll(keys)
	return call(t.ports, "batch get", first, false, func() ([]table.Item, table.Units, error) {
		items, u, err := t.t.BatchGet(background, keys)
		if err == nil && t.s.breaks("mark-first") {
			t.s.markFires(t.p, items)
		}
		return items, u, err
	})
}

func (t *simTable) Query(_ context.Context, q table.Query) (table.Page, table.Units, error) {
	return call(t.ports, "query", table.Key{PK: q.PK}, false, func() (table.Page, table.Units, error) { return t.t.Query(background, q) })
}

// Queries are one call: what they see may not differ in time here, which they do not promise either.
func (t *simTable) Queries(_ context.Context, qs []table.Query) ([]table.Page, table.Units, error) {
	return call(t.ports, "queries", table.Key{PK: qs[0].PK}, false, func() ([]table.Page, table.Units, error) { return table.Queries(background, t.t, qs) })
}

func (t *simTable) Write(_ context.Context, w table.Write) (table.Units, error) {
	w = t.s.broken(w)
	_, u, err := call(t.ports, "write", w.Item.Key, true, func() (struct{}, table.Units, error) {
		old, _, err := t.t.Get(background, w.Item.Key)
		if err != nil {
			return struct{}{}, table.Units{}, err
		}
		if t.s.swallowed(old, w) {
			return struct{}{}, table.Units{}, nil
		}
		u, err := t.t.Write(background, w)
		if err == nil {
			t.s.wrote(t.p, []table.Item{old}, []table.Write{w})
		}
		return struct{}{}, u, err
	})
	return u, err
}

func (t *simTable) BatchPut(_ context.Context, items []table.Item) (table.Units, error) {
	_, u, err := call(t.ports, "batch put", items[0].Key, true, func() (struct{}, table.Units, error) {
		olds, _, err := t.t.BatchGet(background, keysOf(items))
		if err != nil {
			return struct{}{}, table.Units{}, err
		}
		u, err := t.t.BatchPut(background, items)
		if err == nil {
			writes := make([]table.Write, len(items))
			for i, it := range items {
				writes[i] = table.Write{Item: it}
			}
			t.s.wrote(t.p, olds, writes)
		}
		return struct{}{}, u, err
	})
	return u, err
}

func keysOf(items []table.Item) []table.Key {
	keys := make([]table.Key, len(items))
	for i, it := range items {
		keys[i] = it.Key
	}
	return keys
}

func (t *simTable) Transact(_ context.Context, writes []table.Write) (table.Units, error) {
	w := t.p.w
	if w.hit(faultContend, w.faults.Contend) {
		t.p.point()
		return table.Units{}, &table.Error{Code: table.CodeContended, Op: "transact", Key: writes[0].Item.Key, Cause: errThrottled}
	}
	writes = slices.Clone(writes)
	for i := range writes {
		writes[i] = t.s.broken(writes[i])
	}
	_, u, err := call(t.ports, "transact", writes[0].Item.Key, true, func() (struct{}, table.Units, error) {
		olds := make([]table.Item, len(writes))
		for i, x := range writes {
			var err error
			if olds[i], _, err = t.t.Get(background, x.Item.Key); err != nil {
				return struct{}{}, table.Units{}, err
			}
		}
		u, err := t.s.transact(t.p, writes)
		if err == nil {
			t.s.wrote(t.p, olds, writes)
		}
		return struct{}{}, u, err
	})
	return u, err
}

func (t *simTable) QueryDue(_ context.Context, q table.DueQuery) ([]table.DueEntry, table.Units, error) {
	// The sweep reads 32 partitions a minute, nearly all of them empty: few of the reads are places to stop at.
	if t.p.w.rng.IntN(8) != 0 {
		t.p.alive()
		return t.t.QueryDue(background, q)
	}
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
	if w.hit(faultThrottle, w.faults.FailBefore) {
		return errThrottled
	}
	for _, m := range msgs {
		q.s.enqueue(name, m)
	}
	q.p.point()
	if w.hit(faultLost, w.faults.FailAfter) {
		return errLost
	}
	return nil
}

// simBus keeps what is published.
type simBus struct{ *ports }

func (b *simBus) Publish(_ context.Context, events [][]byte) error {
	w := b.p.w
	b.p.point()
	if w.hit(faultThrottle, w.faults.FailBefore) {
		if b.s.breaks("publish-unsure") {
			return nil
		}
		return errThrottled
	}
	b.s.published = append(b.s.published, events...)
	b.p.point()
	if w.hit(faultLost, w.faults.FailAfter) {
		return errLost
	}
	return nil
}

// simLog listens to what the application reports as errors: some of them no fault of the world can cause.
type simLog struct{ *ports }

func (l simLog) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError || l.s.w.verbose && level >= slog.LevelWarn
}
func (l simLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l simLog) WithGroup(string) slog.Handler      { return l }

func (l simLog) Handle(_ context.Context, r slog.Record) error {
	if l.p.crashed {
		return nil
	}
	if w := l.p.w; w.verbose {
		text := l.p.name + " reports: " + r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		fmt.Printf("%d %s\n", w.now-epoch, text)
	}
	if r.Level >= slog.LevelError {
		l.s.reported(l.p, r)
	}
	return nil
}
