package app

import (
	"container/list"
	"sync"
)

// cache keeps immutable things that were read: bodies, pages, definition versions. Keys carry a content hash, a write
// token or an internal id, never a bare workflow id and version (P11), so nothing in it can become wrong.
type cache struct {
	limit int

	mu    sync.Mutex
	used  int                      // guarded by mu
	byKey map[string]*list.Element // guarded by mu
	order *list.List               // guarded by mu; front is newest
}

type cached struct {
	key   string
	value any
	size  int
}

// newCache makes a cache of about limit bytes.
func newCache(limit int) *cache {
	return &cache{limit: limit, byKey: map[string]*list.Element{}, order: list.New()}
}

func (c *cache) get(key string) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).value, true
}

// put keeps a value of about size bytes.
func (c *cache) put(key string, value any, size int) {
	if size > c.limit/4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.order.MoveToFront(e)
		return
	}
	c.byKey[key] = c.order.PushFront(&cached{key, value, size})
	c.used += size
	for c.used > c.limit {
		last := c.order.Back()
		old := last.Value.(*cached)
		c.order.Remove(last)
		delete(c.byKey, old.key)
		c.used -= old.size
	}
}
