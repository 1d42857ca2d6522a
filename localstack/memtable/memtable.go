// Package memtable is the Table port in memory, for tests, simulation and a local server without a data folder.
package memtable

import (
	"context"
	"sync"

	"github.com/google/btree"

	"github.com/downbeat/downbeat/core/table"
)

// Config makes the table behave as badly as the service may. The zero value is a table whose due index is never late.
type Config struct {
	// Now is the time in epoch milliseconds; needed with Lag alone.
	Now func() int64
	// Lag is after how many milliseconds the due index shows a change of an item, asked once a change. Changes show in
	// the order in which they were made.
	Lag func(key table.Key) int64
}

// Table is the table. Use New or NewWith.
type Table struct {
	cfg Config

	mu      sync.RWMutex
	rows    map[table.Key]*row                           // guarded by mu
	order   *btree.BTreeG[*row]                          // guarded by mu
	due     [table.DuePartitions]*btree.BTreeG[dueEntry] // guarded by mu
	expires *btree.BTreeG[expiry]                        // guarded by mu
	late    []lateChange                                 // guarded by mu: what the due index does not show yet
}

// row holds a stored item. The item is replaced as a whole and its slices are never written to.
type row struct {
	item table.Item
}

type dueEntry struct {
	due int64
	key table.Key
}

type expiry struct {
	at  int64
	key table.Key
}

type lateChange struct {
	at            int64
	key           table.Key
	before, after int64
}

var _ table.Table = (*Table)(nil)

const degree = 32

func lessKey(a, b table.Key) bool {
	if a.PK != b.PK {
		return a.PK < b.PK
	}
	return a.SK < b.SK
}

// New makes an empty table.
func New() *Table { return NewWith(Config{}) }

// NewWith makes an empty table with the given imperfections.
func NewWith(cfg Config) *Table {
	t := &Table{
		cfg:   cfg,
		rows:  map[table.Key]*row{},
		order: btree.NewG(degree, func(a, b *row) bool { return lessKey(a.item.Key, b.item.Key) }),
		expires: btree.NewG(degree, func(a, b expiry) bool {
			if a.at != b.at {
				return a.at < b.at
			}
			return lessKey(a.key, b.key)
		}),
	}
	for i := range t.due {
		t.due[i] = btree.NewG(degree, func(a, b dueEntry) bool {
			if a.due != b.due {
				return a.due < b.due
			}
			return lessKey(a.key, b.key)
		})
	}
	return t
}

// Len is how many items there are.
func (t *Table) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.rows)
}

// Get implements table.Table.
func (t *Table) Get(ctx context.Context, key table.Key) (table.Item, table.Units, error) {
	if err := before(ctx, "get", key); err != nil {
		return table.Item{}, table.Units{}, err
	}
	if err := table.CheckKey(key); err != nil {
		return table.Item{}, table.Units{}, table.Invalid("get", key, err)
	}
	t.mu.RLock()
	it := t.stored(key)
	t.mu.RUnlock()
	return it.Clone(), table.GetUnits(it), nil
}

// stored is the item under a key, which shares its slices with the table: absent, it has the key alone.
func (t *Table) stored(key table.Key) table.Item {
	if r, ok := t.rows[key]; ok {
		return r.item
	}
	return table.Item{Key: key}
}

// before is asked first by every operation: a caller that gave up gets no work done.
func before(ctx context.Context, op string, key table.Key) error {
	if err := ctx.Err(); err != nil {
		return &table.Error{Code: table.CodeUnknown, Op: op, Key: key, Cause: err}
	}
	return nil
}

// BatchGet implements table.Table.
func (t *Table) BatchGet(ctx context.Context, keys []table.Key) ([]table.Item, table.Units, error) {
	if err := before(ctx, "batch get", table.Key{}); err != nil {
		return nil, table.Units{}, err
	}
	for _, k := range keys {
		if err := table.CheckKey(k); err != nil {
			return nil, table.Units{}, table.Invalid("batch get", k, err)
		}
	}
	items := make([]table.Item, len(keys))
	t.mu.RLock()
	for i, k := range keys {
		items[i] = t.stored(k)
	}
	t.mu.RUnlock()
	var u table.Units
	seen := make(map[table.Key]bool, len(keys))
	for i := range items {
		if !seen[keys[i]] {
			seen[keys[i]] = true
			u = u.Add(table.GetUnits(items[i]))
		}
		items[i] = items[i].Clone()
	}
	return items, u, nil
}

