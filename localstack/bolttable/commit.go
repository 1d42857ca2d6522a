package bolttable

// Group commit: one goroutine owns the write transactions. Whoever writes hands it a request and waits; all requests
// that came while the previous commit was syncing share the next one.

import (
	"context"
	"errors"
	"runtime"
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/downbeat/downbeat/core/table"
)

// ErrClosed is the cause of errors after Close.
var ErrClosed = errors.New("table is closed")

// txn is one write transaction.
type txn struct {
	tx                  *bolt.Tx
	items, due, expires *bolt.Bucket
}

// request is work for one transaction. Its apply keeps its own results, which count when done tells no error. An error
// of apply itself fails the whole commit: it is one of the store, never of the caller.
type request struct {
	apply func(*txn) error
	done  chan error // buffered; nil for a lazy request
}

// maxLazy is how many requests that nobody waits for are kept for the next commit before they make one of their own.
const maxLazy = 1024

// committer is the goroutine's state.
type committer struct {
	db *bolt.DB

	mu      sync.Mutex
	work    sync.Cond  // signalled when there is something to commit
	pending []*request // guarded by mu
	lazy    []*request // guarded by mu
	last    int        // guarded by mu: how many requests shared the newest commit
	closed  bool       // guarded by mu
	stopped chan struct{}
}

func newCommitter(db *bolt.DB) *committer {
	c := &committer{db: db, stopped: make(chan struct{})}
	c.work.L = &c.mu
	go c.run()
	return c
}

// do commits one request and waits for it.
func (c *committer) do(ctx context.Context, op string, key table.Key, apply func(*txn) error) error {
	r := &request{apply: apply, done: make(chan error, 1)}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return &table.Error{Code: table.CodeInternal, Op: op, Key: key, Cause: ErrClosed}
	}
	c.pending = append(c.pending, r)
	c.work.Signal()
	c.mu.Unlock()
	select {
	case err := <-r.done:
		if err != nil {
			// The store may or may not have kept what it could not sync.
			return &table.Error{Code: table.CodeUnknown, Op: op, Key: key, Cause: err}
		}
		return nil
	case <-ctx.Done():
		return &table.Error{Code: table.CodeUnknown, Op: op, Key: key, Cause: ctx.Err()}
	}
}

// soon commits a request with the next commit. It may be lost in a crash.
func (c *committer) soon(apply func(*txn) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.lazy = append(c.lazy, &request{apply: apply})
	if len(c.lazy) >= maxLazy {
		c.work.Signal()
	}
}

func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.work.Signal()
	c.mu.Unlock()
	<-c.stopped
}

// next waits for work and takes all of it; none means that the committer was closed.
func (c *committer) next() []*request {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.pending) == 0 && len(c.lazy) < maxLazy && !c.closed {
		c.work.Wait()
	}
	// Those who shared the last commit are just being told and will be back in microseconds. Letting them run first
	// costs next to nothing beside a sync, and without it every other commit would carry one request alone.
	for tries := 0; len(c.pending) < c.last && tries < 2*c.last && !c.closed; tries++ {
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	batch := c.pending
	c.last = len(batch)
	batch = append(batch, c.lazy...)
	c.pending, c.lazy = nil, nil
	return batch
}

func (c *committer) run() {
	defer close(c.stopped)
	for {
		batch := c.next()
		if len(batch) == 0 {
			return
		}
		err := c.commit(batch)
		for _, r := range batch {
			if r.done != nil {
				r.done <- err
			}
		}
	}
}

func (c *committer) commit(batch []*request) error {
	return c.db.Update(func(tx *bolt.Tx) error {
		t := &txn{tx: tx, items: tx.Bucket(itemsBucket), due: tx.Bucket(dueBucket), expires: tx.Bucket(expiresBucket)}
		for _, r := range batch {
			if err := r.apply(t); err != nil {
				return err
			}
		}
		return nil
	})
}

// stored is the item under a key. It shares memory with the transaction. The error is for the caller who named the
// item: one that cannot be read must not stop everybody's commits.
func (t *txn) stored(key table.Key, raw []byte) (table.Item, error) {
	it, err := decode(key, t.items.Get(raw))
	if err != nil {
		return it, &table.Error{Code: table.CodeInternal, Op: "write", Key: key, Cause: err}
	}
	return it, nil
}

// store replaces old, the item under raw, by new with its encoded form; either may be absent.
func (t *txn) store(raw []byte, old, new table.Item, encoded []byte) error {
	part := table.DuePartition(old.PK)
	if old.Due != new.Due {
		if old.Due != 0 {
			if err := t.due.Delete(dueKey(old.Due, raw, part)); err != nil {
				return err
			}
		}
		if new.Due != 0 {
			if err := t.due.Put(dueKey(new.Due, raw, part), nil); err != nil {
				return err
			}
		}
	}
	if old.Expires != new.Expires {
		if old.Expires != 0 {
			if err := t.expires.Delete(expiresKey(old.Expires, raw)); err != nil {
				return err
			}
		}
		if new.Expires != 0 {
			if err := t.expires.Put(expiresKey(new.Expires, raw), nil); err != nil {
				return err
			}
		}
	}
	if !new.Exists() {
		return t.items.Delete(raw)
	}
	return t.items.Put(raw, encoded)
}
