package table

import (
	"context"
	"sync"
)

// ManyQuerier is a Table that has a way of its own to make several queries at once.
type ManyQuerier interface {
	Queries(ctx context.Context, qs []Query) ([]Page, Units, error)
}

// Queries makes several queries at once, so that they take the time of one, and returns their first pages in the order
// of qs. They are no snapshot: each reads strongly at a moment of its own. After an error of any of them there are no
// pages.
func Queries(ctx context.Context, t Table, qs []Query) ([]Page, Units, error) {
	if m, ok := t.(ManyQuerier); ok {
		return m.Queries(ctx, qs)
	}
	pages, units, errs := make([]Page, len(qs)), make([]Units, len(qs)), make([]error, len(qs))
	var wg sync.WaitGroup
	for i, q := range qs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			pages[i], units[i], errs[i] = t.Query(ctx, q)
		}()
	}
	wg.Wait()
	var all Units
	for _, u := range units {
		all = all.Add(u)
	}
	for _, err := range errs {
		if err != nil {
			return nil, all, err
		}
	}
	return pages, all, nil
}