// Query implements table.Table.
func (t *Table) Query(ctx context.Context, q table.Query) (table.Page, table.Units, error) {
	at := table.Key{PK: q.PK, SK: q.Prefix}
	if err := before(ctx, "query", at); err != nil {
		return table.Page{}, table.Units{}, err
	}
	if err := table.CheckQuery(q); err != nil {
		return table.Page{}, table.Units{}, table.Invalid("query", at, err)
	}
	r, ok := q.Range()
	if !ok {
		return table.Page{}, table.Units{}, nil
	}
	var page table.Page
	bytes := 0
	visit := func(rw *row) bool {
		it := rw.item
		if it.PK != q.PK {
			return false
		}
		if q.Reverse {
			if it.SK < r.From {
				return false
			}
			if r.To != "" && it.SK > r.To || r.After != "" && it.SK >= r.After {
				return true
			}
		} else {
			if r.To != "" && it.SK > r.To {
				return false
			}
			if r.After != "" && it.SK <= r.After {
				return true
			}
		}
		bytes += table.ItemSize(it)
		page.Items = append(page.Items, it)
		// As the service does, the page tells that there may be more even where it ends with the last item.
		page.More = len(page.Items) == q.Limit || bytes >= table.MaxPageBytes
		return !page.More
	}
	t.mu.RLock()
	if q.Reverse {
		last := r.To
		if r.After != "" && (last == "" || r.After < last) {
			last = r.After
		}
		if last == "" {
			last = "\xff" // no key is valid UTF-8 and above it
		}
		t.order.DescendLessOrEqual(&row{table.Item{Key: table.Key{PK: q.PK, SK: last}}}, visit)
	} else {
		t.order.AscendGreaterOrEqual(&row{table.Item{Key: table.Key{PK: q.PK, SK: max(r.From, r.After)}}}, visit)
	}
	t.mu.RUnlock()
	for i := range page.Items {
		if q.KeysOnly {
			page.Items[i].Data = nil
		}
		page.Items[i] = page.Items[i].Clone()
	}
	return page, table.QueryUnits(bytes), nil
}

// Write implements table.Table.
func (t *Table) Write(ctx context.Context, w table.Write) (table.Units, error) {
	if err := before(ctx, "write", w.Item.Key); err != nil {
		return table.Units{}, err
	}
	if err := table.CheckWrite(w); err != nil {
		return table.Units{}, table.Invalid("write", w.Item.Key, err)
	}
	w.Item = w.Item.Clone()
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.stored(w.Item.Key)
	out, err := table.Apply(old, w)
	if err == nil && out.Changed {
		t.store(old, out.Item)
	}
	return out.Units, err
}

// BatchPut implements table.Table.
func (t *Table) BatchPut(ctx context.Context, items []table.Item) (table.Units, error) {
	if err := before(ctx, "batch put", table.Key{}); err != nil {
		return table.Units{}, err
	}
	for _, it := range items {
		if err := table.CheckItem(it); err != nil {
			return table.Units{}, table.Invalid("batch put", it.Key, err)
		}
	}
	var u table.Units
	for _, it := range table.LastOfEach(items) {
		it = it.Clone()
		t.mu.Lock()
		old := t.stored(it.Key)
		u = u.Add(table.WriteUnits(table.OpPut, old, it))
		t.store(old, it)
		t.mu.Unlock()
	}
	return u, nil
}

