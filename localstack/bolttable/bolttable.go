// Package bolttable is the Table port in one file on disk. What was acknowledged survives kill -9 and a loss of power:
// every write is synced, and writers that come at the same time share a sync.
package bolttable

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/downbeat/downbeat/core/table"
)

var (
	itemsBucket   = []byte("items")
	dueBucket     = []byte("due")
	expiresBucket = []byte("expires")
)

// Table is the table. Use Open, and Close when done.
type Table struct {
	db      *bolt.DB
	commits *committer
}

var _ table.Table = (*Table)(nil)

// ErrInUse is returned by Open when another process, or another Table of this one, has the file open.
var ErrInUse = errors.New("in use by another process")

// Open opens the file, making it if it is missing; its folder must exist.
func Open(path string) (*Table, error) {
	db, err := bolt.Open(path, 0o644, &bolt.Options{
		// Short enough that a lock held by another is reported at once.
		Timeout: time.Millisecond,
		// The list of free pages is found again by a scan at the start, which costs less than writing it with every commit.
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
		// Address space, not memory: growing it later stops all readers.
		InitialMmapSize: 256 << 20,
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("%s: %w", path, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{itemsBucket, dueBucket, expiresBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
	}
	return &Table{db: db, commits: newCommitter(db)}, nil
}

// syncFolder makes the name of a new file durable.
func syncFolder(dir string) error {
	h, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(h.Sync(), h.Close())
}

// Close commits what is pending and closes the file. Operations that come later get ErrClosed.
func (t *Table) Close() error {
	t.commits.close()
	return t.db.Close()
}

// before is asked first by every operation: a caller that gave up gets no work done.
func before(ctx context.Context, op string, key table.Key) error {
	if err := ctx.Err(); err != nil {
		return &table.Error{Code: table.CodeUnknown, Op: op, Key: key, Cause: err}
	}
	return nil
}

// view reads in one consistent snapshot.
func (t *Table) view(op string, key table.Key, read func(tx *bolt.Tx) error) error {
	err := t.db.View(read)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		err = ErrClosed
	}
	if err != nil {
		return &table.Error{Code: table.CodeInternal, Op: op, Key: key, Cause: err}
	}
	return nil
}

// Get implements table.Table.
func (t *Table) Get(ctx context.Context, key table.Key) (table.Item, table.Units, error) {
	if err := before(ctx, "get", key); err != nil {
		return table.Item{}, table.Units{}, err
	}
	if err := table.CheckKey(key); err != nil {
		return table.Item{}, table.Units{}, table.Invalid("get", key, err)
	}
	var it table.Item
	err := t.view("get", key, func(tx *bolt.Tx) error {
		found, err := decode(key, tx.Bucket(itemsBucket).Get(itemKey(key)))
		found.Data = slices.Clone(found.Data)
		it = found
		return err
	})
	if err != nil {
		return table.Item{}, table.Units{}, err
	}
	return it, table.GetUnits(it), nil
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
	var u table.Units
	err := t.view("batch get", table.Key{}, func(tx *bolt.Tx) error {
		b := tx.Bucket(itemsBucket)
		seen := make(map[table.Key]bool, len(keys))
		for i, k := range keys {
			it, err := decode(k, b.Get(itemKey(k)))
			if err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
			if !seen[k] {
				seen[k] = true
				u = u.Add(table.GetUnits(it))
			}
			it.Data = slices.Clone(it.Data)
			items[i] = it
		}
		return nil
	})
	if err != nil {
		return nil, table.Units{}, err
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
	size := 0
	err := t.view("query", at, func(tx *bolt.Tx) error {
		c := tx.Bucket(itemsBucket).Cursor()
		part := itemKey(table.Key{PK: q.PK})
		k, v := first(c, part, q, r)
		for bytes.HasPrefix(k, part) {
			sk := string(k[len(part):])
			if q.Reverse && sk < r.From || !q.Reverse && r.To != "" && sk > r.To {
				break
			}
			it, err := decode(table.Key{PK: q.PK, SK: sk}, v)
			if err != nil {
				return fmt.Errorf("%s: %w", it.Key, err)
			}
			size += table.ItemSize(it)
			if q.KeysOnly {
				it.Data = nil
			}
			it.Data = slices.Clone(it.Data)
			page.Items = append(page.Items, it)
			// As the service does, the page tells that there may be more even where it ends with the last item.
			if len(page.Items) == q.Limit || size >= table.MaxPageBytes {
				page.More = true
				break
			}
			if q.Reverse {
				k, v = c.Prev()
			} else {
				k, v = c.Next()
			}
		}
		return nil
	})
	if err != nil {
		return table.Page{}, table.Units{}, err
	}
	return page, table.QueryUnits(size), nil
}

// first moves the cursor to the item that a query starts with.
func first(c *bolt.Cursor, part []byte, q table.Query, r table.Range) (k, v []byte) {
	if !q.Reverse {
		from := max(r.From, r.After)
		start := append(slices.Clone(part), from...)
		k, v = c.Seek(start)
		if r.After != "" && from == r.After && bytes.Equal(k, start) {
			k, v = c.Next()
		}
		return k, v
	}
	last, inclusive := r.To, true
	if r.After != "" && (last == "" || r.After <= last) {
		last, inclusive = r.After, false
	}
	if last == "" {
		last = "\xff" // no key is valid UTF-8 and above it
	}
	end := append(slices.Clone(part), last...)
	k, v = c.Seek(end)
	switch {
	case k == nil:
		return c.Last()
	case inclusive && bytes.Equal(k, end):
		return k, v
	}
	return c.Prev()
}

// write is a checked write in the form that the committer needs.
type write struct {
	table.Write
	raw, encoded []byte
}

func prepare(w table.Write) write {
	p := write{Write: w, raw: itemKey(w.Item.Key)}
	if w.Op == table.OpPut {
		p.encoded = encode(w.Item)
	}
	// The encoded form is what is stored; the rest serves to compare and to count, for which lengths are enough.
	p.Item.Tokens = slices.Clone(w.Item.Tokens)
	return p
}

// apply is one write outside a transaction. It returns the caller's outcome, and an error of the store.
func (t *txn) apply(w write) (u table.Units, outcome, err error) {
	old, outcome := t.stored(w.Item.Key, w.raw)
	if outcome != nil {
		return table.Units{}, outcome, nil
	}
	out, outcome := table.Apply(old, w.Write)
	if outcome == nil && out.Changed {
		err = t.store(w.raw, old, out.Item, w.encoded)
	}
	return out.Units, outcome, err
}

// Write implements table.Table.
func (t *Table) Write(ctx context.Context, w table.Write) (table.Units, error) {
	if err := before(ctx, "write", w.Item.Key); err != nil {
		return table.Units{}, err
	}
	if err := table.CheckWrite(w); err != nil {
		return table.Units{}, table.Invalid("write", w.Item.Key, err)
	}
	res := new(Result)
	p := prepare(w)
	if err := t.commits.do(ctx, "write", w.Item.Key, func(tx *txn) (err error) {
		res.Units, res.Err, err = tx.apply(p)
		return err
	}); err != nil {
		return table.Units{}, err
	}
	return res.Units, res.Err
}

// Result is the answer to one of several writes.
type Result struct {
	Units table.Units
	Err   error // as that of Write
}

// WriteAll does writes as Write would, one after the other, each for itself, with one sync for all of them. The results
// are in the order of the writes; an error stands for all of them.
func (t *Table) WriteAll(ctx context.Context, writes []table.Write) ([]Result, error) {
	if err := before(ctx, "write", table.Key{}); err != nil {
		return nil, err
	}
	results := make([]Result, len(writes))
	prepared := make([]write, len(writes))
	for i, w := range writes {
		if err := table.CheckWrite(w); err != nil {
			results[i].Err = table.Invalid("write", w.Item.Key, err)
			continue
		}
		prepared[i] = prepare(w)
	}
	if err := t.commits.do(ctx, "write", table.Key{}, func(tx *txn) (err error) {
		for i, w := range prepared {
			if w.raw == nil {
				continue
			}
			if results[i].Units, results[i].Err, err = tx.apply(w); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return results, nil
}

// BatchPut implements table.Table. All items share one sync.
func (t *Table) BatchPut(ctx context.Context, items []table.Item) (table.Units, error) {
	if err := before(ctx, "batch put", table.Key{}); err != nil {
		return table.Units{}, err
	}
	items = table.LastOfEach(items)
	prepared := make([]write, len(items))
	for i, it := range items {
		if err := table.CheckItem(it); err != nil {
			return table.Units{}, table.Invalid("batch put", it.Key, err)
		}
		prepared[i] = prepare(table.Write{Item: it})
	}
	if len(items) == 0 {
		return table.Units{}, nil
	}
	res := new(Result)
	if err := t.commits.do(ctx, "batch put", table.Key{}, func(tx *txn) error {
		for _, w := range prepared {
			u, outcome, err := tx.apply(w)
			if err != nil {
				return err
			}
			if outcome != nil {
				res.Err = outcome
				return nil
			}
			res.Units = res.Units.Add(u)
		}
		return nil
	}); err != nil {
		return table.Units{}, err
	}
	return res.Units, res.Err
}

// Transact implements table.Table.
func (t *Table) Transact(ctx context.Context, writes []table.Write) (table.Units, error) {
	if err := before(ctx, "transact", table.Key{}); err != nil {
		return table.Units{}, err
	}
	if err := table.CheckTransact(writes); err != nil {
		return table.Units{}, table.Invalid("transact", table.Key{}, err)
	}
	prepared := make([]write, len(writes))
	own := make([]table.Write, len(writes))
	for i, w := range writes {
		prepared[i] = prepare(w)
		own[i] = prepared[i].Write
	}
	res := new(Result)
	if err := t.commits.do(ctx, "transact", table.Key{}, func(tx *txn) error {
		old := make([]table.Item, len(own))
		for i, w := range prepared {
			if old[i], res.Err = tx.stored(w.Item.Key, w.raw); res.Err != nil {
				return nil
			}
		}
		var done bool
		done, res.Units, res.Err = table.TransactOutcome(own, old)
		if done || res.Err != nil {
			return nil
		}
		for i, w := range prepared {
			var err error
			switch {
			case w.Op == table.OpPut:
				err = tx.store(w.raw, old[i], w.Item, w.encoded)
			case w.Op == table.OpDelete && old[i].Exists():
				err = tx.store(w.raw, old[i], table.Item{}, nil)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return table.Units{}, err
	}
	return res.Units, res.Err
}

// QueryDue implements table.Table.
func (t *Table) QueryDue(ctx context.Context, q table.DueQuery) ([]table.DueEntry, table.Units, error) {
	if err := before(ctx, "query due", table.Key{}); err != nil {
		return nil, table.Units{}, err
	}
	if err := table.CheckDueQuery(q); err != nil {
		return nil, table.Units{}, table.Invalid("query due", table.Key{}, err)
	}
	var entries []table.DueEntry
	size := 0
	err := t.view("query due", table.Key{}, func(tx *bolt.Tx) error {
		c := tx.Bucket(dueBucket).Cursor()
		start := dueKey(max(q.From, 0), nil, q.Partition)
		after := false
		if q.After != nil && q.After.Due >= q.From {
			start, after = dueKey(q.After.Due, itemKey(q.After.Key), q.Partition), true
		}
		k, _ := c.Seek(start)
		if after && bytes.Equal(k, start) {
			k, _ = c.Next()
		}
		for ; len(k) > 9 && int(k[0]) == q.Partition; k, _ = c.Next() {
			due := int64(binary.BigEndian.Uint64(k[1:]))
			if due >= q.To {
				break
			}
			key, err := parseKey(k[9:])
			if err != nil {
				return err
			}
			entries = append(entries, table.DueEntry{Key: key, Due: due})
			size += table.DueEntrySize(entries[len(entries)-1])
			if len(entries) == q.Limit {
				break
			}
		}
		return nil
	})
	if err != nil {
		return nil, table.Units{}, err
	}
	return entries, table.DueUnits(size), nil
}

// Purge deletes up to limit items that expired before now, in epoch seconds, as the service does by itself, and tells
// how many there were.
func (t *Table) Purge(ctx context.Context, now int64, limit int) (int, error) {
	if err := before(ctx, "purge", table.Key{}); err != nil {
		return 0, err
	}
	n := new(int)
	err := t.commits.do(ctx, "purge", table.Key{}, func(tx *txn) error {
		*n = 0
		var expired [][]byte
		c := tx.expires.Cursor()
		for k, _ := c.First(); len(k) > 8 && len(expired) < limit; k, _ = c.Next() {
			if int64(binary.BigEndian.Uint64(k)) >= now {
				break
			}
			expired = append(expired, slices.Clone(k[8:]))
		}
		for _, raw := range expired {
			key, err := parseKey(raw)
			if err != nil {
				return err
			}
			old, err := tx.stored(key, raw)
			if err != nil {
				return err // nothing is deleted: what cannot be read is not judged
			}
			if err := tx.store(raw, old, table.Item{Key: key}, nil); err != nil {
				return err
			}
		}
		*n = len(expired)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return *n, nil
}
