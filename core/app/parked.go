package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/downbeat/downbeat/core/pack"
	"github.com/downbeat/downbeat/core/store"
	"github.com/downbeat/downbeat/core/table"
)

// park takes an item that cannot be decoded out of the way: it is counted and reported, and a head leaves the due index,
// where it would be found for ever, for the list that Parked reads (P4). Its data stay as they are. Data of a newer
// version is no defect: its message comes again when the deployment has gone on (P10).
func (a *App) park(item table.Item, cause error) error {
	if errors.Is(cause, pack.ErrNewer) {
		return fmt.Errorf("item %s: %w", item.Key, cause)
	}
	a.count(CountParked, 1)
	a.log.Error("item cannot be read and is left alone", "key", item.Key.String(), "error", cause)
	corrupt := &CorruptError{Key: item.Key, Cause: cause}
	if item.Due == 0 {
		return corrupt
	}
	// The list comes first: a head that is in no index and on no list would be lost. Who asked may be gone by now.
	ctx := context.Background()
	p := store.Parked{Key: item.Key, Reason: cause.Error(), At: a.now()}
	err := a.write(ctx, table.Write{Item: table.Item{Key: store.ParkedKey(item.Key), Rev: 1, Data: p.Encode()}})
	if err == nil {
		err = a.put(ctx, item, item.Key, item.Data, 0)
	}
	if err != nil && table.CodeOf(err) != table.CodeConflict {
		a.log.Error("head that cannot be read stays in the due index", "key", item.Key.String(), "error", err)
	}
	return corrupt
}

// Parked lists up to limit heads that cannot be decoded, in the order of their keys, after the one with the key after;
// the zero key begins the list.
func (a *App) Parked(ctx context.Context, after table.Key, limit int) ([]store.Parked, error) {
	q := table.Query{PK: store.ParkedPK, Limit: limit}
	if after != (table.Key{}) {
		q.After = store.ParkedKey(after).SK
	}
	page, err := a.query(ctx, q)
	if err != nil {
		return nil, err
	}
	list := make([]store.Parked, 0, len(page.Items))
	for _, it := range page.Items {
		p, err := store.DecodeParked(it.Data)
		if err != nil {
			return nil, fmt.Errorf("entry %s of the list of parked heads: %w", it.SK, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// Unpark puts a parked head back into the due index, to be looked at by the next sweep: after a repair, or with a version
// that can read it. It tells whether the head was on the list.
func (a *App) Unpark(ctx context.Context, head table.Key) (bool, error) {
	entry, err := a.get(ctx, store.ParkedKey(head))
	if err != nil || !entry.Exists() {
		return false, err
	}
	item, err := a.get(ctx, head)
	if err != nil {
		return false, err
	}
	// The head first: twice due is harmless, never due is not.
	if item.Exists() {
		if err := a.put(ctx, item, head, item.Data, moveDue(0, a.now(), a.now())); err != nil {
			return false, err
		}
	}
	return true, a.write(ctx, table.Write{Op: table.OpDelete, Item: table.Item{Key: entry.Key}})
}