// Transact implements table.Table.
func (t *Table) Transact(ctx context.Context, writes []table.Write) (table.Units, error) {
	if err := before(ctx, "transact", table.Key{}); err != nil {
		return table.Units{}, err
	}
	if err := table.CheckTransact(writes); err != nil {
		return table.Units{}, table.Invalid("transact", table.Key{}, err)
	}
	old := make([]table.Item, len(writes))
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, w := range writes {
		old[i] = t.stored(w.Item.Key)
	}
	done, u, err := table.TransactOutcome(writes, old)
	if err != nil || done {
		return u, err
	}
	for i, w := range writes {
		switch w.Op {
		case table.OpPut:
			t.store(old[i], w.Item.Clone())
		case table.OpDelete:
			if old[i].Exists() {
				t.store(old[i], table.Item{})
			}
		}
	}
	return u, nil
}

// store replaces old by new, either of which may be absent. The lock is held.
func (t *Table) store(old, new table.Item) {
	key := old.Key
	switch {
	case !new.Exists():
		t.order.Delete(t.rows[key])
		delete(t.rows, key)
	case old.Exists():
		t.rows[key].item = new
	default:
		r := &row{item: new}
		t.rows[key] = r
		t.order.ReplaceOrInsert(r)
	}
	if old.Expires != new.Expires {
		if old.Expires != 0 {
			t.expires.Delete(expiry{old.Expires, key})
		}
		if new.Expires != 0 {
			t.expires.ReplaceOrInsert(expiry{new.Expires, key})
		}
	}
	if old.Due != new.Due {
		t.index(lateChange{key: key, before: old.Due, after: new.Due})
	}
}

func (t *Table) index(c lateChange) {
	if t.cfg.Lag == nil {
		t.show(c)
		return
	}
	c.at = t.cfg.Now() + t.cfg.Lag(c.key)
	if n := len(t.late); n > 0 {
		c.at = max(c.at, t.late[n-1].at)
	}
	t.late = append(t.late, c)
}

func (t *Table) show(c lateChange) {
	part := t.due[table.DuePartition(c.key.PK)]
	if c.before != 0 {
		part.Delete(dueEntry{c.before, c.key})
	}
	if c.after != 0 {
		part.ReplaceOrInsert(dueEntry{c.after, c.key})
	}
}

// QueryDue implements table.Table.
func (t *Table) QueryDue(ctx context.Context, q table.DueQuery) ([]table.DueEntry, table.Units, error) {
	if err := before(ctx, "query due", table.Key{}); err != nil {
		return nil, table.Units{}, err
	}
	if err := table.CheckDueQuery(q); err != nil {
		return nil, table.Units{}, table.Invalid("query due", table.Key{}, err)
	}
	if t.cfg.Lag != nil {
		now := t.cfg.Now()
		t.mu.Lock()
		n := 0
		for n < len(t.late) && t.late[n].at <= now {
			t.show(t.late[n])
			n++
		}
		t.late = t.late[n:]
		t.mu.Unlock()
	}
	var entries []table.DueEntry
	bytes := 0
	from := dueEntry{due: q.From}
	if q.After != nil && q.After.Due >= q.From {
		from = dueEntry{q.After.Due, q.After.Key}
	}
	t.mu.RLock()
	t.due[q.Partition].AscendGreaterOrEqual(from, func(e dueEntry) bool {
		if e.due >= q.To {
			return false
		}
		if q.After != nil && e.due == q.After.Due && e.key == q.After.Key {
			return true
		}
		entries = append(entries, table.DueEntry{Key: e.key, Due: e.due})
		bytes += table.DueEntrySize(entries[len(entries)-1])
		return len(entries) != q.Limit
	})
	t.mu.RUnlock()
	return entries, table.DueUnits(bytes), nil
}

// Purge deletes up to limit items that expired before now, in epoch seconds, as the service does by itself, and tells
// how many there were.
func (t *Table) Purge(ctx context.Context, now int64, limit int) (int, error) {
	if err := before(ctx, "purge", table.Key{}); err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var keys []table.Key
	t.expires.Ascend(func(e expiry) bool {
		if e.at >= now || len(keys) >= limit {
			return false
		}
		keys = append(keys, e.key)
		return true
	})
	for _, k := range keys {
		t.store(t.stored(k), table.Item{})
	}
	return len(keys), nil
}
